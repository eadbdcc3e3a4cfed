"""The main job: SFT on annotated tasks, then self-improvement by episodes of one's own, tested after every stage.

    python -m lumos_rl.recipes.sft_then_dpo                       # embedded default: a laptop's CPU, no downloads
    python -m lumos_rl.recipes.sft_then_dpo --help                # every setting
    python -m lumos_rl.recipes.sft_then_dpo --dry-run             # what would be done, and whether it can be

Stages: base, sft, then the steps of the refinement (each collects episodes with the current policy and learns from
them, by rejection sampling or DPO), then, where asked for, the choice of the best policy on validation tasks and tests
of swapped modules, and a control: SFT that goes on for as many optimizer steps. A step whose episodes hold nothing to
learn is skipped, with a warning, and the policy stays. Killed at any moment and started again, it goes on with what is
missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumos_rl.core import Formulation, Module, Task, Trajectory
from lumos_rl.data.discovered import discovered_tasks
from lumos_rl.data.rows import balanced, count_by_module, success_rows
from lumos_rl.policies.layout import combine
from lumos_rl.recipes.collect import collect, collected, describe
from lumos_rl.recipes.dpo import pairs_of, train_on_pairs
from lumos_rl.recipes.evaluate import evaluate_stage, validate_stage
from lumos_rl.recipes.sft import (
    annotated_rows,
    base_stage,
    check_trainable,
    renamed_rows,
    sft_stage,
    taught_rows,
    train_on,
)
from lumos_rl.runs.chats import profile_of
from lumos_rl.runs.config import Refine, RunConfig, by_benchmark
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder
from lumos_rl.runs.launch import launch
from lumos_rl.runs.summary import swapped, write_summary
from lumos_rl.runs.tasks import RefineStep, TrainingTasks, refine_steps, resampled, training_tasks

log = logging.getLogger(__name__)


def main(config: RunConfig, run: RunFolder) -> None:
    """Runs every stage that is not finished, and writes the summary.

    Raises:
        ConfigError: As `check_trainable`.
    """
    check_trainable(config)
    began = time.monotonic()
    tasks = training_tasks(config.data, config.seed)
    base = base_stage(run, tasks)
    sft_stage(run, tasks, base)
    if config.evaluate_base:
        evaluate_stage(run, "base", Path(base))
    evaluate_stage(run, "sft", run.checkpoint("sft"))
    versions, steps = refine(run, tasks)
    if config.data.validation_tasks:
        best_stage(run, ["sft", *versions])
    if config.refine.swap and versions and config.rollout.formulation in (Formulation.ITERATIVE, Formulation.ONETIME):
        swap_stage(run, "sft", versions[-1])
    if config.refine.control and steps:
        control_stage(run, tasks, steps)
        evaluate_stage(run, "control", run.checkpoint("control"))
    print(write_summary(run, versions, time.monotonic() - began))


def refine(run: RunFolder, tasks: TrainingTasks) -> tuple[list[str], int]:
    """Every step of the refinement; the names of their policies, and the optimizer steps they took together.

    The steps are those of one model: where modules are separate, the mean over the modules.
    """
    policy, versions, steps = "sft", [], 0
    for step in refine_steps(run.config, tasks.explore):
        version = step.version
        played = collect_stage(run, policy, step)
        learn = _learn_successes if step.kind == Refine.RS else _learn_preferences
        result = run.stage(version, lambda: learn(run, version, policy, tasks, played()))  # noqa: B023 (called at once)
        if "skipped" in result:
            continue
        evaluate_stage(run, version, run.checkpoint(version))
        taken = [value for name, value in result.items() if name.endswith("steps")]
        steps += round(sum(taken) / len(taken))
        policy = version
        versions.append(version)
    return versions, steps


def collect_stage(run: RunFolder, policy: str, step: RefineStep) -> Callable[[], list[Trajectory]]:
    """Plays the tasks of a step, at most once; the function that it returns reads the episodes, failed ones too."""

    def numbers() -> dict[str, Any]:
        result = describe(collect(run, run.checkpoint(policy), policy, step.explore, step.rollout, TRAJECTORIES))
        run.log(f"collect/{step.version}", 0, result)
        return result

    run.stage(step.collecting, numbers)
    return lambda: collected(run, policy, step.explore, step.rollout, TRAJECTORIES)


def _learn_successes(
    run: RunFolder, version: str, policy: str, tasks: TrainingTasks, played: Sequence[Trajectory]
) -> dict[str, Any]:
    """Rejection sampling: SFT on episodes that succeeded, beside the annotated tasks."""
    settings = run.config.refine.rs
    least = by_benchmark(settings.min_rewards)
    rows = success_rows(played, settings.min_reward, settings.max_per_task, min_rewards=least)
    found = len(rows)
    if not found and not settings.annotated:
        return _skipped(version, f"no episode of {policy} earned {settings.min_reward} without an error")
    if settings.resample:
        rows += annotated_rows(run.config, _copies(run.config, tasks, played))
    rows += renamed_rows(run.config, rows[:found], settings.rename)
    copies = len(rows) - found
    if settings.annotated:
        rows = taught_rows(run.config, tasks) + rows
    if settings.balanced:
        rows = balanced(rows, run.config.seed)
    return {"successes": found, "copies": copies} | train_on(run, version, run.checkpoint(policy), rows, settings.train)


def _copies(config: RunConfig, tasks: TrainingTasks, played: Sequence[Trajectory]) -> list[Task]:
    """Tasks with other numbers, names and things, solved by the plans that these episodes found."""
    settings, profile = config.refine.rs, profile_of(config)
    explored, least = {task.id: task for task in tasks.explore}, by_benchmark(settings.min_rewards)
    found = discovered_tasks(played, explored, profile, settings.min_reward, least)
    copies = resampled(found, settings.resample, config.data, config.seed)
    log.info("%d plans found, %d copies of their tasks", len(found), len(copies))
    return copies


def _learn_preferences(
    run: RunFolder, version: str, policy: str, tasks: TrainingTasks, played: Sequence[Trajectory]
) -> dict[str, Any]:
    pairs = pairs_of(run, version, played)
    if not pairs:
        return _skipped(version, f"no preference pairs: the episodes of {policy} on one task earned about the same")
    log.info("%s: pairs %s", version, dict(count_by_module(pairs)))
    return train_on_pairs(run, version, run.checkpoint(policy), pairs)


def _skipped(version: str, why: str) -> dict[str, Any]:
    log.warning("%s is skipped: %s", version, why)
    return {"skipped": why}


def best_stage(run: RunFolder, policies: Sequence[str]) -> None:
    """Finds the policy that solves most validation tasks, the earliest of equals; `checkpoints/best` links to it."""

    def work() -> dict[str, Any]:
        solved = {name: validate_stage(run, name, run.checkpoint(name))["success"] for name in policies}
        best = max(policies, key=lambda name: solved[name])
        link = run.checkpoint("best")
        link.unlink(missing_ok=True)
        link.symlink_to(best, target_is_directory=True)
        return {"best": best, "solved": solved}

    run.stage("best", work)


def swap_stage(run: RunFolder, old: str, new: str) -> None:
    """Tests the planner of one policy with the grounder of another, both ways; nothing is trained."""
    for planner, grounder in ((old, new), (new, old)):
        name = swapped(planner, grounder)
        folder = run.checkpoint(name)
        combine(folder, {Module.PLANNER: run.checkpoint(planner), Module.GROUNDER: run.checkpoint(grounder)})
        profile_of(run.config).save(folder)
        evaluate_stage(run, name, folder)


def control_stage(run: RunFolder, tasks: TrainingTasks, steps: int) -> None:
    """SFT that goes on, on the annotated tasks alone, for as many optimizer steps as the refinement took."""
    rows = taught_rows(run.config, tasks)
    settings = replace(run.config.refine.rs.train, max_steps=steps)
    run.stage("control", lambda: train_on(run, "control", run.checkpoint("sft"), rows, settings))


if __name__ == "__main__":
    launch(__doc__, RunConfig, main)
