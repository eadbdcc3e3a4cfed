"""Solves with sympy what the other modules cannot, in the child process of `lumos_rl.tools.code.process`.

    >>> respond("solve", [["2^x = 8"], ["x"]])
    {'rows': [[['exact', '3']]]}
    >>> respond("regions", [["abs(x - 3) < 5"], "x"])
    {'intervals': [[['exact', '-2'], False, ['exact', '8'], False]]}

Texts are parsed by `lumos_rl.tools.expression`; sympy's own parser, which evaluates Python, is never used.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.expression import (
    AND,
    COMPARE,
    OR,
    Call,
    Chain,
    Name,
    Node,
    Power,
    Unary,
    parse_expression,
)
from lumos_rl.tools.math.evaluation import evaluate

DIGITS = 40  # of an inexact number
_ZERO = sympy.Float("1e-30")

_RELATIONS: dict[str, Any] = {
    "=": sympy.Eq, "!=": sympy.Ne, "<": sympy.Lt, "<=": sympy.Le, ">": sympy.Gt, ">=": sympy.Ge,
}  # fmt: skip
_OPERATORS: dict[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: sympy.floor(a / b),
    "mod": sympy.Mod,
}
_FUNCTIONS: dict[str, Any] = {
    "abs": sympy.Abs, "ceil": sympy.ceiling, "cos": sympy.cos, "exp": sympy.exp, "factorial": sympy.factorial,
    "floor": sympy.floor, "ln": sympy.log, "log": lambda x, base=10: sympy.log(x, base), "max": sympy.Max,
    "min": sympy.Min, "sin": sympy.sin, "sqrt": sympy.sqrt, "sum": sympy.Add, "tan": sympy.tan,
}  # fmt: skip


def respond(function: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """The child's reply: what `solve` or `regions` returns, or an error."""
    try:
        return {"solve": solve, "regions": regions}[function](*arguments)
    except ToolError as error:
        return {"error": str(error), "limit": isinstance(error, ToolLimitError)}
    except NotImplementedError:
        return {"error": "no way is known to solve this exactly", "limit": False}


