"""The result of a statement, and the interface of every database here.

Result((("Abe",), ("Bob",)))                       # rows
Result(None)                                       # a statement without rows: INSERT, USE, SET
Result(None, "Table 'zoo.cats' doesn't exist")     # refused
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lumos_rl.envs.sql.tools.schema import Row
from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

STATEMENT_S = 2.0  # seconds of computing for one statement
TOO_LONG = "Query execution was interrupted, maximum statement execution time of {:g} s exceeded"
CUT = "Query execution was interrupted"  # because of a budget, which the executor names
MAX_ROWS = 100_000
MAX_CHARACTERS = 20_000_000  # of all texts in one result


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one statement.

    Attributes:
        rows: Its rows; None if it returns none or was refused.
        error: Why it was refused; None if it was not.
    """

    rows: tuple[Row, ...] | None
    error: str | None = None

    @property
    def text(self) -> str:
        """The text of InterCode: the list of rows, None, or the error."""
        if self.error is not None:
            return f"Error executing query: {self.error}"
        return "None" if self.rows is None else str(list(self.rows))


def gold_result(run: Callable[[str], list[Row] | None], statement: str) -> Result:
    """The result of a gold query; a refused query has no rows.

    Raises:
        InfrastructureError: It exceeded a limit twice, so it cannot be used for grading.
    """
    for _ in range(2):
        try:
            rows = run(statement)
        except ToolLimitError as error:
            limit = error
        except ToolError as error:
            return Result(None, str(error))
        else:
            return Result(None if rows is None else tuple(rows))
    raise InfrastructureError(f"cannot grade by the gold query {statement[:200]!r}: {limit}") from limit


class Database(Protocol):
    """A connection to a database server, for one episode at a time."""

    def begin(self, database: str) -> None:
        """Starts an episode: every table is in its initial state, and `database` is in use."""
        ...

    def execute(self, statement: str, seconds: float = math.inf) -> Result:
        """Runs one statement of the agent, in at most this much real time; its error, if any, is in the result."""
        ...

    def gold(self, statement: str, database: str) -> Result:
        """Runs a query of the benchmark on the tables in their initial state."""
        ...

    def close(self) -> None:
        """Releases its resources on the server."""
        ...
