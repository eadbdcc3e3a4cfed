"""New tasks from annotated ones: the same program with other numbers, names and things, in both text and plan.

    "Dan had $ 3 left with him after he bought a candy bar. If he had $ 4 at the start, …"   R1 = Calculator(4 - 3) = 1
    "Leo had $ 5 left with him after he bought a candy bar. If he had $ 6 at the start, …"   R1 = Calculator(6 - 5) = 1

The answer comes from running the program. Numbers stay plausible: whole numbers stay whole, positive results stay
positive, exact divisions stay exact, fractions stay between 0 and 1, and sizes stay similar. Only numbers that occur
in the program, and as digits in the task, change. A number whose meaning is not certain stays: a word or a unit of the
task may stand for it as well (twice, a week), or it could be calculated from others. A task gets no new versions if its
program might be wrong for other numbers: if a literal could also be a result, if the words leave the rounding open, if
the task does not explain a number in the program, or if the task compares numbers.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.math.equations import NUMBER
from lumos_rl.envs.math.given import constants, given_numbers, mentions, worded_numbers
from lumos_rl.envs.math.plan_builder import new_executor
from lumos_rl.envs.math.words import replace_words, swap_words
from lumos_rl.tools.base import number_text

_TERM = re.compile(rf"(?<![\w.])(?:{NUMBER})")
_FREE = re.compile(
    rf"(?<![\w.,:/-])(?:{NUMBER})(?!\w|[:/]\s?\d|-\d)"
)  # not part of a word, fraction, range, time or date
_MOST_TRIES = 400  # for each new task
_STEPS = (1000, 500, 100, 50, 20, 10, 5, 1)
_TWICE = re.compile(
    r"\b(?:round[- ]trip|each way|both ways|and back|average|mean|perimeter|rectang\w+|diameter)\b", re.IGNORECASE
)
# Words of tasks whose solution depends on a comparison, so that other numbers may need another program.
_COMPARES = re.compile(
    r"\b(?:which|whichever|whether|cheap(?:er|est)|larg(?:er|est)|small(?:er|est)|highest|lowest|old(?:er|est)|youngest|"
    r"longest|shortest|fast(?:er|est)|slow(?:er|est)|greatest|biggest|fewest|best|better|overtime|at least|at most|"
    r"minimum|maximum|limit|rounded|(?:first|next|additional|after|over|exceeds?|more than|less than|every) \$ ?\d|"
    r"(?:after|over|exceeds?|more than|less than) \d|until|o'clock|[ap]\.?m\b)",
    re.IGNORECASE,
)


def resample(task: Task, n: int, seed: int = 0) -> list[Task]:
    """New tasks with the same program.

    Args:
        task: An annotated task.
        n: How many new tasks to look for.
        seed: Selects numbers and words.

    Returns:
        Up to `n` tasks, ids `{task.id}~1`, …, all different; fewer if plausible numbers are not found, none if the
        program might be wrong for other numbers.
    """
    slots = _slots(task)
    if not slots or not _is_safe(task):
        return []
    rng = random.Random(f"{seed}/{task.id}")
    found: list[Task] = []
    seen = {task.instruction}
    failed = 0  # tries since the last new task
    while len(found) < n and failed < _MOST_TRIES:
        failed += 1
        numbers = {value: slot.draw(rng) for value, slot in slots.items()}
        new = _rewrite(task, numbers, slots, f"{task.id}~{len(found) + 1}")
        new = new and _reword(new, swap_words(task.instruction, rng))
        if new is not None and new.instruction not in seen:
            seen.add(new.instruction)
            found.append(new)
            failed = 0
    return found


@dataclass(frozen=True, slots=True)
class _Slot:
    """A number of the text that may change: its value and its format."""

    value: Fraction
    places: int  # decimal places
    is_percent: bool

    def draw(self, rng: random.Random) -> Fraction:
        """A number about half to twice as large as this one, and equally round."""
        unit = Fraction(1, 10**self.places)
        whole = self.value / unit
        step = next(step for step in _STEPS if whole % step == 0 and (step == 1 or whole >= 4 * step))
        low, high = max(1, math.ceil(whole / step / 2)), max(math.ceil(whole / step * 2), 9 if step == 1 else 1)
        if self.is_percent:
            high = max(low, min(high, math.floor(99 / (step * unit))))
        return max(rng.randint(low, high) * step * unit, Fraction(2) if self.places == 0 else unit)


def _slots(task: Task) -> dict[Fraction, _Slot]:
    """The numbers of the text that may change, by value: those of which every use in the plan is known to mean them."""
    used = Counter(_number(term) for action in _actions(task.subgoals) for term in _TERM.findall(action.args))
    places: dict[Fraction, list[re.Match[str]]] = {}
    for match in _TERM.finditer(task.instruction):
        places.setdefault(_number(match[0]), []).append(match)
    fixed = _constants(task.instruction) | worded_numbers(task.instruction) | _made(places.keys(), used)
    fixed |= {Fraction(number) for number in task.meta.get("constants", ())}
    slots = {}
    for value, matches in places.items():
        is_year = 1900 <= value <= 2100 and len(matches[0][0]) == 4
        is_free = all(_FREE.match(task.instruction, match.start()) for match in matches)
        if (value < 2 and value.denominator == 1) or is_year or value in fixed or not is_free or not used[value]:
            continue
        if any(used[derived] for derived in (value / 100, 1 - value / 100, 1 + value / 100, 100 - value)):
            continue
        decimals = max(len(match[0].partition(".")[2]) for match in matches)
        is_percent = any(task.instruction[match.end() :].lstrip()[:1] == "%" for match in matches)
        slots[value] = _Slot(value, decimals, is_percent)
    return slots


def _constants(text: str) -> frozenset[Fraction]:
    return constants(text) | ({Fraction(2)} if _TWICE.search(text) else set())


def _made(given: Collection[Fraction], used: Mapping[Fraction, int]) -> set[Fraction]:
    """Numbers that may also be calculated in the head, from two numbers of the text that the plan does not use."""
    pairs = [(a, b) for a in given for b in given if a != b and not (used.get(a) or used.get(b))]
    return {value for a, b in pairs for value in (a + b, a - b, a * b, a / b if b else a)}


def _is_safe(task: Task) -> bool:
    """Whether the same program is probably right for other numbers."""
    known = mentions(task.instruction).keys() | _constants(task.instruction) | {Fraction(0), Fraction(1)}
    terms = {_number(term) for action in _actions(task.subgoals) for term in _TERM.findall(action.args)}
    tools = new_executor().tools
    is_straight = all(action.tool in tools for action in _actions(task.subgoals)) and not task.meta.get("choices")
    return terms <= known and is_straight and not _COMPARES.search(task.instruction)


def _rewrite(
    task: Task, numbers: Mapping[Fraction, Fraction], slots: Mapping[Fraction, _Slot], key: str
) -> Task | None:
    """The task with other numbers; None if a result would not be plausible."""
    executor = new_executor()
    fixed = given_numbers(task.instruction)
    replaced = dict(numbers)
    subgoals = []
    for subgoal in task.subgoals:
        actions = []
        for action in subgoal.actions:
            new = replace(action, args=_replace(action.args, numbers, slots))
            execution = executor.run([new])
            before, after = _value(action.result), executor.last
            if execution.error or after is None or not _is_plausible(before, after.exact):
                return None
            actions.append(replace(new, result=after.text))
            if before is not None and before not in fixed and isinstance(after.exact, Fraction):
                replaced.setdefault(before, after.exact)
        text, thought = (_replace(said, replaced, slots) for said in (subgoal.text, subgoal.thought))
        subgoals.append(Subgoal(text, tuple(actions), thought))
    text = _replace(task.instruction, numbers, slots)
    answer = subgoals[-1].actions[-1].result
    return replace(
        task, id=key, instruction=text, answer=answer, subgoals=tuple(subgoals), meta={"resampled_from": task.id}
    )


def _reword(task: Task, swaps: Mapping[str, str]) -> Task:
    subgoals = tuple(
        replace(subgoal, text=replace_words(subgoal.text, swaps), thought=replace_words(subgoal.thought, swaps))
        for subgoal in task.subgoals
    )
    return replace(task, instruction=replace_words(task.instruction, swaps), subgoals=subgoals)


def _is_plausible(before: Fraction | None, after: object) -> bool:
    """Whether a result has the same kind and a similar size as the one it replaces."""
    if before is None or not isinstance(after, Fraction):
        return before is None and not isinstance(after, Fraction)
    if (before > 0, before < 0, 0 < before < 1) != (after > 0, after < 0, 0 < after < 1):
        return False
    return _places(after) <= max(_places(before), 0) and abs(after) <= 20 * max(abs(before), Fraction(1))


def _places(number: Fraction) -> int:
    """Decimal places; 99 for an infinite decimal."""
    return next((places for places in range(7) if (number * 10**places).denominator == 1), 99)


def _replace(text: str, numbers: Mapping[Fraction, Fraction], slots: Mapping[Fraction, _Slot]) -> str:
    """The text with the new numbers, each in the format of the old one."""

    def written(match: re.Match[str]) -> str:
        value = _number(match[0])
        if value not in numbers:
            return match[0]
        new = numbers[value]
        places = slots[value].places if value in slots else _places(new)
        digits = f"{float(new):,.{places}f}" if places <= 6 else number_text(new)
        return digits if "," in match[0] else digits.replace(",", "")

    return _TERM.sub(written, text)


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _value(text: str | None) -> Fraction | None:
    try:
        return Fraction(text or "")
    except ValueError:
        return None


def _actions(subgoals: Sequence[Subgoal]) -> Iterator[Action]:
    return (action for subgoal in subgoals for action in subgoal.actions)
