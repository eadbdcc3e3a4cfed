"""MySQL's dialect on SQLite, in this process: the default back end, without a server.

    database = SqliteDatabase(image_of(dump_text))
    database.begin("zoo")
    database.execute("SELECT COUNT(*) FROM cats")      # Result(((3,),))
    database.execute("DROP TABLE cats")                # Result(None): gone until the next `begin`

The dump is converted to an SQLite image once per process. Each environment has its own copy of the image in memory;
statements that write change only this copy, and `begin` discards it. No statement can access a file or another process:
SQLite only gets text generated from the syntax tree, its authorizer only allows tables of this image, and computing
time, rows and text lengths are limited.
"""

from __future__ import annotations

import hashlib
import math
import re
import sqlite3
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from lumos_rl.envs.sql.tools.accumulate import install_aggregates
from lumos_rl.envs.sql.tools.budget import Budget, Guarded, StopError
from lumos_rl.envs.sql.tools.calls import cell
from lumos_rl.envs.sql.tools.dialect import parse, syntax_error, too_deep
from lumos_rl.envs.sql.tools.dump import read_dump
from lumos_rl.envs.sql.tools.functions import MAX_TEXT, install
from lumos_rl.envs.sql.tools.kept import Refusal, kept, text_bytes
from lumos_rl.envs.sql.tools.layout import INFORMATION, index_definitions, information, table_definition
from lumos_rl.envs.sql.tools.modes import DEFAULT, modes_after
from lumos_rl.envs.sql.tools.queries import Translation, translate
from lumos_rl.envs.sql.tools.refusals import in_mysqls_words
from lumos_rl.envs.sql.tools.results import CUT, MAX_CHARACTERS, MAX_ROWS, STATEMENT_S, TOO_LONG, Result, gold_result
from lumos_rl.envs.sql.tools.schema import Catalog, Row, Table
from lumos_rl.envs.sql.tools.show import USE, explain, explained, is_show, show
from lumos_rl.envs.sql.tools.statements import check_length
from lumos_rl.envs.sql.tools.writes import WRITES, write
from lumos_rl.errors import ConfigError, DataError, InfrastructureError, ToolError, ToolLimitError

_OLDEST = (3, 39)  # the first with RIGHT JOIN
_STEPS = 200  # of SQLite's virtual machine between two checks of the time: only a few rows, as a row can be slow
MAX_BYTES = 128_000_000  # of a copy that an episode changes
_MOST_KEPT = 16_000_000  # bytes of translations; InterCode's gold queries and recorded turns take about 1 MB
_COLUMN = 200  # bytes of a column's objects
_PREPARED = 8  # statements that a connection keeps prepared
_QUERIES = ("select", "union", "intersect", "except", "subquery")
_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_REFUSED = frozenset(
    {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_CREATE_VTABLE}
)
_FAULTS = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN})
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4 * MAX_TEXT,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,  # the time is not checked during a LIKE
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_TEXT,
}
_COMMENTS = re.compile(r"(?:\s|/\*(?!!).*?\*/|(?:--(?=\s)|#)[^\n]*\n)*+", re.DOTALL)
_SET = re.compile(r"SET\b(?!\s+(?:PASSWORD|ROLE|DEFAULT))", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Image:
    """Databases for SQLite: the catalog and the bytes of a database file."""

    catalog: Catalog
    data: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled whole; where a process has an equal image, that is what is loaded."""
        return _loaded, (self.catalog, self.data)


_LOADED: weakref.WeakValueDictionary[bytes, Image] = weakref.WeakValueDictionary()


def _loaded(catalog: Catalog, data: bytes) -> Image:
    return _LOADED.setdefault(hashlib.sha256(data).digest(), Image(catalog, data))


@kept(300_000_000, lambda image: len(image.data))
def image_of(dump: str, where: str = "the dump") -> Image:
    """The image of a dump; cached.

    Raises:
        DataError: The dump cannot be read.
        ConfigError: This SQLite is too old.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise ConfigError(f"expected SQLite 3.39 or newer, got {sqlite3.sqlite_version}; use another Python build")
    found = read_dump(dump, where)
    connection = sqlite3.connect(":memory:")
    _install(connection, Budget())
    for database, tables in found.catalog.databases.items():
        for table in tables.values():
            _fill(connection, f"{database}.{table.name}", table, found.rows[database, table.name])
    about = information(found.catalog, {place: len(rows) for place, rows in found.rows.items()})
    for table, rows in about.items():
        _fill(connection, f"{INFORMATION}.{table.name}", table, rows)
    found.catalog.databases[INFORMATION] = {table.name: table for table in about}
    connection.commit()
    data = connection.serialize()
    connection.close()
    return _loaded(found.catalog, data)


def _install(connection: sqlite3.Connection, budget: Budget) -> None:
    """Installs every function, aggregate and collation; all of them ask the budget."""
    guarded = Guarded(connection, budget)
    install(guarded, budget.stop)
    install_aggregates(guarded, budget.stop)


def _fill(connection: sqlite3.Connection, name: str, table: Table, rows: Iterable[Row]) -> None:
    connection.execute(table_definition(name, table))
    for statement in index_definitions(name, table):
        connection.execute(statement)
    marks = ", ".join("?" * len(table.columns))
    try:
        connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)
    except sqlite3.IntegrityError as error:
        raise DataError(f"expected rows that satisfy the keys of table {name}, got: {error}") from error


