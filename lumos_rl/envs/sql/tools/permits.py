"""Which statements of an agent are sent to a server, by their first words; its account has few rights besides.

opened("/* all */ SELECT 1")                          # ("select", "SELECT 1")
check_permitted("shutdown", "SHUTDOWN", "SHUTDOWN")   # ToolError: Access denied: …
"""

from __future__ import annotations

import re

from lumos_rl.envs.sql.tools.dialect import syntax_error
from lumos_rl.errors import ToolError

_COMMENTS = re.compile(r"\A(?:\s|/\*(?![!M]).*?\*/|--[ \t][^\n]*\n|#[^\n]*\n|\()*", re.DOTALL)
READS = ("select", "with", "show", "desc", "describe", "explain", "values", "table")
_WRITES = re.compile(
    r"(?:insert|replace|update|delete|truncate"
    r"|(?:create|drop)\s+(?:temporary\s+)?(?:table|view|index|unique\s+index)|create\s+or\s+replace\s+(?:table|view)"
    r"|alter\s+table|rename\s+table)\b",
    re.IGNORECASE,
)
_TRANSACTION = re.compile(r"(?:begin|start\s+transaction|commit|rollback)[\s;]*+\Z", re.IGNORECASE)
# Functions that hold a connection or a lock without computing, so that the time limit does not end them.
_HARMFUL = re.compile(
    r"\b(?:sleep|benchmark|get_lock|is_(?:free|used)_lock|release_\w*locks?|load_file|\w+_wait|wait_\w+)`?"
    r"(?:\s|/\*.*?\*/|(?:--\s|#)[^\n]*\n)*+\(",
    re.IGNORECASE | re.DOTALL,
)
_OUTSIDE = re.compile(  # tables whose rows are in a file of one's choice, or on another server
    r"\b(?:data|index)\s+directory\b|\bengine\s*=?\s*(?!innodb\b|myisam\b|aria\b|memory\b)[`'\"\w]|\bconnection\s*=",
    re.IGNORECASE,
)


def opened(statement: str) -> tuple[str, str]:
    """The first word of a statement in lower case, and the statement without the comments before it.

    Raises:
        ToolError: It has characters, or a comment, that could hide another statement.
    """
    if "\0" in statement or (not statement.isprintable() and re.search(r"[\ud800-\udfff]", statement)):
        raise syntax_error("")
    start = _COMMENTS.match(statement)
    text = statement[start.end() if start else 0 :]
    if "/*!" in statement or "/*M!" in statement:
        raise syntax_error(text)
    word = re.match(r"[a-z]*", text, re.IGNORECASE)
    return word[0].lower() if word else "", text


def is_transaction(text: str) -> bool:
    """Whether it begins or ends a transaction, which has no effect here: every statement is its own."""
    return _TRANSACTION.match(text) is not None


def check_permitted(verb: str, text: str, statement: str) -> None:
    """Refuses what could hold the server, leave the tables, or reach another file or server.

    Raises:
        ToolError: It is no query or change of tables, or calls a function that waits or locks.
    """
    if (verb not in READS and not _WRITES.match(text)) or _HARMFUL.search(statement):
        raise ToolError("Access denied: only queries and changes of tables are allowed")
    if verb not in READS and _OUTSIDE.search(text):
        raise ToolError("Access denied: tables are kept in the database alone, by its usual engine")
