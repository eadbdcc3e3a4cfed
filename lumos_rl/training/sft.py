"""Supervised fine-tuning with TRL, with loss only on what the model writes.

    report = train_sft("runs/demo/base", conversations, Path("runs/demo/sft"), SFTSettings(max_steps=400), seed=0)

A conversation is a list of messages or a `ChatRow` of `lumos_rl.data.rows`; sampled token ids in a row are used
unchanged. The result is a model folder (full fine-tuning) or an adapter folder (LoRA). Called again with the same
folder, a killed run resumes from its last checkpoint; Ctrl-C and SIGTERM save a checkpoint first.
"""

from __future__ import annotations

import functools
import logging
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig

from lumos_rl.core import Message
from lumos_rl.data.rows import ChatRow
from lumos_rl.errors import DataError
from lumos_rl.policies.checkpoints import load_tokenizer
from lumos_rl.policies.encoding import encode_chat, fingerprint
from lumos_rl.training.left_out import LeftOut
from lumos_rl.training.pieces import IGNORED, PiecewiseSFT
from lumos_rl.training.settings import SFTSettings
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

Conversation = Sequence[Message] | ChatRow
STRETCH = 4  # number of batches whose rows are sorted by length together


@dataclass(frozen=True, slots=True)
class TrainReport:
    """The result of a training run.

    Attributes:
        steps: Optimizer steps.
        tokens: Tokens per epoch.
        supervised: Share of them with loss.
        left_out: Conversations that were too long, could not be encoded, or hold no turn of the model.
        loss: Mean training loss of all steps.
        seconds: Wall-clock time, that of earlier starts up to their last checkpoint included.
    """

    steps: int
    tokens: int
    supervised: float
    left_out: int
    loss: float
    seconds: float


class _Arguments(OneGPU, SFTConfig):  # type: ignore[misc]  # TRL ships no types
    """TRL's arguments, on one GPU."""


def encode_rows(
    tokenizer: Any, conversations: Sequence[Conversation], max_length: int
) -> tuple[list[dict[str, list[int]]], int]:
    """Token ids and labels of each conversation.

    Args:
        tokenizer: With a chat template.
        conversations: The conversations to encode. Ids sampled with the same tokenizer are used unchanged.
        max_length: Maximum number of tokens of a row.

    Returns:
        Rows `{"input_ids", "labels"}`, each list of length T, with label -100 for tokens without loss; and the number
        of conversations that were left out: too long, refused by tokenizer or chat template, or without a model turn.

    Raises:
        DataError: There are none, more than half are left out, or none or all of the tokens have loss.
    """
    left_out = LeftOut("conversations", max_length)
    rows, foreign, own = [], 0, fingerprint(tokenizer)
    for conversation in conversations:
        row = conversation if isinstance(conversation, ChatRow) else ChatRow("", "", "", tuple(conversation))
        if row.transcript is not None and row.transcript.tokenizer == own:
            ids, mask = list(row.transcript.ids), list(row.transcript.written)
        else:
            foreign += row.transcript is not None
            encoded = left_out.encoded(functools.partial(encode_chat, tokenizer, row.messages))
            if encoded is None:
                continue
            ids, mask = encoded
        if not any(mask):  # TRL drops these without a word
            left_out.unwritten += 1
            continue
        if not left_out.fits(len(ids)):
            continue
        labels = [token if written else IGNORED for token, written in zip(ids, mask, strict=True)]
        rows.append({"input_ids": ids, "labels": labels})
    if foreign:
        log.warning("%d rows were sampled with another tokenizer or chat template: encoded again from text", foreign)
    left_out.tell(len(conversations))
    share = supervised_share(rows)
    if not 0 < share < 1:
        raise DataError(
            f"expected rows with some tokens in the loss and some out of it, got {len(rows)} rows with {share:.0%} of"
            " their tokens in the loss; check the conversations and the chat template"
        )
    return rows, left_out.count


