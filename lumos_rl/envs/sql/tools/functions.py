"""MySQL's functions and collation, as functions for SQLite.

    connection = sqlite3.connect(":memory:")
    install(connection, stop)
    connection.execute("SELECT my_concat('a', 1), 'Zoë ' = 'ZOE' COLLATE mysql").fetchone()    # ('a1', 1)

The collation is utf8mb4_general_ci: it ignores case, accents and trailing blanks. Every function returns NULL if an
argument is NULL or invalid, as MySQL does outside its strict modes, and for a text longer than `MAX_TEXT`. The time of
`my_like` is proportional to pattern length times text length; `my_regexp` has a time limit.
"""

from __future__ import annotations

import datetime as dt
import math
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from lumos_rl.envs.sql.tools import clock, numerics, texts, times
from lumos_rl.envs.sql.tools.budget import Guarded, ask
from lumos_rl.envs.sql.tools.kept import kept, text_bytes
from lumos_rl.envs.sql.tools.numerics import number_of, rounded
from lumos_rl.envs.sql.tools.patterns import expression, matches, matching

COLLATION = "mysql"
MAX_TEXT = 1_000_000  # characters
MAX_LIKE = 10_000_000  # characters of pattern times characters of text
_MOST_KEPT = 1_000  # characters; the folded forms of longer texts are not cached
_MOST_CHARACTERS = 10_000  # different ones whose folded forms are remembered


def fold(text: str) -> str:
    """The form in which equal texts are identical: upper case, without accents and trailing blanks."""
    if text.isascii():
        return text.rstrip(" ").upper()
    return _folded(text) if len(text) <= _MOST_KEPT else _folded.function(text)


@kept(4_000_000, text_bytes)
def _folded(text: str) -> str:
    return _upper(text.rstrip(" "))


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else unicodedata.normalize("NFD", text).translate(_UPPER)


class _Upper(dict[int, str]):
    """Code of a character → its upper case, or "" for an accent."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        upper = character.upper()
        found = "" if unicodedata.combining(character) else upper if len(upper) == 1 else character
        return _remembered(self, code, found)


class _Bare(dict[int, str]):
    """Code of a character → the one character that it equals under the collation."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        folded = fold(character) or " "
        return _remembered(self, code, folded if len(folded) == 1 else character)


def _remembered(table: dict[int, str], code: int, character: str) -> str:
    if len(table) >= _MOST_CHARACTERS:
        table.clear()
    table[code] = character
    return character


_UPPER, _BARE = _Upper(), _Bare()


def collate(left: str, right: str) -> int:
    """-1, 0 or 1 if left comes before, equals or comes after right."""
    one, other = fold(left), fold(right)
    return (one > other) - (one < other)


