"""MySQL's tables in SQLite: their definitions, and the rows of `information_schema`.

table_definition("zoo.cats", table)    # 'CREATE TABLE "zoo.cats" ("id" INTEGER NOT NULL, "name" TEXT COLLATE …)'
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import Catalog, Column, Kind, Row, Table, key_mark

_KINDS = {Kind.INT: "INTEGER", Kind.DECIMAL: "REAL", Kind.DOUBLE: "REAL", Kind.FLOAT: "REAL"}
INFORMATION = "information_schema"


def column_definition(column: Column) -> str:
    """One column of a CREATE TABLE."""
    kind = column.type
    text = f"TEXT COLLATE {'NOCASE' if kind.plain else COLLATION}" if kind.kind is Kind.TEXT else "TEXT"
    name = column.name.replace('"', '""')
    null = "" if column.nullable else " NOT NULL"
    return f'"{name}" {_KINDS.get(kind.kind, text)}{null}{_default(column)}'


def _default(column: Column) -> str:
    if column.default is None:
        return ""
    if column.default == "CURRENT_TIMESTAMP":
        return " DEFAULT CURRENT_TIMESTAMP"
    text = column.default.replace("'", "''")
    return f" DEFAULT '{text}'"


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


# The tables of information_schema as in MySQL 8.0, with the type of each column that is not a text.
_SCHEMATA = """
CATALOG_NAME SCHEMA_NAME DEFAULT_CHARACTER_SET_NAME DEFAULT_COLLATION_NAME SQL_PATH DEFAULT_ENCRYPTION
"""
_TABLES = """
TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_TYPE ENGINE VERSION:int ROW_FORMAT TABLE_ROWS:bigint AVG_ROW_LENGTH:bigint
DATA_LENGTH:bigint MAX_DATA_LENGTH:bigint INDEX_LENGTH:bigint DATA_FREE:bigint AUTO_INCREMENT:bigint
CREATE_TIME:timestamp UPDATE_TIME:datetime CHECK_TIME:datetime TABLE_COLLATION CHECKSUM:bigint CREATE_OPTIONS
TABLE_COMMENT
"""
_COLUMNS = """
TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION:int COLUMN_DEFAULT IS_NULLABLE DATA_TYPE
CHARACTER_MAXIMUM_LENGTH:bigint CHARACTER_OCTET_LENGTH:bigint NUMERIC_PRECISION:bigint NUMERIC_SCALE:bigint
DATETIME_PRECISION:int CHARACTER_SET_NAME COLLATION_NAME COLUMN_TYPE COLUMN_KEY EXTRA PRIVILEGES COLUMN_COMMENT
GENERATION_EXPRESSION SRS_ID:int
"""
_KEYS = """
CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME
ORDINAL_POSITION:int POSITION_IN_UNIQUE_CONSTRAINT:int REFERENCED_TABLE_SCHEMA REFERENCED_TABLE_NAME
REFERENCED_COLUMN_NAME
"""
_CONSTRAINTS = """
CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_SCHEMA TABLE_NAME CONSTRAINT_TYPE ENFORCED
"""
_REFERENCES = """
CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME UNIQUE_CONSTRAINT_CATALOG UNIQUE_CONSTRAINT_SCHEMA
UNIQUE_CONSTRAINT_NAME MATCH_OPTION UPDATE_RULE DELETE_RULE TABLE_NAME REFERENCED_TABLE_NAME
"""
_VIEWS = """
TABLE_CATALOG TABLE_SCHEMA TABLE_NAME VIEW_DEFINITION CHECK_OPTION IS_UPDATABLE DEFINER SECURITY_TYPE
CHARACTER_SET_CLIENT COLLATION_CONNECTION
"""
_CHARSET, _COLLATION = "utf8mb4", "utf8mb4_general_ci"
_PAGE = 16_384  # bytes; InnoDB's smallest table
_LENGTHS = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215, "longtext": 4_294_967_295}
_PRECISIONS = {"tinyint": 3, "smallint": 5, "mediumint": 7, "int": 10, "bigint": 19, "float": 12, "double": 22}


def information(catalog: Catalog, counts: Mapping[tuple[str, str], int]) -> dict[Table, list[Row]]:
    """The tables of `information_schema` that describe the other tables, with their rows.

    Args:
        catalog: The other tables.
        counts: (database, table) in lower case → its number of rows.
    """
    rows: dict[str, list[Row]] = {name: [] for name in _DEFINED}
    for database, found in catalog.databases.items():
        rows["schemata"].append(("def", database, _CHARSET, _COLLATION, None, "NO"))
        for name, table in found.items():
            rows["tables"].append(_table_row(database, table, counts.get((database, name), 0)))
            places = sorted(range(len(table.columns)), key=lambda place: table.columns[place].name.lower())
            rows["columns"] += [_column_row(database, table, place) for place in places]  # MySQL gives them by name
            _add_keys(rows, database, table)
    return {_table(name, columns): rows[name] for name, columns in _DEFINED.items()}


_DEFINED = {
    "schemata": _SCHEMATA,
    "tables": _TABLES,
    "columns": _COLUMNS,
    "key_column_usage": _KEYS,
    "table_constraints": _CONSTRAINTS,
    "referential_constraints": _REFERENCES,
    "views": _VIEWS,
}


def _table(name: str, columns: str) -> Table:
    pairs = (text.partition(":") for text in columns.split())
    return Table(name, tuple(Column(column, declared or "varchar(64)") for column, _, declared in pairs))


def _table_row(database: str, table: Table, count: int) -> Row:
    has_number = any(column.auto_increment for column in table.columns)
    sizes = (count, _PAGE // max(1, count), _PAGE, 0, 0, 0, count + 1 if has_number else None)
    head = ("def", database, table.name, "BASE TABLE", "InnoDB", 10, "Dynamic")
    return (*head, *sizes, None, None, None, _COLLATION, None, "", "")


def _add_keys(rows: dict[str, list[Row]], database: str, table: Table) -> None:
    head, place = ("def", database), (database, table.name)
    keys = [("PRIMARY", "PRIMARY KEY", table.primary_key)] if table.primary_key else []
    keys += [(key[0], "UNIQUE", key) for key in table.unique]
    for label, kind, key in keys:
        rows["table_constraints"].append((*head, label, *place, kind, "YES"))
        for number, column in enumerate(key, 1):
            rows["key_column_usage"].append((*head, label, "def", *place, column, number, None, None, None, None))
    for number, (column, other, target) in enumerate(table.foreign_keys, 1):
        label = f"{table.name}_FK_{number - 1}_0"
        rows["table_constraints"].append((*head, label, *place, "FOREIGN KEY", "YES"))
        rows["key_column_usage"].append((*head, label, "def", *place, column, 1, 1, database, other, target))
        rule = (*head, "PRIMARY", "NONE", "NO ACTION", "NO ACTION")
        rows["referential_constraints"].append((*head, label, *rule, table.name, other))


def _column_row(database: str, table: Table, place: int) -> Row:
    column = table.columns[place]
    base, _, size = column.declared.partition("(")
    base = base.split()[0]
    is_text = column.type.kind is Kind.TEXT
    length = (int(size.partition(")")[0]) if size[:1].isdigit() else _LENGTHS.get(base)) if is_text else None
    octets = None if length is None else min(4 * length, _LENGTHS["longtext"]) if size else length
    precision, scale = _PRECISIONS.get(base), None
    if column.type.kind in (Kind.DECIMAL, Kind.DOUBLE, Kind.FLOAT, Kind.INT) and base not in ("year", "bit"):
        scale = column.type.scale if column.type.kind is not Kind.INT else 0
        precision = (
            int(size.partition(",")[0].rstrip(")")) if size and scale is not None and base != "int" else precision
        )
    moment = 0 if column.type.kind in (Kind.DATETIME, Kind.TIME) else None
    charset = (_CHARSET, _COLLATION) if is_text else (None, None)
    null, extra = "YES" if column.nullable else "NO", "auto_increment" if column.auto_increment else ""
    head = ("def", database, table.name, column.name, place + 1, column.default, null, base)
    numbers = (length, octets, precision, scale, moment)
    tail = (column.declared, key_mark(table, column), extra, "select,insert,update,references", "", "", None)
    return (*head, *numbers, *charset, *tail)
