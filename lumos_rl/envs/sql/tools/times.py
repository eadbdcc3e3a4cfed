"""MySQL's functions of spans of time, and its weeks and formats of dates; `functions` installs them.

FUNCTIONS["timediff"]("10:00:00", "08:30:00")              # '01:30:00'
FUNCTIONS["date_format"]("2010-01-05", "%W, the %D")       # 'Tuesday, the 5th'
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from lumos_rl.envs.sql.tools.clock import read
from lumos_rl.envs.sql.tools.numerics import number_of, whole

_TIME = re.compile(r"\s*(-?)(?:(\d+) )?(\d{1,3}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?\s*\Z")
_HAS_DATE = re.compile(r"\s*\d{1,4}-\d{1,2}-\d{1,2}")
_MOST = dt.timedelta(hours=838, minutes=59, seconds=59)
_DAY = dt.timedelta(days=1)
_YEAR_ZERO = 365  # days before Python's year 1
_OFFSET = re.compile(r"([+-])(\d{1,2}):(\d{2})\Z")


def span(value: Any) -> dt.timedelta:
    """The span of a time such as "-12:30:00", "1 02:00:00" or 123000.

    Raises:
        ValueError: MySQL would not accept it as a time.
    """
    if isinstance(value, int | float):
        sign, digits = ("-" if value < 0 else ""), f"{abs(int(value)):06d}"
        parts = [None, digits[:-4], digits[-4:-2], digits[-2:], None]
    elif found := _TIME.match(str(value)):
        sign, *parts = found.groups()
    else:
        raise ValueError(f"expected a time, got {str(value)[:40]!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in parts[:4])
    if minutes > 59 or seconds > 59:
        raise ValueError(f"expected a time, got {str(value)[:40]!r}")
    microseconds = int((parts[4] or "0").ljust(6, "0"))
    found_span = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
    return -found_span if sign else found_span


def shown(value: Any) -> Any:
    """A stored time as Python's span, which MySQL's clients give; unchanged if it is not a time."""
    try:
        return span(value)
    except ValueError:
        return value


def _text(found: dt.timedelta) -> str:
    found = max(-_MOST, min(_MOST, found))
    minutes, seconds = divmod(abs(found), dt.timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    fraction = f".{seconds.microseconds:06d}" if seconds.microseconds else ""
    return f"{'-' if found < dt.timedelta() else ''}{hours:02d}:{minutes:02d}:{seconds.seconds:02d}{fraction}"


def _has_date(value: Any) -> bool:
    return _HAS_DATE.match(str(value)) is not None


def _difference(one: Any, other: Any) -> str | None:
    if _has_date(one) != _has_date(other):
        return None
    return _text(read(one) - read(other) if _has_date(one) else span(one) - span(other))


def _moved(value: Any, by: Any, sign: int) -> str:
    if _has_date(value):
        return str(read(value) + sign * span(by))
    return _text(span(value) + sign * span(by))


def week_of(moment: dt.datetime, mode: int) -> tuple[int, int]:
    """Year and week of a date in one of MySQL's eight modes (its manual, WEEK())."""
    is_monday, has_year, is_first = bool(mode & 1), bool(mode & 2), bool(mode & 4)
    if is_monday:
        is_first = not is_first  # as in MySQL: the meaning of this bit depends on the first day
    day, year = moment.date(), moment.year
    start = _week_start(year, is_monday, is_first)
    if day < start:
        if not has_year:
            return year, 0
        year -= 1
        start = _week_start(year, is_monday, is_first)
    week = (day - start).days // 7 + 1
    if has_year and week > 52 and day >= _week_start(year + 1, is_monday, is_first):
        return year + 1, 1
    return year, week


def _week_start(year: int, is_monday: bool, has_four_days: bool) -> dt.date:
    """First day of week 1: the one with 4 days in the year, or the first that begins in it."""
    first = dt.date(year, 1, 1)
    before = first.weekday() if is_monday else first.isoweekday() % 7
    begins_before = has_four_days and before <= 3
    return first + dt.timedelta(days=(-before if begins_before else -before % 7))


def _weekly(value: Any, mode: Any = 0) -> int:
    return week_of(read(value), whole(mode) & 7)[1]


def _yearweek(value: Any, mode: Any = 0) -> int:
    year, week = week_of(read(value), whole(mode) & 7 | 2)
    return year * 100 + week


def _ordinal(day: int) -> str:
    suffix = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


