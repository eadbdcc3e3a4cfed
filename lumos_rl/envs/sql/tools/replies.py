"""What a server answers, in the form in which the published episodes of InterCode show it.

described("DESC song", [("song_id", "int(11)", "NO", "PRI", None, "")])    # [("song_id", b"int", "NO", …)]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lumos_rl.envs.sql.tools.schema import Row

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


def _described(row: Row) -> Row:
    """A row of DESCRIBE as Oracle's client gets it from MySQL 8: without width, type and default as bytes."""
    name, kind, *between, null, key, default, extra = row if len(row) == _PLAIN else row[: _PLAIN + 1]
    kind = _WIDTH.sub(r"\1", str(kind)).encode()
    if isinstance(default, str):
        is_now = default.lower().startswith("current_timestamp")
        extra = "DEFAULT_GENERATED" if is_now else extra
        default = b"CURRENT_TIMESTAMP" if is_now else default.encode()
    return (name, kind, *between, null, key, default, extra, *row[_PLAIN + 1 :])
