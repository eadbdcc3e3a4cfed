"""A MySQL or MariaDB server as the database: the real engine, safe to share between many environments.

    database = ServerDatabase("mysql://root:secret@127.0.0.1:3307", dump_text)
    database.begin("zoo")
    database.execute("SELECT COUNT(*) FROM cats")      # Result(((3,),))

The dump is loaded once per server, under the names of its databases. Each environment has an account of its own that
may only read them. The first statement of an episode that writes gets a copy of the database in use, which only this
account sees, and what follows runs there; `begin` drops the copy. The account can do nothing else: no files, no
settings, no other databases; statements are limited in kind, computing time and rows.

MariaDB accepts some queries that MySQL 8 refuses (a column that no group fixes, words that MySQL reserves); they are
refused here, so that both servers agree with the published episodes.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError, ToolError, ToolLimitError
from lumos_rl.tools.sql.dialect import MAX_STATEMENT, parse, syntax_error
from lumos_rl.tools.sql.dump import read_dump, statements
from lumos_rl.tools.sql.queries import translate
from lumos_rl.tools.sql.results import MAX_CHARACTERS, MAX_ROWS, STATEMENT_S, Result
from lumos_rl.tools.sql.schema import Row
from lumos_rl.tools.sql.scope import RefusedQueryError

_PREFIX = "lumos_rl_"
_LOCK_S = 120  # seconds to wait for another process that loads the dump
_RECONNECT_S = 30.0  # seconds to wait for a server that restarts
_GONE = frozenset({2003, 2006, 2013, 2014, 1053, 1927, 0})  # the client's and server's codes for a lost connection
_DENIED = frozenset({1044, 1142, 1143, 1227, 1370})
_SLOW = frozenset({1969, 3024})
_ACCOUNT = re.compile(r"\s*CREATE\s+USER|\s*GRANT|\s*FLUSH|\s*DROP\s+USER", re.IGNORECASE)
_COMMENTS = re.compile(r"\A(?:\s|/\*(?![!M]).*?\*/|--[ \t][^\n]*\n|#[^\n]*\n|\()*", re.DOTALL)
_READS = ("select", "with", "show", "desc", "describe", "explain", "values", "table")
_WRITES = re.compile(
    r"(?:insert|replace|update|delete|truncate"
    r"|(?:create|drop)\s+(?:temporary\s+)?(?:table|view|index|unique\s+index)|create\s+or\s+replace\s+(?:table|view)"
    r"|alter\s+table|rename\s+table)\b",
    re.IGNORECASE,
)
_MODE = re.compile(r"sql_mode\s*:?=\s*(.*)", re.IGNORECASE | re.DOTALL)
_MODES = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_WIDTH = re.compile(r"\b((?:tiny|small|medium|big)?int)\(\d+\)")
_DESCRIBES = re.compile(
    r"(?:desc|describe|explain)\s+[`\w$.]+\s*;?\s*\Z|show\s+(?:full\s+)?(?:columns|fields)", re.IGNORECASE
)

Given = TypeVar("Given")


def _client() -> Any:
    try:
        return import_module("pymysql")
    except ImportError as error:
        raise MissingExtraError("PyMySQL", "sql") from error


class ServerDatabase:
    """The databases of a server, as an episode sees them; see `lumos_rl.tools.sql.results.Database`.

    Args:
        address: "mysql://user:password@host:port"; the user must be able to make databases and users.
        dump: Text of the dump.
        where: The dump's name, for error messages.

    Raises:
        ConfigError: The address cannot be read, or a database of the server has a name of the dump's, not its tables.
        InfrastructureError: The server cannot be reached.
    """

    def __init__(self, address: str, dump: str, where: str = "the dump") -> None:
        self._address, self._dump, self._where = address, dump, where
        self.catalog = read_dump(dump, where).catalog
        self.database, self.full_group_by = "", True
        self._copy: str | None = None  # name of this episode's own database, once it wrote
        self._original = ""  # which database that is a copy of
        self._name = _PREFIX + secrets.token_hex(8)
        self._password = secrets.token_hex(16)
        self._settings = _settings(address)
        self._connection: Any = None
        self._has_account = False
        _load(self._settings, dump, self.catalog.databases)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(self._address, self._dump, self._where)
        copy.database, copy.full_group_by = self.database, self.full_group_by
        if self._copy is not None:
            copy._begin_copy(self._original, self._copy)
        return copy

    def begin(self, database: str) -> None:
        """Starts an episode."""
        self.database, self.full_group_by = self.catalog.check(database), True
        self._drop_copy()
        if self._connection is not None:
            self._retried(lambda: self._connection.select_db(self.database))

    def execute(self, statement: str) -> Result:
        """Runs one statement of the agent."""
        try:
            rows = self._run(statement)
        except ToolError as error:
            return Result(None, str(error))
        return Result(None if rows is None else tuple(rows))

    def gold(self, statement: str, database: str) -> Result:
        """Runs a query of the benchmark on the tables as they were in the beginning."""
        used, mode, copy = self.database, self.full_group_by, self._copy
        self.database, self.full_group_by, self._copy = database.lower(), True, None
        try:
            self._retried(lambda: self._connected().select_db(self.database))
            return self.execute(statement)
        finally:
            self.database, self.full_group_by, self._copy = used, mode, copy
            self._retried(lambda: self._connected().select_db(self._used))

    def close(self) -> None:
        """Drops the account and its copy."""
        if self._has_account:
            with _admin(self._settings) as admin:
                admin.execute(f"DROP DATABASE IF EXISTS `{self._name}`")
                admin.execute(f"DROP USER IF EXISTS '{self._name}'@'%'")
        self._copy, self._has_account = None, False
        self._disconnect()

    @property
    def _used(self) -> str:
        return self._copy if self._copy is not None and self.database == self._original else self.database

    def _run(self, statement: str) -> list[Row] | None:
        if len(statement) > MAX_STATEMENT:
            raise ToolLimitError(f"expected at most {MAX_STATEMENT} characters of SQL, got {len(statement)}")
        if "\0" in statement or (not statement.isprintable() and re.search(r"[\ud800-\udfff]", statement)):
            raise syntax_error("")
        start = _COMMENTS.match(statement)
        text = statement[start.end() if start else 0 :]
        word = re.match(r"[a-z]*", text, re.IGNORECASE)
        verb = word[0].lower() if word else ""
        if "/*!" in statement or "/*M!" in statement:
            raise syntax_error(text)
        if verb == "use":
            self._use(text)
            return None
        if verb == "set":
            if mode := _MODE.search(text):
                self.full_group_by = "only_full_group_by" in mode[1].lower()
            return None
        if verb in ("begin", "start", "commit", "rollback"):
            return None
        if verb not in _READS and not _WRITES.match(text):
            raise (
                ToolError("Access denied: only queries and changes of tables are allowed")
                if verb
                else syntax_error(text)
            )
        if verb in _READS:
            self._refuse(statement)
        elif self._copy is None:
            self._begin_copy(self.database, self.database)
        rows = self._retried(lambda: self._fetch(statement), verb in _READS)
        return [_described(row) for row in rows] if rows is not None and _DESCRIBES.match(text) else rows

    def _use(self, text: str) -> None:
        name = text.split(None, 1)[-1].strip("`; \n").lower()
        if name not in self.catalog.databases:
            raise ToolError(f"Unknown database '{name}'")
        self.database = name
        self._retried(lambda: self._connected().select_db(self._used))

    def _refuse(self, statement: str) -> None:
        """Refuses what MySQL 8 would and MariaDB would not.

        Raises:
            ToolError: The statement is such.
        """
        try:
            tree = parse(statement)
        except ToolError:
            return  # the server says it in its own words
        try:
            if tree.key in ("select", "union", "intersect", "except"):
                translate(tree, self.catalog, self.database, self.full_group_by)
        except RefusedQueryError:
            raise
        except ToolError as error:
            if "SQL syntax" in str(error) and self._copy is None:
                raise
        except RecursionError as error:
            raise ToolLimitError("expected a simpler statement, got one that is nested too deeply") from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return  # a tree that MySQL's texts do not give; the server says why

    def _fetch(self, statement: str) -> list[Row] | None:
        pymysql = _client()
        connection = self._connected()
        cursor = connection.cursor(pymysql.cursors.SSCursor)
        try:
            cursor.execute(statement)
            if cursor.description is None:
                connection.commit()
                return None
            rows = self._limited(cursor)
            cursor.close()
        except pymysql.err.MySQLError as error:
            raise self._refusal(error) from error
        return rows

    def _limited(self, cursor: Any) -> list[Row]:
        rows: list[Row] = []
        left = MAX_CHARACTERS
        while row := cursor.fetchone():
            left -= sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(rows) >= MAX_ROWS or left < 0:
                self._disconnect()  # else the client would read the rest
                raise ToolLimitError(f"stopped after {len(rows)} rows; ask for fewer, e.g. with LIMIT")
            rows.append(tuple(row))
        return rows

    def _refusal(self, error: Any) -> Exception:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        message = str(error.args[1] if len(error.args) > 1 else error)
        if code in _GONE:
            return _Gone(message)
        if self._copy is not None:
            message = message.replace(self._copy, self._original)
        if code in _SLOW:
            return ToolLimitError(
                f"Query execution was interrupted, maximum statement execution time of {STATEMENT_S:g} s exceeded"
            )
        if code in _DENIED:
            return ToolError(re.sub(r"'?lumos_rl_\w+'?@'[^']*'", "this account", message))
        return ToolError(message)

    def _retried(self, action: Callable[[], Given], is_repeatable: bool = True) -> Given:
        """What an action gives; after a lost connection it is done once more, if that changes nothing.

        Raises:
            InfrastructureError: The server stays away, or went away in the middle of a statement that writes.
        """
        pymysql = _client()
        try:
            return action()
        except (_Gone, pymysql.err.OperationalError, pymysql.err.InterfaceError, OSError) as error:
            self._disconnect()
            if not is_repeatable:
                raise InfrastructureError(f"the database server went away while it wrote: {error}") from error
            first = error
        try:
            return action()
        except (_Gone, pymysql.err.OperationalError, pymysql.err.InterfaceError, OSError) as error:
            raise InfrastructureError(f"the database server went away and did not come back: {error}") from first

    def _connected(self) -> Any:
        if self._connection is None:
            if not self._has_account:
                self._make_account()
            account = {**self._settings, "user": self._name, "password": self._password}
            self._connection = _connect(account, database=self._used)
            with self._connection.cursor() as cursor:
                cursor.execute(f"SET SESSION sql_mode = '{_MODES}'")
                cursor.execute("SELECT VERSION()")
                [version] = cursor.fetchone()
                limit = (
                    f"max_statement_time = {STATEMENT_S}"
                    if "MariaDB" in version
                    else f"max_execution_time = {STATEMENT_S * 1000:.0f}"
                )
                cursor.execute(f"SET SESSION {limit}")
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection._force_close()  # `close` waits for the server

    def _make_account(self) -> None:
        with _admin(self._settings) as admin:
            admin.execute(f"CREATE USER '{self._name}'@'%' IDENTIFIED BY '{self._password}'")
            for database in self.catalog.databases:
                admin.execute(f"GRANT SELECT ON `{_escaped(database)}`.* TO '{self._name}'@'%'")
            admin.execute(f"GRANT ALL ON `{_escaped(self._name)}`.* TO '{self._name}'@'%'")
        self._has_account = True

    def _begin_copy(self, original: str, source: str) -> None:
        """Makes this episode's own database, with the tables of `source`."""
        self._connected()
        with _admin(self._settings) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS `{self._name}`")
            admin.execute(f"CREATE DATABASE `{self._name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
            admin.execute(f"SHOW TABLES FROM `{source}`")
            for (table,) in admin.fetchall():
                admin.execute(f"CREATE TABLE `{self._name}`.`{table}` LIKE `{source}`.`{table}`")
                admin.execute(f"INSERT INTO `{self._name}`.`{table}` SELECT * FROM `{source}`.`{table}`")
        self._copy, self._original = self._name, original
        self._connected().select_db(self._used)

    def _drop_copy(self) -> None:
        if self._copy is not None:
            with _admin(self._settings) as admin:
                admin.execute(f"DROP DATABASE IF EXISTS `{self._copy}`")
            self._copy = None


class _Gone(Exception):  # noqa: N818 (not seen outside)
    """The connection was lost."""


def _settings(address: str) -> dict[str, Any]:
    """Host, port, user and password of an address."""
    try:
        parts = urlsplit(address)
        port = parts.port or 3306
    except ValueError as error:
        raise ConfigError(f"expected mysql://user:password@host:port, got {address!r}: {error}") from error
    if parts.scheme != "mysql" or not parts.hostname or not parts.username:
        raise ConfigError(f"expected mysql://user:password@host:port, got {address!r}")
    return {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
    }


def _connect(settings: dict[str, Any], **more: Any) -> Any:
    """A connection; a server that is just starting is waited for.

    Raises:
        InfrastructureError: It cannot be reached.
    """
    pymysql = _client()
    deadline = time.monotonic() + _RECONNECT_S
    while True:
        try:
            limits = {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60}
            return pymysql.connect(charset="utf8mb4", **limits, **settings, **more)
        except (pymysql.err.OperationalError, OSError) as error:
            code = error.args[0] if error.args else 0
            if code in (1045, 1044, 1049) or time.monotonic() > deadline:
                raise InfrastructureError(
                    f"cannot reach the database server at {settings['host']}:{settings['port']}: {error}"
                ) from error
            time.sleep(0.2)


@contextlib.contextmanager
def _admin(settings: dict[str, Any]) -> Iterator[Any]:
    """A cursor of the user that the address names.

    Raises:
        InfrastructureError: The server refuses or goes away.
    """
    pymysql = _client()
    connection = _connect(settings, autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0")
            yield cursor
    except pymysql.err.MySQLError as error:
        raise InfrastructureError(
            f"the database server refused what its address's user must be able to do: {error}"
        ) from error
    finally:
        connection._force_close()


def _load(settings: dict[str, Any], dump: str, databases: dict[str, Any]) -> None:
    """Loads the dump, unless the server has it.

    Raises:
        ConfigError: A database has a name of the dump's but not its tables.
    """
    with _admin(settings) as admin:
        admin.execute("SELECT GET_LOCK('lumos_rl', %s)", (_LOCK_S,))
        if admin.fetchone() != (1,):
            raise InfrastructureError(f"another process holds the lock of the database server for {_LOCK_S} s")
        admin.execute("SELECT table_schema, table_name FROM information_schema.tables")
        found: dict[str, set[str]] = {}
        for schema, table in admin.fetchall():
            found.setdefault(schema.lower(), set()).add(table.lower())
        admin.execute("SHOW DATABASES")
        there = {name.lower() for (name,) in admin.fetchall()}
        for database in there & databases.keys():
            if found.get(database, set()) != set(databases[database]):
                raise ConfigError(
                    f"expected database {database} of the server with the tables {sorted(databases[database])}, got"
                    f" {sorted(found.get(database, set()))}; drop it, or use a server of its own"
                )
        missing = databases.keys() - there
        if missing:
            _run_dump(admin, dump, missing)


def _run_dump(admin: Any, dump: str, missing: Sequence[str] | set[str]) -> None:
    used = ""
    for _, statement in statements(dump):
        if found := re.match(r"(?:CREATE\s+DATABASE\s+.*?|USE\s+)`(\w+)`", statement, re.IGNORECASE):
            used = found[1].lower()
        if used in missing and not _ACCOUNT.match(statement):
            admin.execute(statement)


def _escaped(name: str) -> str:
    """A database's name in GRANT, where `_` and `%` stand for others."""
    return name.replace("_", "\\_").replace("%", "\\%")


def _described(row: Row) -> Row:
    """A row of DESCRIBE as MySQL 8 gives it to Oracle's client: no width, type and default as bytes."""
    name, kind, null, key, default, extra, *rest = row
    kind = _WIDTH.sub(r"\1", str(kind)).encode()
    if isinstance(default, str):
        is_now = default.lower().startswith("current_timestamp")
        extra = "DEFAULT_GENERATED" if is_now else extra
        default = b"CURRENT_TIMESTAMP" if is_now else default.encode()
    return (name, kind, null, key, default, extra, *rest)
