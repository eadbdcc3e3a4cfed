"""MySQL's functions of dates and times; SQLite stores them as text such as "2018-03-19 04:39:54".

FUNCTIONS["date_format"]("2018-03-19", "%M %e, %Y")      # 'March 19, 2018'
FUNCTIONS["timestampdiff"]("YEAR", "2000-05-01", "2018-04-30")    # 17
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

from lumos_rl.envs.sql.tools.budget import ask

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
CHANGING = frozenset({"now", "curdate", "curtime"})
_DATE = re.compile(
    r"\s*(\d{1,4})\D(\d{1,2})\D(\d{1,2})(?:[T ]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?)?)?"
)
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?")
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
# Format codes of MySQL → Python's, where one alone says the same.
_PYTHON = {
    "a": "%a", "b": "%b", "d": "%d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M", "j": "%j", "M": "%B",
    "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S", "T": "%H:%M:%S", "U": "%U", "u": "%W", "V": "%U",
    "v": "%V", "W": "%A", "w": "%w", "X": "%Y", "x": "%G", "Y": "%Y", "y": "%y",
}  # fmt: skip
_DIGITS = {  # codes that STR_TO_DATE reads as a number: the most digits of it, and what it is
    "Y": (4, "year"), "y": (2, "short year"), "m": (2, "month"), "c": (2, "month"), "d": (2, "day"), "e": (2, "day"),
    "H": (2, "hour"), "k": (2, "hour"), "h": (2, "hour12"), "I": (2, "hour12"), "l": (2, "hour12"), "i": (2, "minute"),
    "S": (2, "second"), "s": (2, "second"), "f": (6, "microsecond"), "j": (3, "day of year"),
}  # fmt: skip
_BLANKS = re.compile(r"\s*")
_LONGEST = 12  # characters; more than the longest name of a month or a day
_SEVERAL = {"T": "%H:%i:%S", "r": "%I:%i:%S %p"}
_NAMES: dict[str, tuple[str, Sequence[str]]] = {
    "M": ("month", [*calendar.month_name]), "b": ("month", [*calendar.month_abbr]),
    "W": ("weekday", [*calendar.day_name]), "a": ("weekday", [*calendar.day_abbr]),
}  # fmt: skip


def read(value: Any) -> dt.datetime:
    """The date and time of a value.

    Raises:
        ValueError: MySQL would not accept it as a date.
    """
    text = str(int(value)) if isinstance(value, int | float) else str(value)
    found = _DATE.match(text) or _PACKED.fullmatch(text.strip())
    if not found:
        raise ValueError(f"expected a date, got {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    return dt.datetime(year, month, day, hour, minute, second)


def normal(text: str, with_time: bool) -> str:
    """A literal in the stored format, so that the order of texts is the order of times.

    Raises:
        ValueError: It is not a date.
    """
    moment = read(text)
    return str(moment) if with_time or moment.time() != dt.time() else str(moment.date())


def shown(value: Any, with_time: bool) -> Any:
    """A stored value as Python's date or datetime; unchanged if it is not a date."""
    try:
        moment = read(value)
    except ValueError:
        return value
    return moment if with_time else moment.date()


def _has_time(value: Any) -> bool:
    return ":" in str(value)


def _moved(value: Any, amount: Any, unit: Any) -> str:
    moment, unit = read(value), str(unit).upper()
    if unit in _MONTHS:
        months = moment.year * 12 + moment.month - 1 + int(float(amount)) * _MONTHS[unit]
        year, month = divmod(months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        moved = moment.replace(year=year, month=month + 1, day=day)
    else:
        moved = moment + dt.timedelta(seconds=float(amount) * _SECONDS[unit])
    return str(moved if _has_time(value) or unit in ("SECOND", "MINUTE", "HOUR") else moved.date())


def _difference(unit: Any, start: Any, end: Any) -> int:
    first, last, unit = read(start), read(end), str(unit).upper()
    if unit in _SECONDS:
        return int((last - first).total_seconds() / _SECONDS[unit])
    months = (last.year - first.year) * 12 + last.month - first.month
    part = (last.day, last.time()), (first.day, first.time())
    if months > 0 and part[0] < part[1]:
        months -= 1
    elif months < 0 and part[0] > part[1]:
        months += 1
    return int(months / _MONTHS[unit])


def _format(value: Any, pattern: Any) -> str:
    moment, parts = read(value), dict[str, str]()

    def part(found: re.Match[str]) -> str:
        code = found[1]
        if code not in parts:
            parts[code] = _part(moment, code)
        return parts[code]

    return re.sub(r"%(.)", part, str(pattern), flags=re.DOTALL)


def _part(moment: dt.datetime, code: str) -> str:
    """What one code of a format stands for; an unknown code is the character itself."""
    if code in _PYTHON:
        return moment.strftime(_PYTHON[code]).rjust(4 if code == "Y" else 0, "0")
    numbers = {"c": moment.month, "e": moment.day, "k": moment.hour, "l": moment.hour % 12 or 12}
    if code == "D":
        suffix = "th" if 10 < moment.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(moment.day % 10, "th")
        return f"{moment.day}{suffix}"
    return str(numbers[code]) if code in numbers else code


def _parse(text: Any, pattern: Any) -> str:
    """STR_TO_DATE: reads the text from left to right as the format says; what remains of the text is ignored."""
    text, at, found = str(text), 0, dict[str, int]()
    codes = re.sub("%[Tr]", lambda code: _SEVERAL[code[0][1]], str(pattern))
    for place, piece in enumerate(re.finditer(r"%(.)|(\S)|\s+", codes, re.DOTALL)):
        if place % 1_000 == 0:
            ask()
        at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]
        if at == len(text):
            break
        if piece[1] and piece[1] != "%":
            at = _taken(piece[1], text, at, found)
        elif (sign := piece[1] or piece[2]) is not None:
            if not text.startswith(sign, at):
                raise ValueError(f"expected {sign!r}")
            at += 1
    return _composed(found)


