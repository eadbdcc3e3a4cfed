"""Which tasks of a source are tested, learned with their annotation, and explored without it.

    tested_part(tasks, 50)                # of a file that is also trained on
    learnable_part(tasks, tested)         # the rest of it
    divided(tasks, annotated=1000, explore=None, seed=0)     # 1,000 with plans, all others to explore

A file may be sorted, so each part is taken in an order of hashed texts (`lumos_rl.data.shuffled`). The tested part does
not depend on the seed of a run; which tasks have annotations does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lumos_rl.core import Task
from lumos_rl.data.annotate import annotate
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.shuffled import place_of, shuffled, shuffled_by_place
from lumos_rl.task_types import Reject

log = logging.getLogger(__name__)

KEPT = 20_000  # annotated tasks that a process keeps, as a dry run asks for them several times


@dataclass(frozen=True, slots=True)
class Divided:
    """The training tasks of a source.

    Attributes:
        annotated: Tasks with gold plans, in the source's order.
        explore: Tasks to explore; some may be annotated as well.
        rejected: How many records the annotator rejected, of those that it looked at.
    """

    annotated: list[Task]
    explore: list[Task]
    rejected: int


def same_file(one: str, other: str) -> bool:
    """Whether two sources are the same single file."""
    paths = Path(one), Path(other)
    return all(path.is_file() for path in paths) and paths[0].samefile(paths[1])


def tested_part(tasks: Sequence[Task], count: int | None) -> list[Task]:
    """The tested tasks of a file that is trained on as well: at most `count`, one place after the other."""
    return shuffled_by_place(tasks)[:count]


def learnable_part(tasks: Sequence[Task], tested: Sequence[Task], where: str) -> list[Task]:
    """The tasks of a file, without those that are tested, and those that take place where tests do."""
    held_out, places = HeldOut(tested), {place_of(task) for task in tested} - {""}
    kept = [task for task in tasks if task not in held_out and place_of(task) not in places]
    unused = len(tasks) - len(kept) - len(tested)
    in_places = f", which take place in {', '.join(sorted(places))}" if places else ""
    _say(
        f"{where} is learned and tested: {len(tested)} of its {len(tasks)} tasks are tests{in_places};"
        f" {unused} more {'of these places' if places else 'like them'} are not used"
    )
    return kept


@lru_cache(maxsize=64)
def _say(line: str) -> None:
    """Logs once, however often a process asks for the tasks."""
    log.info(line)


def divided(tasks: Sequence[Task], annotated: int | None, explore: int | None, seed: int) -> Divided:
    """Divides training tasks into annotated ones and those to explore.

    Args:
        tasks: The tasks, with their benchmark's own solutions.
        annotated: Most annotated tasks; None takes all that have a plan.
        explore: Most tasks to explore, those without an annotation first. None takes all of these, or, where every
            task is annotated as far as it can be, all tasks.
        seed: Decides which tasks are annotated, and the order of the others.
    """
    order = shuffled(tasks, seed)
    plans: dict[str, Task] = {}
    looked_at = 0
    for task in order:
        if len(plans) == annotated:
            break
        looked_at += 1
        if isinstance(found := _annotated(_Same(task)), Task):
            plans[task.id] = found
    others = [task for task in order if task.id not in plans]
    every = others + [task for task in order if task.id in plans]
    chosen = others if explore is None and looked_at < len(order) else every[:explore]
    return Divided([plans[task.id] for task in tasks if task.id in plans], chosen, looked_at - len(plans))


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A task as a key: its content cannot be hashed, and tasks of one file are the same objects in a process."""

    task: Task

    def __hash__(self) -> int:
        return id(self.task)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.task is self.task


@lru_cache(maxsize=KEPT)
def _annotated(same: _Same) -> Task | Reject:
    return annotate(same.task)
