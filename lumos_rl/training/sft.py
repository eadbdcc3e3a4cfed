"""Supervised fine-tuning with TRL: loss on what the model writes, nothing else.

    report = train_sft("runs/demo/base", conversations, Path("runs/demo/sft"), SFTSettings(max_steps=400), seed=0)

A conversation is a list of messages, as `lumos_rl.data.rows` builds them from annotations or from successful episodes.
The result is a model folder (full fine-tuning) or an adapter folder (LoRA). A run that was killed goes on from its last
checkpoint when called again with the same folder; Ctrl-C and SIGTERM save a checkpoint first.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from tqdm import tqdm
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from lumos_rl.core import Message
from lumos_rl.errors import DataError
from lumos_rl.policies.hf import DTYPES, load_model, load_tokenizer
from lumos_rl.prompts import encode_chat
from lumos_rl.training.settings import DPOSettings, LoraSettings, SFTSettings

Conversation = Sequence[Message]
STRETCH = 4  # batches whose rows are sorted by length together
IGNORED = -100  # label of tokens without loss, by PyTorch's cross entropy
REFERENCE = "ref"  # TRL's name for the frozen copy of an adapter; it is saved beside the adapter


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training run came to.

    Attributes:
        steps: Optimizer steps.
        tokens: Tokens per epoch.
        supervised: Share of them with loss.
        left_out: Conversations longer than max_length.
        loss: Mean training loss.
        seconds: Wall-clock time.
    """

    steps: int
    tokens: int
    supervised: float
    left_out: int
    loss: float
    seconds: float


def encode_rows(
    tokenizer: Any, conversations: Sequence[Conversation], max_length: int
) -> tuple[list[dict[str, list[int]]], int]:
    """Token ids and labels of each conversation.

    Args:
        tokenizer: With a chat template.
        conversations: What to encode.
        max_length: Longest row, tokens.

    Returns:
        Rows `{"input_ids", "labels"}`, each list of length T, labels -100 where there is no loss; and how many
        conversations were too long.

    Raises:
        DataError: No row is left, or the mask covers nothing or everything.
    """
    rows = []
    for conversation in conversations:
        ids, mask = encode_chat(tokenizer, conversation)
        labels = [token if written else IGNORED for token, written in zip(ids, mask, strict=True)]
        rows.append({"input_ids": ids, "labels": labels})
    kept = [row for row in rows if len(row["input_ids"]) <= max_length]
    share = supervised_share(kept)
    if not 0 < share < 1:
        raise DataError(
            f"expected rows with some tokens in the loss and some out of it, got {len(kept)} of {len(rows)} rows within"
            f" {max_length} tokens and {share:.0%} of their tokens in the loss; check max_length and the chat template"
        )
    return kept, len(rows) - len(kept)


def epoch_order(rows: Sequence[dict[str, list[int]]], settings: SFTSettings, seed: int) -> list[int]:
    """The order in which rows are learned, all epochs one after the other.

    Each epoch is shuffled, then sorted by length within stretches of a few batches, whose batches are shuffled again: a
    batch of random rows would be up to 40 % padding, and sorting a whole epoch would fill each batch with one kind of
    task.

    Args:
        rows: What is learned.
        settings: Batch size, and epochs or steps.
        seed: Seed of the shuffles.

    Returns:
        Indices into `rows`, as many as the run needs.
    """
    batch = settings.batch_size
    wanted = settings.max_steps * batch * settings.gradient_accumulation or math.ceil(settings.epochs * len(rows))
    rng = random.Random(seed)
    order: list[int] = []
    left: list[int] = []  # rows that did not fill a batch; they begin the next epoch
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
    """Share of tokens that carry loss; 0 for no rows."""
    total = sum(len(row["labels"]) for row in rows)
    return sum(label != IGNORED for row in rows for label in row["labels"]) / total if total else 0.0


def preview(model_path: str | Path, conversations: Sequence[Conversation], max_length: int) -> str:
    """The training rows of some conversations as text, with the tokens that carry loss between ⟦ and ⟧."""
    tokenizer = load_tokenizer(model_path)
    rows, _ = encode_rows(tokenizer, conversations, max_length)
    return "\n\n".join(_preview_row(tokenizer, row) for row in rows)


def _preview_row(tokenizer: Any, row: dict[str, list[int]]) -> str:
    pieces: list[tuple[bool, list[int]]] = []
    for token, label in zip(row["input_ids"], row["labels"], strict=True):
        inside = label != IGNORED
        if not pieces or pieces[-1][0] != inside:
            pieces.append((inside, []))
        pieces[-1][1].append(token)
    texts = [(inside, tokenizer.decode(ids)) for inside, ids in pieces]
    return "".join(f"⟦{text}⟧" if inside else text for inside, text in texts)


