"""The tasks of a run: annotated ones to imitate, others to explore, and those it is tested on.

training_tasks(DataConfig(), seed=0)   # 300 annotated tasks, and 2,000 with only an answer
test_tasks(DataConfig())               # 300 tasks of the built-in suite's test split
test_tasks(DataConfig(test_split=("test", "unseen")))    # and as many of templates that training never shows
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.shuffled import shuffled
from lumos_rl.data.synthetic import DEFAULT_SIZE, UNSEEN, splits_of, synthetic_tasks
from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.entries import source_parts
from lumos_rl.runs.overlap import refuse_overlap
from lumos_rl.runs.splits import divided, learnable_part, same_file, tested_part

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingTasks:
    """What a run learns from.

    Attributes:
        annotated: Tasks with gold plans, and copies of them with other numbers.
        explore: Tasks without plans; their answers grade the episodes.
        rejected: Number of records that the annotator rejected, of those that it looked at.
        copies: How many of `annotated` are copies.
    """

    annotated: list[Task]
    explore: list[Task]
    rejected: int = 0
    copies: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks are annotated, how many are explored, and how many of these are annotated as well."""
        learned = {task.id for task in self.annotated}
        return {
            "annotated": len(self.annotated) - self.copies,
            "rejected": self.rejected,
            "explored": len(self.explore),
            "explored_annotated": sum(task.id in learned for task in self.explore),
        }


def training_tasks(config: DataConfig, seed: int) -> TrainingTasks:
    """The training tasks of all sources, in the sources' order.

    A file that is tested on as well is divided (`runs.splits`); any other source without a training split gives what is
    not tested on. What equals a validation task is left out.

    Raises:
        MissingFileError: A source's file does not exist.
        ConfigError: All tasks of a built-in suite are asked for, no training task is left, or some are tested on.
    """
    tested, chosen_by = test_tasks(config), validation_tasks(config)
    held_out = HeldOut([*tested, *chosen_by])
    parts = [_training_tasks(source, config, seed, HeldOut(chosen_by), held_out) for source in train_sources(config)]
    parts = [part if number == 1 else _apart(part, parts[: number - 1], number) for number, part in enumerate(parts, 1)]
    found = TrainingTasks(
        [task for part in parts for task in part.annotated],
        [task for part in parts for task in part.explore],
        sum(part.rejected for part in parts),
        sum(part.copies for part in parts),
    )
    refuse_overlap([*found.annotated, *found.explore], tested, config)
    return found


def _training_tasks(source: str, config: DataConfig, seed: int, chosen_by: HeldOut, held_out: HeldOut) -> TrainingTasks:
    benchmark, where = split_source(source, config)
    if where == "synthetic":
        if config.annotated is None or config.explore is None:
            raise ConfigError(
                f"expected numbers as --data.annotated and --data.explore with {source}, which has no end, got"
                f" {config.annotated} and {config.explore}"
            )
        tasks = synthetic_tasks(benchmark, "train", config.annotated + config.explore, seed)
        annotated, rejected = tasks[: config.annotated], 0
        explore = tasks[config.annotated :]
    else:
        chosen = {task.id for task in _chosen_by(benchmark, where, config)}
        read = [task for task in learnable(benchmark, where, config) if task.id not in chosen]
        kept = [task for task in read if task not in chosen_by]
        if len(kept) < len(read):
            log.info("%s: %d tasks equal one of validation and are left out", source, len(read) - len(kept))
        found = divided(kept, config.annotated, config.explore, seed)
        annotated, explore, rejected = found.annotated, found.explore, found.rejected
    copies = resampled(annotated, config.resample, config, seed, held_out)
    own = graded_as(benchmark)
    part = TrainingTasks(
        [replace(cased(task, config), benchmark=own) for task in annotated + copies],
        [replace(cased(task, config), benchmark=own, subgoals=()) for task in explore],
        rejected,
        len(copies),
    )
    log.info("%s: %s", source, training_line(part.counts, len(copies)))
    return part


def training_line(counts: Mapping[str, int], copies: int = 0) -> str:
    """What a log, a dry run and a summary say of training tasks.

    >>> training_line({"annotated": 300, "rejected": 2, "explored": 900, "explored_annotated": 0})
    '300 annotated (2 rejected), 900 to explore, none of them annotated'
    >>> training_line({"annotated": 98, "rejected": 2, "explored": 100, "explored_annotated": 98}, 5)
    '98 annotated (2 rejected) and 5 copies, 100 to explore, 98 of them annotated too: SFT has seen their plans'
    """
    both = counts["explored_annotated"]
    more = f" and {copies} copies" if copies else ""
    again = f"{both} of them annotated too: SFT has seen their plans" if both else "none of them annotated"
    explored = f"{counts['explored']} to explore" + (f", {again}" if counts["explored"] else "")
    return f"{counts['annotated']} annotated ({counts['rejected']} rejected){more}, {explored}"


