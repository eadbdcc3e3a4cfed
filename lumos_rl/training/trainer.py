"""Shared by SFT and DPO: loading the model to train, TRL's arguments, and running a TRL trainer.

    class Arguments(OneGPU, SFTConfig): ...
    trainer = SFTTrainer(args=Arguments(**training_arguments(settings, out, seed)), …)
    run_trainer(trainer, out)    # trains, from the last checkpoint if there is one, and saves model or adapter in `out`
    # Course(loss=0.3446, accuracy=None, margin=None, seconds_before=0.0)

During training, `out/checkpoints/checkpoint-200` and the like hold the state from which a killed run resumes.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
import trl.trainer.utils
from peft import LoraConfig
from tqdm import tqdm
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from lumos_rl.console import Progress, Stopped
from lumos_rl.policies.checkpoints import DTYPES, free_memory, load_model
from lumos_rl.training.pieces import MULTIPLE
from lumos_rl.training.saved import checkpoints_in, last_checkpoint, remove, remove_all_but_last, remove_leftovers
from lumos_rl.training.settings import LORA_ALPHA, DPOSettings, SFTSettings

log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Report = TypeVar("Report")


def lora_config(rank: int | None) -> LoraConfig | None:
    """The PEFT config of new adapters; None if all weights are trained."""
    if rank is None:
        return None
    return LoraConfig(r=rank, lora_alpha=LORA_ALPHA * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def load_trainable(path: str | Path, settings: SFTSettings | DPOSettings) -> Any:
    """Loads a model or adapter for training.

    Trained weights are float32 (PEFT ensures this for adapters): bfloat16 has steps of 0.4 % and would lose most
    updates at usual learning rates.
    """
    frozen = settings.lora_rank or (Path(path) / "adapter_config.json").is_file()
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
        "save_total_limit": None,  # `saved.remove_all_but_last` deletes older ones, each at one stroke
        "logging_steps": 20,
        "report_to": "none",  # callers log with callbacks, so that all stages share one tracker
        "disable_tqdm": True,
        "seed": seed,
        "data_seed": seed,
        "pad_to_multiple_of": None if torch.cuda.is_available() else MULTIPLE,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
    }


class OneGPU(TrainingArguments):  # type: ignore[misc]  # Transformers ships no types
    """Arguments for a process that may see several GPUs but trains on the first one; otherwise TRL refuses to start.

    There is no option for the number of GPUs; Transformers reads this property wherever it would use several.
    """

    @property
    def n_gpu(self) -> int:
        return min(1, int(super().n_gpu))


@dataclass(frozen=True, slots=True)
class Course:
    """How a training run went, over all of its steps, those before it was resumed included.

    Attributes:
        loss: Mean training loss.
        accuracy: Mean share of pairs whose chosen turn has the higher implicit reward; None for SFT.
        margin: Mean implicit reward margin; None for SFT.
        seconds_before: Wall-clock seconds of the steps before it was resumed.
    """

    loss: float
    accuracy: float | None
    margin: float | None
    seconds_before: float


def run_trainer(trainer: Any, out: Path) -> Course:
    """Trains from the last whole checkpoint if there is one, saves the result, and deletes the checkpoints.

    Raises:
        Stopped: Training was stopped by Ctrl-C or SIGTERM, after saving a checkpoint.
    """
    checkpoints = Path(trainer.args.output_dir)
    remove_leftovers(checkpoints)
    remove_leftovers(out)
    last = last_checkpoint(checkpoints)
    if last is not None:
        drop_frozen_adapters(trainer.model, last)
    for other in checkpoints_in(checkpoints):
        if other != last:  # older, or cut off: it would only take room
            remove(other)
    history = _History()
    with _StopOnSignal() as stop:
        trainer.add_callback(stop)
        trainer.add_callback(history)  # behind the others, which decide whether a step is saved
        trainer.remove_callback(PrinterCallback)  # it prints every log as a dict
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    if stop.asked:
        raise Stopped(stop.asked)
    trainer.save_model(str(out))
    drop_frozen_adapters(trainer.model, out)
    remove(checkpoints)
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    loss = mean_over_steps(logged, "loss")
    return Course(
        loss=float("nan") if loss is None else loss,
        accuracy=mean_over_steps(logged, "rewards/accuracies"),
        margin=mean_over_steps(logged, "rewards/margins"),
        seconds_before=sum(entry.get(SECONDS, 0.0) for entry in logged if entry["step"] <= history.began),
    )


SECONDS = "seconds"  # in an entry of the log history: since the one before


def mean_over_steps(logged: Sequence[Mapping[str, float]], name: str) -> float | None:
    """The mean of a value over steps; None if it was not logged.

    Args:
        logged: Entries with "step", in the order of steps; each has the means over the steps since the one before.
        name: Name of the value.
    """
    total, steps, before = 0.0, 0, 0
    for entry in logged:
        taken, before = int(entry["step"]) - before, int(entry["step"])
        if name in entry:
            total, steps = total + entry[name] * taken, steps + taken
    return total / steps if steps else None


class _History(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """Makes the log history cover every step that a checkpoint has, and lets the run's own settings hold on resume.

    The history is saved with each checkpoint, while sums that are not logged yet are lost. So each save logs first.
    """

    def __init__(self) -> None:
        self.began = 0  # step that training began or resumed at
        self._since = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began, self._since = state.global_step, time.monotonic()
        state.save_steps, state.logging_steps = args.save_steps, args.logging_steps  # not those of the checkpoint

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if control.should_save or control.should_training_stop:
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        now = time.monotonic()
        state.log_history[-1][SECONDS], self._since = now - self._since, now

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        remove_all_but_last(Path(args.output_dir))


def drop_frozen_adapters(model: Any, saved: Path) -> None:
    """Removes the saved adapters that are not trained, such as DPO's reference, from a folder.

    PEFT saves every adapter of a model, each further one in a folder of its name. If there is such a folder,
    Transformers does not load the trained adapter on resume. DPO copies its reference again from the starting model.
    """
    for name in getattr(model, "peft_config", {}):
        if name not in model.active_adapters:
            shutil.rmtree(saved / name, ignore_errors=True)


@contextlib.contextmanager
def scoring_supervised_only() -> Iterator[None]:
    """Context in which TRL's fused LM head skips unsupervised tokens on CPUs as well as on GPUs.

    On other devices TRL computes logits for every token and masks them afterwards, because some compile a program per
    shape. A CPU does not. The loss is the same up to rounding, and a model from scratch trains up to twice as fast.
    TRL has no option for it, so its private device check is replaced. If a TRL version lacks that check, training is
    only slower, and the test of this function fails.
    """
    asked: Callable[[torch.device], bool] | None = getattr(trl.trainer.utils, "_use_triton", None)
    if asked is None:
        yield
        return
    trl.trainer.utils._use_triton = lambda device: device.type == "cpu" or asked(device)
    try:
        yield
    finally:
        trl.trainer.utils._use_triton = asked


def freeing_memory(train: Callable[Arguments, Report]) -> Callable[Arguments, Report]:
    """Decorator for a training run that frees its memory at the end, for the next rollout."""

    @functools.wraps(train)
    def run(*arguments: Arguments.args, **named: Arguments.kwargs) -> Report:
        try:
            return train(*arguments, **named)
        finally:
            free_memory()

    return run


class _StopOnSignal(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """The first Ctrl-C or SIGTERM ends training after the current step, with a checkpoint; the second one at once.

    Outside the main thread signals cannot be handled, so it does nothing there.
    """

    def __init__(self) -> None:
        self.asked = 0  # number of the signal
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
            raise Stopped(number)
        self.asked = number

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.asked:
            control.should_save = control.should_training_stop = True


class ShowProgress(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
    """Shows the optimizer steps, in a bar on a terminal and else in lines of the log, and logs the trainer's metrics.

    Args:
        log: Called with label, step and values of some steps, never twice for the same step.
        label: Name of the training run.
        rewind: Called with label and step when training begins, because the steps behind this one are logged again.
    """

    def __init__(
        self,
        log: Callable[[str, int, dict[str, float]], None],
        label: str,
        rewind: Callable[[str, int], None] | None = None,
    ) -> None:
        self.log, self.label, self.rewind = log, label, rewind
        self.bar: Any = None
        self._lines: Progress | None = None  # None before training begins
        self._loss = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        done, what = state.global_step, f"train {self.label}"
        if self.rewind is not None:
            self.rewind(self.label, done)
        self.bar = tqdm(total=state.max_steps, initial=done, desc=what, leave=False, disable=None)
        self._lines = Progress(what, state.max_steps, "steps", log.info, done) if self.bar.disable else None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.update(state.global_step - self.bar.n)
        if self._lines is not None:
            self._lines.at(state.global_step, self._loss)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "train_runtime" in (logs or {}):  # a summary of what this process did; `Course` has that of all steps
            return
        values = {name: value for name, value in (logs or {}).items() if isinstance(value, int | float)}
        self.log(self.label, state.global_step, values)
        if "loss" in values:
            self._loss = f"loss {values['loss']:.3f}"
            self.bar.set_postfix_str(self._loss, refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.bar.close()
