"""Turns text into the terms of the search index: Lucene's English analysis, as WebShop's index uses it.

>>> terms("Women's 3.5mm Running Shoes, for the U.S.A.")
['women', '3.5mm', 'run', 'shoe', 'u.s.a']

Each word (`words.py`) loses its `'s`, stop words are dropped, and the rest is stemmed (`porter.py`).
"""

from __future__ import annotations

from functools import lru_cache

from lumos_rl.envs.webshop.tools.porter import stem
from lumos_rl.envs.webshop.tools.words import split_words

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with".split()
)
_POSSESSIVE = ("'s", "\u2019s", "\uff07s")


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeated as often as they occur."""
    return [term for word in split_words(text.lower()) if (term := _term_of(word))]


@lru_cache(maxsize=1 << 17)
def _term_of(word: str) -> str:
    """The term of a word; "" for a stop word."""
    bare = word[:-2] if word.endswith(_POSSESSIVE) else word
    return "" if bare in STOP_WORDS else stem(bare)
