"""What one statement may cost: computing time inside functions, bytes of texts and caches, the time to read it."""

import resource
import sqlite3
import time
from collections.abc import Iterator

import pytest

from lumos_rl.envs.sql.domains import suite_dump
from lumos_rl.envs.sql.tools import functions, patterns, sqlite
from lumos_rl.envs.sql.tools.budget import Budget, Guarded
from lumos_rl.envs.sql.tools.clock import FUNCTIONS
from lumos_rl.envs.sql.tools.kept import Kept
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.envs.sql.tools.statements import MAX_CHARACTERS, MAX_SETS, MAX_WORDS
from lumos_rl.errors import ToolError, ToolLimitError

LIMIT_S = 0.3
MARGIN_S = 4.0
TOO_SLOW = "Query execution was interrupted, maximum statement execution time of 0.3 s exceeded"
TOO_LARGE = "Results of functions were larger than max_allowed_packet (200000000) in all"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteDatabase]:
    monkeypatch.setattr(sqlite, "STATEMENT_S", LIMIT_S)
    opened = SqliteDatabase(image_of(suite_dump()))
    opened.begin("studio")
    yield opened
    opened.close()


def repeated(call: str, times: int = 60) -> str:
    return "SELECT " + " + ".join([call] * times)


ASCII, ACCENTS = "REPEAT('a', 1000000)", "REPEAT('é', 1000000)"
SLOW = [
    repeated(f"LOCATE('b', {ACCENTS})"),
    repeated("FIND_IN_SET('b', REPEAT('a,', 500000))"),
    repeated(f"LENGTH(TRIM('a' FROM {ASCII}))"),
    repeated("LENGTH(DATE_FORMAT('2018-01-01', REPEAT('%W', 500000)))"),
    repeated(f"STRCMP({ACCENTS}, {ACCENTS})"),
    repeated(f"({ACCENTS} = {ACCENTS})"),
    repeated(f"({ACCENTS} LIKE '%_a_b%')"),
    repeated(f"LENGTH(SUBSTRING_INDEX({ASCII}, 'a', -5))"),
    f"SELECT 1 FROM song a, song b ORDER BY CONCAT({ACCENTS}, a.title, b.title)",
    f"SELECT DISTINCT CONCAT({ACCENTS}, a.title, b.title) FROM song a, song b",
    f"SELECT MAX(CONCAT(a.title, {ACCENTS})) FROM song a, song b",
    f"SELECT GROUP_CONCAT(DISTINCT CONCAT(a.song_id, {ACCENTS})) FROM song a, song b",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
]


@pytest.mark.parametrize("statement", SLOW, ids=range(len(SLOW)))
def test_time_is_asked_within_one_step_of_sqlite(database: SqliteDatabase, statement: str) -> None:
    start = time.process_time()
    assert database.execute(statement).error in (TOO_SLOW, TOO_LARGE)
    assert time.process_time() - start < LIMIT_S + MARGIN_S
    assert database.execute("SELECT COUNT(*) FROM band").rows == ((12,),)


def test_texts_of_one_row_do_not_take_the_memory(database: SqliteDatabase) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert database.execute(f"SELECT {', '.join([ACCENTS] * 150)}").error == TOO_LARGE
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    )  # KiB; 150 of them would take 600 MB and more


def test_a_format_of_any_length_is_read_in_one_pass(database: SqliteDatabase) -> None:
    start = time.process_time()
    assert database.execute("SELECT STR_TO_DATE('a', REPEAT('%Y', 100000))").rows == ((None,),)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("March 5, 2018", "%M %e, %Y", "2018-03-05"),
        ("5/3/99 14:05", "%d/%m/%y %H:%i", "1999-03-05 14:05:00"),
        ("10:11:12 PM", "%r", "22:11:12"),
        ("Sat 5th May 2001", "%a %D %b %Y", "2001-05-05"),
        ("2001 32", "%Y %j", "2001-02-01"),
        ("2018-01-05 and more", "%Y-%m-%d", "2018-01-05"),
    ],
)
def test_dates_are_read_as_mysql_reads_them(text: str, pattern: str, expected: str) -> None:
    assert FUNCTIONS["str_to_date"](text, pattern) == expected


@pytest.mark.parametrize(("text", "pattern"), [("2009", "%Y"), ("x", "%Y"), ("31 Feb 2001", "%d %b %Y"), ("a", "%q")])
def test_what_is_no_date_is_null(database: SqliteDatabase, text: str, pattern: str) -> None:
    assert database.execute(f"SELECT STR_TO_DATE('{text}', '{pattern}')").rows == ((None,),)


OVERFLOW = "Overflow in the regular expression backtrack stack."


@pytest.mark.parametrize(
    ("text", "pattern", "error"),
    [
        ("REPEAT('a', 100)", "(" * 40 + "a" + "+)" * 40 + "b", OVERFLOW),  # compiled, it would take gigabytes
        (ASCII, "(a|b)(c)(d)e", OVERFLOW),
        (ASCII, "^(a+)+$b", "Timeout exceeded in regular expression match."),
        ("'a'", "[[:bogus:]", "Illegal argument to a regular expression."),
        ("'a'", "(?P<x", "Illegal argument to a regular expression."),
        ("'a'", "a" * 2_001, "The regular expression pattern is too long."),
    ],
)
def test_a_regular_expression_is_refused_in_mysqls_words(
    database: SqliteDatabase, text: str, pattern: str, error: str
) -> None:
    start = time.process_time()
    assert database.execute(f"SELECT {text} REGEXP '{pattern}'").error in (error, TOO_SLOW)
    assert time.process_time() - start < MARGIN_S


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a%b_", "axxbc", True),
        ("a%b_", "axxb", False),
        ("%ab%ab%", "xabyaby", True),
        ("%ab%ab%", "xaby", False),
        ("_%_", "x", False),
        ("_%_", "xy", True),
        ("50\\%", "50%", True),
        ("50\\%", "501", False),
        ("%%", "", True),
        ("", "", True),
        ("a_c%a_c", "abcadc", True),
        ("a_c%a_c", "abcabx", False),
        ("a\\", "a\\", True),
    ],
)
def test_like_finds_what_it_describes(pattern: str, text: str, expected: bool) -> None:
    assert patterns.matches(pattern, text) is expected


