"""Writes an SQLite database of Spider or BIRD as a MySQL dump, so that both back ends can load it.

    mysql_dump(Path("spider/database/concert_singer/concert_singer.sqlite"))
    # "CREATE DATABASE `concert_singer` …; USE `concert_singer`; CREATE TABLE `stadium` (`Stadium_ID` int NOT NULL, …"

The file is only read. SQLite lets any column hold any value, so the values decide: a column has the MySQL type closest
to its declaration in which all its values fit, and otherwise `text`. A key that the values do not satisfy under MySQL's
collation is left out, and told in the log; foreign keys become indexes. Text that is no UTF-8 is read as Latin-1.
"""

from __future__ import annotations

import logging
import math
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lumos_rl.envs.sql.tools.clock import read
from lumos_rl.envs.sql.tools.functions import fold
from lumos_rl.errors import DataError, MissingFileError

MAX_BYTES = 200_000_000  # of a file; its rows are held in memory several times
_LOG = logging.getLogger(__name__)
_ROWS = 500  # of one INSERT
_KEY = 255  # characters of a text in a key; MySQL allows 768
_ROW = 60_000  # bytes of all varchar columns of a table; MySQL allows 65,535
_SMALL = 2**31
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the file: its columns as SQLite describes them, its keys, and its rows."""

    name: str
    columns: tuple[tuple[str, str, bool], ...]  # name, declared type in upper case, NOT NULL
    primary: tuple[str, ...]
    indexed: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def mysql_dump(path: Path) -> str:
    """The dump of a database file; the database is named as the file, in lower case.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no SQLite database, is broken, or is larger than `MAX_BYTES`.
    """
    if not path.is_file():
        raise MissingFileError(f"expected an SQLite database at {path.absolute()}")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path}: expected a database of at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    name = _quoted(path.stem.lower(), path)
    parts = [f"CREATE DATABASE {name} /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci */;"]
    parts.append(f"USE {name};")
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
        ) as connection:
            connection.text_factory = _decoded
            for table in list(_tables(connection)):
                parts += _statements(table, path)
    except sqlite3.Error as error:
        raise DataError(f"{path}: expected an SQLite database that can be read, got: {error}") from error
    return "\n".join(parts) + "\n"


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _tables(connection: sqlite3.Connection) -> Iterator[_Table]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
    )
    for (name,) in names.fetchall():
        inside = name.replace('"', '""')
        found = connection.execute(f'PRAGMA table_info("{inside}")').fetchall()
        foreign = connection.execute(f'PRAGMA foreign_key_list("{inside}")').fetchall()
        own = {column.lower(): column for _, column, *_ in found}
        yield _Table(
            name,
            tuple((column, str(kind).upper(), bool(required)) for _, column, kind, required, *_ in found),
            tuple(row[1] for row in sorted((row for row in found if row[5]), key=lambda row: int(row[5]))),
            tuple(dict.fromkeys(own[row[3].lower()] for row in foreign if row[3].lower() in own)),
            connection.execute(f'SELECT * FROM "{inside}"').fetchall(),
        )


def _statements(table: _Table, path: Path) -> Iterator[str]:
    """The CREATE TABLE and INSERTs of a table."""
    values = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    kinds = [_kind(declared, cells) for (_, declared, _), cells in zip(table.columns, values, strict=True)]
    if sum(4 * int(kind[8:-1]) for kind in kinds if kind.startswith("varchar")) > _ROW:
        kinds = ["text" if kind.startswith("varchar") else kind for kind in kinds]
    key = _primary(table, path)
    lines = []
    for place, (name, _, required) in enumerate(table.columns):
        if kinds[place] in ("text", "longtext") and name in {*key, *table.indexed}:
            kinds[place] = f"varchar({_KEY})" if _longest(values[place]) <= _KEY else kinds[place]
        must = (required or name in key) and None not in values[place]
        lines.append(f"  {_quoted(name, path)} {kinds[place]}{' NOT NULL' if must else ''}")
    long = {name for (name, *_), kind in zip(table.columns, kinds, strict=True) if kind in ("text", "longtext")}
    if key and not long.intersection(key):
        lines.append(f"  PRIMARY KEY ({', '.join(_quoted(name, path) for name in key)})")
    lines += [f"  KEY `key_{n}` ({_quoted(name, path)})" for n, name in enumerate(table.indexed) if name not in long]
    target = _quoted(table.name.lower(), path)
    yield f"CREATE TABLE {target} (\n" + ",\n".join(lines) + "\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"
    for start in range(0, len(table.rows), _ROWS):
        rows = table.rows[start : start + _ROWS]
        written = ",".join(
            "(" + ",".join(_literal(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + ")" for row in rows
        )
        yield f"INSERT INTO {target} VALUES {written};"


def _primary(table: _Table, path: Path) -> tuple[str, ...]:
    """The primary key, or none if the rows do not satisfy it in MySQL."""
    places = [place for name in table.primary for place, column in enumerate(table.columns) if column[0] == name]
    seen = {
        tuple(fold(cell) if isinstance(cell, str) else cell for cell in map(row.__getitem__, places))
        for row in table.rows
    }
    if len(seen) == len(table.rows) and not any(None in key for key in seen):
        return table.primary
    if table.primary:
        _LOG.warning("%s: the rows of table %s repeat its primary key; it is left out", path, table.name)
    return ()


def _kind(declared: str, values: Sequence[Any]) -> str:
    """The MySQL type of a column."""
    cells = [value for value in values if value is not None]
    longest = _longest(values)
    if found := re.search(r"CHAR\w*\s*\((\d+)\)", declared):
        size = int(found[1])
        return f"varchar({size})" if longest <= size <= _KEY else "text"
    if "DATE" in declared or "TIMESTAMP" in declared:
        return _date_kind(cells, longest)
    is_text = any(word in declared for word in ("CHAR", "CLOB", "TEXT"))
    is_real = re.search("REAL|FLOA|DOUB", declared) is not None
    if is_text or not all(isinstance(cell, int | float) for cell in cells):
        return _text_kind(longest)
    if not cells:
        return "double" if is_real else "int" if re.search("INT|NUM|DEC|BOOL", declared) else "text"
    if is_real or not all(isinstance(cell, int) for cell in cells):
        return "double"
    return "int" if all(-_SMALL <= cell < _SMALL for cell in cells) else "bigint"


def _text_kind(longest: int) -> str:
    return "text" if longest <= 16_000 else "longtext"


def _date_kind(cells: Sequence[Any], longest: int) -> str:
    for pattern, kind in ((_DATE, "date"), (_MOMENT, "datetime")):
        if all(isinstance(cell, str) and pattern.fullmatch(cell) and _is_date(cell) for cell in cells):
            return kind
    return _text_kind(longest)


def _is_date(text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _longest(values: Sequence[Any]) -> int:
    return max((len(_text(value)) for value in values if value is not None), default=0)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _literal(value: Any, kind: str) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "NULL"
    if isinstance(value, int | float) and kind in ("int", "bigint", "double"):
        return repr(value)
    return "'" + _text(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _quoted(name: str, path: Path) -> str:
    if "`" in name or not name:
        raise DataError(f"{path}: expected names without `, got {name!r}")
    return f"`{name}`"
