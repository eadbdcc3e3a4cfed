"""One recorded step of a web task: its page, the candidates on it, and their ranking.

    step = Step("a1", "CLICK", "", "[button]  Search -> CLICK", positives=("7",), negatives=("3", "9"), html="<html …>")
    page = StepPage(step)
    page.candidates                                    # ("3", "7", "9"): those on the page, in document order
    page.ranked(LexicalRanker(), "the search button")  # ("7", "3", "9")

Ties are ranked in document order, because the order of the record would reveal the right element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumos_rl.envs.mind2web.tools.page_text import PageText
from lumos_rl.envs.mind2web.tools.ranking import Ranker, scores
from lumos_rl.errors import DataError

POOL = 50  # size of the pool from which Lumos chooses, the first candidates of the record
_KEPT_SCORES = 16  # queries per page whose scores are cached


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded step.

    Attributes:
        uid: Its `action_uid`.
        op: CLICK, TYPE or SELECT.
        value: What was typed or selected; "" for a click.
        text: The action as text, one of `action_reprs`.
        positives: Ids of the right elements; none if the target was lost in cleaning.
        negatives: Ids of the other candidates.
        html: The clean page as XML.
    """

    uid: str
    op: str
    value: str
    text: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    html: str


class StepPage:
    """The page of a step; made once and shared; only its caches change.

    Attributes:
        step: The step.
        page: Texts of its page.
        candidates: Ids of the candidates that are on the page, in document order.
        positives: The right ones among them, in the record's order.
    """

    def __init__(self, step: Step) -> None:
        try:
            self.page = PageText(step.html)
        except DataError as error:
            raise DataError(f"step {step.uid}: {error}") from error
        self.step = step
        named = {*step.positives, *step.negatives}
        self.candidates = tuple(key for key in self.page.keys if key in named)
        here = set(self.candidates)
        self.positives = tuple(key for key in step.positives if key in here)
        self.pool = tuple(key for key in (*step.positives, *step.negatives) if key in here)[:POOL]
        self._texts: dict[str, str] = {}
        self._shown: dict[tuple[str, ...], tuple[str, Mapping[str, str]]] = {}
        self._scores: dict[tuple[int, str], tuple[Ranker, Mapping[str, float]]] = {}

    def __deepcopy__(self, memo: Any) -> StepPage:
        """The page itself."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process, made from the step again: trees of lxml cannot be pickled."""
        return StepPage, (self.step,)

    def text(self, key: str) -> str:
        """The text of a candidate for rankers."""
        if key not in self._texts:
            self._texts[key] = self.page.candidate(key)
        return self._texts[key]

    def scores(self, ranker: Ranker, query: str) -> Mapping[str, float]:
        """The score of each candidate; the scores of the last queries are cached."""
        place = id(ranker), query
        if place not in self._scores:
            if len(self._scores) == _KEPT_SCORES:
                del self._scores[next(iter(self._scores))]
            found = scores(ranker, query, [self.text(key) for key in self.candidates])
            self._scores[place] = ranker, dict(zip(self.candidates, found, strict=True))
        return self._scores[place][1]

    def ranked(self, ranker: Ranker, query: str) -> tuple[str, ...]:
        """Ids of all candidates, best first; ties in document order."""
        found = self.scores(ranker, query)
        return tuple(sorted(self.candidates, key=lambda key: -found[key]))

    def shown(self, keys: Sequence[str]) -> tuple[str, Mapping[str, str]]:
        """The page around some elements, and shown id → id on the page.

        Shown ids count from 0. If such a number is also the page's id of another candidate, the page's own ids are
        shown instead, so that an id is never ambiguous.
        """
        place = tuple(keys)
        if place not in self._shown:
            text, mapping = self.page.around(place)
            if any(str(number) != key and str(number) in self.candidates for key, number in mapping.items()):
                text, mapping = self.page.around(place, {key: key for key in place})
            self._shown = {place: (text, {str(number): key for key, number in mapping.items()})}
        return self._shown[place]

    def looks_right(self, ranker: Ranker, query: str) -> tuple[str, str] | None:
        """Texts of the best element of the pool, and of the first right element; None if there is none.

        The pool is the first `POOL` candidates of the record, which starts with the right ones. So it always contains
        a right element, which makes scores optimistic.
        """
        if not self.positives:
            return None
        found = self.scores(ranker, query)
        pool = set(self.pool)
        best = max((key for key in self.candidates if key in pool), key=lambda key: found[key])
        return self.text(best), self.text(self.positives[0])
