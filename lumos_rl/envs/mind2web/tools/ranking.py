r"""Rankers: functions that score how well an element matches a query.

    >>> texts = ["ancestors: /html\ntarget: (button id=0 Search)", "ancestors: /html\ntarget: (a id=0 Home)"]
    >>> rank(LexicalRanker(), "the search button", texts)
    [0, 1]

A ranker is any function (query, text of a candidate) → score. If it has a method `score_all(query, texts)`, it is
called once for all candidates of a page: `LexicalRanker` weights words by their rarity on the page, and a cross-encoder
scores in batches.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from lumos_rl.data.kept import Kept
from lumos_rl.envs.mind2web.tools.sentences import PREVIOUS_ACTIONS, TASK_IS

Ranker = Callable[[str, str], float]  # query, text of a candidate → score

K1 = 0.4  # below the usual 1.2: an element that repeats a word, as name and as text, is not a better match
B = 0.3  # below the usual 0.75: a long list of options is not a worse match
KIND = 2.0  # weight of the kind of an element, relative to a word in it
AROUND = 0.3  # weight of a word among the ancestors, relative to a word in the element
MOST_ALIKE = 64  # different words of a query that are looked up by similarity, which takes some time for each
ALIKE = 0.8  # minimum similarity of a word on the page that replaces a query word missing there
_ROLES = "button checkbox combobox gridcell link listbox menuitem option radio searchbox slider switch tab textbox"
ROLES: Mapping[str, tuple[str, ...]] = {  # role, tag or input type → what people call such an element
    **{role: (role,) for role in _ROLES.split()},
    "a": ("link",),
    "select": ("combobox", "listbox", "dropdown"),
    "img": ("image",),
    "search": ("searchbox",),
    **dict.fromkeys(("textarea", "text", "email", "tel", "password", "number"), ("textbox",)),
}
_KEPT_LENGTH = 2_000  # characters of a text whose words are cached, so that the cache stays below some 200 MB
_WORD = re.compile(r"\w+")
_ID = re.compile(r"\bid=0")  # the candidate's own id; there may be no blank after it
_TAG = re.compile(r"\(\w+(?: id=0)?")


def scores(ranker: Ranker, query: str, texts: Sequence[str]) -> list[float]:
    """The score of each text; equal texts are scored once."""
    different = list(dict.fromkeys(texts))
    score_all = getattr(ranker, "score_all", None)
    found = score_all(query, different) if score_all else [ranker(query, text) for text in different]
    by_text = dict(zip(different, map(float, found), strict=True))
    return [by_text[text] for text in texts]


def rank(ranker: Ranker, query: str, texts: Sequence[str]) -> list[int]:
    """Indexes of the texts, best first; ties in their order."""
    found = scores(ranker, query, texts)
    return sorted(range(len(texts)), key=lambda index: (-found[index], index))


class LexicalRanker:
    """BM25 over the words of a page's candidates; a query word missing there is replaced by the most similar one.

    The words of an element have full weight, those of its ancestors less. Only the task in a MindAct query is used, not
    its previous actions, because the next element is rarely one of them.
    """

    name = "lexical"

    def __call__(self, query: str, text: str) -> float:
        """The score of a single text, for which all words are equally rare."""
        return self.score_all(query, [text])[0]

    def score_all(self, query: str, texts: Sequence[str]) -> list[float]:
        """The score of each text among all of them."""
        return _index(tuple(texts)).scores(query)


class _Index:
    """The words of some texts.

    Attributes:
        entries: Word → index of a text → weight of the word in that text.
        weights: Word → its inverse document frequency.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.size = len(texts)
        found = [_words_of(text) for text in texts]
        mean = sum(len(words.own) for words in found) / max(1, self.size) or 1.0
        self.entries: dict[str, dict[int, float]] = {}
        for index, words in enumerate(found):
            norm = K1 * (1 - B + B * len(words.own) / mean)
            weights = dict.fromkeys(words.around, AROUND)
            weights |= {word: count * (K1 + 1) / (count + norm) for word, count in Counter(words.own).items()}
            weights |= dict.fromkeys(words.kinds, KIND)
            for word, weight in weights.items():
                self.entries.setdefault(word, {})[index] = weight
        self.weights = {word: self._weight(len(held)) for word, held in self.entries.items()}
        self._spelled: dict[tuple[str, int], list[str]] = {}  # words by first letter and length
        for word in self.entries:
            self._spelled.setdefault((word[0], len(word)), []).append(word)

    def _weight(self, held: int) -> float:
        return math.log(1 + (self.size - held + 0.5) / (held + 0.5))

    def scores(self, query: str) -> list[float]:
        found = [0.0] * self.size
        for word, share in self._known(_words(_wanted(query))).items():
            for index, weight in self.entries[word].items():
                found[index] += share * self.weights[word] * weight
        return found

    def _known(self, words: Sequence[str]) -> Mapping[str, float]:
        """Words of the page that match a query word, with their similarity."""
        known: dict[str, float] = {}
        looked_up = 0
        for word in dict.fromkeys(words):
            if word in self.entries:
                known[word] = 1.0
                continue
            looked_up += 1
            near = self._near(word) if looked_up <= MOST_ALIKE else []
            for other in difflib.get_close_matches(word, near, n=1, cutoff=ALIKE):
                likeness = difflib.SequenceMatcher(None, other, word).ratio()
                known[other] = max(known.get(other, 0.0), likeness)
        return known

    def _near(self, word: str) -> list[str]:
        """Words of the page with the same first letter and nearly the same length."""
        sizes = range(len(word) - 3, len(word) + 4)
        return [other for size in sizes for other in self._spelled.get((word[0], size), ())]


_indexes = Kept[_Index](100_000_000)


def _index(texts: tuple[str, ...]) -> _Index:
    size = 20 * sum(map(len, texts))  # with its words
    return _indexes.get(texts, lambda: _Index(texts), lambda _: size)


def _wanted(query: str) -> str:
    return query.partition(PREVIOUS_ACTIONS)[0].removeprefix(TASK_IS)


class _Words(NamedTuple):
    """The words of a candidate's text: its own, the names of its kind, and those of its ancestors."""

    own: list[str]
    kinds: list[str]
    around: list[str]


def _words_of(text: str) -> _Words:
    return _kept_words_of(text) if len(text) <= _KEPT_LENGTH else _split(text)


@lru_cache(maxsize=1 << 13)
def _kept_words_of(text: str) -> _Words:
    return _split(text)


def _split(text: str) -> _Words:
    around, _, target = text.rpartition("\ntarget: ")
    own = _words(_TAG.sub(" ", target))  # without tag names, which are uninformative
    head = _words(_ID.sub(" ", target.partition(" (")[0]))[:2]  # its tag, and its role or type if it has one
    kinds = [role for word in head for role in ROLES.get(word, (word,) if word == head[0] else ())]
    return _Words(own, kinds, _words(around.removeprefix("ancestors: ")))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
