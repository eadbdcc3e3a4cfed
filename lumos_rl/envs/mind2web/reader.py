"""Mind2Web (Deng et al. 2023): tasks on recorded web pages. CC BY 4.0; do not publish the test splits on the web.

    tasks = list(READER.read("data", "test_domain"))     # a folder with train/train_*.json, test_domain/… and so on
    tasks[0]   # Task("mind2web/test_domain/6c7a…", "mind2web", "Find the cheapest …", split="test_domain",
               #      meta={"file": "data/test_domain/test_domain_0.json", "actions": [[5210, 981344], …],
               #            "reprs": ["[button]  Search -> CLICK", …], "website": "…", "domain": "…", "subdomain": "…"})
    load_page(tasks[0], 0).candidates                    # the first step: its page, candidates and right elements

A task holds no page: `load_page` reads the page of one step, from the file, from the built-in suite, or from
`meta["actions"]` of a task that contains its records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, Row, bad_field, list_field, text_field
from lumos_rl.data.kept import Kept
from lumos_rl.envs.mind2web.files import index_file, read_json
from lumos_rl.envs.mind2web.suite import suite_record
from lumos_rl.envs.mind2web.tools.page import Step, StepPage
from lumos_rl.envs.mind2web.tools.session import CLICKS, OPS
from lumos_rl.errors import DataError, MissingFileError, UnknownNameError
from lumos_rl.task_types import Report

BENCHMARK = "mind2web"
SPLITS = ("train", "test_task", "test_website", "test_domain")
ORIGIN = "huggingface.co/datasets/osunlp/Mind2Web (CC BY 4.0; the test splits in an archive with a password)"
_FILES = {split: (f"{split}/{split}_*.json", f"data/{split}/{split}_*.json", f"{split}_*.json") for split in SPLITS}
_ABOUT = ("website", "domain", "subdomain")
PAGE_BYTES = 400_000_000  # of pages cached per process
_PER_CHARACTER = 25  # bytes that a page takes for each character of its XML, with the texts made from it


@dataclass(frozen=True, slots=True)
class Mind2WebReader(Reader):
    """Reads all files of a split, in the order of their numbers, without holding one in memory."""

    def paths(self, source: str, split: str) -> list[Path]:
        """The files of a split, so that environments share the tasks made from them."""
        return [] if source.startswith("hf:") else self.find_all(Path(source), split)

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file, of a folder, or of "hf:NAME".

        Raises:
            UnknownNameError: There is no such split.
            MissingFileError: There is no such file.
            DataError: A record cannot be read, and `report` is None.
        """
        if source.startswith("hf:"):
            return super(Mind2WebReader, self).read(source, split, report)
        return self.tasks(_rows(self.find_all(Path(source), split), report), split, report)

    def find_all(self, source: Path, split: str) -> list[Path]:
        """The files of a split: `source` itself, or those in the folder `source`.

        Raises:
            UnknownNameError: `source` is a folder, and there is no such split.
            MissingFileError: There is no such file.
        """
        if not source.is_dir():
            return [self.find(source, split)]
        if split not in self.files:
            raise UnknownNameError(f"split of {self.benchmark}", split, self.files)
        for pattern in self.files[split]:
            if found := [path for path in source.glob(pattern) if path.is_file()]:
                return sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.stem)])
        raise MissingFileError(
            f"expected {self.benchmark} {split} as {' or '.join(self.files[split])} in {source.absolute()}, got"
            f" {', '.join(sorted(path.name for path in source.iterdir())[:12]) or 'an empty folder'};"
            f" it comes from {self.origin}"
        )


def _rows(paths: list[Path], report: Report | None) -> Iterator[Row]:
    index = 0
    for path in paths:
        for entry in index_file(path):
            if entry.error:
                problem = DataError(f"{path.name}, {entry.error}")
                if report is None:
                    raise problem
                report(path.name, problem)
                continue
            place = {"file": str(path), "actions": [list(span) for span in entry.actions]}
            yield Row(index, f"{path.name}, task {index}", {**entry.fields, **place})
            index += 1


