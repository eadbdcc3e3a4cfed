"""Exact arithmetic: `Calculator(48 / 2)` is 24, `Calculator(1 / 3)` is 1/3, `Calculator(R1 > 3)` is True.

    >>> Calculator()("1,250 * 20% + R1", {"R1": Value.of(Fraction(1, 3))})
    Value(exact=Fraction(751, 3), text='751/3')

How expressions are read stands in `lumos_rl.tools.expression`. Numbers are fractions, so nothing is rounded, except
where a value is no fraction: sqrt(2), 2^0.5, log, ln, exp, sin, cos, tan, pi. These are decimals of 40 digits (shown
with 15; two of them are equal when they agree to 20). `log(x)` has base 10, `log(x, b)` base b; angles are in radians;
`round` takes halves away from zero; the remainder has the sign of its divisor.

Nothing takes long: expressions are short (`expression.MAX_LENGTH`), no number may have more than `MAX_DIGITS` digits,
and powers and factorials are measured before they are computed.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value, number_text, unknown_result
from lumos_rl.tools.expression import (
    Call,
    Chain,
    Items,
    Name,
    Node,
    Number,
    Power,
    Unary,
    parse_expression,
    read_number,
)

MAX_DIGITS = 1000  # of a numerator or denominator
_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_MAX_FACTORIAL = 449  # 450! has more than MAX_DIGITS digits
_MAX_ANGLE = 10**9
_CONTEXT = decimal.Context(
    prec=40,
    Emax=2000,
    Emin=-2000,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
_HALF_PI = Decimal("1.57079632679489661923132169163975144209858469968755291048747230")
_TINY = Decimal("1e-20")

Real = Fraction | Decimal
Result = Real | bool | tuple["Result", ...]


class Calculator:
    """Exact arithmetic and comparisons."""

    usage = (
        "Calculator(expression): exact arithmetic and comparisons, e.g. Calculator(R1 * 20% + 1/3); R1, R2 are results"
    )

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The value of the expression; raises `ToolError` when it has none."""
        result = evaluate(parse_expression(args), bindings)
        if isinstance(result, tuple):
            raise ToolError("expected one number, got a list")
        return Value.of(result)


def calculate(expression: str, bindings: Mapping[str, Value] | None = None) -> str:
    """The text of an expression's value: `calculate("48 / 2")` is "24". Raises `ToolError` when it has none."""
    return Calculator()(expression, bindings or {}).text


def evaluate(node: Node, bindings: Mapping[str, Value]) -> Result:
    """The value of a syntax tree.

    Args:
        node: What to evaluate.
        bindings: What the names in it stand for.

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


def _evaluate(node: Node, bindings: Mapping[str, Value]) -> Result:  # noqa: PLR0911 (one return per kind of node)
    match node:
        case Number(value):
            return _checked(value)
        case Name(text):
            return _named(text, bindings)
        case Unary(op, operand):
            return _unary(op, _evaluate(operand, bindings))
        case Power(base, exponent):
            return _power(_real(_evaluate(base, bindings)), _real(_evaluate(exponent, bindings)))
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
        return _CONTEXT.plus(_PI)
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


def _shown(result: Result) -> str:
    if isinstance(result, tuple):
        return f"[{', '.join(map(_shown, result))}]"
    return str(result) if isinstance(result, bool) else number_text(result)


def _checked(number: Fraction) -> Fraction:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _MAX_BITS:
        raise ToolLimitError(f"expected numbers of at most {MAX_DIGITS} digits")
    return number


def _decimal(number: Real) -> Decimal:
    if isinstance(number, Decimal):
        return number
    return _CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _unary(op: str, result: Result) -> Result:
    if op == "not":
        if not isinstance(result, bool):
            raise ToolError(f"expected True or False after 'not', got {_shown(result)}")
        return not result
    number = _real(result)
    if op == "!":
        return _factorial(number)
    if op == "%":
        return _binary("/", number, Fraction(100))
    return _binary("-", Fraction(0), number) if op == "-" else number


def _chain(operators: list[str], operands: list[Result]) -> Result:
    """Operands joined by operators of one level, from the left."""
    if operators[0] in ("and", "or"):
        for operand in operands:
            if not isinstance(operand, bool):
                raise ToolError(f"expected True or False beside '{operators[0]}', got {_shown(operand)}")
        return all(operands) if operators[0] == "and" else any(operands)
    if operators[0] in _COMPARISONS:
        return all(map(_compare, operators, operands, operands[1:]))
    total = _real(operands[0])
    for operator, operand in zip(operators, operands[1:], strict=True):
        total = _binary(operator, total, _real(operand))
    return total


def _binary(operator: str, left: Real, right: Real) -> Real:
    if operator in ("/", "mod") and right == 0:
        raise ToolError("division by zero; check the divisor")
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return _checked(_EXACT[operator](left, right))
    a, b = _decimal(left), _decimal(right)
    if operator == "mod":
        return _CONTEXT.subtract(a, _CONTEXT.multiply(b, Decimal(math.floor(_CONTEXT.divide(a, b)))))
    return _INEXACT[operator](a, b)


_EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "mod": lambda a, b: a % b,
}
_INEXACT: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _CONTEXT.add,
    "-": _CONTEXT.subtract,
    "*": _CONTEXT.multiply,
    "/": _CONTEXT.divide,
}
_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "=": lambda sign: sign == 0,
    "!=": lambda sign: sign != 0,
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _compare(operator: str, left: Result, right: Result) -> bool:
    if isinstance(left, bool) and isinstance(right, bool):
        if operator not in ("=", "!="):
            raise ToolError(f"expected numbers around {operator!r}, got {left} and {right}")
        return (left == right) == (operator == "=")
    return _COMPARISONS[operator](_order(_real(left), _real(right)))


def _order(left: Real, right: Real) -> int:
    """-1, 0 or 1: how left compares to right."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return (left > right) - (left < right)
    a, b = _decimal(left), _decimal(right)
    if abs(_CONTEXT.subtract(a, b)) <= _CONTEXT.multiply(_TINY, max(abs(a), abs(b), Decimal(1))):
        return 0
    return 1 if a > b else -1


