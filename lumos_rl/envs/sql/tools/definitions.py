"""MySQL's grammar of CREATE, ALTER, DROP and TRUNCATE TABLE; `clauses` has the other statements.

create(cursor)     # takes `CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)`, and refuses AUTOINCREMENT
"""

from __future__ import annotations

from lumos_rl.envs.sql.tools.cursor import Cursor
from lumos_rl.envs.sql.tools.tokens import unsupported

_TYPES = {  # type → fewest and most numbers in brackets after it
    **dict.fromkeys(
        "INT INTEGER TINYINT SMALLINT MEDIUMINT BIGINT BIT YEAR BINARY CHAR CHARACTER NCHAR".split(), (0, 1)
    ),
    **dict.fromkeys("TEXT BLOB TIME DATETIME TIMESTAMP".split(), (0, 1)),
    **dict.fromkeys("DECIMAL DEC NUMERIC FIXED FLOAT DOUBLE REAL".split(), (0, 2)),
    **dict.fromkeys("BOOL BOOLEAN SERIAL DATE JSON TINYTEXT MEDIUMTEXT LONGTEXT".split(), (0, 0)),
    **dict.fromkeys("TINYBLOB MEDIUMBLOB LONGBLOB".split(), (0, 0)),
    **dict.fromkeys(("VARCHAR", "VARBINARY", "NVARCHAR"), (1, 1)),
}
_ADDED = frozenset(("KEY", "INDEX", "UNIQUE", "PRIMARY", "FOREIGN", "CONSTRAINT", "FULLTEXT", "SPATIAL", "CHECK"))
_OPTIONS = frozenset(("ENGINE", "CHARSET", "COLLATE", "AUTO_INCREMENT", "COMMENT", "ROW_FORMAT", "KEY_BLOCK_SIZE"))
_CHANGES = frozenset(
    "MODIFY CHANGE ALTER ENGINE CONVERT ORDER ENABLE DISABLE COMMENT AUTO_INCREMENT CHARSET CHARACTER FORCE".split()
)
_OBJECTS = frozenset(
    """
    VIEW INDEX UNIQUE FULLTEXT SPATIAL DATABASE SCHEMA USER ROLE FUNCTION PROCEDURE TRIGGER EVENT SERVER TABLESPACE
    AGGREGATE DEFINER ALGORITHM OR UNDO INSTANCE LOGFILE RESOURCE SQL
    """.split()
)


def create(c: Cursor) -> None:
    """Takes CREATE TABLE."""
    c.need("CREATE")
    _object(c, "CREATE")
    if c.take("IF"):
        c.need("NOT", "EXISTS")
    c.path(2)
    if c.word != "(" or c.peek().word in ("LIKE", "SELECT", "WITH"):
        if c.word in ("AS", "SELECT", "LIKE", "WITH", "("):
            raise unsupported("CREATE TABLE without a list of columns")
        c.fail()
    c.bracketed(_definition)
    while c.tokens[c.at].kind != "end" and c.word != ";":
        if c.word in ("AS", "SELECT", "IGNORE", "REPLACE"):
            raise unsupported("CREATE TABLE … SELECT")
        _option(c)


def _object(c: Cursor, verb: str) -> None:
    if c.word in _OBJECTS:
        raise unsupported(f"{verb} {c.word}")
    c.take("TEMPORARY")
    c.need("TABLE")


def _option(c: Cursor) -> None:
    c.take(",")
    c.take("DEFAULT")
    if not c.take("CHARACTER", "SET") and not c.one_of(_OPTIONS):
        c.fail()
    c.take("=")
    c.kind("name", "text", "number", "quoted")


def _definition(c: Cursor) -> None:
    if c.take("CONSTRAINT"):
        if c.is_name():
            c.name()
        if c.word not in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
            c.fail()
    if c.take("PRIMARY", "KEY"):
        c.bracketed(_part)
    elif c.take("FOREIGN", "KEY"):
        if c.is_name():
            c.name()
        c.bracketed(Cursor.name)
        _reference(c)
    elif c.take("CHECK"):
        c.bracketed(Cursor.expression)
    elif c.word in ("UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL"):
        c.at += 1
        c.one_of(frozenset(("KEY", "INDEX")))
        if c.is_name():
            c.name()
        c.bracketed(_part)
    else:
        column(c)
    if c.take("USING"):
        c.kind("name")


def _part(c: Cursor) -> None:
    c.name()
    if c.take("("):
        c.kind("number")
        c.need(")")
    c.one_of(frozenset(("ASC", "DESC")))


