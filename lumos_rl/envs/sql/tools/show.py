"""Answers SHOW, DESCRIBE and EXPLAIN from the catalog, with rows in the format of MySQL 8.

show("SHOW TABLES", catalog, "zoo")     # [("cats",), ("dogs",)]
show("SELECT 1", catalog, "zoo")        # None: not such a statement
"""

from __future__ import annotations

import re

from lumos_rl.envs.sql.tools.functions import like
from lumos_rl.envs.sql.tools.schema import Catalog, Row, Table, create_statement, describe, key_mark
from lumos_rl.envs.sql.tools.tokens import RESERVED, syntax_error, unsupported
from lumos_rl.errors import ToolError, ToolLimitError

_NAME = r"(?:`(?P<{0}>[^`]+)`|(?P<{0}2>[\w$]+))"
_FROM = rf"(?:\s+(?:FROM|IN)\s+{_NAME.format('database')})?"
_LIKE = r"(?:\s+LIKE\s+(?P<quote>['\"])(?P<like>.*?)(?P=quote))?"
_TABLE = rf"(?:{_NAME.format('qualifier')}\s*\.\s*)?{_NAME.format('table')}"
_END = r"(?:[\s;]|/\*.*?\*/|(?:--\s|#)[^\n]*)*+\Z"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace(" ", r"\s+") + _END, re.IGNORECASE | re.DOTALL)


USE = _pattern(rf"USE {_NAME.format('database')}")
_DATABASES = _pattern(rf"\s*SHOW (?:DATABASES|SCHEMAS){_LIKE}")
_TABLES = _pattern(rf"\s*SHOW (?P<full>FULL )?TABLES{_FROM}{_LIKE}")
_COLUMNS = _pattern(rf"\s*SHOW (?P<full>FULL )?(?:COLUMNS|FIELDS) (?:FROM|IN) {_TABLE}{_FROM}{_LIKE}")
_DESCRIBE = _pattern(rf"\s*(?:DESCRIBE|DESC|EXPLAIN) {_TABLE}(?:\s+['\"`]?(?P<column>[\w%]+)['\"`]?)?")
_CREATE = _pattern(rf"\s*SHOW CREATE TABLE {_TABLE}")
_INDEX = _pattern(rf"\s*SHOW (?:INDEX|INDEXES|KEYS) (?:FROM|IN) {_TABLE}{_FROM}")
_EXPLAIN = re.compile(r"\s*(?:EXPLAIN|DESCRIBE|DESC)\s+(?=SELECT|WITH|\()", re.IGNORECASE)
_FIRST = re.compile(r"\s*(?:SHOW|DESCRIBE|DESC|EXPLAIN)\b", re.IGNORECASE)
_NOT_COVERED = re.compile(
    r"\s*SHOW\s+(?:(?:FULL\s+)?(?:TABLES|COLUMNS|FIELDS|PROCESSLIST)|INDEX|INDEXES|KEYS|TABLE\s+STATUS|OPEN\s+TABLES"
    r"|(?:GLOBAL\s+|SESSION\s+)?(?:VARIABLES|STATUS)|CHARACTER\s+SET|COLLATION|CREATE|ENGINES?|STORAGE\s+ENGINES|ERRORS"
    r"|EVENTS|FUNCTION|GRANTS|PLUGINS|PRIVILEGES|PROCEDURE|PROFILES?|TRIGGERS|WARNINGS|COUNT)\b",
    re.IGNORECASE,
)
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")


def is_show(statement: str) -> bool:
    """Whether the statement begins with one of these words."""
    return _FIRST.match(statement) is not None


def explained(statement: str) -> str | None:
    """The query in an EXPLAIN; None if the statement is not an EXPLAIN of a query."""
    found = _EXPLAIN.match(statement)
    return statement[found.end() :] if found else None


def show(statement: str, catalog: Catalog, database: str) -> list[Row] | None:
    """The rows of such a statement; None if it is not a supported SHOW or DESCRIBE.

    Raises:
        ToolError: There is no such table or database.
    """
    if found := _DATABASES.match(statement):
        names = sorted({*catalog.databases, *_SYSTEM})
        return [(name,) for name in names if _is_like(found, name)]
    if found := _TABLES.match(statement):
        tables = _database(catalog, _name(found, "database") or database)
        rows: list[Row] = [(name, "BASE TABLE") if found["full"] else (name,) for name in sorted(tables)]
        return [row for row in rows if _is_like(found, str(row[0]))]
    if found := _CREATE.match(statement):
        table = _table(catalog, found, database)
        return [(table.name, create_statement(table))]
    if found := _COLUMNS.match(statement):
        columns = describe(_table(catalog, found, database))
        if found["full"]:
            columns = [_full(row) for row in columns]
        return [row for row in columns if _is_like(found, str(row[0]))]
    if found := _INDEX.match(statement):
        return _indexes(_table(catalog, found, database))
    if found := _DESCRIBE.match(statement):
        wanted = (found["column"] or "%").lower()
        return [row for row in describe(_table(catalog, found, database)) if _matches(wanted, row[0])]
    if _NOT_COVERED.match(statement):
        raise unsupported(" ".join(statement.split()[:3]))
    return None


def explain(tables: list[str]) -> list[Row]:
    """The rows of EXPLAIN for a query over these tables: a scan of each, without estimates."""
    return [(1, "SIMPLE", name, None, "ALL", None, None, None, None, None, 100.0, None) for name in tables or [None]]  # type: ignore[list-item]


def _name(found: re.Match[str], group: str) -> str:
    return (found[group] or found[f"{group}2"] or "").lower()


def _is_like(found: re.Match[str], name: str) -> bool:
    return found["like"] is None or _matches(found["like"], name)


def _matches(pattern: str, name: object) -> bool:
    try:
        return bool(like(pattern, str(name)))
    except ValueError as error:
        raise ToolLimitError(str(error)) from error


def _database(catalog: Catalog, name: str) -> dict[str, Table]:
    if name not in catalog.databases:
        raise ToolError(f"Unknown database '{name}'")
    return catalog.databases[name]


def _table(catalog: Catalog, found: re.Match[str], database: str) -> Table:
    groups = found.groupdict()
    place = _name(found, "qualifier") or ("database" in groups and _name(found, "database")) or database
    tables = _database(catalog, place)
    name = _name(found, "table")
    for group in ("table2", "qualifier2", "database2"):
        word = groups.get(group)
        if word and word.lower() in RESERVED and (group != "table2" or not groups.get("qualifier2", "")):
            raise syntax_error(word)
    if name not in tables:
        raise ToolError(f"Table '{place}.{found['table'] or found['table2']}' doesn't exist")
    return tables[name]


def _full(row: Row) -> Row:
    name, kind, null, key, default, extra = row
    collation = "utf8mb4_general_ci" if isinstance(kind, bytes) and re.match(rb"char|varchar|.*text", kind) else None
    return (name, kind, collation, null, key, default, extra, "select,insert,update,references", "")


def _indexes(table: Table) -> list[Row]:
    rows: list[Row] = []
    keys = [
        ("PRIMARY", table.primary_key),
        *((key[0], key) for key in table.unique),
        *((c, (c,)) for c in table.indexed),
    ]
    for label, key in keys:
        for place, name in enumerate(key, 1):
            column = next(column for column in table.columns if column.name == name)
            unique = int(key_mark(table, column) == "MUL")
            null = "YES" if column.nullable else ""
            rows.append(
                (table.name, unique, label, place, name, "A", None, None, None, null, "BTREE", "", "", "YES", None)
            )
    return rows
