"""Gold plans for questions with a gold query: list the tables, describe those that it reads, then run it.

    annotated(task)     # with the subgoals
        "Find which tables there are."                        R1 = ListTables() = concert, singer, stadium
        "Look at the columns of the table singer."            R2 = DescribeTable(singer) = Singer_ID int, Name text, …
        "Query singer: filter, count. How many singers …?"    R3 = Query(SELECT count(*) FROM singer) = [(6,)]

A plan is kept if its text, parsed and run, gives the rows of the gold query.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.envs.sql.reader import dump_text
from lumos_rl.envs.sql.tools import Session, sql_tools
from lumos_rl.envs.sql.tools.dialect import parse
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.errors import ActionParseError, DataError, ToolError
from lumos_rl.language import format_annotation, parse_annotation
from lumos_rl.task_types import Reject
from lumos_rl.tools.base import Executor

_STEPS = {
    "joins": "join",
    "where": "filter",
    "group": "group",
    "having": "filter groups",
    "order": "sort",
    "limit": "cut",
}
_AGGREGATES = {"count": "count", "sum": "add up", "avg": "average", "min": "take the least", "max": "take the most"}


def annotated(task: Task) -> Task | Reject:
    """The task with its plan, or the reason why there is none.

    Raises:
        DataError: The task has no gold query, database or dump.
    """
    place, name = task.meta.get("dump"), task.meta.get("db")
    if not isinstance(place, str) or not isinstance(name, str) or task.answer is None:
        raise DataError(f"expected task {task.id!r} with a gold query as answer and meta 'db' and 'dump', got {task!r}")
    session = Session(_database(place), name)
    try:
        tables, steps = reads(task.answer)
        known = session.database.execute("SHOW TABLES").rows or ()
        unknown = [table for table in tables if (table,) not in known]
        if unknown:
            return Reject(task.id, "the gold query reads a table that is not there", ", ".join(unknown))
        subgoals = plan(session, task.instruction, task.answer, tables, steps)
    except ToolError as error:
        return Reject(task.id, "the gold query does not run", str(error))
    reason = _problem(session, subgoals, task.answer, name)
    return Reject(task.id, *reason) if reason else _with(task, subgoals)


def _with(task: Task, subgoals: tuple[Subgoal, ...]) -> Task:
    return Task(task.id, task.benchmark, task.instruction, task.answer, task.split, subgoals, task.meta)


@lru_cache(maxsize=4)
def _database(place: str) -> SqliteDatabase:
    return SqliteDatabase(image_of(dump_text(place), place))


def reads(query: str) -> tuple[list[str], list[str]]:
    """The tables that a query reads, in their order, and the names of its operations.

    Raises:
        ToolError: It cannot be parsed.
    """
    tree = parse(query)
    tables: dict[str, None] = {}
    steps: dict[str, None] = {}
    for node in tree.walk(bfs=False):
        if node.key == "table":
            tables[node.name.lower()] = None
        elif node.key in _AGGREGATES:
            steps[_AGGREGATES[node.key]] = None
        elif node.key in ("union", "intersect", "except"):
            steps["combine two queries"] = None
    return list(tables), [*_clauses(tree), *steps]


def _clauses(tree: Any) -> Iterator[str]:
    return (word for name, word in _STEPS.items() if any(node.args.get(name) for node in tree.walk()))


def plan(session: Session, question: str, query: str, tables: list[str], steps: list[str]) -> tuple[Subgoal, ...]:
    """The plan with the results of its actions.

    Raises:
        ToolError: An action fails.
    """
    tools = sql_tools(session)
    how = f": {', '.join(steps)}" if steps else ""
    sentences = [
        ("Find which tables there are.", "ListTables", ""),
        *((f"Look at the columns of the table {table}.", "DescribeTable", table) for table in tables),
        (f"Query {' and '.join(tables) or 'nothing'}{how}. {question}", "Query", query),
    ]
    subgoals = []
    for place, (sentence, tool, args) in enumerate(sentences, 1):
        value = tools[tool](args, {})
        assert not isinstance(value, tuple), "each of these tools gives one value"
        subgoals.append(Subgoal(sentence, (Action((f"R{place}",), tool, args, value.text),)))
    return tuple(subgoals)


def _problem(session: Session, subgoals: tuple[Subgoal, ...], gold: str, name: str) -> tuple[str, str] | None:
    """Reason and detail of a failure when the plan is run from its text; None if it succeeds."""
    try:
        read = parse_annotation(format_annotation(subgoals))
    except (ActionParseError, ValueError) as error:
        return "the plan cannot be written", str(error)
    session.database.begin(name)
    execution = Executor(sql_tools(session)).run([action for subgoal in read for action in subgoal.actions])
    if execution.error is not None or session.last is None:
        return "the plan does not run", str(execution.error)
    if session.last.rows != session.database.gold(gold, name).rows:
        return "the result is not that of the gold query", session.last.text[:80]
    return None
