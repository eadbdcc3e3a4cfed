"""Equations and expressions with unknowns, as results that later actions can use.

    >>> R1 = Formula("a*x = 12")
    >>> R1.apply("a=3", {})
    Value(exact=Formula(text='3*x = 12', parameters=()), text='3*x = 12')
    >>> closed("2x + R1 = R10", {"R1": Value.of(5), "R10": Value.of(Fraction(1, 3))})
    '2x + 5 = 1/3'

A formula is stored as text. Every name of a result in it is replaced by its value, in brackets where needed. The text
is replaced token by token, so R1 is never replaced inside R10, and exact numbers stay exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value, number_text, unknown_result
from lumos_rl.tools.expression import COMPARE, FUNCTIONS, Chain, Token, parse_expression, read_number, tokenize
from lumos_rl.tools.math.evaluation import evaluate

SEPARATORS = frozenset({",", ";", "and", "for"})  # between the equations of a system, and before what to solve for
RELATIONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_LOOSE = SEPARATORS | RELATIONS | {"or", "(", "[", "{", ")", "]", "}"}  # next to these, no brackets are needed
_NO_UNKNOWNS = FUNCTIONS | {"pi", "True", "False", "for"}
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?|[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression, equations or inequalities with unknowns.

    Attributes:
        text: As written, with results replaced by their values.
        parameters: The unknowns in the order in which `R4(R5, R6)` fills them; empty for reading order.
    """

    text: str
    parameters: tuple[str, ...] = ()

    def apply(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The formula with `args` for its unknowns: by position (`5, R2`) or by name (`a=3`).

        Returns:
            A number, True or False when no unknown is left; otherwise a formula in the remaining unknowns.

        Raises:
            ToolError: There are more arguments than unknowns, or the result has no value.
        """
        parameters = self.parameters or unknowns(self.text)
        given = _assigned(split(closed(args, bindings)), parameters)
        text = rewritten(self.text, given)
        if unknowns(text):
            rest = tuple(name for name in self.parameters if name not in given)
            return Value(Formula(text, rest), text)
        return Value.of(evaluate(parse_expression(text, algebra=True), {}))


def formula_value(text: str) -> Value:
    """The value of a closed text: a number if it has no unknowns and no comparison, otherwise a formula."""
    if unknowns(text) or is_relation(text):
        return Value(Formula(text), text)
    return Value.of(evaluate(parse_expression(text, algebra=True), {}))


def value_from_sympy(kind: str, text: str) -> Value:
    """The value that `lumos_rl.tools.math.symbolic` wrote as a kind, "exact" or "decimal", and a text."""
    return Value.of(Decimal(text)) if kind == "decimal" else formula_value(text)


def closed(text: str, bindings: Mapping[str, Value]) -> str:
    """The text with every bound name replaced by its value.

    Raises:
        ToolError: A name is bound to something that a formula cannot contain, or an `R` is not bound.
    """
    replacements = {}
    for token in tokenize(text, algebra=True)[1]:
        if token.kind == "name" and token.text in bindings:
            replacements[token.text] = _written(token.text, bindings[token.text])
        elif token.kind == "name" and token.text[0] == "R" and token.text[1:].isdigit():
            raise unknown_result(token.text, bindings)
    return rewritten(text, replacements)


def rewritten(text: str, replacements: Mapping[str, str]) -> str:
    """The text with all names replaced in one pass, in brackets where the neighbouring tokens require them."""
    text, tokens = tokenize(text, algebra=True)
    pieces, end = [], 0
    for index, token in enumerate(tokens):
        if token.kind == "name" and token.text in replacements:
            before, after = tokens[index - 1] if index else None, tokens[index + 1] if index + 1 < len(tokens) else None
            pieces += [text[end : token.start], _embedded(token.text, replacements[token.text], before, after)]
            end = token.end
    return "".join([*pieces, text[end:]]).strip()


def split(text: str, separators: frozenset[str] = SEPARATORS) -> list[str]:
    """The parts of a list or system between separators outside brackets; brackets around the whole are dropped."""
    text, tokens = tokenize(text, algebra=True)
    if tokens and tokens[0].text in "[{" and _closing(tokens) == len(tokens) - 1:
        return split(text[tokens[0].end : tokens[-1].start], separators)
    parts, start, depth = [], 0, 0
    for token in tokens:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text in separators and depth == 0:
            parts.append(text[start : token.start].strip())
            start = token.end
    return [part for part in (*parts, text[start:].strip()) if part]


def unknowns(text: str) -> tuple[str, ...]:
    """The unknowns in a formula, in reading order."""
    names = (token.text for token in tokenize(text, algebra=True)[1] if token.kind == "name")
    return tuple(dict.fromkeys(name for name in names if name not in _NO_UNKNOWNS))


def is_relation(text: str) -> bool:
    """Whether the text compares or equates something."""
    return any(token.text in RELATIONS for token in tokenize(text, algebra=True)[1])


def relation(text: str, wanted: str) -> Chain:
    """The comparison in a text.

    Args:
        text: Closed text.
        wanted: What the error message says was expected.
    """
    node = parse_expression(text, algebra=True)
    if not isinstance(node, Chain) or node.level != COMPARE:
        raise ToolError(f"expected {wanted}, got {text[:60]!r}")
    return node


def _assigned(items: list[str], parameters: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    free = [name for name in parameters if name not in {item.partition("=")[0].strip() for item in items}]
    for item in items:
        name, equals, value = (part.strip() for part in item.partition("="))
        if equals and name in parameters:
            given[name] = value
        elif not equals and free:
            given[free.pop(0)] = item
        else:
            shown = ", ".join(parameters) or "none"
            raise ToolError(f"expected values for at most these unknowns: {shown}; got {item[:60]!r}")
    return given


def _written(name: str, value: Value) -> str:
    exact = value.exact
    if isinstance(exact, Formula):
        return exact.text
    if isinstance(exact, Fraction):
        return number_text(exact)
    if isinstance(exact, Decimal):
        return str(exact)
    number = read_number(exact) if isinstance(exact, str) else None
    if number is None:
        raise ToolError(f"{name} is {value.text[:60]!r}, expected a number or a formula")
    return number_text(number)


def _embedded(name: str, text: str, before: Token | None, after: Token | None) -> str:
    loose = (before is None or before.text in _LOOSE) and (after is None or after.text in _LOOSE)
    if is_relation(text):
        relative = {neighbour.text for neighbour in (before, after) if neighbour is not None} & RELATIONS
        if not loose or relative:
            raise ToolError(f"{name} is the equation {text[:60]!r}, expected a number or an expression in its place")
        return text
    joined = (before is None or before.kind == "op") and (after is None or after.kind == "op")
    beside = {neighbour.text for neighbour in (before, after) if neighbour is not None}
    plain = _PLAIN.fullmatch(text) and joined and not beside & set("()[]{}!%")
    return text if loose or plain else f"({text})"


def _closing(tokens: Sequence[Token]) -> int:
    """Index of the bracket that closes the first token."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth == 0:
            return index
    return -1
