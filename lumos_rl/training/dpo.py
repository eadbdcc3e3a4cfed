"""Direct preference optimisation (Rafailov et al. 2023) with TRL, on pairs that differ in one model turn.

    report = train_dpo("runs/demo/sft", pairs, Path("runs/demo/dpo"), DPOSettings(max_steps=100), seed=0)

The reference is the model that training starts from, always: for a full model with new LoRA weights the model without
them, for an adapter a frozen copy of it, for full fine-tuning a second copy of the model. So margins are 0 at step 0.
A prompt holds the shared history, environment turns included; chosen and rejected are one model turn each, so the
log-probabilities that DPO compares are of the model's own tokens only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from lumos_rl.core import PreferencePair
from lumos_rl.errors import DataError
from lumos_rl.policies.hf import DTYPES, load_tokenizer
from lumos_rl.training.settings import DPOSettings
from lumos_rl.training.sft import load_trainable, lora_config, run_trainer, training_arguments


@dataclass(frozen=True, slots=True)
class DPOReport:
    """What a DPO run came to.

    Attributes:
        steps: Optimizer steps.
        pairs: Pairs trained on.
        loss: Mean training loss.
        accuracy: Share of pairs whose chosen turn has the higher implicit reward, at the last log; None without a log.
        margin: Mean implicit reward margin at the last log; None without a log.
        seconds: Wall-clock time.
    """

    steps: int
    pairs: int
    loss: float
    accuracy: float | None
    margin: float | None
    seconds: float


def dpo_trainer(
    model_path: str | Path,
    pairs: Sequence[PreferencePair],
    out: Path,
    settings: DPOSettings,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> DPOTrainer:
    """TRL's trainer, set up so that its reference is the model at `model_path`.

    Raises:
        DataError: No pairs.
    """
    if not pairs:
        raise DataError(
            "expected at least one preference pair, got none: every task's episodes got the same reward; sample more"
            " episodes per task, at a higher temperature, or on harder tasks"
        )
    tokenizer = load_tokenizer(model_path)
    torch.manual_seed(seed)
    model = load_trainable(model_path, DTYPES[settings.dtype])
    weights = (
        {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, settings.sft_weight]} if settings.sft_weight else {}
    )
    return DPOTrainer(
        model=model,
        args=DPOConfig(
            **training_arguments(settings, out, seed),
            max_length=settings.max_length,
            beta=settings.beta,
            **weights,
        ),
        train_dataset=Dataset.from_list([_row(pair) for pair in pairs]),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else lora_config(settings.lora),
        callbacks=list(callbacks),
    )


def train_dpo(
    model_path: str | Path,
    pairs: Sequence[PreferencePair],
    out: Path,
    settings: DPOSettings,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> DPOReport:
    """Optimises preferences; arguments as for `train_sft`, with pairs for conversations."""
    began = time.monotonic()
    trainer = dpo_trainer(model_path, pairs, out, settings, seed, callbacks)
    result = run_trainer(trainer, out)
    logged = [entry for entry in trainer.state.log_history if "rewards/margins" in entry]
    return DPOReport(
        steps=trainer.state.global_step,
        pairs=len(pairs),
        loss=result.training_loss,
        accuracy=logged[-1]["rewards/accuracies"] if logged else None,
        margin=logged[-1]["rewards/margins"] if logged else None,
        seconds=time.monotonic() - began,
    )


def _row(pair: PreferencePair) -> dict[str, Any]:
    return {
        "prompt": list(pair.prompt),
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
    }
