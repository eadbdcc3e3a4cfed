"""Connects to a MySQL or MariaDB server, and loads a dump into it once.

at = settings("mysql://root@127.0.0.1:3307")    # {"host": "127.0.0.1", "port": 3307, "user": "root", …}
with admin(at) as cursor:
    cursor.execute("SHOW DATABASES")

An address without a password takes it from the environment variable LUMOS_SQL_PASSWORD, or else from MYSQL_PWD. No
message shows a password.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from lumos_rl.envs.sql.tools.dump import statements
from lumos_rl.envs.sql.tools.schema import Table
from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError

_LOG = logging.getLogger(__name__)
_PREFIX = "lumos_rl_"
_LEFT_OVER_S = 86_400  # seconds after which an unconnected account counts as left by a killed process
_LOCK_S = 120  # seconds to wait for another process that loads the dump
_RECONNECT_S = 30.0  # seconds to wait for a server that restarts
PACKET = (
    65_536  # bytes, max_allowed_packet: REPLACE needs time in proportion to its square, and does not look at a clock
)
_LOADING = 1_073_741_824  # bytes, while the dump is read
PASSWORDS = ("LUMOS_SQL_PASSWORD", "MYSQL_PWD")  # the second is that of MySQL's own clients
_ACCOUNT = re.compile(r"\s*CREATE\s+USER|\s*GRANT|\s*FLUSH|\s*DROP\s+USER", re.IGNORECASE)


def client() -> Any:
    """The module PyMySQL.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module("pymysql")
    except ImportError as error:
        raise MissingExtraError("PyMySQL", "sql") from error


def settings(address: str) -> dict[str, Any]:
    """Host, port, user and password of an address; a password that it lacks comes from the environment.

    Raises:
        ConfigError: It is no such address.
    """
    try:
        parts = urlsplit(address)
        port = parts.port or 3306
    except ValueError:
        parts, port = urlsplit(""), 0  # the error would show part of a password with a "/" in it
    if parts.scheme != "mysql" or not parts.hostname or not parts.username:
        raise ConfigError(
            f"expected mysql://user:password@host:port, with signs of the password as %2F, got {masked(address)!r}"
        )
    given = next((os.environ[name] for name in PASSWORDS if os.environ.get(name)), "")
    password = given if parts.password is None else unquote(parts.password)
    return {"host": parts.hostname, "port": port, "user": unquote(parts.username), "password": password}


def masked(address: str) -> str:
    """An address for messages, with *** for its password."""
    scheme, mark, rest = address.partition("://")
    login, at, place = rest.rpartition("@") if "@" in rest else (rest, "", "")
    user, colon, _ = login.partition(":")
    return f"{scheme}{mark}{user}{colon}{'***' if colon else ''}{at}{place}"


def connect(at: Mapping[str, Any], **more: Any) -> Any:
    """A new connection; waits for a server that is starting.

    Raises:
        InfrastructureError: The server cannot be reached.
    """
    pymysql = client()
    deadline = time.monotonic() + _RECONNECT_S
    while True:
        try:
            limits = {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60, **more}
            return pymysql.connect(charset="utf8mb4", **at, **limits)
        except (pymysql.err.OperationalError, OSError) as error:
            code = error.args[0] if error.args else 0
            if code in (1045, 1044, 1049) or time.monotonic() > deadline:
                raise InfrastructureError(
                    f"cannot reach the database server at {at['host']}:{at['port']}: {error}"
                ) from error
            time.sleep(0.2)


def new_name() -> str:
    """A unique name for an account, which contains its time of creation."""
    return f"{_PREFIX}{int(time.time()):x}_{secrets.token_hex(6)}"


