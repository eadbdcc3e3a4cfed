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

from lumos_rl.errors import ConfigError, MissingExtraError, ToolError, ToolLimitError

MAX_STATEMENT = 60_000  # characters; InterCode's longest recorded statement has fewer than 1,000
MAX_TOKENS = 6_000
MAX_DEPTH = 100  # nested brackets
_SYNTAX = (
    "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right"
    " syntax to use near '{}' at line {}"
)
# Words reserved in MySQL 8.0 (its manual, section Keywords and Reserved Words) that the parser accepts as names.
RESERVED = frozenset(
    """
    accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call cascade case
    change char character check collate column condition constraint continue convert create cross cube cume_dist
    current_date current_time current_timestamp current_user cursor database databases day_hour day_microsecond
    day_minute day_second dec decimal declare default delayed delete dense_rank desc describe deterministic distinct
    distinctrow div double drop dual each else elseif empty enclosed escaped except exists exit explain false fetch
    first_value float for force foreign from fulltext function generated get grant group grouping groups having
    high_priority hour_microsecond hour_minute hour_second if ignore in index infile inner inout insensitive insert int
    integer intersect interval into is iterate join json_table key keys kill lag last_value lateral lead leading leave
    left like limit linear lines load localtime localtimestamp lock long longblob longtext loop low_priority match
    maxvalue mediumblob mediumint mediumtext minute_microsecond minute_second mod modifies natural not nth_value ntile
    null numeric of on optimize option optionally or order out outer outfile over partition percent_rank precision
    primary procedure purge range rank read reads real recursive references regexp release rename repeat replace require
    resignal restrict return revoke right rlike row row_number rows schema schemas second_microsecond select sensitive
    separator set show signal smallint spatial specific sql sqlexception sqlstate sqlwarning ssl starting stored
    straight_join system table terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique
    unlock unsigned update usage use using utc_date utc_time utc_timestamp values varbinary varchar varying virtual when
    where while window with write xor year_month zerofill
    """.split()
)
# Names that are functions only with a bracket directly after them; otherwise MySQL expects a user-defined function.
_TOUCHING = frozenset(
    """
    adddate bit_and bit_or bit_xor cast count curdate curtime date_add date_sub extract group_concat max mid min now
    position session_user std stddev stddev_pop stddev_samp subdate substr substring sum sysdate system_user trim
    variance var_pop var_samp
    """.split()
)

_QUOTED = ("STRING", "IDENTIFIER")
_CLAUSE_RANKS = {"FROM": 1, "WHERE": 2, "GROUP BY": 3, "HAVING": 4, "ORDER BY": 5, "LIMIT": 6}
_RESTART = frozenset({"SELECT", "UNION", "UNION ALL", "INTERSECT", "EXCEPT", ";"})
_BEFORE_ITEMS = frozenset({"", "SELECT", "DISTINCT", "(", ",", "FROM", "WHERE", "GROUP BY", "ORDER BY"})
_AFTER_ITEMS = frozenset({"", ")", ",", ";", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT"})


def load(name: str) -> Any:
    """A module of sqlglot.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError("sqlglot", "sql") from error


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


def syntax_error(near: str, line: int = 1) -> ToolError:
    """MySQL's error for a text that it cannot parse."""
    return ToolError(_SYNTAX.format(near[:80], line))


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
    sqlglot, dialect = _dialect()
    try:
        tokens = dialect.tokenize(text)
        _check_tokens(tokens, text)
        found = [tree for tree in dialect.parser().parse(tokens, text) if tree is not None and tree.key != "semicolon"]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise _from_parser(error, text) from error
    if not found:
        raise ToolError("Query was empty")
    if len(found) > 1:
        rest = text.partition(";")[2].strip()
        raise syntax_error(rest)
    return found[0]


def _from_parser(error: Exception, text: str) -> ToolError:
    details = getattr(error, "errors", None)
    if not details:
        return syntax_error(text.strip())
    first = details[0]
    return syntax_error(f"{first.get('highlight') or ''}{first.get('end_context') or ''}", first.get("line") or 1)


def _check_tokens(tokens: list[Any], text: str) -> None:
    """Refuses errors that the parser accepts: commas without an item, clauses out of order, blanks before "("."""
    if len(tokens) > MAX_TOKENS:
        raise ToolLimitError(f"expected at most {MAX_TOKENS} words and signs of SQL, got {len(tokens)}")
    ranks = [0]  # rank of the last clause in each open bracket
    words = [token.text.upper() if token.token_type.name not in _QUOTED else "''" for token in tokens]
    for place, (token, word) in enumerate(zip(tokens, words, strict=True)):
        before = words[place - 1] if place else ""
        after = words[place + 1] if place + 1 < len(words) else ""
        if word == "(":
            if before.lower() in _TOUCHING and tokens[place - 1].end + 1 != token.start:
                raise syntax_error(text[token.start + 1 :], token.line)
            ranks.append(0)
        elif word == ")":
            ranks = ranks[:-1] or [0]
        elif word in _RESTART:
            ranks[-1] = 0
        elif word in _CLAUSE_RANKS:
            if _CLAUSE_RANKS[word] <= ranks[-1]:
                raise syntax_error(text[token.start :], token.line)
            ranks[-1] = _CLAUSE_RANKS[word]
        elif word == "," and (before in _BEFORE_ITEMS or after in _AFTER_ITEMS):
            raise syntax_error(text[token.start + 1 :], token.line)
        elif word in ("FIRST", "LAST") and before == "NULLS":
            raise syntax_error(text[tokens[place - 1].start :], token.line)
        if len(ranks) > MAX_DEPTH:
            raise ToolLimitError(f"expected at most {MAX_DEPTH} brackets within brackets, got more")
