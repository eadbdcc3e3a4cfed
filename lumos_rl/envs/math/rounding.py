"""Which rounding a worked solution means: the words decide, and where none does, every function that fits is kept.

    >>> builder = PlanBuilder("A bar costs $8 and Ann has $41. How many bars does she get?")
    >>> roundings(builder, ("41", "/", "8"), "5", "41/8 = 5.125, which rounds down to 5.")
    [('floor(', '41', '/', '8', ')')]
    >>> [terms[0] for terms in roundings(builder, ("41", "/", "8"), "5", "She gets 41/8 = 5.")]
    ['round(', 'floor(']

With other numbers, `round` and `floor` give other results, so a plan whose rounding is unsure has no copies.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from lumos_rl.envs.math.equations import stated_value
from lumos_rl.envs.math.plan_builder import PlanBuilder

_BY = r"\b(?:round|go|cut|drop|truncat)\w*\b(?:\W+\w+){0,3}?\W+"
_WORDS: Sequence[dict[str, re.Pattern[str]]] = [  # the words of an earlier dict decide before those of a later one
    {"round": re.compile(r"\bnearest\b|\bclosest\b")},
    {
        "floor": re.compile(rf"{_BY}down\b|\bdown to\b|\btruncat"),
        "ceil": re.compile(rf"{_BY}up\b|\bup to\b|\bnext whole\b"),
    },
    {"round": re.compile(r"\bround(?:s|ed|ing)?\b|\b(?:about|approximately|approx|roughly|around)\b|[≈~]")},
    {
        "floor": re.compile(
            r"\b(?:whole|full|complete|at most|left ?over|can (?:\w+ ){0,2}(?:buy|afford|fill|make))\b"
        ),
        "ceil": re.compile(r"\b(?:needs?|needed|must|has to|have to|required|at least)\b"),
    },
]


def roundings(builder: PlanBuilder, terms: Sequence[str], stated: str, line: str) -> list[tuple[str, ...]]:
    """The terms inside each rounding that gives the stated value and that the words allow, the likeliest first.

    Args:
        builder: Calculates.
        terms: The terms of the exact value.
        stated: The rounded value in the solution.
        line: The line that states it; its words decide before those of the question.
    """
    fitting = {
        wrapped[0].rstrip("("): wrapped
        for wrapped in _candidates(terms, len(stated.partition(".")[2]))
        if builder.value(wrapped) == stated_value(stated)
    }
    return [fitting[function] for function in _meant((line, builder.question), fitting) or fitting]


def _candidates(terms: Sequence[str], places: int) -> list[tuple[str, ...]]:
    if not places:
        return [(f"{function}(", *terms, ")") for function in ("round", "ceil", "floor")]
    scale = str(10**places)
    return [
        ("round(", *terms, ",", str(places), ")"),
        *((f"{function}(", "(", *terms, ")", "*", scale, ")", "/", scale) for function in ("ceil", "floor")),
    ]


def _meant(texts: Sequence[str], fitting: Collection[str]) -> list[str]:
    """The functions among the fitting ones that the most telling words name; [] if no word does."""
    for words in _WORDS:
        for text in texts:
            named = [function for function, pattern in words.items() if pattern.search(text.lower())]
            if named:
                return [function for function in named if function in fitting]
    return []