def solve(equations: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
    """The real solutions of equations: `rows` holds, for each solution, the value of every target."""
    relations = [_sympy(parse_expression(text, algebra=True)) for text in equations]
    if all(equation == sympy.true for equation in relations):
        raise ToolError("every number is a solution")
    if any(equation == sympy.false for equation in relations):
        raise ToolError("no real solution")
    symbols = [_symbol(target) for target in targets]
    rows = _polynomial_roots(relations[0], symbols[0]) if len(equations) == len(symbols) == 1 else None
    rows = _real_solutions(relations, symbols) if rows is None else rows
    if not rows:
        raise ToolError("no real solution was found")
    if all(value.is_number for row in rows for value in row):
        rows.sort(key=lambda row: [value.evalf(DIGITS) for value in row])
    return {"rows": [[_written(value) for value in row] for row in rows]}


def _polynomial_roots(equation: Any, symbol: Any) -> list[list[Any]] | None:
    """Every real root of a quotient of polynomials in one unknown; None for any other equation."""
    top, bottom = sympy.fraction(sympy.together(equation.lhs - equation.rhs))
    if equation.free_symbols != {symbol} or not (top.is_polynomial(symbol) and bottom.is_polynomial(symbol)):
        return None
    roots = dict.fromkeys(sympy.real_roots(sympy.Poly(top, symbol)))
    return [[root] for root in roots if abs(bottom.subs(symbol, root).evalf(DIGITS)) > _ZERO]


def _real_solutions(relations: list[Any], symbols: list[Any]) -> list[list[Any]]:
    found = sympy.solve([equation for equation in relations if equation != sympy.true], symbols, dict=True)
    rows = [[point.get(symbol) for symbol in symbols] for point in found]
    if any(value is None for row in rows for value in row):
        raise ToolError(f"many solutions: the equations do not say what {', '.join(map(str, symbols))} are")
    return [row for row in rows if all(map(_is_real, row))]


def _is_real(value: Any) -> bool:
    """Whether a solution is real; a formula counts as real unless sympy knows that it is not."""
    return abs(sympy.im(value.evalf(DIGITS))) < _ZERO if value.is_number else value.is_real is not False


def regions(conditions: Sequence[str], name: str) -> dict[str, Any]:
    """Where conditions on one unknown hold: `intervals` of low, whether low is included, high, whether high is."""
    condition = sympy.And(*(_sympy(parse_expression(text, algebra=True)) for text in conditions))
    if condition in (sympy.true, sympy.false):
        return {"intervals": [[None, False, None, False]] if condition == sympy.true else []}
    found = condition.as_set().intersect(sympy.S.Reals)
    intervals: list[list[Any]] = []
    for part in found.args if isinstance(found, sympy.Union) else [found]:
        if isinstance(part, sympy.Interval):
            intervals.append([_bound(part.start), not part.left_open, _bound(part.end), not part.right_open])
        elif isinstance(part, sympy.FiniteSet):
            intervals += [[_written(number), True, _written(number), True] for number in part.args]
        elif part is not sympy.S.EmptySet:
            raise NotImplementedError
    return {"intervals": intervals}


class _Printer(StrPrinter):  # type: ignore[misc]
    """Writes what `lumos_rl.tools.expression` reads."""

    def _print_log(self, expression: Any) -> str:
        return f"ln({self._print(expression.args[0])})"

    def _print_Abs(self, expression: Any) -> str:  # noqa: N802 (sympy finds it by this name)
        return f"abs({self._print(expression.args[0])})"


def _written(value: Any) -> list[str]:
    """A fraction or formula as ["exact", text]; any other number as ["decimal", text]."""
    if value.is_number and not value.is_Rational:
        return ["decimal", str(sympy.re(value.evalf(DIGITS)))]
    text = str(_Printer().doprint(value)).replace("**", "^")
    try:
        parse_expression(text, algebra=True)
    except ToolError as error:
        raise NotImplementedError from error
    return ["exact", text]


def _bound(value: Any) -> list[str] | None:
    return _written(value) if value.is_finite else None


def _symbol(name: str) -> Any:
    return sympy.Symbol(name, real=True)


def _sympy(node: Node) -> Any:
    """The sympy object of a syntax tree."""
    constant = _constant(node)
    if constant is not None:
        return constant
    match node:
        case Name(text):
            return sympy.pi if text == "pi" else _symbol(text)
        case Unary(op, operand):
            return _unary(op, _sympy(operand))
        case Power(base, exponent):
            return sympy.Pow(_sympy(base), _sympy(exponent))
        case Chain(level, first, rest):
            return _chain(level, _sympy(first), [(operator, _sympy(operand)) for operator, operand in rest])
        case Call(function, arguments) if function in _FUNCTIONS:
            return _FUNCTIONS[function](*map(_sympy, arguments))
    raise ToolError("expected an equation without lists, round, gcd and lcm of unknowns")


def _constant(node: Node) -> Any:
    """The exact value of a part without unknowns, within the calculator's limits; None for any other part."""
    try:
        value = evaluate(node, {})
    except ToolLimitError:
        raise
    except ToolError:
        return None
    return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else None


def _unary(op: str, operand: Any) -> Any:
    if op == "not":
        return sympy.Not(operand)
    if op == "!":
        return sympy.factorial(operand)
    if op == "%":
        return operand / 100
    return -operand if op == "-" else operand


def _chain(level: int, first: Any, rest: list[tuple[str, Any]]) -> Any:
    if level in (AND, OR):
        return (sympy.And if level == AND else sympy.Or)(first, *(operand for _, operand in rest))
    if level == COMPARE:
        operands = [first, *(operand for _, operand in rest)]
        pairs = zip((operator for operator, _ in rest), operands, operands[1:], strict=False)
        return sympy.And(*(_RELATIONS[operator](left, right) for operator, left, right in pairs))
    return functools.reduce(lambda total, step: _OPERATORS[step[0]](total, step[1]), rest, first)
