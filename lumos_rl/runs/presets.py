"""Full sets of settings to start from, by name: the first word of a recipe's command line.

python -m lumos_rl.recipes.sft_then_dpo svamp --data FOLDER --seed 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.runs.config import DataConfig, Engine, EvaluateSettings, ModelConfig, Modules, RunConfig
from lumos_rl.runs.refine_settings import (
    PreferenceConfig,
    PreferenceTraining,
    Refine,
    RefineConfig,
    RejectionConfig,
    RejectionTraining,
)
from lumos_rl.training.settings import ScratchSettings, SFTSettings, Start

PRETRAINED = "pretrained"  # the preset of a command that names a pretrained model and no preset
QWEN3, SMOLLM3 = "Qwen/Qwen3-4B-Instruct-2507", "HuggingFaceTB/SmolLM3-3B"  # both Apache-2.0, without asking for access


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings with a line of explanation.

    Attributes:
        about: The line.
        config: The settings.
        from_files: Settings of data where the command names sources other than built-in suites; None for the same.
    """

    about: str
    config: RunConfig
    from_files: DataConfig | None = None


# Sizes and steps of `tiny` are meant for two CPU cores; docs/results.md has the results.
_TINY = RunConfig(
    data=DataConfig(annotated=150, resample=40, explore=1600, test_split=("test", "unseen"), test_tasks=300),
    model=ModelConfig(
        profile="compact",
        scratch=ScratchSettings(vocabulary=1024, hidden=128, layers=2, heads=4, context=256),
        generate_batch=128,
    ),
    sft=SFTSettings(
        max_steps=4000,
        learning_rate=1.8e-3,
        batch_size=8,  # after as many tokens, half the loss of batches of 32 (one seed)
        max_length=256,
        weight_decay=0.1,
        adam_beta2=0.95,
        save_steps=500,
    ),
    rollout=RolloutConfig(samples=2, temperatures=(0.7, 1.0), max_subgoals=5, max_new_tokens=24, concurrency=256),
    refine=RefineConfig(
        steps=(Refine.RS, Refine.RS, Refine.DPO),
        rs=RejectionConfig(
            max_per_task=2,
            resample=5,
            annotated=False,
            train=RejectionTraining(max_steps=800, learning_rate=1e-3),
        ),
        dpo=PreferenceConfig(
            train=PreferenceTraining(
                epochs=2.0,  # few pairs, learned often, cost more than they give
                learning_rate=5e-4,
                batch_size=16,
                lora_rank=16,
            )
        ),
    ),
    ray=RayConfig(workers=2),
)

# MAWPS + ASDiv-A (3,138 problems) to SVAMP, from scratch, as Patel et al. 2021 train; folders as under --data.
_SVAMP = RunConfig(
    data=DataConfig(
        train=("mawps=mawps_asdiv",),
        test=("svamp=svamp",),
        annotated=None,
        resample=12,
        explore=600,
        test_tasks=None,
        lower_case=True,
    ),
    model=ModelConfig(
        profile="compact",
        scratch=ScratchSettings(vocabulary=2048, hidden=128, layers=2, heads=4, context=384, start=Start.MIMETIC),
        generate_batch=128,
    ),
    sft=replace(_TINY.sft, max_steps=12_000, max_length=384),
    rollout=replace(_TINY.rollout, samples=4, max_subgoals=4, max_new_tokens=48),
    refine=replace(
        _TINY.refine,
        steps=(Refine.RS, Refine.DPO),
        rs=RejectionConfig(max_per_task=2, resample=2, train=replace(_TINY.refine.rs.train, max_steps=1200)),
        dpo=PreferenceConfig(train=_TINY.refine.dpo.train),
    ),
    evaluate=_TINY.evaluate,
    ray=RayConfig(workers=2),
)

