"""Gold plans for GSM8K, made from its worked solutions by rules.

    Natalia sold 48/2 = <<48/2=24>>24 clips in May.          →   Natalia sold how many clips in May?
                                                                  R1 = Calculator(48 / 2) = 24
    Natalia sold 48+24 = <<48+24=72>>72 clips altogether …   →   Natalia sold how many clips altogether …?
                                                                  R2 = Calculator(48 + R1) = 72

Each line of the solution that computes something becomes a subgoal. Its sentence becomes a question, because a plan
must not reveal the result: the calculation is replaced by "how many", "how much" or "what percentage". Equations with
an unknown are solved if the solution states the unknown's value. Percentages, cents and rounding follow the solution. A
number that the solution states without a calculation never becomes an action.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from lumos_rl.core import Task
from lumos_rl.envs.math.equations import NUMBER, Equation, agrees, equations, stated_value
from lumos_rl.envs.math.given import given_numbers
from lumos_rl.envs.math.plan_builder import Plan, PlanBuilder
from lumos_rl.envs.math.plan_sentence import ask, ask_for_unknown
from lumos_rl.envs.math.rounding import roundings
from lumos_rl.envs.math.unknowns import LetterEquation, letter_equations
from lumos_rl.envs.math.verify import verified
from lumos_rl.task_types import Reject

_NUMBER = re.compile(rf"(?<![\w.])(?P<number>{NUMBER})(?P<percent>\s?%)?")
_ROUNDED = re.compile(rf"\bround\w*\b[^.;=]*?\bto\s+(?:the nearest [a-z ]+\s)?[$£€]?(?P<number>{NUMBER})")


def annotated(task: Task) -> Task | Reject:
    """The task with the first of `plans` that gives its gold answer when run, or why none does."""
    return verified(task, plans(task))


def plans(task: Task) -> Iterator[Plan]:
    """Plans for the task, the likeliest first.

    A solution is read with exact values first. If it rounds values, or has an error in its last line, it is read again
    with the rounded values, or with the Calculator's value. From each reading come first the plans that turn the last
    result into the answer in the last line (rounded, as a percentage, an earlier result), then the plan without that.
    """
    lines = [line.strip() for line in str(task.meta.get("solution", "")).split("\n") if line.strip()]
    first = _read(task.instruction, lines, "exact")
    yield from _plans(first.builder, task.instruction, lines)
    for kind in sorted(first.doubts):
        yield from _plans(_read(task.instruction, lines, kind).builder, task.instruction, lines)


def _plans(builder: PlanBuilder, question: str, lines: Sequence[str]) -> Iterator[Plan]:
    if builder.subgoals:
        yield from _closed(builder, question, lines[-1])
        yield builder.plan


def _read(question: str, lines: Sequence[str], kind: str) -> _Reading:
    """One reading of a solution. A literal that would stay is replaced if else nothing used the result it equals."""
    given = given_numbers(question)
    reading = _Reading(PlanBuilder(question), given, kind)
    reading.read(lines)
    unused = reading.builder.unused
    if not unused & {value for value, _ in reading.builder.kept}:
        return reading
    again = _Reading(PlanBuilder(question, released=_released(reading.builder)), given, kind)
    again.read(lines)
    return again if len(again.builder.unused) < len(unused) else reading


def _released(builder: PlanBuilder) -> frozenset[int]:
    """For each unused result, the kept literal that is most likely meant: the last that is added, else the first."""
    released = set()
    for unused in builder.unused:
        places = [(is_added, index) for index, (value, is_added) in enumerate(builder.kept) if value == unused]
        added = [index for is_added, index in places if is_added]
        released |= set(added[-1:] or [index for _, index in places[:1]])
    return frozenset(released)


@dataclass(slots=True)
class _Reading:
    """One reading of a solution: the plan so far, the lines, and the equations with unknowns.

    Attributes:
        builder: Holds the plan.
        given: Numbers of the question.
        kind: "exact", "rounded" or "corrected".
        doubts: Other kinds of reading that would differ from this one.
        lines: The lines read so far.
        open_equations: Equations with unknowns so far.
        solved: Unknown → name of the result that solves it.
    """

    builder: PlanBuilder
    given: Collection[Fraction]
    kind: str = "exact"
    doubts: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    open_equations: list[LetterEquation] = field(default_factory=list)
    solved: dict[str, str] = field(default_factory=dict)

    def read(self, lines: Sequence[str]) -> None:
        """Adds the subgoals of all lines."""
        for line in lines:
            self.lines.append(line)
            self.builder.line = line
            is_last = len(self.lines) == len(lines)
            done = [found for equation in equations(line) if (found := self._calculate(equation, is_last))]
            self.builder.close(ask(line, done, self.given, self.builder.known))
            for equation in letter_equations(line):
                self._read_unknown(equation, line)

    def _calculate(self, equation: Equation, is_last: bool) -> Equation | None:
        """Adds one calculation; an unmarked one only if it gives the stated value, as a number or in percent.

        Returns:
            The calculation with its actual value; None if it was not added.
        """
        if not equation.computes:
            return None
        terms, stated, alternatives = equation.terms, equation.stated, list[str]()
        percent = _in_percent(terms)
        if percent and self.builder.calculate(percent, stated.rstrip("%"), must_agree=True, percent=True) is not None:
            return equation
        must_agree = not equation.marked and not (is_last and self.kind == "corrected")
        value = self.builder.value(terms)
        if value is None or (must_agree and not agrees(value, stated)):
            if value is not None and is_last:
                self.doubts.add("corrected")
            return None
        if value.denominator > 1 and value != stated_value(stated):
            self.doubts.add("rounded")
            if self.kind == "rounded":
                rounded = roundings(self.builder, terms, stated, self.lines[-1])
                terms, alternatives = rounded[0] if rounded else terms, [wrapped[0] for wrapped in rounded]
        self.builder.calculate(terms, stated, alternatives=alternatives)
        return equation if agrees(value, stated) else replace(equation, stated=str(value))

    def _read_unknown(self, equation: LetterEquation, line: str) -> None:
        if equation.solution is None:
            self._substitute(equation, line)
            self.open_equations.append(equation)
            return
        letter, stated = equation.solution
        value = stated_value(stated)
        name = None if value is None else self.builder.find(value)
        for candidate in self.open_equations if letter not in self.solved else ():
            if name is None and candidate.letters == {letter}:
                name = self.builder.solve(candidate.left, candidate.right, stated)
                self.builder.close(ask_for_unknown(letter, self.lines))
        if name:
            self.solved.setdefault(letter, name)

    def _substitute(self, equation: LetterEquation, line: str) -> None:
        """Computes `2 * x = 20` once x is solved."""
        for side, other in ((equation.left, equation.right), (equation.right, equation.left)):
            if len(other) != 1 or other[0].isalpha() or not equation.letters <= self.solved.keys():
                continue
            terms = tuple(self.solved.get(term, term) for term in side)
            if self.builder.calculate(terms, other[0], must_agree=True) is not None:
                found = Equation(terms, other[0], False, equation.start, equation.end)
                self.builder.close(ask(line, [found], self.given, self.builder.known))


def _in_percent(terms: tuple[str, ...]) -> tuple[str, ...]:
    """The terms with percentages as plain numbers, if the text may mean that; otherwise ().

    `100% - 40%` is 60 (percent), and `6 / 15 * 100%` is 40 (percent).
    """
    numbers = [term for term in terms if term not in "+-*/()"]
    if all(term.endswith("%") for term in numbers) and not {"*", "/"} & set(terms):
        return tuple(term.rstrip("%") for term in terms)
    if "100%" in terms and not {"+", "-"} & set(terms):
        return tuple("100" if term == "100%" else term for term in terms)
    return ()


def _closed(builder: PlanBuilder, question: str, line: str) -> Iterator[Plan]:
    """Plans with a last subgoal that turns the last result into the answer in the last line.

    Each is a separate plan; the builder does not change.
    """
    last, name = builder.last, builder.last_name
    numbers = [(_value(found), bool(found["percent"])) for found in _NUMBER.finditer(line)]
    computed = any(equation.computes for equation in equations(line))
    rounded = _ROUNDED.search(line)
    if last.denominator > 1 and (rounded or not computed):
        for number in [_value(rounded)] if rounded else [number for number, _ in numbers]:
            found = roundings(builder, (name,), str(number), line)
            if found:
                yield builder.ended(found[0], "Round the result.", [wrapped[0] for wrapped in found])
    if builder.last_is_percent or (last * 100, True) in numbers:
        yield builder.ended((name, "*", "100"), "Write the result as a percentage.")
    asks_cents = re.search(r"\bcents\b", question.rstrip("?. ").rpartition(".")[2])
    if asks_cents and re.search(r"=\s*\$", line):
        yield builder.ended((name, "*", "100"), "Write the result in cents.")
    if not computed:
        for number, _ in numbers:
            earlier = builder.find(number) if number != last else None
            if earlier:
                yield builder.ended((earlier,), "Take the earlier result that the question asks for.")


def _value(found: re.Match[str]) -> Fraction:
    return Fraction(found["number"].replace(",", ""))