def train_sft(
    model_path: str | Path,
    conversations: Sequence[Conversation],
    out: Path,
    settings: SFTSettings,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainReport:
    """Fine-tunes a model, or goes on training an adapter.

    Args:
        model_path: Model folder, adapter folder or hub name to start from.
        conversations: What to learn.
        out: Where the trained model or adapter goes; also its checkpoints while training.
        settings: How.
        seed: Order of the rows and adapter initialisation.
        callbacks: Transformers callbacks, e.g. for progress and logs.

    Raises:
        DataError: Nothing to learn from.
    """
    began = time.monotonic()
    tokenizer = load_tokenizer(model_path)
    rows, left_out = encode_rows(tokenizer, conversations, settings.max_length)
    torch.manual_seed(seed)
    model = load_trainable(model_path, settings)
    trainer = SFTTrainer(
        model=model,
        args=on_one_gpu(
            SFTConfig(
                **(training_arguments(settings, out, seed) | {"num_train_epochs": 1}),  # the order holds all epochs
                max_length=settings.max_length,
                train_sampling_strategy="sequential",
            )
        ),
        train_dataset=Dataset.from_list(rows).select(epoch_order(rows, settings, seed)),
        processing_class=tokenizer,
        peft_config=None if hasattr(model, "peft_config") else lora_config(settings.lora),
        callbacks=list(callbacks),
    )
    result = run_trainer(trainer, out)
    return TrainReport(
        steps=trainer.state.global_step,
        tokens=sum(len(row["input_ids"]) for row in rows),
        supervised=supervised_share(rows),
        left_out=left_out,
        loss=result.training_loss,
        seconds=time.monotonic() - began,
    )


def lora_config(settings: LoraSettings) -> LoraConfig | None:
    """The PEFT config of new adapters; None when all weights are trained."""
    if not settings.rank:
        return None
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def load_trainable(path: str | Path, settings: SFTSettings | DPOSettings) -> Any:
    """A model to train; of an adapter, the adapter's weights.

    What is trained is float32 (PEFT sees to that for adapters): bfloat16 has steps of 0.4 %, and would round most
    updates of a usual learning rate away.
    """
    frozen = settings.lora.rank or (Path(path) / "adapter_config.json").is_file()
    return load_model(path, DTYPES[settings.dtype] if frozen else torch.float32, trainable=True)


def training_arguments(settings: Any, out: Path, seed: int) -> dict[str, Any]:
    """Arguments that SFT and DPO share, for their TRL config classes."""
    return {
        "output_dir": str(out / "checkpoints"),
        "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup_ratio,  # a float below 1 is a share
        "weight_decay": settings.weight_decay,
        "adam_beta2": settings.adam_beta2,
        "lr_scheduler_type": settings.scheduler,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "bf16": settings.dtype == "bfloat16",
        "save_strategy": "steps" if settings.save_steps else "no",
        "save_steps": settings.save_steps or 500,
        "save_total_limit": 1,
        "logging_steps": 20,
        "report_to": "none",  # callers log through callbacks, so that all stages share one tracker
        "disable_tqdm": True,
        "seed": seed,
        "data_seed": seed,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
    }


def on_one_gpu(arguments: Any) -> Any:
    """Lets a process that sees several GPUs train on the first of them; TRL would refuse to start there."""
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments


def run_trainer(trainer: Any, out: Path) -> Any:
    """Trains from the last checkpoint if there is one, saves the result, and drops the checkpoints.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM came; a checkpoint was saved first.
    """
    checkpoints = Path(trainer.args.output_dir)
    last = last_checkpoint(checkpoints)
    if (
        last is not None
    ):  # DPO makes its reference anew; a stored one keeps Transformers from loading the trained adapter
        shutil.rmtree(last / REFERENCE, ignore_errors=True)
    with _StopOnSignal() as stop:
        trainer.add_callback(stop)
        trainer.remove_callback(PrinterCallback)  # it prints every log as a dict
        result = trainer.train(resume_from_checkpoint=str(last) if last else None)
    if stop.asked:
        raise KeyboardInterrupt
    trainer.save_model(str(out))
    shutil.rmtree(out / REFERENCE, ignore_errors=True)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; None when there is none."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))  # written last
        except (OSError, ValueError):
            continue
        return path
    return None


class _StopOnSignal(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """Ends training after the step under way, with a checkpoint, on the first Ctrl-C or SIGTERM; at once on the second.

    Outside the main thread signals cannot be handled, and nothing is changed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _StopOnSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.asked:
            control.should_save = control.should_training_stop = True


class Progress(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """A progress bar of the optimizer steps, and a log of what the trainer measures.

    Args:
        log: Called with label, step and values.
        label: Name of the training run.
    """

    def __init__(self, log: Callable[[str, int, dict[str, float]], None], label: str) -> None:
        self.log, self.label = log, label
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=f"train {self.label}", leave=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        values = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        self.log(self.label, state.global_step, values)
        if "loss" in values:
            self.bar.set_postfix_str(f"loss {values['loss']:.3f}", refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()