def _reference(c: Cursor) -> None:
    c.need("REFERENCES")
    c.path(2)
    if c.word == "(":
        c.bracketed(Cursor.name)
    while c.take("ON"):
        if not c.take("DELETE"):
            c.need("UPDATE")
        if not (c.take("CASCADE") or c.take("RESTRICT") or c.take("NO", "ACTION")):
            c.need("SET")
            if not c.take("NULL"):
                c.need("DEFAULT")


def column(c: Cursor) -> None:
    """Takes the definition of a column."""
    c.name()
    _type(c)
    while c.tokens[c.at].kind == "name" and c.word not in ("FIRST", "AFTER", "USING"):
        _attribute(c)


def _type(c: Cursor) -> None:
    if c.word in ("ENUM", "SET"):
        c.at += 1
        c.bracketed(lambda cursor: cursor.kind("text"))
        return
    if c.word not in _TYPES:
        c.fail()
    fewest, most = _TYPES[c.word]
    is_double = c.take("DOUBLE")
    c.at += not is_double
    if is_double:
        c.take("PRECISION")
    if most and c.take("("):
        c.kind("number")
        if most > 1 and c.take(","):
            c.kind("number")
        c.need(")")
    elif fewest:
        c.fail()


def _attribute(c: Cursor) -> None:
    if c.one_of(frozenset(("UNSIGNED", "SIGNED", "ZEROFILL", "NULL", "AUTO_INCREMENT", "VISIBLE", "KEY", "BINARY"))):
        return
    if c.take("NOT", "NULL") or c.take("PRIMARY", "KEY"):
        return
    if c.take("UNIQUE"):
        c.take("KEY")
    elif c.take("DEFAULT"):
        _default(c)
    elif c.take("ON", "UPDATE"):
        c.expression()
    elif c.take("COMMENT"):
        c.kind("text")
    elif c.take("COLLATE") or c.take("CHARSET") or c.take("CHARACTER", "SET"):
        c.kind("name", "text", "quoted")
    elif c.word == "REFERENCES":
        _reference(c)
    elif c.take("CHECK"):
        c.bracketed(Cursor.expression)
    elif c.word in ("GENERATED", "AS", "CONSTRAINT"):
        raise unsupported(f"{c.word} in a column")
    else:
        c.fail()


def _default(c: Cursor) -> None:
    if c.word == "(":
        raise unsupported("DEFAULT (expression)")
    if c.one_of(frozenset(("+", "-"))):
        c.kind("number")
    elif c.tokens[c.at].kind in ("text", "number"):
        c.at += 1
    elif not c.one_of(frozenset(("NULL", "TRUE", "FALSE"))):
        if c.word not in ("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"):
            c.fail()
        c.at += 1
        if c.take("("):
            if c.word != ")":
                c.kind("number")
            c.need(")")


def alter(c: Cursor) -> None:
    """Takes ALTER TABLE with what is covered here: ADD, DROP and RENAME COLUMN."""
    c.need("ALTER")
    _object(c, "ALTER")
    c.path(2)
    c.items(_change)


def _change(c: Cursor) -> None:
    word = c.word
    if c.take("ADD"):
        if c.word in _ADDED or c.word == "(":
            raise unsupported(f"ALTER TABLE … ADD {c.word}")
        c.take("COLUMN")
        column(c)
        if c.word in ("FIRST", "AFTER"):
            raise unsupported(f"ALTER TABLE … ADD COLUMN … {c.word}")
    elif c.take("DROP"):
        if c.word in _ADDED:
            raise unsupported(f"ALTER TABLE … DROP {c.word}")
        c.take("COLUMN")
        c.name()
    elif c.take("RENAME"):
        if c.word != "COLUMN":
            raise unsupported("ALTER TABLE … RENAME")
        c.at += 1
        c.name()
        c.need("TO")
        c.name()
    elif word in _CHANGES:
        raise unsupported(f"ALTER TABLE … {word}")
    else:
        c.fail()


def drop(c: Cursor) -> None:
    """Takes DROP TABLE."""
    c.need("DROP")
    _object(c, "DROP")
    if c.take("IF"):
        c.need("EXISTS")
    c.items(lambda cursor: cursor.path(2))
    c.one_of(frozenset(("RESTRICT", "CASCADE")))


def truncate(c: Cursor) -> None:
    """Takes TRUNCATE TABLE."""
    c.need("TRUNCATE")
    c.take("TABLE")
    c.path(2)
