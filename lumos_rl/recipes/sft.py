"""Fine-tunes planner and grounder on annotated tasks: `python -m lumos_rl.recipes.sft --help`.

python -m lumos_rl.recipes.sft --run-dir runs/tiny-0      # the stages base and sft of that run, and nothing else
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lumos_rl.core import Formulation, Task
from lumos_rl.data.renaming import renamed
from lumos_rl.data.rows import ChatRow, annotation_rows, weighted
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.runs.chats import chat_rows, profile_of
from lumos_rl.runs.config import Engine, Modules, RunConfig, by_benchmark, check_samples
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.launch import launch
from lumos_rl.runs.tasks import (
    RENAMED,
    TrainingTasks,
    held_out_texts,
    refine_steps,
    train_sources,
    training_tasks,
)
from lumos_rl.training.settings import SFTSettings

log = logging.getLogger(__name__)


def base_stage(run: RunFolder, tasks: TrainingTasks) -> Path | str:
    """The model that SFT starts from: the given one, or a small one built from the training texts."""
    config = run.config.model
    if config.base != "scratch":  # an adapter names its base, and may be loaded from another working directory
        return Path(config.base).resolve() if Path(config.base).is_dir() else config.base
    folder = run.checkpoint("base")

    def build() -> dict[str, Any]:
        from lumos_rl.training.scratch import create_scratch_model

        rows = taught_rows(run.config, tasks)
        texts = [message["content"] for row in rows for message in row.messages]
        texts += [task.instruction for task in tasks.explore]
        create_scratch_model(texts, folder, config.scratch, run.config.seed)
        profile_of(run.config).save(folder)
        return {"texts": len(texts)}

    run.stage("base", build)
    return folder


def check_trainable(config: RunConfig) -> None:
    """Looks for settings that each make sense alone, and not together.

    Raises:
        ConfigError: The engine's model cannot be trained, tests play another formulation than is learned, modules are
            separate where the formulation has one, or a step of the refinement would repeat greedy episodes.
    """
    learned, tested = config.rollout.formulation, config.evaluate.formulation
    if config.model.engine in (Engine.OPENAI, Engine.SCRIPT):
        raise ConfigError(
            f"expected --model.engine hf or vllm to train with, got {config.model.engine}, which cannot be trained;"
            " test it with python -m lumos_rl.recipes.evaluate"
        )
    if tested != learned:
        raise ConfigError(
            f"expected one formulation to learn and to be tested in, got rollout.formulation {learned} and"
            f" evaluate.formulation {tested}"
        )
    if config.model.modules == Modules.SEPARATE and learned not in (Formulation.ITERATIVE, Formulation.ONETIME):
        raise ConfigError(f"expected --model.modules shared, as {learned} has one module, got {config.model.modules}")
    check_samples("evaluate", config.evaluate)
    for step in refine_steps(config, []):
        check_samples(step.collecting, step.rollout)


def annotated_rows(config: RunConfig, tasks: Sequence[Task]) -> list[ChatRow]:
    """The conversations that annotated tasks teach, in the formulation that is rolled out, as often as weights say."""
    formulation = Formulation(config.rollout.formulation)
    rows = annotation_rows(tasks, formulation, profile_of(config))
    return weighted(rows, by_benchmark(config.data.weights), config.seed)


def renamed_rows(config: RunConfig, rows: Sequence[ChatRow], copies: int) -> list[ChatRow]:
    """Copies of conversations with other names, ids and values; none of math, whose results would be wrong then."""
    if not copies:
        return []
    free = [row for row in rows if row.benchmark in RENAMED]
    return renamed(free, copies, config.seed, held_out_texts(config.data))


def taught_rows(config: RunConfig, tasks: TrainingTasks) -> list[ChatRow]:
    """All that SFT learns: conversations of the annotated tasks and those that `data.chats` names, and their copies.

    Raises:
        DataError: There are none.
    """
    chats = weighted(chat_rows(config), by_benchmark(config.data.weights), config.seed)
    rows = annotated_rows(config, tasks.annotated) + chats
    rows += renamed_rows(config, rows, config.data.rename)
    if not rows:
        sources = ", ".join(train_sources(config.data))
        raise DataError(
            f"expected annotated tasks in {sources} or data.chats, got none with data.annotated={config.data.annotated}"
        )
    return rows


def sft_stage(run: RunFolder, tasks: TrainingTasks, start: Path | str) -> dict[str, Any]:
    """Fine-tunes on the annotated tasks, once."""
    rows = taught_rows(run.config, tasks)
    if run.config.preview:
        from lumos_rl.training.sft import preview

        print(preview(start, [row.messages for row in rows[: run.config.preview]], run.config.sft.max_length))
    return run.stage("sft", lambda: train_on(run, "sft", start, rows, run.config.sft))


def train_on(
    run: RunFolder, stage: str, start: Path | str, rows: Sequence[ChatRow], settings: SFTSettings
) -> dict[str, Any]:
    """Fine-tunes the run's model, or each of its modules, on rows.

    Args:
        run: The run.
        stage: Name of the checkpoint that is written.
        start: Checkpoint to start from.
        rows: What to learn.
        settings: How.

    Returns:
        The numbers of `TrainReport`, per module where they are separate.
    """
    from lumos_rl.training.sft import train_sft
    from lumos_rl.training.trainer import Progress

    report: dict[str, Any] = {}
    parts = [(name, part, out, _rows_of(name, rows)) for name, part, out in parts_of(run, stage, start)]
    for name, part, out, wanted in parts:
        progress = Progress(run.log, label(stage, name))
        train = functools.partial(train_sft, part, wanted, out, settings, run.config.seed, callbacks=[progress])
        report |= module_report(run, stage, name, lambda: dataclasses.asdict(train()))  # noqa: B023 (called at once)
    profile_of(run.config).save(run.checkpoint(stage))
    return report | {"rows": len(rows)}


def _rows_of(module: str, rows: Sequence[ChatRow]) -> list[ChatRow]:
    found = [row for row in rows if not module or row.module == module]
    if not found:
        raise DataError(f"expected conversations of the {module or 'model'} to learn, got none in {len(rows)} rows")
    return found


def module_report(run: RunFolder, stage: str, module: str, train: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the training of a module came to, once: where modules are separate, a finished one is not trained again."""
    if not module:
        return train()
    return {f"{module}_{name}": value for name, value in run.stage(label(stage, module), train).items()}


def parts_of(run: RunFolder, stage: str, start: Path | str) -> list[tuple[str, Path | str, Path]]:
    """What is trained: module ("" for one model that is both), where it starts, where it goes."""
    out = run.checkpoint(stage)
    if run.config.model.modules == Modules.SHARED:
        return [("", start, out)]
    return [
        (name, Path(start) / name if (Path(start) / name).is_dir() else start, out / name)
        for name in ("planner", "grounder")
    ]


def label(stage: str, module: str) -> str:
    """Name of a training run in metrics: its stage, and its module where modules are separate."""
    return f"{stage}/{module}" if module else stage


def main(config: RunConfig, run: RunFolder) -> None:
    """Runs the stages base and sft.

    Raises:
        ConfigError: As `check_trainable`.
    """
    check_trainable(config)
    tasks = training_tasks(config.data, config.seed)
    result = sft_stage(run, tasks, base_stage(run, tasks))
    print(f"{run.checkpoint('sft')}: {result['rows']} rows, loss {result.get('loss', float('nan')):.3f}")


if __name__ == "__main__":
    launch(__doc__, RunConfig, main)