def _taken(code: str, text: str, at: int, found: dict[str, int]) -> int:
    """Reads what one code stands for from a place in a text; returns where it ends."""
    if code in _DIGITS:
        most, name = _DIGITS[code]
        digits = re.match("[0-9]*", text[at : at + most])
        if not digits or not digits[0]:
            raise ValueError(f"expected a number for %{code}")
        found[name] = int(digits[0].ljust(6, "0") if code == "f" else digits[0])
        return at + len(digits[0])
    if code == "D":
        return _taken("d", text, at, found) + 2
    if code == "p":
        found["half"] = ("AM", "PM").index(text[at : at + 2].upper())
        return at + 2
    name, words = _NAMES.get(code, ("", ()))
    start = text[at : at + _LONGEST].lower()
    for number, word in enumerate(words):
        if word and start.startswith(word.lower()):
            found[name] = number
            return at + len(word)
    raise ValueError(f"expected what %{code} stands for")


def _composed(found: dict[str, int]) -> str:
    """The date, the time, or both, of the parts that were read."""
    if "short year" in found:
        found["year"] = found["short year"] + (2000 if found["short year"] < 70 else 1900)
    if "hour12" in found:
        if not 1 <= found["hour12"] <= 12:
            raise ValueError("expected an hour from 1 to 12")
        found["hour"] = found["hour12"] % 12 + 12 * found.get("half", 0)
    hour, minute, second, micro = (found.get(name, 0) for name in ("hour", "minute", "second", "microsecond"))
    time = dt.time(hour, minute, second, micro)
    has_time = not found.keys().isdisjoint(("hour", "minute", "second", "microsecond"))
    if has_time and found.keys().isdisjoint(("year", "month", "day", "day of year")):
        return str(time)
    if "day of year" in found:
        date = dt.date(found["year"], 1, 1) + dt.timedelta(days=found["day of year"] - 1)
    else:
        date = dt.date(*(found.get(name, 0) for name in ("year", "month", "day")))  # a zero is invalid
    return str(dt.datetime.combine(date, time) if has_time else date)


def _week(value: Any, mode: Any = 0) -> int:
    moment = read(value)
    return int(moment.strftime("%U")) if int(mode) == 0 else moment.isocalendar().week


def _cast(value: Any, with_time: bool) -> str:
    moment = read(value)
    return str(moment if with_time else moment.date())


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "year": lambda value: read(value).year,
    "month": lambda value: read(value).month,
    "day": lambda value: read(value).day,
    "hour": lambda value: int(str(value).split(":")[0]) if _is_time(value) else read(value).hour,
    "minute": lambda value: int(str(value).split(":")[1]) if _is_time(value) else read(value).minute,
    "second": lambda value: int(str(value).split(":")[2]) if _is_time(value) else read(value).second,
    "quarter": lambda value: (read(value).month + 2) // 3,
    "week": _week,
    "dayofweek": lambda value: read(value).isoweekday() % 7 + 1,
    "weekday": lambda value: read(value).weekday(),
    "dayofyear": lambda value: read(value).timetuple().tm_yday,
    "dayname": lambda value: calendar.day_name[read(value).weekday()],
    "monthname": lambda value: calendar.month_name[read(value).month],
    "last_day": lambda value: _last_day(read(value)),
    "to_days": lambda value: read(value).toordinal() + 365,
    "date": lambda value: _cast(value, False),
    "datetime": lambda value: _cast(value, True),
    "time": lambda value: str(value) if _is_time(value) else str(read(value).time()),
    "datediff": lambda one, other: (read(one).date() - read(other).date()).days,
    "timestampdiff": _difference,
    "date_add": _moved,
    "date_sub": lambda value, amount, unit: _moved(value, -float(amount), unit),
    "date_format": _format,
    "str_to_date": _parse,
    "unix_timestamp": lambda value: int(read(value).replace(tzinfo=dt.UTC).timestamp()),
    "now": lambda: str(dt.datetime.now().replace(microsecond=0)),
    "curdate": lambda: str(dt.date.today()),
    "curtime": lambda: str(dt.datetime.now().time().replace(microsecond=0)),
    "date_number": lambda value: float(re.sub(r"\D", "", str(value))[:14]),
}


def _is_time(value: Any) -> bool:
    return re.fullmatch(r"\d{1,3}:\d{1,2}(:\d{1,2}(\.\d+)?)?", str(value)) is not None


def _last_day(moment: dt.datetime) -> dt.date:
    return moment.date().replace(day=calendar.monthrange(moment.year, moment.month)[1])
