"""Normalises titles and words for comparison: without case, accents, punctuation and disambiguation suffixes.

>>> key_of("Beyoncé  Knowles-Carter"), suffixless("Mercury (planet)"), suffixless("Albany, Georgia")
('beyonce knowles carter', 'mercury', 'albany georgia')
>>> words("The Eiffel Tower's heights")
['eiffel', 'tower', 'height']
>>> split_sentences("Dr. Who was born in the U.S. in 1963. He travels.")
['Dr. Who was born in the U.S. in 1963.', 'He travels.']
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

STOPWORDS = frozenset(
    "a an and are as at be been being but by did do does for from had has have he her hers him his how i if in into is "
    "it its of on or our she so such than that the their them then there these they this those to too very was were "
    "what when where which while who whom whose why will with would you your s also".split()
)
_KEPT_LENGTH = 500  # characters of a text whose plain form is cached, so that the cache stays below some 50 MB
_WORD = re.compile(r"\w+")
_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|Jr|Sr|Prof|Gen|Col|Lt|No|vs|ca|c|approx|Inc|Ltd|Co|Mt|Ft)|\b[A-Z])\.$"
)


_STROKES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})


def plain(text: str) -> str:
    """Lower case without accents."""
    return _kept_plain(text) if len(text) <= _KEPT_LENGTH else _plain(text)


@lru_cache(maxsize=1 << 14)
def _kept_plain(text: str) -> str:
    return _plain(text)


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text.casefold()).translate(_marks())


@cache
def _marks() -> dict[int, str | None]:
    """Strokes of letters, which NFKD does not change, and combining characters, all in the first two planes."""
    marks: dict[int, str | None] = {}
    marks |= dict.fromkeys(number for number in range(0x300, 0x20000) if unicodedata.combining(chr(number)))
    return marks | _STROKES


def key_of(title: str) -> str:
    """The plain words of a title; titles with equal keys differ only in case, accents, punctuation and spaces.

    A disambiguation suffix stays, as do all words: "Mercury (planet)" and "Mercury Planet" are the same.
    """
    return " ".join(_WORD.findall(plain(title.replace("_", " "))))


def suffixless(title: str) -> str:
    """The key of a title without a suffix in brackets."""
    return key_of(without_suffix(title.replace("_", " "))) or key_of(title)


def without_suffix(title: str) -> str:
    """A title without its suffix in brackets: "Mercury (planet)" gives "Mercury"."""
    bare = title.rstrip()
    start = bare.rfind("(")
    return bare[:start].rstrip() if start >= 0 and bare.find(")", start) == len(bare) - 1 else title


def words(text: str) -> list[str]:
    """The words of a text except stop words, plain and without a plural s."""
    return [stem(word) for word in _WORD.findall(plain(text)) if word not in STOPWORDS]


def stem(word: str) -> str:
    """A word without its plural s; it need not be a real word, only equal for singular and plural."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph; a period after an initial or a common abbreviation does not end one."""
    sentences: list[list[str]] = []
    for part in _END.split(text.strip()):
        last = sentences[-1] if sentences else [""]
        if last[-1].endswith(".") and _ABBREVIATION.search(" ".join(last[-8:])[-8:]):
            last.append(part)
        elif part:
            sentences.append([part])
    return [" ".join(parts) for parts in sentences]
