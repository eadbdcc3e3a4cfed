"""Full sets of settings to start from, by name: the first word of a recipe's command line.

python -m lumos_rl.recipes.sft_then_dpo svamp --data FOLDER --seed 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lumos_rl.ray_config import RayConfig
from lumos_rl.recipes.config import (
    DataConfig,
    ModelConfig,
    PreferenceConfig,
    Refine,
    RefineConfig,
    RejectionConfig,
    RunConfig,
)
from lumos_rl.rollout import RolloutConfig
from lumos_rl.training.settings import DPOSettings, LoraSettings, ScratchSettings, SFTSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings with a line of explanation."""

    about: str
    config: RunConfig


# Sizes and steps of `tiny` were chosen on two CPU cores, on the built-in dev split, for a run of a quarter of an hour.
_TINY = RunConfig(
    data=DataConfig(annotated=300, explore=2000, test_tasks=300),
    model=ModelConfig(
        profile="compact",
        scratch=ScratchSettings(vocabulary=1024, hidden=128, layers=4, heads=4, feedforward=384, context=256),
        generate_batch=128,
    ),
    sft=SFTSettings(max_steps=600, learning_rate=2e-3, batch_size=32, max_length=256, weight_decay=0.1, save_steps=100),
    rollout=RolloutConfig(samples=4, temperatures=(0.7, 1.0), max_subgoals=5, max_new_tokens=40, concurrency=256),
    refine=RefineConfig(
        steps=(Refine.RS, Refine.RS, Refine.DPO),
        rs=RejectionConfig(
            max_per_task=2,
            train=SFTSettings(
                max_steps=400, learning_rate=1e-3, batch_size=32, max_length=256, weight_decay=0.1, save_steps=100
            ),
        ),
        dpo=PreferenceConfig(
            train=DPOSettings(
                max_steps=100,
                learning_rate=2e-4,
                batch_size=32,
                max_length=256,
                save_steps=50,
                lora=LoraSettings(rank=16),
            )
        ),
    ),
    evaluate=RolloutConfig(samples=2, temperatures=(0.0, 1.0), max_subgoals=5, max_new_tokens=40, concurrency=256),
    ray=RayConfig(workers=2),
)

PRESETS: Mapping[str, Preset] = {
    "tiny": Preset(
        "a small model from scratch on the built-in math suite; a laptop's CPU, a quarter of an hour", _TINY
    ),
}
