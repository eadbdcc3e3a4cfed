"""Self-improvement: each step collects episodes with the current policy and learns from them.

    versions, steps = refine(job, run)     # (["rs-1", "rs-2", "dpo-3"], 1950)

A step is skipped with a warning if its episodes contain nothing to learn; the policy stays the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lumos_rl.core import PreferencePair, Task, Trajectory
from lumos_rl.data.discovered import discovered_tasks
from lumos_rl.data.rows import balanced, count_by_module, preference_pairs, success_rows
from lumos_rl.rollout.plans import exploration_seed
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.learn import Learner
from lumos_rl.runs.play import Player, describe
from lumos_rl.runs.refine_settings import PreferenceConfig, Refine
from lumos_rl.runs.stages import evaluate_stage
from lumos_rl.runs.steps import RefineStep

log = logging.getLogger(__name__)


def refine(job: Job, run: RunFolder) -> tuple[list[str], int]:
    """Runs all refinement steps; returns the names of their policies and the total of their optimizer steps.

    With separate modules, the optimizer steps are the mean over the modules.
    """
    player, learner = job.player(run), job.learner(run)
    policy, versions, steps = "sft", [], 0
    for step in job.steps:
        version = step.version
        played = collect_stage(run, player, policy, step, job.config.seed)
        learn = _learn_successes if step.kind == Refine.RS else _learn_preferences
        result = run.stage(version, lambda: learn(job, learner, version, policy, played()))  # noqa: B023 (called at once)
        if "skipped" in result:
            continue
        tests = job.test_tasks, job.config.test_rollout, job.examples(version)
        evaluate_stage(run, player, version, run.checkpoint(version), *tests)
        taken = [value for name, value in result.items() if name.endswith("steps")]
        steps += round(sum(taken) / len(taken))
        policy = version
        versions.append(version)
    return versions, steps


def collect_stage(
    run: RunFolder, player: Player, policy: str, step: RefineStep, run_seed: int
) -> Callable[[], list[Trajectory]]:
    """Plays the tasks of a step, at most once; returns a function that reads the episodes, including failed ones."""
    seed = exploration_seed(run_seed, step.version, policy)

    def numbers() -> dict[str, Any]:
        checkpoint = run.checkpoint(policy)
        result = describe(player.play(checkpoint, policy, step.explore, step.rollout, TRAJECTORIES, seed=seed))
        run.rewind(f"collect/{step.version}")
        run.log(f"collect/{step.version}", 0, result)
        return result

    run.stage(step.collecting, numbers)
    return lambda: player.played(policy, step.explore, step.rollout, TRAJECTORIES, seed)


def _learn_successes(
    job: Job, learner: Learner, version: str, policy: str, played: Sequence[Trajectory]
) -> dict[str, Any]:
    """Rejection sampling: SFT on successful episodes, together with the annotated tasks if so configured."""
    settings = job.config.refine.rs
    least, own = settings.least()
    rows = success_rows(played, least, settings.max_per_task, min_rewards=own)
    found = len(rows)
    if not found and not settings.annotated:
        return _skipped(version, f"no episode of {policy} earned {least} without an error")
    if settings.resample:
        rows += job.annotated_rows(_copies(job, played))
    rows += job.renamed_rows(rows[:found], settings.rename)
    copies = len(rows) - found
    if settings.annotated:
        rows = job.taught_rows + rows
    if settings.balanced:
        rows = balanced(rows, job.config.seed)
    start = learner.run.checkpoint(policy)
    return {"successes": found, "copies": copies} | learner.sft(version, start, rows, job.config.rs_training)


def _copies(job: Job, played: Sequence[Trajectory]) -> list[Task]:
    """Resampled copies of the tasks that these episodes solved, with the plans that they found."""
    settings = job.config.refine.rs
    explored = {task.id: task for task in job.training.explore}
    found = discovered_tasks(played, explored, job.profile, *settings.least())
    copies = job.resampled(found, settings.resample)
    log.info("%d plans found, %d copies of their tasks", len(found), len(copies))
    return copies


def _learn_preferences(
    job: Job, learner: Learner, version: str, policy: str, played: Sequence[Trajectory]
) -> dict[str, Any]:
    settings = job.config.refine.dpo
    pairs = pairs_stage(learner.run, version, played, settings, job.config.seed)
    if not pairs:
        return _skipped(version, f"no preference pairs: the episodes of {policy} on one task earned about the same")
    log.info("%s: pairs %s", version, dict(count_by_module(pairs)))
    return learner.dpo(version, learner.run.checkpoint(policy), pairs, job.config.dpo_training)


def pairs_stage(
    run: RunFolder, stage: str, trajectories: Sequence[Trajectory], settings: PreferenceConfig, seed: int
) -> list[PreferencePair]:
    """The preference pairs of episodes, which are also written to `pairs.jsonl`."""
    least, own = settings.least()
    found = preference_pairs(trajectories, least, settings.max_per_task, seed, own)
    pairs = [replace(pair, id=f"{stage}:{pair.id}") for pair in found]
    run.replace_pairs(stage, pairs)
    return pairs


def _skipped(version: str, why: str) -> dict[str, Any]:
    log.warning("%s is skipped: %s", version, why)
    return {"skipped": why}
