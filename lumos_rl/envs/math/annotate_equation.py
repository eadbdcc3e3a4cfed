"""Gold plans for tasks that come with one equation, SVAMP (infix) and MAWPS (prefix): one subgoal per operation.

    "Mark's father gave him $85. Mark bought 10 books, each of which cost $5. How much money does Mark have left?"
    - 85 * 10 5      →   Multiply the 10 books by the 5 dollars.
                         R1 = Calculator(10 * 5) = 50
                         Subtract the result of Subgoal 1 from the 85 dollars to find how much money.
                         R2 = Calculator(85 - R1) = 35

Each sentence names the operation and its operands in the words of the task; the last one also names the goal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lumos_rl.core import Task
from lumos_rl.data.files import short_number
from lumos_rl.envs.math.equations import NUMBER
from lumos_rl.envs.math.plan_builder import Plan, PlanBuilder
from lumos_rl.envs.math.thoughts import Spoken, related, spoken
from lumos_rl.envs.math.verify import verified
from lumos_rl.errors import DataError
from lumos_rl.task_types import Reject

_TEMPLATES = {
    "+": "Add {left} and {right}",
    "-": "Subtract {right} from {left}",
    "*": "Multiply {left} by {right}",
    "/": "Divide {left} by {right}",
}
_TOKEN = re.compile(r"(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\S")
_MOST_NOUN_WORDS = 4
_MOST_TOKENS = 200  # in an equation
_NO_NOUN = frozenset(
    "a about after all altogether am an and are as at away back be because been before but by can could did do"
    " does during each every extra fewer first for from gave get gets give given got had has have he her his how"
    " if in into is it its last later left less longer many more much my next now of off old on one only or other"
    " our out over per she so some than that the their them then there they this to today together tomorrow total"
    " until up was we went were what when where which while who will with would yesterday you your".split()
)
_AUXILIARY = re.compile(
    r"\b(?:am|are|can|could|did|do|does|had|has|have|is|must|need|needs|should|was|were|will|would)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an equation; an operand is another operation, or a number as text."""

    operator: str
    left: Operation | str
    right: Operation | str


def annotated(task: Task) -> Task | Reject:
    """The task with the first of `plans` that gives its gold answer when run, or why none does."""
    return verified(task, plans(task))


def plans(task: Task) -> Iterator[Plan]:
    """The plan of the equation in `task.meta`; none if the equation has no operation.

    Raises:
        DataError: The equation cannot be parsed.
    """
    try:
        tree = parse_equation(str(task.meta.get("equation", "")))
    except ValueError as error:
        raise DataError(f"{task.id}: equation {str(task.meta.get('equation'))[:60]!r}: {error}") from error
    if isinstance(tree, str):
        return
    builder = PlanBuilder(task.instruction, keep_literals=True)
    names = _Names(task.instruction)
    if _add(tree, builder, names, _goal(str(task.meta.get("question") or task.instruction))) is not None:
        yield builder.plan


def parse_equation(text: str) -> Operation | str:
    """The tree of an equation, in prefix (`- 85 * 10 5`) or infix notation (`( 85.0 - 50.0 )`, `(50-5)/5`, `2*3+4`).

    Raises:
        ValueError: The text is neither.
    """
    words, tokens = text.split(), _TOKEN.findall(text)
    if len(tokens) > _MOST_TOKENS:
        raise ValueError(f"expected at most {_MOST_TOKENS} terms, got {len(tokens)}")
    operators = sum(word in _TEMPLATES for word in words)
    if operators and words[0] in _TEMPLATES and len(words) == 2 * operators + 1:
        tokens = words  # with numbers such as -2
        tree, end = _prefix(tokens, 0)
    else:
        tree, end = _sum(tokens, 0)
    if end != len(tokens):
        raise ValueError(f"expected one expression, got {' '.join(tokens[end:])!r} behind it")
    return tree


def _prefix(tokens: list[str], index: int) -> tuple[Operation | str, int]:
    if index >= len(tokens):
        raise ValueError("expected another operand")
    if tokens[index] not in _TEMPLATES:
        return short_number(tokens[index]), index + 1
    left, middle = _prefix(tokens, index + 1)
    right, end = _prefix(tokens, middle)
    return Operation(tokens[index], left, right), end


