r"""How a conversation becomes token ids, and how it goes on from ids that a model has sampled.

    ids, mask = encode_chat(tokenizer, messages)           # from text: annotations, and the first prompt of an episode
    added = continue_chat(tokenizer, messages, context)    # from ids: every later prompt of an episode

Text does not fix ids: a model may write "12" as one token or as two, and a tokenizer reads back the first way only. So
what was sampled stays as it was sampled, and only the text around it is encoded:

    context [<|user|>\n …  <|assistant|>\n 1 2 <|end|>]   added [\n <|user|>\n  5  \n <|assistant|>\n]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError

_STAND_IN = "0"  # stands for a model turn whose ids are known; a template shows it as it is


class Tokenizer(Protocol):
    """What is needed of a Transformers tokenizer."""

    chat_template: Any
    eos_token: str | None
    eos_token_id: int | None

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...

    def encode(self, text: str, **kwargs: Any) -> list[int]: ...

    def get_vocab(self) -> dict[str, int]: ...

    def get_added_vocab(self) -> dict[str, int]: ...


def encode_chat(
    tokenizer: Tokenizer, messages: Sequence[Message], add_generation_prompt: bool = False
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, with a mask of the tokens that the model writes.

    The text is rendered by the tokenizer's chat template and encoded piece by piece, one piece up to each model turn
    and one for the turn itself. So the ids before a turn are the same in training and at inference, whatever is
    written next.

    Args:
        tokenizer: A Transformers tokenizer with a chat template.
        messages: The conversation.
        add_generation_prompt: Whether to end with the opening of a model turn.

    Returns:
        Ids and mask, both of length T. The mask is True on a model turn's content and its end-of-turn token.

    Raises:
        ConfigError: The chat template rewrites earlier turns, so that no prefix of the conversation is stable.
    """
    ids: list[int] = []
    mask: list[bool] = []
    done = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        opened = _render(tokenizer, messages[:index], True)
        closed = _render(tokenizer, messages[: index + 1], False)
        _append(ids, mask, tokenizer, _after(opened, done), False)
        _append(ids, mask, tokenizer, _after(closed, opened), True)
        done = closed
    if messages and messages[-1]["role"] != "assistant":
        _append(ids, mask, tokenizer, _after(_render(tokenizer, messages, add_generation_prompt), done), False)
    _unmask_after_end_of_turn(ids, mask, tokenizer.eos_token_id)
    return ids, mask


def continue_chat(tokenizer: Tokenizer, messages: Sequence[Message], context: Sequence[int]) -> list[int]:
    """The ids that lead from the end of a model turn, as it was sampled, to the next turn of the model.

    Args:
        tokenizer: A Transformers tokenizer with a chat template.
        messages: The conversation up to the next turn. Of its model turns only the places matter.
        context: Ids up to the end of its last model turn, with the end-of-turn token if that was sampled.

    Returns:
        Ids that follow `context`: the end of the turn if it is still open, and the messages since.

    Raises:
        ConfigError: The chat template rewrites earlier turns.
    """
    last = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
    written: Message = {"role": "assistant", "content": _STAND_IN}
    opened = _render(tokenizer, messages[:last], True)
    turn = _after(_render(tokenizer, [*messages[:last], written, *messages[last + 1 :]], True), opened)
    space, _, text = turn.partition(_STAND_IN)  # Llama 2 and Mistral begin a turn with a space
    if space.strip():
        raise _rewriting()
    if tokenizer.eos_token and context[-1] == tokenizer.eos_token_id:
        space, _, rest = text.partition(tokenizer.eos_token)
        text = text if space.strip() else rest
    return list(tokenizer.encode(text, add_special_tokens=False))


def encode_prompt(tokenizer: Tokenizer, messages: Sequence[Message], context: Sequence[int] = ()) -> list[int]:
    """Ids of a whole prompt: those of `context` as they are, the rest encoded from text."""
    if context:
        return [*context, *continue_chat(tokenizer, messages, context)]
    return encode_chat(tokenizer, messages, add_generation_prompt=True)[0]


def end_of_turn(tokenizer: Tokenizer) -> str:
    """The token by which the chat template ends a turn of the model.

    For a chat model that is `eos_token`. A base model may come with a chat template as well, and with an `eos_token`
    that ends documents instead, which no turn has.

    Raises:
        ConfigError: The template ends turns by text that no single token stands for.
    """
    turns: list[Message] = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": "Well!"}]
    text = _render(tokenizer, turns, False).rpartition("Well!")[2].strip()
    if tokenizer.eos_token and text.startswith(tokenizer.eos_token):
        return tokenizer.eos_token
    tokens = [token for token in tokenizer.get_added_vocab() if text.startswith(token)]
    if not tokens:
        raise ConfigError(
            f"expected a chat template that ends a model's turn by a special token, got one that ends it by {text!r};"
            " give the tokenizer lumos_rl.prompts.LUMOS_CHAT_TEMPLATE instead"
        )
    return max(tokens, key=len)


def fingerprint(tokenizer: Tokenizer) -> str:
    """Twelve hex digits that change with the vocabulary or the chat template: ids mean the same under equal ones."""
    vocabulary = sorted((index, token) for token, index in tokenizer.get_vocab().items())
    return hashlib.sha256(repr((tokenizer.chat_template, vocabulary)).encode()).hexdigest()[:12]


def _render(tokenizer: Tokenizer, messages: Sequence[Message], add_generation_prompt: bool) -> str:
    return str(
        tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=add_generation_prompt)
    )


def _after(text: str, prefix: str) -> str:
    if not text.startswith(prefix):
        raise _rewriting()
    return text[len(prefix) :]


def _rewriting() -> ConfigError:
    return ConfigError(
        "expected a chat template that leaves earlier turns as they are, and opens the model's turn for"
        " add_generation_prompt, but this one rewrites them, or does not open it; give the tokenizer"
        " lumos_rl.prompts.LUMOS_CHAT_TEMPLATE instead"
    )


def _append(ids: list[int], mask: list[bool], tokenizer: Tokenizer, text: str, written: bool) -> None:
    piece = tokenizer.encode(text, add_special_tokens=False)
    ids.extend(piece)
    mask.extend([written] * len(piece))


def _unmask_after_end_of_turn(ids: list[int], mask: list[bool], eos: int | None) -> None:
    """The template's text between an end-of-turn token and the next turn is never sampled: no loss on it."""
    ended = False
    for index, token in enumerate(ids):
        if not mask[index]:
            ended = False
        elif ended:
            mask[index] = False
        elif token == eos:
            ended = True
