"""InterCode SQL: questions about a MySQL database, graded by the rows of the last query.

    env = gym.make("lumos_rl/InterCodeSQL-v0", source="intercode/data/sql", backend="mysql://admin:admin@127.0.0.1:3307")
    env.reset(options={"task": 17})                    # ("How many singers do we have?", {"tools": …, …})
    env.step("SHOW TABLES")                            # ("[('concert',), ('singer',), …]", 0.0, False, False, …)
    env.step("SELECT COUNT(*) FROM singer")            # ("[(6,)]", 0.0, False, False, {"rows": ((6,),), …})
    env.step("submit")                                 # ("The episode ended …", 1.0, True, False, {…})

The same in the action language: `R1 = ListTables()`, `R2 = Query(SELECT COUNT(*) FROM singer)`, `Finish(R2)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lumos_rl.core import Action, Task
from lumos_rl.envs.base import Grade, LumosEnv
from lumos_rl.envs.sql.reader import dump_text
from lumos_rl.envs.sql.tools import Session, shortened, sql_tools
from lumos_rl.envs.sql.tools.accounts import masked
from lumos_rl.envs.sql.tools.kept import Kept, text_bytes
from lumos_rl.envs.sql.tools.results import Database, Result
from lumos_rl.envs.sql.tools.schema import Row
from lumos_rl.envs.sql.tools.server import ServerDatabase
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.errors import ActionParseError, ConfigError, DataError, UnknownNameError
from lumos_rl.metrics import row_iou, row_iou_kendall
from lumos_rl.tools.base import Execution, Executor, Tool, Value, lookup
from lumos_rl.tools.finish import FINISH, Finish

MAX_TURNS = 10  # Yang et al. 2023
MAX_GOLDS = 20_000_000  # bytes of the results of gold queries that an environment keeps
REWARDS: Mapping[str, Callable[[Sequence[Row] | None, Sequence[Row]], float]] = {
    "iou": row_iou,
    "iou_kendall": row_iou_kendall,
}
PROTOCOLS = ("submit", "try_again")
SUBMIT, SKIP = "submit", "skip"
SYNTAX = "You have an error in your SQL syntax"  # in the error of a text that is no statement
_LANGUAGE = re.compile(r"[\s;]*(?:(?:R\d+|Output)\s*[=,]|(?:Query|ListTables|DescribeTable|Finish)\(|Action\s+\d)")


class SqlEnv(LumosEnv):
    """A question whose answer is the rows of a query.

    Attributes:
        backend: "sqlite", or the address of a MySQL or MariaDB server.
        protocol: "submit" grades the last result on submission; "try_again" grades every step.
    """

    def __init__(
        self,
        benchmark: str,
        source: str | Path = "synthetic",
        split: str | None = None,
        limit: int | None = None,
        max_steps: int | None = None,
        tasks: Sequence[Task] | None = None,
        render_mode: str | None = None,
        backend: str = "sqlite",
        reward: Literal["iou_kendall", "iou"] = "iou_kendall",
        protocol: Literal["submit", "try_again"] = "submit",
        max_turns: int = MAX_TURNS,
        **settings: Any,
    ) -> None:
        """Loads the tasks; a database is opened when an episode first needs it.

        Args:
            benchmark: Benchmark of every task; fixed by the environment's id.
            source: "synthetic", or a file or folder of tasks; the dump of the databases is in the same folder.
            split: Split of the source; None takes that in the name of a file, otherwise "test".
            limit: How many tasks, from the first on; None takes all.
            max_steps: The same as `max_turns`, under the name that every environment has; None uses `max_turns`.
            tasks: Tasks given directly; `source` and `split` are then not used.
            render_mode: As in every environment.
            backend: "sqlite", or "mysql://user:password@host:port" of a server on which that user may create databases
                and users.
            reward: "iou_kendall" (the release's newest) or "iou".
            protocol: "submit" or "try_again".
            max_turns: Steps after which an episode is truncated.
            **settings: As for `LumosEnv`.

        Raises:
            ConfigError: No task, a task of another benchmark, or a setting out of range.
        """
        for kind, value, known in (("reward", reward, tuple(REWARDS)), ("protocol", protocol, PROTOCOLS)):
            if value not in known:
                raise UnknownNameError(kind, value, known)
        if backend != "sqlite" and not backend.startswith("mysql://"):
            raise ConfigError(
                f"expected backend 'sqlite' or 'mysql://user:password@host:port', got {masked(backend)!r}"
            )
        steps = max_turns if max_steps is None else max_steps
        super().__init__(benchmark, source, split, limit, steps, tasks, render_mode, **settings)
        self.backend, self.protocol = backend, protocol
        self._score = REWARDS[reward]
        self._databases: dict[str, Database] = {}
        self._golds = Kept(self._gold_of, MAX_GOLDS, _bytes)
        self._session: Session | None = None
        self._final: Result | None = None
        self._before: Result | None = None
        self._native = False
        self._best = 0.0

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """ListTables, DescribeTable and Query, on the task's database in its initial state."""
        place, name, _ = _fields(task)
        if place not in self._databases:
            self._databases[place] = self._open(place)
        self._session = Session(self._databases[place], name)
        self._final, self._native, self._best = None, False, 0.0
        return sql_tools(self._session)

    def begin_step(self) -> None:
        """Clears the last result, because a step that runs no statement must earn nothing."""
        session = self._of_episode()
        self._before, session.last, self._native = session.last, None, False

    def read(self, text: str) -> list[Action]:
        """A statement, `submit`, `skip`, or actions of the action language."""
        word = text.strip().rstrip(";").strip().lower()
        if word.startswith(SUBMIT) or word == SKIP:
            self._of_episode().last = self._before
            return [Action((), FINISH, SKIP if word == SKIP else SUBMIT)]
        self._native = _LANGUAGE.match(text) is None
        if not self._native:
            return super().read(text)
        if not word:
            raise ActionParseError("expected a statement of SQL, submit, skip, or actions such as Query(sql), got none")
        return [Action((), "Query", text.strip())]

    def conclude(self, task: Task, executor: Executor, args: str) -> Value | None:
        """The answer: the last observation for `submit`, the last result for `Finish()`, none for `skip`."""
        session = self._of_episode()
        if args == SKIP:
            self._final = session.last = None
            return Value.of(SKIP)
        if args == SUBMIT:
            self._final = session.last
        elif not args:
            self._final = session.bound
        elif re.fullmatch(r"R[0-9]+|Output", args):
            exact = lookup(args, executor.bindings).exact
            self._final = Result(exact if isinstance(exact, tuple) else None)
        else:
            return Finish()(args, executor.bindings)
        return Value.of(shortened(self._final.text)) if self._final is not None else None

    def over(self) -> bool:
        """Whether a step of the protocol "try_again" has earned the full reward."""
        if self.protocol != "try_again":
            return False
        self._best = max(self._best, self.reward())
        return self._best == 1.0

    def reward(self) -> float:
        """The grade of the last observation in the protocol "try_again"; otherwise 0."""
        session = self._of_episode()
        if self.protocol != "try_again" or session.last is None:
            return 0.0
        return self._graded(session.last)

    def grade(self, task: Task, answer: str | None) -> Grade:
        """The reward of the submission; success is a reward of 1, with "try_again" in any step."""
        reward = self.reward() if self._final is None else self._graded(self._final)
        best = max(self._best, reward) if self.protocol == "try_again" else reward
        solved = best == 1.0
        metrics = {"reward": best, "success": float(solved)}
        if self._gold().rows:  # otherwise any empty result would be right, or the gold query does not run
            metrics["success_sound"] = float(solved)
        return Grade(reward, solved, metrics)

    def observe(self, action: str, execution: Execution, notes: Sequence[str]) -> str:
        """For a statement, the text of InterCode: the list of rows, None, or the error."""
        if not self._native or execution.error is not None or not execution.results:
            lines = [] if self._native else [self.show(execution)]
            return "\n".join(line for line in (*lines, *self._mended(notes)) if line)
        return "\n".join([*execution.results.values(), *notes])

    def inform(self) -> dict[str, Any]:
        """All rows of the last statement; None if it returned none."""
        session = self._of_episode()
        info: dict[str, Any] = {"rows": session.last.rows if session.last is not None else None}
        if self._native and session.last is not None and session.last.error is not None:
            info["error"] = self._told(session.last)
            info["malformed"] = SYNTAX in session.last.text
        return info

    def close(self) -> None:
        """Closes the databases."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()
        super().close()

    def _mended(self, notes: Sequence[str]) -> list[str]:
        """The notes, in which the server's error text replaces that of the executor."""
        last = self._of_episode().last
        if not self._native or last is None or last.error is None or not notes:
            return list(notes)
        return [self._told(last), *notes[1:]]

    def _told(self, result: Result) -> str:
        """The text of a refused statement, with the budget that ended it."""
        assert self._episode is not None, "called before reset()"
        late = self._episode.executor.used_up
        return f"{result.text}; {late}" if late else result.text

    def _of_episode(self) -> Session:
        assert self._session is not None, "called before reset()"
        return self._session

    def _open(self, place: str) -> Database:
        if self.backend == "sqlite":
            return SqliteDatabase(image_of(dump_text(place), place))
        return ServerDatabase(self.backend, dump_text(place), place)

    def _gold(self) -> Result:
        assert self._episode is not None, "called before reset()"
        return self._golds(*_fields(self._episode.task))

    def _gold_of(self, place: str, name: str, gold: str) -> Result:
        return self._databases[place].gold(gold, name)

    def __getstate__(self) -> dict[str, Any]:
        """For pickling: of the databases, only that of the episode, because the others are in their initial state."""
        place = self._episode.task.meta["dump"] if self._episode is not None else None
        return {**self.__dict__, "_databases": {k: v for k, v in self._databases.items() if k == place}}

    def _graded(self, result: Result) -> float:
        return self._score(result.rows, self._gold().rows or ())


def _bytes(result: Result) -> int:
    """Roughly the bytes of a result."""
    return sum(60 * len(row) + sum(map(text_bytes, row)) for row in result.rows or ())


def _fields(task: Task) -> tuple[str, str, str]:
    """Dump, database and gold query of a task.

    Raises:
        DataError: One of them is missing.
    """
    place, name = task.meta.get("dump"), task.meta.get("db")
    if not isinstance(place, str) or not isinstance(name, str) or task.answer is None:
        raise DataError(f"expected task {task.id!r} with a gold query as answer and meta 'db' and 'dump', got {task!r}")
    return place, name, task.answer
