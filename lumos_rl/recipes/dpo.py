"""Learns preferences from a policy's episodes: `python -m lumos_rl.recipes.dpo --help`.

    python -m lumos_rl.recipes.dpo --run-dir runs/tiny-0 --policy sft     # writes checkpoints/dpo-of-sft

builds pairs from the episodes of that policy in `trajectories.jsonl` (`recipes.collect` plays them), keeps them in
`pairs.jsonl`, and optimises them from the policy's checkpoint.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from lumos_rl.core import PreferencePair, Trajectory
from lumos_rl.data.rows import count_by_module, preference_pairs
from lumos_rl.errors import DataError
from lumos_rl.recipes.sft import label, module_report, parts_of
from lumos_rl.runs.chats import profile_of
from lumos_rl.runs.config import RunConfig, by_benchmark
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.runs.launch import launch

log = logging.getLogger(__name__)


def pairs_of(run: RunFolder, stage: str, trajectories: Sequence[Trajectory]) -> list[PreferencePair]:
    """The pairs that episodes give under the run's settings; also written to `pairs.jsonl`."""
    settings = run.config.refine.dpo
    margins = by_benchmark(settings.min_margins)
    found = preference_pairs(trajectories, settings.min_margin, settings.max_per_task, run.config.seed, margins)
    pairs = [replace(pair, id=f"{stage}:{pair.id}") for pair in found]
    run.replace_pairs(stage, pairs)
    return pairs


def train_on_pairs(run: RunFolder, stage: str, start: Path, pairs: Sequence[PreferencePair]) -> dict[str, Any]:
    """DPO of the run's model, or of each of its modules; a module without pairs stays as it is.

    Raises:
        DataError: No pairs at all.
    """
    from lumos_rl.training.dpo import train_dpo
    from lumos_rl.training.trainer import Progress

    settings = run.config.refine.dpo.train
    report: dict[str, Any] = {"pairs_by_module": dict(count_by_module(pairs))}
    for name, part, out in parts_of(run, stage, start):
        wanted = [pair for pair in pairs if not name or pair.module == name]
        if not wanted and pairs:
            log.warning("%s: no pairs of the %s, which stays as it is", stage, name)
            shutil.copytree(part, out, dirs_exist_ok=True)
            report[f"{name}_steps"] = 0
            continue
        progress = Progress(run.log, label(stage, name))
        train = functools.partial(train_dpo, part, wanted, out, settings, run.config.seed, callbacks=[progress])
        report |= module_report(run, stage, name, lambda: dataclasses.asdict(train()))  # noqa: B023 (called at once)
    profile_of(run.config).save(run.checkpoint(stage))
    return report


@dataclass(frozen=True, slots=True)
class DPORecipeConfig:
    """Whose episodes are learned from.

    Attributes:
        run: The run.
        policy: Name of the stage whose episodes and checkpoint are used.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def main(config: DPORecipeConfig, run: RunFolder) -> None:
    """Builds pairs from one policy's episodes and optimises them."""
    start = require_checkpoint(run.checkpoint(config.policy))
    played = [episode for episode in run.read(Trajectory, TRAJECTORIES) if episode.policy == config.policy]
    if not played:
        raise DataError(
            f"expected episodes of {config.policy!r} in {run.path / TRAJECTORIES}, got none; play some with"
            f" python -m lumos_rl.recipes.collect --run-dir {run.path} --policy {config.policy}"
        )
    stage = f"dpo-of-{config.policy}"
    result = run.stage(stage, lambda: train_on_pairs(run, stage, start, pairs_of(run, stage, played)))
    print(f"{run.checkpoint(stage)}: pairs {result['pairs_by_module']}")


if __name__ == "__main__":
    launch(__doc__, DPORecipeConfig, main)
