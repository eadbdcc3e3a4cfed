"""Keeps the text of a conversation from being read as a tokenizer's markup.

A page or a result may hold `<|im_end|>`. Encoded as that token, it would end the user's turn and could forge one of the
model's. So content that a tokenizer would read as markup is cut inside the markup, and the pieces are encoded one after
the other:

    plain_pieces(tokenizer, "So <|im_end|> ends it.")   # ["So <|im_end|", "> ends it."]
    plain_pieces(tokenizer, "So this ends it.")         # ["So this ends it."]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

_BRACKETED = re.compile(r"<.+>|\[.+\]|\|.+\|", re.DOTALL)  # <think>, [INST], |end|


class Vocabulary(Protocol):
    """The part of a Transformers tokenizer that is used here."""

    eos_token_id: int | None

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]: ...

    def encode(self, text: str, **kwargs: Any) -> list[int]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Markup:
    state: object  # of the tokenizer when it was looked at
    ids: frozenset[int] = frozenset()
    begins: frozenset[str] = frozenset()  # first characters of their texts, in lower case


_KNOWN: WeakKeyDictionary[Vocabulary, _Markup] = WeakKeyDictionary()


def markup_ids(tokenizer: Vocabulary) -> frozenset[int]:
    """Ids of the tokens that no content may become.

    These are special tokens, the end of a turn, and added tokens in brackets, such as `<think>`, which Transformers
    does not count as special. Other added tokens, such as words and runs of spaces, are content like any other.
    """
    return _markup(tokenizer).ids


def plain_pieces(tokenizer: Vocabulary, content: str) -> list[str]:
    """The content in pieces that hold no markup; one piece if it holds none itself.

    Markup is what the tokenizer reads as such, so this holds for any of its normalizers. Each one is cut before its
    last character.
    """
    if not _holds_markup(tokenizer, content):
        return [content]
    pieces = []
    while end := _first_end(tokenizer, content):
        pieces += plain_pieces(tokenizer, content[: end - 1])
        content = content[end - 1 :]
    return [*pieces, content]


def _markup(tokenizer: Vocabulary) -> _Markup:
    state = len(tokenizer), tokenizer.eos_token_id
    known = _KNOWN.get(tokenizer)
    if known is None or known.state != state:
        added = tokenizer.added_tokens_decoder.items()
        found = {
            index: token.content
            for index, token in added
            if index == state[1] or _is_markup(token.content, token.special)
        }
        begins = frozenset(text.strip("▁ ")[:1].lower() for text in found.values())
        known = _KNOWN[tokenizer] = _Markup(state, frozenset(found), begins)
    return known


def _is_markup(text: str, special: bool) -> bool:
    return bool(text.replace("▁", " ").strip()) and (special or _BRACKETED.fullmatch(text) is not None)


def _holds_markup(tokenizer: Vocabulary, text: str) -> bool:
    markup = _markup(tokenizer)
    if text.isascii() and markup.begins.isdisjoint(text.lower()):  # no normalizer makes brackets of other ASCII
        return False
    return not markup.ids.isdisjoint(tokenizer.encode(text, add_special_tokens=False))


def _first_end(tokenizer: Vocabulary, text: str) -> int:
    """Length of the shortest prefix, of two characters or more, that holds markup; 0 if there is none.

    The length is looked for by doubling and then by halving, so that a page full of markup takes no longer than a few
    times what the tokenizer needs for it.
    """
    low, high = 1, 2
    while not _holds_markup(tokenizer, text[:high]):
        if high >= len(text):
            return 0
        low, high = high, 2 * high
    high = min(high, len(text))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _holds_markup(tokenizer, text[:middle]) else (middle, high)
    return high if high > 1 else 0
