"""What MySQL 8 gives and SQLite would not: each value is worked out from MySQL's manual or from a server."""

import datetime as dt
import time
from decimal import Decimal

import pytest

from lumos_rl.envs.sql.tools.refusals import in_mysqls_words
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
    ("query", "expected"),
    [
        ("SELECT style FROM painting GROUP BY style", ["oil", "ink"]),
        ("SELECT style, COUNT(*) FROM painting WHERE id > 1 GROUP BY style LIMIT 1", ["oil"]),
        ("SELECT age FROM artist GROUP BY age ORDER BY MAX(id) > 1", [41, 30, None]),  # ties
        ("SELECT age + 1 FROM artist GROUP BY age + 1", [42, 31, None]),
        ("SELECT s FROM (SELECT style s FROM painting GROUP BY style) t", ["oil", "ink"]),
        ("SELECT id FROM artist GROUP BY id", [1, 2, 3, 4]),
        ("SELECT DISTINCT age FROM artist", [41, 30, None]),
    ],
)
def test_groups_of_a_table_come_as_they_first_appeared(
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
        ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "AUTOINCREMENT)"),
        ('CREATE TABLE t ("id" INT)', '"id" INT)'),
        ("CREATE TABLE t (id)", ")"),
        ("CREATE TABLE t (a VARCHAR)", ")"),
        ("CREATE TABLE t (a NUMBER)", "NUMBER)"),
        ("CREATE TABLE t (a INT[])", "[])"),
        ("CREATE TABLE t (rank INT)", "rank INT)"),
        ("CREATE TABLE t (a INT) WITHOUT ROWID", "WITHOUT ROWID"),
        ("CREATE TEMP TABLE t (a INT)", "TEMP TABLE t (a INT)"),
        ("INSERT INTO artist VALUES (9, 'a', 1) ON CONFLICT DO NOTHING", "ON CONFLICT DO NOTHING"),
        ("INSERT INTO artist DEFAULT VALUES", "DEFAULT VALUES"),
        ("ALTER TABLE artist ADD COLUMN b STRING", "STRING"),
        ("DROP TABLE IF EXIST artist", "EXIST artist"),
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
        "SELECT 1 FROM artist a JOIN (painting p JOIN artist b ON 1) ON 1",
        "SELECT JSON_EXTRACT('{}', '$')",
        "SELECT GET_LOCK('a', 1)",
        "SHOW TABLE STATUS",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t AS SELECT 1",
        "ALTER TABLE artist MODIFY age BIGINT",
        "ALTER TABLE artist ADD COLUMN b INT AFTER id",
        "UPDATE artist SET age = 1 LIMIT 1",
        "CALL p()",
        "PREPARE s FROM 'SELECT 1'",
        "SHOW VARIABLES LIKE 'v%'",
    ],
)
def test_what_is_mysql_but_not_covered_is_error_1235(database: SqliteDatabase, statement: str) -> None:
    assert str(database.execute(statement).error).startswith("This version of MySQL doesn't yet support '")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0.1 + 0.2 = 0.3", 1),
        ("1.1 + 2.2", Decimal("3.3")),
        ("1.10 * 1.10", Decimal("1.2100")),
        ("5.3 % 0.1", Decimal("0.0")),
        ("0.3 DIV 0.1", 3),
        ("ROUND(1234.567, -2)", Decimal("1200")),
        ("ROUND(2.5e0)", 2.0),  # a floating-point number is rounded half to even, an exact one half up
        ("ROUND(2.5)", Decimal("3")),
        ("TRUNCATE(-1.999, 1)", Decimal("-1.9")),
        ("CAST(-1 AS UNSIGNED)", 18446744073709551615),
        ("CAST(-1 AS UNSIGNED) > 0", 1),
        ("CAST('1e3' AS SIGNED)", 1),
        ("~0", 18446744073709551615),
        ("1 << 3", 8),
        ("16 >> 2", 4),
        ("5 ^ 3", 6),
        ("5 & 3 | 8", 9),
        ("BIN(12)", "1100"),
        ("CONV('ff', 16, 10)", "255"),
        ("HEX(255)", "FF"),
        ("UNHEX('61')", b"a"),
        ("MD5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("SHA1('a')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("CRC32('MySQL')", 3259397556),
        ("RAND(5)", 0.40613597483014313),
        ("RAND() < 1", 1),
        ("LENGTH(UUID())", 36),
        ("BIT_COUNT(7)", 3),
        ("REGEXP_LIKE('abc', 'B')", 1),
        ("REGEXP_LIKE('abc', 'B', 'c')", 0),
        ("REGEXP_REPLACE('abcb', '(b)', '<$1>', 1, 2)", "abc<b>"),
        ("REGEXP_SUBSTR('abc def', '[a-z]+', 1, 2)", "def"),
        ("REGEXP_INSTR('dog cat dog', 'dog', 2)", 9),
        ("DATE_FORMAT('2010-01-03', '%D')", "3rd"),
        ("DATE_FORMAT('2010-01-11', '%D of %M, %X %V')", "11th of January, 2010 02"),
        ("WEEK('2008-02-20', 1)", 8),
        ("YEARWEEK('1987-01-01')", 198652),
        ("TIMEDIFF('2010-01-02 10:00:00', '2010-01-01 08:30:00')", dt.timedelta(hours=25, minutes=30)),
        ("SEC_TO_TIME(3661)", dt.timedelta(seconds=3661)),
        ("TIMESTAMPADD(MONTH, 1, '2010-01-31')", "2010-02-28"),
        ("PERIOD_DIFF(200802, 200703)", 11),
        ("INTERVAL(23, 1, 15, 17, 30)", 3),
        ("INSERT('Quadratic', 3, 4, 'What')", "QuWhattic"),
        ("SOUNDEX('Quadratically')", "Q36324"),
        ("CHAR(77, 121 USING utf8mb4)", "My"),
        ("CONCAT(1.10, '')", "1.10"),
        ("IF(1, 2.50, 'x')", "2.50"),
        ("SUBSTR('abc', 1.6)", "bc"),
        ("LEFT(1.50, 3.4)", "1.5"),
        ("EXTRACT(MICROSECOND FROM '2010-01-01 10:00:00.000123')", 123),
    ],
)
def test_expressions_have_the_value_of_mysql(database: SqliteDatabase, expression: str, expected: object) -> None:
    assert firsts(database, f"SELECT {expression}") == [expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT ANY_VALUE(name) FROM artist", ["Zed", "Amy", "Bob", "zed"]),
        ("SELECT ANY_VALUE(name) FROM artist GROUP BY age ORDER BY age DESC", ["Zed", "Bob", "zed"]),
        ("SELECT BIT_AND(id) FROM artist", [0]),
        ("SELECT BIT_XOR(id) FROM artist", [4]),
        ("SELECT BIT_AND(id) FROM artist WHERE id > 9", [18446744073709551615]),
        ("SELECT SUM(price) = 11.0 AND AVG(price) = 2.75 FROM painting", [1]),
        ("SELECT style FROM painting GROUP BY style HAVING SUM(price) = 6.6", ["oil"]),
        ("SELECT SUM(price) OVER (ORDER BY id) = 3.3 FROM painting WHERE id < 4", [0, 1, 0]),
        ("SELECT price FROM painting WHERE id = 1 UNION SELECT 'x'", ["1.10", "x"]),
        ("SELECT 1 UNION ALL SELECT 'a'", ["1", "a"]),
        ("SELECT GROUP_CONCAT(name, ',') FROM artist WHERE id < 3", ["Zed,,Amy,"]),
        ("SELECT GROUP_CONCAT(DISTINCT style, 1 ORDER BY style SEPARATOR '-') FROM painting", ["ink1-oil1"]),
        ("SELECT CAST(age AS SIGNED INTEGER) FROM artist WHERE id = 3", [30]),
        ("SELECT d + 1 FROM painting WHERE id = 1", [20100106]),
        ("SELECT GROUP_CONCAT(price) FROM painting WHERE id < 3", ["1.10,2.20"]),
        (
            "SELECT name FROM painting WHERE style IN (SELECT style FROM painting GROUP BY style HAVING COUNT(*) >= 3)",
            ["c", "b", "a"],
        ),
        ("SELECT id FROM painting WHERE name = (SELECT MIN(name) FROM painting)", [3]),
        ("SELECT id FROM `show` WHERE note = (SELECT MAX(note) FROM `show`)", [3]),
        (
            "SELECT note FROM `show` WHERE note IN (SELECT note FROM `show` GROUP BY note HAVING COUNT(*) >= 1)",
            ["a''b", "50\\%", "Zoë"],
        ),
        ("SELECT id FROM artist WHERE age = ((SELECT MIN(age) FROM artist)) AND id IN ((SELECT 3))", [3]),
        (
            "SELECT style FROM painting GROUP BY style"
            " HAVING COUNT(*) >= ALL (SELECT COUNT(*) FROM painting GROUP BY style)",
            ["oil"],
        ),
        (
            "SELECT style, COUNT(*) c FROM painting GROUP BY style"
            " HAVING c > ANY (SELECT COUNT(*) FROM painting GROUP BY style, id)",
            ["oil", "ink"],
        ),
        ("SELECT age FROM artist GROUP BY age HAVING MAX(name) <= ALL (SELECT 'b' UNION SELECT 'BOB')", []),
        ("SELECT age FROM artist GROUP BY age HAVING COUNT(*) > ALL (SELECT 1 FROM artist WHERE 0)", [41, 30, None]),
        ("SELECT age FROM artist GROUP BY age HAVING COUNT(*) > ALL (SELECT age FROM artist WHERE id = 4)", []),
        ("SELECT COUNT(*) FROM artist STRAIGHT_JOIN painting ON artist.id = painting.artist_id", [4]),
        ("SELECT note FROM `show` WHERE id < 3", ["a''b", "50\\%"]),
        (
            "SELECT RAND(3) FROM artist",
            [0.9057697559760601, 0.37307905813034536, 0.14808605345719125, 0.6211931236285653],
        ),
    ],
)
def test_queries_give_the_rows_of_mysql(database: SqliteDatabase, query: str, expected: list[object]) -> None:
    assert firsts(database, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT age FROM artist ORDER BY age", [None, 30, 41, 41]),
        ("SELECT DISTINCT age FROM artist ORDER BY age DESC", [41, 30, None]),
        ("SELECT age FROM artist UNION SELECT 5 ORDER BY age", [None, 5, 30, 41]),
        ("SELECT age a FROM artist GROUP BY age ORDER BY a", [None, 30, 41]),
        ("SELECT id FROM artist ORDER BY -age LIMIT 1", [4]),
        ("SELECT RANK() OVER (ORDER BY age) FROM artist ORDER BY id", [3, 3, 2, 1]),
    ],
)
def test_null_comes_before_all_values(database: SqliteDatabase, query: str, expected: list[object]) -> None:
    assert firsts(database, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT id FROM artist WHERE name LIKE BINARY 'Z%'", [1]),
        ("SELECT id FROM artist WHERE name REGEXP BINARY '^z'", [4]),
        ("SELECT id FROM artist WHERE ROW(id, age) = ROW(1, 41)", [1]),
        ("SELECT INTERVAL 1 DAY + d FROM painting WHERE id = 1", [dt.date(2010, 1, 6)]),
        ("SELECT TIMESTAMP '2010-01-01 10:00:00'", [dt.datetime(2010, 1, 1, 10)]),
        ("SELECT UTC_DATE <= CURDATE() + INTERVAL 1 DAY AND LOCALTIME >= CURRENT_DATE", [1]),
        ("SELECT CONVERT('a' USING utf8mb4)", ["a"]),
        ("SELECT art.artist.* FROM art.artist LIMIT 1", [1]),
        ("SELECT id FROM (artist) LIMIT 1", [1]),
        ("SELECT -0.0", [Decimal("0.0")]),
        ("SELECT 1 IN (SELECT 2 UNION SELECT 1)", [1]),
    ],
)
def test_what_mysql_takes_is_taken(database: SqliteDatabase, query: str, expected: list[object]) -> None:
    assert firsts(database, query) == expected