def text_of(value: Any) -> str:
    """A value converted to text as in MySQL."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def sqlite_number(text: str) -> float:
    """The number at the start of a text, otherwise 0."""
    found = clock.NUMBER.match(text)
    return float(found[0]) if found else 0.0


def like(pattern: str, text: str, escape: str = "\\", *, is_exact: bool = False) -> int:
    """LIKE under the collation, or by the exact characters.

    Raises:
        ValueError: Pattern length times text length is too large, and so might be the time.
    """
    if len(pattern) * len(text) > MAX_LIKE:
        raise ValueError(f"expected at most {MAX_LIKE} characters of pattern times text")
    if is_exact:
        return int(matches(pattern, text, escape))
    return int(matches(pattern, text.translate(_BARE), escape, _BARE))


def _concat(*parts: Any) -> str | None:
    return _joined("", parts)


def _concat_ws(separator: Any, *parts: Any) -> str | None:
    return None if separator is None else _joined(text_of(separator), [part for part in parts if part is not None])


def _joined(separator: str, parts: Sequence[Any]) -> str | None:
    texts, left = [], MAX_TEXT
    for part in parts:
        texts.append(text_of(part))
        left -= len(texts[-1]) + len(separator)
        if left < 0:
            return None
    return separator.join(texts)


def _substring(value: Any, start: Any, length: Any = None) -> str:
    text, start = text_of(value), int(start)
    start = start - 1 if start > 0 else len(text) + start if start < 0 else -1
    if start < 0 or (length is not None and length < 1):
        return ""
    return text[start:] if length is None else text[start : start + int(length)]


def _substring_index(value: Any, delimiter: Any, count: Any) -> str:
    between, count = text_of(delimiter), int(count)
    if not between or not count:
        return ""
    parts = text_of(value).split(between)
    return between.join(parts[:count] if count > 0 else parts[count:])


def _locate(part: Any, text: Any, start: Any = 1) -> int:
    if start < 1:
        return 0
    return text_of(text).translate(_BARE).find(text_of(part).translate(_BARE), int(start) - 1) + 1


def _repeat(value: Any, count: Any) -> str | None:
    text, times = text_of(value), max(0, int(count))
    return text * times if len(text) * times <= MAX_TEXT else None


def _pad(value: Any, size: Any, filler: Any, left: bool) -> str | None:
    text, filling, length = text_of(value), text_of(filler), int(size)
    if not 0 <= length <= MAX_TEXT:
        return None
    missing = length - len(text)
    if missing > 0 and not filling:
        return None
    added = (filling * (missing // max(1, len(filling)) + 1))[: max(0, missing)]
    return (added + text if left else text + added)[:length]


def _replace(value: Any, old: Any, new: Any) -> str | None:
    text, gone, put = text_of(value), text_of(old), text_of(new)
    if gone and len(text) + text.count(gone) * (len(put) - len(gone)) > MAX_TEXT:
        return None
    return text.replace(gone, put) if gone else text


def _trim(value: Any, where: str = "BOTH", blank: Any = " ") -> str:
    text, part = text_of(value), text_of(blank)
    start, end = 0, len(text)
    count = 0
    while part and where != "TRAILING" and text.startswith(part, start):
        start, count = start + len(part), _counted(count)
    while part and where != "LEADING" and text.endswith(part, start, end):
        end, count = end - len(part), _counted(count)
    return text[start:end]


def _counted(count: int) -> int:
    """The next count of a long loop, which asks for time now and then."""
    if count % 10_000 == 0:
        ask()
    return count + 1


def _mod(value: Any, divisor: Any) -> float | None:
    return math.fmod(number_of(value), number_of(divisor)) if number_of(divisor) else None


def _intdiv(value: Any, divisor: Any) -> int | None:
    return math.trunc(number_of(value) / number_of(divisor)) if number_of(divisor) else None


def _log(base: Any, value: Any = None) -> float:
    return math.log(number_of(base)) if value is None else math.log(number_of(value), number_of(base))


def _format(value: Any, places: Any, locale: Any = "en_US") -> str:
    return f"{rounded(value, places):,.{max(0, min(30, int(places)))}f}"


def _field(wanted: Any, *values: Any) -> int:
    same = (i for i, value in enumerate(values, 1) if value is not None and _equal(wanted, value))
    return 0 if wanted is None else next(same, 0)


def _find_in_set(part: Any, parts: Any) -> int:
    wanted = fold(text_of(part))
    found = (place for place, each in enumerate(_upper(text_of(parts)).split(","), 1) if each.rstrip(" ") == wanted)
    return next(found, 0)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return collate(one, other) == 0
    return number_of(one) == number_of(other)


def _elt(index: Any, *values: Any) -> Any:
    return values[int(index) - 1] if index is not None and 1 <= index <= len(values) else None


def _best(values: tuple[Any, ...], largest: bool) -> Any:
    if all(isinstance(value, str) for value in values):
        key: Callable[[Any], Any] = fold
    else:
        key = number_of
    return max(values, key=key) if largest else min(values, key=key)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concat": _concat,
    "upper": lambda text: text_of(text).upper(),
    "lower": lambda text: text_of(text).lower(),
    "length": lambda text: len(text_of(text).encode("utf-8", "replace")),
    "char_length": lambda text: len(text_of(text)),
    "substring": _substring,
    "substring_index": _substring_index,
    "left": lambda text, count: text_of(text)[: max(0, int(count))],
    "right": lambda text, count: text_of(text)[-int(count) :] if count >= 1 else "",
    "locate": _locate,
    "instr": lambda text, part: _locate(part, text),
    "repeat": _repeat,
    "space": lambda count: _repeat(" ", count),
    "lpad": lambda text, length, filling: _pad(text, length, filling, True),
    "rpad": lambda text, length, filling: _pad(text, length, filling, False),
    "replace": _replace,
    "reverse": lambda text: text_of(text)[::-1],
    "trim": _trim,
    "strcmp": lambda one, other: collate(text_of(one), text_of(other)),
    "ascii": lambda text: (text_of(text).encode("utf-8", "replace") or b"\0")[0],
    "format": _format,
    "find_in_set": _find_in_set,
    "ceiling": lambda value: math.ceil(number_of(value)),
    "floor": lambda value: math.floor(number_of(value)),
    "mod": _mod,
    "intdiv": _intdiv,
    "power": lambda base, exponent: math.pow(number_of(base), number_of(exponent)),
    "sqrt": lambda value: math.sqrt(number_of(value)),
    "sign": lambda value: (number_of(value) > 0) - (number_of(value) < 0),
    "exp": lambda value: math.exp(number_of(value)),
    "ln": lambda value: math.log(number_of(value)),
    "log": _log,
    "log10": lambda value: math.log10(number_of(value)),
    "log2": lambda value: math.log2(number_of(value)),
    "pi": lambda: math.pi,
    "greatest": lambda *values: _best(values, True),
    "least": lambda *values: _best(values, False),
    "like_exact": lambda pattern, text, escape="\\": like(text_of(pattern), text_of(text), escape, is_exact=True),
    "like": lambda pattern, text, escape="\\": like(text_of(pattern), text_of(text), escape),
    **clock.FUNCTIONS,
    **numerics.FUNCTIONS,
    **texts.FUNCTIONS,
    **times.FUNCTIONS,
}
CHANGING = clock.CHANGING | numerics.CHANGING | times.CHANGING
WITH_NULL: dict[str, Callable[..., Any]] = {
    "concat_ws": _concat_ws,
    "field": _field,
    "elt": _elt,
    "any": lambda value: value,
}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, returning NULL for NULL arguments and where it has no value."""

    def call(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            value = function(*arguments)
        except (ValueError, TypeError, ArithmeticError):
            return None
        return None if isinstance(value, str) and len(value) > MAX_TEXT else _storable(value)

    return call


def _storable(value: Any) -> Any:
    """A value that SQLite can store: dates as text, integers of 64 bits."""
    if isinstance(value, dt.date | dt.time):
        return str(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def install(connection: Guarded, stop: Callable[[str], None]) -> None:
    """Installs the collation and all functions except aggregates in a connection, with the prefix `my_`.

    Args:
        connection: The connection.
        stop: Ends the running statement with an error text, by raising.
    """
    connection.create_collation(COLLATION, collate)
    for name, function in FUNCTIONS.items():
        connection.create_function(f"my_{name}", -1, _guarded(function), deterministic=name not in CHANGING)
    for name, function in WITH_NULL.items():
        connection.create_function(f"my_{name}", -1, function, deterministic=True)
    connection.create_function("my_too_many_rows", 0, lambda: stop("Subquery returns more than 1 row"))
    connection.create_function("my_regexp", 2, _guarded(_regexp), deterministic=True)


def _regexp(text: Any, pattern: Any) -> int:
    """REGEXP under the collation."""
    with matching() as timeout:
        return int(expression(text_of(pattern), text_of(text)).search(text_of(text), timeout=timeout) is not None)
