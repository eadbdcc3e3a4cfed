"""Verifies plans of math: each is run from the text that a model will read, and every number in it has to be explained.

    verified(task, plans(task))     # the task with its first good plan, or a Reject
    unexplained(plan.subgoals, "Ann has some coins and gets 35 more.")      # "125 in Calculator(125 + 35)"

A number that somebody worked out in the head becomes an action, if numbers of the plan make it in one way only:

    "10 pumpkin and 12 cherry pies for 110 dollars"   R1 = Calculator(110 / 22)
                                                  →   R1 = Calculator(10 + 12); R2 = Calculator(110 / R1)
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.math.counted import conversions, counts, people, spans
from lumos_rl.envs.math.given import given_numbers, is_explained, items, mentions
from lumos_rl.envs.math.plan_builder import LITERAL, Plan, literal_value, new_executor
from lumos_rl.envs.math.thoughts import stated
from lumos_rl.errors import ActionParseError
from lumos_rl.language import format_annotation, parse_annotation
from lumos_rl.metrics import numeric_match
from lumos_rl.task_types import Reject

_PLACES = re.compile(r", \d+\)")  # of round(R1, 2)
_MOST_SHARES = 20
_MOST_MADE = 4  # actions that are added to a plan
_SMALL = 12  # numbers up to this are made of others by chance, so the solution has to say of which
_NOWHERE = "a number comes from nowhere"


def verified(task: Task, plans: Iterable[Plan]) -> Task | Reject:
    """The task with the first plan that gives its gold answer when run, or why none does."""
    solution, answer = str(task.meta.get("solution", "")), str(task.answer)
    reject, right = Reject(task.id, "no equation in the solution"), list[Plan]()
    for plan in plans:
        if not plan.subgoals:
            continue
        reason, detail = check(plan.subgoals, answer)
        if not reason:
            detail = unexplained(plan.subgoals, task.instruction, solution)
            if not detail:
                return _with(task, plan)
            right.append(plan)
            reason = _NOWHERE
        if reject.reason != _NOWHERE:
            reject = Reject(task.id, reason, detail)
    for plan in right:
        made = _explained(plan, task.instruction, solution)
        if made is not None and check(made.subgoals, answer) == ("", ""):
            return _with(task, made)
    return reject


def _with(task: Task, plan: Plan) -> Task:
    meta = {**task.meta, "choices": plan.choices} if plan.choices else task.meta
    first, *others = plan.subgoals
    first = dataclasses.replace(first, thought=f"{stated(task.instruction)} {first.thought}".strip())
    return dataclasses.replace(task, subgoals=(first, *others), meta=meta)


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


def unexplained(subgoals: Sequence[Subgoal], question: str, solution: str = "") -> str:
    """The first number of a plan that neither the question nor a unit explains, with its action; "" if there is none.

    A count of what the question lists, and an amount of it in another unit, are explained. As a factor or divisor, 2
    needs no explanation, nor does the number of names, the number of terms of a sum before it (an average), a part
    of a small number of the question (of 4, 0.25), nor one more or less (twice as many are 3 shares; 4 friends and I
    are 5).
    """
    found = next(_strange(subgoals, question, solution), None)
    return "" if found is None else f"{found.text} in {found.action.tool}({found.action.args})"


@dataclass(frozen=True, slots=True)
class _Strange:
    """A number that nothing explains: its action, and where it stands in the action's arguments."""

    action: Action
    text: str
    start: int


def _strange(subgoals: Sequence[Subgoal], question: str, solution: str) -> Iterator[_Strange]:
    sums: set[Fraction] = set()
    small = {number for number in given_numbers(question) if number <= _MOST_SHARES}
    shares = {number + step for number in small for step in (-1, 1)} | people(question) | {Fraction(2), Fraction(1, 2)}
    shares |= {1 / number for number in small if number > 1}
    for action in (action for subgoal in subgoals for action in subgoal.actions if action.tool):
        places = [range(*found.span()) for found in _PLACES.finditer(action.args)]
        args = action.args
        sums.add(Fraction(args.count("+") + 1))
        for found in LITERAL.finditer(args):
            value = literal_value(found[0])
            sides = (args[: found.start()].rstrip()[-1:], args[found.end() :].lstrip()[:1])
            is_share = ("/" in sides or "*" in sides) and value in shares
            is_average = sides[0] == "/" and value in sums
            is_scale = found["percent"] and is_explained(value * 100, question, solution)
            is_place = any(found.start() in place for place in places)
            implied = counts(question) | conversions(question) | spans(question)
            known = value in implied or is_explained(value, question, solution)
            if not (is_share or is_average or is_scale or is_place or known):
                yield _Strange(action, found[0], found.start())


