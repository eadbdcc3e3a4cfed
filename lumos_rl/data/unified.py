"""The unified annotation set of the built-in suites: conversations of all task types in one form.

python -m lumos_rl.data.unified --out data        # train.jsonl, dev.jsonl and the table of README.md, in seconds

{"id": "webshop/train/synthetic-3", "dataset": "webshop", "split": "train", "module": "planner",
 "license": "Apache-2.0", "source": "lumos_rl built-in suite webshop, seed 0", "messages": [{"role": "user", …}, …]}

datasets.load_dataset("json", data_files={"train": "data/train.jsonl", "dev": "data/dev.jsonl"})
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from lumos_rl import task_types
from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.core import Formulation, Task
from lumos_rl.data.conversations import conversations
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import LumosError
from lumos_rl.prompts import PromptProfile, get_profile

LICENSE = "Apache-2.0"
SPLITS = ("train", "dev")
BEGIN, END = "<!-- counts: written by lumos_rl.data.unified -->", "<!-- end of counts -->"


@dataclass(frozen=True, slots=True)
class Settings:
    """Writes the unified annotation set of the built-in suites.

    Attributes:
        out: Folder to write train.jsonl and dev.jsonl to; the table of counts in its README.md is updated.
        tasks: Tasks of each suite in train; dev has a quarter as many.
        profile: Prompt profile of the conversations: lumos, compact, instruct, thinking, or a folder.
        formulation: iterative (Lumos-I) or onetime (Lumos-O).
        seed: Seed of the tasks.
    """

    out: Path
    tasks: int = 40
    profile: str = "lumos"
    formulation: Formulation = Formulation.ITERATIVE
    seed: int = 0


def built_in_suites() -> list[str]:
    """Names of this package's suites, sorted; those of other packages are not part of the set."""
    return [name for name in sorted(task_types.BUILT_IN) if task_types.get(name).suite is not None]


def records(settings: Settings, split: str) -> Iterator[dict[str, Any]]:
    """The conversations of one split, suite by suite, planner before grounder.

    Raises:
        UnknownNameError: No such profile.
    """
    profile = get_profile(settings.profile)
    count = settings.tasks if split == "train" else max(1, settings.tasks // 4)
    for suite in built_in_suites():
        for task in synthetic_tasks(suite, split, count, settings.seed):
            yield from _records(task, settings, profile)


def _records(task: Task, settings: Settings, profile: PromptProfile) -> Iterator[dict[str, Any]]:
    for module, messages in conversations(task, settings.formulation, profile).items():
        yield {
            "id": task.id,
            "dataset": task.benchmark,
            "split": task.split,
            "module": module.value,
            "license": LICENSE,
            "source": f"lumos_rl built-in suite {task.benchmark}, seed {settings.seed}",
            "messages": messages,
        }


def counts_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Tasks, conversations, turns and lengths of each suite as a Markdown table.

    Args:
        found: The records of each split.
    """
    lines = [
        "| suite | tasks (train / dev) | assistant turns per task | characters per conversation |",
        "|---|---|---|---|",
    ]
    for suite in sorted({record["dataset"] for part in found.values() for record in part}):
        parts = {split: [record for record in part if record["dataset"] == suite] for split, part in found.items()}
        tasks = " / ".join(str(len({record["id"] for record in part})) for part in parts.values())
        every = [record["messages"] for part in parts.values() for record in part]
        turns = sum(message["role"] == "assistant" for messages in every for message in messages)
        number = len({record["id"] for part in parts.values() for record in part})
        lengths = sorted(sum(len(message["content"]) for message in messages) for messages in every)
        length = f"{statistics.median(lengths):.0f} (at most {lengths[-1]:,})"
        lines.append(f"| {suite} | {tasks} | {turns / number:.1f} | {length} |")
    return "\n".join(lines)


def write(settings: Settings) -> str:
    """Writes the files and returns the table of counts.

    Raises:
        OSError: A file cannot be written.
        LumosError: As `records`.
    """
    found = {split: list(records(settings, split)) for split in SPLITS}
    settings.out.mkdir(parents=True, exist_ok=True)
    for split, part in found.items():
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in part)
        (settings.out / f"{split}.jsonl").write_text(text, encoding="utf-8")
    table, card = counts_table(found), settings.out / "README.md"
    if card.is_file():
        before, begin, rest = card.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if begin and end:
            card.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 if everything was written, else 2."""
    settings = tyro.cli(
        Settings, args=arguments, prog="python -m lumos_rl.data.unified", config=(tyro.conf.EnumChoicesFromValues,)
    )
    try:
        print(write(settings))
    except (LumosError, OSError) as error:
        return failed(str(error))
    return 0


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main())
