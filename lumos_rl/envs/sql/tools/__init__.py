"""The SQL execution module: a MySQL database, embedded or on a server, and the tools that use it.

    session = Session(SqliteDatabase(image_of(dump)), "zoo")
    tools = sql_tools(session)
    tools["Query"]("SELECT COUNT(*) FROM cats", {})      # Value(exact=((3,),), text="[(3,)]")

`dump` and `schema` read and describe databases. `tokens`, `cursor`, `grammar`, `forms`, `clauses` and `definitions`
refuse what MySQL's grammar does not take; `dialect` parses the rest. `scope`, `queries`, `sources`, `sets`, `grouping`,
`group_order`, `expressions`, `handlers`, `comparisons`, `values`, `invocations`, `aggregates` and `calls` translate to
SQLite. `functions`, `numerics`, `texts`, `times`, `accumulate`, `clock` and `layout` make SQLite behave like MySQL.
`show`, `modes` and `writes` handle the statements that are not queries; `refusals` tells SQLite's errors.
`sqlite` and `server` (with `accounts`, `permits` and `replies`) are the back ends; `results` is their interface.
`statements`, `budget`, `patterns` and `kept` bound what a statement may cost: to read, to run, to match, to remember.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Self

from lumos_rl.envs.sql.tools.results import Database, Result
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Tool, ToolSpec, Value, arguments

MAX_SHOWN = 2_000  # characters of a result that the agent sees
_TABLE_NAME = re.compile(r"[\w$]+(?:\.[\w$]+)?")


class Session:
    """The database of one episode, and its last results.

    Attributes:
        database: The database.
        last: The result of the last statement; None before the first.
        bound: The last result without an error; None before the first.
    """

    def __init__(self, database: Database, name: str) -> None:
        database.begin(name)
        self.database = database
        self.last: Result | None = None
        self.bound: Result | None = None

    def run(self, statement: str, seconds: float) -> Result:
        """Runs one statement, in at most this much real time.

        Raises:
            ToolError: It was refused.
        """
        self.last = None
        self.last = self.database.execute(statement, seconds)
        if self.last.error is not None:
            raise ToolError(self.last.error)
        self.bound = self.last
        return self.last


class InSession:
    """A tool that runs a statement; its time can be cut to what a step has left."""

    def __init__(self, session: Session, seconds: float = math.inf) -> None:
        self.session, self.seconds = session, seconds

    def within(self, seconds: float) -> Self:
        """The same tool with at most this much time for a call."""
        return type(self)(self.session, seconds)


class Query(InSession):
    """Runs any single statement."""

    usage = "Query(sql): runs one statement of MySQL and gives its rows; e.g. Query(SELECT name FROM singer LIMIT 3)"
    schema = arguments(sql="One statement of MySQL.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The rows."""
        result = self.session.run(args, self.seconds)
        return Value(result.rows, shortened(result.text))


class ListTables(InSession):
    """Runs SHOW TABLES."""

    usage = "ListTables(): gives the names of the tables"
    schema = arguments()

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The names.

        Raises:
            ToolError: There are arguments.
        """
        if args:
            raise ToolError(f"expected ListTables() without arguments, got {args[:40]!r}")
        rows = self.session.run("SHOW TABLES", self.seconds).rows or ()
        return Value(rows, shortened(", ".join(str(row[0]) for row in rows)))


class DescribeTable(InSession):
    """Runs DESCRIBE."""

    usage = "DescribeTable(table): gives the columns of a table with their types"
    schema = arguments(table="Name of a table.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """Each column with its type.

        Raises:
            ToolError: There is no such table.
        """
        name = args.strip("`'\" ")
        if not _TABLE_NAME.fullmatch(name):
            raise ToolError(f"expected the name of a table, e.g. DescribeTable(singer), got {args[:40]!r}")
        quoted = ".".join(f"`{part}`" for part in name.split("."))
        rows = self.session.run(f"DESCRIBE {quoted}", self.seconds).rows or ()
        columns = (f"{row[0]} {_decoded(row[1])}" for row in rows)
        return Value(rows, shortened(", ".join(columns)))


_CLASSES = (ListTables, DescribeTable, Query)
SPECS = tuple(map(ToolSpec.of, _CLASSES))


def sql_tools(session: Session) -> dict[str, Tool]:
    """Tool name → tool, in the order shown to the model."""
    return {tool.__name__: tool(session) for tool in _CLASSES}


def shortened(text: str) -> str:
    """The text, cut with a note if it is longer than `MAX_SHOWN`."""
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[:MAX_SHOWN]} … (cut: {len(text)} characters in all)"


def _decoded(text: object) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)
