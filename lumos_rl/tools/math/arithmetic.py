"""Operations on numbers: exact with fractions, 40-digit decimals for other values, and bounded in time.

    >>> operate("/", Fraction(1), Fraction(3)), power(Fraction(8), Fraction(1, 3)), power(Fraction(2), Fraction(1, 2))
    (Fraction(1, 3), Fraction(2, 1), Decimal('1.414213562373095048801688724209698078570'))

The size of powers and factorials is checked before they are computed: no number may exceed `MAX_DIGITS` digits.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import number_text

MAX_DIGITS = 1000  # of a numerator or denominator
_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_MAX_FACTORIAL = 449  # 450! has more than MAX_DIGITS digits
_MAX_ANGLE = 10**9  # radians
# All decimal arithmetic uses this context: plain operators on Decimal would round to the thread's 28 digits.
CONTEXT = decimal.Context(
    prec=40,
    Emax=2000,
    Emin=-2000,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_LONG_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
PI = CONTEXT.plus(_LONG_PI)
_EQUAL = Decimal("1e-20")  # two decimals that differ by less, relative to the larger one, are equal

Real = Fraction | Decimal


def checked(number: Fraction) -> Fraction:
    """The number itself; raises `ToolLimitError` when it has more than `MAX_DIGITS` digits."""
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > _MAX_BITS:
        raise ToolLimitError(f"expected numbers of at most {MAX_DIGITS} digits")
    return number


def operate(operator: str, left: Real, right: Real) -> Real:
    """`left operator right` for + - * /, // (rounded down) and mod (remainder of //, with the sign of the divisor)."""
    if operator in ("/", "//", "mod") and right == 0:
        raise ToolError("division by zero; check the divisor")
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(_EXACT[operator](left, right))
    return _INEXACT[operator](_decimal(left), _decimal(right))


def negative(number: Real) -> Real:
    """The number with the opposite sign."""
    return -number if isinstance(number, Fraction) else number.copy_negate()


