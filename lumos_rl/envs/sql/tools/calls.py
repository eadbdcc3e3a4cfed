"""The table of MySQL's functions: their names in SQLite, their numbers of arguments, and the types of their values.

CALLS["concat"]     # Call("my_concat", 1, None, TEXT)
CALLS["ifnull"]     # Call("ifnull", 2, 2, "merged")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from lumos_rl.envs.sql.tools import clock, times
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Cell, Kind, Type

INT, TEXT, DOUBLE, ANY, NULL = Type(Kind.INT), Type(Kind.TEXT), Type(Kind.DOUBLE), Type(Kind.ANY), Type(Kind.NULL)
BITS = Type(Kind.INT, unsigned=True)
DATE, DATETIME, TIME = Type(Kind.DATE), Type(Kind.DATETIME), Type(Kind.TIME)
_EXTRA_DIGITS = 4  # MySQL's div_precision_increment
_MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Call:
    """One function.

    Attributes:
        target: Its name in SQLite.
        least: Minimum number of arguments.
        most: Maximum number of arguments; None for no limit.
        gives: A type, "merged" (common type of all arguments), "first" (type of the first), "rounded" (first, rounded),
            "whole" (first, as an integer), or "parsed" (a date, with a time if the format has one).
    """

    target: str
    least: int
    most: int | None
    gives: Type | str


def _all(names: str, least: int, most: int | None, gives: Type | str) -> dict[str, Call]:
    """Functions that differ only in their names; `name=target` gives another name in SQLite."""
    pairs = (text.partition("=") for text in names.split())
    return {name: Call(target or f"my_{name}", least, most, gives) for name, _, target in pairs}


CALLS: Mapping[str, Call] = {
    **_all("concat", 1, None, TEXT),
    **_all("concat_ws", 2, None, TEXT),
    **_all("upper ucase=my_upper lower lcase=my_lower reverse hex space", 1, 1, TEXT),
    **_all("ltrim=ltrim rtrim=rtrim", 1, 1, TEXT),
    **_all("substr=my_substring mid=my_substring", 2, 3, TEXT),
    **_all("left right repeat", 2, 2, TEXT),
    **_all("replace lpad rpad substring_index", 3, 3, TEXT),
    **_all("date_format time_format", 2, 2, TEXT),
    **_all("soundex quote bin oct md5 sha1 sha=my_sha1 to_base64 inet_ntoa", 1, 1, TEXT),
    **_all("sha2", 2, 2, TEXT),
    **_all("conv", 3, 3, TEXT),
    **_all("insert", 4, 4, TEXT),
    **_all("make_set", 2, None, TEXT),
    **_all("uuid", 0, 0, TEXT),
    **_all("unhex from_base64", 1, 1, ANY),
    **_all("regexp_like", 2, 3, INT),
    **_all("regexp_substr", 2, 5, TEXT),
    **_all("regexp_instr", 2, 6, INT),
    **_all("regexp_replace", 3, 6, TEXT),
    **_all("format", 2, 3, TEXT),
    **_all("dayname monthname", 1, 1, TEXT),
    **_all("elt", 2, None, TEXT),
    **_all("length octet_length=my_length char_length character_length=my_char_length ascii", 1, 1, INT),
    **_all("ord bit_length bit_count crc32 inet_aton", 1, 1, INT),
    **_all("interval", 2, None, INT),
    **_all("instr strcmp find_in_set datediff", 2, 2, INT),
    **_all("locate", 2, 3, INT),
    **_all("field", 2, None, INT),
    **_all(
        "year month day dayofmonth=my_day hour minute second quarter dayofweek weekday dayofyear to_days", 1, 1, INT
    ),
    **_all("week yearweek", 1, 2, INT),
    **_all("microsecond to_seconds time_to_sec", 1, 1, INT),
    **_all("period_add period_diff", 2, 2, INT),
    **_all("ceiling ceil=my_ceiling floor", 1, 1, "whole"),
    **_all("sign", 1, 1, INT),
    **_all("unix_timestamp", 1, 1, INT),
    **_all("sqrt exp ln log10 log2", 1, 1, DOUBLE),
    **_all("sin cos tan cot asin acos radians degrees", 1, 1, DOUBLE),
    **_all("atan", 1, 2, DOUBLE),
    **_all("atan2=my_atan", 2, 2, DOUBLE),
    **_all("log", 1, 2, DOUBLE),
    **_all("pi", 0, 0, Type(Kind.DOUBLE, 6)),
    **_all("power pow=my_power", 2, 2, DOUBLE),
    **_all("abs=abs", 1, 1, "first"),
    **_all("mod", 2, 2, "first"),
    **_all("round", 1, 2, "rounded"),
    **_all("truncate", 2, 2, "rounded"),
    **_all("ifnull=ifnull", 2, 2, "merged"),
    **_all("coalesce=coalesce", 1, None, "merged"),
    **_all("greatest least", 2, None, "merged"),
    **_all("nullif=nullif", 2, 2, "first"),
    **_all("any_value=my_any", 1, 1, "first"),
    **_all("date last_day from_days", 1, 1, DATE),
    **_all("makedate", 2, 2, DATE),
    **_all("time sec_to_time", 1, 1, TIME),
    **_all("timediff", 2, 2, TIME),
    **_all("maketime", 3, 3, TIME),
    **_all("addtime subtime", 2, 2, "moved"),
    **_all("convert_tz", 3, 3, DATETIME),
    **_all("from_unixtime", 1, 2, "unix"),
    **_all("utc_timestamp", 0, 1, DATETIME),
    **_all("utc_date", 0, 0, DATE),
    **_all("utc_time", 0, 1, TIME),
    **_all("str_to_date", 2, 2, "parsed"),
    **_all("now current_timestamp=my_now localtime=my_now localtimestamp=my_now sysdate=my_now", 0, 1, DATETIME),
    **_all("curdate current_date=my_curdate", 0, 0, DATE),
    **_all("curtime current_time=my_curtime", 0, 1, TIME),
}
NOT_COVERED = frozenset(  # functions of MySQL 8.0 that are not covered here
    """
    benchmark bin_to_uuid can_access_column charset coercibility collation compress connection_id export_set
    extractvalue format_bytes found_rows from_utf8 get_format get_lock grouping icu_version inet6_aton inet6_ntoa
    is_free_lock is_ipv4 is_ipv6 is_used_lock is_uuid last_insert_id load_file master_pos_wait name_const
    random_bytes release_all_locks release_lock row_count sleep source_pos_wait uncompress
    uncompressed_length updatexml uuid_short uuid_to_bin validate_password_strength values weight_string
    """.split()
)
WINDOWS: Mapping[str, Type | str] = {  # functions that are only used with OVER
    **dict.fromkeys(("row_number", "rank", "dense_rank", "ntile"), INT),
    **dict.fromkeys(("percent_rank", "cume_dist"), DOUBLE),
    **dict.fromkeys(("lag", "lead", "first_value", "last_value", "nth_value"), "first"),
}
AGGREGATES: Mapping[str, str] = {
    **dict.fromkeys(("std", "stddev", "stddev_pop"), "my_std"),
    **dict.fromkeys(("variance", "var_pop"), "my_variance"),
    **{name: f"my_{name}" for name in ("bit_and", "bit_or", "bit_xor")},
    "stddev_samp": "my_stddev_samp",
    "var_samp": "my_var_samp",
}


def merged(types: Sequence[Type]) -> Type:
    """The common type of values of all these types."""
    kinds = {kind.kind for kind in types} - {Kind.NULL}
    if not kinds:
        return NULL
    if kinds == {Kind.FLOAT}:
        kinds = {Kind.DOUBLE} if len(types) > 1 else kinds
    if len(kinds) == 1:
        scales = {kind.scale for kind in types if kind.kind is not Kind.NULL}
        scale = None if None in scales else max(scale or 0 for scale in scales)
        return Type(kinds.pop(), scale)
    if kinds <= {Kind.INT, Kind.DECIMAL}:
        return Type(Kind.DECIMAL, max(kind.scale or 0 for kind in types))
    if kinds <= NUMBERS:
        return DOUBLE
    if kinds <= {Kind.DATE, Kind.DATETIME}:
        return DATETIME
    return ANY if Kind.ANY in kinds else TEXT


def arithmetic(sign: str, left: Type, right: Type) -> Type:
    """The type of `left sign right`, for one of + - * / %."""
    left, right = (INT if kind.kind in TIMES else kind for kind in (left, right))
    exact = {left.kind, right.kind} <= {Kind.INT, Kind.DECIMAL}
    scales = [0 if kind.kind is Kind.INT else kind.scale for kind in (left, right)]
    if exact and sign != "/" and left.kind is right.kind is Kind.INT:
        return INT
    if None in scales or not {left.kind, right.kind} <= NUMBERS:
        return DOUBLE
    one, other = scales[0] or 0, scales[1] or 0
    scale = {"*": one + other, "/": (one if exact else max(one, other)) + _EXTRA_DIGITS}.get(sign, max(one, other))
    return Type(Kind.DECIMAL if exact else Kind.DOUBLE, min(scale, _MOST_DIGITS))


def summed(of: Type) -> Type:
    """The type of SUM."""
    if of.kind in (Kind.INT, Kind.DECIMAL) or of.kind in TIMES:
        return Type(Kind.DECIMAL, of.scale or 0)
    return Type(Kind.DOUBLE, of.scale if of.kind in NUMBERS else None)


def averaged(of: Type) -> Type:
    """The type of AVG."""
    total = summed(of)
    return total if total.scale is None else Type(total.kind, min(total.scale + _EXTRA_DIGITS, _MOST_DIGITS))


def rounded(of: Type, places: int | None) -> Type:
    """The type of ROUND or TRUNCATE to `places` places; None if the number is not a constant."""
    if of.kind is Kind.DECIMAL and places is not None:
        return Type(Kind.DECIMAL, max(0, min(places, of.scale or 0)))
    return of if of.kind in (Kind.INT, Kind.DECIMAL) else DOUBLE


def cell(value: Cell, of: Type) -> Cell:
    """A value from SQLite, as MySQL's client would return it."""
    if value is None or of.kind is Kind.ANY:
        return value
    if of.unsigned and isinstance(value, int) and value < 0:
        return value + 2**64
    if of.kind is Kind.TIME:
        return times.shown(value)
    if of.kind is Kind.INT:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if of.kind is Kind.DECIMAL and isinstance(value, int | float):
        return _decimal(value, of.scale or 0)
    if of.kind in (Kind.DOUBLE, Kind.FLOAT) and isinstance(value, int | float):
        if of.scale is not None:
            return round(float(value), of.scale)
        return float(f"{value:.6g}") if of.kind is Kind.FLOAT else float(value)
    if of.kind in (Kind.DATE, Kind.DATETIME):
        return clock.shown(value, of.kind is Kind.DATETIME)
    return value


def _decimal(value: float, scale: int) -> Cell:
    try:
        return Decimal(repr(value + 0)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except InvalidOperation:
        return value
