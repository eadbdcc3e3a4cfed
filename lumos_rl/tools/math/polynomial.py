"""Polynomials with fractions as coefficients: the equations of word problems, solved exactly in microseconds.

    >>> sums = [ratio(parse_expression(text, algebra=True)).top for text in ("x + y - 3", "x - y - 1")]
    >>> solve_linear(sums, ["x", "y"])
    [Fraction(2, 1), Fraction(1, 1)]
    >>> roots(ratio(parse_expression("x^2 - 4", algebra=True)).top)
    [Fraction(-2, 1), Fraction(2, 1)]

Anything but a quotient of small polynomials raises `BeyondPolynomialsError` and is left to `symbolic`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.expression import ADD, MULTIPLY, Call, Chain, Items, Name, Node, Number, Power, Unary
from lumos_rl.tools.math.arithmetic import Real, checked, operate, order, power
from lumos_rl.tools.math.evaluation import evaluate

Monomial = tuple[tuple[str, int], ...]  # (("x", 2), ("y", 1)) is x^2 y; () is the constant term
Polynomial = dict[Monomial, Fraction]  # without zero coefficients
MAX_TERMS = 60
MAX_DEGREE = 8
MAX_POWER = 60  # of an unknown; above, sympy computes for seconds
_UNKNOWN_POWER = 4  # so that 2^(2^x) is within MAX_POWER, and 2^x^x^x is not


class BeyondPolynomialsError(Exception):
    """An expression needs more than this file can do; only used inside the tools."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """`top / bottom`. It is never reduced, so the expression is undefined exactly where `bottom` is zero."""

    top: Polynomial
    bottom: Polynomial


def ratio(node: Node) -> Ratio:
    """The expression as a quotient of polynomials; fast, because the number of terms is bounded."""
    match node:
        case Number(value):
            return _constant(value)
        case Name(text) if text != "pi":
            return Ratio({((text, 1),): Fraction(1)}, _ONE)
        case Unary("-" | "+" as op, operand):
            inner = ratio(operand)
            return Ratio(_scaled(inner.top, Fraction(-1 if op == "-" else 1)), inner.bottom)
        case Unary("%", operand):
            return _times(ratio(operand), _constant(Fraction(1, 100)))
        case Chain(level, first, rest) if level in (ADD, MULTIPLY):
            return reduce(_combined, rest, ratio(first))
        case Power(base, exponent):
            return _raised(ratio(base), _whole(_value(exponent)))
    return _constant(_value(node))


def check_degree(node: Node) -> None:
    """Refuses at once what sympy would compute at for seconds: high powers of unknowns, and towers of them.

    Raises:
        ToolLimitError: Its degree as written is above `MAX_POWER`, or unknowns are exponents of exponents of exponents.
    """
    if _power_of_unknowns(node) > MAX_POWER:
        raise ToolLimitError(f"expected powers of unknowns of at most {MAX_POWER}, and no tower of them")


def _power_of_unknowns(node: Node) -> Fraction:
    """The degree as written; a power with an unknown exponent counts as `_UNKNOWN_POWER` times its base."""
    match node:
        case Name(text):
            return Fraction(text not in ("pi", "True", "False"))
        case Unary(_, operand):
            return _power_of_unknowns(operand)
        case Power(base, exponent):
            below, above = _power_of_unknowns(base), _power_of_unknowns(exponent)
            if above:
                return _UNKNOWN_POWER * max(below, above)
            return below * max(_exponent(exponent), Fraction(1)) if below else below
        case Chain(level, first, rest):
            degrees = [_power_of_unknowns(part) for part in (first, *(operand for _, operand in rest))]
            return sum(degrees, Fraction(0)) if level == MULTIPLY else max(degrees)
        case Call(_, parts) | Items(parts):
            return max(map(_power_of_unknowns, parts), default=Fraction(0))
    return Fraction(0)


def _exponent(node: Node) -> Fraction:
    """A constant exponent; its larger part counts, so that x^(1/9999) is as high as x^9999."""
    value = evaluate(node, {})
    if not isinstance(value, Fraction):
        return Fraction(1)
    return Fraction(max(abs(value.numerator), value.denominator)) if value.denominator < 10**4 else abs(value)


def degree(polynomial: Polynomial) -> int:
    """The highest total degree of a term; 0 for a constant."""
    return max((sum(exponent for _, exponent in monomial) for monomial in polynomial), default=0)


def value_at(polynomial: Polynomial, point: Mapping[str, Real]) -> Real:
    """The polynomial's value at `point`, which gives a number for each name."""
    total: Real = Fraction(0)
    for monomial, coefficient in polynomial.items():
        term: Real = coefficient
        for name, exponent in monomial:
            term = operate("*", term, power(point[name], Fraction(exponent)))
        total = operate("+", total, term)
    return total


