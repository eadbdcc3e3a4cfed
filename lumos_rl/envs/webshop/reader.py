"""WebShop (Yao et al. 2022): 1.18 million products and instructions to buy one of them. MIT licence.

    catalogue = open_catalogue(Path("webshop/data"))              # the first time builds an index on disk
    goals = load_goals(catalogue, "human")
    tasks = goal_tasks(goals, "webshop/data")
    tasks[0]   # Task("webshop/test/0", "webshop", "i need a long lasting …, and price lower than 50.00 dollars",
               #      answer="B09X…", split="test", meta={"goal": {…}, "source": "webshop/data", …})

The index of a task is that of its goal, as in other code for WebShop. The catalogue is stored under `LUMOS_RL_CACHE`
(default ~/.cache/lumos_rl), memory-mapped, and shared by all processes of a machine. To see the report of loading a
folder, and to build its index ahead of time:

    python -m lumos_rl.envs.webshop.reader webshop/data
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.core import Task
from lumos_rl.data.cache import CACHE_VARIABLE, cache_folder
from lumos_rl.data.files import Reader, Row
from lumos_rl.envs.webshop.files import ITEMS, ORIGIN, Files, LoadReport, find_files, read_products
from lumos_rl.envs.webshop.tools import catalogue as store
from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.goals import Goal, given_goals, human_goals, manifest_hash, synthetic_goals
from lumos_rl.errors import ConfigError, DataError, LumosError
from lumos_rl.task_types import Report

BENCHMARK = "webshop"
GOAL_MAKERS = {"synthetic": synthetic_goals, "human": human_goals}
GoalKind = Literal["synthetic", "human"]

# WebShop's own split of the human goals of the full catalogue; the rest is for training.
SPLIT_ENDS: Mapping[str, int] = {"test": 500, "dev": 1500}
SPLITS = (*SPLIT_ENDS, "train")


def open_catalogue(source: Path, num_products: int | None = None) -> Catalogue:
    """The catalogue of a folder, from the index on disk that the first call builds; one object per process.

    Args:
        source: A folder as distributed, or an items file in it.
        num_products: Only so many records of the file; None takes all.

    Raises:
        MissingFileError: A file is missing.
        DataError: A file cannot be read.
        ConfigError: The index cannot be written.
    """
    if num_products is not None and num_products < 1:
        raise ConfigError(f"expected num_products >= 1 or None, got {num_products}")
    files = find_files(source)
    folder = cache_folder() / f"webshop-{_key(files, num_products)}"
    if not (folder / store.META).is_file():
        _build(files, num_products, folder)
    return _opened(folder)


@lru_cache(maxsize=8)
def _opened(folder: Path) -> Catalogue:
    return Catalogue.open(folder)


def _key(files: Files, num_products: int | None) -> str:
    """A key of the files' paths, sizes and modification times."""
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr((store.FORMAT, stats, num_products)).encode()).hexdigest()[:16]


