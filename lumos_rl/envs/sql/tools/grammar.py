"""MySQL's grammar of expressions (after sql_yacc.yy of MySQL 8.0); `clauses` has the statements.

expression(cursor)     # takes `a BETWEEN 1 AND 2 OR NOT b IS NULL`, and refuses `a == 1` and `a NOT NULL`
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.envs.sql.tools.cursor import Cursor, Refused, Rule
from lumos_rl.envs.sql.tools.forms import FORMS, UNITS, convert, interval, is_interval_function, over
from lumos_rl.envs.sql.tools.tokens import Token, unsupported
from lumos_rl.errors import ToolError

_COMPARES = frozenset(("=", "<=>", "<>", "!=", "<", "<=", ">", ">="))
_BINARY = frozenset(("|", "&", "<<", ">>", "+", "-", "*", "/", "%", "^", "DIV", "MOD"))
_JOINING = frozenset(("OR", "||", "XOR", "AND", "&&"))
# Names that are functions only with a bracket directly after them.
TOUCHING = frozenset(
    """
    ADDDATE BIT_AND BIT_OR BIT_XOR CAST COUNT CURDATE CURTIME DATE_ADD DATE_SUB EXTRACT GROUP_CONCAT JSON_ARRAYAGG
    JSON_OBJECTAGG MAX MID MIN NOW POSITION SESSION_USER STD STDDEV STDDEV_POP STDDEV_SAMP ST_COLLECT SUBDATE SUBSTR
    SUBSTRING SUM SYSDATE SYSTEM_USER TRIM VARIANCE VAR_POP VAR_SAMP
    """.split()
)
_RANKING = frozenset(
    "ROW_NUMBER RANK DENSE_RANK CUME_DIST PERCENT_RANK NTILE LEAD LAG FIRST_VALUE LAST_VALUE NTH_VALUE".split()
)
# Reserved words that are also functions, and those that need no bracket.
_CALLED = frozenset("IF LEFT RIGHT REPEAT REPLACE INSERT MOD DATABASE SCHEMA CHAR INTERVAL".split())
_BARE = frozenset(
    """
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP UTC_DATE UTC_TIME UTC_TIMESTAMP CURRENT_USER
    """.split()
)


def expressions(c: Cursor) -> None:
    """Takes one or more expressions in brackets."""
    c.bracketed(Cursor.expression)


def expression(c: Cursor) -> None:
    """Takes an expression."""
    while True:
        while c.take("NOT"):
            pass
        _comparison(c)
        if not c.one_of(_JOINING):
            return


def _comparison(c: Cursor) -> None:
    _predicate(c)
    while True:
        if c.one_of(_COMPARES):
            if c.word in ("ALL", "ANY", "SOME") and c.peek().word == "(":
                c.at += 1
                c.subquery()
            else:
                _predicate(c)
        elif c.take("IS"):
            c.take("NOT")
            if c.word in ("TRUE", "FALSE", "UNKNOWN"):
                c.at += 1
                return
            c.need("NULL")
        else:
            return


def _predicate(c: Cursor) -> None:
    c.operation()
    is_negated = c.word == "NOT"
    word = c.peek(int(is_negated)).word
    if word == "IN":
        c.at += 1 + is_negated
        if not query_in_brackets(c):
            expressions(c)
    elif word == "BETWEEN":
        c.at += 1 + is_negated
        c.operation()
        c.need("AND")
        _predicate(c)
    elif word == "LIKE":
        c.at += 1 + is_negated
        simple(c)
        if c.take("ESCAPE"):
            simple(c)
    elif word in ("REGEXP", "RLIKE"):
        c.at += 1 + is_negated
        c.operation()
    elif is_negated:
        c.at += 1
        c.fail()
    elif word == "SOUNDS" and c.peek().word == "LIKE":
        raise unsupported("SOUNDS LIKE")
    elif word == "MEMBER":
        raise unsupported("MEMBER OF")


def operation(c: Cursor) -> None:
    """Takes values with arithmetic and bit operators between them."""
    sign = ""
    while True:
        if c.word == "INTERVAL" and not is_interval_function(c):
            interval(c)
            if sign not in ("+", "-") and c.word != "+":
                c.fail()
        else:
            simple(c)
        sign = c.one_of(_BINARY)
        if not sign:
            return


def simple(c: Cursor) -> None:
    """Takes one value, with its sign before and its collation after it."""
    while c.word in ("+", "-", "~", "!", "BINARY"):
        c.at += 1
    token = c.tokens[c.at]
    if token.kind in ("text", "number"):
        c.at += 1
    elif token.kind == "bits":
        raise unsupported(token.text)
    elif token.word == "(":
        if not query_in_brackets(c):
            expressions(c)
    elif token.word in _SPECIAL:
        _SPECIAL[token.word](c)
    elif token.kind in ("name", "quoted"):
        _named(c, token)
    else:
        c.fail()
    while c.take("COLLATE"):
        c.kind("name", "quoted", "text")
    if c.word in ("->", "->>"):
        raise unsupported(c.word)


def _named(c: Cursor, token: Token) -> None:
    """A column or a call of a function."""
    following = c.peek()
    if following.word == "(" and (c.is_name() or token.word in _CALLED | _RANKING):
        if token.kind == "name" and token.word in TOUCHING and following.start != token.end:
            c.at += 2
            if c.word == "*":
                c.fail()
            raise ToolError(
                f"FUNCTION {token.text} does not exist. Check the 'Function Name Parsing and Resolution' section in"
                " the Reference Manual"
            )
        if token.word == "INTERVAL":
            c.names.add(token.start)
        c.at += 1
        form = FORMS.get(token.word) if token.kind == "name" else None
        _call(c) if form is None else form(c)
        if token.word in _RANKING or c.word == "OVER":
            over(c)
    elif token.word in _BARE and token.kind == "name":
        if following.word != "(":
            c.tokens[c.at] = token._replace(text=f"{token.text}()")
        c.at += 1
        if c.take("("):
            if c.word != ")":
                c.kind("number")
            c.need(")")
    elif token.kind == "name" and token.word in _CALLED | _RANKING:
        c.at += 1
        c.fail()
    else:
        c.path(3)


def _call(c: Cursor) -> None:
    c.need("(")
    if c.word != ")":
        c.items(_argument)
    c.need(")")


def _argument(c: Cursor) -> None:
    if c.word in UNITS and c.tokens[c.at].kind == "name" and c.peek().word == ",":
        c.at += 1  # a unit, as in TIMESTAMPDIFF(DAY, …), or a column
        return
    c.expression()


def query_in_brackets(c: Cursor) -> bool:
    """Takes a query in brackets if one is next; says whether it was."""
    distance = 0
    while c.peek(distance).word == "(":
        distance += 1
    if not distance or c.peek(distance).word not in ("SELECT", "WITH", "VALUES", "TABLE"):
        return False
    start, names = c.at, set(c.names)
    if start in c.no_query:
        return False
    if distance == 1:
        c.subquery()
        return True
    try:
        c.subquery()
    except Refused:
        c.no_query.add(start)
        c.at, c.names = start, names
        return False
    return True


def _case(c: Cursor) -> None:
    c.need("CASE")
    if c.word != "WHEN":
        c.expression()
    while True:
        c.need("WHEN")
        c.expression()
        c.need("THEN")
        c.expression()
        if c.word != "WHEN":
            break
    if c.take("ELSE"):
        c.expression()
    c.need("END")


def _constant(c: Cursor) -> None:
    c.at += 1


def _moment(c: Cursor) -> None:
    """DATE, TIME or TIMESTAMP: before a text, a literal; otherwise a name."""
    if c.peek().kind == "text":
        c.at += 2
    else:
        _named(c, c.tokens[c.at])


def _exists(c: Cursor) -> None:
    c.at += 1
    c.subquery()


def _row(c: Cursor) -> None:
    c.tokens[c.at] = c.tokens[c.at]._replace(text="")  # ROW(1, 2) is (1, 2)
    c.at += 1
    expressions(c)


def _variable(c: Cursor) -> None:
    is_system = c.word == "@@"
    c.at += 1
    if not is_system:
        c.kind("name", "quoted", "text")
        if c.take(":="):
            raise unsupported(":=")
    elif c.one_of(frozenset(("GLOBAL", "SESSION", "LOCAL"))) and c.take("."):
        c.kind("name", "quoted")
    else:
        c.kind("name", "quoted")


_SPECIAL: Mapping[str, Rule] = {
    **dict.fromkeys(("NULL", "TRUE", "FALSE"), _constant),
    **dict.fromkeys(("DATE", "TIME", "TIMESTAMP"), _moment),
    **dict.fromkeys(("@", "@@"), _variable),
    "CASE": _case,
    "EXISTS": _exists,
    "ROW": _row,
    "CONVERT": convert,
}
