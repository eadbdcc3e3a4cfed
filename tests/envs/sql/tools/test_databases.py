"""MySQL's dialect on both back ends: what statements give, what is refused, and what an attack comes to."""

import datetime as dt
import resource
import sqlite3
import time
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from unittest.mock import Mock

import pytest

from lumos_rl.envs.sql.tools import DescribeTable, ListTables, Query, Session, sql_tools
from lumos_rl.envs.sql.tools.accounts import client
from lumos_rl.envs.sql.tools.dump import read_dump
from lumos_rl.envs.sql.tools.results import Database
from lumos_rl.envs.sql.tools.schema import describe
from lumos_rl.envs.sql.tools.server import ServerDatabase
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.errors import ConfigError, DataError, InfrastructureError, ToolError, UnknownNameError

LIMIT_S = 1.0  # for a statement, so that those without end do not hold up the tests
DUMP = """
-- a zoo
CREATE DATABASE  IF NOT EXISTS `zoo` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci */;
USE `zoo`;
CREATE TABLE `Keeper` (
  `keeper_id` int NOT NULL AUTO_INCREMENT,
  `Name` text COLLATE utf8mb4_general_ci,
  `hired` datetime DEFAULT NULL,
  `wage` decimal(8,2) NOT NULL DEFAULT '0.00',
  PRIMARY KEY (`keeper_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `Keeper` VALUES (1,'Zoë','2010-03-04 00:00:00',10.50),(2,'Abe ','2012-01-01 12:30:00',20.00);
INSERT INTO `Keeper` VALUES (3,'abe',NULL,30.00);
CREATE TABLE `animal` (
  `animal_id` int NOT NULL,
  `kind` varchar(20) NOT NULL DEFAULT 'cat',
  `born` varchar(10) DEFAULT NULL,
  `weight` double DEFAULT NULL,
  `size` float(10,2) DEFAULT NULL,
  `keeper_id` int DEFAULT NULL,
  PRIMARY KEY (`animal_id`),
  KEY `animal_FK` (`keeper_id`),
  CONSTRAINT `animal_FK` FOREIGN KEY (`keeper_id`) REFERENCES `Keeper` (`keeper_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `animal` VALUES (1,'cat','2009',4.5,0.10,1),(2,'dog','2011',9.25,0.40,1);
INSERT INTO `animal` VALUES (3,'Cat','999',5,0.30,2),(4,'eel',NULL,NULL,NULL,NULL);
CREATE DATABASE `yard`;
USE `yard`;
CREATE TABLE `barn` (
  `id` int NOT NULL,
  `note` text COLLATE utf8mb4_general_ci,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `barn` VALUES (1,'it''s \\"red\\"\\nand; old'),(2,'');
"""


@pytest.fixture(scope="module", params=["sqlite", "server"])
def opened(request: pytest.FixtureRequest) -> Iterator[Database]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sqlite", "server"):
            patch.setattr(f"lumos_rl.envs.sql.tools.{name}.STATEMENT_S", LIMIT_S)
        patch.setattr("lumos_rl.envs.sql.tools.server.GRACE_S", 2.0)
        if request.param == "sqlite":
            yield SqliteDatabase(image_of(DUMP))
            return
        database = ServerDatabase(request.getfixturevalue("sql_server"), DUMP)
        yield database
        database.close()


@pytest.fixture
def database(opened: Database) -> Database:
    opened.begin("zoo")
    return opened


