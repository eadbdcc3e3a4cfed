"""What MySQL 8 gives and SQLite would not: each value is worked out from MySQL's manual or from a server."""

from decimal import Decimal

import pytest

from lumos_rl.envs.sql.tools.results import Result
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of

DUMP = r"""
CREATE DATABASE `art`; USE `art`;
CREATE TABLE `artist` (`id` int NOT NULL, `name` varchar(40), `age` int, PRIMARY KEY (`id`));
INSERT INTO `artist` VALUES (1,'Zed',41),(2,'Amy',41),(3,'Bob',30),(4,'zed',NULL);
CREATE TABLE `painting` (`id` int NOT NULL, `style` varchar(20), `name` text, `d` date, `price` decimal(8,2),
  `artist_id` int, PRIMARY KEY (`id`));
INSERT INTO `painting` VALUES (1,'oil','c','2010-01-05',1.10,1),(2,'oil','b','2010-02-11',2.20,2),
  (3,'oil','a','2011-03-22',3.30,1),(4,'ink','d','2012-12-31',4.40,3),(5,'Ink','e',NULL,NULL,NULL);
CREATE TABLE `show` (`id` int NOT NULL, `note` text, PRIMARY KEY (`id`));
INSERT INTO `show` VALUES (1,'a\'\'b'),(2,'50\%'),(3,'Zoë');
"""


@pytest.fixture(scope="module")
def opened() -> SqliteDatabase:
    return SqliteDatabase(image_of(DUMP))


@pytest.fixture
def database(opened: SqliteDatabase) -> SqliteDatabase:
    opened.begin("art")
    return opened


def rows(database: SqliteDatabase, statement: str) -> list[object]:
    result: Result = database.execute(statement)
    assert result.error is None, result.error
    return list(result.rows or ())


def firsts(database: SqliteDatabase, statement: str) -> list[object]:
    return [row[0] for row in rows(database, statement)]  # type: ignore[index]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT name FROM artist UNION SELECT name FROM painting", ["Zed", "Amy", "Bob", "c", "b", "a", "d", "e"]),
        ("SELECT age FROM artist UNION SELECT 7 LIMIT 2", [41, 30]),
        ("SELECT 3 UNION SELECT 1 UNION ALL SELECT 3", [3, 1, 3]),
        ("SELECT name FROM artist EXCEPT SELECT 'amy'", ["Zed", "Bob"]),
        ("SELECT name FROM artist INTERSECT SELECT name FROM artist WHERE id > 1", ["Zed", "Amy", "Bob"]),
        ("SELECT age FROM artist EXCEPT ALL SELECT 41", [41, 30, None]),
        ("SELECT 3 UNION SELECT 2 INTERSECT SELECT 2 UNION SELECT 1", [3, 2, 1]),
        ("SELECT 1 EXCEPT SELECT 1 UNION SELECT 1", [1]),
        ("SELECT name FROM artist UNION SELECT 'B' ORDER BY name DESC LIMIT 1, 2", ["Bob", "B"]),
        ("SELECT name FROM (SELECT 'b' name UNION SELECT 'a') t", ["b", "a"]),
        ("WITH x AS (SELECT 3 a UNION SELECT 1) SELECT a FROM x UNION SELECT 2 UNION SELECT 3", [3, 1, 2]),
        ("WITH RECURSIVE n AS (SELECT 2 i UNION SELECT i - 1 FROM n WHERE i > 0) SELECT * FROM n", [2, 1, 0]),
        ("SELECT id FROM artist WHERE age >= ALL (SELECT 30 UNION SELECT 41)", [1, 2]),
        ("SELECT id FROM artist WHERE name IN (SELECT 'bob' UNION SELECT 'amy')", [2, 3]),
        ("SELECT note FROM `show` WHERE id = 3 UNION SELECT 'ZOE' UNION SELECT 'x'", ["Zoë", "x"]),
    ],
)
def test_rows_of_a_set_operation_come_as_they_first_appeared(
    database: SqliteDatabase, query: str, expected: list[object]
) -> None:
    assert firsts(database, query) == expected


