"""What an agent can do to a real server, to the next episode, and to the password: nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lumos_rl.envs.sql.domains import suite_dump
from lumos_rl.envs.sql.env import SqlEnv
from lumos_rl.envs.sql.tools.accounts import PACKET, admin, masked, settings
from lumos_rl.envs.sql.tools.server import ServerDatabase
from lumos_rl.errors import ConfigError


@pytest.fixture(scope="module")
def opened(sql_server: str) -> Iterator[ServerDatabase]:
    database = ServerDatabase(sql_server, suite_dump(), "the built-in suite")
    yield database
    database.close()


@pytest.fixture
def database(opened: ServerDatabase) -> ServerDatabase:
    opened.begin("studio")
    return opened


def rows(database: ServerDatabase, statement: str) -> object:
    result = database.execute(statement)
    assert result.error is None, result.error
    return list(result.rows) if result.rows is not None else None


def test_no_text_is_long_enough_to_occupy_the_server_for_hours(database: ServerDatabase, sql_server: str) -> None:
    start = time.perf_counter()
    assert rows(database, "SELECT REPLACE(REPEAT('a', 3900000), 'a', 'bb')") == [(None,)]
    assert rows(database, "SELECT LENGTH(REPLACE(REPEAT('a', 30000), 'a', 'bb'))") == [(60000,)]
    assert time.perf_counter() - start < 30
    with admin(settings(sql_server)) as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        assert cursor.fetchone() == (PACKET,)
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT REPLACE%'")
        assert cursor.fetchone() == (0,)


def test_a_dump_with_long_lines_is_loaded_all_the_same(sql_server: str) -> None:
    values = ",".join(f"({number},'{'x' * 100}')" for number in range(2_000))
    start = "CREATE DATABASE `long_lines`; USE `long_lines`; CREATE TABLE `t` (`a` int, `b` text);"
    dump = f"{start} INSERT INTO `t` VALUES {values};"
    database = ServerDatabase(sql_server, dump, "a dump")
    try:
        database.begin("long_lines")
        assert rows(database, "SELECT COUNT(*) FROM t") == [(2000,)]
    finally:
        database.close()
        with admin(settings(sql_server)) as cursor:
            cursor.execute("DROP DATABASE long_lines")


def test_a_statement_larger_than_a_packet_is_told(database: ServerDatabase) -> None:
    result = database.execute(f"SELECT '{'💣' * 20_000}'")
    assert result.error == f"Got a packet bigger than 'max_allowed_packet' bytes ({PACKET})"


OUTSIDE = [
    "CREATE TABLE mine (a INT) DATA DIRECTORY = '{}'",
    "CREATE TABLE mine (a INT) ENGINE=MyISAM DATA DIRECTORY='{}' INDEX DIRECTORY='{}'",
    "CREATE TABLE mine (a INT) DATA /**/ DIRECTORY '{}'",
    "CREATE TABLE mine (a INT) ENGINE=CSV",
    "CREATE TABLE mine (a INT) ENGINE = `FEDERATED` CONNECTION='mysql://root@127.0.0.1/mysql/user'",
    "ALTER TABLE song DATA DIRECTORY = '{}'",
]


@pytest.mark.parametrize("statement", OUTSIDE, ids=range(len(OUTSIDE)))
def test_no_table_is_kept_elsewhere(database: ServerDatabase, statement: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    database.execute(statement.replace("{}", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_the_server_itself_ignores_directories(database: ServerDatabase) -> None:
    rows(database, "SELECT 1")
    database.execute("SET sql_mode = ''")
    database.execute("SET SESSION sql_mode = (SELECT REPLACE(@@sql_mode, 'NO_DIR_IN_CREATE', ''))")
    [(modes,)] = rows(database, "SELECT @@SESSION.sql_mode")  # type: ignore[misc]
    with database._connected().cursor() as cursor:
        cursor.execute("SELECT @@SESSION.sql_mode")
        [real] = cursor.fetchone()
    assert "NO_DIR_IN_CREATE" in real, modes


def test_bytes_that_are_no_text_are_replaced(database: ServerDatabase) -> None:
    statement = "SELECT CAST(UNHEX('EDA080') AS CHAR), UNHEX('FF'), 1, 'é'"
    assert rows(database, statement) == [("\ufffd\ufffd\ufffd", b"\xff", 1, "é")]


LEAKS = [
    ("SELECT LAST_INSERT_ID(424242)", "SELECT LAST_INSERT_ID()", [(0,)]),
    ("SELECT SQL_CALC_FOUND_ROWS name FROM band LIMIT 1", "SELECT FOUND_ROWS()", [(0,), (1,)]),
    ("SELECT @secret := 7", "SELECT @secret", [(None,)]),
    ("CREATE TEMPORARY TABLE hidden (a INT)", "SELECT COUNT(*) FROM hidden", []),
    (
        "INSERT INTO band (band_id, name, origin, members) VALUES (9999, 'x', 'y', 1)",
        "SELECT ROW_COUNT()",
        [(0,), (-1,)],
    ),
    ("SELECT 1/0", "SHOW WARNINGS", []),
]


@pytest.mark.parametrize(("left", "asked", "clean"), LEAKS, ids=range(len(LEAKS)))
def test_nothing_of_a_session_is_read_in_the_next_episode(
    database: ServerDatabase, left: str, asked: str, clean: list[object]
) -> None:
    database.execute(left)
    database.begin("studio")
    result = database.execute(asked)
    assert result.rows in [None, ()] if not clean else next(iter(result.rows or ()), None) in clean


def test_the_gold_query_leaves_nothing_in_the_session_of_the_agent(database: ServerDatabase) -> None:
    rows(database, "SELECT name FROM band LIMIT 2")
    assert len(database.gold("SELECT title FROM song", "studio").rows or ()) == 43
    assert rows(database, "SELECT FOUND_ROWS()") in ([(2,)], [(0,)], [(1,)])


HOLDING = [
    "SELECT SLEEP(1000)",
    "DO SLEEP(1000)",
    "SELECT BENCHMARK(1000000000000, MD5('a'))",
    "SELECT GET_LOCK('lumos_rl', 1000)",
    "SELECT MASTER_GTID_WAIT('0-1-1', 1000)",
    "SELECT WAIT_FOR_EXECUTED_GTID_SET('a', 1000)",
    "LOCK TABLES song WRITE",
    "FLUSH TABLES WITH READ LOCK",
    "KILL 1",
    "SHUTDOWN",
    "SET GLOBAL max_connections = 1",
    "SET STATEMENT max_statement_time = 0 FOR SELECT 1",
    "CREATE FUNCTION f RETURNS INTEGER SONAME 'x.so'",
    "INSTALL SONAME 'x'",
    "CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO SELECT 1",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE song",
    "SELECT LOAD_FILE('/etc/passwd')",
    "SELECT * FROM mysql.user",
    "SELECT * FROM mysql.global_priv",
    "SELECT 'x' INTO OUTFILE '{}'",
    "HANDLER song OPEN",
]


@pytest.mark.parametrize("statement", HOLDING, ids=range(len(HOLDING)))
def test_nothing_holds_or_changes_the_server(
    database: ServerDatabase, statement: str, sql_server: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    with admin(settings(sql_server)) as cursor:
        cursor.execute("SELECT @@GLOBAL.max_connections")
        before = cursor.fetchone()
        start = time.perf_counter()
        result = database.execute(statement.replace("{}", str(tmp_path / "stolen")))
        assert result.error is not None or statement.startswith("SET")
        assert time.perf_counter() - start < 20
        cursor.execute("SELECT @@GLOBAL.max_connections")
        assert cursor.fetchone() == before
    assert list(tmp_path.iterdir()) == []
    assert rows(database, "SELECT COUNT(*) FROM band") == [(12,)]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mysql://root:secret@host:3307", "mysql://root:***@host:3307"),
        ("mysql://root:se/cr@et@host", "mysql://root:***@host"),
        ("mysql://root:secret", "mysql://root:***"),
        ("mariadb://root:secret@host/x", "mariadb://root:***@host/x"),
        ("mysql://root@host", "mysql://root@host"),
    ],
)
def test_an_address_in_a_message_has_no_password(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize("address", ["mysql://root:se/cret@host:3307", "mysql://root:secret", "mysql://:secret@"])
def test_an_address_that_cannot_be_read_is_told_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings(address)
    assert "cret" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_no_message_of_the_environment_shows_a_password() -> None:
    with pytest.raises(ConfigError) as raised:
        SqlEnv("intercode_sql", limit=1, backend="mariadb://root:secret@host")
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(SqlEnv("intercode_sql", limit=1, backend="mysql://root:secret@host"))


def test_a_password_comes_from_the_environment_if_the_address_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LUMOS_SQL_PASSWORD", "MYSQL_PWD"):
        monkeypatch.delenv(name, raising=False)
    assert settings("mysql://root@host")["password"] == ""
    monkeypatch.setenv("MYSQL_PWD", "second")
    assert settings("mysql://root@host")["password"] == "second"
    monkeypatch.setenv("LUMOS_SQL_PASSWORD", "fir:st/@")
    assert settings("mysql://root@host")["password"] == "fir:st/@"
    assert settings("mysql://root:own%2F@host")["password"] == "own/"
    assert settings("mysql://root:@host")["password"] == ""
