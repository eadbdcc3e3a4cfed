r"""Reads a MySQL dump: databases, tables and rows.

    dump = read_dump("CREATE DATABASE `zoo`; USE `zoo`; CREATE TABLE `Pets` (`ID` int NOT NULL, …); INSERT INTO …;")
    dump.catalog.find("zoo", "pets").columns[0].declared     # 'int'
    dump.rows["zoo", "pets"]                                 # [(1, 'Rex'), (2, None)]

`CREATE DATABASE`, `USE`, `CREATE TABLE` and `INSERT INTO … VALUES` are read; other statements of mysqldump (settings,
locks, users) do not concern the data and are skipped.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lumos_rl.envs.sql.tools.dialect import load, parse_dumped
from lumos_rl.envs.sql.tools.schema import Catalog, Column, Kind, Row, Table
from lumos_rl.envs.sql.tools.tokens import unquoted
from lumos_rl.errors import DataError, ToolError

_STATEMENT = re.compile(
    r"(?:[^;'`\"/#-]++|'(?:[^'\\]|\\.|'')*+'|`[^`]*+`|\"(?:[^\"\\]|\\.)*+\"|/\*.*?\*/|--[ \t\n][^\n]*|#[^\n]*|[-/])*+;",
    re.DOTALL,
)
_COMMENTS = re.compile(r"\A(?:\s+|--[ \t\n][^\n]*\n?|#[^\n]*\n?|/\*(?!!).*?\*/)+", re.DOTALL)
_NAME = r"(?:`([^`]+)`|([\w$]+))"
_CREATE_DATABASE = re.compile(rf"CREATE\s+DATABASE\s+(?:/\*.*?\*/\s*)?(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", re.IGNORECASE)
_USE = re.compile(rf"USE\s+{_NAME}", re.IGNORECASE)
_INSERT = re.compile(rf"INSERT\s+INTO\s+{_NAME}\s+VALUES\s*", re.IGNORECASE)
_VALUE = re.compile(r"'((?:[^'\\]|\\.|'')*+)'|([-+\w.]++)|([(),])|\s++", re.DOTALL)
_UNPLAIN = re.compile(r"[^\x20-\x5a\x61-\x7a{|}~]| \Z")  # characters that MySQL compares differently from NOCASE


@dataclass(slots=True)
class Dump:
    """The content of a dump.

    Attributes:
        catalog: Its databases and tables.
        rows: (database, table) in lower case → its rows.
    """

    catalog: Catalog = field(default_factory=Catalog)
    rows: dict[tuple[str, str], list[Row]] = field(default_factory=dict)


def read_dump(text: str, where: str = "the dump") -> Dump:
    """The content of a dump.

    Args:
        text: The dump.
        where: Its name, for error messages.

    Raises:
        DataError: A statement that creates or fills a table cannot be read.
        MissingExtraError: sqlglot is not installed.
    """
    dump, database = Dump(), ""
    for line, statement in statements(text):
        try:
            database = _take(dump, database, statement)
        except (ToolError, DataError) as error:
            raise DataError(f"{where}:{line}: {error}") from error
    if not dump.catalog.databases:
        raise DataError(f"{where}: expected CREATE DATABASE and CREATE TABLE statements as mysqldump writes, got none")
    return Dump(_with_plain(dump), dump.rows)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Line number and text of each statement, without the comments before it and the semicolon after it."""
    position, line = 0, 1
    for found in _STATEMENT.finditer(text):
        statement = found[0][:-1]
        comments = _COMMENTS.match(statement)
        start = comments.end() if comments else 0
        line += text.count("\n", position, found.start() + start)
        position = found.start() + start
        if statement[start:]:
            yield line, statement[start:]


def _take(dump: Dump, database: str, statement: str) -> str:
    """Adds one statement to the dump; returns the database in use after it."""
    head = statement[:16].upper()
    if head.startswith("CREATE DATABASE") and (found := _CREATE_DATABASE.match(statement)):
        dump.catalog.databases.setdefault((found[1] or found[2]).lower(), {})
    elif head.startswith("USE") and (found := _USE.match(statement)):
        database = (found[1] or found[2]).lower()
        if database not in dump.catalog.databases:
            raise DataError(f"expected CREATE DATABASE {database} before USE {database}")
    elif head.startswith("CREATE TABLE"):
        table = table_of(parse_dumped(statement))
        dump.catalog.databases[_used(database)][table.name] = table
        dump.rows[database, table.name] = []
    elif head.startswith("INSERT INTO") and (found := _INSERT.match(statement)):
        name = (found[1] or found[2]).lower()
        table_found = dump.catalog.find(_used(database), name)
        if table_found is None:
            raise DataError(f"expected CREATE TABLE {name} before INSERT INTO {name}")
        dump.rows[database, name] += _rows(statement[found.end() :], table_found)
    return database


def _used(database: str) -> str:
    if not database:
        raise DataError("expected USE of a database first")
    return database


def _rows(text: str, table: Table) -> list[Row]:
    """The rows of a list of values such as `(1,'a'),(2,NULL)`."""
    rows: list[Row] = []
    row: list[Any] = []
    position = 0
    while position < len(text):
        found = _VALUE.match(text, position)
        if found is None:
            raise DataError(f"expected a value of table {table.name}, got {text[position : position + 40]!r}")
        position = found.end()
        if found[3] == "(":
            row = []
        elif found[3] == ")":
            if len(row) != len(table.columns):
                raise DataError(f"expected {len(table.columns)} values for table {table.name}, got {len(row)}: {row}")
            rows.append(tuple(stored(cell, column) for cell, column in zip(row, table.columns, strict=True)))
        elif found[1] is not None:
            row.append(unquoted(found[1]))
        elif found[2] is not None:
            row.append(_number(found[2], table))
    return rows


