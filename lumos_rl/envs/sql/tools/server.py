"""A MySQL or MariaDB server as the database: the real engine, safe to share between many environments.

    database = ServerDatabase("mysql://root:secret@127.0.0.1:3307", dump_text)
    database.begin("zoo")
    database.execute("SELECT COUNT(*) FROM cats")      # Result(((3,),))

The dump is loaded once per server, under the names of its databases. Each environment has its own account, which may
only read them. The first statement of an episode that writes creates a copy of the database in use, which only this
account can access; it and all later statements run on the copy, and `begin` drops it. The account has no other rights:
no files, no settings, no other databases. Statements are limited in kind, computing time and rows.

MariaDB accepts some queries that MySQL 8 refuses (columns that a group does not determine, reserved words); they are
refused here, so that both servers agree with the published episodes.
"""

from __future__ import annotations

import contextlib
import math
import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

from lumos_rl.envs.sql.tools.accounts import (
    PACKET,
    admin,
    client,
    connect,
    load,
    make_account,
    new_name,
    restore,
    settings,
    snapshot,
)
from lumos_rl.envs.sql.tools.dialect import syntax_error
from lumos_rl.envs.sql.tools.modes import DEFAULT, modes_after
from lumos_rl.envs.sql.tools.permits import READS, check_permitted, is_transaction, known_tables, opened, refused
from lumos_rl.envs.sql.tools.replies import described, read_any_text, refusal
from lumos_rl.envs.sql.tools.results import CUT, MAX_CHARACTERS, MAX_ROWS, STATEMENT_S, TOO_LONG, Result, gold_result
from lumos_rl.envs.sql.tools.schema import Row
from lumos_rl.envs.sql.tools.scope import RefusedQueryError
from lumos_rl.envs.sql.tools.show import USE
from lumos_rl.envs.sql.tools.statements import check_length
from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

_GONE = frozenset({2003, 2006, 2013, 2014, 1053, 1927, 0})  # codes of client and server for a lost connection
_RESET_CONNECTION = 0x1F  # command of MySQL's protocol
GRACE_S = 8.0  # seconds after the limit in which the server should end a statement by itself
CUT_GRACE_S = 1.0  # the same after the end of the time that the step has left
_SLOW = frozenset({1969, 3024})
_MODES = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_MODES += ",NO_DIR_IN_CREATE"  # DATA DIRECTORY is ignored
Given = TypeVar("Given")