@contextlib.contextmanager
def admin(at: Mapping[str, Any]) -> Iterator[Any]:
    """A cursor of the user in the address.

    Raises:
        InfrastructureError: The server refuses a statement, or the connection is lost.
    """
    pymysql = client()
    connection = connect(at, autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = 0")
            yield cursor
    except pymysql.err.MySQLError as error:
        raise InfrastructureError(
            f"the database server refused a statement of the address's user, who may need more rights: {error}"
        ) from error
    finally:
        connection._force_close()


def load(at: Mapping[str, Any], dump: str, databases: Mapping[str, Mapping[str, Table]]) -> None:
    """Loads the dump, unless the server has it.

    Raises:
        ConfigError: A database of the server has the same name as one of the dump, but other tables.
    """
    with admin(at) as cursor:
        cursor.execute("SELECT GET_LOCK('lumos_rl', %s)", (_LOCK_S,))
        if cursor.fetchone() != (1,):
            raise InfrastructureError(f"another process holds the lock of the database server for {_LOCK_S} s")
        _tidy(cursor)
        cursor.execute("SELECT table_schema, table_name FROM information_schema.tables")
        found: dict[str, set[str]] = {}
        for schema, table in cursor.fetchall():
            found.setdefault(schema.lower(), set()).add(table.lower())
        cursor.execute("SHOW DATABASES")
        there = {name.lower() for (name,) in cursor.fetchall()}
        for database in there & databases.keys():
            if found.get(database, set()) != set(databases[database]):
                raise ConfigError(
                    f"expected database {database} of the server with the tables {sorted(databases[database])}, got"
                    f" {sorted(found.get(database, set()))}; drop this database, or use another server"
                )
        missing = databases.keys() - there
        try:
            if missing:
                _set_packet(cursor, _LOADING)
                with admin(at) as loading:
                    _fill(loading, dump, databases, missing)
        finally:
            _set_packet(cursor, PACKET)


def _fill(cursor: Any, dump: str, databases: Mapping[str, Mapping[str, Table]], missing: Set[str]) -> None:
    _run_dump(cursor, dump, missing)
    # Otherwise the server updates its statistics later, and then orders ties differently than before.
    for database in sorted(missing):
        for table in databases[database]:
            cursor.execute(f"ANALYZE TABLE `{database}`.`{table}`")
            cursor.fetchall()


def _set_packet(cursor: Any, size: int) -> None:
    """Sets max_allowed_packet for connections to come, if the user may."""
    try:
        cursor.execute(f"SET GLOBAL max_allowed_packet = {size}")
    except client().err.MySQLError as error:
        _LOG.warning(
            "the user of the database server may not set max_allowed_packet (%s); set it to %s bytes yourself, or"
            " statements such as REPLACE(REPEAT('a', 3900000), 'a', 'bb') occupy the server for hours",
            error,
            PACKET,
        )


def make_account(at: Mapping[str, Any], name: str, password: str, databases: Iterable[str]) -> str:
    """Makes an account that may read some databases, and do anything in those whose name begins with its own.

    It has two entries: for any host, and for the host that the address's user comes from. Where a server has anonymous
    accounts, as ''@'localhost', one of a named host would otherwise be taken instead, and refuse the password (1045).

    Returns:
        The entries, as DROP USER takes them.
    """
    with admin(at) as cursor:
        cursor.execute("SELECT USER()")
        host = str(cursor.fetchone()[0]).rpartition("@")[2]
        entries = [f"'{name}'@'{where}'" for where in dict.fromkeys(("%", host))]
        cursor.execute("CREATE USER " + ", ".join(f"{entry} IDENTIFIED BY '{password}'" for entry in entries))
        for entry in entries:
            for database in databases:
                cursor.execute(f"GRANT SELECT ON `{escaped(database)}`.* TO {entry}")
            cursor.execute(f"GRANT ALL ON `{escaped(name)}\\_%`.* TO {entry}")
    return ", ".join(entries)


def _tidy(cursor: Any) -> None:
    """Drops databases and accounts that killed processes left behind."""
    cursor.execute("SELECT user FROM information_schema.processlist")
    busy = {user for (user,) in cursor.fetchall()}
    cursor.execute("SELECT user, host FROM mysql.user WHERE user LIKE %s", (escaped(_PREFIX) + "%",))
    for user, host in cursor.fetchall():
        found = re.fullmatch(rf"{_PREFIX}([0-9a-f]+)_[0-9a-f]+", user)
        if found is None or user in busy or time.time() - int(found[1], 16) < _LEFT_OVER_S:
            continue
        cursor.execute(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE %s", (escaped(user) + "%",)
        )
        for (database,) in cursor.fetchall():
            cursor.execute(f"DROP DATABASE `{database}`")
        cursor.execute(f"DROP USER '{user}'@'{host}'")


def _run_dump(cursor: Any, dump: str, missing: Set[str]) -> None:
    used = ""
    for _, statement in statements(dump):
        if found := re.match(r"(?:CREATE\s+DATABASE\s+.*?|USE\s+)`(\w+)`", statement, re.IGNORECASE):
            used = found[1].lower()
        if used in missing and not _ACCOUNT.match(statement):
            cursor.execute(statement)


def snapshot(at: Mapping[str, Any], database: str) -> list[tuple[str, str, list[Any]]]:
    """The tables of a database: name, CREATE TABLE, and rows."""
    with admin(at) as cursor:
        cursor.execute(f"SHOW FULL TABLES FROM `{database}` WHERE table_type = 'BASE TABLE'")
        names = [name for name, _ in cursor.fetchall()]
        found = []
        for name in names:
            cursor.execute(f"SHOW CREATE TABLE `{database}`.`{name}`")
            create = cursor.fetchone()[1]
            cursor.execute(f"SELECT * FROM `{database}`.`{name}`")
            found.append((name, create, list(cursor.fetchall())))
        return found


def restore(at: Mapping[str, Any], database: str, tables: list[tuple[str, str, list[Any]]]) -> None:
    """Creates a database with the tables of a snapshot."""
    with admin(at) as cursor:
        cursor.execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        cursor.execute(f"USE `{database}`")
        for name, create, rows in tables:
            cursor.execute(create)
            if rows:
                marks = ", ".join(["%s"] * len(rows[0]))
                cursor.executemany(f"INSERT INTO `{name}` VALUES ({marks})", rows)


def escaped(name: str) -> str:
    """A name for GRANT and LIKE, where `_` and `%` are wildcards."""
    return name.replace("_", "\\_").replace("%", "\\%")
