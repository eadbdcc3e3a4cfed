"""Direct preference optimisation (Rafailov et al. 2023) with TRL, on pairs that differ in one model turn.

    report = train_dpo("runs/demo/sft", pairs, Path("runs/demo/dpo"), DPOSettings(max_steps=100), seed=0)

The reference is always the model that training starts from: for new LoRA weights the model without them, for an adapter
a frozen copy of it, for full fine-tuning a second copy of the model. So margins are 0 at step 0. The prompt is the
shared conversation; chosen and rejected are one model turn each, so DPO compares log-probabilities of the model's own
tokens only. They are the sampled ids if the policy reported them, else those of `encode_chat`:
`{"prompt_ids": [2, …], "chosen_ids": [54, 1], "rejected_ids": [55, 56, 1]}`
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import DPOConfig

from lumos_rl.core import Message, PreferencePair
from lumos_rl.errors import DataError
from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.policies.encoding import encode_chat, fingerprint
from lumos_rl.training.left_out import LeftOut
from lumos_rl.training.pieces import PiecewiseDPO
from lumos_rl.training.settings import DPOSettings
from lumos_rl.training.trainer import (
    OneGPU,
    freeing_memory,
    load_trainable,
    lora_config,
    run_trainer,
    scoring_supervised_only,
    training_arguments,
)

log = logging.getLogger(__name__)

PLACEHOLDER = {  # text row to construct TRL's trainer with; see `_replace_rows`
    "prompt": [{"role": "user", "content": ""}],
    "chosen": [{"role": "assistant", "content": ""}],
    "rejected": [{"role": "assistant", "content": ""}],
}


class _Arguments(OneGPU, DPOConfig):  # type: ignore[misc]  # TRL ships no types
    """TRL's arguments, on one GPU."""


@dataclass(frozen=True, slots=True)
class DPOReport:
    """The result of a DPO run.

    Attributes:
        steps: Optimizer steps.
        pairs: Pairs trained on.
        left_out: Pairs that were too long or could not be encoded.
        loss: Mean training loss of all steps.
        accuracy: Share of pairs whose chosen turn has the higher implicit reward, mean of all steps.
        margin: Implicit reward margin, mean of all steps.
        seconds: Wall-clock time, that of earlier starts up to their last checkpoint included.
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
    chat_template: Sequence[str] = (),
) -> PiecewiseDPO:
    """TRL's trainer, with the model at `model_path` as its reference.

    Raises:
        DataError: No pairs, or more than half are left out.
    """
    tokenizer = load_tokenizer(model_path, chat_template)
    rows, _ = encode_pairs(tokenizer, pairs, settings.max_length)
    torch.manual_seed(seed)
    model = load_trainable(model_path, settings)
    weights = (
        {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, settings.sft_weight]} if settings.sft_weight else {}
    )
    trainer = PiecewiseDPO(
        model=model,
        args=_Arguments(
            **training_arguments(settings, out, seed),
            max_length=settings.max_length,
            beta=settings.beta,
            **weights,
        ),
        train_dataset=Dataset.from_list([PLACEHOLDER]),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else lora_config(settings.lora_rank),
        callbacks=list(callbacks),
    )
    _replace_rows(trainer, rows)
    return trainer


def _replace_rows(trainer: PiecewiseDPO, rows: list[dict[str, list[int]]]) -> None:
    """Replaces the trainer's data set with rows of token ids.

    TRL's constructor accepts only text. It tokenizes prompt and turn together, which for some tokenizers gives other
    ids than `encode_chat`.
    """
    trainer.train_dataset = Dataset.from_list(rows)


def encode_pairs(
    tokenizer: Any, pairs: Sequence[PreferencePair], max_length: int
) -> tuple[list[dict[str, list[int]]], int]:
    """Token ids of prompt, chosen and rejected turn, as TRL's collator takes them.

    Args:
        tokenizer: With a chat template.
        pairs: The pairs to encode.
        max_length: Maximum number of tokens of a prompt with its turn.

    Returns:
        Rows `{"prompt_ids", "chosen_ids", "rejected_ids"}`, and the number of pairs that were left out: too long, or
        refused by tokenizer or chat template.

    Raises:
        DataError: There are none, or more than half are left out.
    """
    left_out = LeftOut("preference pairs", max_length)
    rows, foreign, own = [], 0, fingerprint(tokenizer)
    for pair in pairs:
        if pair.ids is not None and pair.ids.tokenizer == own:
            prompt, *turns = list(pair.ids.prompt), list(pair.ids.chosen), list(pair.ids.rejected)
        else:
            foreign += pair.ids is not None
            encoded = left_out.encoded(functools.partial(_pair_ids, tokenizer, pair))
            if encoded is None:
                continue
            prompt, *turns = encoded
        if left_out.fits(len(prompt) + max(map(len, turns))):
            rows.append({"prompt_ids": prompt, "chosen_ids": turns[0], "rejected_ids": turns[1]})
    if foreign:
        log.warning("%d pairs were sampled with another tokenizer or chat template: encoded again from text", foreign)
    if not pairs:
        raise DataError(
            "expected preference pairs, got 0 pairs: every task's episodes got the same reward; sample more episodes"
            " per task, at a higher temperature, or on harder tasks"
        )
    left_out.tell(len(pairs))
    return rows, left_out.count


def _pair_ids(tokenizer: Any, pair: PreferencePair) -> tuple[list[int], list[int], list[int]]:
    prompt, _ = encode_chat(tokenizer, pair.prompt, add_generation_prompt=True)
    chosen, rejected = (_turn_ids(tokenizer, pair.prompt, text) for text in (pair.chosen, pair.rejected))
    return prompt, chosen, rejected


def _turn_ids(tokenizer: Any, prompt: Sequence[Message], completion: str) -> list[int]:
    """The ids of a model turn: its text and its end-of-turn token."""
    ids, mask = encode_chat(tokenizer, [*prompt, {"role": "assistant", "content": completion}])
    end = len(mask) - mask[::-1].index(True)  # the template may add text after it that no model writes
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
    chat_template: Sequence[str] = (),
) -> DPOReport:
    """Trains on preference pairs; the other arguments are as for `train_sft`."""
    began = time.monotonic()
    trainer = dpo_trainer(model_path, pairs, out, settings, seed, callbacks, chat_template)
    with scoring_supervised_only():
        course = run_trainer(trainer, out)
    return DPOReport(
        steps=trainer.state.global_step,
        pairs=len(trainer.train_dataset),
        left_out=len(pairs) - len(trainer.train_dataset),
        loss=course.loss,
        accuracy=course.accuracy,
        margin=course.margin,
        seconds=course.seconds_before + time.monotonic() - began,
    )
