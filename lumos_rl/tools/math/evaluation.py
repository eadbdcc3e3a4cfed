"""The values of syntax trees: exact arithmetic, comparisons and lists.

    >>> evaluate(parse_expression("1,250 * 20% + R1"), {"R1": Value.of(Fraction(1, 3))})
    Fraction(751, 3)

Evaluation is fast, because expressions (`expression.MAX_LENGTH`) and numbers (`arithmetic.MAX_DIGITS`) are bounded.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value, number_text, unknown_result
from lumos_rl.tools.expression import (
    LIST_FUNCTIONS,
    Call,
    Chain,
    Items,
    Name,
    Node,
    Number,
    Power,
    Unary,
    read_number,
)
from lumos_rl.tools.math.arithmetic import PI, Real, apply_function, checked, factorial, negative, operate, order, power

Result = Real | bool | tuple["Result", ...]
_COMPARISONS = {"=": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}  # orders that hold


def evaluate(node: Node, bindings: Mapping[str, Value]) -> Result:
    """The value of a syntax tree.

    Args:
        node: The tree.
        bindings: The values of the names in it.

    Raises:
        ToolError: It has no value, e.g. a division by zero or an unknown name.
        ToolLimitError: A number in it is too large.
    """
    try:
        return _evaluate(node, bindings)
    except decimal.Overflow as error:
        raise ToolLimitError("the result is too large to be computed") from error
    except decimal.DecimalException as error:
        raise ToolError("the expression has no real value") from error


def _evaluate(node: Node, bindings: Mapping[str, Value]) -> Result:
    match node:
        case Number(value):
            return checked(value)
        case Name(text):
            return _named(text, bindings)
        case Unary(op, operand):
            return _unary(op, _evaluate(operand, bindings))
        case Power(base, exponent):
            return power(_real(_evaluate(base, bindings)), _real(_evaluate(exponent, bindings)))
        case Chain(_, first, rest):
            operands = [_evaluate(operand, bindings) for operand in (first, *(operand for _, operand in rest))]
            return _chain([op for op, _ in rest], operands)
        case Call(function, arguments):
            return _call(function, [_evaluate(argument, bindings) for argument in arguments])
        case Items(items):
            return tuple(_evaluate(item, bindings) for item in items)


def _named(name: str, bindings: Mapping[str, Value]) -> Result:
    if name in bindings:
        return _number_of(name, bindings[name])
    if name in ("True", "False"):
        return name == "True"
    if name == "pi":
        return PI
    if name[0] == "R" and name[1:].isdigit():
        raise unknown_result(name, bindings)
    raise ToolError(f"unexpected word {name[:60]!r}; expected numbers, operators and results such as R1")


def _number_of(name: str, value: Value) -> Result:
    if isinstance(value.exact, Fraction | Decimal | bool):
        return value.exact
    if isinstance(value.exact, tuple):
        return tuple(_number_of(name, item) for item in value.exact)
    number = read_number(value.exact) if isinstance(value.exact, str) else None
    if number is None:
        raise ToolError(f"{name} is {value.text[:60]!r}, expected a number")
    return number


def _real(result: Result) -> Real:
    if isinstance(result, bool):
        raise ToolError(f"expected a number, got {result}")
    if isinstance(result, tuple):
        raise ToolError(f"expected a number, got the list {_shown(result)}; name its items first, as in R8, R9 = R7")
    return result


def _truth(result: Result, beside: str) -> bool:
    if not isinstance(result, bool):
        raise ToolError(f"expected True or False beside {beside!r}, got {_shown(result)}")
    return result


def _shown(result: Result) -> str:
    if isinstance(result, tuple):
        return f"[{', '.join(map(_shown, result))}]"
    return str(result) if isinstance(result, bool) else number_text(result)


def _unary(op: str, result: Result) -> Result:
    if op == "not":
        return not _truth(result, op)
    number = _real(result)
    if op == "!":
        return factorial(number)
    if op == "%":
        return operate("/", number, Fraction(100))
    return negative(number) if op == "-" else number


def _chain(operators: list[str], operands: list[Result]) -> Result:
    """Operands joined by operators of one level, from the left."""
    if operators[0] in ("and", "or"):
        truths = [_truth(operand, operators[0]) for operand in operands]
        return all(truths) if operators[0] == "and" else any(truths)
    if operators[0] in _COMPARISONS:
        return all(map(_compare, operators, operands, operands[1:]))
    total = _real(operands[0])
    for operator, operand in zip(operators, operands[1:], strict=True):
        total = operate(operator, total, _real(operand))
    return total


def _compare(operator: str, left: Result, right: Result) -> bool:
    if isinstance(left, bool) and isinstance(right, bool) and operator in ("=", "!="):
        return (left == right) == (operator == "=")
    return order(_real(left), _real(right)) in _COMPARISONS[operator]


def _call(name: str, arguments: list[Result]) -> Real:
    """A function's value; those that take any number of arguments also take lists."""
    numbers: list[Real] = []
    for argument in arguments:
        items = argument if isinstance(argument, tuple) and name in LIST_FUNCTIONS else (argument,)
        numbers.extend(map(_real, items))
    return apply_function(name, numbers)
