"""What a database answers to a statement, and what every database here can do.

Result((("Abe",), ("Bob",)))                       # rows
Result(None)                                       # the statement gives none: INSERT, USE, SET
Result(None, "Table 'zoo.cats' doesn't exist")     # refused
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lumos_rl.envs.sql.tools.schema import Row
from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

STATEMENT_S = 2.0  # seconds of computing for one statement
MAX_ROWS = 100_000
MAX_CHARACTERS = 20_000_000  # of all texts in one result


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one statement.

    Attributes:
        rows: Its rows; None where it gives none or was refused.
        error: Why it was refused; None where it was not.
    """

    rows: tuple[Row, ...] | None
    error: str | None = None

    @property
    def text(self) -> str:
        """What InterCode shows: the list of rows, None, or the error."""
        if self.error is not None:
            return f"Error executing query: {self.error}"
        return "None" if self.rows is None else str(list(self.rows))


def gold_result(run: Callable[[str], list[Row] | None], statement: str) -> Result:
    """What a gold query gives; one that is refused gives no rows.

    Raises:
        InfrastructureError: It ran into a limit twice, so that nothing can be graded by it.
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
        """Starts an episode: every table is as it was in the beginning, and `database` is in use."""
        ...

    def execute(self, statement: str) -> Result:
        """Runs one statement of the agent; what is wrong with it stands in the result."""
        ...

    def gold(self, statement: str, database: str) -> Result:
        """Runs a query of the benchmark on the tables as they were in the beginning."""
        ...

    def close(self) -> None:
        """Gives back what the server holds for it."""
        ...
