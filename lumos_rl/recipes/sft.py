"""Fine-tunes planner and grounder on annotated tasks: `python -m lumos_rl.recipes.sft --help`.

python -m lumos_rl.recipes.sft --run-dir runs/tiny-0      # the stages base and sft of that run, and nothing else
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from lumos_rl.core import Formulation, Task
from lumos_rl.data.rows import ChatRow, annotation_rows
from lumos_rl.errors import DataError
from lumos_rl.policies.hf import load_tokenizer
from lumos_rl.prompts import get_profile
from lumos_rl.recipes.config import Modules, RunConfig
from lumos_rl.recipes.launch import launch
from lumos_rl.recipes.run import RunFolder
from lumos_rl.recipes.tasks import TrainingTasks, training_tasks
from lumos_rl.tools.math import math_tools
from lumos_rl.training.scratch import create_scratch_model
from lumos_rl.training.settings import SFTSettings
from lumos_rl.training.sft import encode_rows, preview, train_sft

log = logging.getLogger(__name__)


def base_stage(run: RunFolder, tasks: TrainingTasks) -> Path | str:
    """The model that SFT starts from: the given one, or a small one built from the training texts."""
    config = run.config.model
    if config.base != "scratch":
        return config.base
    folder = run.checkpoint("base")

    def build() -> dict[str, Any]:
        rows = annotated_rows(run.config, tasks.annotated)
        texts = [message["content"] for row in rows for message in row.messages]
        texts += [task.instruction for task in tasks.explore]
        create_scratch_model(texts, folder, config.scratch, run.config.seed)
        get_profile(config.profile).save(folder)
        return {"texts": len(texts)}

    run.stage("base", build)
    return folder


def annotated_rows(config: RunConfig, tasks: Sequence[Task]) -> list[ChatRow]:
    """The conversations that annotated tasks teach, in the formulation that is rolled out."""
    formulation = Formulation(config.rollout.formulation)
    return annotation_rows(tasks, formulation, get_profile(config.model.profile), list(math_tools()))


def sft_stage(run: RunFolder, tasks: TrainingTasks, start: Path | str) -> dict[str, Any]:
    """Fine-tunes on the annotated tasks, once."""
    rows = annotated_rows(run.config, tasks.annotated)
    if run.config.preview:
        tokenizer = load_tokenizer(start)
        encoded, _ = encode_rows(
            tokenizer, [row.messages for row in rows[: run.config.preview]], run.config.sft.max_length
        )
        print(preview(tokenizer, encoded, run.config.preview))
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
    report: dict[str, Any] = {}
    for name, part, out in parts_of(run, stage, start):
        wanted = [row.messages for row in rows if not name or row.module == name]
        done = train_sft(part, wanted, out, settings, run.config.seed, callbacks=[Progress(run, stage, name)])
        report |= {f"{name}{'_' if name else ''}{key}": value for key, value in dataclasses.asdict(done).items()}
    get_profile(run.config.model.profile).save(run.checkpoint(stage))
    return report | {"rows": len(rows)}


def parts_of(run: RunFolder, stage: str, start: Path | str) -> list[tuple[str, Path | str, Path]]:
    """What is trained: module ("" for one model that is both), where it starts, where it goes."""
    out = run.checkpoint(stage)
    if run.config.model.modules == Modules.SHARED:
        return [("", start, out)]
    return [
        (name, Path(start) / name if (Path(start) / name).is_dir() else start, out / name)
        for name in ("planner", "grounder")
    ]


class Progress(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """A progress bar of the optimizer steps; logged values go to the run's metrics."""

    def __init__(self, run: RunFolder, stage: str, module: str) -> None:
        self.run, self.stage = run, f"{stage}/{module}" if module else stage
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=f"train {self.stage}", leave=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        values = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        self.run.log(self.stage, state.global_step, values)
        if "loss" in values:
            self.bar.set_postfix_str(f"loss {values['loss']:.3f}", refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()


def main(config: RunConfig, run: RunFolder) -> None:
    """Runs the stages base and sft."""
    tasks = training_tasks(config.data, config.seed)
    if not tasks.annotated:
        raise DataError(f"expected annotated tasks in {', '.join(config.data.train)}, got none")
    result = sft_stage(run, tasks, base_stage(run, tasks))
    print(f"{run.checkpoint('sft')}: {result['rows']} rows, loss {result.get('loss', float('nan')):.3f}")


if __name__ == "__main__":
    launch(__doc__, RunConfig, main)
