"""The stages of a run that train on annotated tasks or test: each is worked out once and then read from the folder.

    start = base_stage(run, job)
    learner.sft …                # `sft_stage`
    evaluate_stage(run, player, "sft", run.checkpoint("sft"), tasks, rollout)

The stages that explore stand in `lumos_rl.runs.refine`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumos_rl.core import Module, Task, Trajectory
from lumos_rl.data.rows import ChatRow
from lumos_rl.policies.layout import combine
from lumos_rl.prompts import PromptProfile
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import ModelConfig
from lumos_rl.runs.folder import EVALUATION, RunFolder
from lumos_rl.runs.learn import Learner
from lumos_rl.runs.play import Player, describe
from lumos_rl.runs.score import KINDS, scores_of
from lumos_rl.training.settings import SFTSettings

SCRATCH = "scratch"  # value of model.base: a small model built from the training texts


def base_stage(
    run: RunFolder, model: ModelConfig, profile: PromptProfile, texts: Iterable[str], seed: int
) -> Path | str:
    """The model that SFT starts from: the given one, or a small one built from the training texts.

    Args:
        run: The run.
        model: Which model.
        profile: Prompt profile to keep beside a model built here.
        texts: What its tokenizer learns from; not looked at where a model is given.
        seed: Its initial weights.
    """
    if model.base != SCRATCH:  # an adapter names its base, and may be loaded from another working directory
        return Path(model.base).resolve() if Path(model.base).is_dir() else model.base
    folder = run.checkpoint("base")

    def build() -> dict[str, Any]:
        from lumos_rl.training.scratch import create_scratch_model

        found = list(texts)
        create_scratch_model(found, folder, model.scratch, seed)
        profile.save(folder)
        return {"texts": len(found)}

    run.stage("base", build)
    return folder


def base_texts(rows: Iterable[ChatRow], explore: Iterable[Task]) -> Iterable[str]:
    """Texts for the tokenizer of a model from scratch: of the conversations to learn and the tasks to explore."""
    yield from (message["content"] for row in rows for message in row.messages)
    yield from (task.instruction for task in explore)


def sft_stage(
    run: RunFolder, learner: Learner, start: Path | str, rows: Sequence[ChatRow], settings: SFTSettings, preview: int
) -> dict[str, Any]:
    """Fine-tunes on the annotated tasks, once; prints `preview` rows before, with the tokens in the loss marked."""
    if preview:
        from lumos_rl.training.sft import preview as shown

        print(shown(start, [row.messages for row in rows[:preview]], settings.max_length))
    return run.stage("sft", lambda: learner.sft("sft", start, rows, settings))


def control_stage(run: RunFolder, learner: Learner, rows: Sequence[ChatRow], settings: SFTSettings, steps: int) -> None:
    """SFT that goes on, on the annotated tasks alone, for as many optimizer steps as the refinement took."""
    settings = replace(settings, max_steps=steps)
    run.stage("control", lambda: learner.sft("control", run.checkpoint("sft"), rows, settings))


def evaluate_stage(
    run: RunFolder,
    player: Player,
    version: str,
    checkpoint: Path,
    tasks: Sequence[Task],
    rollout: RolloutConfig,
    examples: Mapping[str, Sequence[Task]] | None = None,
) -> dict[str, Any]:
    """Plays test tasks with a policy, once, and scores greedy and sampled episodes apart.

    Returns:
        The numbers of `scores_of` and of `describe`; with several benchmarks, those of each under "benchmarks" too.
    """

    def work() -> dict[str, Any]:
        played = player.play(checkpoint, version, tasks, rollout, EVALUATION, examples)
        parts: dict[str, list[Trajectory]] = {}
        for trajectory in played:
            parts.setdefault(trajectory.benchmark, []).append(trajectory)
        found = {name: scores_of(part) for name, part in parts.items()}
        for name, scores in found.items():
            where = f"evaluate/{version}" + (f"/{name}" if len(found) > 1 else "")
            run.log(where, 0, {kind: scores[kind]["value"] for kind in KINDS if scores[kind]["value"] is not None})
        return scores_of(played) | ({"benchmarks": found} if len(found) > 1 else {}) | describe(played)

    return run.stage(f"evaluate-{version}", work, _failures)


def validate_stage(
    run: RunFolder, player: Player, version: str, checkpoint: Path, tasks: Sequence[Task], rollout: RolloutConfig
) -> dict[str, Any]:
    """Plays validation tasks greedily with a policy, once; the numbers are those of `evaluate_stage`."""

    def work() -> dict[str, Any]:
        greedy = replace(rollout, samples=1, temperatures=(0.0,))
        played = player.play(checkpoint, version, tasks, greedy, EVALUATION)
        return scores_of(played) | describe(played)

    return run.stage(f"validate-{version}", work, _failures)


def best_stage(
    run: RunFolder, player: Player, policies: Sequence[str], tasks: Sequence[Task], rollout: RolloutConfig
) -> None:
    """Finds the policy that solves most validation tasks, the earliest of equals; `checkpoints/best` links to it."""

    def work() -> dict[str, Any]:
        solved = {
            name: validate_stage(run, player, name, run.checkpoint(name), tasks, rollout)["success"]
            for name in policies
        }
        best = max(policies, key=lambda name: solved[name])
        link = run.checkpoint("best")
        link.unlink(missing_ok=True)
        link.symlink_to(best, target_is_directory=True)
        return {"best": best, "solved": solved}

    run.stage("best", work)


def swapped(planner: str, grounder: str) -> str:
    """Name of the policy that has its planner from one policy and its grounder from another."""
    return f"{planner}+{grounder}"


def swap(run: RunFolder, planner: str, grounder: str, profile: PromptProfile) -> str:
    """Puts the planner of one policy beside the grounder of another, without training; the name of the pair."""
    name = swapped(planner, grounder)
    folder = run.checkpoint(name)
    combine(folder, {Module.PLANNER: run.checkpoint(planner), Module.GROUNDER: run.checkpoint(grounder)})
    profile.save(folder)
    return name


def _failures(result: Mapping[str, Any]) -> str:
    """Why a test is played again: another day, the machinery may let its failed episodes come to an end."""
    return f"{result['failed']} episodes that the machinery failed" if result["failed"] else ""
