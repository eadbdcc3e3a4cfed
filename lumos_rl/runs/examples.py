"""Annotated tasks that test episodes start with, as turns already played: in-context learning.

    test_examples(DataConfig(examples=2), everywhere=True)     # {"gsm8k": [Task("gsm8k/train/0", …), …]}

They come from the training split of the tested files, else from the run's training sources, else from the built-in
suite; never from what is tested.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.shuffled import shuffled
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.tasks import (
    cased,
    graded_as,
    learnable,
    split_source,
    suites_of,
    test_sources,
    test_tasks,
    train_sources,
)

log = logging.getLogger(__name__)

Place = tuple[str, str]  # benchmark and where, as `split_source` gives them


def counted(examples: int) -> str:
    """`1 example`, `2 examples`."""
    return f"{examples} example{'' if examples == 1 else 's'}"


def test_examples(config: DataConfig, everywhere: bool = False) -> dict[str, list[Task]]:
    """`data.examples` annotated training tasks by benchmark, for the prompts of test episodes.

    Args:
        config: Settings of the data.
        everywhere: Whether every benchmark that is tested gets them, or only those of `data.held_out`.

    Raises:
        ConfigError: No source has an annotated training task of one of these.
    """
    if not config.examples:
        return {}
    tested = {graded_as(place[0]): place for place in (split_source(each, config) for each in test_sources(config))}
    shown = list(tested) if everywhere else suites_of(config.held_out)
    if without := [name for name in tested if name not in shown]:
        log.info("no examples before episodes of %s, which is learned", ", ".join(without))
    return {name: _examples(name, tested[name], config) for name in shown}


def _examples(name: str, tested: Place, config: DataConfig) -> list[Task]:
    """Those of the first source that has any, in the order in which the head of this file names them."""
    trained = [split_source(each, config) for each in train_sources(config)]
    places = [tested, *(place for place in trained if graded_as(place[0]) == name)]
    for place in dict.fromkeys(place for place in places if place[1] != "synthetic"):
        tasks = _own(place, config) if place == tested and place not in trained else learnable(*place, config)
        if found := _annotated(tasks, config.examples):
            return _said(name, found, "=".join(place), config)
    if task_types.get(name).suite is None:
        where = " or ".join("=".join(place) for place in places)
        raise ConfigError(
            f"expected annotated training tasks of {name} for --data.examples {config.examples} in {where}, got none,"
            " and it has no built-in suite; name files that have some as --data.train, or leave examples out"
        )
    return _said(name, synthetic_tasks(name, "train", config.examples), f"{name}=synthetic", config)


def _own(place: Place, config: DataConfig) -> list[Task]:
    """The tasks of the training split of tested files that are not tested; none where there is no such split."""
    benchmark, where = place
    if Path(where).is_file():  # which is tested
        return []
    try:
        tasks = load_tasks(benchmark, where, "train")
    except (ConfigError, DataError, MissingFileError) as error:
        log.info("%s=%s has no training tasks for examples: %s", benchmark, where, error)
        return []
    held_out = HeldOut(test_tasks(config))
    return [task for task in tasks if task.split == "train" and task not in held_out]


def _annotated(tasks: Sequence[Task], count: int) -> list[Task]:
    """The first ones with a plan, in an order that does not depend on that of a file."""
    plans = (annotate(task) for task in shuffled(tasks))
    return list(itertools.islice((task for task in plans if isinstance(task, Task)), count))


def _said(name: str, found: Sequence[Task], where: str, config: DataConfig) -> list[Task]:
    """The tasks as those of the tested benchmark, with a line of the log."""
    log.info("%s before each episode of %s, from %s", counted(len(found)), name, where)
    return [replace(cased(task, config), benchmark=name) for task in found]