def roots(polynomial: Polynomial) -> list[Real]:
    """The real roots of a polynomial of degree 1 or 2 in one unknown, in ascending order.

    Raises:
        BeyondPolynomialsError: The degree is higher.
    """
    if degree(polynomial) > 2:
        raise BeyondPolynomialsError
    by_degree = {sum(exponent for _, exponent in monomial): value for monomial, value in polynomial.items()}
    a, b, c = (by_degree.get(exponent, Fraction(0)) for exponent in (2, 1, 0))
    if a == 0:
        return [checked(-c / b)] if b else []
    discriminant = checked(b * b - 4 * a * c)
    if discriminant < 0:
        return []
    step = operate("/", power(discriminant, Fraction(1, 2)), 2 * abs(a))
    middle = checked(-b / (2 * a))
    return [middle] if discriminant == 0 else [operate("-", middle, step), operate("+", middle, step)]


def solve_linear(polynomials: Sequence[Polynomial], names: Sequence[str]) -> list[Fraction] | None:
    """The one point where all these polynomials of degree at most 1 are zero, by Gauss-Jordan elimination.

    Returns:
        A number for each name; None when there are many such points.

    Raises:
        ToolError: There is no such point.
    """
    columns: list[Monomial] = [*(((name, 1),) for name in names), ()]
    rows = [[polynomial.get(column, Fraction(0)) for column in columns] for polynomial in polynomials]
    solved: list[list[Fraction]] = []
    for column in range(len(names)):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows = [row for row in rows if row is not pivot]
        pivot = [checked(entry / pivot[column]) for entry in pivot]
        solved = [_without(row, pivot, column) for row in solved] + [pivot]
        rows = [_without(row, pivot, column) for row in rows]
    if any(row[-1] for row in rows):
        raise ToolError("no solution: the equations contradict each other")
    return [-row[-1] for row in solved] if len(solved) == len(names) else None


def is_zero(number: Real) -> bool:
    """Whether the number is 0 (within the tolerance of `order` if it is inexact)."""
    return order(number, Fraction(0)) == 0


_ONE: Polynomial = {(): Fraction(1)}


def _without(row: list[Fraction], pivot: list[Fraction], column: int) -> list[Fraction]:
    factor = row[column]
    return [checked(entry - factor * other) for entry, other in zip(row, pivot, strict=True)] if factor else row


def _constant(value: Fraction) -> Ratio:
    return Ratio({(): value} if value else {}, _ONE)


def _value(node: Node) -> Fraction:
    """The exact value of an expression without unknowns."""
    try:
        value = evaluate(node, {})
    except ToolError as error:
        if type(error) is not ToolError:
            raise  # the limit also applies to sympy
        raise BeyondPolynomialsError from error
    if not isinstance(value, Fraction):
        raise BeyondPolynomialsError
    return value


def _whole(exponent: Fraction) -> int:
    if exponent.denominator != 1:
        raise BeyondPolynomialsError
    return exponent.numerator


def _combined(left: Ratio, step: tuple[str, Node]) -> Ratio:
    operator, right = step[0], ratio(step[1])
    if operator == "*":
        return _times(left, right)
    if operator == "/":
        return _times(left, _inverse(right))
    if operator not in ("+", "-"):
        raise BeyondPolynomialsError
    top = _sum(
        _product(left.top, right.bottom),
        _scaled(_product(right.top, left.bottom), Fraction(1 if operator == "+" else -1)),
    )
    return Ratio(top, _product(left.bottom, right.bottom))


def _times(left: Ratio, right: Ratio) -> Ratio:
    return Ratio(_product(left.top, right.top), _product(left.bottom, right.bottom))


def _inverse(quotient: Ratio) -> Ratio:
    if not quotient.top:
        raise ToolError("division by zero; check the divisor")
    if set(quotient.top) == {()}:
        return Ratio(_scaled(quotient.bottom, 1 / quotient.top[()]), _ONE)
    if degree(quotient.bottom) == 0:
        return Ratio(quotient.bottom, quotient.top)
    return Ratio(_product(quotient.bottom, quotient.bottom), _product(quotient.top, quotient.bottom))


def _raised(base: Ratio, exponent: int) -> Ratio:
    if set(base.top) <= {()} and set(base.bottom) == {()}:
        value = power(base.top.get((), Fraction(0)) / base.bottom[()], Fraction(exponent))
        assert isinstance(value, Fraction), "an integer power of a fraction is exact"
        return _constant(value)
    if abs(exponent) > MAX_DEGREE:
        raise BeyondPolynomialsError
    factor = base if exponent >= 0 else _inverse(base)
    return reduce(_times, [factor] * abs(exponent), _constant(Fraction(1)))


def _scaled(polynomial: Polynomial, factor: Fraction) -> Polynomial:
    return {monomial: checked(value * factor) for monomial, value in polynomial.items()} if factor else {}


def _sum(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for monomial, value in right.items():
        total[monomial] = checked(total.get(monomial, Fraction(0)) + value)
    return _bounded({monomial: value for monomial, value in total.items() if value})


def _product(left: Polynomial, right: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for a, x in left.items():
        for b, y in right.items():
            exponents = dict(a)
            for name, exponent in b:
                exponents[name] = exponents.get(name, 0) + exponent
            monomial = tuple(sorted(exponents.items()))
            total[monomial] = checked(total.get(monomial, Fraction(0)) + x * y)
    return _bounded({monomial: value for monomial, value in total.items() if value})


def _bounded(polynomial: Polynomial) -> Polynomial:
    if len(polynomial) > MAX_TERMS or degree(polynomial) > MAX_DEGREE:
        raise BeyondPolynomialsError
    return polynomial
