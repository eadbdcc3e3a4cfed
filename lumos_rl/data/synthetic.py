"""Built-in suites: generated tasks with gold plans, for work without downloads.

    synthetic_tasks("gsm8k", "train", limit=2)     # word problems of two to four steps
    synthetic_tasks("webshop", "test")             # purchases in a shop of made-up products

    synthetic_tasks("gsm8k", "unseen")             # problems of templates that no other split has

The suite of each task type is in its folder (e.g. `lumos_rl.envs.math.suite`). Splits share no task. The templates of
"unseen" (`Task.meta["template"]`) occur in no other split, so it shows what was learned beyond them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.shared import Drawn
from lumos_rl.errors import UnknownNameError

UNSEEN = "unseen"
DEFAULT_SIZE: Mapping[str, int] = {"test": 300, "dev": 300, UNSEEN: 300, "train": 4000}


def synthetic_tasks(benchmark: str, split: str = "test", limit: int | None = None, seed: int = 0) -> list[Task]:
    """The first tasks of a built-in suite.

    Args:
        benchmark: Name of a task type with a built-in suite.
        split: "train", "dev", "test" or, of a suite that has it, "unseen".
        limit: How many; None gives `DEFAULT_SIZE[split]`. A smaller limit gives a prefix of a larger one.
        seed: Seed of the tasks; part of their ids unless it is 0.

    Returns:
        Tasks with gold answer and gold plan, each text once.

    Raises:
        UnknownNameError: No such suite or split.
    """
    splits = splits_of(benchmark)
    if split not in splits:
        raise UnknownNameError(f"split of the built-in suite of {benchmark}", split, splits)
    count = DEFAULT_SIZE[split] if limit is None else limit
    return _drawn(benchmark, split, seed).first(count)


def splits_of(benchmark: str) -> list[str]:
    """The splits of a built-in suite; "unseen" is among them only if the task type declares it.

    Raises:
        UnknownNameError: No such suite.
    """
    task_type = task_types.get(benchmark)
    task_type.get_suite()
    return [split for split in DEFAULT_SIZE if split != UNSEEN or task_type.unseen]


@lru_cache(maxsize=16)
def _drawn(benchmark: str, split: str, seed: int) -> Drawn[Task]:
    return Drawn(task_types.get(benchmark).get_suite()(benchmark, split, seed))
