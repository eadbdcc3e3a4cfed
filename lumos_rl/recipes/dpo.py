"""Learns preferences from a policy's episodes: `python -m lumos_rl.recipes.dpo --help`.

    python -m lumos_rl.recipes.dpo --run-dir runs/tiny-0 --policy sft     # writes checkpoints/dpo-of-sft

builds pairs from the episodes of that policy in `trajectories.jsonl` (`recipes.collect` plays them), keeps them in
`pairs.jsonl`, and optimises them from the policy's checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import tyro

from lumos_rl.core import Trajectory
from lumos_rl.errors import DataError
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import launch
from lumos_rl.runs.refine import pairs_stage


@dataclass(frozen=True, slots=True)
class DPORecipeConfig:
    """Whose episodes are learned from.

    Attributes:
        run: The run.
        policy: Name of the stage whose episodes and checkpoint are used.
    """

    UNUSED: ClassVar = ("Episodes",)  # groups of --help

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def main(job: Job, run: RunFolder, config: DPORecipeConfig) -> None:
    """Builds pairs from one policy's episodes and optimises them."""
    start = require_checkpoint(run.checkpoint(config.policy))
    played = list(run.read(Trajectory, TRAJECTORIES, config.policy))
    if not played:
        raise DataError(
            f"expected episodes of {config.policy!r} in {run.path / TRAJECTORIES}, got none; play some with"
            f" python -m lumos_rl.recipes.collect --run-dir {run.path} --policy {config.policy}"
        )
    stage, settings = f"dpo-of-{config.policy}", config.run.refine.dpo

    def work() -> dict[str, Any]:
        pairs = pairs_stage(run, stage, played, settings, config.run.seed)
        return job.learner(run).dpo(stage, start, pairs, config.run.dpo_training)

    print(f"{run.checkpoint(stage)}: pairs {run.stage(stage, work)['pairs_by_module']}")


if __name__ == "__main__":
    launch(__doc__, DPORecipeConfig, main)
