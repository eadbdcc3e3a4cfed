"""Builds gold plans for math by rules, and verifies each by running it.

    >>> builder = PlanBuilder("Natalia sold clips to 48 friends in April and half as many in May. How many in all?")
    >>> builder.calculate(("48", "/", "2"), stated="24")
    Fraction(24, 1)
    >>> builder.close("Natalia sold how many clips in May?")
    >>> builder.calculate(("48", "+", "24"), stated="72"), builder.actions[-1].args      # 24 is an earlier result
    (Fraction(72, 1), '48 + R1')

An annotator proposes plans from a task's worked solution or equation. It never sees the gold answer. Then `verified`
writes each plan as the text that a model will read, parses and runs that text, and compares the result.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.math.equations import NUMBER, agrees, spell, stated_value
from lumos_rl.errors import ActionParseError, ToolError
from lumos_rl.language import format_annotation, parse_annotation
from lumos_rl.metrics import numeric_match
from lumos_rl.task_types import Reject
from lumos_rl.tools.base import Executor, Tool, Value
from lumos_rl.tools.math import math_tools

_NUMBER = re.compile(rf"(?<![\w.])(?:{NUMBER})")
_NUMBER_WORDS = {
    word: value
    for value, words in enumerate(
        "zero;one once single;two twice double doubled doubles doubling couple pair both half halves;three thrice "
        "triple tripled triples third thirds;four quarter quarters fourth fourths quadruple;five fifth fifths;six "
        "sixth sixths;seven seventh sevenths;eight eighth eighths;nine ninth ninths;ten tenth tenths;eleven;twelve "
        "dozen dozens;thirteen;fourteen;fifteen;sixteen;seventeen;eighteen;nineteen;twenty".split(";")
    )
    for word in words.split()
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}


@dataclass(frozen=True, slots=True)
class Plan:
    """A proposed plan.

    Attributes:
        subgoals: Its subgoals with their actions.
        choices: For ambiguous literals, which equal several earlier results or also occur in the question: "R5" (the
            action's output) → for each such literal its possible readings, the chosen one first.
    """

    subgoals: tuple[Subgoal, ...]
    choices: Mapping[str, list[list[str]]] = field(default_factory=dict)


def new_executor() -> Executor:
    """An executor of the math tools, without results."""
    return Executor(_tools())


@cache
def _tools() -> dict[str, Tool]:
    return math_tools()


def verified(task: Task, plans: Iterable[Plan]) -> Task | Reject:
    """The task with the first plan that gives its gold answer when run, or why none does."""
    reject = Reject(task.id, "no equation in the solution")
    for plan in plans:
        if not plan.subgoals:
            continue
        reason, detail = check(plan.subgoals, str(task.answer))
        if not reason:
            meta = {**task.meta, "choices": plan.choices} if plan.choices else task.meta
            return dataclasses.replace(task, subgoals=plan.subgoals, meta=meta)
        reject = Reject(task.id, reason, detail)
    return reject


def check(subgoals: Sequence[Subgoal], gold: str) -> tuple[str, str]:
    """Runs a plan from its text; returns reason and detail of a failure, both "" if it gives the gold answer."""
    try:
        plan = parse_annotation(format_annotation(subgoals))
    except (ActionParseError, ValueError) as error:
        return "the plan cannot be written", str(error)
    executor = new_executor()
    execution = executor.run([action for subgoal in plan for action in subgoal.actions])
    if execution.error is not None or executor.last is None:
        return "the plan does not run", str(execution.error)
    if not numeric_match(executor.last.text, gold):
        return "the result is not the gold answer", f"expected {gold}, got {executor.last.text}"
    return "", ""


def given_numbers(text: str) -> set[Fraction]:
    """The numbers of a text, in digits or as words such as "twice" and "dozen"."""
    return {Fraction(number.replace(",", "")) for number in _NUMBER.findall(text)} | worded_numbers(text)


def worded_numbers(text: str) -> set[Fraction]:
    """The numbers that a text writes as words; a fraction word gives its denominator: "third" gives 3."""
    return {Fraction(_NUMBER_WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMBER_WORDS}


@dataclass(slots=True)
class _Result:
    """A result so far: its name, its exact value, what the solution calls it, and whether a later action uses it."""

    name: str
    value: Fraction
    stated: Fraction | None
    percent: bool  # stated with a percent sign
    used: bool = False


@dataclass(slots=True)
class PlanBuilder:
    """Collects the actions and subgoals of one plan and runs each action at once.

    Attributes:
        question: The task's text; literals that occur in it may stay literals.
        keep_literals: Whether literals are never replaced by earlier results.
        subgoals: The subgoals closed so far.
        actions: Actions of the open subgoal.
        choices: As in `Plan`.
        known: The results of closed subgoals, each with the words a sentence may use for it.
    """

    question: str
    keep_literals: bool = False
    subgoals: list[Subgoal] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    choices: dict[str, list[list[str]]] = field(default_factory=dict)
    known: dict[Fraction, str] = field(default_factory=dict)
    _results: list[_Result] = field(default_factory=list)
    _bindings: dict[str, Value] = field(default_factory=dict)
    _given: set[Fraction] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._given = given_numbers(self.question)

    @property
    def plan(self) -> Plan:
        """The plan so far, without the open subgoal."""
        return Plan(tuple(self.subgoals), dict(self.choices))

    @property
    def last(self) -> Fraction:
        """The latest result; there must be one."""
        return self._results[-1].value

    @property
    def last_name(self) -> str:
        """Name of the latest result."""
        return self._results[-1].name

    @property
    def last_is_percent(self) -> bool:
        """Whether the solution states the latest result as a percentage while its value is a fraction (0.6 for 60%)."""
        result = self._results[-1]
        return result.percent and result.stated == result.value

    def find(self, value: Fraction) -> str | None:
        """Name of the latest result with this value."""
        return next((result.name for result in reversed(self._results) if result.value == value), None)

    def calculate(
        self, terms: Sequence[str], stated: str = "", must_agree: bool = False, percent: bool = False
    ) -> Fraction | None:
        """Adds `R3 = Calculator(R1 + 5)` for these terms; literals that equal earlier results are replaced by them.

        Args:
            terms: Numbers, operators, brackets and names of results.
            stated: The value in the solution.
            must_agree: Whether to add nothing if the value differs from the stated one.
            percent: Whether the value is in percent, so that 60 means 60%.

        Returns:
            Its value; None when nothing was added.
        """
        used: list[_Result] = []
        choices: list[list[str]] = []
        args = spell([self._refer(term, used, choices) for term in terms])
        value = self._call("Calculator", args)
        if value is None or not isinstance(value.exact, Fraction):
            return None
        if must_agree and not agrees(value.exact, stated):
            return None
        name = self._bind("Calculator", args, value)
        for result in used:
            result.used = True
        if choices:
            self.choices[name] = choices
        self._results.append(_Result(name, value.exact, stated_value(stated), percent or stated.endswith("%")))
        return value.exact

    def solve(self, left: Sequence[str], right: Sequence[str], stated: str) -> str | None:
        """Adds `R3 = SetEquation(2 * x + 20 = 50); R4 = SolveEquation(R3)` if that gives the stated number.

        Returns:
            Name of the solution; None when nothing was added.
        """
        used: list[_Result] = []
        sides = [spell([self._refer(term, used, []) for term in side]) for side in (left, right)]
        equation = " = ".join(sides)
        value = self._call("SolveEquation", equation)
        if value is None or not isinstance(value.exact, Fraction) or not agrees(value.exact, stated):
            return None
        formula = self._call("SetEquation", equation)
        if formula is None:
            return None
        name = self._bind("SetEquation", equation, formula)
        name = self._bind("SolveEquation", name, value)
        for result in used:
            result.used = True
        self._results.append(_Result(name, value.exact, stated_value(stated), False))
        return name

    def value(self, terms: Sequence[str]) -> Fraction | None:
        """The value that `calculate` would give, without adding it; None if it cannot be calculated."""
        value = self._call("Calculator", spell([self._refer(term, [], []) for term in terms]))
        return value.exact if value and isinstance(value.exact, Fraction) else None

    def ended(self, terms: Sequence[str], sentence: str) -> Plan:
        """The plan with one more subgoal, which calculates the terms or repeats the one result they name."""
        tool, args = ("", terms[0]) if len(terms) == 1 else ("Calculator", spell(terms))
        value = self._bindings[args] if not tool else self._call(tool, args)
        assert value is not None, "the caller has calculated it"
        action = Action((f"R{len(self._bindings) + 1}",), tool, args, value.text)
        return Plan((*self.subgoals, Subgoal(sentence, (action,))), dict(self.choices))

    def close(self, sentence: str) -> None:
        """Ends the open subgoal, if it holds an action."""
        if self.actions:
            self.subgoals.append(Subgoal(sentence, tuple(self.actions)))
            closed = {action.outputs[0] for action in self.actions}
            for result in self._results:
                if result.name in closed:
                    numbers = [result.value] if result.stated is None else [result.value, result.stated]
                    self.known |= dict.fromkeys(numbers, f"the result of Subgoal {len(self.subgoals)}")
            self.actions = []

    def _call(self, tool: str, args: str) -> Value | None:
        try:
            value = _tools()[tool](args, self._bindings)
        except ToolError:
            return None
        if isinstance(value, tuple):
            return value[0] if len(value) == 1 else None
        return value

    def _bind(self, tool: str, args: str, value: Value) -> str:
        name = f"R{len(self._bindings) + 1}"
        self._bindings[name] = value
        self.actions.append(Action((name,), tool, args, value.text))
        return name

    def _refer(self, term: str, used: list[_Result], choices: list[list[str]]) -> str:
        """The term, or the earlier result that replaces a literal.

        The latest unused result comes first, then the literal itself if it occurs in the question, then the latest
        used result.
        """
        if self.keep_literals or not (term[0].isdigit() or term[0] == "."):
            return term
        value = Fraction(term.rstrip("%")) / (100 if term.endswith("%") else 1)
        is_given = value in self._given or (term.endswith("%") and value * 100 in self._given)
        names = {}
        for result in reversed(self._results):
            written = _written(result, value, term.endswith("%"), is_given)
            if written:
                names[result.name] = (written, result)
        if not names:
            return term
        order = sorted(names.values(), key=lambda item: item[1].used or item[1] in used)
        fresh = [item for item in order if not (item[1].used or item[1] in used)]
        options = [written for written, _ in order]
        if is_given:
            options.insert(len(fresh), term)
        if len(options) > 1:
            choices.append(options)
        if options[0] == term:
            return term
        used.append(order[0][1])
        return options[0]


def _written(result: _Result, value: Fraction, is_percent: bool, is_given: bool) -> str:
    """A literal of this value written with a result, e.g. `(R1 / 100)`; "" if they do not match."""
    if value in (result.value, result.stated):
        return result.name
    if is_percent and value * 100 in (result.value, result.stated):
        return f"({result.name} / 100)"
    if is_given or not result.percent:
        return ""
    if value * 100 == result.value:
        return f"({result.name} / 100)"
    return f"({result.name} * 100)" if value == result.value * 100 else ""
