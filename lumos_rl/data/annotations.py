"""Annotated tasks on disk, one JSON object per line, with actions in the action language.

{"id": "gsm8k/train/0", "benchmark": "gsm8k", "split": "train", "task": "Natalia sold clips to 48 of her friends …",
 "gold": "72", "subgoals": [{"text": "Natalia sold how many clips in May?",
                             "actions": ["R1 = Calculator(48 / 2) = 24"]}, …], "meta": {}}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lumos_rl.core import Subgoal, Task
from lumos_rl.data.files import Row, bad_field, list_field, read_rows, text_field
from lumos_rl.errors import ActionParseError
from lumos_rl.language import format_actions, parse_actions

_MODEL_FREE = ("solution", "equation")  # meta that only annotators read, so files leave it out


def annotation_record(task: Task) -> dict[str, Any]:
    """The JSON object of an annotated task."""
    plan = [
        {"text": subgoal.text, "actions": [format_actions([action]) for action in subgoal.actions]}
        | ({"thought": subgoal.thought} if subgoal.thought else {})
        for subgoal in task.subgoals
    ]
    return {
        "id": task.id,
        "benchmark": task.benchmark,
        "split": task.split,
        "task": task.instruction,
        "gold": task.answer,
        "subgoals": plan,
        "meta": {name: value for name, value in task.meta.items() if name not in _MODEL_FREE},
    }


def read_annotations(path: Path) -> list[Task]:
    """The annotated tasks of a file whose lines `annotation_record` made.

    Raises:
        MissingFileError: There is no such file.
        DataError: A line is not an annotated task: file, line, field, expected, got.
    """
    return [_task(row) for row in read_rows(path)]


def _task(row: Row) -> Task:
    meta = row.value.get("meta", {}) if isinstance(row.value, Mapping) else {}
    return Task(
        id=text_field(row, "id"),
        benchmark=text_field(row, "benchmark"),
        instruction=text_field(row, "task"),
        answer=None if row.value.get("gold", "") is None else text_field(row, "gold"),  # some benchmarks have none
        split=text_field(row, "split"),
        subgoals=tuple(_subgoal(row, item) for item in list_field(row, "subgoals")),
        meta=meta,
    )


def _subgoal(row: Row, item: Any) -> Subgoal:
    part = Row(row.index, f"{row.where}, in subgoals", item)
    texts = list_field(part, "actions")
    try:
        actions = [action for text in texts for action in parse_actions(str(text))]
    except ActionParseError as error:
        raise bad_field(part, "actions", f"actions ({error})", texts) from error
    thought = text_field(part, "thought") if "thought" in item else ""
    return Subgoal(text_field(part, "text"), tuple(actions), thought)
