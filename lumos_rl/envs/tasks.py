"""The tasks of an environment: loaded from their source, chosen by index or id, or played one after the other.

    tasks = TaskList("gsm8k", found, shard=(1, 4))
    tasks.pick("gsm8k/test/7"), tasks.pick(7)     # the same task
    [tasks.next().id for _ in range(3)]           # tasks 1, 5 and 9: this is the second of four environments
    tasks.round                                   # 0: the share's first pass

With `shard=4` the part comes from the seed of `reset`. `gym.make_vec` gives its sub-environments consecutive seeds, so
together they play each task exactly once in their first round.
"""

from __future__ import annotations

import difflib
import logging
import operator
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Shard = tuple[int, int] | int


def found_tasks(benchmark: str, source: str | Path, split: str | None, limit: int | None) -> list[Task]:
    """The tasks of a source; unreadable records are left out, with one warning that counts them.

    Raises:
        DataError: No record can be read.
        LumosError: As `load_tasks`.
    """
    bad: list[DataError] = []
    found = load_tasks(benchmark, source, split, limit, lambda key, error: bad.append(error))
    if bad and not found:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataError(f"expected {benchmark} records in {str(source)!r}, got none that can be read: {bad[0]}{more}")
    if bad:
        _warn(str(source), len(bad), len(bad) + len(found), "; ".join(map(str, bad[:3])))
    return found


@lru_cache(maxsize=256)
def _warn(source: str, bad: int, every: int, said: str) -> None:
    """Warns once, however many environments share the source."""
    more = " …" if bad > 3 else ""
    log.warning("%s: %d of %d records cannot be read and are left out: %s%s", source, bad, every, said, more)


class TaskList(Sequence[Task]):
    """The tasks of an environment.

    Attributes:
        parts: Number of shards; None without a shard.
        round: How many times all tasks of the shard were played; None without a shard.
    """

    def __init__(self, benchmark: str, tasks: Sequence[Task], shard: Shard | None = None) -> None:
        """Checks the tasks.

        Raises:
            ConfigError: A task is of another benchmark, or the shard is impossible.
        """
        self.benchmark = benchmark
        self.all = tuple(self.own(task) for task in tasks)
        self._part, self.parts = _checked(shard, len(self.all))
        self._fixed = self._part is not None
        self._played = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self.all)

    def __getitem__(self, index: Any) -> Any:
        """A task, or a tuple of tasks for a slice."""
        return self.all[index]

    @property
    def round(self) -> int | None:
        """See the class; the task that `next` gave last belongs to this round."""
        return None if self.parts is None else max(0, self._played - 1) // self._size

    @property
    def _size(self) -> int:
        """How many tasks the shard has."""
        assert self.parts is not None and self._part is not None, "asked for with a shard, after `begin` or `next`"
        return len(range(self._part, len(self.all), self.parts))

    def begin(self, seed: int | None) -> None:
        """Starts the shard again; without a part of its own, the seed decides which part it is."""
        if self.parts is not None and seed is not None:
            self._part, self._played = self._part if self._fixed else seed % self.parts, 0

    def next(self) -> Task:
        """The next task of the shard.

        Raises:
            ConfigError: The part is not known yet.
        """
        if self._part is None or self.parts is None:
            raise ConfigError(
                f"expected reset(seed=…) first, got reset() with shard={self.parts}: the seed decides which part of the"
                " tasks this environment plays; or give shard as a pair such as (0, 4)"
            )
        index = self._part + self.parts * (self._played % self._size)
        self._played += 1
        return self.all[index]

    def pick(self, wanted: Any) -> Task:
        """The task that `wanted` names: an index, an id, or a task itself.

        Raises:
            ConfigError: There is none, or it is of another benchmark.
        """
        if isinstance(wanted, Task):
            return self.own(wanted)
        if isinstance(wanted, str):
            return self._by_id(wanted)
        try:
            index = operator.index(wanted)
        except TypeError as error:
            raise ConfigError(f"expected task as an index, an id or a Task, got {type(wanted).__name__}") from error
        if not 0 <= index < len(self.all):
            raise ConfigError(f"expected a task index from 0 to {len(self.all) - 1}, got {index}")
        return self.all[index]

    def _by_id(self, wanted: str) -> Task:
        for task in self.all:
            if task.id == wanted:
                return task
        known = [task.id for task in self.all]
        close = difflib.get_close_matches(wanted, known, n=3) or known[:3]
        raise ConfigError(f"expected one of {len(known)} task ids such as {', '.join(close)}; got {wanted!r}")

    def own(self, task: Task) -> Task:
        """The task, if it is of this benchmark.

        Raises:
            ConfigError: It is not.
        """
        if task.benchmark != self.benchmark:
            raise ConfigError(f"expected a {self.benchmark} task, got one of {task.benchmark} (task {task.id!r})")
        return task


def _checked(shard: object, tasks: int) -> tuple[int | None, int | None]:
    """Part, None if the seed decides it, and number of parts; None for both without a shard."""
    if shard is None:
        return None, None
    found = tuple(shard) if isinstance(shard, list | tuple) else (0, shard)
    if len(found) != 2 or not all(type(each) is int for each in found) or not 0 <= found[0] < found[1]:
        raise ConfigError(
            f"expected shard as (part, parts) with 0 <= part < parts, or as the number of parts, got {shard!r}"
        )
    if found[1] > tasks:
        raise ConfigError(f"expected at most {tasks} shards, because there are {tasks} tasks, got {found[1]}")
    return (found[0] if isinstance(shard, list | tuple) else None), found[1]