def _build(files: Files, num_products: int | None, folder: Path) -> None:
    """Builds an index in a temporary folder and moves it to its place; a second process waits for the first."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=folder.parent) as made:
            if (folder / store.META).is_file():
                return
            report = LoadReport()
            partial = Path(made) / "catalogue"
            partial.mkdir()
            Catalogue.write(read_products(files, report, num_products), partial, report.as_dict)
            if not report.loaded:
                raise DataError(f"expected products in {files.items}, got none: {dict(report.problems) or 'no record'}")
            partial.rename(folder)
    except OSError as error:
        if isinstance(error, LumosError):
            raise
        raise ConfigError(
            f"expected to write an index of the catalogue in {folder.parent}, got {error}; name another folder in the"
            f" environment variable {CACHE_VARIABLE}"
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def load_goals(
    catalogue: Catalogue,
    goals: GoalKind | Sequence[Mapping[str, Any]] = "synthetic",
    prices: Mapping[str, float] | None = None,
) -> list[Goal]:
    """The goals of a catalogue in their fixed order.

    Args:
        catalogue: The products.
        goals: "synthetic" (what Lumos and AgentGym use), "human", or goals given directly.
        prices: Product id → price that overrides the catalogue's.

    Raises:
        ConfigError: The kind of goals is unknown, given goals are invalid, or the catalogue has no goals of this kind.
    """
    if not isinstance(goals, str):
        return given_goals(goals)
    if goals not in GOAL_MAKERS:
        raise ConfigError(f"expected goals 'synthetic', 'human' or a list of goals, got {goals!r}")
    if prices or catalogue.folder is None:
        return _some(GOAL_MAKERS[goals](catalogue, prices), goals, catalogue)
    return list(_stored_goals(catalogue, goals))


@lru_cache(maxsize=8)
def _stored_goals(catalogue: Catalogue, kind: str) -> list[Goal]:
    """The goals of a catalogue on disk; they are made once and stored in its folder, if it is writable."""
    assert catalogue.folder is not None
    path = catalogue.folder / f"goals-{kind}.jsonl"
    if not path.is_file():
        goals = _some(GOAL_MAKERS[kind](catalogue), kind, catalogue)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            with partial.open("w") as file:
                file.writelines(json.dumps(goal) + "\n" for goal in goals)
            partial.replace(path)
        except OSError:  # another user's index; the goals are the same
            return goals
    with path.open() as lines:
        return [json.loads(line) for line in lines]


def _some(goals: list[Goal], kind: str, catalogue: Catalogue) -> list[Goal]:
    if not goals:
        fields = {"human": "items_human_ins.json with an instruction for a product", "synthetic": "an instruction"}
        raise ConfigError(f"expected {kind} goals, got none: no product of {len(catalogue)} has {fields[kind]}")
    return goals


def goal_tasks(
    goals: Sequence[Goal], source: str | None = None, num_products: int | None = None, whole: bool = False
) -> list[Task]:
    """A task for each goal, in their order.

    Args:
        goals: From `load_goals`.
        source: Folder of the catalogue, stored in the tasks; None for a catalogue that is not on disk.
        num_products: How many of its records were read.
        whole: Whether these are the human goals of the full catalogue; only they have splits.
    """
    place = {} if source is None else {"source": source, "num_products": num_products}
    splits = [_split_of(index) if whole else SPLITS[0] for index in range(len(goals))]
    return [
        Task(
            id=f"{BENCHMARK}/{split}/{index}",
            benchmark=BENCHMARK,
            instruction=goal["instruction_text"],
            answer=goal["asin"] or None,
            split=split,
            meta={"goal": goal, **place},
        )
        for index, (goal, split) in enumerate(zip(goals, splits, strict=True))
    ]


def _split_of(index: int) -> str:
    return next((split for split, end in SPLIT_ENDS.items() if index < end), "train")


def has_splits(source: Path, goals: object, num_products: int | None) -> bool:
    """Whether WebShop's splits apply: to the human goals of the full catalogue."""
    return goals == "human" and num_products is None and find_files(source).items.name == ITEMS[0]


def folder_manifest(
    source: Path, goals: GoalKind = "synthetic", split: str | None = None, num_products: int | None = None
) -> tuple[Sequence[Task], str]:
    """The tasks of a folder, and the hash of all its goals; `split` selects a split if there are splits.

    Raises:
        LumosError: As `open_catalogue` and `load_goals`.
    """
    catalogue = open_catalogue(source, num_products)
    whole = has_splits(source, goals, num_products)
    tasks, digest = _tasks_on_disk(catalogue, goals, str(source.absolute()), num_products, whole)
    return [task for task in tasks if not whole or split in (None, task.split)], digest


@lru_cache(maxsize=8)
def _tasks_on_disk(
    catalogue: Catalogue, goals: GoalKind, source: str, num_products: int | None, whole: bool
) -> tuple[Sequence[Task], str]:
    """All tasks of a catalogue on disk; the environments of a process share them."""
    found = load_goals(catalogue, goals)
    return goal_tasks(found, source, num_products, whole), manifest_hash(found)


@dataclass(frozen=True, slots=True)
class WebShopReader(Reader):
    """Reads goals instead of records: FOLDER gives the synthetic goals, FOLDER#human the human ones."""

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a folder.

        Raises:
            LumosError: As `folder_manifest`.
        """
        folder, _, kind = source.partition("#")
        kind = kind or "synthetic"
        if kind not in GOAL_MAKERS:
            raise ConfigError(f"expected #synthetic or #human after the folder, or nothing, got {kind!r} ({source})")
        yield from folder_manifest(Path(folder), "human" if kind == "human" else "synthetic", split)[0]


def _no_row(row: Row, split: str) -> Task:
    raise DataError(f"{row.where}: expected a folder with WebShop's files, got single records")


READER = WebShopReader(benchmark=BENCHMARK, origin=ORIGIN, files=dict.fromkeys(SPLITS, ITEMS), task=_no_row)


def main(arguments: Sequence[str]) -> int:
    """Loads a folder and prints its report; returns 2 if it cannot be loaded."""
    asked = "--help" in arguments
    if asked or len(arguments) != 1:
        usage = "usage: python -m lumos_rl.envs.webshop.reader FOLDER  # with the files that get_files.sh fetches"
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    try:
        catalogue = open_catalogue(Path(arguments[0]))
    except LumosError as error:
        return failed(str(error))
    report = catalogue.report
    print(f"{report['read']:,} records read, {report['loaded']:,} products loaded; index in {catalogue.folder}")
    for problem, count in report["problems"].items():
        print(f"  {count:>9,}  {problem}")
    for entry in islice(report["listed"], 20):
        print(f"  record {entry['record']} ({entry['asin']}): {entry['problem']}")
    return 0


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main(sys.argv[1:]))
