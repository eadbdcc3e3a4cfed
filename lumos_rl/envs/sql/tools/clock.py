"""MySQL's functions of dates and times; SQLite stores them as text such as "2018-03-19 04:39:54".

FUNCTIONS["date_format"]("2018-03-19", "%M %e, %Y")      # 'March 19, 2018'
FUNCTIONS["timestampdiff"]("YEAR", "2000-05-01", "2018-04-30")    # 17
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
CHANGING = frozenset({"now", "curdate", "curtime"})
_DATE = re.compile(
    r"\s*(\d{1,4})\D(\d{1,2})\D(\d{1,2})(?:[T ]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?)?)?"
)
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?")
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 604_800}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
# Format codes of MySQL → Python's, where they differ.
_FORMATS = {
    "a": "%a", "b": "%b", "c": "{month}", "d": "%d", "e": "{day}", "f": "%f", "H": "%H", "h": "%I", "I": "%I",
    "i": "%M", "j": "%j", "k": "{hour}", "l": "{hour12}", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p",
    "S": "%S", "s": "%S", "T": "%H:%M:%S", "U": "%U", "u": "%W", "V": "%U", "v": "%V", "W": "%A", "w": "%w",
    "X": "%Y", "x": "%G", "Y": "%Y", "y": "%y", "%": "%%",
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
    moment = read(value)
    words = {"month": moment.month, "day": moment.day, "hour": moment.hour, "hour12": moment.hour % 12 or 12}

    def part(found: re.Match[str]) -> str:
        sign = _FORMATS.get(found[1], found[1])
        return sign.format(**words) if sign.startswith("{") else moment.strftime(sign)

    return re.sub(r"%(.)", part, str(pattern))


def _parse(text: Any, pattern: Any) -> str:
    signs = {"c": "%m", "e": "%d", "k": "%H", "l": "%I"}
    python = re.sub(r"%(.)", lambda found: signs.get(found[1]) or _FORMATS.get(found[1], found[1]), str(pattern))
    moment = dt.datetime.strptime(str(text).strip(), python)
    return str(moment if re.search(r"%[HhIiklprSsTf]", str(pattern)) else moment.date())


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