@pytest.mark.parametrize(
    ("statement", "near"),
    [
        ('SELECT name FROM "artist"', '"artist"'),
        ('SELECT a."name" FROM artist a', '"name" FROM artist a'),
        ("SELECT name FROM [artist]", "[artist]"),
        ("SELECT name FROM artist WHERE age == 41", "= 41"),
        ("SELECT name FROM artist OFFSET 1", "1"),
        ("SELECT name FROM artist LIMIT ALL", "ALL"),
        ("SELECT name FROM artist LIMIT 1 + 1", "+ 1"),
        ("SELECT name FROM artist WHERE age NOT NULL", "NULL"),
        ("SELECT name FROM artist WHERE age ISNULL", "ISNULL"),
        ("SELECT name FROM artist WHERE age NOTNULL", "NOTNULL"),
        ("SELECT name FROM artist WHERE name GLOB 'A*'", "GLOB 'A*'"),
        ("SELECT name FROM artist WHERE name ILIKE 'a%'", "ILIKE 'a%'"),
        ("SELECT age::int FROM artist", "::int FROM artist"),
        ("SELECT COUNT(*) FILTER (WHERE age > 1) FROM artist", "(WHERE age > 1) FROM artist"),
        ("SELECT TOP 1 name FROM artist", "1 name FROM artist"),
        ("SELECT name FROM artist ORDER BY age NULLS FIRST", "NULLS FIRST"),
        ("SELECT name FROM artist FETCH FIRST 1 ROWS ONLY", "FETCH FIRST 1 ROWS ONLY"),
        ("SELECT a.name FROM artist a FULL OUTER JOIN painting p ON 1", "FULL OUTER JOIN painting p ON 1"),
        ("SELECT a.name FROM artist a LEFT JOIN painting p", ""),
        ("SELECT name FROM artist GROUP BY name DESC", "DESC"),
        ("SELECT name, * FROM artist", "* FROM artist"),
        ("SELECT COUNT(DISTINCT *) FROM artist", "*) FROM artist"),
        ("SELECT AVG(rank) FROM artist", ") FROM artist"),
        ("SELECT name FROM artist WHERE 1 = NOT 1", "NOT 1"),
        ("SELECT CAST(age AS INTEGER) FROM artist", "INTEGER) FROM artist"),
        ("SELECT CAST(age AS VARCHAR(3)) FROM artist", "VARCHAR(3)) FROM artist"),
        ("SELECT name FROM artist WHERE age IN ()", ")"),
        ("SELECT name FROM artist QUALIFY ROW_NUMBER() OVER () = 1", "ROW_NUMBER() OVER () = 1"),
        ("SELECT EXTRACT(DOW FROM d) FROM painting", "DOW FROM d) FROM painting"),
        ("SELECT name FROM artist WHERE age BETWEEN SYMMETRIC 1 AND 2", "1 AND 2"),
        ("INSERT OR REPLACE INTO artist VALUES (1, 'a', 1)", "OR REPLACE INTO artist VALUES (1, 'a', 1)"),
        ("DELETE FROM artist RETURNING id", "id"),
        ("UPDATE artist SET age = 1 FROM painting", "FROM painting"),
        ("SELECT name\nFROM artist\nWHERE age == 1", "= 1"),
    ],
)
def test_what_other_dialects_know_is_error_1064_in_mysqls_words(
    database: SqliteDatabase, statement: str, near: str
) -> None:
    line = statement.count("\n") + 1
    assert database.execute(statement).error == (
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the"
        f" right syntax to use near '{near}' at line {line}"
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 5--3", 8),
        ("SELECT 'a' 'b' \"c\"", "abc"),
        ("SELECT '50\\%', 1", "50\\%"),
        ("SELECT 'it''s' \"q\"\"q\"", "it'sq\"q"),
        ("SELECT 1 /* x */ + /* y */ 1 -- z", 2),
        ("SELECT `name` top FROM artist LIMIT 1", "Zed"),
        ("SELECT 5 = 2 < 1", 1),
        ("SELECT 1 OR 0 XOR 1 AND 0, 1", 1),
        ("SELECT 2 | 5 & 3", 3),
        ("SELECT 2 * 3 ^ 1", 4),
        ("SELECT NOT 1 = 2", 1),
        ("SELECT ! 1 = 0", 1),
        ("SELECT 7 && 0 || 3", 1),
        ("SELECT COUNT(*) offset FROM artist", 4),
        ("SELECT a.`name` FROM art . artist AS a LIMIT 1", "Zed"),
        ("SELECT 0.1e0 + .2e0 > 0.30000000000000000", 1),
    ],
)
def test_statements_are_read_as_mysql_reads_them(database: SqliteDatabase, query: str, expected: object) -> None:
    assert firsts(database, query)[0] == expected


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT style, COUNT(*) FROM painting GROUP BY style WITH ROLLUP",
        "SELECT x'41'",
        "SELECT a->'$.b' FROM artist a",
        "SELECT * FROM artist, LATERAL (SELECT 1) t",
        "TABLE artist UNION SELECT 1",
        "SELECT name SOUNDS LIKE 'x' FROM artist",
        "SELECT DATE_ADD(d, INTERVAL '1 2' DAY_HOUR) FROM painting",
        "SELECT @a := 1",
        "INSERT INTO artist SET id = 9",
        "SELECT name FROM artist USE INDEX (PRIMARY)",
    ],
)
def test_what_is_mysql_but_not_covered_is_error_1235(database: SqliteDatabase, statement: str) -> None:
    assert str(database.execute(statement).error).startswith("This version of MySQL doesn't yet support '")


assert Decimal
