"""Plays a recorded task step by step: whatever is predicted, the next recorded page follows.

session = Session(task.id, "Find pickup …", reprs, pages, LexicalRanker(), top_k=50)
session.view                                     # the best candidates for the task: ids and the page around them
session.predict("CLICK", shown_id="3")           # Prediction(element="152", score=WebStep(…), …)
session.predict("TYPE", "Boston", query="location")    # the ranker finds the element, among all candidates
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lumos_rl.envs.mind2web.metrics import WebStep, exact_web_step, lumos_step, operation_text, web_step
from lumos_rl.envs.mind2web.tools.page import StepPage
from lumos_rl.envs.mind2web.tools.ranking import Ranker
from lumos_rl.envs.mind2web.tools.sentences import grounded_query, ranking_query, translate_action

CLICKS = ("CLICK", "HOVER", "ENTER")  # operations of the dataset that count as a click
OPS = ("CLICK", "TYPE", "SELECT")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The outcome of one predicted step.

    Attributes:
        element: Id on the page of the chosen element; None if there is no such element.
        score: Its scores.
        exact: Whether it is exactly the recorded step.
        lumos: Whether it is right for `lumos_step_sr`.
        rank: Rank (from 0) of the best right element among the candidates for the task; None if it is not on the page,
            or if no candidates were shown.
    """

    element: str | None
    score: WebStep
    exact: bool
    lumos: bool
    rank: int | None


@dataclass(frozen=True, slots=True)
class View:
    """The part of a page that is shown.

    Attributes:
        text: The page around the best candidates; "" if no page is shown.
        elements: Shown id → id on the page.
        ranked: Ids of all candidates, best first.
    """

    text: str
    elements: Mapping[str, str]
    ranked: tuple[str, ...]


class Session:
    """One pass over the steps of a task.

    Attributes:
        name: The task's id.
        task: The task as text.
        texts: The recorded actions as text.
        with_page: Whether pages are shown.
        predictions: The predictions so far.
    """

    def __init__(
        self,
        name: str,
        task: str,
        texts: Sequence[str],
        pages: Callable[[int], StepPage],
        ranker: Ranker,
        top_k: int,
        with_page: bool = True,
    ) -> None:
        """Starts at the first step; pages are read on demand.

        Args:
            name: The task's id.
            task: The task as text.
            texts: The recorded actions, `action_reprs`.
            pages: Returns the page of a step.
            ranker: Ranks candidates.
            top_k: How many of them are shown.
            with_page: Whether pages are shown.
        """
        self.name, self.task, self.texts = name, task, tuple(texts)
        self.predictions: list[Prediction] = []
        self.with_page = with_page
        self._pages, self._ranker, self._top_k = pages, ranker, top_k
        self._page: tuple[int, StepPage] | None = None  # index of the step, its page
        self._view: tuple[int, View] | None = None

    @property
    def position(self) -> int:
        """Index of the next step."""
        return len(self.predictions)

    @property
    def over(self) -> bool:
        """Whether every step was predicted."""
        return self.position == len(self.texts)

    @property
    def page(self) -> StepPage:
        """The page of the next step."""
        if self._page is None or self._page[0] != self.position:
            self._page = self.position, self._pages(self.position)
        return self._page[1]

    @property
    def previous(self) -> tuple[str, ...]:
        """The recorded actions before the next step."""
        return self.texts[: self.position]

    @property
    def happened(self) -> str:
        """The last recorded action as a sentence; its wording depends only on task and step."""
        place = self.position - 1
        return translate_action(self.texts[place], random.Random(f"{self.name}/{place}"))

    @property
    def view(self) -> View:
        """The view of the next step's page."""
        if self._view is None or self._view[0] != self.position:
            self._view = self.position, self._look()
        return self._view[1]

    def _look(self) -> View:
        if not self.with_page:
            return View("", {}, ())
        ranked = self.page.ranked(self._ranker, ranking_query(self.task, self.previous))
        return View(*self.page.shown(ranked[: self._top_k]), ranked)

    def predict(self, op: str, value: str = "", *, query: str | None = None, shown_id: str = "") -> Prediction:
        """Predicts the next step and advances by one step.

        Args:
            op: CLICK, TYPE or SELECT.
            value: What to type or select.
            query: Description of the element, for which the ranker chooses among all candidates.
            shown_id: Without a query, the shown id of the element, or its id on the page.
        """
        page, view = self.page, self.view
        value = "" if op == "CLICK" else value
        if query is None:
            element = self._shown_element(shown_id)
            reachable = [key for key in page.positives if key in view.elements.values()]
            looks = (page.text(element), page.text(page.positives[0])) if element and page.positives else None
        else:
            asked = ranking_query(grounded_query(op, query, value), self.previous)
            element = next(iter(page.ranked(self._ranker, asked)), None)
            reachable = list(page.positives)
            looks = page.looks_right(self._ranker, asked)
        step, ranks = page.step, [view.ranked.index(key) for key in page.positives if key in view.ranked]
        found = Prediction(
            element=element,
            score=web_step(
                self.name, element, operation_text(op, value), reachable, operation_text(step.op, step.value)
            ),
            exact=exact_web_step(element, op, value, next(iter(page.positives), None), (step.op, step.value)),
            lumos=looks is not None and lumos_step(*looks, (op, value), (step.op, step.value)),
            rank=min(ranks, default=None),
        )
        self.predictions.append(found)
        return found

    def _shown_element(self, shown_id: str) -> str | None:
        elements = self.view.elements
        return elements.get(shown_id) or (shown_id if shown_id in elements.values() else None)
