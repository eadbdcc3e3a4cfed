"""Which statements of an agent are sent to a server, by their first words; its account has few rights besides.

opened("/* all */ SELECT 1")                          # ("select", "SELECT 1")
check_permitted("shutdown", "SHUTDOWN", "SHUTDOWN")   # ToolError: Access denied: …
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from lumos_rl.envs.sql.tools.dialect import parse, syntax_error, too_deep
from lumos_rl.envs.sql.tools.dump import read_dump
from lumos_rl.envs.sql.tools.kept import Refusal, kept, text_bytes
from lumos_rl.envs.sql.tools.queries import translate
from lumos_rl.envs.sql.tools.schema import Catalog
from lumos_rl.envs.sql.tools.scope import RefusedQueryError
from lumos_rl.errors import ToolError, ToolLimitError

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


@dataclass(frozen=True, eq=False)
class Known:
    """The tables of a dump; compared by identity, so that it can be part of a key."""

    catalog: Catalog


@functools.lru_cache(maxsize=4)
def known_tables(dump: str, where: str) -> Known:
    """The tables of a dump; cached."""
    return Known(read_dump(dump, where).catalog)


@kept(16_000_000, lambda found: text_bytes(found.message) if found else 0)
def refused(known: Known, statement: str, database: str, modes: str) -> Refusal | None:
    """Why MySQL 8 would refuse a query; None if it would not, or if the server refuses it anyway."""
    try:
        tree = parse(statement)
        if tree.key in ("select", "union", "intersect", "except"):
            translate(tree, known.catalog, database, modes)
    except ToolError as error:
        is_own = isinstance(error, RefusedQueryError) or "SQL syntax" in str(error)
        return Refusal.of(error) if is_own else None
    except too_deep():
        return Refusal(ToolLimitError, "Thread stack overrun: expected a simpler statement")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None  # a tree that valid MySQL does not produce
    return None
