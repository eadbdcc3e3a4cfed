"""Similarity of two texts as sets of words: the score of TheFuzz 0.19 that WebShop's reward compares with 85.

>>> token_set_ratio("essential oil", "essential oils"), token_set_ratio("x-large", ("size", "x-large"))
(96, 100)
>>> token_set_ratio("Großer Hut", "groer hut"), token_set_ratio("!", "!")
(100, 0)
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache

_DROPPED = dict.fromkeys(range(128, 256))  # only these: TheFuzz means to drop all beyond ASCII, and its bug is kept
_NO_WORD = re.compile(r"\W")


def token_set_ratio(first: object, second: object) -> int:
    """Similarity from 0 to 100.

    100 if the words of one text are all in the other; 0 if one has no words. Objects that are not texts are converted
    with `str`.
    """
    return _likeness(str(first), str(second))


@lru_cache(maxsize=1 << 16)
def _likeness(first: str, second: str) -> int:
    a, b = _words(first), _words(second)
    if not a or not b:
        return 0
    shared = " ".join(sorted(a & b))
    with_a = f"{shared} {' '.join(sorted(a - b))}".strip()
    with_b = f"{shared} {' '.join(sorted(b - a))}".strip()
    if shared in (with_a, with_b):
        return 100
    return max(_ratio(shared, with_a), _ratio(shared, with_b), _ratio(with_a, with_b))


def _words(text: str) -> set[str]:
    return set(_NO_WORD.sub(" ", text.translate(_DROPPED)).lower().split())


def _ratio(first: str, second: str) -> int:
    return round(100 * SequenceMatcher(None, first, second).ratio()) if first and second else 0