def rows(database: Database, statement: str) -> object:
    result = database.execute(statement)
    assert result.error is None, result.error
    return list(result.rows) if result.rows is not None else None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(*) FROM animal WHERE kind = 'CAT '", [(2,)]),  # case and blanks at the end do not count
        ("SELECT COUNT(*) FROM keeper WHERE name = 'zoe'", [(1,)]),  # nor do accents
        ("SELECT COUNT(DISTINCT name) FROM keeper", [(2,)]),
        ("SELECT COUNT(*) FROM keeper WHERE Name LIKE 'ab_'", [(1,)]),  # but LIKE sees the blank
        ("SELECT 7 / 2, 1 / 0, 7 DIV 2, 7 % 4", [(Decimal("3.5000"), None, 3, 3)]),
        ("SELECT animal_id FROM animal WHERE born > 999", [(1,), (2,)]),  # a text compared with a number is one
        ("SELECT animal_id FROM animal WHERE animal_id = '2x'", [(2,)]),
        ("SELECT SUM(animal_id), AVG(animal_id) FROM animal", [(Decimal("10"), Decimal("2.5000"))]),
        ("SELECT SUM(weight), AVG(wage) FROM animal JOIN keeper USING (keeper_id)", [(18.75, Decimal("13.666667"))]),
        ("SELECT MAX(size), SUM(size), AVG(size) FROM animal", [(0.4, 0.8, 0.266667)]),
        ("SELECT YEAR(hired), DATE(hired) FROM keeper WHERE keeper_id = 1", [(2010, dt.date(2010, 3, 4))]),
        ("SELECT hired FROM keeper WHERE hired > '2011-12-31'", [(dt.datetime(2012, 1, 1, 12, 30),)]),
        ("SELECT IF(weight > 5, 'big', 'small') FROM animal ORDER BY animal_id LIMIT 2", [("small",), ("big",)]),
        ("SELECT CONCAT(kind, '-', animal_id), CONCAT('a', NULL) FROM animal LIMIT 1", [("cat-1", None)]),
        ("SELECT kind k, COUNT(*) n FROM animal GROUP BY k HAVING n > 1", [("cat", 2)]),
        ("SELECT GROUP_CONCAT(kind ORDER BY animal_id DESC SEPARATOR '|') FROM animal", [("eel|Cat|dog|cat",)]),
        (
            "SELECT animal_id FROM animal WHERE weight >= ALL (SELECT weight FROM animal WHERE weight IS NOT NULL)",
            [(2,)],
        ),
        (
            "SELECT k.name FROM keeper k WHERE NOT EXISTS (SELECT 1 FROM animal a WHERE a.keeper_id = k.keeper_id)",
            [("abe",)],
        ),
        (
            "SELECT name, (SELECT COUNT(*) FROM animal a WHERE a.keeper_id = k.keeper_id) FROM keeper k LIMIT 1",
            [("Zoë", 2)],
        ),
        (
            "SELECT k.name, COUNT(*) FROM keeper k JOIN animal USING (keeper_id) GROUP BY k.keeper_id",
            [("Zoë", 2), ("Abe ", 1)],
        ),
        ("SELECT kind FROM animal WHERE kind REGEXP '^D' UNION ALL SELECT 'x'", [("dog",), ("x",)]),
        ("SELECT note FROM yard.barn WHERE id = 1", [('it\'s "red"\nand; old',)]),
        ("SELECT animal_id FROM animal ORDER BY animal_id LIMIT 1, 2", [(2,), (3,)]),
        ('SELECT kind FROM animal WHERE kind = "EEL" -- a comment', [("eel",)]),
        ("SELECT kind, RANK() OVER (ORDER BY weight DESC) r FROM animal WHERE weight > 4.6", [("dog", 1), ("Cat", 2)]),
        ("SHOW TABLES", [("animal",), ("keeper",)]),
        ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'yard'", [("barn",)]),
        ("DESC yard.barn", [("id", b"int", "NO", "PRI", None, ""), ("note", b"text", "YES", "", None, "")]),
    ],
)
def test_queries_give_what_mysql_gives(database: Database, query: str, expected: list[object]) -> None:
    assert rows(database, query) == expected