@pytest.mark.parametrize("statement", ["DESC show", "SHOW COLUMNS FROM show", "DESCRIBE order", "SHOW INDEX FROM key"])
def test_a_reserved_word_is_no_name_of_a_table(database: SqliteDatabase, statement: str) -> None:
    assert "error in your SQL syntax" in str(database.execute(statement).error)
    assert rows(database, "DESC `show`") == rows(database, "DESC art.show")


def test_a_group_is_by_the_column_and_not_by_the_alias(database: SqliteDatabase) -> None:
    error = database.execute("SELECT name || age AS name, COUNT(*) FROM artist GROUP BY name").error
    assert "sql_mode=only_full_group_by" in str(error)
    assert rows(database, "SELECT UPPER(style) AS s, COUNT(*) FROM painting GROUP BY s ORDER BY s") == [
        ("INK", 2),
        ("OIL", 3),
    ]


def test_a_default_is_what_new_rows_and_new_columns_have(database: SqliteDatabase) -> None:
    rows(
        database,
        "CREATE TABLE pot (id INT PRIMARY KEY AUTO_INCREMENT, a INT DEFAULT 7, b VARCHAR(9) NOT NULL DEFAULT 'x')",
    )
    rows(database, "INSERT INTO pot (a) VALUES (1), (2)")
    rows(database, "ALTER TABLE pot ADD COLUMN c DECIMAL(4,2) DEFAULT 1.5, ADD COLUMN d INT")
    rows(database, "INSERT INTO pot (b) VALUES ('it''s')")
    last = Decimal("1.50"), None
    assert rows(database, "SELECT * FROM pot") == [(1, 1, "x", *last), (2, 2, "x", *last), (3, 7, "it's", *last)]


