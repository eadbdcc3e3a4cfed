"""The stages of a run that train on annotated tasks or test. A finished stage is skipped; its result is in the folder.

    start = base_stage(run, config.model, profile, texts, seed=0)
    sft_stage(run, learner, start, rows, config.sft, preview=0)
    evaluate_stage(run, player, "sft", run.checkpoint("sft"), tasks, rollout)

The stages that collect episodes and learn from them are in `lumos_rl.runs.refine`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lumos_rl.core import Module, Task, Trajectory
from lumos_rl.data.rows import ChatRow
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.policies.bases import SCRATCH, located
from lumos_rl.policies.layout import combine, require_folder
from lumos_rl.prompts import PromptProfile
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import ModelConfig
from lumos_rl.runs.folder import EVALUATION, VALIDATION, RunFolder
from lumos_rl.runs.learn import Learner
from lumos_rl.runs.play import Player, describe
from lumos_rl.runs.score import KINDS, part, scores_of
from lumos_rl.training.settings import SFTSettings


def base_stage(
    run: RunFolder, model: ModelConfig, profile: PromptProfile, texts: Iterable[str], seed: int
) -> Path | str:
    """The model that SFT starts from: the given one, or a small one built from the training texts.

    Args:
        run: The run.
        model: Which model.
        profile: Prompt profile to save with a model built here.
        texts: Training texts of its tokenizer; not used if a model is given.
        seed: Seed of its initial weights.

    Raises:
        MissingFileError: The given one is the path of a folder that is not there.
        LumosError: As for `bases.located`.
    """
    if model.base != SCRATCH:  # resolved, as an adapter names its base and may be loaded from another directory
        base = located(model.base)
        require_folder(base)
        return Path(base).resolve() if Path(base).is_dir() else base
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
    """Tokenizer texts of a model from scratch: the conversations to learn and the tasks to explore."""
    yield from (message["content"] for row in rows for message in row.messages)
    yield from (task.instruction for task in explore)


def sft_stage(
    run: RunFolder, learner: Learner, start: Path | str, rows: Sequence[ChatRow], settings: SFTSettings, preview: int
) -> dict[str, Any]:
    """Fine-tunes on annotated tasks, once; first prints `preview` rows with the tokens in the loss marked."""
    if preview:
        from lumos_rl.training.sft import preview as shown

        print(shown(start, [row.messages for row in rows[:preview]], settings.max_length, learner.chat_template))
    return run.stage("sft", lambda: learner.sft("sft", start, rows, settings))


def control_stage(run: RunFolder, learner: Learner, rows: Sequence[ChatRow], settings: SFTSettings, steps: int) -> None:
    """Control: more SFT on the annotated tasks alone, for as many optimizer steps as the refinement took."""
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
    stage: str | None = None,
) -> dict[str, Any]:
    """Plays test tasks with a policy, once, and scores greedy and sampled episodes separately.

    Episodes that are there already are not played again. A stage of other episodes than these is scored again.

    Args:
        run: The run.
        player: Plays its episodes.
        version: Name of the policy.
        checkpoint: Its folder.
        tasks: The test tasks.
        rollout: How they are played.
        examples: Annotated tasks that episodes start with, by benchmark.
        stage: Name of the stage; None for `evaluate-VERSION`.

    Returns:
        The numbers of `scores_of` and `describe`, and the scores of each benchmark, with the tasks of unseen templates
        apart, under "benchmarks". The first numbers are of all but those, where there are others. "examples" has the
        number of examples by benchmark.
    """

    def work() -> dict[str, Any]:
        played = player.play(checkpoint, version, tasks, rollout, EVALUATION, examples)
        parts: dict[str, list[Trajectory]] = {}
        for trajectory in played:
            parts.setdefault(part(trajectory), []).append(trajectory)
        found = {name: scores_of(episodes) for name, episodes in parts.items()}
        for name, scores in found.items():
            where = f"evaluate/{version}" + (f"/{name.replace(' ', '/')}" if len(found) > 1 else "")
            run.rewind(where)
            run.log(where, 0, {kind: scores[kind]["value"] for kind in KINDS if scores[kind]["value"] is not None})
        main = [trajectory for trajectory in played if trajectory.split != UNSEEN] or played
        shown = {"examples": {name: len(each) for name, each in (examples or {}).items()}}
        return scores_of(main) | {"benchmarks": found} | shown | describe(played)

    plans = plan_episodes(tasks, rollout, examples)
    asked = hashlib.sha256(
        repr([(plan.id, plan.seed, plan.task.instruction, plan.sampling) for plan in plans]).encode()
    )

    def again(result: Mapping[str, Any]) -> str:
        same = result.get("asked", asked.hexdigest()) == asked.hexdigest()  # older results do not say it
        return _failures(result) or (
            "" if same else f"{len(plans)} episodes, others than the {result['episodes']} before"
        )

    return run.stage(stage or f"evaluate-{version}", lambda: work() | {"asked": asked.hexdigest()}, again)


def validate_stage(
    run: RunFolder, player: Player, version: str, checkpoint: Path, tasks: Sequence[Task], rollout: RolloutConfig
) -> dict[str, Any]:
    """Plays validation tasks greedily with a policy, once; returns the numbers of `scores_of` and `describe`."""

    def work() -> dict[str, Any]:
        greedy = replace(rollout, samples=1, temperatures=(0.0,))
        played = player.play(checkpoint, version, tasks, greedy, VALIDATION)
        return scores_of(played) | describe(played)

    return run.stage(f"validate-{version}", work, _failures)


def best_stage(
    run: RunFolder, player: Player, policies: Sequence[str], tasks: Sequence[Task], rollout: RolloutConfig
) -> None:
    """Finds the policy that solves the most validation tasks (the first on a tie); `checkpoints/best` links to it."""

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
    """Name of the policy with the planner of one policy and the grounder of another."""
    return f"{planner}+{grounder}"


def swap(run: RunFolder, planner: str, grounder: str, profile: PromptProfile) -> str:
    """Combines the planner of one policy with the grounder of another, without training; returns the new name."""
    name = swapped(planner, grounder)
    folder = run.checkpoint(name)
    combine(folder, {Module.PLANNER: run.checkpoint(planner), Module.GROUNDER: run.checkpoint(grounder)})
    profile.save(folder)
    return name


def _failures(result: Mapping[str, Any]) -> str:
    """Why to repeat a finished stage: episodes that failed for infrastructure reasons may succeed now; "" if none."""
    return f"infrastructure failures in {result['failed']} episodes" if result["failed"] else ""