def learnable(benchmark: str, where: str, config: DataConfig) -> list[Task]:
    """The training tasks of a file or folder, those for validation too. Without a training split, what is not tested.

    Raises:
        ConfigError: None is left for training.
    """
    tasks = load_tasks(benchmark, where, "train")
    kept = tasks
    if _is_divided(benchmark, where, config):
        split, *_ = _splits(benchmark, where, config)
        kept = learnable_part(tasks, _tested(benchmark, where, split, config), where)
    elif not all(task.split == "train" for task in tasks):
        tested = HeldOut(test_tasks(config))
        kept = [task for task in tasks if task not in tested]
        if len(kept) < len(tasks):
            log.info("%s has no training split: %d of its tasks are used for tests only", where, len(tasks) - len(kept))
    if len(kept) <= config.validation_tasks:
        raise ConfigError(
            f"expected more than data.validation_tasks={config.validation_tasks} training tasks in {benchmark}={where},"
            f" got {len(kept)} besides the test tasks; lower data.validation_tasks or data.test_tasks"
        )
    return kept


def _chosen_by(benchmark: str, where: str, config: DataConfig) -> list[Task]:
    """The tasks of a file or folder by which the best policy is chosen."""
    count = config.validation_tasks
    return shuffled(learnable(benchmark, where, config))[:count] if count else []


def _is_divided(benchmark: str, where: str, config: DataConfig) -> bool:
    """Whether one file is both learned and tested, and so has to be divided.

    Not where its reader knows splits, and not where tasks that are learned may be tested.
    """
    if config.allow_overlap:
        return False
    sources = [[split_source(each, config) for each in found(config)] for found in (train_sources, test_sources)]
    both = all(any(own == benchmark and same_file(place, where) for own, place in each) for each in sources)
    return both and all(task.split == "train" for task in load_tasks(benchmark, where, "train", 1))


def _tested(benchmark: str, where: str, split: str, config: DataConfig) -> list[Task]:
    """The test tasks of a source: the first ones; of a file that is learned as well, those of `tested_part`."""
    if _is_divided(benchmark, where, config):
        return tested_part(load_tasks(benchmark, where, split), config.test_tasks)
    return load_tasks(benchmark, where, split, config.test_tasks)


def _apart(part: TrainingTasks, others: Sequence[TrainingTasks], number: int) -> TrainingTasks:
    """The tasks of a source, with ids of their own where other sources use the same: `gsm8k/train/0@2`."""
    used = {task.id for other in others for task in (*other.annotated, *other.explore)}
    if not any(task.id in used for task in (*part.annotated, *part.explore)):
        return part
    annotated, explore = (
        [replace(task, id=f"{task.id}@{number}") for task in tasks] for tasks in (part.annotated, part.explore)
    )
    return replace(part, annotated=annotated, explore=explore)


def resampled(
    tasks: Sequence[Task], copies: int, config: DataConfig, seed: int, held_out: HeldOut | None = None
) -> list[Task]:
    """Copies of tasks with other numbers, names and things; copies that equal a held-out task are left out.

    Args:
        tasks: Tasks with plans.
        copies: How many of each.
        config: Names the test and validation tasks, which are held out.
        seed: Seed of the new numbers.
        held_out: Those tasks; None finds them.
    """
    if not copies:
        return []
    sources = {*test_sources(config), *train_sources(config)}  # training sources: for validation
    plans = set().union(*(_held_out_plans(source, config) for source in sources))
    if held_out is None:
        held_out = HeldOut([*test_tasks(config), *validation_tasks(config)])
    made = [(copy, task) for task in tasks for copy in _resampled(task, copies, seed)]
    kept = [copy for copy, task in made if _plan(copy, task.meta.get("kind")) not in plans and copy not in held_out]
    if len(kept) < len(made):
        log.info("%d of %d copies equal tasks that are held out, and are not learned", len(made) - len(kept), len(made))
    return kept


def _resampled(task: Task, copies: int, seed: int) -> Sequence[Task]:
    kind = task_types.find(task.benchmark)
    resample = kind.get_resampler() if kind else None
    return resample(task, copies, seed) if resample else ()


Plan = tuple[str | None, tuple[str, ...]]  # kind of problem, and the arguments of its actions


def _plan(task: Task, kind: str | None) -> Plan:
    return kind, tuple(action.args for subgoal in task.subgoals for action in subgoal.actions)