@pytest.mark.parametrize(
    "condition",
    [
        "style IN (SELECT style FROM painting GROUP BY style HAVING COUNT(*) >= 3)",
        "name <= (SELECT MAX(name) FROM painting WHERE style = 'oil')",
    ],
)
def test_an_aggregate_in_a_subquery_is_not_one_of_the_query(database: SqliteDatabase, condition: str) -> None:
    assert rows(database, f"SELECT {condition} AS x, COUNT(*) FROM painting GROUP BY x ORDER BY x") == [(0, 2), (1, 3)]
    assert rows(database, f"SELECT {condition} AS x FROM painting ORDER BY -x LIMIT 1") == [(1,)]
    query = f"SELECT t.id, COUNT(*) FROM (SELECT {condition} AS x, id FROM painting) t"
    assert "only_full_group_by" in str(database.execute(query).error)  # the derived table has five rows


def test_sql_mode_may_be_set_by_any_expression(database: SqliteDatabase) -> None:
    query = "SELECT style, name FROM painting GROUP BY style"
    assert rows(database, "SET SESSION sql_mode=(SELECT REPLACE(@@sql_mode,'ONLY_FULL_GROUP_BY',''))") == []
    assert len(rows(database, query)) == 2
    assert "ONLY_FULL" not in str(rows(database, "SELECT @@sql_mode"))
    rows(database, "SET @@sql_mode = CONCAT('ONLY_FULL_GROUP_BY,', @@sql_mode)")
    assert "only_full_group_by" in str(database.execute(query).error)
    rows(database, "SET GLOBAL sql_mode = ''")  # for later sessions
    assert "only_full_group_by" in str(database.execute(query).error)
    rows(database, "SET NAMES utf8mb4, autocommit = 1")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SET sql_mode = 'ANSI_QUOTES'", "This version of MySQL doesn't yet support 'sql_mode ANSI_QUOTES'"),
        ("SET sql_mode = 'none'", "Variable 'sql_mode' can't be set to the value of 'NONE'"),
        ("SET @a = 1", "This version of MySQL doesn't yet support 'variables of the user'"),
        ("SET group_concat_max_len = 9", "This version of MySQL doesn't yet support 'SET group_concat_max_len'"),
        ("SET nothing = 1", "Unknown system variable 'nothing'"),
    ],
)
def test_a_setting_without_effect_here_is_refused(database: SqliteDatabase, statement: str, error: str) -> None:
    assert database.execute(statement).error == error