def epoch_order(rows: Sequence[dict[str, list[int]]], settings: SFTSettings, seed: int) -> list[int]:
    """The order of the training rows over all epochs.

    Each epoch is shuffled and cut into stretches of `STRETCH` batches. The rows of a stretch are sorted by length, and
    its batches are shuffled: a batch of random rows would be up to 40 % padding, and sorting a whole epoch would fill
    each batch with one kind of task. A batch is what an update learns, so the order does not depend on how many
    accumulated steps it is cut into.

    Args:
        rows: The training rows.
        settings: Batch size, accumulation, and epochs or steps.
        seed: Seed of the shuffles.

    Returns:
        Indices into `rows`, for the whole run.
    """
    batch = settings.batch_size * settings.gradient_accumulation
    wanted = math.ceil(settings.epochs * len(rows)) if settings.max_steps is None else settings.max_steps * batch
    rng = random.Random(seed)
    order: list[int] = []
    left: list[int] = []  # rows that did not fill a batch; the next epoch starts with them
    while len(order) < wanted:
        epoch = left + rng.sample(range(len(rows)), len(rows))
        full = len(epoch) // batch * batch if len(order) + len(epoch) < wanted else len(epoch)
        epoch, left = epoch[:full], epoch[full:]
        for start in range(0, len(epoch), STRETCH * batch):
            stretch = sorted(epoch[start : start + STRETCH * batch], key=lambda index: len(rows[index]["input_ids"]))
            batches = [stretch[at : at + batch] for at in range(0, len(stretch), batch)]
            rng.shuffle(batches)
            order += [index for part in batches for index in part]
    return order[:wanted]


def supervised_share(rows: Sequence[dict[str, list[int]]]) -> float:
    """Share of tokens with loss; 0 without rows."""
    total = sum(len(row["labels"]) for row in rows)
    return sum(label != IGNORED for row in rows for label in row["labels"]) / total if total else 0.0


def preview(
    model_path: str | Path, conversations: Sequence[Conversation], max_length: int, chat_template: Sequence[str] = ()
) -> str:
    """The training rows of some conversations as text, with the tokens in the loss between ⟦ and ⟧.

    A row that training leaves out says so.
    """
    tokenizer = load_tokenizer(model_path, chat_template)
    rows, _ = encode_rows(tokenizer, conversations, sys.maxsize)
    left_out = f"[left out, as it has more than {max_length} tokens] "
    return "\n\n".join(
        (left_out if len(row["input_ids"]) > max_length else "") + _preview_row(tokenizer, row) for row in rows
    )


def _preview_row(tokenizer: Any, row: dict[str, list[int]]) -> str:
    pieces: list[tuple[bool, list[int]]] = []
    for token, label in zip(row["input_ids"], row["labels"], strict=True):
        inside = label != IGNORED
        if not pieces or pieces[-1][0] != inside:
            pieces.append((inside, []))
        pieces[-1][1].append(token)
    texts = [(inside, tokenizer.decode(ids)) for inside, ids in pieces]
    return "".join(f"⟦{text}⟧" if inside else text for inside, text in texts)


@freeing_memory
def train_sft(
    model_path: str | Path,
    conversations: Sequence[Conversation],
    out: Path,
    settings: SFTSettings,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
    chat_template: Sequence[str] = (),
) -> TrainReport:
    """Fine-tunes a model, or continues to train an adapter.

    Args:
        model_path: Model folder, adapter folder or hub name to start from.
        conversations: What to learn.
        out: Folder for the trained model or adapter, and for checkpoints during training.
        settings: Hyper-parameters.
        seed: Seed of the row order and of the adapter initialisation.
        callbacks: Transformers callbacks, e.g. for progress and logs.
        chat_template: As the setting `model.chat_template`; saved with the model.

    Raises:
        DataError: Nothing to learn from, or more than half of it is left out.
    """
    began = time.monotonic()
    tokenizer = load_tokenizer(model_path, chat_template)
    rows, left_out = encode_rows(tokenizer, conversations, settings.max_length)
    trainer = sft_trainer(model_path, rows, out, settings, seed, tokenizer, callbacks)
    with scoring_supervised_only():
        course = run_trainer(trainer, out)
    return TrainReport(
        steps=trainer.state.global_step,
        tokens=sum(len(row["input_ids"]) for row in rows),
        supervised=supervised_share(rows),
        left_out=left_out,
        loss=course.loss,
        seconds=course.seconds_before + time.monotonic() - began,
    )


def sft_trainer(
    model_path: str | Path,
    rows: list[dict[str, list[int]]],
    out: Path,
    settings: SFTSettings,
    seed: int,
    tokenizer: Any,
    callbacks: Sequence[TrainerCallback] = (),
) -> PiecewiseSFT:
    """TRL's trainer, with rows of `encode_rows` in the order of `epoch_order`."""
    torch.manual_seed(seed)
    model = load_trainable(model_path, settings)
    return PiecewiseSFT(
        model=model,
        args=_Arguments(
            **(training_arguments(settings, out, seed) | {"num_train_epochs": 1}),  # the order holds all epochs
            max_length=settings.max_length,
            train_sampling_strategy="sequential",
        ),
        train_dataset=Dataset.from_list(rows).select(epoch_order(rows, settings, seed)),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else lora_config(settings.lora_rank),
        callbacks=list(callbacks),
    )
