"""The nouns of a product's title, which the reward compares to tell kinds of products apart.

>>> lexical_nouns("Saireed UL Listed 2 Prong Power Cord for JBL Bar 3.1")
['saireed', 'ul', 'prong', 'power', 'cord', 'jbl', 'bar']

WebShop tags words with a spaCy model. Where one is installed it is used here as well; otherwise `lexical_nouns` takes
every word with a letter, 4K included, that is no function word, participle, adverb or word for a sex. Titles are mostly
nouns, so the two seldom fall on different sides of the reward's thresholds (0, 0.1 and 0.2 of the goal's nouns), but
they can: scores are comparable only under the same extractor, and its name is part of every result.
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
    """A way to find nouns, with the name that results carry."""

    name: str
    extract: Nouns


@cache
def default_nouns() -> NounExtractor:
    """What spaCy finds with the first installed model of `SPACY_MODELS`, else `lexical_nouns`."""
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
