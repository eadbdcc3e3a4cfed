"""Trains the modules of a run: one shared model, or a planner and a grounder.

learner = job.learner(run)
learner.sft("sft", base, rows, settings)            # checkpoints/sft
learner.dpo("dpo-3", run.checkpoint("rs-2"), pairs, settings)
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.core import PreferencePair
from lumos_rl.data.rows import ChatRow, count_by_module
from lumos_rl.errors import DataError
from lumos_rl.policies.gguf_files import save_note
from lumos_rl.policies.layout import note_of
from lumos_rl.prompts import PromptProfile
from lumos_rl.runs.config import Modules
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.memory import check_memory
from lumos_rl.training.settings import DPOSettings, SFTSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learner:
    """Trains the modules of a run.

    Attributes:
        run: Where checkpoints and metrics go.
        modules: Whether planner and grounder are one model or two.
        seed: Seed of the row order and of adapter initialisation.
        profile: Prompt profile of the rows; it is saved in each checkpoint.
        chat_template: As the setting `model.chat_template`. SFT saves it, and later stages start from what was saved.
    """

    run: RunFolder
    modules: Modules
    seed: int
    profile: PromptProfile
    chat_template: tuple[str, ...] = ()

    def sft(self, stage: str, start: Path | str, rows: Sequence[ChatRow], settings: SFTSettings) -> dict[str, Any]:
        """Fine-tunes the run's model, or each of its modules, on rows.

        Args:
            stage: Name of the checkpoint that is written.
            start: Checkpoint to start from.
            rows: What to learn.
            settings: Hyper-parameters.

        Returns:
            The numbers of `TrainReport`, with a prefix per module if modules are separate.

        Raises:
            DataError: A module has no rows.
            ConfigError: The weights and the optimizer alone need more memory than there is.
        """
        from lumos_rl.training.sft import train_sft
        from lumos_rl.training.trainer import ShowProgress

        report: dict[str, Any] = {}
        parts = [(name, part, out, _rows_of(name, rows)) for name, part, out in self._parts(stage, start)]
        for name, part, out, wanted in parts:
            check_memory(part, settings)
            progress = ShowProgress(self.run.log, label(stage, name), self.run.rewind)
            template = self.chat_template if stage == "sft" else ()
            train = functools.partial(train_sft, part, wanted, out, settings, self.seed, [progress], template)
            report |= self._report(stage, name, lambda: dataclasses.asdict(train()))  # noqa: B023 (called at once)
        self._describe(stage, start)
        return report | {"rows": len(rows)}

    def dpo(self, stage: str, start: Path, pairs: Sequence[PreferencePair], settings: DPOSettings) -> dict[str, Any]:
        """Trains the run's model, or each of its modules, with DPO; a module without pairs is copied unchanged.

        Raises:
            DataError: No pairs at all.
        """
        from lumos_rl.training.dpo import train_dpo
        from lumos_rl.training.trainer import ShowProgress

        report: dict[str, Any] = {"pairs_by_module": dict(count_by_module(pairs))}
        for name, part, out in self._parts(stage, start):
            wanted = [pair for pair in pairs if not name or pair.module == name]
            if not wanted and pairs:
                log.warning("%s: no pairs of the %s, which stays as it is", stage, name)
                shutil.copytree(part, out, dirs_exist_ok=True)
                report[f"{name}_steps"] = 0
                continue
            check_memory(part, settings)
            progress = ShowProgress(self.run.log, label(stage, name), self.run.rewind)
            train = functools.partial(train_dpo, part, wanted, out, settings, self.seed, [progress])
            report |= self._report(stage, name, lambda: dataclasses.asdict(train()))  # noqa: B023 (called at once)
        self._describe(stage, start)
        return report

    def _describe(self, stage: str, start: Path | str) -> None:
        """Saves with a checkpoint how its prompts are worded, and how the weights that it began with were rounded."""
        self.profile.save(self.run.checkpoint(stage))
        if (note := note_of(start)) is not None:
            save_note(note, self.run.checkpoint(stage))

    def _parts(self, stage: str, start: Path | str) -> list[tuple[str, Path | str, Path]]:
        """The models to train: module ("" for a shared model), checkpoint to start from, output folder."""
        out = self.run.checkpoint(stage)
        if self.modules == Modules.SHARED:
            return [("", start, out)]
        return [
            (name, Path(start) / name if (Path(start) / name).is_dir() else start, out / name)
            for name in ("planner", "grounder")
        ]

    def _report(self, stage: str, module: str, train: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Trains a module and returns its numbers. Separate modules are stages, so a finished one is skipped."""
        if not module:
            return train()
        return {f"{module}_{name}": value for name, value in self.run.stage(label(stage, module), train).items()}


def _rows_of(module: str, rows: Sequence[ChatRow]) -> list[ChatRow]:
    found = [row for row in rows if not module or row.module == module]
    if not found:
        raise DataError(f"expected conversations of the {module or 'model'} to learn, got none in {len(rows)} rows")
    return found


def label(stage: str, module: str) -> str:
    """Name of a training run in metrics: its stage, and its module if modules are separate."""
    return f"{stage}/{module}" if module else stage