def _power(base: Real, exponent: Real) -> Real:
    if base == 0 and exponent < 0:
        raise ToolError("division by zero: 0 to a negative power")
    if isinstance(exponent, Decimal) or isinstance(base, Decimal):
        if exponent == 0:
            return Fraction(1)
        return _CONTEXT.power(_decimal(base), _decimal(exponent))
    if exponent.denominator == 1:
        return _integer_power(base, exponent.numerator)
    if base < 0 and exponent.denominator % 2 == 0:
        raise ToolError(f"{number_text(base)} has no real root of even degree")
    sign = -1 if base < 0 and exponent.numerator % 2 else 1
    root = _exact_root(abs(base), exponent.denominator)
    if root is not None:
        return sign * _integer_power(root, exponent.numerator)
    return sign * _CONTEXT.power(_decimal(abs(base)), _decimal(exponent))


def _integer_power(base: Fraction, exponent: int) -> Fraction:
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) not in (0, 1) and (bits - 1) * abs(exponent) > _MAX_BITS:
        raise ToolLimitError(f"the power has more than {MAX_DIGITS} digits")
    if abs(base) == 1:
        return base if exponent % 2 else Fraction(1)
    return _checked(base**exponent)


def _exact_root(number: Fraction, degree: int) -> Fraction | None:
    """The root of a number ≥ 0 if it is a fraction, else None."""
    if degree > _MAX_BITS:
        return None if number not in (0, 1) else number
    top, bottom = _integer_root(number.numerator, degree), _integer_root(number.denominator, degree)
    return Fraction(top, bottom) if top**degree == number.numerator and bottom**degree == number.denominator else None


def _integer_root(number: int, degree: int) -> int:
    """The largest integer whose power is not above `number`."""
    if degree == 2:
        return math.isqrt(number)
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= number else (low, middle)
    return low


def _integer(number: Real, what: str) -> int:
    if not isinstance(number, Fraction) or number.denominator != 1:
        raise ToolError(f"expected an integer {what}, got {number_text(number)}")
    return number.numerator


def _factorial(number: Real) -> Fraction:
    n = _integer(number, "before '!' or in factorial")
    if n < 0:
        raise ToolError(f"expected an integer from 0 on for a factorial, got {n}")
    if n > _MAX_FACTORIAL:
        raise ToolLimitError(f"expected at most {_MAX_FACTORIAL}! (more than {MAX_DIGITS} digits beyond)")
    return Fraction(math.factorial(n))


def _rounded(number: Real, places: Real = Fraction(0)) -> Real:
    digits = _integer(places, "of places in round")
    if abs(digits) > MAX_DIGITS:
        raise ToolLimitError(f"expected at most {MAX_DIGITS} places in round")
    scale = Fraction(10) ** digits
    scaled = Fraction(number) * scale
    return _checked((1 if scaled >= 0 else -1) * Fraction(math.floor(abs(scaled) + Fraction(1, 2))) / scale)


