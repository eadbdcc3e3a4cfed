r"""Encodes conversations as token ids, and continues them from ids that a model has sampled.

    ids, mask = encode_chat(tokenizer, messages)           # from text: annotations, and the first prompt of an episode
    added = continue_chat(tokenizer, messages, context)    # from ids: every later prompt of an episode

The ids of a conversation are those of its whole text, whatever tokenizer and template. So a prompt and its turn are not
encoded one by one: SentencePiece would put a space before each. Where a tokenizer would join the end of a prompt with a
turn that begins in an unusual way (with a newline), the prompt's ids win, as the model was asked with these.

Text does not determine ids: a model may write "12" as one token or as two, but a tokenizer always encodes it the first
way. So sampled ids are kept, and only the text around them is encoded:

    context [<|user|>\n …  <|assistant|>\n 1 2 <|end|>]   added [\n <|user|>\n  5  \n <|assistant|>\n]

Markup in the content of a message is encoded as plain text (`lumos_rl.policies.markup`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

from lumos_rl.core import Message
from lumos_rl.errors import ConfigError
from lumos_rl.policies.markup import Vocabulary, markup_ids, plain_pieces
from lumos_rl.policies.seam import open_turn
from lumos_rl.policies.system import seated
from lumos_rl.policies.templates import DATE, remedy, render

_STAND_IN = "0"  # replaces a model turn whose ids are known; chat templates do not alter it
_ANCHORS = ("\n", "0", "a", ".", " ")  # text after which a piece is encoded where what really precedes would join it

Pieces = Sequence[str]


class Tokenizer(Vocabulary, Protocol):
    """The part of a Transformers tokenizer that is used here."""

    chat_template: Any
    eos_token: str | None
    eos_token_id: int | None

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...

    def get_vocab(self) -> dict[str, int]: ...

    def get_added_vocab(self) -> dict[str, int]: ...


def encode_chat(
    tokenizer: Tokenizer, messages: Sequence[Message], add_generation_prompt: bool = False
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, with a mask of the tokens that the model writes.

    The ids before a model turn are the same in training and at inference.

    Args:
        tokenizer: A Transformers tokenizer with a chat template.
        messages: The conversation.
        add_generation_prompt: Whether to append the start of a model turn.

    Returns:
        Ids and mask, both of length T. The mask is True on a model turn's content and its end-of-turn token.

    Raises:
        ConfigError: The chat template rewrites earlier turns, so that prefixes of the conversation change, or it does
            not write the content of every message once.
        UnicodeEncodeError: A content has lone surrogates (`lumos_rl.records.well_formed` replaces them).
    """
    shown, hidden = _hide_markup(tokenizer, seated(tokenizer, messages))
    parts = _parts(tokenizer, shown, add_generation_prompt)
    _check_shown([text for text, _ in parts], hidden)
    reader = _Reader(tokenizer)
    ids: list[int] = []
    mask: list[bool] = []
    for text, written in parts:
        added = reader.read(_pieces(text, hidden))
        ids += added
        mask += [written] * len(added)
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
        ConfigError: As for `encode_chat`.
    """
    messages = seated(tokenizer, messages)
    last = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
    new, hidden = _hide_markup(tokenizer, messages[last + 1 :])
    written: Message = {"role": "assistant", "content": _STAND_IN}
    known = [written if message["role"] == "assistant" else message for message in messages[: last + 1]]
    *_, (turn, _), (text, _) = _parts(tokenizer, [*known, *new], True, first=last)
    _check_shown([text], hidden)
    space, _, end = turn.partition(_STAND_IN)  # Llama 2 and Mistral begin a turn with a space
    if space.strip():
        raise _rewriting(tokenizer)
    reader = _Reader(tokenizer)
    if context[-1] == tokenizer.eos_token_id:
        reader.after(tokenizer.eos_token or "")
        return reader.read(_pieces(text, hidden))
    reader.after(_STAND_IN)
    return reader.read([end]) + reader.read(_pieces(text, hidden))


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
    text = render(tokenizer, turns, False).rpartition("Well!")[2].strip()
    if tokenizer.eos_token and text.startswith(tokenizer.eos_token):
        return tokenizer.eos_token
    tokens = [token for token in tokenizer.get_added_vocab() if text.startswith(token)]
    if not tokens:
        raise ConfigError(
            f"expected a chat template that ends a model's turn with a special token, got one that ends it with"
            f" {text!r}; {remedy(tokenizer)}"
        )
    return max(tokens, key=len)


def check_template(tokenizer: Tokenizer) -> None:
    """Encodes two whole turns as training and as rollout do: with and without markup, and a system message before.

    Raises:
        ConfigError: The chat template rewrites earlier turns, does not open the model's turn, or leaves content out.
    """
    turns = ("user", "assistant", "user", "assistant")
    for content in ("Well?", f"a {tokenizer.eos_token} b"):
        for roles in (turns, ("system", *turns)):
            whole: list[Message] = [{"role": role, "content": f"{content} {at}"} for at, role in enumerate(roles)]
            chat = seated(tokenizer, whole, told=False)
            ids, mask = encode_chat(tokenizer, chat)
            turn, first = mask.index(True), [message["role"] for message in chat].index("user") + 1
            asked = encode_prompt(tokenizer, chat[: first + 2], ids[: mask.index(False, turn)])
            if ids[: len(asked)] != asked or ids[:turn] != encode_prompt(tokenizer, chat[:first]):
                raise _rewriting(tokenizer)


def fingerprint(tokenizer: Tokenizer) -> str:
    """Twelve hex digits that change with the vocabulary, the chat template, its arguments, or the date it writes.

    If equal, ids have the same meaning.
    """
    vocabulary = sorted((index, token) for token, index in tokenizer.get_vocab().items())
    parts = tokenizer.chat_template, vocabulary, sorted(markup_ids(tokenizer)), DATE.isoformat()
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class _Reader:
    """Encodes one piece of text after another, so that the ids are those of the whole.

    An end-of-turn token keeps what stands before and after it apart, so only the text since the last one is kept.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._text, self._ids = "", list[int]()

    def after(self, text: str) -> None:
        """Goes on after a text."""
        self._text, self._ids = text, self._encode(text)

    def read(self, pieces: Pieces) -> list[int]:
        """The ids of the next text. Its pieces stay apart, as markup was cut there."""
        ids = self._next(pieces[0])
        for piece in pieces[1:]:
            self.after(_ANCHORS[0])
            ids += self._next(piece)
        end = self._tokenizer.eos_token
        if end and pieces[-1].endswith(end):
            self._text, self._ids = end, ids[-1:]
        return ids

    def _next(self, text: str) -> list[int]:
        """The ids of a text; those of the text before it stay as they are."""
        for before in (self._text, *_ANCHORS):
            known = self._ids if before is self._text else self._encode(before)
            whole = self._encode(before + text)
            if whole[: len(known)] == known:
                self._text, self._ids = before + text, whole
                return whole[len(known) :]
        self.after(text)
        return self._ids[:]

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))