def test_information_schema_has_the_columns_of_mysql_8(database: SqliteDatabase) -> None:
    [row] = rows(database, "SELECT * FROM information_schema.tables WHERE table_name = 'artist'")
    assert (len(row), row[7]) == (21, 4)  # type: ignore[arg-type, index]
    query = "SELECT numeric_precision, numeric_scale FROM information_schema.columns WHERE column_name = 'price'"
    assert rows(database, query) == [(8, 2)]
    assert len(rows(database, "SELECT * FROM information_schema.columns LIMIT 1")[0]) == 22  # type: ignore[arg-type]
    assert firsts(database, "SELECT constraint_type FROM information_schema.table_constraints") == ["PRIMARY KEY"] * 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('near "STRAIGHT_JOIN": syntax error', "right syntax to use near 'STRAIGHT_JOIN' at line 1"),
        ("no such column: a.b", "Unknown column 'b' in 'field list'"),
        ("no such function: my_any", "FUNCTION any does not exist"),
        ("misuse of aggregate: MIN()", "Invalid use of group function"),
        ("UNIQUE constraint failed: zoo.animal.animal_id", "Duplicate entry for key 'animal.PRIMARY'"),
        ("integer overflow", "BIGINT value is out of range"),
        ("at most 64 tables in a join", "Too many tables; MySQL can only use 61 tables in a join"),
        ("something that SQLite will say one day", "error in your SQL syntax"),
    ],
)
def test_no_words_of_sqlite_are_shown(text: str, words: str) -> None:
    assert words in str(in_mysqls_words(text))


