"""Text as the terms that the search engine indexes: Lucene's English analysis, as WebShop's index used it.

>>> terms("Women's 3.5mm Running Shoes, for the U.S.A.")
['women', '3.5mm', 'run', 'shoe', 'u.s.a']

Words are found as in Unicode's word segmentation (UAX 29): a dot, comma or quote between two digits, and a dot,
quote or colon between two letters, stay inside a word. Then `'s` is dropped, stop words are left out, and the rest is
stemmed.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lumos_rl.tools.shop.porter import stem

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with".split()
)
_IDEOGRAPH = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # each is a word of its own
_OTHER_NUMBERS = "²³¹¼½¾"  # digits for Python, but no part of a word in Unicode's segmentation
_CHARACTER = rf"[^\W{_IDEOGRAPH}{_OTHER_NUMBERS}]"
_BETWEEN_DIGITS = r"(?<=\d)[.,;'\u2018\u2019](?=\d)"
_BETWEEN_LETTERS = r"(?<=[^\W\d_])[.:'\u2018\u2019\u00b7](?=[^\W\d_])"
_WORD = re.compile(rf"[{_IDEOGRAPH}]|{_CHARACTER}+(?:(?:{_BETWEEN_DIGITS}|{_BETWEEN_LETTERS}){_CHARACTER}+)*")
_POSSESSIVE = ("'s", "\u2019s", "\uff07s")
MAX_WORD = 255  # characters; Lucene cuts longer words into pieces of this length


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeated as often as they occur."""
    return [term for word in _WORD.findall(text.lower()) for term in _terms_of(word)]


@lru_cache(maxsize=1 << 17)
def _terms_of(word: str) -> tuple[str, ...]:
    pieces = [word[start : start + MAX_WORD] for start in range(0, len(word), MAX_WORD)]
    bare = [piece[:-2] if piece.endswith(_POSSESSIVE) else piece for piece in pieces]
    return tuple(stem(piece) for piece in bare if piece and piece not in STOP_WORDS)
