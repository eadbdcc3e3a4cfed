"""Whether a real language model trains and plays at the machine's speed: the product beside the barest code.

    python benchmarks/real_model.py train                                   # SmolLM2 (make smollm2), the built-in suite
    python benchmarks/real_model.py train --data data/mawps --steps 100     # MAWPS as its authors distribute it
    python benchmarks/real_model.py train --model FOLDER --dtype bfloat16
    python benchmarks/real_model.py play                                    # episodes, on both engines

`train` compares SFT with a plain PyTorch loop: the same model, rows and batches, AdamW, the loss on what the model
writes, and every setting that made the loop faster. Each side runs in a process of its own, so that its memory is its
own. Tokens are those of the conversations, without padding. The first step of each side is not timed: there the
libraries prepare their programs. With VERBOSE=1 in the environment, each step's resident memory goes to stderr. CPU
seconds say more than seconds where the machine has other work.

    side      tokens/s  tokens/CPU s  resident GB  at most GB    loss
    product        ...

`play` is in `real_model_play.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SIDES = ("product", "plain")
BATCH = 16
MAX_LENGTH = 1024
LEARNING_RATE = 3e-4


@dataclass(frozen=True, slots=True)
class Measured:
    """One side of a comparison.

    Attributes:
        tokens: Tokens of the conversations of the timed steps.
        seconds: Wall-clock time of them.
        cpu_seconds: CPU time of them.
        resident: Resident memory after the last step, bytes.
        peak: The most resident memory, bytes.
        loss: Mean loss of all steps.
    """

    tokens: int
    seconds: float
    cpu_seconds: float
    resident: int
    peak: int
    loss: float


def resident() -> int:
    """Resident memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Clock:
    """Measures steps from the end of the first to the end of the last."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens, self.done, self.losses = tokens, 0, []
        self.began = self.ended = (0.0, 0.0)

    def step(self, loss: float | None = None) -> None:
        """Notes the end of a step."""
        self.done += 1
        self.losses += [] if loss is None else [loss]
        self.ended = (time.monotonic(), time.process_time())
        if self.done == 1:
            self.began = self.ended
        if os.environ.get("VERBOSE"):
            print(f"step {self.done}: {resident() / 1e9:.2f} GB", file=sys.stderr, flush=True)

    def result(self, loss: float | None = None) -> Measured:
        """What was measured; the mean loss is given, or that of the noted ones."""
        seconds, cpu_seconds = (after - before for after, before in zip(self.ended, self.began, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        mean = sum(self.losses) / len(self.losses) if loss is None else loss
        now = resident()
        return Measured(sum(self.tokens[1 : self.done]), seconds, cpu_seconds, now, max(peak, now), mean)


def conversations(options: argparse.Namespace) -> list[Any]:
    """What both sides learn once: conversations of a folder of MAWPS, or of the built-in suite of GSM8K."""
    from lumos_rl.core import Formulation, Task
    from lumos_rl.data import load_tasks
    from lumos_rl.data.annotate import annotate
    from lumos_rl.data.rows import annotation_rows
    from lumos_rl.prompts import COMPACT_PROFILE

    wanted = options.steps * BATCH
    source = ("mawps", options.data, "train") if options.data else ("gsm8k", "synthetic", "train", wanted)
    read = load_tasks(*source)
    tasks = random.Random(options.seed).sample(read, min(len(read), wanted))
    annotated = [task for task in map(annotate, tasks) if isinstance(task, Task)]
    return list(annotation_rows(annotated, Formulation.ITERATIVE, COMPACT_PROFILE))[:wanted]


def settings(options: argparse.Namespace) -> Any:
    """The settings of the product's side; the plain loop takes the same values."""
    from lumos_rl.training.settings import SFTSettings

    return SFTSettings(
        max_steps=options.steps,
        learning_rate=LEARNING_RATE,
        warmup_ratio=0.0,
        scheduler="constant",
        batch_size=BATCH,
        max_length=MAX_LENGTH,
        dtype=options.dtype,
        save_steps=None,
    )


def encoded(options: argparse.Namespace, chats: list[Any]) -> tuple[Any, list[list[Any]]]:
    """The tokenizer, and the rows of each step in the product's order."""
    from lumos_rl.policies.checkpoints import load_tokenizer
    from lumos_rl.training.sft import encode_rows, epoch_order

    tokenizer = load_tokenizer(options.model)
    rows, _ = encode_rows(tokenizer, chats, MAX_LENGTH)
    order = epoch_order(rows, settings(options), options.seed)
    return tokenizer, [[rows[row] for row in order[at : at + BATCH]] for at in range(0, len(order), BATCH)]


def tokens_of(batches: list[list[Any]]) -> list[int]:
    """Tokens of each batch, without padding."""
    return [sum(len(row["input_ids"]) for row in batch) for batch in batches]


