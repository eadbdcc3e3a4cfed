"""Plays episodes with a trained policy and keeps every trajectory: `python -m lumos_rl.recipes.collect --help`.

    python -m lumos_rl.recipes.collect --run-dir runs/tiny-0 --policy sft

reads `checkpoints/sft`, plays the run's training tasks on Ray, all of them and as often as `rollout.samples` says, and
adds the episodes to `trajectories.jsonl`. What it played before is not played again. Their noise comes from the run's
seed and the policy; that of the main job's steps comes from the step too, so these are further episodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import tyro

from lumos_rl.rollout.plans import exploration_seed
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import launch
from lumos_rl.runs.play import describe


@dataclass(frozen=True, slots=True)
class CollectConfig:
    """Which policy plays.

    Attributes:
        run: The run.
        policy: Name of the stage whose checkpoint plays.
    """

    UNUSED: ClassVar = ("Supervised fine-tuning", "Self-improvement")  # groups of --help

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def main(job: Job, run: RunFolder, config: CollectConfig) -> None:
    """Collects episodes of one policy of a run."""
    checkpoint = require_checkpoint(run.checkpoint(config.policy))
    seed = exploration_seed(config.run.seed, "collect", config.policy)
    explore, rollout = job.training.explore, config.run.rollout
    found = job.player(run).play(checkpoint, config.policy, explore, rollout, TRAJECTORIES, seed=seed)
    for name, value in describe(found).items():
        print(f"{name:18} {value:.4g}" if isinstance(value, float) else f"{name:18} {value}")


if __name__ == "__main__":
    launch(__doc__, CollectConfig, main)