def test_describe_has_the_shape_of_the_published_episodes(database: Database) -> None:
    assert rows(database, "DESCRIBE keeper") == [
        ("keeper_id", b"int", "NO", "PRI", None, "auto_increment"),
        ("Name", b"text", "YES", "", None, ""),
        ("hired", b"datetime", "YES", "", None, ""),
        ("wage", b"decimal(8,2)", "NO", "", b"0.00", ""),
    ]
    assert [row[:7] for row in rows(database, "SHOW FULL COLUMNS FROM keeper")] == [  # type: ignore[attr-defined]
        ("keeper_id", b"int", None, "NO", "PRI", None, "auto_increment"),
        ("Name", b"text", "utf8mb4_general_ci", "YES", "", None, ""),
        ("hired", b"datetime", None, "YES", "", None, ""),
        ("wage", b"decimal(8,2)", None, "NO", "", b"0.00", ""),
    ]
    assert rows(database, "SHOW COLUMNS FROM animal LIKE 'k%'") == [
        ("kind", b"varchar(20)", "NO", "", b"cat", ""),
        ("keeper_id", b"int", "YES", "MUL", None, ""),
    ]


FULL_GROUP_BY = "sql_mode=only_full_group_by"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT naem FROM keeper", "Unknown column 'naem' in 'field list'"),
        ("SELECT k.name FROM keeper", "Unknown column 'k.name' in 'field list'"),
        ("SELECT name FROM keeper WHERE n = 1", "Unknown column 'n' in 'where clause'"),
        ("SELECT name AS n FROM keeper WHERE n = 'x'", "Unknown column 'n' in 'where clause'"),
        ("SELECT * FROM keepers", "Table 'zoo.keepers' doesn't exist"),
        ("SELECT keeper_id FROM keeper JOIN animal ON 1", "Column 'keeper_id' in field list is ambiguous"),
        ("SELECT * FROM (SELECT 1)", "Every derived table must have its own alias"),
        ("SELECT COUNT(*) FROM animal a, animal a", "Not unique table/alias: 'a'"),
        ("SELECT (SELECT animal_id FROM animal)", "Subquery returns more than 1 row"),
        ("SELECT 1 IN (SELECT 1, 2)", "Operand should contain 1 column(s)"),
        ("SELECT 1 FROM animal WHERE COUNT(*) > 1", "Invalid use of group function"),
        ("SELECT 1 UNION SELECT 1, 2", "The used SELECT statements have a different number of columns"),
        (
            "SELECT animal_id FROM animal WHERE animal_id IN (SELECT animal_id FROM animal LIMIT 1)",
            "doesn't yet support 'LIMIT",
        ),
        ("SELECT kind, COUNT(*) FROM animal", FULL_GROUP_BY),
        ("SELECT kind, weight FROM animal GROUP BY kind", FULL_GROUP_BY),
        ("SELECT DISTINCT kind FROM animal ORDER BY weight", "incompatible with DISTINCT"),
        ("SELECT rank FROM animal", "error in your SQL syntax"),
        ("SELECT kind, FROM animal", "error in your SQL syntax"),
        ("SELECT kind, COUNT(*) FROM animal LIMIT 1 GROUP BY kind", "error in your SQL syntax"),
        ("SELECT a.b.c.kind FROM animal", "error in your SQL syntax"),
        ("SELECT CAST(born AS INTEGER) FROM animal", "error in your SQL syntax"),
        ("SELECT COUNT (*) FROM animal", "error in your SQL syntax"),
        ("SELECT kind FROM animal FULL OUTER JOIN keeper USING (keeper_id)", "error in your SQL syntax"),
        ("SELECT foo(1)", "FUNCTION zoo.foo does not exist"),
        ("SELECT NVL(1, 2)", "FUNCTION zoo.NVL does not exist"),
        ("DESCRIBE keepers", "Table 'zoo.keepers' doesn't exist"),
        ("USE nowhere", "Unknown database 'nowhere'"),
        ("SELECT 1 ORDER BY 1e400", ""),
        ("CREATE TABLE pen (a INT, PRIMARY KEY (b))", "Key column 'b' doesn't exist in table"),
    ],
)
def test_what_mysql_8_refuses_is_refused_in_its_words(database: Database, statement: str, message: str) -> None:
    result = database.execute(statement)
    assert result.rows is None
    assert message in str(result.error)
    assert result.text.startswith("Error executing query: ")


