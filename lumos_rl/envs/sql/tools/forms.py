"""MySQL's grammar of calls with a syntax of their own: aggregates, CAST, EXTRACT, TRIM, DATE_ADD, OVER …

FORMS["EXTRACT"](cursor)     # takes `(YEAR FROM hired)`
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.sql.tools.cursor import Cursor, Rule
from lumos_rl.envs.sql.tools.tokens import unsupported

UNITS = frozenset("MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR".split())
_LONG_UNITS = frozenset(
    f"{large}_{small}"
    for large, smaller in {
        "SECOND": ["MICROSECOND"],
        "MINUTE": ["MICROSECOND", "SECOND"],
        "HOUR": ["MICROSECOND", "SECOND", "MINUTE"],
        "DAY": ["MICROSECOND", "SECOND", "MINUTE", "HOUR"],
        "YEAR": ["MONTH"],
    }.items()
    for small in smaller
)
_AGGREGATES = frozenset(
    "COUNT SUM AVG MIN MAX STD STDDEV STDDEV_POP STDDEV_SAMP VARIANCE VAR_POP VAR_SAMP BIT_AND BIT_OR BIT_XOR".split()
)
_CASTS = {  # type in CAST → most numbers in brackets after it
    **dict.fromkeys(("BINARY", "CHAR", "CHARACTER", "NCHAR", "DATETIME", "TIME", "FLOAT"), 1),
    **dict.fromkeys(("DECIMAL", "DEC"), 2),
    **dict.fromkeys(("SIGNED", "UNSIGNED", "DATE", "YEAR", "JSON", "DOUBLE", "REAL"), 0),
}


def unit(c: Cursor) -> None:
    """Takes a unit of time."""
    word = c.word.removeprefix("SQL_TSI_")
    if word in _LONG_UNITS:
        raise unsupported(f"INTERVAL {word}")
    if word not in UNITS:
        c.fail()
    c.at += 1


def interval(c: Cursor) -> None:
    """Takes a span of time, as in INTERVAL 1 DAY."""
    c.need("INTERVAL")
    c.expression()
    unit(c)


def is_interval_function(c: Cursor) -> bool:
    """Whether INTERVAL is the function, as in INTERVAL(3, 1, 5), and not a span, as in INTERVAL (1 + 2) DAY."""
    if c.peek().word != "(":
        return False
    depth, distance = 0, 1
    while (token := c.peek(distance)).kind != "end":
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0:
            return c.peek(distance + 1).word not in UNITS | _LONG_UNITS
        distance += 1
    return False


def _aggregate(c: Cursor) -> None:
    is_count = c.peek(-1).word == "COUNT"
    c.need("(")
    if is_count and c.take("*"):
        c.need(")")
        return
    if c.take("DISTINCT") and is_count:
        c.items(Cursor.expression)
    else:
        c.take("ALL")
        c.expression()
    c.need(")")


def _group_concat(c: Cursor) -> None:
    c.need("(")
    c.take("DISTINCT")
    c.items(Cursor.expression)
    c.order()
    if c.take("SEPARATOR"):
        c.kind("text")
    c.need(")")


def _extract(c: Cursor) -> None:
    c.need("(")
    unit(c)
    c.need("FROM")
    c.expression()
    c.need(")")


def _trim(c: Cursor) -> None:
    c.need("(")
    where = c.one_of(frozenset(("LEADING", "TRAILING", "BOTH")))
    if not (where and c.word == "FROM"):
        c.expression()
    if where or c.word == "FROM":
        c.need("FROM")
        c.expression()
    c.need(")")


def _substring(c: Cursor) -> None:
    c.need("(")
    c.expression()
    if c.take("FROM"):
        c.expression()
        if c.take("FOR"):
            c.expression()
    else:
        c.need(",")
        c.expression()
        if c.take(","):
            c.expression()
    c.need(")")


def _position(c: Cursor) -> None:
    c.need("(")
    c.operation()
    c.need("IN")
    c.expression()
    c.need(")")


def _shift(c: Cursor) -> None:
    """DATE_ADD and its variants."""
    is_any = c.peek(-1).word in ("ADDDATE", "SUBDATE")
    c.need("(")
    c.expression()
    c.need(",")
    if c.word == "INTERVAL" and not is_interval_function(c):
        interval(c)
    elif is_any:
        c.expression()
    else:
        c.fail()
    c.need(")")


def _span(c: Cursor) -> None:
    """TIMESTAMPADD and TIMESTAMPDIFF."""
    c.need("(")
    unit(c)
    for _ in range(2):
        c.need(",")
        c.expression()
    c.need(")")


def _char(c: Cursor) -> None:
    c.need("(")
    c.items(Cursor.expression)
    if c.take("USING"):
        c.kind("name", "text")
    c.need(")")


def _cast(c: Cursor) -> None:
    c.need("(")
    c.expression()
    c.need("AS")
    _type(c)
    c.need(")")


def convert(c: Cursor) -> None:
    """Takes CONVERT(value, type) or CONVERT(value USING character_set)."""
    c.at += 1
    c.need("(")
    c.expression()
    if c.take("USING"):
        c.kind("name", "text")
    else:
        c.need(",")
        _type(c)
    c.need(")")


def _type(c: Cursor) -> None:
    word = c.word
    if word not in _CASTS:
        c.fail()
    c.at += 1
    if word in ("SIGNED", "UNSIGNED"):
        if c.word in ("INTEGER", "INT"):
            c.tokens[c.at] = c.tokens[c.at]._replace(text="")
            c.at += 1
    elif word == "DOUBLE":
        c.take("PRECISION")
    if c.word == "(" and _CASTS[word]:
        c.at += 1
        c.kind("number")
        if _CASTS[word] > 1 and c.take(","):
            c.kind("number")
        c.need(")")
    if word in ("CHAR", "CHARACTER") and (c.take("CHARACTER", "SET") or c.take("CHARSET")):
        c.kind("name", "text", "quoted")


def over(c: Cursor) -> None:
    """Takes OVER (…) or OVER name."""
    for word in ("RESPECT", "IGNORE"):
        c.take(word, "NULLS")
    c.need("OVER")
    if c.word != "(":
        c.name()
        return
    window(c)


def window(c: Cursor) -> None:
    """Takes the definition of a window in brackets."""
    c.need("(")
    if c.is_name() and c.word not in ("PARTITION", "ORDER"):
        c.name()
    if c.take("PARTITION", "BY"):
        c.items(Cursor.expression)
    c.order()
    if c.word in ("ROWS", "RANGE", "GROUPS"):
        c.at += 1
        if c.take("BETWEEN"):
            _bound(c)
            c.need("AND")
        _bound(c)
    c.need(")")


def _bound(c: Cursor) -> None:
    if c.take("CURRENT", "ROW"):
        return
    if not c.take("UNBOUNDED"):
        c.kind("number")
    if not (c.take("PRECEDING") or c.take("FOLLOWING")):
        c.fail()


FORMS: Mapping[str, Rule] = {
    **dict.fromkeys(_AGGREGATES, _aggregate),
    **dict.fromkeys(("SUBSTRING", "SUBSTR", "MID"), _substring),
    **dict.fromkeys(("DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE"), _shift),
    **dict.fromkeys(("TIMESTAMPADD", "TIMESTAMPDIFF"), _span),
    "GROUP_CONCAT": _group_concat,
    "EXTRACT": _extract,
    "TRIM": _trim,
    "POSITION": _position,
    "CHAR": _char,
    "CAST": _cast,
}
