"""Builds gold plans for math by rules, and runs each action at once.

    >>> builder = PlanBuilder("Natalia sold clips to 48 friends in April and half as many in May. How many in all?")
    >>> builder.calculate(("48", "/", "2"), stated="24")
    Fraction(24, 1)
    >>> builder.close("Natalia sold how many clips in May?")
    >>> builder.calculate(("48", "+", "24"), stated="72"), builder.actions[-1].args      # 24 is an earlier result
    (Fraction(72, 1), '48 + R1')

An annotator proposes plans from a task's worked solution or equation. It never sees the gold answer;
`lumos_rl.envs.math.verify` then runs each plan and compares its result.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

from lumos_rl.core import Action, Subgoal
from lumos_rl.envs.math.equations import NUMBER, agrees, spell, stated_value
from lumos_rl.envs.math.given import constants, given_numbers, is_explained, mentions
from lumos_rl.errors import DataError, ToolError
from lumos_rl.tools.base import Executor, Tool, Value
from lumos_rl.tools.math import math_tools

LITERAL = re.compile(rf"(?<![\w.])(?:{NUMBER})(?P<percent>%?)")
_MOST_RESULTS = 200  # of a plan; people write fewer than 20


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


def literal_value(text: str) -> Fraction:
    """The value of a number in a plan: "60%" is 0.6."""
    value = Fraction(text.rstrip("%").replace(",", ""))
    return value / 100 if text.endswith("%") else value


@dataclass(slots=True)
class _Result:
    """A result so far: its name, its exact value, what the solution calls it, and whether a later action uses it."""

    name: str
    value: Fraction
    stated: Fraction | None
    percent: bool  # stated with a percent sign
    used: bool = False


@dataclass(slots=True)
class _Reading:
    """How the literals of one action are read.

    Attributes:
        used: The results that replace literals.
        kept: Literals that stay although an earlier result has their value, each with whether it is added.
        mentioned: Literals that the question mentions.
        choices: As in `Plan`, for this action.
    """

    used: list[_Result] = field(default_factory=list)
    kept: list[tuple[Fraction, bool]] = field(default_factory=list)
    mentioned: list[Fraction] = field(default_factory=list)
    choices: list[list[str]] = field(default_factory=list)


@dataclass(slots=True)
class PlanBuilder:
    """Collects the actions and subgoals of one plan and runs each action at once.

    Attributes:
        question: The task's text; a literal stays a literal as often as it mentions the number.
        keep_literals: Whether literals are never replaced by earlier results.
        released: Which of the literals that would stay (counted from 0, see `kept`) are replaced all the same.
        kept: The literals that stay although an earlier result has their value, each with whether it is added.
        line: The line that is being read; its units imply constants, as those of the question do.
        subgoals: The subgoals closed so far.
        actions: Actions of the open subgoal.
        choices: As in `Plan`.
        known: The results of closed subgoals, each with the words a sentence may use for it.
    """

    question: str
    keep_literals: bool = False
    released: frozenset[int] = frozenset()
    kept: list[tuple[Fraction, bool]] = field(default_factory=list)
    line: str = ""
    subgoals: list[Subgoal] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    choices: dict[str, list[list[str]]] = field(default_factory=dict)
    known: dict[Fraction, str] = field(default_factory=dict)
    _results: list[_Result] = field(default_factory=list)
    _bindings: dict[str, Value] = field(default_factory=dict)
    _left: Counter[Fraction] = field(default_factory=Counter)  # mentions that no literal stands for yet

    def __post_init__(self) -> None:
        self._left = mentions(self.question)
        self._left.update(given_numbers(self.question) - self._left.keys())

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

    @property
    def unused(self) -> set[Fraction]:
        """The values of results that nothing uses; the last result is not among them."""
        return {result.value for result in self._results[:-1] if not result.used}

    def find(self, value: Fraction) -> str | None:
        """Name of the latest result with this value."""
        return next((result.name for result in reversed(self._results) if result.value == value), None)

    def calculate(
        self,
        terms: Sequence[str],
        stated: str = "",
        must_agree: bool = False,
        percent: bool = False,
        alternatives: Sequence[str] = (),
    ) -> Fraction | None:
        """Adds `R3 = Calculator(R1 + 5)` for these terms; literals that stand for earlier results are replaced by them.

        Args:
            terms: Numbers, operators, brackets and names of results.
            stated: The value in the solution.
            must_agree: Whether to add nothing if the value differs from the stated one.
            percent: Whether the value is in percent, so that 60 means 60%.
            alternatives: Functions any of which the first term may be, the chosen one first.

        Returns:
            Its value; None when nothing was added.
        """
        reading = _Reading(choices=[list(alternatives)] if len(alternatives) > 1 else [])
        args = spell(self._read(terms, reading))
        value = self._call("Calculator", args)
        if value is None or not isinstance(value.exact, Fraction):
            return None
        if must_agree and not agrees(value.exact, stated):
            return None
        name = self._bind("Calculator", args, value)
        self._commit(reading, name)
        self._results.append(_Result(name, value.exact, stated_value(stated), percent or stated.endswith("%")))
        return value.exact

    def solve(self, left: Sequence[str], right: Sequence[str], stated: str) -> str | None:
        """Adds `R3 = SetEquation(2 * x + 20 = 50); R4 = SolveEquation(R3)` if that gives the stated number.

        Returns:
            Name of the solution; None when nothing was added.
        """
        reading = _Reading()
        equation = " = ".join(spell(self._read(side, reading)) for side in (left, right))
        value = self._call("SolveEquation", equation)
        if value is None or not isinstance(value.exact, Fraction) or not agrees(value.exact, stated):
            return None
        formula = self._call("SetEquation", equation)
        if formula is None:
            return None
        name = self._bind("SetEquation", equation, formula)
        self._commit(reading, name)
        name = self._bind("SolveEquation", name, value)
        self._results.append(_Result(name, value.exact, stated_value(stated), False))
        return name

    def value(self, terms: Sequence[str]) -> Fraction | None:
        """The value that `calculate` would give, without adding it; None if it cannot be calculated."""
        value = self._call("Calculator", spell(self._read(terms, _Reading())))
        return value.exact if value and isinstance(value.exact, Fraction) else None

    def ended(self, terms: Sequence[str], sentence: str, alternatives: Sequence[str] = ()) -> Plan:
        """The plan with one more subgoal, which calculates the terms or repeats the one result they name."""
        tool, args = ("", terms[0]) if len(terms) == 1 else ("Calculator", spell(terms))
        value = self._bindings[args] if not tool else self._call(tool, args)
        assert value is not None, "the caller has calculated it"
        action = Action((f"R{len(self._bindings) + 1}",), tool, args, value.text)
        unsure = {action.outputs[0]: [list(alternatives)]} if len(alternatives) > 1 else {}
        return Plan((*self.subgoals, Subgoal(sentence, (action,))), self.choices | unsure)

    def close(self, sentence: str, thought: str = "") -> None:
        """Ends the open subgoal, if it holds an action."""
        if self.actions:
            self.subgoals.append(Subgoal(sentence, tuple(self.actions), thought))
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
        if len(self._bindings) >= _MOST_RESULTS:
            raise DataError(f"expected a solution of at most {_MOST_RESULTS} calculations")
        name = f"R{len(self._bindings) + 1}"
        self._bindings[name] = value
        self.actions.append(Action((name,), tool, args, value.text))
        return name

    def _commit(self, reading: _Reading, name: str) -> None:
        """Remembers how the literals of the action with this output were read."""
        for result in reading.used:
            result.used = True
        self.kept += reading.kept
        self._left.subtract(reading.mentioned)
        if reading.choices:
            self.choices[name] = reading.choices

    def _read(self, terms: Sequence[str], reading: _Reading) -> list[str]:
        """The terms with literals replaced by the earlier results that they stand for."""
        if self.keep_literals:
            return list(terms)
        return [self._refer(terms, index, reading) for index in range(len(terms))]

    def _refer(self, terms: Sequence[str], index: int, reading: _Reading) -> str:
        """The term, or the earlier result that replaces a literal.

        A literal stays if the question mentions it, or if it is part of a fraction or a constant; see `_stays`. After
        that come the latest unused result, the literal itself where the question knows it, and the latest used result.
        """
        term = terms[index]
        if not (term[0].isdigit() or term[0] == "."):
            return term
        value = literal_value(term)
        number = value * 100 if term.endswith("%") else value
        is_given = number in self._left or value in self._left
        names = {}
        for result in reversed(self._results):
            written = _written(result, value, term.endswith("%"), is_given) or self._as_share(result, value)
            if written:
                names[result.name] = (written, result)
        order = sorted(names.values(), key=lambda item: item[1].used or item[1] in reading.used)
        stays = bool(order) and self._stays(terms, index, number, reading)
        options = [written for written, _ in order]
        if stays:
            options.insert(0, term)
        elif is_given or not options:
            options.insert(sum(not (item[1].used or item[1] in reading.used) for item in order), term)
        if len(options) > 1:
            reading.choices.append(options)
        if options[0] != term:
            reading.used.append(order[0][1])
        elif is_given:
            reading.mentioned.append(number if number in self._left else value)
        return options[0]

    def _as_share(self, result: _Result, value: Fraction) -> str:
        """A literal such as .3 written with a result of 30, in percent; "" where the question explains it."""
        is_share = 0 < value < 1 and value * 100 == result.value and "%" in self.question
        return f"({result.name} / 100)" if is_share and not is_explained(value, self.question, self.line) else ""

    def _stays(self, terms: Sequence[str], index: int, number: Fraction, reading: _Reading) -> bool:
        """Whether a literal is its own although an earlier result has the same value."""
        sides = {*terms[max(0, index - 1) : index], *terms[index + 1 : index + 2]}
        is_factor = bool(sides & {"*", "/"})
        is_left = self._left[number] > reading.mentioned.count(number)
        is_constant = (number == 2 and is_factor) or number in constants(self.question) | constants(self.line)
        if not (is_left or is_constant or self._in_fraction(terms, index)):
            return False
        is_released = len(self.kept) + len(reading.kept) in self.released
        reading.kept.append((number, not is_factor))
        return not is_released

    def _in_fraction(self, terms: Sequence[str], index: int) -> bool:
        """Whether a literal is the top or bottom of a fraction such as 1/4 or 3/5, not of a division such as 4/10."""
        for slash in (index - 1, index + 1):
            top, bottom = terms[max(0, slash - 1)], terms[min(slash + 1, len(terms) - 1)]
            if not (0 < slash < len(terms) - 1 and terms[slash] == "/" and top.isdecimal() and bottom.isdecimal()):
                continue
            if not all(is_explained(Fraction(part), self.question, self.line) for part in (top, bottom)):
                continue
            if int(top) < int(bottom) and "/" not in terms[max(0, slash - 2) : slash - 1]:
                is_operand = {*terms[max(0, slash - 2) : slash - 1], *terms[slash + 2 : slash + 3]} & {*"+-*)("}
                return top == "1" or bool(is_operand) or Fraction(int(top), int(bottom)) in self._left
        return False


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