def _parts(
    tokenizer: Tokenizer, messages: Sequence[Message], add_generation_prompt: bool, first: int = 0
) -> list[tuple[str, bool]]:
    """The text of a conversation, cut where model turns begin and end, and whether the model writes each part.

    Model turns before the index `first` are part of the text before.
    """
    parts: list[tuple[str, bool]] = []
    done = whole = ""  # `whole` also has what the template writes after the last end-of-turn token
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or index < first:
            continue
        opened = open_turn(tokenizer, messages[:index])
        whole = render(tokenizer, messages[: index + 1], False)
        turn, end, _ = _after(tokenizer, whole, opened).partition(tokenizer.eos_token or "\0")
        parts += [(_after(tokenizer, opened, done), False), (turn + end, True)]
        done = opened + turn + end
    if messages and messages[-1]["role"] != "assistant":
        whole = open_turn(tokenizer, messages) if add_generation_prompt else render(tokenizer, messages, False)
    rest = _after(tokenizer, whole, done)
    return [*parts, (rest, False)] if rest else parts


def _hide_markup(tokenizer: Tokenizer, messages: Sequence[Message]) -> tuple[list[Message], dict[str, Pieces]]:
    """The messages with a stand-in for every content that holds markup, and the pieces that each one stands for."""
    shown: list[Message] = []
    hidden: dict[str, Pieces] = {}
    for message in messages:
        content = message["content"]
        content.encode()  # tokenizers refuse lone surrogates too, but say less
        core = content.strip()  # a template may strip it
        pieces = plain_pieces(tokenizer, core)
        if len(pieces) > 1:
            name = f"x{secrets.token_hex(12)}x"
            hidden[name] = pieces
            content = content.replace(core, name)
        shown.append({"role": message["role"], "content": content})
    return shown, hidden


def _pieces(text: str, hidden: dict[str, Pieces]) -> Pieces:
    """The text with its contents in place of their stand-ins, cut where these are."""
    if not hidden:
        return [text]
    pieces = [""]
    for part in re.split(f"({'|'.join(hidden)})", text):
        begin, *others = hidden.get(part, [part])
        pieces[-1] += begin
        pieces += others
    return pieces


def _check_shown(texts: Sequence[str], hidden: dict[str, Pieces]) -> None:
    for name in hidden:
        if (count := "".join(texts).count(name)) != 1:
            raise ConfigError(
                f"expected a chat template that writes the content of every message once and as it is, got one that"
                f" writes some {count} times; give --model.chat-template lumos to use another one"
            )


def _after(tokenizer: Tokenizer, text: str, prefix: str) -> str:
    if not text.startswith(prefix):
        raise _rewriting(tokenizer)
    return text[len(prefix) :]


def _rewriting(tokenizer: Tokenizer) -> ConfigError:
    return ConfigError(
        "expected a chat template that leaves earlier turns as they are, and opens the model's turn for"
        f" add_generation_prompt, but this one rewrites them, or does not open it; {remedy(tokenizer)}"
    )
