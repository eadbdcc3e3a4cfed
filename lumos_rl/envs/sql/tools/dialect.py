"""Parses MySQL to a syntax tree, and refuses what MySQL 8 refuses but the parser accepts.

    parse("SELECT name FROM singer").expressions[0].name     # 'name'
    parse("SELECT avg(Attendance) FROM show")                # ToolError: You have an error in your SQL syntax; … 'show'

Functions stay calls by name (`exp.Anonymous`), so that one table, `calls`, defines them all; only aggregates and
functions with a special syntax (CAST, TRIM, EXTRACT …) are nodes.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Any

from lumos_rl.envs.sql.tools.clauses import STATEMENTS, checked
from lumos_rl.envs.sql.tools.tokens import RESERVED, syntax_error, unsupported
from lumos_rl.errors import ConfigError, MissingExtraError, ToolError, ToolLimitError

_STEPS = 2_000  # moves of the parser beside those in proportion to the statement; 1,000 take about a millisecond
MAX_STATEMENT = 60_000  # characters; InterCode's longest recorded statement has fewer than 1,000
__all__ = ["MAX_STATEMENT", "RESERVED", "load", "parse", "parse_dumped", "syntax_error", "too_deep", "unsupported"]


def load(name: str) -> Any:
    """A module of sqlglot.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError("sqlglot", "sql") from error


def too_deep() -> tuple[type[Exception], ...]:
    """The errors of a tree that is too deep; the parser's own is one, as writing a tree reads the types in it again."""
    return (RecursionError, load("sqlglot").errors.SqlglotError)


@cache
def _dialect() -> Any:
    sqlglot, mysql = load("sqlglot"), load("sqlglot.dialects.mysql")
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings concern texts that models wrote

    class Parser(mysql.MySQL.Parser):  # type: ignore[misc, name-defined, unused-ignore]
        FUNCTIONS = {  # noqa: RUF012
            name: mysql.MySQL.Parser.FUNCTIONS[name] for name in ("COUNT", "SUM", "AVG", "MIN", "MAX")
        }
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parse
            for name, parse in mysql.MySQL.Parser.FUNCTION_PARSERS.items()
            if name in ("CAST", "CHAR", "CONVERT", "EXTRACT", "GROUP_CONCAT", "POSITION", "SUBSTRING", "TRIM")
        }
        EQUALITY: dict[Any, Any] = {}  # noqa: RUF012 (MySQL reads all comparisons from left to right)
        COMPARISON = mysql.MySQL.Parser.EQUALITY | mysql.MySQL.Parser.COMPARISON
        steps = 0

        def _advance(self, times: int = 1) -> None:
            """Counts the moves: for each JOIN without ON the parser reads all that follow twice, so 2^n times."""
            self.steps += 1
            if self.steps > _STEPS + 4 * self._tokens_size:
                raise ToolLimitError("Thread stack overrun: expected a simpler statement, e.g. ON after each JOIN")
            super()._advance(times)

    class Strict(mysql.MySQL):  # type: ignore[misc, name-defined, unused-ignore]
        pass

    Strict.Parser = Parser
    Strict.parser_class = Parser
    strict = Strict()
    try:
        strict.parser()
    except TypeError as error:
        raise ConfigError("expected sqlglot in Python, got its compiled build; run: pip uninstall sqlglotc") from error
    return sqlglot, strict


def parse(text: str) -> Any:
    """The syntax tree of one statement.

    Raises:
        ToolError: There is no statement, or several, or one that MySQL does not accept.
        ToolLimitError: The statement is too long or too deeply nested.
        MissingExtraError: sqlglot is not installed.
    """
    if len(text) > MAX_STATEMENT:
        raise ToolLimitError(f"expected at most {MAX_STATEMENT} characters of SQL, got {len(text)}")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise syntax_error("", 1)
    return parse_dumped(checked(text))


def parse_dumped(plain: str) -> Any:
    """The syntax tree of a statement that the grammar took, or that a dump of MySQL itself contains.

    Raises:
        ToolError: There is no statement, or several, or one that the parser does not know.
        ToolLimitError: The statement is too deeply nested.
        MissingExtraError: sqlglot is not installed.
    """
    sqlglot, dialect = _dialect()
    try:
        found = [tree for tree in dialect.parser().parse(dialect.tokenize(plain), plain) if tree is not None]
    except RecursionError as error:
        raise ToolLimitError("expected a simpler statement, got one that is nested too deeply") from error
    except sqlglot.errors.SqlglotError as error:
        is_known = plain.split(None, 1)[:1] and plain.split(None, 1)[0].upper() in STATEMENTS
        raise (unsupported(plain[:80]) if is_known else syntax_error(plain.strip())) from error
    found = [tree for tree in found if tree.key != "semicolon"]
    if not found:
        raise ToolError("Query was empty")
    if len(found) > 1:
        raise syntax_error(plain.partition(";")[2].strip())
    return found[0]