def _explained(plan: Plan, question: str, solution: str) -> Plan | None:
    """The plan with actions for the numbers that were worked out in the head; None if one stays unexplained."""
    for _ in range(_MOST_MADE + 1):
        found = next(_strange(plan.subgoals, question, solution), None)
        if found is None:
            return plan
        made = _made(plan, found, question, solution)
        if made is None:
            return None
        plan = _inserted(plan, found, made)
    return None


def _made(plan: Plan, found: _Strange, question: str, solution: str) -> str | None:
    """The one calculation with two numbers of the question or results that gives a number; None without, or of two."""
    value = literal_value(found.text)
    pool = {number: str(number) for number in mentions(question) if number > 1 and number.denominator == 1}
    for action in _before(plan, found.action):
        result = _number(action.result)
        if result is not None and result not in pool and result > 1:
            pool[result] = action.outputs[-1]
    amounts = {item.value for item in items(question) if item.kind == "number"}  # and not "twice" or "both"
    ways = list(_ways(pool, value, {number for number, name in pool.items() if number in amounts or name[0] == "R"}))
    if found.action.tool == "Calculator":
        ways = [way for way in ways if value > _SMALL or value.denominator > 1 or _is_said(way, value, solution)]
    return " ".join(ways[0]) if len(ways) == 1 else None


def _ways(
    pool: Mapping[Fraction, str], value: Fraction, amounts: Collection[Fraction]
) -> Iterator[tuple[str, str, str]]:
    """The calculations with two different numbers that give a value; only amounts are added and subtracted."""
    for one, other in permutations(pool, 2):
        results = {"*": one * other if one < other else 0, "/": one / other}
        if one in amounts and other in amounts:
            results |= {"+": one + other if one < other else 0, "-": one - other}
        yield from ((pool[one], sign, pool[other]) for sign, result in results.items() if result == value)


def _is_said(way: tuple[str, str, str], value: Fraction, solution: str) -> bool:
    """Whether a line of the solution holds both operands and the number."""
    left, _, right = way
    wanted = [Fraction(text) for text in (left, right) if not text.startswith("R")] + [value]
    return any(all(mentions(line)[number] for number in wanted) for line in solution.split("\n"))


def _before(plan: Plan, action: Action) -> Iterator[Action]:
    """The actions before another one."""
    for each in (each for subgoal in plan.subgoals for each in subgoal.actions):
        if each is action:
            return
        yield each


def _inserted(plan: Plan, found: _Strange, calculation: str) -> Plan:
    """The plan with one more action before the one with the strange number, which takes its result."""
    (name,) = found.action.outputs
    first = int(name[1:])

    def later(text: str) -> str:
        return re.sub(r"\bR(\d+)\b", lambda each: f"R{int(each[1]) + (int(each[1]) >= first)}", text)

    subgoals = []
    for subgoal in plan.subgoals:
        actions: list[Action] = []
        for action in subgoal.actions:
            args = later(action.args)
            if action is found.action:
                start = len(later(action.args[: found.start]))
                args = f"{args[:start]}{name}{args[start + len(found.text) :]}"
                executor = new_executor()
                executor.run([*_before(plan, action), Action((name,), "Calculator", calculation)])
                assert executor.last is not None, "its operands are numbers"
                actions.append(Action((name,), "Calculator", calculation, executor.last.text))
            outputs = tuple(map(later, action.outputs))
            actions.append(dataclasses.replace(action, outputs=outputs, args=args))
        subgoals.append(dataclasses.replace(subgoal, actions=tuple(actions)))
    choices = {
        later(output): [[later(each) for each in options] for options in readings]
        for output, readings in plan.choices.items()
    }
    return Plan(tuple(subgoals), choices)


def _number(text: str | None) -> Fraction | None:
    try:
        return Fraction(text or "")
    except ValueError:
        return None