# One planner and grounder for all task types, built-in suites alone; sizes are meant for two CPU cores.
_UNIFIED = replace(
    _TINY,
    data=DataConfig(
        suites=("math", "qa", "webshop", "mind2web", "sql"),
        annotated=60,
        resample=10,
        rename=8,
        explore=580,
        test_split=("test", "unseen"),
        test_tasks=50,
        validation_tasks=20,
    ),
    model=replace(
        _TINY.model,
        scratch=replace(_TINY.model.scratch, vocabulary=2048, context=768, start=Start.INDUCTION),
        generate_batch=64,
    ),
    sft=replace(_TINY.sft, max_steps=5000, max_length=768),
    rollout=replace(_TINY.rollout, max_subgoals=8, max_new_tokens=96),
    refine=replace(
        _TINY.refine,
        steps=(Refine.RS, Refine.DPO),
        rs=replace(
            _TINY.refine.rs,
            tasks=500,
            samples=1,  # as many episodes of half the tasks, two each, gain half as much (one seed, dev split)
            annotated=True,
            balanced=True,
            resample=3,
            rename=3,
            train=replace(_TINY.refine.rs.train, max_steps=2000),
        ),
        dpo=PreferenceConfig(tasks=80, samples=4, train=_TINY.refine.dpo.train),
    ),
    # An untrained model solves nothing, and takes long over it; a control takes as long as the refinement's training.
    evaluate=EvaluateSettings(also=("swap",)),
)

# Adapters on a pretrained model, whichever --model.base names; on the built-in suite, so that it runs at once.
_PRETRAINED = RunConfig(
    data=DataConfig(annotated=300, explore=600),
    model=ModelConfig(base="smollm2", dtype="bfloat16", engine=Engine.AUTO),
    sft=SFTSettings(
        epochs=2.0,  # Yin et al. 2023, as warm-up and length
        learning_rate=5e-4,  # ten times 5e-5 for all weights: Schulman et al. 2025, for LoRA at a width of 2,000
        lora_rank=64,  # Dettmers et al. 2023
        dtype="bfloat16",
    ),
    rollout=RolloutConfig(samples=4, temperatures=(0.7, 1.0), max_subgoals=6, max_new_tokens=128),
    refine=RefineConfig(
        steps=(Refine.RS, Refine.DPO),
        rs=RejectionConfig(train=RejectionTraining(epochs=1.0, learning_rate=2.5e-4)),
        dpo=PreferenceConfig(train=PreferenceTraining(learning_rate=1e-5)),  # ten times TRL's for all weights
    ),
)
_FROM_FILES = replace(_PRETRAINED.data, annotated=None, explore=None, test_tasks=None)  # these have an end


def _on_a_gpu(base: str) -> RunConfig:
    """`_PRETRAINED` for a model of billions of parameters."""
    return replace(
        _PRETRAINED,
        model=ModelConfig(
            base=base,
            modules=Modules.SEPARATE,
            chat_template=("chatml",),  # theirs, without what they write of dates and thoughts
            dtype="bfloat16",
            engine=Engine.AUTO,
        ),
        sft=replace(
            _PRETRAINED.sft,
            learning_rate=2e-4,  # Dettmers et al. 2023
            batch_size=8,
            gradient_accumulation=4,
            gradient_checkpointing=True,
        ),
        rollout=replace(_PRETRAINED.rollout, samples=8, concurrency=128),
        refine=replace(
            _PRETRAINED.refine,
            rs=RejectionConfig(train=RejectionTraining(epochs=1.0, learning_rate=1e-4)),
            dpo=PreferenceConfig(train=PreferenceTraining(learning_rate=5e-6, batch_size=4)),
        ),
    )


# Limits of turns and episodes, prompts and greedy decoding as in Lumos's released evaluation, of all test tasks.
_DEFAULTS = RunConfig(data=DataConfig(test_tasks=None))

PRESETS: Mapping[str, Preset] = {
    "tiny": Preset("a small model from scratch on the built-in math suite; for a CPU", _TINY),
    "svamp": Preset("a small model from scratch on MAWPS + ASDiv-A, tested on SVAMP; for a CPU", _SVAMP),
    "unified": Preset("a small model from scratch on the built-in suites of all task types; for a CPU", _UNIFIED),
    "defaults": Preset("every setting's own default, and all test tasks; to evaluate a model", _DEFAULTS),
    PRETRAINED: Preset("LoRA on a pretrained model, SmolLM2 unless --model.base names one", _PRETRAINED, _FROM_FILES),
    "qwen3-4b": Preset("LoRA on Qwen3 4B; for a GPU, not run here yet", _on_a_gpu(QWEN3), _FROM_FILES),
    "smollm3-3b": Preset("LoRA on SmolLM3 3B; for a GPU, not run here yet", _on_a_gpu(SMOLLM3), _FROM_FILES),
}
