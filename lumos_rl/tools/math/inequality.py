"""Inequalities in one unknown: `SolveInequality(-2x < 6)` is `x > -3`.

    >>> SolveInequality()("x^2 >= 4, x < R1", {"R1": Value.of(5)}).text
    'x <= -2 or 2 <= x < 5'

A condition can only change its truth where two compared sides are equal or a denominator is zero. If these points are
roots of degree 1 or 2, they are found exactly, and one sample decides each interval between them. The rest is given to
sympy in a child process, as in `lumos_rl.tools.math.algebra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value, arguments, number_text
from lumos_rl.tools.code.process import SYMPY_WALL_S, ChildLimits, InChild, ask_sympy
from lumos_rl.tools.expression import ADD, AND, COMPARE, OR, Chain, Node, Unary, parse_expression
from lumos_rl.tools.math.arithmetic import Real, operate, order
from lumos_rl.tools.math.evaluation import evaluate
from lumos_rl.tools.math.formula import Formula, closed, is_relation, split, unknowns, value_from_sympy
from lumos_rl.tools.math.polynomial import BeyondPolynomialsError, check_degree, ratio, roots

_AN_INEQUALITY = "an inequality such as 2x + 1 > 5"
_EVERYTHING = "all real numbers"
Interval = tuple[Real | None, bool, Real | None, bool]  # low, whether low is included, high, whether high is included


class SolveInequality(InChild):
    """Solves inequalities in one unknown for real numbers."""

    usage = "SolveInequality(inequality): where it holds, e.g. x > 3"
    schema = arguments(inequality="An inequality, such as 2x > 6.")

    def __init__(self, limits: ChildLimits | None = None) -> None:
        super().__init__(limits or ChildLimits(wall_s=SYMPY_WALL_S))

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The solution as a formula such as `x > 3`, `-2 < x <= 2` or `x < 1 or x > 2`.

        Raises:
            ToolError: There is no inequality, not exactly one unknown, or no solution.
            ToolLimitError: It takes too long.
        """
        text = closed(args, bindings)
        parts = split(text, frozenset({",", ";"}))
        if not any(map(is_relation, parts)):
            raise ToolError(f"expected {_AN_INEQUALITY}, got {args[:60]!r}")
        names = unknowns(text)
        if len(names) != 1:
            raise ToolError(f"expected one unknown in the inequality, got {', '.join(names) or 'none'}")
        conditions = [parse_expression(part, algebra=True) for part in parts]
        try:
            intervals = _where(conditions, names[0])
        except BeyondPolynomialsError:
            for condition in conditions:
                check_degree(condition)
            found = ask_sympy("regions", [parts, names[0]], self.limits)["intervals"]
            intervals = [(_end(low), bool(first), _end(high), bool(last)) for low, first, high, last in found]
        if not intervals:
            raise ToolError("no real number solves this")
        shown = " or ".join(_interval_text(names[0], interval) for interval in intervals)
        return Value.of(shown) if shown == _EVERYTHING else Value(Formula(shown), shown)


def _where(conditions: list[Node], name: str) -> list[Interval]:
    """The intervals in which all conditions hold; truth changes only at roots, so one sample per interval is enough."""
    cuts: list[Real] = []
    for left, right in (pair for condition in conditions for pair in _compared(condition)):
        difference = ratio(Chain(ADD, left, (("-", right),)))
        cuts += roots(difference.top) + roots(difference.bottom)
    cuts = sorted(cuts, key=cmp_to_key(order))
    cuts = [cut for index, cut in enumerate(cuts) if index == 0 or order(cuts[index - 1], cut) != 0]
    samples: list[Real] = [operate("-", cuts[0], Fraction(1)) if cuts else Fraction(0)]
    for index, cut in enumerate(cuts):
        following = cuts[index + 1] if index + 1 < len(cuts) else operate("+", cut, Fraction(2))
        samples += [cut, operate("/", operate("+", cut, following), Fraction(2))]
    return _intervals(cuts, [_holds(conditions, name, sample) for sample in samples])


def _intervals(cuts: list[Real], truths: list[bool]) -> list[Interval]:
    """Runs of true cells; the cells are, alternately, the open intervals between cuts and the cuts themselves."""
    found: list[Interval] = []
    start = None
    for index, holds in enumerate([*truths, False]):
        if holds and start is None:
            start = index
        elif not holds and start is not None:
            last = index - 1
            low = cuts[(start - 1) // 2] if start else None
            high = cuts[last // 2] if last // 2 < len(cuts) else None
            found.append((low, start % 2 == 1, high, last % 2 == 1))
            start = None
    return found


def _holds(conditions: list[Node], name: str, number: Real) -> bool:
    try:
        return all(evaluate(condition, {name: Value.of(number)}) is True for condition in conditions)
    except ToolLimitError:
        raise
    except ToolError:
        return False  # it has no value at this number, e.g. a division by zero


def _compared(node: Node) -> list[tuple[Node, Node]]:
    """Every pair of sides that a condition compares."""
    match node:
        case Chain(level, first, rest) if level == COMPARE:
            sides = [first, *(side for _, side in rest)]
            return list(pairwise(sides))
        case Chain(level, first, rest) if level in (AND, OR):
            return [pair for part in (first, *(part for _, part in rest)) for pair in _compared(part)]
        case Unary("not", operand):
            return _compared(operand)
    raise ToolError(f"expected {_AN_INEQUALITY}")


def _interval_text(name: str, interval: Interval) -> str:
    low, has_low, high, has_high = interval
    after_low, before_high = "<=" if has_low else "<", "<=" if has_high else "<"
    if low is None and high is None:
        return _EVERYTHING
    if low is None or high is None:
        bound = high if high is not None else low
        assert bound is not None
        sign = before_high if low is None else after_low.replace("<", ">")
        return f"{name} {sign} {number_text(bound)}"
    if order(low, high) == 0:
        return f"{name} = {number_text(low)}"
    return f"{number_text(low)} {after_low} {name} {before_high} {number_text(high)}"


def _end(written: list[str] | None) -> Real | None:
    number = None if written is None else value_from_sympy(*written).exact
    assert number is None or isinstance(number, Real), "the ends of an interval are numbers"
    return number