def test_like_ignores_case_and_accents_of_letters_but_keeps_different_syllables_apart() -> None:
    assert functions.like("%ÉtÉ", "un ete") == 1
    assert functions.like("가", "각") == 0


@pytest.mark.parametrize("error", [RuntimeError, KeyError, AttributeError])
def test_an_error_inside_a_function_is_told_in_mysqls_words(error: type[Exception]) -> None:
    def broken(value: object) -> object:
        raise error("a word of Python")

    budget, connection = Budget(), sqlite3.connect(":memory:")
    Guarded(connection, budget).create_function("my_broken", 1, broken)
    with budget.running(1.0), pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT my_broken(1)").fetchall()
    assert budget.reason == "Incorrect arguments to broken"
    connection.close()


UNITS = {
    "signs": "SELECT 1" + "+1" * 30_000,
    "list": "SELECT 1 IN (" + "'a'," * 15_000 + "'a')",
    "brackets": "SELECT " + "(" * 60_000,
    "unions": "SELECT 1" + " UNION SELECT 1" * 4_000,
    "few unions": "SELECT 1" + " UNION SELECT 1" * 90,
    "joins": "SELECT 1 FROM song a" + "".join(f" JOIN song a{i}" for i in range(60)),
    "texts": "SELECT " + "'' " * 20_000,
    "one text": "SELECT '" + "\\'" * 29_000,
    "comments": "-- \n" * 15_000,
    "hidden": "SELECT 1 -- '\n" + "+1" * 29_000,
    "cases": "SELECT " + "CASE WHEN 1 THEN " * 3_400,
    "rows": "INSERT INTO song VALUES " + "(1)," * 14_000 + "(1)",
}


@pytest.mark.parametrize("statement", UNITS.values(), ids=UNITS)
def test_a_statement_of_any_form_is_read_in_little_time(database: SqliteDatabase, statement: str) -> None:
    database.execute("SELECT 1")
    start = time.process_time()
    assert database.execute(statement).error is not None
    assert time.process_time() - start < 1.0  # some hundredths of a second on a quiet machine; joins took hours


@pytest.mark.parametrize("piece", ["1/", "1 AND ", "CONCAT('a',", "1+", "IF(1,", "NOT ", "-", "CAST(1 AS CHAR)="])
@pytest.mark.parametrize("times", [60, 130, 250])
def test_no_depth_of_a_statement_ends_the_step(database: SqliteDatabase, piece: str, times: int) -> None:
    for before, after in (
        ("SELECT ", ""),
        ("SELECT 1 FROM song WHERE title IN (", ")"),
        ("DELETE FROM song WHERE ", ""),
    ):
        closing = ")" * times if piece.endswith(",") else ""
        result = database.execute(f"{before}{piece * times}1{closing}{after}")
        assert result.error is None or "sqlglot" not in result.error


def test_a_statement_that_is_too_long_hears_the_limit(database: SqliteDatabase) -> None:
    assert f"at most {MAX_CHARACTERS} characters" in str(database.execute("SELECT " + "x" * 70_000).error)
    assert f"at most {MAX_WORDS} words" in str(database.execute("SELECT 1" + "+1" * 1_000).error)
    assert f"{MAX_SETS} set operations" in str(database.execute("SELECT 1" + " UNION SELECT 1" * 50).error)
    assert database.execute("SELECT 1" + " UNION SELECT 1" * 8).rows == ((1,),)
    assert database.execute("SELECT 1" + "+1" * 90).rows == ((91,),)


def test_caches_are_bounded_by_bytes(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    caches = (sqlite._translated, functions._folded, patterns._compiled)
    for cache in caches:
        cache.cache_clear()
        monkeypatch.setattr(cache, "most", 100_000)
    for number in range(400):
        database.execute(f"SELECT '{'x' * 2_000}{number}', {number} FROM band WHERE name = 'é{number}{'é' * 90}'")
        database.execute(f"SELECT nothing{number}, {number} {'y' * 500}")
        database.execute(f"SELECT title REGEXP 'a{number}{'b' * 50}' FROM song LIMIT 1")
    for cache in caches:
        assert 0 < cache.cache_bytes() <= 100_000


def test_a_cache_drops_what_was_used_longest_ago() -> None:
    calls: list[str] = []

    def double(text: str) -> str:
        calls.append(text)
        return text * 2

    cache = Kept(double, 1_000, len)  # an entry takes 400 bytes and its texts
    assert "".join(map(cache, "abacab")) == "aabbaaccaabb"
    assert calls == ["a", "b", "c", "b"]
    assert cache.cache_bytes() == 2 * 403


def test_a_kept_refusal_keeps_no_traceback(database: SqliteDatabase) -> None:
    errors = []
    for _ in range(2):
        with pytest.raises(ToolError) as raised:
            database._run("SELECT nothing FROM band")
        errors.append(raised.value)
    assert errors[0] is not errors[1]
    assert errors[1].__cause__ is errors[1].__context__ is None


def test_a_gold_query_over_a_limit_is_none_of_its_rows(database: SqliteDatabase) -> None:
    with pytest.raises(ToolLimitError):
        database._run(f"SELECT {', '.join([ACCENTS] * 150)}")
