"""Direct preference optimisation (Rafailov et al. 2023) with TRL, on pairs that differ in one model turn.

    report = train_dpo("runs/demo/sft", pairs, Path("runs/demo/dpo"), DPOSettings(max_steps=100), seed=0)

The reference is the model that training starts from, always: for a full model with new LoRA weights the model without
them, for an adapter a frozen copy of it, for full fine-tuning a second copy of the model. So margins are 0 at step 0.
A prompt holds the shared history, environment turns included; chosen and rejected are one model turn each, so the
log-probabilities that DPO compares are of the model's own tokens only: the ids that the engine sampled, where it told
them, else those of `encode_chat`. `{"prompt_ids": [2, …], "chosen_ids": [54, 1], "rejected_ids": [55, 56, 1]}`
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import DPOConfig, DPOTrainer

from lumos_rl.core import Message, PreferencePair
from lumos_rl.errors import DataError
from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.policies.encoding import encode_chat, fingerprint
from lumos_rl.training.settings import DPOSettings
from lumos_rl.training.trainer import (
    OneGPU,
    freeing_memory,
    load_trainable,
    lora_config,
    run_trainer,
    training_arguments,
)

log = logging.getLogger(__name__)

PLACEHOLDER = {  # the row of text that TRL is built with
    "prompt": [{"role": "user", "content": ""}],
    "chosen": [{"role": "assistant", "content": ""}],
    "rejected": [{"role": "assistant", "content": ""}],
}


class _Arguments(OneGPU, DPOConfig):  # type: ignore[misc]  # TRL ships no types
    """TRL's arguments, on one GPU."""


@dataclass(frozen=True, slots=True)
class DPOReport:
    """What a DPO run came to.

    Attributes:
        steps: Optimizer steps.
        pairs: Pairs trained on.
        left_out: Pairs longer than max_length.
        loss: Mean training loss.
        accuracy: Share of pairs whose chosen turn has the higher implicit reward, at the last log; None without a log.
        margin: Mean implicit reward margin at the last log; None without a log.
        seconds: Wall-clock time.
    """

    steps: int
    pairs: int
    left_out: int
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
        DataError: No pairs, or none within max_length.
    """
    tokenizer = load_tokenizer(model_path)
    rows, _ = encode_pairs(tokenizer, pairs, settings.max_length)
    torch.manual_seed(seed)
    model = load_trainable(model_path, settings)
    weights = (
        {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, settings.sft_weight]} if settings.sft_weight else {}
    )
    trainer = DPOTrainer(
        model=model,
        args=_Arguments(
            **training_arguments(settings, out, seed),
            max_length=settings.max_length,
            beta=settings.beta,
            **weights,
        ),
        train_dataset=Dataset.from_list([PLACEHOLDER]),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else lora_config(settings.lora),
        callbacks=list(callbacks),
    )
    _replace_rows(trainer, rows)
    return trainer


def _replace_rows(trainer: DPOTrainer, rows: list[dict[str, list[int]]]) -> None:
    """Gives TRL rows of token ids to train on, in place of those it was built with.

    It is built with text only, and tokenizes prompt and turn in one piece, which gives other ids than `encode_chat` for
    some tokenizers.
    """
    trainer.train_dataset = Dataset.from_list(rows)


def encode_pairs(
    tokenizer: Any, pairs: Sequence[PreferencePair], max_length: int
) -> tuple[list[dict[str, list[int]]], int]:
    """Token ids of prompt, chosen and rejected turn, as TRL's collator takes them.

    Args:
        tokenizer: With a chat template.
        pairs: What to encode.
        max_length: Longest prompt with its turn, tokens.

    Returns:
        Rows `{"prompt_ids", "chosen_ids", "rejected_ids"}`, and how many pairs were too long.

    Raises:
        DataError: No row is left.
    """
    rows, foreign, own = [], 0, fingerprint(tokenizer)
    for pair in pairs:
        if pair.ids is not None and pair.ids.tokenizer == own:
            prompt, *turns = list(pair.ids.prompt), list(pair.ids.chosen), list(pair.ids.rejected)
        else:
            foreign += pair.ids is not None
            prompt, _ = encode_chat(tokenizer, pair.prompt, add_generation_prompt=True)
            turns = [_turn_ids(tokenizer, pair.prompt, text) for text in (pair.chosen, pair.rejected)]
        if len(prompt) + max(map(len, turns)) <= max_length:
            rows.append({"prompt_ids": prompt, "chosen_ids": turns[0], "rejected_ids": turns[1]})
    if foreign:
        log.warning("%d pairs were sampled with another tokenizer or chat template: encoded anew, from text", foreign)
    if not rows:
        raise DataError(
            f"expected at least one preference pair within {max_length} tokens, got {len(pairs)} pairs, none of them so"
            " short; where there are none at all, every task's episodes got the same reward: sample more episodes per"
            " task, at a higher temperature, or on harder tasks"
        )
    return rows, len(pairs) - len(rows)


def _turn_ids(tokenizer: Any, prompt: Sequence[Message], completion: str) -> list[int]:
    """The ids that the model would have written: those of the turn's text and of its end."""
    ids, mask = encode_chat(tokenizer, [*prompt, {"role": "assistant", "content": completion}])
    end = len(mask) - mask[::-1].index(True)  # behind it, the template may add what nobody writes
    start = len(encode_chat(tokenizer, prompt, add_generation_prompt=True)[0])
    return ids[start:end]


@freeing_memory
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
        pairs=len(trainer.train_dataset),
        left_out=len(pairs) - len(trainer.train_dataset),
        loss=result.training_loss,
        accuracy=logged[-1]["rewards/accuracies"] if logged else None,
        margin=logged[-1]["rewards/margins"] if logged else None,
        seconds=time.monotonic() - began,
    )
