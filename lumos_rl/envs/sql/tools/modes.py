"""SET: which sql_mode the session has after it, and what else may be set.

    modes_after("SET sql_mode = ''", DEFAULT, evaluate)     # '': without ONLY_FULL_GROUP_BY, any column may be selected
    modes_after("SET NAMES utf8mb4", DEFAULT, evaluate)     # DEFAULT: it changes nothing here

`evaluate` gives the value of an expression, such as `(SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))`. A mode or
variable that would change results, and is not covered here, is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from lumos_rl.envs.sql.tools.tokens import Token, syntax_error, tokens_of, unsupported
from lumos_rl.errors import ToolError

GROUPS = "ONLY_FULL_GROUP_BY"
# Those of MySQL 8; but for the first they concern what is written.
DEFAULT = f"{GROUPS},STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_COVERED = frozenset({*DEFAULT.split(","), "STRICT_ALL_TABLES", "NO_AUTO_VALUE_ON_ZERO", "NO_DIR_IN_CREATE"})
_COVERED |= {"ALLOW_INVALID_DATES", "TIME_TRUNCATE_FRACTIONAL"}
_COMBINED = {"TRADITIONAL": [*DEFAULT.split(",")[1:], "STRICT_ALL_TABLES"]}
_NOT_COVERED = frozenset(
    """
    ANSI ANSI_QUOTES HIGH_NOT_PRECEDENCE IGNORE_SPACE NO_BACKSLASH_ESCAPES NO_UNSIGNED_SUBTRACTION
    PAD_CHAR_TO_FULL_LENGTH PIPES_AS_CONCAT REAL_AS_FLOAT
    """.split()
)
# Variables that change nothing of what a session here reads or writes.
_WITHOUT_EFFECT = frozenset(
    """
    AUTOCOMMIT BIG_TABLES CHARACTER_SET_CLIENT CHARACTER_SET_CONNECTION CHARACTER_SET_RESULTS COLLATION_CONNECTION
    COMPLETION_TYPE FOREIGN_KEY_CHECKS INTERACTIVE_TIMEOUT JOIN_BUFFER_SIZE LOCK_WAIT_TIMEOUT LONG_QUERY_TIME
    MAX_EXECUTION_TIME NET_READ_TIMEOUT NET_WRITE_TIMEOUT OPTIMIZER_SWITCH PROFILING QUERY_CACHE_TYPE SORT_BUFFER_SIZE
    SQL_BIG_SELECTS SQL_LOG_BIN SQL_NOTES SQL_QUOTE_SHOW_CREATE SQL_SAFE_UPDATES SQL_WARNINGS TMP_TABLE_SIZE
    TRANSACTION_ISOLATION TRANSACTION_READ_ONLY UNIQUE_CHECKS WAIT_TIMEOUT
    """.split()
)
_EFFECT = frozenset(
    """
    CTE_MAX_RECURSION_DEPTH DEFAULT_WEEK_FORMAT DIV_PRECISION_INCREMENT GROUP_CONCAT_MAX_LEN LC_TIME_NAMES
    MAX_JOIN_SIZE SQL_AUTO_IS_NULL SQL_SELECT_LIMIT TIMESTAMP TIME_ZONE
    """.split()
)
_SCOPES = ("GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY")


def modes_after(statement: str, modes: str, evaluate: Callable[[str], object]) -> str:
    """The session's sql_mode after a SET statement.

    Args:
        statement: The statement, without comments before it.
        modes: The session's sql_mode before it.
        evaluate: Gives the value of an expression.

    Raises:
        ToolError: MySQL would refuse it, or it is not covered here.
    """
    tokens = tokens_of(statement)
    if tokens[1].word in ("NAMES", "CHARSET", "CHARACTER", "TRANSACTION"):
        return modes
    if tokens[1].kind == "end":
        raise syntax_error("")
    for scope, name, value in _assignments(statement, tokens):
        if scope == "@":
            raise unsupported("variables of the user")
        if name == "SQL_MODE":
            found = _modes(DEFAULT if value.upper() == "DEFAULT" else evaluate(value))
            modes = modes if scope in ("GLOBAL", "PERSIST", "PERSIST_ONLY") else found
        elif name in _EFFECT:
            raise unsupported(f"SET {name.lower()}")
        elif name not in _WITHOUT_EFFECT:
            raise ToolError(f"Unknown system variable '{name.lower()}'")
    return modes


def _assignments(statement: str, tokens: list[Token]) -> list[tuple[str, str, str]]:
    """Scope, name in upper case and expression of each variable; the scope is "@" for a variable of the user."""
    found, at = [], 1
    while tokens[at - 1].kind != "end":
        end = _end(tokens, at)
        scope = "SESSION"
        if tokens[at].word == "@":
            scope, at = "@", at + 1
        elif tokens[at].word == "@@":
            at += 1
        if tokens[at].word in _SCOPES:
            scope, at = tokens[at].word, at + 1 + (tokens[at + 1].word == ".")
        if tokens[at].kind not in ("name", "quoted") or tokens[at + 1].word not in ("=", ":=") or at + 2 >= end:
            raise syntax_error(statement[tokens[at].start :].rstrip("; \n"))
        found.append((scope, tokens[at].text.upper(), statement[tokens[at + 2].start : tokens[end - 1].end]))
        at = end + 1
    return found


def _end(tokens: list[Token], at: int) -> int:
    """Index of the comma or the end after an assignment."""
    depth = 0
    while tokens[at].kind != "end":
        depth += (tokens[at].word == "(") - (tokens[at].word == ")")
        if tokens[at].word == "," and not depth:
            break
        at += 1
    return at


def _modes(value: object) -> str:
    if value is None:
        raise ToolError("Variable 'sql_mode' can't be set to the value of 'NULL'")
    given = [name.strip().upper() for name in str(value).split(",") if name.strip()]
    found: list[str] = []
    for name in given:
        if name in _NOT_COVERED:
            raise unsupported(f"sql_mode {name}")
        if name not in _COVERED and name not in _COMBINED:
            raise ToolError(f"Variable 'sql_mode' can't be set to the value of '{name}'")
        found += _COMBINED.get(name, [name])
    return ",".join(dict.fromkeys(found))
