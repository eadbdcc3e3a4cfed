"""Ranks a few paragraphs for a question: BM25 (Robertson et al. 1994) with two bonuses for multi-hop questions.

    >>> pieces = [("Ed Wood", "He directed Glen or Glenda."), ("Glen or Glenda", "A 1953 film."), ("Oslo", "A city.")]
    >>> rank("Where was the director of Glen or Glenda born?", pieces)
    [1, 0]

A paragraph scores higher if the question names its title, or if the best paragraph does: the first hop of a question
mentions the second, but the question itself rarely does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lumos_rl.envs.qa.tools.titles import key_of, suffixless, words

K1, B = 1.5, 0.75  # the values that BM25 libraries commonly default to
NAMED = 1.0  # bonus for a title in the question, times the title's own BM25 weight
LINKED = 0.5  # bonus for a title that the best paragraph names, as a share of the best score
# Both bonuses were chosen on 200 distractor questions of HotpotQA (benchmarks/qa_quality.py prints their effect).


def rank(query: str, pieces: Sequence[tuple[str, str]]) -> list[int]:
    """Indexes of the pieces (title, text) that share a word with the query or that the best one names, best first."""
    scores = _scores(query, pieces)
    keys = [suffixless(title) for title, _ in pieces]
    named = _spaced(query)
    for index, key in enumerate(keys):
        if key and scores[index] and f" {key} " in named:
            scores[index] *= 1 + NAMED
    order = _order(scores)
    if order:
        best, text = order[0], _spaced(pieces[order[0]][1])
        for index, key in enumerate(keys):
            if key and key != keys[best] and f" {key} " in text:
                scores[index] += LINKED * scores[best]
    return _order(scores)


def plain_rank(query: str, pieces: Sequence[tuple[str, str]]) -> list[int]:
    """The ranking by BM25 alone."""
    return _order(_scores(query, pieces))


def _scores(query: str, pieces: Sequence[tuple[str, str]]) -> list[float]:
    return _bm25(words(query), [words(f"{title} {text}") for title, text in pieces])


def _spaced(text: str) -> str:
    return f" {key_of(text)} "


def _order(scores: Sequence[float]) -> list[int]:
    return sorted((index for index, score in enumerate(scores) if score > 0), key=lambda index: (-scores[index], index))


def _bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    counts = [Counter(document) for document in documents]
    mean = sum(map(len, documents)) / len(documents) if documents else 1.0
    scores = [0.0] * len(documents)
    for word in dict.fromkeys(query):
        holding = [index for index, count in enumerate(counts) if word in count]
        weight = math.log(1 + (len(documents) - len(holding) + 0.5) / (len(holding) + 0.5))
        for index in holding:
            times = counts[index][word]
            scores[index] += (
                weight * times * (K1 + 1) / (times + K1 * (1 - B + B * len(documents[index]) / (mean or 1)))
            )
    return scores