_FORMATS: dict[str, Callable[[dt.datetime], object]] = {
    "a": lambda moment: moment.strftime("%a"),
    "b": lambda moment: moment.strftime("%b"),
    "c": lambda moment: moment.month,
    "D": lambda moment: _ordinal(moment.day),
    "d": lambda moment: f"{moment.day:02d}",
    "e": lambda moment: moment.day,
    "f": lambda moment: f"{moment.microsecond:06d}",
    "H": lambda moment: f"{moment.hour:02d}",
    "h": lambda moment: f"{moment.hour % 12 or 12:02d}",
    "I": lambda moment: f"{moment.hour % 12 or 12:02d}",
    "i": lambda moment: f"{moment.minute:02d}",
    "j": lambda moment: moment.strftime("%j"),
    "k": lambda moment: moment.hour,
    "l": lambda moment: moment.hour % 12 or 12,
    "M": lambda moment: moment.strftime("%B"),
    "m": lambda moment: f"{moment.month:02d}",
    "p": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "r": lambda moment: moment.strftime("%I:%M:%S %p"),
    "S": lambda moment: f"{moment.second:02d}",
    "s": lambda moment: f"{moment.second:02d}",
    "T": lambda moment: moment.strftime("%H:%M:%S"),
    "U": lambda moment: f"{week_of(moment, 0)[1]:02d}",
    "u": lambda moment: f"{week_of(moment, 1)[1]:02d}",
    "V": lambda moment: f"{week_of(moment, 2)[1]:02d}",
    "v": lambda moment: f"{week_of(moment, 3)[1]:02d}",
    "W": lambda moment: moment.strftime("%A"),
    "w": lambda moment: moment.isoweekday() % 7,
    "X": lambda moment: f"{week_of(moment, 2)[0]:04d}",
    "x": lambda moment: f"{week_of(moment, 3)[0]:04d}",
    "Y": lambda moment: f"{moment.year:04d}",
    "y": lambda moment: f"{moment.year % 100:02d}",
}


def _format(value: Any, pattern: Any) -> str:
    moment = read(value)
    return re.sub(
        r"%(.)",
        lambda found: str(_FORMATS[found[1]](moment)) if found[1] in _FORMATS else found[1],
        str(pattern),
        flags=re.DOTALL,
    )


def _time_format(value: Any, pattern: Any) -> str:
    found = abs(span(value))
    hours = int(found.total_seconds() // 3600)
    text = str(pattern).replace("%H", f"{hours:02d}").replace("%k", str(hours))
    return _format(str(dt.datetime(2000, 1, 1) + found % _DAY), text)


def _from_unixtime(seconds: Any, pattern: Any = None) -> str:
    moment = dt.datetime.fromtimestamp(int(number_of(seconds)), dt.UTC).replace(tzinfo=None)
    return str(moment) if pattern is None else _format(str(moment), pattern)


def _make_date(year: Any, day: Any) -> str | None:
    return str(dt.date(whole(year), 1, 1) + dt.timedelta(days=whole(day) - 1)) if whole(day) > 0 else None


def _make_time(hour: Any, minute: Any, second: Any) -> str | None:
    if not (0 <= whole(minute) < 60 and 0 <= number_of(second) < 60):
        return None
    size = dt.timedelta(hours=abs(whole(hour)), minutes=whole(minute), seconds=number_of(second))
    return _text(-size if whole(hour) < 0 else size)


def _months(period: Any) -> int:
    year, month = divmod(whole(period), 100)
    return (year if year > 99 else year + (2000 if year < 70 else 1900)) * 12 + month - 1


def _add_period(period: Any, months: Any) -> int:
    year, month = divmod(_months(period) + whole(months), 12)
    return year * 100 + month + 1


def _converted(value: Any, old: Any, new: Any) -> str | None:
    offsets = []
    for zone in (old, new):
        found = _OFFSET.match(str(zone))
        if not found:
            return None  # as on a server whose tables of time zones are empty
        offsets.append(dt.timedelta(hours=int(found[2]), minutes=int(found[3])) * (1 if found[1] == "+" else -1))
    return str(read(value) - offsets[0] + offsets[1])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "timediff": _difference,
    "addtime": lambda value, by: _moved(value, by, 1),
    "subtime": lambda value, by: _moved(value, by, -1),
    "datetime_time": lambda value, by: str(read(value) + span(by)),
    "sec_to_time": lambda seconds: _text(dt.timedelta(seconds=number_of(seconds))),
    "time_to_sec": lambda value: (
        int((read(value) - read(str(read(value).date()))).total_seconds())
        if _has_date(value)
        else int(span(value).total_seconds())
    ),
    "time_format": _time_format,
    "maketime": _make_time,
    "makedate": _make_date,
    "from_unixtime": _from_unixtime,
    "from_days": lambda days: str(dt.date.fromordinal(whole(days) - _YEAR_ZERO)),
    "to_seconds": lambda value: (
        (read(value).toordinal() + _YEAR_ZERO) * 86_400
        + int((read(value) - read(str(read(value).date()))).total_seconds())
    ),
    "period_add": _add_period,
    "period_diff": lambda one, other: _months(one) - _months(other),
    "week": _weekly,
    "yearweek": _yearweek,
    "date_format": _format,
    "microsecond": lambda value: int((re.search(r"\.(\d{1,6})", str(value)) or ["", "0"])[1].ljust(6, "0")),
    "convert_tz": _converted,
    "utc_timestamp": lambda: str(dt.datetime.now(dt.UTC).replace(microsecond=0, tzinfo=None)),
    "utc_date": lambda: str(dt.datetime.now(dt.UTC).date()),
    "utc_time": lambda: str(dt.datetime.now(dt.UTC).time().replace(microsecond=0)),
}
CHANGING = frozenset({"utc_timestamp", "utc_date", "utc_time"})