def _logarithm(number: Real, base: Real = Fraction(10)) -> Real:
    if base <= 0 or base == 1:
        raise ToolError(f"expected a positive base other than 1 in log, got {number_text(base)}")
    quotient = _CONTEXT.divide(_natural_logarithm(number), _natural_logarithm(base))
    nearest = round(quotient)
    exact = isinstance(number, Fraction) and isinstance(base, Fraction)
    return Fraction(nearest) if exact and abs(quotient - nearest) < _TINY and base**nearest == number else quotient


def _natural_logarithm(number: Real) -> Decimal:
    if number <= 0:
        raise ToolError(f"expected a positive number in a logarithm, got {number_text(number)}")
    return _CONTEXT.ln(_decimal(number))


def _sine(number: Real, shift: Decimal = Decimal(0)) -> Decimal:
    """The sine of `number + shift`: a Taylor series after the angle is brought between -pi and pi."""
    if abs(number) > _MAX_ANGLE:
        raise ToolLimitError(f"expected an angle of at most {_MAX_ANGLE} radians")
    with decimal.localcontext(_CONTEXT) as context:
        context.prec += 15
        angle = _decimal(number) + shift
        term = total = angle - 2 * _PI * (angle / (2 * _PI)).to_integral_value()
        square, n = term * term, 1
        while abs(term) > Decimal("1e-50"):
            term *= -square / ((n + 1) * (n + 2))
            total, n = total + term, n + 2
    return _CONTEXT.plus(total) if abs(total) > Decimal("1e-35") else Decimal(0)


def _cosine(number: Real) -> Decimal:
    return _sine(number, _HALF_PI)


def _tangent(number: Real) -> Decimal:
    cosine = _cosine(number)
    if cosine == 0:
        raise ToolError("the tangent has no value at this angle")
    return _CONTEXT.divide(_sine(number), cosine)


def _common(function: Callable[..., int], name: str) -> Callable[..., Real]:
    return lambda *numbers: _checked(Fraction(function(*(_integer(number, f"in {name}") for number in numbers))))


def _total(*numbers: Real) -> Real:
    total: Real = Fraction(0)
    for number in numbers:
        total = _binary("+", total, number)
    return total


def _highest(*numbers: Real) -> Real:
    best = numbers[0]
    for number in numbers[1:]:
        best = number if _order(number, best) > 0 else best
    return best


def _lowest(*numbers: Real) -> Real:
    return _unary_minus(_highest(*map(_unary_minus, numbers)))


def _unary_minus(number: Real) -> Real:
    return _binary("-", Fraction(0), number)


_FUNCTIONS: dict[str, tuple[Callable[..., Real], int, int | None]] = {  # with the fewest and most arguments
    "abs": (abs, 1, 1),
    "ceil": (lambda number: Fraction(math.ceil(number)), 1, 1),
    "cos": (_cosine, 1, 1),
    "exp": (lambda number: _CONTEXT.exp(_decimal(number)), 1, 1),
    "factorial": (_factorial, 1, 1),
    "floor": (lambda number: Fraction(math.floor(number)), 1, 1),
    "gcd": (_common(math.gcd, "gcd"), 1, None),
    "lcm": (_common(math.lcm, "lcm"), 1, None),
    "ln": (_natural_logarithm, 1, 1),
    "log": (_logarithm, 1, 2),
    "max": (_highest, 1, None),
    "min": (_lowest, 1, None),
    "round": (_rounded, 1, 2),
    "sin": (_sine, 1, 1),
    "sqrt": (lambda number: _power(number, Fraction(1, 2)), 1, 1),
    "sum": (_total, 1, None),
    "tan": (_tangent, 1, 1),
}


def _call(name: str, arguments: list[Result]) -> Real:
    """A function's value; those that take any number of arguments also take lists."""
    function, fewest, most = _FUNCTIONS[name]
    if most is None:
        arguments = [
            item for argument in arguments for item in (argument if isinstance(argument, tuple) else (argument,))
        ]
    if len(arguments) < fewest or (most is not None and len(arguments) > most):
        wanted = f"at least {fewest}" if most is None else " or ".join(map(str, range(fewest, most + 1)))
        raise ToolError(f"expected {wanted} arguments in {name}, got {len(arguments)}")
    return function(*map(_real, arguments))
