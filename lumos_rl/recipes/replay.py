"""Plays a run's stored episodes again, action by action, and tells what comes out differently.

    python -m lumos_rl.recipes.replay runs/tiny-0

    trajectories.jsonl gsm8k/train/17#0 turn 3 observation: stored 'R1 = 5', now 'R1 = 6'
    trajectories.jsonl: 3200 episodes, 9811 steps, 1 difference

No model takes part: the stored actions go into fresh environments, and observations, rewards, errors and the end must
be those that were stored. The exit status is 1 if anything differs, or a task is no longer there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from lumos_rl.console import failed, stopped, until_pipe_closes
from lumos_rl.core import Task, Trajectory
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.errors import LumosError, MissingFileError
from lumos_rl.runs.folder import EVALUATION, TRAJECTORIES, VALIDATION
from lumos_rl.runs.job import Job
from lumos_rl.runs.lines import Lines
from lumos_rl.runs.replay import replay_all
from lumos_rl.runs.stored import read_settings, revealed
from lumos_rl.runs.tasks import test_tasks


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """What is played again.

    Attributes:
        run: Folder of a run, made with the same data at hand.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]


def main(config: ReplayConfig) -> int:
    """Replays the files of a run; the exit status.

    Raises:
        MissingFileError: There is no run in the folder.
    """
    settings = config.run / "config.json"
    if not settings.is_file():
        raise MissingFileError(f"expected a run in {config.run} (config.json): not there; give the folder of a run")
    job = Job(revealed(read_settings(settings)))
    tasks: Mapping[str, Callable[[], Iterable[Task]]] = {
        TRAJECTORIES: lambda: job.training.explore,
        EVALUATION: lambda: _tested(job, config.run),
        VALIDATION: lambda: job.validation_tasks,
    }
    wrong = 0
    for name, load in tasks.items():
        if not (config.run / name).is_file():
            continue
        stored = Lines(config.run / name).all(Trajectory)
        count = replay_all(stored, load(), job.make_env, functools.partial(print, name))
        missing = f", {count.missing} without their task" if count.missing else ""
        print(f"{name}: {count.episodes} episodes, {count.steps} steps, {count.differences} differences{missing}")
        wrong += count.differences + count.missing
    return int(wrong > 0)


def _tested(job: Job, run: Path) -> Sequence[Task]:
    """The test tasks of the run, and further ones that the recipe `evaluate` may have played."""
    data = job.config.data
    played = {(episode.task_id, episode.split) for episode in Lines(run / EVALUATION).all(Trajectory)}
    splits = dict.fromkeys([*data.test_split, *sorted({split for _, split in played if split == UNSEEN})])
    most = None if data.test_tasks is None else max(data.test_tasks, len(played))
    return test_tasks(replace(data, test_split=tuple(splits), test_tasks=most))


if __name__ == "__main__":
    try:
        with until_pipe_closes():
            sys.exit(main(tyro.cli(ReplayConfig, description=__doc__)))
    except LumosError as error:
        sys.exit(failed(str(error)))
    except KeyboardInterrupt as stop:
        sys.exit(stopped(stop))
