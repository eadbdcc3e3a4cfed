r"""Encodes conversations as token ids, and continues them from ids that a model has sampled.

    ids, mask = encode_chat(tokenizer, messages)           # from text: annotations, and the first prompt of an episode
    added = continue_chat(tokenizer, messages, context)    # from ids: every later prompt of an episode

Text does not determine ids: a model may write "12" as one token or as two, but a tokenizer always encodes it the first
way. So sampled ids are kept, and only the text around them is encoded:

    context [<|user|>\n …  <|assistant|>\n 1 2 <|end|>]   added [\n <|user|>\n  5  \n <|assistant|>\n]
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError

_STAND_IN = "0"  # replaces a model turn whose ids are known; chat templates do not alter it


class Tokenizer(Protocol):
    """The part of a Transformers tokenizer that is used here."""

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

    The tokenizer's chat template renders the text. Each model turn and the text before it are encoded separately, so
    that the ids before a turn are the same in training and at inference.

    Args:
        tokenizer: A Transformers tokenizer with a chat template.
        messages: The conversation.
        add_generation_prompt: Whether to append the start of a model turn.

    Returns:
        Ids and mask, both of length T. The mask is True on a model turn's content and its end-of-turn token.

    Raises:
        ConfigError: The chat template rewrites earlier turns, so that prefixes of the conversation change.
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
    """The ids between the end of a sampled model turn and the start of the next one.

    Args:
        tokenizer: A Transformers tokenizer with a chat template.
        messages: The conversation up to the next turn. The text of its model turns is not used.
        context: Ids up to the end of its last model turn, with the end-of-turn token if that was sampled.

    Returns:
        Ids to append to `context`: the end-of-turn token if it is missing, and the messages after it.

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
    """Ids of a whole prompt: `context` unchanged, the rest encoded from text."""
    if context:
        return [*context, *continue_chat(tokenizer, messages, context)]
    return encode_chat(tokenizer, messages, add_generation_prompt=True)[0]


def end_of_turn(tokenizer: Tokenizer) -> str:
    """The token with which the chat template ends a turn of the model.

    For a chat model this is `eos_token`. A base model may have a chat template too, but an `eos_token` that ends
    documents and never a turn.

    Raises:
        ConfigError: The template does not end turns with a single token.
    """
    turns: list[Message] = [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": "Well!"}]
    text = _render(tokenizer, turns, False).rpartition("Well!")[2].strip()
    if tokenizer.eos_token and text.startswith(tokenizer.eos_token):
        return tokenizer.eos_token
    tokens = [token for token in tokenizer.get_added_vocab() if text.startswith(token)]
    if not tokens:
        raise ConfigError(
            f"expected a chat template that ends a model's turn with a special token, got one that ends it with"
            f" {text!r}; give the tokenizer lumos_rl.prompts.LUMOS_CHAT_TEMPLATE instead"
        )
    return max(tokens, key=len)


def fingerprint(tokenizer: Tokenizer) -> str:
    """Twelve hex digits that change with the vocabulary or chat template; if equal, ids have the same meaning."""
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
    """Removes the template's text after an end-of-turn token from the mask, as a model never samples it."""
    ended = False
    for index, token in enumerate(ids):
        if not mask[index]:
            ended = False
        elif ended:
            mask[index] = False
        elif token == eos:
            ended = True