class ServerDatabase:
    """A `Database` (see `results`) on a server.

    Args:
        address: "mysql://user:password@host:port"; the user must be able to create databases and users.
        dump: Text of the dump.
        where: The dump's name, for error messages.

    Raises:
        ConfigError: The address is invalid, or a database of the server has the same name as one of the dump, but
            other tables.
        InfrastructureError: The server cannot be reached.
    """

    def __init__(self, address: str, dump: str, where: str = "the dump") -> None:
        self._address, self._dump, self._where = address, dump, where
        self.catalog = known_tables(dump, where).catalog
        self.database, self.modes = "", DEFAULT
        self._copies: dict[str, str] = {}  # database → this episode's copy of it, after the first write
        self._name = new_name()
        self._password = secrets.token_hex(16)
        self._settings = settings(address)
        self._until = math.inf  # when the running statement must end, as a time of `time.monotonic`
        self._is_mariadb = False
        self._connection: Any = None
        self._gold: Any = None  # another connection, so that gold queries leave nothing in the agent's session
        self._account, self._is_touched = "", False
        load(self._settings, dump, self.catalog.databases)

    def __getstate__(self) -> tuple[Any, ...]:
        """What a pickled database needs to continue equally, but for variables and temporary tables of its session."""
        tables = {original: snapshot(self._settings, own) for original, own in self._copies.items()}
        return self._address, self._dump, self._where, self.database, self.modes, tables

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        address, dump, where, database, modes, tables = state
        type(self).__init__(self, address, dump, where)
        self.database, self.modes = database, modes
        for original, found in tables.items():
            self._copies[original] = self._restored(original, found)
        if tables:
            self._retried(lambda: self._connected().select_db(self._used))

    def _restored(self, original: str, tables: list[tuple[str, str, list[Row]]]) -> str:
        """Creates this episode's copy of a database from a snapshot; its name."""
        self._connected()
        own = f"{self._name}_{original}"
        restore(self._settings, own, tables)
        return own

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(self._address, self._dump, self._where)
        copy.database, copy.modes = self.database, self.modes
        for original, own in self._copies.items():
            copy._copy(original, own)
        return copy

    def begin(self, database: str) -> None:
        """Starts an episode."""
        self.database, self.modes = self.catalog.check(database), DEFAULT
        self._drop_copies()
        if self._is_touched:
            self._reset_session()
        if self._connection is not None:
            self._retried(lambda: self._connected().select_db(self.database))

    def execute(self, statement: str, seconds: float = math.inf) -> Result:
        """Runs one statement of the agent."""
        self._until = time.monotonic() + seconds
        try:
            check_length(statement)
            if len(statement) * 4 > PACKET and len(statement.encode("utf-8", "replace")) > PACKET - 100:
                raise ToolLimitError(f"Got a packet bigger than 'max_allowed_packet' bytes ({PACKET})")
            rows = self._run(statement)
        except ToolError as error:
            return Result(None, str(error))
        finally:
            self._until = math.inf
        return Result(None if rows is None else tuple(rows))

    def gold(self, statement: str, database: str) -> Result:
        """Runs a query of the benchmark on the tables in their initial state, on a connection of its own."""
        used = self.database, self.modes, self._copies, self._connection, self._is_touched
        self.database, self.modes, self._copies, self._connection = database.lower(), DEFAULT, {}, self._gold
        try:
            self._retried(lambda: self._connected().select_db(self.database))
            return gold_result(self._run, statement)
        finally:
            self._gold = self._connection
            self.database, self.modes, self._copies, self._connection, self._is_touched = used

    def close(self) -> None:
        """Drops the account and its copies."""
        self._drop_copies()
        if self._account:
            with admin(self._settings) as cursor:
                cursor.execute(f"DROP USER IF EXISTS {self._account}")
        self._account = ""
        self._disconnect()
        self._connection, self._gold = self._gold, None
        self._disconnect()

    @property
    def _used(self) -> str:
        return self._copies.get(self.database, self.database)

    def _run(self, statement: str) -> list[Row] | None:
        verb, text = opened(statement)
        if verb == "use":
            self._use(text)
            return None
        if verb == "set":
            self.modes = modes_after(text, self.modes, self._value)
            return None
        if is_transaction(text):
            return None
        check_permitted(verb, text, statement)
        if verb in READS:
            self._refuse(statement)
        elif self.database not in self._copies:
            self._copy(self.database, self.database)
        self._is_touched = True
        rows = self._retried(lambda: self._fetch(statement), verb in READS)
        return described(text, rows)

    def _value(self, expression: str) -> object:
        """The value of an expression in SET."""
        text = re.sub(
            r"@@(?:session\.|local\.|global\.)?sql_mode\b", f"'{self.modes}'", expression, flags=re.IGNORECASE
        )
        rows = self._run(f"SELECT ({text})") or [(None,)]
        return rows[0][0]

    def _use(self, text: str) -> None:
        found = USE.match(text)
        if found is None:
            raise syntax_error(text.partition(" ")[2])
        name = (found["database"] or found["database2"]).lower()
        if name not in self.catalog.databases:
            raise ToolError(f"Unknown database '{name}'")
        self.database = name
        self._retried(lambda: self._connected().select_db(self._used))

    def _refuse(self, statement: str) -> None:
        """Refuses a statement that MySQL 8 refuses and MariaDB accepts.

        Raises:
            ToolError: It is such a statement.
        """
        found = refused(known_tables(self._dump, self._where), statement, self.database, self.modes)
        if found and (issubclass(found.kind, RefusedQueryError | ToolLimitError) or not self._copies):
            raise found.error

    def _fetch(self, statement: str) -> list[Row] | None:
        pymysql = client()
        connection = self._connected()
        cursor = connection.cursor(pymysql.cursors.SSCursor)
        try:
            with self._cut(connection):
                cursor.execute(statement)
                if cursor.description is None:
                    return None
                read_any_text(cursor)
                rows = self._limited(cursor)
                cursor.close()
        except pymysql.err.MySQLError as error:
            if "timed out" in str(error):
                self._kill(connection)
            raise self._refusal(error) from error
        return rows

    @contextlib.contextmanager
    def _cut(self, connection: Any) -> Iterator[None]:
        """Cuts the time of a statement to what is left of the step."""
        left = self._until - time.monotonic()
        connection._read_timeout = min(STATEMENT_S + GRACE_S, max(left, 0) + CUT_GRACE_S)
        if left >= STATEMENT_S:
            yield
            return
        self._set_limit(connection, left)
        try:
            yield
        finally:
            if self._connection is connection and connection.open:
                self._set_limit(connection, STATEMENT_S)

    def _kill(self, connection: Any) -> None:
        """Ends a statement during which the server does not check its time limit, such as a LIKE of long texts.

        Raises:
            ToolLimitError: The server answers other statements, so this one takes too long.
            InfrastructureError: The server does not answer at all.
        """
        self._disconnect()
        with admin(self._settings) as cursor, contextlib.suppress(client().err.MySQLError):
            cursor.execute(f"KILL CONNECTION {connection.thread_id()}")
        raise self._too_slow()

    def _too_slow(self) -> ToolLimitError:
        return ToolLimitError(CUT if time.monotonic() >= self._until else TOO_LONG.format(STATEMENT_S))

    def _limited(self, cursor: Any) -> list[Row]:
        rows: list[Row] = []
        left = MAX_CHARACTERS
        while row := cursor.fetchone():
            left -= sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(rows) >= MAX_ROWS or left < 0:
                self._abandon(cursor)
                raise ToolLimitError(f"stopped after {len(rows)} rows; ask for fewer, e.g. with LIMIT")
            rows.append(tuple(row))
        return rows

    def _abandon(self, cursor: Any) -> None:
        """Discards the rest of a result; otherwise the client would read it, at the latest when it is collected."""
        cursor._result.unbuffered_active = False
        cursor.connection = None
        self._disconnect()

    def _refusal(self, error: Any) -> Exception:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        message = str(error.args[1] if len(error.args) > 1 else error)
        if code in _GONE:
            return _Gone(message)
        message = re.sub(rf"'{self._name}'@'[^']*'", "this account", message)
        for original, own in self._copies.items():
            message = message.replace(own, original)
        return self._too_slow() if code in _SLOW else refusal(code, message)

    def _retried(self, action: Callable[[], Given], is_repeatable: bool = True) -> Given:
        """The result of an action, which is repeated once after a lost connection if it is safe to repeat.

        Raises:
            InfrastructureError: The server fails, or the connection was lost during a statement that writes.
        """
        pymysql = client()
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
            if not self._account:
                self._account = make_account(self._settings, self._name, self._password, self.catalog.databases)
            account = {**self._settings, "user": self._name, "password": self._password}
            self._connection = connect(
                account, database=self._used, autocommit=True, read_timeout=STATEMENT_S + GRACE_S
            )
            self._prepare()
        return self._connection

    def _reset_session(self) -> None:
        """Drops all variables, locks, temporary tables, LAST_INSERT_ID() and FOUND_ROWS() of the agent's session.

        A new connection would do the same, but takes up to a tenth of a second.
        """
        try:
            if self._connection is not None:
                self._connection._execute_command(_RESET_CONNECTION, b"")
                self._connection._read_ok_packet()
                self._prepare()
            self._is_touched = False
        except (client().err.MySQLError, OSError):
            self._disconnect()

    def _prepare(self) -> None:
        """Sets the variables of a new or reset session."""
        with self._connection.cursor() as cursor:
            cursor.execute("SET NAMES utf8mb4")
            cursor.execute(f"SET SESSION sql_mode = '{_MODES}'")
            cursor.execute("SELECT VERSION()")
            [version] = cursor.fetchone()
            self._is_mariadb = "MariaDB" in version
            if self._is_mariadb:  # it orders ties in temporary tables in memory by address, so differently each time
                cursor.execute("SET SESSION tmp_memory_table_size = 0")
        self._set_limit(self._connection, STATEMENT_S)

    def _set_limit(self, connection: Any, seconds: float) -> None:
        """Sets how long each statement of a connection may compute."""
        most = max(1, math.ceil(seconds * 1000))  # milliseconds; 0 is no limit
        limit = f"max_statement_time = {most / 1000}" if self._is_mariadb else f"max_execution_time = {most}"
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {limit}")

    def _disconnect(self) -> None:
        connection, self._connection, self._is_touched = self._connection, None, False
        if connection is not None:
            connection._force_close()  # `close` waits for the server

    def _copy(self, original: str, source: str) -> None:
        """Creates this episode's copy of a database, with the tables of `source`."""
        self._connected()
        own = f"{self._name}_{original}"
        with admin(self._settings) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{own}`")
            cursor.execute(f"CREATE DATABASE `{own}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
            cursor.execute(f"SHOW TABLES FROM `{source}`")
            for (table,) in cursor.fetchall():
                cursor.execute(f"CREATE TABLE `{own}`.`{table}` LIKE `{source}`.`{table}`")
                cursor.execute(f"INSERT INTO `{own}`.`{table}` SELECT * FROM `{source}`.`{table}`")
        self._copies[original] = own
        self._retried(lambda: self._connected().select_db(self._used))

    def _drop_copies(self) -> None:
        if self._copies:
            with admin(self._settings) as cursor:
                for own in self._copies.values():
                    cursor.execute(f"DROP DATABASE IF EXISTS `{own}`")
            self._copies = {}


class _Gone(Exception):  # noqa: N818 (not seen outside)
    """The connection was lost."""
