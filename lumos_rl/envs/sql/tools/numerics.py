"""MySQL's functions of numbers, bits and checksums; `functions` installs them.

    FUNCTIONS["round"](1234.567, -2), FUNCTIONS["round_double"](2.5)     # (1200.0, 2.0)
    FUNCTIONS["bitxor"](5, 3), FUNCTIONS["conv"]("ff", 16, 10)           # (6, '255')

SQLite has integers of 64 bits with a sign; MySQL's bit operators give them without one. So such a value is kept as the
integer with the same bits, and `calls.cell` shows it without the sign.
"""

from __future__ import annotations

import functools
import hashlib
import math
import random
import re
import threading
import uuid
import zlib
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from lumos_rl.envs.sql.tools import clock

CHANGING = frozenset({"rand", "uuid"})
_INTEGER = re.compile(r"\s*[+-]?\d+")
_BITS = 2**64
_LARGEST = 2**63
_MOST_DIGITS = 30
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RAND_MAX = 0x3FFFFFFF
_HASHES = {0: "sha256", 224: "sha224", 256: "sha256", 384: "sha384", 512: "sha512"}


def number_of(value: Any) -> float:
    """A value converted to a number as in MySQL: for a text, the number at its start, otherwise 0."""
    if isinstance(value, int | float):
        return value
    found = clock.NUMBER.match(_text(value).strip())
    return float(found[0]) if found else 0.0


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def signed(value: int) -> int:
    """The integer of 64 bits with a sign that has the same lowest 64 bits."""
    value %= _BITS
    return value - _BITS if value >= _LARGEST else value


def whole(value: Any) -> int:
    """A value as an integer, rounded as in MySQL; the fraction of a text is cut off."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(Decimal(repr(value)).quantize(Decimal(1), ROUND_HALF_UP))
    return int(number_of(value))


def _integer(value: Any) -> int:
    """A value cast to an integer; of a text only the digits at its start count."""
    if isinstance(value, int | float):
        return whole(value)
    found = _INTEGER.match(_text(value))
    return int(found[0]) if found else 0


def bits(value: Any) -> int:
    """A value as an integer of 64 bits without a sign."""
    return min(whole(value), _BITS - 1) % _BITS


def _exact(value: Any) -> Decimal:
    return Decimal(repr(number_of(value)))


def _mod_exact(value: Any, divisor: Any) -> float | None:
    return float(_exact(value) % _exact(divisor)) if number_of(divisor) else None


def _intdiv(value: Any, divisor: Any) -> int | None:
    return int(_exact(value) / _exact(divisor)) if number_of(divisor) else None


def _places(places: Any) -> int:
    return max(-_MOST_DIGITS, min(_MOST_DIGITS, whole(places)))


def rounded(value: Any, places: Any = 0) -> float:
    """An exact number, rounded half away from zero."""
    return _quantized(value, places, ROUND_HALF_UP)


def _quantized(value: Any, places: Any, rounding: str) -> float:
    unit = Decimal(1).scaleb(-_places(places))
    return float((Decimal(repr(number_of(value))) / unit).quantize(Decimal(1), rounding) * unit)


def _round_double(value: Any, places: Any = 0) -> float:
    """A floating-point number, rounded half to even, by the formula of MySQL."""
    number, factor = number_of(value), 10.0 ** abs(_places(places))
    if _places(places) < 0:
        return round(number / factor) * factor
    return round(number * factor) / factor if math.isfinite(number * factor) else number


def _truncate(value: Any, places: Any) -> float:
    return _quantized(value, places, ROUND_DOWN)


def _conv(value: Any, old: Any, new: Any) -> str | None:
    base, target = abs(whole(old)), whole(new)
    if not (2 <= base <= len(_DIGITS) and 2 <= abs(target) <= len(_DIGITS)):
        return None
    text = (str(whole(value)) if isinstance(value, int | float) else _text(value)).strip().upper()
    is_negative, number = text.startswith("-"), 0
    for digit in text.lstrip("+-"):
        place = _DIGITS.find(digit)
        if not 0 <= place < base or number >= _BITS:
            break
        number = number * base + place
    number = min(number, _BITS - 1)
    number = (-number if is_negative else number) % _BITS if target > 0 else signed(-number if is_negative else number)
    return _written(number, abs(target))


def _written(number: int, base: int) -> str:
    sign, number, digits = "-" if number < 0 else "", abs(number), ""
    while number:
        number, rest = divmod(number, base)
        digits = _DIGITS[rest] + digits
    return sign + (digits or "0")


def _hex(value: Any) -> str:
    if isinstance(value, int | float):
        return f"{bits(value):X}"
    return (value if isinstance(value, bytes) else _text(value).encode()).hex().upper()


def _unhex(value: Any) -> bytes:
    text = _text(value)
    return bytes.fromhex("0" * (len(text) % 2) + text)


@functools.lru_cache(maxsize=100)
def _drawn(seed: int, thread: int) -> list[int]:
    """Number of a row, and the state of MySQL's generator with this seed for it; each thread changes its own."""
    return [0, (seed * 0x10001 + 55_555_555) % 2**32 % _RAND_MAX, seed * 0x10000001 % 2**32 % _RAND_MAX]