def _task(row: Row, split: str) -> Task:
    """The task of a record; `actions` holds the steps, or their byte ranges in the file."""
    reprs, actions = list_field(row, "action_reprs"), list_field(row, "actions")
    if not actions:
        raise bad_field(row, "actions", "a list of at least one", actions)
    if len(reprs) != len(actions) or not all(isinstance(text, str) for text in reprs):
        raise bad_field(row, "action_reprs", f"{len(actions)} texts, one for each of the actions", reprs)
    about = {name: row.value.get(name) for name in _ABOUT}
    place = {"file": row.value["file"]} if "file" in row.value else {}
    return Task(
        id=f"{BENCHMARK}/{split}/{text_field(row, 'annotation_id')}",
        benchmark=BENCHMARK,
        instruction=text_field(row, "confirmed_task"),
        split=split,
        meta={**place, "actions": actions, "reprs": reprs, **about},
    )


READER = Mind2WebReader(benchmark=BENCHMARK, origin=ORIGIN, files=_FILES, task=_task)


def load_action(task: Task, index: int) -> Mapping[str, Any]:
    """The record of one step, including its raw page.

    Raises:
        DataError: The task has no such step, or it cannot be read.
    """
    meta = task.meta
    if "suite" in meta:
        found = suite_record(task)["actions"]
    elif "actions" not in meta:
        raise DataError(f"expected a mind2web task with its steps in meta['actions'], got none (task {task.id!r})")
    else:
        found = meta["actions"]
    if not 0 <= index < len(found):
        raise DataError(f"expected a step from 0 to {len(found) - 1}, got {index} (task {task.id!r})")
    action = found[index]
    if "file" in meta and "suite" not in meta:
        action = read_json(Path(meta["file"]), (action[0], action[1]))
    if not isinstance(action, Mapping):
        raise DataError(f"{task.id}, step {index}: expected an object, got {type(action).__name__}")
    return action


def load_page(task: Task, index: int) -> StepPage:
    """The page of one step; the most recently read pages are cached.

    Raises:
        DataError: The task has no such step, or it cannot be read.
    """
    meta = task.meta
    if "file" in meta and "suite" not in meta and 0 <= index < len(meta["actions"]):
        start, end = meta["actions"][index]
        changed_ns = Path(meta["file"]).stat().st_mtime_ns if Path(meta["file"]).exists() else 0
        return _kept_page((meta["file"], changed_ns, start, end), task, index)
    if "suite" in meta:
        return _kept_page((task.id, json.dumps(meta["suite"]), index), task, index)
    return _made_page(task, index)


_pages = Kept[StepPage](PAGE_BYTES)


def _kept_page(place: tuple[object, ...], task: Task, index: int) -> StepPage:
    key = (*place, str(task.meta["reprs"][index]))
    return _pages.get(key, lambda: _made_page(task, index), lambda page: _PER_CHARACTER * len(page.step.html))


def _made_page(task: Task, index: int) -> StepPage:
    return StepPage(read_step(load_action(task, index), str(task.meta["reprs"][index]), f"{task.id}, step {index}"))


def read_step(record: Any, text: str, where: str) -> Step:
    """The step of a record.

    Args:
        record: An item of `actions`.
        text: Its item of `action_reprs`.
        where: Task and step, for error messages.

    Raises:
        DataError: A field is missing or invalid.
    """
    row = Row(0, where, record)
    operation = Row(0, f"{where}, operation", record.get("operation") if isinstance(record, Mapping) else None)
    op = text_field(operation, "op").upper()
    if op not in CLICKS and op not in OPS:
        raise bad_field(operation, "op", "one of CLICK, TYPE, SELECT, HOVER, ENTER", op)
    return Step(
        uid=text_field(row, "action_uid"),
        op="CLICK" if op in CLICKS else op,
        value="" if op in CLICKS else str(operation.value.get("value") or ""),
        text=text,
        positives=_ids(row, "pos_candidates"),
        negatives=_ids(row, "neg_candidates"),
        html=text_field(row, "cleaned_html"),
    )


def _ids(row: Row, name: str) -> tuple[str, ...]:
    found = list_field(row, name)
    try:
        return tuple(str(candidate["backend_node_id"]) for candidate in found)
    except (KeyError, TypeError) as error:
        raise bad_field(row, name, "candidates, each with its backend_node_id", found) from error