class SqliteDatabase:
    """A `Database` (see `results`) on an image."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.catalog, self.database, self.modes = image.catalog, "", DEFAULT
        self.is_changed = False
        self._connection: sqlite3.Connection | None = None
        self._budget, self._until = Budget(), math.inf

    def begin(self, database: str) -> None:
        """Starts an episode."""
        self.database = self.image.catalog.check(database)
        self.modes = DEFAULT
        if self.is_changed:
            self.close()

    def close(self) -> None:
        """Discards all changes."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self.catalog, self.is_changed = None, self.image.catalog, False

    def __getstate__(self) -> tuple[Any, ...]:
        """What a copy or a pickled database needs to continue equally."""
        changed = (self.catalog.copy(), self.connection.serialize()) if self.is_changed else None
        return self.image, self.database, self.modes, changed

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        image, database, modes, changed = state
        type(self).__init__(self, image)
        self.database, self.modes = database, modes
        if changed is not None:
            self.catalog, self.is_changed = changed[0], True
            self._connection = self._opened(changed[1])

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(self.image)  # the image is shared
        copy.__setstate__(self.__getstate__())
        return copy

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection; opened on first use."""
        if self._connection is None:
            self._connection = self._opened(self.image.data)
        return self._connection

    def _opened(self, data: bytes) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:", check_same_thread=False, isolation_level=None, cached_statements=_PREPARED
        )
        connection.deserialize(data)
        _install(connection, self._budget)
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.execute(f"PRAGMA max_page_count = {MAX_BYTES // 4096}")
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._budget.late, _STEPS)
        return connection

    def execute(self, statement: str, seconds: float = math.inf) -> Result:
        """Runs one statement of the agent."""
        self._until = time.monotonic() + seconds
        try:
            check_length(statement)
            rows = self._run(statement)
        except ToolError as error:
            return Result(None, str(error))
        finally:
            self._until = math.inf
        return Result(None if rows is None else tuple(rows))

    def gold(self, statement: str, database: str) -> Result:
        """Runs a query of the benchmark on the tables in their initial state."""
        if not self.is_changed:
            mode, used = self.modes, self.database
            self.database, self.modes = database.lower(), DEFAULT
            try:
                return gold_result(self._run, statement)
            finally:
                self.modes, self.database = mode, used
        untouched = type(self)(self.image)
        untouched.begin(database)
        try:
            return gold_result(untouched._run, statement)
        finally:
            untouched.close()

    def _run(self, statement: str) -> list[Row] | None:
        start = _COMMENTS.match(statement)
        bare = statement[start.end() if start else 0 :]
        if is_show(bare):
            return self._show(bare)
        if found := USE.match(bare):
            name = (found["database"] or found["database2"]).lower()
            if name not in self.catalog.databases:
                raise ToolError(f"Unknown database '{name}'")
            self.database = name
            return None
        if _SET.match(bare):
            self.modes = modes_after(bare, self.modes, self._value)
            return None
        return self._query(statement)

    def _value(self, expression: str) -> object:
        """The value of an expression in SET."""
        [row] = self._query(f"SELECT ({expression})") or [(None,)]
        return row[0]

    def _show(self, statement: str) -> list[Row]:
        query = explained(statement)
        if query is not None:
            translation = self._translated(query)
            names = re.findall(r'(?:FROM|JOIN) "[^"]+" AS "([^"]+)"', translation.sql)
            return explain(names)
        rows = show(statement, self.catalog, self.database)
        if rows is None:
            raise syntax_error(statement.split(None, 1)[-1])
        return rows

    def _query(self, statement: str) -> list[Row] | None:
        if not self.is_changed:
            return self._rows(_translated(self.image, statement, self.database, self.modes), statement)
        return self._rows(_translate(statement, self.catalog, self.database, self.modes), statement)

    def _translated(self, statement: str) -> Translation:
        found = _translate(statement, self.catalog, self.database, self.modes)
        if isinstance(found, Translation):
            return found
        raise found.error if isinstance(found, Refusal) else syntax_error(statement)

    def _rows(self, found: Translation | Refusal | None, statement: str) -> list[Row] | None:
        if isinstance(found, Refusal):
            raise found.error
        if found is None:
            self._write(statement)
            return None
        types = [column.type for column in found.columns]
        return self._limited(found.sql, types)

    def _write(self, statement: str) -> None:
        tree = parse(statement)
        if tree.key in ("transaction", "commit", "rollback"):
            return
        if tree.key not in WRITES:
            raise syntax_error(statement)
        catalog = self.catalog.copy()
        try:
            found = write(tree, catalog, self.database)
        except ToolError:
            raise
        except too_deep() as error:
            raise ToolLimitError("Thread stack overrun: expected a simpler statement") from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise syntax_error(statement) from error  # as for queries
        self.is_changed = True
        try:
            for sql in ("BEGIN", *found, "COMMIT"):
                self._limited(sql, [])
        except (ToolError, InfrastructureError):
            self.connection.rollback()
            raise
        self.catalog = catalog

    def _limited(self, sql: str, types: list[Any]) -> list[Row]:
        budget, rows = self._budget, list[Row]()
        try:
            with budget.running(STATEMENT_S, self._until):
                self._fetch(sql, types, rows)
                budget.check()  # a comparison that ran out of time cannot stop SQLite
        except StopError:
            raise self._too_slow() from None
        except MemoryError as error:
            raise InfrastructureError("the machine has too little memory for SQLite") from error
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        return rows

    def _fetch(self, sql: str, types: list[Any], rows: list[Row]) -> None:
        left = MAX_CHARACTERS
        for row in self.connection.execute(sql):
            if len(rows) >= MAX_ROWS:
                raise ToolLimitError(f"stopped after {MAX_ROWS} rows; ask for fewer, e.g. with LIMIT")
            left -= sum(len(value) for value in row if isinstance(value, str))
            if left < 0:
                raise ToolLimitError(f"stopped after {MAX_CHARACTERS} characters; ask for less")
            rows.append(tuple(map(cell, row, types)))

    def _refusal(self, error: sqlite3.Error) -> ToolError | InfrastructureError:
        text = str(error)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FAULTS:  # the lowest byte is the primary code
            return InfrastructureError(f"SQLite failed: {text}")
        if self._budget.is_faulty:
            return InfrastructureError("the machine has too little memory for SQLite")
        if text == "interrupted" or self._budget.is_late:
            return self._too_slow()
        if self._budget.reason is not None:
            return (ToolLimitError if self._budget.is_over else ToolError)(self._budget.reason)
        if "is full" in text:
            return ToolLimitError(f"The table is full: expected at most {MAX_BYTES} bytes of tables")
        return in_mysqls_words(text)

    def _too_slow(self) -> ToolLimitError:
        return ToolLimitError(CUT if self._budget.is_cut else TOO_LONG.format(STATEMENT_S))

    def _authorize(self, action: int, *_: str | None) -> int:
        if action in _READING or (self.is_changed and action not in _REFUSED):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


def _translate(statement: str, catalog: Catalog, database: str, modes: str) -> Translation | Refusal | None:
    """The query for SQLite, why it is refused, or None if it is not a query."""
    try:
        tree = parse(statement)
        if tree.key not in _QUERIES:
            return None
        return translate(tree, catalog, database, modes)
    except ToolError as error:
        return Refusal.of(error)
    except too_deep():  # the parser's own errors may be caused by a recursion
        return Refusal(ToolLimitError, "Thread stack overrun: expected a simpler statement")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # The parser accepts many dialects; a tree that valid MySQL does not produce may lack expected parts.
        return Refusal.of(syntax_error(statement))


def _bytes(found: Translation | Refusal | None) -> int:
    if isinstance(found, Translation):
        return text_bytes(found.sql) + sum(_COLUMN + text_bytes(column.name) for column in found.columns)
    return text_bytes(found.message) if found else 0


@kept(_MOST_KEPT, _bytes)
def _translated(image: Image, statement: str, database: str, modes: str) -> Translation | Refusal | None:
    return _translate(statement, image.catalog, database, modes)