def test_floating_point_columns_with_digits_compare_by_these_digits() -> None:
    columns = "`id` int NOT NULL, `size` float(10,2), `raw` float, PRIMARY KEY (`id`)"
    rows_of = "INSERT INTO `t` VALUES (1,0.10,0.1),(2,0.40,0.4);"
    database = SqliteDatabase(image_of(f"CREATE DATABASE `d`; USE `d`; CREATE TABLE `t` ({columns}); {rows_of}"))
    database.begin("d")
    assert firsts(database, "SELECT id FROM t WHERE size = 0.1") == [1]
    assert firsts(database, "SELECT id FROM t WHERE size IN (0.4, 7)") == [2]
    assert firsts(database, "SELECT id FROM t WHERE raw = 0.1") == []  # in single precision it is another number


def test_functions_take_time_and_memory_in_proportion_to_their_texts(database: SqliteDatabase) -> None:
    start = time.process_time()
    assert firsts(database, "SELECT CONV(REPEAT('f', 1000000), 16, 10)") == ["18446744073709551615"]
    assert firsts(database, "SELECT REGEXP_REPLACE(REPEAT('a', 100000), 'a', REPEAT('b', 100000))") == [None]
    assert firsts(database, "SELECT RAND(id) FROM artist WHERE id = 3") == [0.9057697559760601]
    assert time.process_time() - start < 10
