"""SQLite's errors in MySQL's words; none of SQLite's own reaches an agent.

    in_mysqls_words('near "x": syntax error')      # ToolError: You have an error … near 'x' at line 1
    in_mysqls_words("integer overflow")            # ToolError: BIGINT value is out of range

The translation should leave nothing for SQLite to refuse but what depends on the rows. So the rest are faults of the
translation; they are told as error 1064, which MySQL gives for a statement that it cannot read.
"""

from __future__ import annotations

import re

from lumos_rl.envs.sql.tools.tokens import syntax_error, unsupported
from lumos_rl.errors import ToolError, ToolLimitError

_TEXTS = (  # pattern of SQLite's text, MySQL's text with what the group found
    (r"NOT NULL constraint failed: .*\.([^.]+)", "Column '{}' cannot be null"),
    (r"UNIQUE constraint failed: (?:index ')?(?:[^.]*\.)?([^.']+)[.'].*", "Duplicate entry for key '{}.PRIMARY'"),
    (r"CHECK constraint failed: (.*)", "Check constraint '{}' is violated."),
    (r"(?:ambiguous column name|no such column): (?:.*\.)?([^.]+)", "Unknown column '{}' in 'field list'"),
    (r"no such table: (.*)", "Table '{}' doesn't exist"),
    (r"no such function: (?:my_)?(.*)", "FUNCTION {} does not exist"),
    (r".*wrong number of arguments to function (?:my_)?(\w+).*", "Incorrect parameter count in the call to '{}'"),
    (r"(?:misuse of|aggregate functions|window functions).*", "Invalid use of group function"),
    (r"table (?:\S+) has (\d+) columns? but .*", "Column count doesn't match value count at row 1"),
    (r"integer overflow", "BIGINT value is out of range"),
    (r"too many columns.*", "Too many columns"),
    (r"at most \d+ tables in a join", "Too many tables; MySQL can only use 61 tables in a join"),
    (r"datatype mismatch", "Incorrect integer value"),
    (
        r"(?:not authorized|access to .* is prohibited).*",
        "Access denied; you need another privilege for this operation",
    ),
)
_LARGE = re.compile(r"string or blob too big", re.IGNORECASE)
_DEEP = re.compile(r"expression tree is too large|parser stack overflow|too many|too big|too large", re.IGNORECASE)
_KEPT = re.compile(r".*cannot drop.* column: \"([^\"]*)\"", re.IGNORECASE | re.DOTALL)
_NEAR = re.compile(r'near "(.*)": syntax error', re.DOTALL)


def in_mysqls_words(text: str) -> ToolError:
    """The error of MySQL for an error text of SQLite."""
    for pattern, message in _TEXTS:
        if found := re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL):
            return ToolError(message.format(*found.groups()))
    if found := _KEPT.match(text):
        return unsupported(f"DROP COLUMN {found[1]}")
    if _LARGE.match(text):
        return ToolLimitError("Result of a function was larger than max_allowed_packet - truncated")
    if _DEEP.match(text):
        return ToolLimitError("Thread stack overrun: expected a simpler statement")
    found = _NEAR.match(text)
    return syntax_error(found[1] if found else "")