def _number(text: str, table: Table) -> int | float | None:
    if text.upper() == "NULL":
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"expected a number, a text or NULL in table {table.name}, got {text[:40]!r}") from error


def stored(cell: Any, column: Column) -> Any:
    """A cell in the stored type: in single precision for FLOAT, as text for text columns."""
    kind = column.type.kind
    if cell is None:
        return None
    if kind is Kind.FLOAT:
        return struct.unpack("f", struct.pack("f", float(cell)))[0]
    if kind in (Kind.DOUBLE, Kind.DECIMAL):
        return float(cell)
    return str(cell) if kind is Kind.TEXT else cell


def table_of(tree: Any) -> Table:
    """The table that a CREATE TABLE statement creates.

    Raises:
        ToolError: It has no columns, or a key has an unknown column.
    """
    exp = load("sqlglot.expressions")
    if not isinstance(tree.this, exp.Schema):
        raise ToolError("A table must have at least 1 column")
    definitions = [part for part in tree.this.expressions if isinstance(part, exp.ColumnDef)]
    primary = tuple(part.name for part in definitions if _has(part, "PrimaryKey"))
    unique = [(part.name,) for part in definitions if _has(part, "Unique")]
    indexed: list[str] = []
    foreign: list[tuple[str, str, str]] = []
    for part in (item.expressions[0] if item.key == "constraint" else item for item in tree.this.expressions):
        if isinstance(part, exp.PrimaryKey):
            primary = tuple(_bare(item).name for item in part.expressions)
        elif isinstance(part, exp.UniqueColumnConstraint):
            unique.append(tuple(_bare(item).name for item in part.this.expressions))
        elif isinstance(part, exp.IndexColumnConstraint | exp.ForeignKey) and part.expressions:
            indexed.append(_bare(part.expressions[0]).name)
            foreign += _references(part)
    columns = tuple(_keyed(column_of(part), primary) for part in definitions)
    own = {column.name.lower(): column.name for column in columns}
    return Table(
        tree.this.this.name.lower(),
        columns,
        _declared(own, primary),
        tuple(_declared(own, key) for key in unique),
        tuple(dict.fromkeys(_declared(own, indexed))),
        tuple(foreign),
    )


def _declared(own: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a key, in the spelling of their table."""
    for name in names:
        if name.lower() not in own:
            raise ToolError(f"Key column '{name}' doesn't exist in table")
    return tuple(own[name.lower()] for name in names)


def _bare(node: Any) -> Any:
    """The name in `name`, `name(10)` or `name DESC`."""
    return node.this if node.key == "ordered" else node


def _keyed(column: Column, primary: Sequence[str]) -> Column:
    is_key = column.name.lower() in (name.lower() for name in primary)
    return replace(column, nullable=False) if is_key else column


def _references(part: Any) -> list[tuple[str, str, str]]:
    reference = part.args.get("reference")
    if reference is None or reference.this.key != "schema":
        return []
    target = reference.this
    names = zip(part.expressions, target.expressions, strict=False)
    return [(own.name, target.this.name.lower(), other.name) for own, other in names]


def _has(definition: Any, name: str) -> bool:
    wanted = getattr(load("sqlglot.expressions"), f"{name}ColumnConstraint")
    return any(isinstance(item.args.get("kind"), wanted) for item in definition.args.get("constraints") or ())


def column_of(definition: Any) -> Column:
    """The column that a column definition declares."""
    exp = load("sqlglot.expressions")
    kinds = [item.args.get("kind") for item in definition.args.get("constraints") or ()]
    required = any(isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null") for kind in kinds)
    default = next((kind.this for kind in kinds if isinstance(kind, exp.DefaultColumnConstraint)), None)
    declared = (
        definition.args["kind"].sql("mysql").lower().replace(", ", ",") if definition.args.get("kind") else "text"
    )
    return Column(
        name=definition.name,
        declared=declared,
        nullable=not required and not _has(definition, "PrimaryKey"),
        default=_default(default),
        auto_increment=_has(definition, "AutoIncrement"),
    )


def _default(tree: Any) -> str | None:
    if tree is None or tree.sql().upper() == "NULL":
        return None
    text = tree.sql("mysql")
    return "CURRENT_TIMESTAMP" if text.upper().startswith("CURRENT_TIMESTAMP") else tree.name


def _with_plain(dump: Dump) -> Catalog:
    """The catalog, in which text columns that hold only plain text are marked as plain."""
    for database, tables in dump.catalog.databases.items():
        for name, table in tables.items():
            rows = dump.rows[database, name]
            columns = [
                replace(column, plain=not any(_UNPLAIN.search(str(row[index])) for row in rows if row[index]))
                if column.type.kind is Kind.TEXT
                else column
                for index, column in enumerate(table.columns)
            ]
            tables[name] = replace(table, columns=tuple(columns))
    return dump.catalog


def is_plain(text: str) -> bool:
    """Whether NOCASE compares this text with other plain texts as MySQL does."""
    return not _UNPLAIN.search(text)