def product(options: argparse.Namespace) -> Measured:
    """SFT as a run does it."""
    from transformers import TrainerCallback

    from lumos_rl.training.sft import train_sft

    chats = conversations(options)
    clock = Clock(tokens_of(encoded(options, chats)[1]))
    seen: list[Measured] = []

    class Watch(TrainerCallback):  # type: ignore[misc]  # Transformers ships no types
        def on_step_end(self, *arguments: Any, **named: Any) -> None:
            clock.step()

        def on_train_end(self, *arguments: Any, **named: Any) -> None:
            seen.append(clock.result(0.0))

    with tempfile.TemporaryDirectory() as folder:
        report = train_sft(options.model, chats, Path(folder), settings(options), options.seed, [Watch()])
    return Measured(**(asdict(seen[0]) | {"loss": report.loss}))


def plain(options: argparse.Namespace) -> Measured:
    """The same training in a plain loop."""
    import torch

    from lumos_rl.policies.checkpoints import load_model

    tokenizer, batches = encoded(options, conversations(options))
    model = load_model(options.model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    clock = Clock(tokens_of(batches))
    for batch in batches:
        wanted = sum(label >= 0 for row in batch for label in row["labels"][1:])
        loss = 0.0
        for ids, labels in plain_pieces(batch, tokenizer.pad_token_id):
            with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16"):
                hidden = model.model(ids, use_cache=False).last_hidden_state[:, :-1]  # (B, T - 1, H)
                scored = labels[:, 1:] >= 0
                logits = model.lm_head(hidden[scored]).float()
                part = torch.nn.functional.cross_entropy(logits, labels[:, 1:][scored], reduction="sum") / wanted
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.step(loss)
    return clock.result()


def plain_pieces(batch: list[Any], padding: int, tokens: int = 1536, multiple: int = 32) -> list[tuple[Any, Any]]:
    """Ids and labels of a batch, in pieces of rows of like length: faster than a padded batch, in less memory."""
    import torch

    rows, made = sorted(batch, key=lambda row: len(row["input_ids"])), []
    while rows:
        width = -(-len(rows[-1]["input_ids"]) // multiple) * multiple
        size = 2 ** (max(1, min(len(rows), tokens // width)).bit_length() - 1)
        rows, piece = rows[:-size], rows[-size:]
        ids, labels = (
            torch.tensor([row[key] + [fill] * (width - len(row[key])) for row in piece])
            for key, fill in (("input_ids", padding), ("labels", -100))
        )
        made.append((ids, labels))
    return made


def train(options: argparse.Namespace) -> None:
    """Runs both sides, or the one that is asked for, and prints what was measured."""
    if options.side:
        print(json.dumps(asdict({"product": product, "plain": plain}[options.side](options))))
        return
    from lumos_rl.runs.precision import bfloat16_is_native

    options.dtype = options.dtype or ("bfloat16" if bfloat16_is_native() else "float32")
    given = ["train", "--steps", str(options.steps), "--model", options.model, "--dtype", options.dtype]
    given += ["--seed", str(options.seed)] + (["--data", options.data] if options.data else [])
    found = {side: Measured(**in_own_process([*given, "--side", side])) for side in SIDES}
    print(heading(f"SFT of {options.model} in {options.dtype}, {options.steps} steps of {BATCH} conversations"))
    print(f"{'side':8} {'tokens/s':>9} {'tokens/CPU s':>13} {'resident GB':>12} {'at most GB':>11} {'loss':>7}")
    for side, one in found.items():
        speeds = f"{one.tokens / one.seconds:9.0f} {one.tokens / one.cpu_seconds:13.0f}"
        print(f"{side:8} {speeds} {one.resident / 1e9:12.1f} {one.peak / 1e9:11.1f} {one.loss:7.4f}")
    ours, theirs = (found[side] for side in SIDES)
    print(f"ratio of tokens/s {ratio(ours.seconds, theirs.seconds)}, of tokens/CPU s", end=" ")
    print(ratio(ours.cpu_seconds, theirs.cpu_seconds))


def ratio(ours: float, theirs: float) -> str:
    """How fast the product is in parts of the plain code, from the times of the same work."""
    return f"{theirs / ours:.2f}"


def in_own_process(arguments: list[str]) -> Any:
    """The JSON that this script prints as its last line when it is run with arguments."""
    command = [sys.executable, __file__, *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def heading(what: str) -> str:
    """What was measured, where and when."""
    cpus = len(os.sched_getaffinity(0))
    model = next(
        (line.split(":")[1].strip() for line in cpu_info() if line.startswith("model name")), platform.machine()
    )
    return f"{what}\n{cpus} CPUs ({model}), load {os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d}"


def cpu_info() -> list[str]:
    """What Linux says about the CPUs."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def add_train(parsers: Any) -> None:
    """The arguments of `train`."""
    parser = parsers.add_parser("train", help="SFT beside a plain PyTorch loop")
    parser.add_argument("--steps", type=int, default=30, help="optimizer steps of each side (default 30)")
    parser.add_argument("--model", default="smollm2", help="as --model.base (default smollm2)")
    parser.add_argument("--data", help="folder of MAWPS; without it, the built-in suite")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: what this machine computes faster")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=SIDES, help="only this side, as JSON")
    parser.set_defaults(run=train)


def add_play(parsers: Any) -> None:
    """The arguments of `play`."""
    import real_model_play

    real_model_play.add_play(parsers, in_own_process, heading)


PARSERS: tuple[Callable[[Any], None], ...] = (add_train, add_play)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsers = parser.add_subparsers(required=True)
    for add in PARSERS:
        add(parsers)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