def order(left: Real, right: Real) -> int:
    """-1, 0 or 1 if left is less than, equal to or greater than right."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return (left > right) - (left < right)
    a, b = _decimal(left), _decimal(right)
    scale = max(a.copy_abs(), b.copy_abs(), Decimal(1))
    if CONTEXT.subtract(a, b).copy_abs() <= CONTEXT.multiply(_EQUAL, scale):
        return 0
    return 1 if a > b else -1


def power(base: Real, exponent: Real) -> Real:
    """`base ^ exponent`; an odd root of a negative number is the real root."""
    if base == 0 and exponent < 0:
        raise ToolError("division by zero: 0 to a negative power")
    if isinstance(exponent, Decimal) or isinstance(base, Decimal):
        return Fraction(1) if exponent == 0 else CONTEXT.power(_decimal(base), _decimal(exponent))
    if exponent.denominator == 1:
        return _integer_power(base, exponent.numerator)
    if base < 0 and exponent.denominator % 2 == 0:
        raise ToolError(f"{number_text(base)} has no real root of even degree")
    root = _exact_root(abs(base), exponent.denominator)
    if root is not None:
        size: Real = _integer_power(root, exponent.numerator)
    else:
        size = CONTEXT.power(_decimal(abs(base)), _decimal(exponent))
    return negative(size) if base < 0 and exponent.numerator % 2 else size


def factorial(number: Real) -> Fraction:
    """The factorial of an integer >= 0."""
    n = _integer(number, "before '!' or in factorial")
    if n < 0:
        raise ToolError(f"expected an integer from 0 on for a factorial, got {n}")
    if n > _MAX_FACTORIAL:
        raise ToolLimitError(f"expected at most {_MAX_FACTORIAL}!, which has {MAX_DIGITS} digits")
    return Fraction(math.factorial(n))


def apply_function(name: str, arguments: list[Real]) -> Real:
    """The value of a function of `expression.FUNCTIONS`."""
    function, fewest, most = _FUNCTIONS[name]
    if len(arguments) < fewest or (most is not None and len(arguments) > most):
        wanted = f"at least {fewest}" if most is None else " or ".join(map(str, range(fewest, most + 1)))
        raise ToolError(f"expected {wanted} numbers in {name}, got {len(arguments)}")
    return function(*arguments)


def _decimal(number: Real) -> Decimal:
    if isinstance(number, Decimal):
        return number
    return CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))


def _whole_quotient(left: Decimal, right: Decimal) -> Decimal:
    return Decimal(math.floor(CONTEXT.divide(left, right)))


def _remainder(left: Decimal, right: Decimal) -> Decimal:
    return CONTEXT.subtract(left, CONTEXT.multiply(right, _whole_quotient(left, right)))


_EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: Fraction(a // b),
    "mod": lambda a, b: a % b,
}
_INEXACT: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "//": _whole_quotient,
    "mod": _remainder,
}


def _integer_power(base: Fraction, exponent: int) -> Fraction:
    if abs(base) == 1:
        return base if exponent % 2 else Fraction(1)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base != 0 and (bits - 1) * abs(exponent) > _MAX_BITS:
        raise ToolLimitError(f"the power has more than {MAX_DIGITS} digits")
    return checked(base**exponent)


def _exact_root(number: Fraction, degree: int) -> Fraction | None:
    """The root of a number ≥ 0 if it is a fraction, else None."""
    if degree > _MAX_BITS:
        return number if number in (0, 1) else None
    top, bottom = _integer_root(number.numerator, degree), _integer_root(number.denominator, degree)
    return Fraction(top, bottom) if top**degree == number.numerator and bottom**degree == number.denominator else None


def _integer_root(number: int, degree: int) -> int:
    """The largest integer whose power of this degree is at most `number`."""
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


def _rounded(number: Real, places: Real = Fraction(0)) -> Real:
    """Rounded to `places` decimal places, halves away from zero."""
    digits = _integer(places, "of places in round")
    if abs(digits) > MAX_DIGITS:
        raise ToolLimitError(f"expected at most {MAX_DIGITS} places in round")
    scale = Fraction(10) ** digits
    steps = math.floor(abs(Fraction(number)) * scale + Fraction(1, 2))
    return checked((1 if number >= 0 else -1) * steps / scale)


def _logarithm(number: Real, base: Real = Fraction(10)) -> Real:
    if base <= 0 or base == 1:
        raise ToolError(f"expected a positive base other than 1 in log, got {number_text(base)}")
    quotient = CONTEXT.divide(_natural_logarithm(number), _natural_logarithm(base))
    whole = Fraction(round(quotient))
    return whole if order(quotient, whole) == 0 and power(base, whole) == number else quotient


def _natural_logarithm(number: Real) -> Decimal:
    if number <= 0:
        raise ToolError(f"expected a positive number in a logarithm, got {number_text(number)}")
    return CONTEXT.ln(_decimal(number))


def _sine(number: Real, quarters: int = 0) -> Decimal:
    """The sine of `number` plus some quarter turns: a Taylor series after the angle is reduced to -pi … pi."""
    if number > _MAX_ANGLE or number < -_MAX_ANGLE:
        raise ToolLimitError(f"expected an angle of at most {_MAX_ANGLE} radians")
    with decimal.localcontext(CONTEXT) as context:
        context.prec += 15
        angle = _decimal(number) + quarters * _LONG_PI / 2
        term = total = angle - 2 * _LONG_PI * (angle / (2 * _LONG_PI)).to_integral_value()
        square, n = term * term, 1
        while abs(term) > Decimal("1e-50"):
            term *= -square / ((n + 1) * (n + 2))
            total, n = total + term, n + 2
    # A decimal is not exactly pi, so a tiny sin(pi) is an error of rounding.
    return CONTEXT.plus(total) if total.copy_abs() > Decimal("1e-29") else Decimal(0)


def _cosine(number: Real) -> Decimal:
    return _sine(number, quarters=1)


def _tangent(number: Real) -> Decimal:
    cosine = _cosine(number)
    if cosine == 0:
        raise ToolError("the tangent has no value at this angle")
    return CONTEXT.divide(_sine(number), cosine)


def _on_integers(function: Callable[..., int], name: str) -> Callable[..., Real]:
    return lambda *numbers: checked(Fraction(function(*(_integer(number, f"in {name}") for number in numbers))))


def _total(*numbers: Real) -> Real:
    total: Real = Fraction(0)
    for number in numbers:
        total = operate("+", total, number)
    return total


def _highest(*numbers: Real) -> Real:
    best = numbers[0]
    for number in numbers[1:]:
        best = number if order(number, best) > 0 else best
    return best


def _lowest(*numbers: Real) -> Real:
    return negative(_highest(*map(negative, numbers)))


_FUNCTIONS: dict[str, tuple[Callable[..., Real], int, int | None]] = {  # with the fewest and most arguments
    "abs": (lambda number: number if number >= 0 else negative(number), 1, 1),
    "ceil": (lambda number: Fraction(math.ceil(number)), 1, 1),
    "cos": (_cosine, 1, 1),
    "exp": (lambda number: CONTEXT.exp(_decimal(number)), 1, 1),
    "factorial": (factorial, 1, 1),
    "floor": (lambda number: Fraction(math.floor(number)), 1, 1),
    "gcd": (_on_integers(math.gcd, "gcd"), 1, None),
    "lcm": (_on_integers(math.lcm, "lcm"), 1, None),
    "ln": (_natural_logarithm, 1, 1),
    "log": (_logarithm, 1, 2),
    "max": (_highest, 1, None),
    "min": (_lowest, 1, None),
    "round": (_rounded, 1, 2),
    "sin": (_sine, 1, 1),
    "sqrt": (lambda number: power(number, Fraction(1, 2)), 1, 1),
    "sum": (_total, 1, None),
    "tan": (_tangent, 1, 1),
}
