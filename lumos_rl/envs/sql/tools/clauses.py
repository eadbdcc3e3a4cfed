"""MySQL's grammar of statements: refuses every text that MySQL 8.0 cannot parse, with MySQL's error 1064.

    checked("SELECT a == 1 FROM t")      # ToolError: … SQL syntax; … near '= 1 FROM t' at line 1
    checked("SELECT top FROM t # all")   # 'SELECT `top` FROM `t`': for a parser that knows other dialects too

The parser of `dialect` accepts whatever any dialect accepts. So each statement passes this grammar first (after
sql_yacc.yy of MySQL 8.0). What is MySQL but is not covered here is refused with error 1235.
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.sql.tools.cursor import Cursor, Refused, Rule
from lumos_rl.envs.sql.tools.definitions import alter, create, drop, truncate
from lumos_rl.envs.sql.tools.forms import window
from lumos_rl.envs.sql.tools.grammar import expression, operation, query_in_brackets
from lumos_rl.envs.sql.tools.tokens import syntax_error, unsupported, written
from lumos_rl.errors import ToolLimitError

MAX_TOKENS = 6_000
MAX_DEPTH = 100  # nested brackets
_OPTIONS = frozenset(
    """
    ALL DISTINCT DISTINCTROW HIGH_PRIORITY STRAIGHT_JOIN SQL_SMALL_RESULT SQL_BIG_RESULT SQL_BUFFER_RESULT SQL_NO_CACHE
    SQL_CALC_FOUND_ROWS
    """.split()
)
_NOT_COVERED = frozenset(("JSON_TABLE", "LATERAL"))


def query(c: Cursor) -> None:
    """Takes a query with its WITH, ORDER BY and LIMIT."""
    if c.take("WITH"):
        c.take("RECURSIVE")
        c.items(_cte)
    _part(c)
    while c.word in ("UNION", "EXCEPT", "INTERSECT"):
        c.at += 1
        if not c.take("ALL"):
            c.take("DISTINCT")
        _part(c)
    c.order()
    limit(c)
    _locking(c)


def _cte(c: Cursor) -> None:
    c.name()
    if c.word == "(":
        c.bracketed(Cursor.name)
    c.need("AS")
    c.subquery()


def _part(c: Cursor) -> None:
    if c.word == "(":
        c.subquery()
    elif c.word in ("VALUES", "TABLE"):
        raise unsupported(f"{c.word} as a query")
    else:
        _select(c)


def _select(c: Cursor) -> None:
    c.need("SELECT")
    while c.one_of(_OPTIONS):
        pass
    if c.take("*"):
        if c.take(","):
            c.items(_item)
    else:
        c.items(_item)
    if c.take("FROM") and not c.take("DUAL"):
        c.items(table)
    if c.take("WHERE"):
        c.expression()
    if c.take("GROUP", "BY"):
        c.items(Cursor.expression)
        if c.take("WITH", "ROLLUP"):
            raise unsupported("WITH ROLLUP")
    if c.take("HAVING"):
        c.expression()
    if c.take("WINDOW"):
        c.items(_named_window)
    if c.word == "INTO":
        raise unsupported("SELECT … INTO")


def _named_window(c: Cursor) -> None:
    c.name()
    c.need("AS")
    window(c)


def _item(c: Cursor) -> None:
    """A selected expression with its alias, or `table.*`."""
    for length in (3, 5):
        star, dot = c.peek(length - 1), c.peek(length - 2)
        if star.word == "*" and dot.word == "." and c.is_name():
            c.name()
            if length == 5:
                c.need(".")
                c.name(is_free=True)
            c.need(".", "*")
            return
    c.expression()
    if c.take("AS"):
        if c.tokens[c.at].kind == "text":
            c.at += 1
        else:
            c.name()
    elif c.tokens[c.at].kind == "text":
        c.at += 1
    elif c.is_name():
        c.name()


def table(c: Cursor) -> None:
    """Takes a table, or several that are joined."""
    pending: list[bool] = []  # for each join that has no condition yet, whether it needs one
    _factor(c)
    while True:
        if pending and c.take("ON"):
            c.expression()
            pending.pop()
        elif pending and c.take("USING"):
            c.bracketed(Cursor.name)
            pending.pop()
        elif c.take("NATURAL"):
            if c.word in ("LEFT", "RIGHT"):
                c.at += 1
                c.take("OUTER")
            else:
                c.take("INNER")
            c.need("JOIN")
            _factor(c)
        elif c.word in ("LEFT", "RIGHT"):
            c.at += 1
            c.take("OUTER")
            c.need("JOIN")
            _factor(c)
            pending.append(True)
        elif c.take("STRAIGHT_JOIN") or c.take("CROSS", "JOIN") or c.take("INNER", "JOIN") or c.take("JOIN"):
            _factor(c)
            pending.append(False)
        elif any(pending):
            c.fail()
        else:
            return


def _factor(c: Cursor) -> None:
    if c.word in _NOT_COVERED:
        raise unsupported(c.word)
    if c.word == "(":
        if not query_in_brackets(c):
            c.bracketed(table)
            return
        if _table_alias(c) and c.word == "(":
            c.bracketed(Cursor.name)
        return
    c.path(2)
    if c.take("PARTITION"):
        raise unsupported("PARTITION")
    _table_alias(c)
    while c.word in ("USE", "FORCE", "IGNORE") and c.peek().word in ("INDEX", "KEY"):
        raise unsupported("index hints")


def _table_alias(c: Cursor) -> bool:
    if c.take("AS") or c.is_name():
        c.name()
        return True
    return False


def limit(c: Cursor) -> None:
    """Takes LIMIT if it is next."""
    if c.take("LIMIT"):
        _count(c)
        if c.take(",") or c.take("OFFSET"):
            _count(c)


def _count(c: Cursor) -> None:
    if not c.tokens[c.at].text.isdigit():
        c.fail()
    c.kind("number")


def _locking(c: Cursor) -> None:
    if c.take("LOCK", "IN", "SHARE", "MODE"):
        return
    if c.take("FOR", "UPDATE") or c.take("FOR", "SHARE"):
        if c.take("OF"):
            c.items(lambda c: c.path(2))
        if not c.take("NOWAIT"):
            c.take("SKIP", "LOCKED")


def insert(c: Cursor) -> None:
    """Takes INSERT."""
    c.at += 1
    c.one_of(frozenset(("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY")))
    c.take("IGNORE")
    c.take("INTO")
    c.path(2)
    if c.word == "(" and c.peek().word not in ("SELECT", "WITH", "("):
        c.at += 1
        if c.word != ")":
            c.items(lambda c: c.path(3))
        c.need(")")
    if c.take("SET"):
        raise unsupported("INSERT … SET")
    if c.take("VALUES") or c.take("VALUE"):
        c.items(_values)
    else:
        query(c)
    if c.word == "ON" and c.peek().word == "DUPLICATE":
        raise unsupported("ON DUPLICATE KEY UPDATE")


def _values(c: Cursor) -> None:
    c.need("(")
    if c.word != ")":
        c.items(_value)
    c.need(")")


def _value(c: Cursor) -> None:
    if c.word == "DEFAULT" and c.peek().word != "(":
        raise unsupported("DEFAULT")
    c.expression()


def update(c: Cursor) -> None:
    """Takes UPDATE."""
    c.at += 1
    c.take("LOW_PRIORITY")
    c.take("IGNORE")
    c.items(table)
    c.need("SET")
    c.items(_assignment)
    if c.take("WHERE"):
        c.expression()
    c.order()
    limit(c)


def _assignment(c: Cursor) -> None:
    c.path(3)
    c.need("=")
    _value(c)


def delete(c: Cursor) -> None:
    """Takes DELETE."""
    c.at += 1
    for word in ("LOW_PRIORITY", "QUICK", "IGNORE"):
        c.take(word)
    if not c.take("FROM"):
        if c.is_name():
            raise unsupported("DELETE of several tables")
        c.fail()
    c.path(2)
    if c.word in (",", ".") or c.take("USING"):
        raise unsupported("DELETE of several tables")
    _table_alias(c)
    if c.take("WHERE"):
        c.expression()
    c.order()
    limit(c)


_RULES: Mapping[str, Rule] = {"expression": expression, "operation": operation, "query": query}
STATEMENTS: Mapping[str, Rule] = {
    **dict.fromkeys(("SELECT", "WITH", "(", "TABLE", "VALUES"), query),
    "INSERT": insert,
    "UPDATE": update,
    "DELETE": delete,
    "CREATE": create,
    "ALTER": alter,
    "DROP": drop,
    "TRUNCATE": truncate,
}
_OTHERS = frozenset(
    """
    ANALYZE CACHE CALL CHECK CHECKSUM CLONE DEALLOCATE DO EXECUTE FLUSH GRANT HANDLER HELP IMPORT INSTALL KILL LOAD LOCK
    OPTIMIZE PREPARE PURGE RELEASE RENAME REPAIR REPLACE RESET REVOKE SAVEPOINT SHUTDOWN SIGNAL UNINSTALL UNLOCK XA
    """.split()
)


def checked(text: str) -> str:
    """The statement as the parser of `dialect` can read it.

    Raises:
        ToolError: MySQL cannot parse it, or it is not covered here.
        ToolLimitError: It is too long or too deeply nested.
    """
    cursor = Cursor(text, _RULES)
    _check_size(cursor)
    rule = STATEMENTS.get(cursor.word)
    if cursor.word in _OTHERS:
        raise unsupported(cursor.word)
    if rule is None:
        return text
    try:
        rule(cursor)
        while cursor.take(";"):
            pass
        cursor.kind("end")
    except Refused:
        token = cursor.tokens[cursor.farthest]
        line = text.count("\n", 0, token.start) + 1
        raise syntax_error(text[token.start : cursor.tokens[-1].end], line) from None
    except RecursionError as error:
        raise ToolLimitError("expected a simpler statement, got one that is nested too deeply") from error
    return written(cursor.tokens, cursor.names)


def _check_size(cursor: Cursor) -> None:
    if len(cursor.tokens) > MAX_TOKENS:
        raise ToolLimitError(f"expected at most {MAX_TOKENS} words and signs of SQL, got {len(cursor.tokens)}")
    depth = 0
    for token in cursor.tokens:
        depth += (token.word in ("(", "CASE")) - (token.word in (")", "END"))
        if depth > MAX_DEPTH:
            raise ToolLimitError(f"expected at most {MAX_DEPTH} brackets within brackets, got more")