def test_a_column_that_the_key_fixes_may_be_selected(database: Database) -> None:
    query = "SELECT k.name, COUNT(*) FROM animal a JOIN keeper k ON a.keeper_id = k.keeper_id GROUP BY a.keeper_id"
    assert rows(database, query) == [("Zoë", 2), ("Abe ", 1)]


def test_set_sql_mode_counts_until_the_episode_ends(database: Database) -> None:
    database.execute("SET sql_mode = ''")
    assert database.execute("SELECT kind, weight FROM animal GROUP BY kind").error is None
    database.begin("zoo")
    assert FULL_GROUP_BY in str(database.execute("SELECT kind, weight FROM animal GROUP BY kind").error)


REFUSED_WRITES = [
    "CREATE TABLE pen (a INT, a INT)",
    "ALTER TABLE animal DROP COLUMN nothing",
    "ALTER TABLE animal ADD COLUMN legs INT, RENAME COLUMN kind TO born",
]


@pytest.mark.parametrize("statement", REFUSED_WRITES)
def test_a_refused_statement_changes_nothing(database: Database, statement: str) -> None:
    about = ("SHOW TABLES", "DESCRIBE animal", "SELECT * FROM animal")
    before = [rows(database, query) for query in about]
    assert database.execute(statement).error is not None
    assert [rows(database, query) for query in about] == before
    assert rows(database, "DELETE FROM animal") is None  # and the next one is run


def test_sqlite_keeps_a_key_column() -> None:
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    assert "animal_id" in str(database.execute("ALTER TABLE animal DROP COLUMN animal_id").error)
    assert rows(database, "SELECT * FROM animal WHERE animal_id = 4") == [(4, "eel", None, None, None, None)]


def test_keys_are_told_whatever_the_case_of_their_columns_and_after_a_new_name(database: Database) -> None:
    assert rows(database, "CREATE TABLE pen (Id INT, b INT, PRIMARY KEY (id), UNIQUE KEY (B))") is None
    assert rows(database, "ALTER TABLE pen RENAME COLUMN id TO number") is None
    found = [(row[2], row[4]) for row in rows(database, "SHOW INDEX FROM pen")]  # type: ignore[attr-defined]
    assert found == [("PRIMARY", "number"), ("b", "b")]
    assert rows(database, "ALTER TABLE pen DROP COLUMN b") is None
    assert len(rows(database, "SHOW INDEX FROM pen")) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_NOMEM])
