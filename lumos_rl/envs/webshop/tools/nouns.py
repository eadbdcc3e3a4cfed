"""Finds the nouns of a product's title, which the reward compares to distinguish kinds of products.

>>> lexical_nouns("Saireed UL Listed 2 Prong Power Cord for JBL Bar 3.1")
['saireed', 'ul', 'prong', 'power', 'cord', 'jbl', 'bar']

WebShop tags words with a spaCy model. If one is installed, it is used here, too; otherwise `lexical_nouns` takes every
word with a letter (also 4K), except function words, participles, adverbs and words such as "mens". Titles are mostly
nouns, so the two methods rarely differ at the reward's thresholds (0, 0.1 and 0.2 of the goal's nouns), but they can.
So scores are only comparable under the same extractor, and its name is part of every result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Nouns = Callable[[str], Sequence[str]]  # text → its nouns in lower case, repeated as often as they occur

SPACY_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")  # in order of preference
_NOUN_TAGS = frozenset(("NOUN", "PROPN"))
_WORD = re.compile(r"(?<!\w)(?<!\d\.)\d*[^\W\d_]\w*(?:\.\w+)*")
_FUNCTION_WORDS = frozenset(
    "a an the and or nor but if then than so as at by for from in into of on onto out over per to under up upon "
    "via vs w with without within about above after all any are be been before between both can do does each every few "
    "he her here his how i is it its just me more most my no non not now only other our own same she should some such "
    "that their them there these they this those through too very was we were what when where which while who whose "
    "why will would you your yours also among around because down during either ever make makes made get gives "
    "mens womens unisex".split()
)


@dataclass(frozen=True, slots=True)
class NounExtractor:
    """A method to find nouns, and its name in results."""

    name: str
    extract: Nouns


@cache
def default_nouns() -> NounExtractor:
    """The extractor with the first installed spaCy model of `SPACY_MODELS`, otherwise with `lexical_nouns`."""
    model = next((name for name in SPACY_MODELS if find_spec("spacy") and find_spec(name)), None)
    if model is None:
        return NounExtractor("lexical", lexical_nouns)
    pipeline: Any = import_module("spacy").load(model)

    @lru_cache(maxsize=1 << 14)
    def tagged(text: str) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in pipeline(text) if token.pos_ in _NOUN_TAGS)

    return NounExtractor(f"spacy:{model}", tagged)


def lexical_nouns(text: str) -> list[str]:
    """Words that are likely nouns, in lower case and in order."""
    return [word for word in map(str.lower, _WORD.findall(text)) if not _is_other(word)]


def _is_other(word: str) -> bool:
    if word in _FUNCTION_WORDS:
        return True
    return len(word) > 4 and (word.endswith("ly") or (word.endswith("ed") and not word.endswith("eed")))