def _sum(tokens: list[str], index: int, operators: str = "+-") -> tuple[Operation | str, int]:
    """Operands joined from the left by operators of one level; those of `*/` bind tighter."""
    tree, index = _sum(tokens, index, "*/") if operators == "+-" else _operand(tokens, index)
    while index < len(tokens) and tokens[index] in operators:
        right, end = _sum(tokens, index + 1, "*/") if operators == "+-" else _operand(tokens, index + 1)
        tree, index = Operation(tokens[index], tree, right), end
    return tree, index


def _operand(tokens: list[str], index: int) -> tuple[Operation | str, int]:
    """A number with an optional sign, or an expression in brackets."""
    if index >= len(tokens):
        raise ValueError("expected another operand")
    if tokens[index] in "+-" and index + 1 < len(tokens) and tokens[index + 1] not in "()+-*/":
        return short_number("".join(tokens[index : index + 2]).lstrip("+")), index + 2
    if tokens[index] != "(":
        return short_number(tokens[index]), index + 1
    tree, end = _sum(tokens, index + 1)
    if end >= len(tokens) or tokens[end] != ")":
        raise ValueError("expected a closing bracket")
    return tree, end + 1


class _Names:
    """Names numbers by what they count in a text: "the 10 books". Each mention is used once, the last one again."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places: dict[str, list[re.Match[str]]] = {}
        for found in re.finditer(rf"(?<![\w.])(?:{NUMBER})", text):
            self._places.setdefault(short_number(found[0]), []).append(found)

    def __getitem__(self, number: str) -> Spoken:
        places = self._places.get(number)
        if not places:
            return Spoken(number)
        place = places.pop(0) if len(places) > 1 else places[0]
        noun = self._noun(place)
        return spoken(f"the {number} {noun}" if noun else number, self._text, *place.span())

    def _noun(self, place: re.Match[str]) -> str:
        if self._text[: place.start()].rstrip().endswith("$"):
            return "dollars"
        rest = self._text[place.end() :]
        if rest.lstrip().startswith("%"):
            return "percent"
        words = re.sub(r"^(?:more|other|additional|new|extra)\s", "", re.split(r"[^\w\s'’-]", rest)[0].lstrip()).split()
        noun: list[str] = []
        for index, word in enumerate(words[:_MOST_NOUN_WORDS]):
            is_link = word == "of" and noun and index + 1 < len(words) and words[index + 1].lower() not in _NO_NOUN
            is_verb = bool(noun) and word.endswith(("ing", "ly"))
            if (word.lower() in _NO_NOUN and not is_link) or is_verb or word[0].isdigit():
                break
            noun.append(word)
        return " ".join(noun)


def _add(tree: Operation, builder: PlanBuilder, names: _Names, goal: str) -> str | None:
    """Adds the subgoals of a tree, operands first; returns the name of its result, None if it cannot be calculated."""
    operands, words = [], []
    for operand in (tree.left, tree.right):
        if isinstance(operand, str):
            operands.append(operand)
            words.append(names[operand])
            continue
        name = _add(operand, builder, names, "")
        if name is None:
            return None
        operands.append(name)
        words.append(Spoken(f"the result of Subgoal {len(builder.subgoals)}"))
    if builder.calculate((operands[0], tree.operator, operands[1])) is None:
        return None
    sentence = _TEMPLATES[tree.operator].format(left=words[0].text, right=words[1].text)
    thought = related(tree.operator, words[0], words[1], builder.question)
    builder.close(f"{sentence} to find {goal}." if goal else f"{sentence}.", thought)
    return builder.last_name


def _goal(question: str) -> str:
    """What a question asks for: "how many bottle caps", "the total number of goals Jorge scored"."""
    question = " ".join(re.split(r"(?<=[.!?])\s", question.strip())[-1].rstrip(" ?.").split())
    what = re.search(r"\bwhat(?: is| was| are| were|'s|’s)\s+(.+)", question, re.IGNORECASE)
    if what:
        return what[1]
    how = re.search(r"\bhow\b.*", question, re.IGNORECASE)
    asked = how[0] if how else question
    head = asked[: auxiliary.start()].strip() if (auxiliary := _AUXILIARY.search(asked)) else asked
    goal = head if len(head.split()) > 2 else asked
    return goal[:1].lower() + goal[1:]
