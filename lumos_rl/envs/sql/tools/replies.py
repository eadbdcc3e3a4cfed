"""What a server answers, in the form in which the published episodes of InterCode show it.

described("DESC song", [("song_id", "int(11)", "NO", "PRI", None, "")])    # [("song_id", b"int", "NO", …)]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lumos_rl.envs.sql.tools.schema import Row
from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

# Faults that are not caused by the statement: disk, memory, threads, locks, a broken table, a killed statement.
_FAULTS = frozenset({2, 3, 5, 20, 23, 1021, 1024, 1026, 1030, 1034, 1035, 1037, 1038, 1041})
_FAULTS |= {1135, 1194, 1205, 1213, 1317}
_FULL = 1114  # a table is full, because of the statement or because the disk is full
_NO_FUNCTION = re.compile(r"denied to (?:user .*|this account) for routine '([^']*)'")
_CLAUSES = {"SELECT": "field list", "WHERE": "where clause", "ON": "on clause", "HAVING": "having clause"}
_CLAUSES |= {"GROUP BY": "group statement", "ORDER BY": "order clause"}
_IN_CLAUSE = re.compile(rf"\bin ('?)({'|'.join(_CLAUSES)})('?)(?= is ambiguous|\Z)")
_PLAIN = 6  # fields of DESCRIBE; SHOW FULL COLUMNS has the collation before Null, and more at the end
_WIDTH = re.compile(r"\b((?:tiny|small|medium|big)?int)\(\d+\)")
_DESCRIBES = re.compile(
    r"(?:desc|describe|explain)\s+[`\w$.]+[\s;]*+\Z|show\s+(?:full\s+)?(?:columns|fields)", re.IGNORECASE
)


def described(statement: str, rows: list[Row] | None) -> list[Row] | None:
    """The rows; those of DESCRIBE and SHOW COLUMNS as Oracle's client gets them from MySQL 8."""
    return [_described(row) for row in rows] if rows is not None and _DESCRIBES.match(statement) else rows


def read_any_text(cursor: Any) -> None:
    """Makes the cursor replace what is no UTF-8, e.g. in `SELECT CAST(UNHEX('EDA080') AS CHAR)`, instead of raising."""

    def reading(encoding: str | None, convert: Callable[[Any], Any] | None) -> Callable[[bytes], Any]:
        def read(data: bytes) -> Any:
            value = data if encoding is None else data.decode(encoding, "replace")
            return value if convert is None else convert(value)

        return read

    result = cursor._result
    result.converters = [(None, reading(*pair)) for pair in result.converters]


def refusal(code: int, message: str) -> Exception:
    """What an error of the server means here, in MySQL's words where MariaDB has others."""
    if code in _FAULTS:
        return InfrastructureError(f"the database server failed: {message} (code {code})")
    if code == _FULL:
        return ToolLimitError(message)
    if found := _NO_FUNCTION.search(message):
        return ToolError(f"FUNCTION {found[1]} does not exist")
    return ToolError(_IN_CLAUSE.sub(lambda found: f"in {found[1]}{_CLAUSES[found[2]]}{found[3]}", message))


def _described(row: Row) -> Row:
    """A row of DESCRIBE as Oracle's client gets it from MySQL 8: without width, type and default as bytes."""
    name, kind, *between, null, key, default, extra = row if len(row) == _PLAIN else row[: _PLAIN + 1]
    kind = _WIDTH.sub(r"\1", str(kind)).encode()
    if isinstance(default, str):
        is_now = default.lower().startswith("current_timestamp")
        extra = "DEFAULT_GENERATED" if is_now else extra
        default = b"CURRENT_TIMESTAMP" if is_now else default.encode()
    return (name, kind, *between, null, key, default, extra, *row[_PLAIN + 1 :])
