"""MySQL's tables in SQLite: their definitions, and the rows of `information_schema`.

table_definition("zoo.cats", table)    # 'CREATE TABLE "zoo.cats" ("id" INTEGER NOT NULL, "name" TEXT COLLATE …)'
"""

from __future__ import annotations

from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import Catalog, Column, Kind, Row, Table, key_mark

_KINDS = {Kind.INT: "INTEGER", Kind.DECIMAL: "REAL", Kind.DOUBLE: "REAL", Kind.FLOAT: "REAL"}
INFORMATION = "information_schema"


def column_definition(column: Column) -> str:
    """One column of a CREATE TABLE."""
    kind = column.type
    text = f"TEXT COLLATE {'NOCASE' if kind.plain else COLLATION}" if kind.kind is Kind.TEXT else "TEXT"
    name = column.name.replace('"', '""')
    return f'"{name}" {_KINDS.get(kind.kind, text)}{"" if column.nullable else " NOT NULL"}'


def table_definition(name: str, table: Table) -> str:
    """SQLite's CREATE TABLE. Rows are stored in the order of the primary key, as in InnoDB."""
    parts = [column_definition(column) for column in table.columns]
    tail = ""
    if table.primary_key:
        key = ", ".join('"' + column.replace('"', '""') + '"' for column in table.primary_key)
        parts.append(f"PRIMARY KEY ({key})")
        first = next(column for column in table.columns if column.name == table.primary_key[0])
        tail = "" if len(table.primary_key) == 1 and first.type.kind is Kind.INT else " WITHOUT ROWID"
    quoted = name.replace('"', '""')
    return f'CREATE TABLE "{quoted}" ({", ".join(parts)}){tail}'


def index_definitions(name: str, table: Table) -> list[str]:
    """SQLite's CREATE INDEX for each key other than the primary key."""
    columns = dict.fromkeys([*table.indexed, *(key[0] for key in table.unique)])
    return [f'CREATE INDEX "{name}.{place}" ON "{name}" ("{column}")' for place, column in enumerate(columns)]


def information(catalog: Catalog) -> dict[Table, list[Row]]:
    """The tables of `information_schema` that describe the other tables, with their rows."""
    schemata: list[Row] = []
    tables: list[Row] = []
    columns: list[Row] = []
    keys: list[Row] = []
    for database, found in catalog.databases.items():
        schemata.append(("def", database, "utf8mb4", "utf8mb4_general_ci"))
        for name, table in found.items():
            tables.append(("def", database, name, "BASE TABLE", "InnoDB"))
            columns += [_column_row(database, table, place) for place in range(len(table.columns))]
            for place, column in enumerate(table.primary_key, 1):
                keys.append(("PRIMARY", database, name, column, place, None, None, None))
            for place, (column, other, target) in enumerate(table.foreign_keys, 1):
                keys.append((f"{name}_FK_{place - 1}_0", database, name, column, 1, database, other, target))
    return {
        _table("schemata", "CATALOG_NAME SCHEMA_NAME DEFAULT_CHARACTER_SET_NAME DEFAULT_COLLATION_NAME"): schemata,
        _table("tables", "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_TYPE ENGINE"): tables,
        _table(
            "columns",
            "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION:int COLUMN_DEFAULT IS_NULLABLE"
            " DATA_TYPE CHARACTER_MAXIMUM_LENGTH:int COLUMN_TYPE COLUMN_KEY EXTRA COLUMN_COMMENT",
        ): columns,
        _table(
            "key_column_usage",
            "CONSTRAINT_NAME TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION:int REFERENCED_TABLE_SCHEMA"
            " REFERENCED_TABLE_NAME REFERENCED_COLUMN_NAME",
        ): keys,
    }


def _table(name: str, columns: str) -> Table:
    pairs = (text.partition(":") for text in columns.split())
    return Table(name, tuple(Column(column, declared or "varchar(64)") for column, _, declared in pairs))


def _column_row(database: str, table: Table, place: int) -> Row:
    column = table.columns[place]
    base, _, size = column.declared.partition("(")
    length = int(size.rstrip(")")) if column.type.kind is Kind.TEXT and size else None
    null = "YES" if column.nullable else "NO"
    extra = "auto_increment" if column.auto_increment else ""
    key = key_mark(table, column)
    head = ("def", database, table.name, column.name, place + 1, column.default, null, base, length)
    return (*head, column.declared, key, extra, "")