def _seeded(seed: Any, row: int) -> float:
    """RAND(seed) for the row with this number, from 1."""
    place = whole(seed), threading.get_ident()
    state = _drawn(*place)
    if row <= state[0]:
        state[:] = _drawn.__wrapped__(*place)
    while state[0] < row:
        one = (state[1] * 3 + state[2]) % _RAND_MAX
        state[:] = state[0] + 1, one, (one + state[2] + 33) % _RAND_MAX
    return state[1] / _RAND_MAX


def _digest(name: str) -> Callable[[Any], str]:
    return lambda value: hashlib.new(name, value if isinstance(value, bytes) else _text(value).encode()).hexdigest()


def _sha2(value: Any, size: Any) -> str | None:
    name = _HASHES.get(whole(size))
    return None if name is None else _digest(name)(value)


def _shift(value: Any, places: Any, is_left: bool) -> int:
    count = bits(places)
    if count >= 64:
        return 0
    return signed(bits(value) << count if is_left else bits(value) >> count)


def _index(value: Any, *bounds: Any) -> int:
    """INTERVAL(value, 1, 10, 100): how many bounds are not above the value."""
    number = number_of(value)
    return next((place for place, bound in enumerate(bounds) if number < number_of(bound)), len(bounds))


def _power(function: Callable[[float], float]) -> Callable[[Any], float]:
    return lambda value: function(number_of(value))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "round": rounded,
    "round_double": _round_double,
    "truncate": _truncate,
    "mod_exact": _mod_exact,
    "intdiv": _intdiv,
    "conv": _conv,
    "bin": lambda value: _conv(value, 10, 2),
    "oct": lambda value: _conv(value, 10, 8),
    "hex": _hex,
    "unhex": _unhex,
    "signed": lambda value: signed(_integer(value)),
    "unsigned": lambda value: signed(_integer(value)),
    "large": lambda value: value if value >= 0 else float(value + _BITS),
    "bitand": lambda one, other: signed(bits(one) & bits(other)),
    "bitor": lambda one, other: signed(bits(one) | bits(other)),
    "bitxor": lambda one, other: signed(bits(one) ^ bits(other)),
    "bitnot": lambda value: signed(~bits(value)),
    "shiftleft": lambda value, places: _shift(value, places, True),
    "shiftright": lambda value, places: _shift(value, places, False),
    "bit_count": lambda value: bits(value).bit_count(),
    "rand": random.random,
    "seeded": _seeded,
    "uuid": lambda: str(uuid.uuid1()),
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "sha2": _sha2,
    "crc32": lambda value: zlib.crc32(_text(value).encode()),
    "interval": _index,
    "atan": lambda y, x=None: math.atan(number_of(y)) if x is None else math.atan2(number_of(y), number_of(x)),
    "cot": lambda value: 1 / math.tan(number_of(value)),
    **{name: _power(getattr(math, name)) for name in ("sin", "cos", "tan", "asin", "acos", "radians", "degrees")},
}
