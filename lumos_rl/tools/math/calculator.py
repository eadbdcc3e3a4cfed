"""Exact arithmetic: `Calculator(48 / 2)` is 24, `Calculator(1 / 3)` is 1/3, `Calculator(R1 > 3)` is True.

    >>> Calculator()("1,250 * 20% + R1", {"R1": Value.of(Fraction(1, 3))})
    Value(exact=Fraction(751, 3), text='751/3')

`lumos_rl.tools.expression` explains how expressions are parsed. Numbers are fractions, so nothing is rounded, except
values that are no fraction: sqrt(2), 2^0.5, log, ln, exp, sin, cos, tan, pi. These are decimals of 40 digits (shown
with 15; two of them are equal when they agree to 20). `log(x)` has base 10, `log(x, b)` base b; angles are in radians;
`round` rounds halves away from zero; the remainder has the sign of its divisor; max, min, sum, gcd and lcm also take
lists, e.g. the solutions of an equation.

An expression with unknowns has a formula as its value: `Calculator(40% * p)` is `40% * p`. An unknown is a single
letter, or the name of a result that is an expression with unknowns.
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value, arguments
from lumos_rl.tools.expression import parse_tokens, tokenize
from lumos_rl.tools.math.evaluation import evaluate
from lumos_rl.tools.math.formula import Formula, closed, formula_value, is_relation

_NUMBER_LETTERS = ("e", "i")  # likelier a mistake than an unknown


class Calculator:
    """Exact arithmetic and comparisons."""

    usage = "Calculator(expression): exact arithmetic and comparisons; R1, R2 ... stand for earlier results"
    schema = arguments(expression="Arithmetic or a comparison, such as 48 / 2 or R1 > 3.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The value of the expression, a formula if it has unknowns; raises `ToolError` if it has no value."""
        text, tokens = tokenize(args)
        node = parse_tokens(tokens)
        if len(tokens) > 1 and any(token.kind == "name" and _is_unknown(token.text, bindings) for token in tokens):
            plain = list(text)
            for token in tokens:
                if token.text == "*" and text[token.start] in "xX":
                    plain[token.start] = "*"
            return _formula("".join(plain), bindings)
        result = evaluate(node, bindings)
        if isinstance(result, tuple):
            raise ToolError("expected one number, got a list")
        return Value.of(result)


def calculate(expression: str, bindings: Mapping[str, Value] | None = None) -> str:
    """The text of an expression's value: `calculate("48 / 2")` is "24". Raises `ToolError` if it has no value."""
    return Calculator()(expression, bindings or {}).text


def _is_unknown(name: str, bindings: Mapping[str, Value]) -> bool:
    if name in bindings:
        exact = bindings[name].exact
        return isinstance(exact, Formula) and not is_relation(exact.text)
    return len(name) == 1 and name not in _NUMBER_LETTERS


def _formula(text: str, bindings: Mapping[str, Value]) -> Value:
    text = closed(text, bindings)
    if is_relation(text):
        raise ToolError(
            f"expected numbers to compare, got unknowns in {text[:60]!r}; use SolveEquation or SolveInequality"
        )
    return formula_value(text)
