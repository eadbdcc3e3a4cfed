"""Tables as MySQL describes them, and the rows of SHOW and DESCRIBE about them.

    column = Column("Poker_Player_ID", "int", nullable=False, auto_increment=True)
    table = Table("poker_player", (column,), primary_key=("Poker_Player_ID",))
    describe(table)    # [("Poker_Player_ID", b"int", "NO", "PRI", None, "auto_increment")]

Rows have the form in which Oracle's Python client gets them from MySQL 8, with type and default as bytes, because the
published episodes of InterCode show them so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lumos_rl.errors import UnknownNameError

Cell = object  # None, int, float, Decimal, str, bytes, date, datetime or time
Row = tuple[Cell, ...]


class Kind(StrEnum):
    """The kind of the values of a column or an expression."""

    INT = "int"
    DECIMAL = "decimal"
    DOUBLE = "double"
    FLOAT = "float"  # single precision
    TEXT = "text"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    NULL = "null"
    ANY = "any"  # unknown


NUMBERS = frozenset({Kind.INT, Kind.DECIMAL, Kind.DOUBLE, Kind.FLOAT})
TIMES = frozenset({Kind.DATE, Kind.DATETIME, Kind.TIME})


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a column or an expression.

    Attributes:
        kind: The kind of its values.
        scale: Digits after the decimal point: always set for DECIMAL, for DOUBLE or FLOAT only if declared.
        plain: Whether SQLite's collation NOCASE orders and compares its texts as MySQL does; see `dump.is_plain`.
        unsigned: Whether an INT below 0 stands for the integer without a sign that has the same 64 bits.
    """

    kind: Kind
    scale: int | None = None
    plain: bool = False
    unsigned: bool = False


_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("int", "tinyint", "smallint", "mediumint", "bigint", "integer", "bool", "boolean"), Kind.INT),
    **dict.fromkeys(("year", "bit"), Kind.INT),
    **dict.fromkeys(("decimal", "numeric", "dec"), Kind.DECIMAL),
    **dict.fromkeys(("double", "real"), Kind.DOUBLE),
    **dict.fromkeys(("datetime", "timestamp"), Kind.DATETIME),
    "float": Kind.FLOAT,
    "date": Kind.DATE,
    "time": Kind.TIME,
}
_SCALE = re.compile(r"\((\d+)(?:, *(\d+))?\)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Name as declared; case is ignored in comparisons.
        declared: MySQL type in lower case, e.g. "int", "varchar(255)", "float(10,2)".
        nullable: Whether it may be NULL.
        default: Text of the declared default; None without one.
        auto_increment: Whether MySQL numbers it automatically.
        plain: As in `Type`; set after the rows are read.
    """

    name: str
    declared: str
    nullable: bool = True
    default: str | None = None
    auto_increment: bool = False
    plain: bool = False

    @property
    def type(self) -> Type:
        """Its type in expressions."""
        kind = _KINDS.get(self.declared.partition("(")[0].partition(" ")[0], Kind.TEXT)
        if kind is Kind.TEXT:
            return Type(kind, plain=self.plain)
        found = _SCALE.search(self.declared)
        if kind in (Kind.DECIMAL, Kind.DOUBLE, Kind.FLOAT) and found:
            return Type(kind, int(found[2] or 0))
        return Type(kind, 0 if kind is Kind.DECIMAL else None)


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: Name in lower case, as a server with `lower_case_table_names=1` stores it.
        columns: Its columns in order.
        primary_key: Names of the key's columns.
        unique: Columns of each other unique key.
        indexed: First column of each other index, which DESCRIBE marks.
        foreign_keys: Column, referenced table and referenced column of each foreign key.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    indexed: tuple[str, ...] = ()
    foreign_keys: tuple[tuple[str, str, str], ...] = ()

    @property
    def keys(self) -> list[frozenset[str]]:
        """Lower-case column names of each key that identifies a row."""
        required = {column.name.lower() for column in self.columns if not column.nullable}
        keys = [frozenset(name.lower() for name in key) for key in (self.primary_key, *self.unique) if key]
        return keys[:1] + [key for key in keys[1:] if key <= required] if self.primary_key else keys


@dataclass(slots=True)
class Catalog:
    """The databases of a server: database name → table name → table, all names in lower case."""

    databases: dict[str, dict[str, Table]] = field(default_factory=dict)

    def find(self, database: str, table: str) -> Table | None:
        """A table, or None if there is none."""
        return self.databases.get(database.lower(), {}).get(table.lower())

    def check(self, database: str) -> str:
        """The database's name in lower case.

        Raises:
            UnknownNameError: There is no such database.
        """
        if database.lower() not in self.databases:
            raise UnknownNameError("database", database, self.databases)
        return database.lower()

    def copy(self) -> Catalog:
        """An independent copy of the catalog."""
        return Catalog({name: dict(tables) for name, tables in self.databases.items()})


def key_mark(table: Table, column: Column) -> str:
    """The mark of a column's key in DESCRIBE: PRI, UNI, MUL or ""."""
    name = column.name.lower()
    if name in (key.lower() for key in table.primary_key):
        return "PRI"
    if any([name] == [part.lower() for part in key] for key in table.unique):
        return "UNI"
    firsts = [*table.indexed, *(key[0] for key in table.unique)]
    return "MUL" if name in (first.lower() for first in firsts) else ""


def describe(table: Table) -> list[Row]:
    """The rows of `DESCRIBE table`: Field, Type, Null, Key, Default, Extra."""
    return [
        (
            column.name,
            column.declared.encode(),
            "YES" if column.nullable else "NO",
            key_mark(table, column),
            None if column.default is None else column.default.encode(),
            _extra(column),
        )
        for column in table.columns
    ]


def _extra(column: Column) -> str:
    if column.auto_increment:
        return "auto_increment"
    return "DEFAULT_GENERATED" if (column.default or "").upper().startswith("CURRENT_TIMESTAMP") else ""


def create_statement(table: Table) -> str:
    """The CREATE TABLE that MySQL would show, without foreign keys and non-unique indexes."""
    lines = [f"  `{column.name}` {column.declared}{_options(column)}" for column in table.columns]
    if table.primary_key:
        lines.append(f"  PRIMARY KEY ({_names(table.primary_key)})")
    lines += [f"  UNIQUE KEY `{key[0]}` ({_names(key)})" for key in table.unique]
    body = ",\n".join(lines)
    return f"CREATE TABLE `{table.name}` (\n{body}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"


def _options(column: Column) -> str:
    text = "" if column.nullable else " NOT NULL"
    if column.auto_increment:
        return text + " AUTO_INCREMENT"
    if column.default is None:
        has_none = column.nullable and not column.declared.endswith(("text", "blob"))
        return text + (" DEFAULT NULL" if has_none else "")
    quoted = column.default if column.default.upper().startswith("CURRENT_TIMESTAMP") else f"'{column.default}'"
    return f"{text} DEFAULT {quoted}"


def _names(columns: tuple[str, ...]) -> str:
    return ",".join(f"`{name}`" for name in columns)
