"""Tests of a run's policy under other settings than the run's: what was played stays, and what was learned is no test.

with RunFolder(asked.folder, with_stored_tests(asked)) as run: ...
learned_tests(run.config, job.test_tasks, asked.data)       # ConfigError: expected test tasks that are not learned
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from lumos_rl.core import Task
from lumos_rl.errors import DataError, MissingExtraError, MissingFileError
from lumos_rl.runs.chats import chat_rows
from lumos_rl.runs.config import DataConfig, RunConfig
from lumos_rl.runs.launch import stored_settings
from lumos_rl.runs.overlap import learned_by_part, refuse_chats, refuse_overlap
from lumos_rl.runs.tasks import training_tasks, validation_tasks

log = logging.getLogger(__name__)

ASKED = ("test_tasks", "test_split", "examples", "allow_overlap")  # of data: each test may have its own


def with_stored_tests(run: RunConfig) -> RunConfig:
    """The settings under which a folder is opened: those of its tests are as they were stored, whatever is asked now.

    So what was played under them stays, and only what is missing is played.
    """
    stored = stored_settings(str(run.folder))
    if stored is None:
        return run
    kept = {name: getattr(stored.data, name) for name in ASKED}
    evaluate = replace(run.evaluate, samples=stored.evaluate.samples, temperatures=stored.evaluate.temperatures)
    return replace(run, data=replace(run.data, **kept), evaluate=evaluate)


def learned_tests(trained: RunConfig, tested: Sequence[Task], asked: DataConfig) -> dict[str, tuple[int, int]]:
    """By part of the scores, how many of how many test tasks a run has learned; {} where none.

    Args:
        trained: Settings of the run.
        tested: The test tasks, which may be others than the run's.
        asked: Settings of the test; `allow_overlap` lets learned tasks pass.

    Raises:
        ConfigError: The run has learned some of them.
    """
    data = replace(trained.data, resample=0, rename=0)  # copies equal no other task
    try:
        training = training_tasks(data, trained.seed)
        learned, chats = [*training.annotated, *training.explore, *validation_tasks(data)], chat_rows(data)
    except (DataError, MissingExtraError, MissingFileError) as error:
        log.warning("the run's training data cannot be read, so whether it learned test tasks is not known: %s", error)
        return {}
    refuse_overlap(learned, tested, asked)
    refuse_chats(chats, tested, asked)
    return learned_by_part(learned, chats, tested)
