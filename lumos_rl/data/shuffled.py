"""Orders of tasks that depend on nothing but their texts, to take a part that stands for all: a file may be sorted.

>>> tasks = [Task(f"gsm8k/train/{n}", "gsm8k", f"What is {n} + 1?") for n in range(5)]
>>> [task.id[-1] for task in shuffled(tasks)] == [task.id[-1] for task in shuffled(tasks[::-1])]
True
>>> sorted(task.id for task in shuffled(tasks, seed=1)) == [task.id for task in tasks]
True

The order is the same in every process and whatever the order of the file; a part of n tasks contains that of n - 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lumos_rl.core import Task
from lumos_rl.data.overlap import key


def shuffled(tasks: Sequence[Task], seed: int | None = None) -> list[Task]:
    """The tasks in an order of their own.

    Args:
        tasks: Tasks of one benchmark.
        seed: Each gives another order; None gives the one that no seed gives.
    """
    return sorted(tasks, key=lambda task: _hashed(seed, *key(task)))


def shuffled_by_place(tasks: Sequence[Task]) -> list[Task]:
    """The same, place after place (`TaskType.place`, such as a database), so that a part leaves few places cut."""
    return sorted(tasks, key=lambda task: (_hashed(None, place_of(task)), _hashed(None, *key(task))))


def place_of(task: Task) -> str:
    """Where a task takes place; "" if that does not matter to its task type."""
    return key(task)[1]


def _hashed(seed: int | None, *parts: str) -> bytes:
    return hashlib.sha256("\0".join(("" if seed is None else str(seed), *parts)).encode()).digest()