def test_a_fault_of_sqlite_is_no_mistake_of_the_statement(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    monkeypatch.setattr(database, "_connection", Mock(execute=Mock(side_effect=error)))
    for run in (database.execute, lambda query: database.gold(query, "zoo")):
        with pytest.raises(InfrastructureError, match="disk I/O error"):
            run("SELECT * FROM animal")


@pytest.mark.parametrize("code", [3, 1021, 1041, 1205, 1213])
def test_a_fault_of_the_server_is_no_mistake_of_the_statement(
    code: int, sql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = client().err.OperationalError(code, "no space left on device")
    database = ServerDatabase(sql_server, DUMP)
    database.begin("zoo")
    with monkeypatch.context() as patch:
        patch.setattr(client().cursors.SSCursor, "execute", Mock(side_effect=error))
        for run in (database.execute, lambda query: database.gold(query, "zoo")):
            with pytest.raises(InfrastructureError, match="no space left on device"):
                run("SELECT * FROM animal")
    assert database.gold("SELECT COUNT(*) FROM animal", "zoo").rows == ((4,),)
    database.close()


WRITES = [
    "DROP TABLE animal",
    "DELETE FROM animal",
    "UPDATE animal SET kind = 'cow' WHERE animal_id > 0",
    "INSERT INTO animal (animal_id, kind) VALUES (9, 'ox')",
    "ALTER TABLE animal ADD COLUMN legs INT",
    "ALTER TABLE animal DROP COLUMN weight",
    "TRUNCATE TABLE animal",
    "CREATE TABLE pen (id INT PRIMARY KEY)",
]


@pytest.mark.parametrize("statement", WRITES)
def test_what_an_episode_writes_is_gone_in_the_next(database: Database, statement: str) -> None:
    before = rows(database, "SELECT * FROM animal"), rows(database, "SHOW TABLES")
    assert rows(database, statement) is None
    assert database.execute("SELECT * FROM animal").rows != before[0] or rows(database, "SHOW TABLES") != before[1]
    assert database.gold("SELECT * FROM animal", "zoo").rows == tuple(before[0])  # type: ignore[arg-type]
    database.begin("zoo")
    assert (rows(database, "SELECT * FROM animal"), rows(database, "SHOW TABLES")) == before


def test_what_an_episode_writes_is_seen_by_itself_alone(database: Database) -> None:
    other = deepcopy(database)
    try:
        assert rows(database, "UPDATE animal SET kind = 'cow' WHERE animal_id = 1") is None
        assert rows(database, "SELECT kind FROM animal WHERE animal_id = 1") == [("cow",)]
        assert rows(other, "SELECT kind FROM animal WHERE animal_id = 1") == [("cat",)]
        copy = deepcopy(database)
        assert rows(copy, "SELECT kind FROM animal WHERE animal_id = 1") == [("cow",)]
        copy.close()
    finally:
        other.close()


@pytest.mark.parametrize(
    "statement", ["-- all\nSHOW TABLES", "/* all */ SHOW TABLES", "# all\nSHOW TABLES;;", "SHOW TABLES -- all"]
)
def test_a_comment_changes_nothing(database: Database, statement: str) -> None:
    assert rows(database, statement) == [("animal",), ("keeper",)]


def test_a_comment_after_the_semicolon_is_no_second_statement(database: Database) -> None:
    assert rows(database, "SELECT 1; -- done") == [(1,)]
    assert rows(database, "/* x */ USE `yard` ; # mine") is None
    assert rows(database, "SHOW TABLES") == [("barn",)]


def test_use_holds_until_the_episode_ends(database: Database) -> None:
    assert rows(database, "USE yard") is None
    assert rows(database, "SHOW TABLES") == [("barn",)]
    database.begin("zoo")
    assert rows(database, "SHOW TABLES") == [("animal",), ("keeper",)]


def test_writing_in_another_database_is_private_too(database: Database) -> None:
    rows(database, "DELETE FROM animal")
    rows(database, "USE yard")
    assert rows(database, "DELETE FROM barn") is None
    assert rows(database, "SELECT COUNT(*) FROM barn") == [(0,)]
    assert rows(database, "SELECT COUNT(*) FROM zoo.keeper") == [(3,)]
    database.begin("yard")
    assert rows(database, "SELECT COUNT(*) FROM barn") == [(2,)]


def test_variables_do_not_outlive_their_episode(database: Database) -> None:
    database.execute("SELECT @secret := 7")
    database.begin("zoo")
    assert database.execute("SELECT @secret").rows in (((None,),), None)


def test_ties_are_cut_alike_by_every_connection_every_time(database: Database) -> None:
    tables = ", ".join(f"animal a{i}" for i in range(5))
    numbers = ", ".join(f"a{i}.animal_id" for i in range(5))
    query = f"SELECT {numbers} FROM {tables} GROUP BY {numbers} ORDER BY COUNT(*) LIMIT 1"
    others = [deepcopy(database) for _ in range(3)]
    try:
        assert len({str(rows(each, query)) for each in [database, *others] * 3}) == 1
    finally:
        for other in others:
            other.close()


REACHING_OUT = [
    "ATTACH DATABASE '{}' AS stolen",
    "VACUUM INTO '{}'",
    "SELECT 'x' INTO OUTFILE '{}'",
    "SELECT 'x' INTO DUMPFILE '{}'",
    "SELECT * FROM animal INTO OUTFILE '{}'",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE keeper",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE keeper",
    "PRAGMA writable_schema = 1",
    "SELECT load_extension('x')",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM mysql.user",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "SELECT 1; DROP TABLE animal",
    "DROP DATABASE zoo",
    "CREATE DATABASE mine",
    "GRANT ALL ON *.* TO me",
    "CREATE USER me",
    "SHUTDOWN",
    "KILL 1",
    "EXECUTE IMMEDIATE 'SET max_statement_time = 0'",
    "PREPARE s FROM 'SET max_statement_time = 0'",
    "BEGIN NOT ATOMIC SET max_statement_time = 0; END",
    "/*!50000 SET max_statement_time = 0 */",
    "/*M!100000 SET max_statement_time = 0 */",
    "LOCK TABLES animal WRITE",
    "SELECT GET_LOCK('lumos_rl', 1)",
    "SELECT `GET_LOCK`('lumos_rl', 1)",
    "SELECT GET_LOCK/**/('lumos_rl', 1)",
    "SELECT GET_LOCK -- x\n('lumos_rl', 1)",
    "CREATE TRIGGER t BEFORE INSERT ON animal FOR EACH ROW SET @x = 1",
    "CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO SELECT 1",
    "CALL sys.something()",
]


@pytest.mark.parametrize("statement", REACHING_OUT)
def test_no_statement_leaves_the_databases(database: Database, statement: str, tmp_path: Path) -> None:
    target = tmp_path / "stolen"
    assert database.execute(statement.format(target)).error is not None
    assert not target.exists()
    database.begin("zoo")
    assert rows(database, "SHOW TABLES") == [("animal",), ("keeper",)]


def test_no_file_can_be_read(database: Database) -> None:
    result = database.execute("SELECT LOAD_FILE('/etc/passwd')")
    assert result.error is not None or result.rows == ((None,),)


MANY = ", ".join(f"animal a{i}" for i in range(30))  # 4^30 rows
TOO_MUCH = [
    f"SELECT COUNT(*) FROM {MANY}",
    f"SELECT * FROM {MANY}",
    f"SELECT a0.kind FROM {MANY} ORDER BY a0.kind, a29.kind",
    f"SELECT DISTINCT CONCAT(a0.weight, a1.weight, RAND()) FROM {MANY}",
    f"SELECT GROUP_CONCAT(a0.kind ORDER BY a1.kind) FROM {MANY}",
    f"SELECT STDDEV(a0.weight) FROM {MANY}",
    f"SELECT COUNT(DISTINCT a0.animal_id, a9.animal_id, a19.animal_id, a29.animal_id) FROM {MANY}",
    "SELECT SLEEP(1000)",
    "SELECT BENCHMARK(1000000000000, MD5('a'))",
]


@pytest.mark.parametrize("statement", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_work_without_end_is_stopped(database: Database, statement: str) -> None:
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert database.execute(statement).error is not None
    assert time.process_time() - start < LIMIT_S + 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 400_000  # KiB
    assert rows(database, "SELECT COUNT(*) FROM animal") == [(4,)]


@pytest.mark.parametrize(
    "statement",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 'aa' UNION ALL SELECT CONCAT(i, i) FROM n) SELECT MAX(LENGTH(i)) FROM n",
        "SELECT REPEAT('a', 100000) REGEXP '^(a+)+$b'",
        "SELECT REPEAT('a', 100000) LIKE '%a%a%a%a%a%a%a%a%b'",
        "SELECT REPEAT('a', 300000) LIKE CONCAT('%', REPEAT('a', 20000), 'b')",
        f"SELECT COUNT(*) FROM {MANY} WHERE CONCAT(REPEAT('a', 24), a1.kind) REGEXP '^(a+)+$'",
        f"SELECT SUM(LENGTH(REPLACE(REPEAT('ab', 400000), 'b', a1.kind))) FROM {MANY}",
        "SELECT LENGTH(REPEAT(REPEAT('a', 1000000), 1000000))",
        "SELECT RPAD('a', 1000000000, 'b')",
        "SELECT REPLACE(REPEAT('a', 1000000), 'a', REPEAT('b', 1000000))",
    ],
)
def test_growth_without_end_is_stopped(database: Database, statement: str) -> None:
    start = time.process_time()
    result = database.execute(statement)
    assert result.error is not None or len(result.rows or ()) < 2_000  # MariaDB ends a recursion after 1,000 rounds
    assert time.process_time() - start < LIMIT_S + 4


def nested(before: str, after: str, depth: int) -> str:
    return f"SELECT {before * depth}1{after * depth}"


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT GROUP_CONCAT(REPEAT('a', 999999) ORDER BY a0.animal_id) FROM {MANY}",
        f"SELECT GROUP_CONCAT('x' ORDER BY REPEAT('a', 999999)) FROM {MANY}",
        f"SELECT GROUP_CONCAT(a0.kind ORDER BY a1.kind SEPARATOR '{'-' * 50_000}') FROM {MANY}",
        nested("CASE ", " WHEN 1 THEN 1 WHEN 2 THEN 2 WHEN 3 THEN 3 END", 12),
        nested("(SELECT COUNT(DISTINCT 1, ", "))", 16),
        nested("((", ",1) IN ((1,1),(1,2),(1,3)))", 12),
        f"SELECT 1 IN ({','.join('1' * 2_000)}) a HAVING {'+'.join('a' * 200)}",
        "SELECT CAST(REPEAT('a', 1000000) AS BINARY) REGEXP REPEAT('(a|b)', 20000)",
        "SHOW TABLES" + " " * 50_000 + "x",
        "USE zoo" + " " * 50_000 + "x",
    ],
    ids=range(10),
)
def test_what_grows_before_or_within_a_step_of_sqlite_is_stopped(
    statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumos_rl.envs.sql.tools.sqlite.STATEMENT_S", LIMIT_S)
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert database.execute(statement).error is not None
    assert time.process_time() - start < LIMIT_S + 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 400_000  # KiB


def test_a_gold_query_that_hits_a_limit_is_no_wrong_answer(database: Database) -> None:
    with pytest.raises(InfrastructureError, match=r"cannot grade by the gold query .* exceeded"):
        database.gold(f"SELECT COUNT(*) FROM {MANY}", "zoo")
    assert database.gold("SELECT nothing FROM animal", "zoo").rows is None
    assert rows(database, "SELECT COUNT(*) FROM animal") == [(4,)]


def test_a_like_that_would_compare_without_end_has_no_value() -> None:
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    start = time.process_time()
    pattern = "%" + "a" * 20_000 + "b"
    assert rows(database, f"SELECT CAST(REPEAT('a', 1000000) AS BINARY) LIKE '{pattern}'") == [(None,)]
    assert time.process_time() - start < 2


def test_a_like_of_show_that_would_compare_without_end_is_refused() -> None:
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    rows(database, f"CREATE TABLE {'t' * 200} (a INT)")
    for statement in (f"SHOW TABLES LIKE '{'%' * 59_000}'", f"SHOW COLUMNS FROM keeper LIKE '{'%' * 59_000}'"):
        result = database.execute(statement)
        assert ("at most 10000000 characters" in str(result.error)) == ("TABLES" in statement)


def test_trim_takes_time_in_proportion_to_the_text() -> None:
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    start = time.process_time()
    assert rows(database, "SELECT TRIM('a' FROM REPEAT('a', 1000000))") == [("",)]
    assert rows(database, "SELECT TRIM('ab' FROM 'ababcab'), TRIM(LEADING 'x' FROM 'xxax')") == [("c", "ax")]
    assert time.process_time() - start < 2


JUNK = ["", ";", "\0", "\ud800", "SELECT '\0'", "'", '"', "`", "--", "/*", "(" * 20_000, "SELECT " + "(" * 3_000 + "1"]
JUNK += [
    "SELECT " + "1+" * 25_000 + "1",
    "SELECT 1 " + "UNION SELECT 1 " * 3_000,
    "💣",
    "x" * 10**6,
    "SELECT '" + "a" * 10**6,
]
JUNK += [
    "SELECT " + "NOT " * 10_000 + "1",
    "SELECT CASE " * 1_000,
    bytes(range(256)).decode("latin-1"),
    "EXPLAIN",
    "SHOW",
    "DESC",
]


def test_tables_cannot_grow_without_end() -> None:
    database = SqliteDatabase(image_of(DUMP))
    database.begin("zoo")
    rows(database, "CREATE TABLE heap (t text)")
    rows(database, "INSERT INTO heap VALUES ('x')")
    errors = [database.execute("INSERT INTO heap SELECT REPEAT('a', 900000) FROM heap").error for _ in range(9)]
    assert "The table is full" in str(errors[-1])  # 2^9 rows would take 460 MB
    database.begin("zoo")
    assert rows(database, "SHOW TABLES") == [("animal",), ("keeper",)]


@pytest.mark.parametrize("text", JUNK, ids=range(len(JUNK)))
def test_junk_is_refused_and_nothing_else_happens(database: Database, text: str) -> None:
    result = database.execute(text)
    assert result.error is not None or result.rows == ((1,),)  # a server takes the very long ones
    assert rows(database, "SELECT COUNT(*) FROM keeper") == [(3,)]


def test_the_tools_speak_briefly(database: Database) -> None:
    session = Session(database, "zoo")
    tools = sql_tools(session)
    assert tools["ListTables"]("", {}).text == "animal, keeper"  # type: ignore[union-attr]
    found = tools["DescribeTable"]("`keeper`", {})
    assert found.text == "keeper_id int, Name text, hired datetime, wage decimal(8,2)"  # type: ignore[union-attr]
    value = Query(session)("SELECT kind FROM animal ORDER BY animal_id LIMIT 1", {})
    assert (value.exact, value.text) == ((("cat",),), "[('cat',)]")
    with pytest.raises(ToolError, match="expected the name of a table"):
        DescribeTable(session)("keeper; DROP TABLE keeper", {})
    with pytest.raises(ToolError, match="without arguments"):
        ListTables(session)("keeper", {})


def test_a_long_result_is_cut_in_the_text_alone(database: Database) -> None:
    value = Query(Session(database, "zoo"))(f"SELECT '{'a' * 5_000}'", {})
    assert len(value.text) < 2_100
    assert value.text.endswith("… (cut: 5007 characters in all)")
    assert value.exact == (("a" * 5_000,),)


def test_an_unknown_database_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(UnknownNameError, match="yard"):
        database.begin("yrd")


def test_a_dump_is_read_with_its_types_and_keys() -> None:
    dump = read_dump(DUMP)
    assert dump.rows["zoo", "keeper"][0] == (1, "Zoë", "2010-03-04 00:00:00", 10.5)
    animal = dump.catalog.find("ZOO", "Animal")
    assert animal is not None
    assert animal.foreign_keys == (("keeper_id", "keeper", "keeper_id"),)
    assert describe(animal)[4] == ("size", b"float(10,2)", "YES", "", None, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected CREATE DATABASE"),
        ("CREATE TABLE t (a int);", "dump:1: expected USE of a database first"),
        ("CREATE DATABASE `a`;\nUSE `b`;", "dump:2: expected CREATE DATABASE b"),
        (
            "CREATE DATABASE `a`;\nUSE `a`;\nCREATE TABLE `t` (`x` int);\nINSERT INTO `t` VALUES (1,2);",
            "dump:4: expected 1 values",
        ),
        ("CREATE DATABASE `a`;\nUSE `a`;\nINSERT INTO `t` VALUES (1);", "dump:3: expected CREATE TABLE t"),
    ],
)
def test_a_broken_dump_names_the_line(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_dump(text)


def test_a_server_with_other_tables_of_that_name_is_left_alone(sql_server: str) -> None:
    ServerDatabase(sql_server, DUMP).close()
    with pytest.raises(ConfigError, match="database yard"):
        ServerDatabase(sql_server, "CREATE DATABASE `yard`; USE `yard`; CREATE TABLE `other` (`id` int);")