def _held_out_plans(source: str, config: DataConfig) -> set[Plan]:
    """Plans that a copy must not have: those of a built-in suite's dev and test splits."""
    benchmark, where = split_source(source, config)
    if where != "synthetic" or task_types.get(benchmark).get_resampler() is None:
        return set()
    return {
        _plan(task, task.meta.get("kind"))
        for split in ("dev", "test")
        for task in synthetic_tasks(
            benchmark, split, max(DEFAULT_SIZE[split], config.test_tasks or 0, config.validation_tasks)
        )
    }


def cased(task: Task, config: DataConfig) -> Task:
    """The task with its texts in lower case, where `data.lower_case` is set."""
    if not config.lower_case:
        return task
    subgoals = tuple(
        replace(subgoal, text=subgoal.text.lower(), thought=subgoal.thought.lower()) for subgoal in task.subgoals
    )
    return replace(task, instruction=task.instruction.lower(), subgoals=subgoals)


def test_tasks(config: DataConfig) -> list[Task]:
    """The test tasks of all sources, in the sources' order, and of each the splits.

    Raises:
        ConfigError: Two sources of one benchmark, or a source has none of the splits; other errors are as for
            `training_tasks`.
    """
    places = [split_source(source, config) for source in test_sources(config)]
    repeated = [name for name, count in Counter(graded_as(benchmark) for benchmark, _ in places).items() if count > 1]
    if repeated:
        raise ConfigError(
            f"expected one test source per benchmark, got several of {', '.join(repeated)}, whose scores would mix;"
            " test on each separately, with python -m lumos_rl.recipes.evaluate"
        )
    return [
        replace(cased(task, config), benchmark=graded_as(benchmark))
        for benchmark, where in places
        for split in _splits(benchmark, where, config)
        for task in _tested(benchmark, where, split, config)
    ]


def _splits(benchmark: str, where: str, config: DataConfig) -> list[str]:
    """Those of the splits to test on that a source has: "unseen" is one of built-in suites."""
    if where == "synthetic":
        known = splits_of(benchmark)
    else:
        named = [] if Path(where).is_file() else [*task_types.get(benchmark).get_reader().files]
        known = [split for split in config.test_split if split != UNSEEN or split in named]
    found = [split for split in config.test_split if split in known]
    if not found:
        raise ConfigError(
            f"expected a split of {benchmark}={where} as --data.test-split, got {', '.join(config.test_split)}, which"
            " built-in suites have; add test or dev"
        )
    if len(found) < len(config.test_split):
        log.info("%s=%s has no split %s: it is tested on %s", benchmark, where, UNSEEN, ", ".join(found))
    return found


def validation_tasks(config: DataConfig) -> list[Task]:
    """Tasks of every training source for choosing the best policy; errors as for `training_tasks`."""
    if not config.validation_tasks:
        return []
    found: list[Task] = []
    for benchmark, where in (split_source(source, config) for source in train_sources(config)):
        count, own = config.validation_tasks, graded_as(benchmark)
        if where == "synthetic":
            tasks = synthetic_tasks(benchmark, "dev", count)
        else:
            tasks = _chosen_by(benchmark, where, config)
        found += [replace(cased(task, config), benchmark=own, subgoals=()) for task in tasks]
    refuse_overlap(found, test_tasks(config), config, "used for validation")
    return found


def train_sources(config: DataConfig) -> tuple[str, ...]:
    """The sources of training tasks."""
    return tuple(f"{name}=synthetic" for name in suites_of(config.suites)) or config.train


def test_sources(config: DataConfig) -> tuple[str, ...]:
    """The sources of test tasks."""
    known = tuple(f"{name}=synthetic" for name in suites_of(config.suites)) or config.test
    return known + tuple(f"{name}=synthetic" for name in suites_of(config.held_out))


def suites_of(words: Sequence[str]) -> list[str]:
    """Benchmarks of suites such as math and qa."""
    return [name for word in words for name in task_types.suites(word)]


def graded_as(benchmark: str) -> str:
    """The benchmark whose environment grades the tasks of this one."""
    return task_types.get(benchmark).grader


def split_source(source: str, config: DataConfig) -> tuple[str, str]:
    """Benchmark and place of a source; a relative path is joined to the data folder.

    Raises:
        UnknownNameError: Unknown benchmark.
        ConfigError: It is not BENCHMARK=WHERE.
    """
    benchmark, where = source_parts(source)
    if where == "synthetic" or where.startswith("hf:"):
        return benchmark, where
    return benchmark, str(Path(config.folder) / where)
