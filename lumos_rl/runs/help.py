"""The short help of a recipe: the settings that matter most, in groups, each with its meaning and default.

    The run
      --run-dir TEXT      Folder that everything is written to [runs/tiny-0]

`--help-all` shows every setting; that text is tyro's.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import shutil
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from lumos_rl.runs.config import RunConfig

GROUPS: Mapping[str, tuple[str, ...]] = {
    "The run": ("run_dir", "config", "seed", "dry_run", "resume", "track"),
    "Tasks": (
        "data.suites",
        "data.folder",
        "data.train",
        "data.test",
        "data.annotated",
        "data.explore",
        "data.test_tasks",
        "plugins",
    ),
    "Model": ("model.base", "model.modules", "model.profile", "model.engine"),
    "Supervised fine-tuning": (
        "sft.max_steps",
        "sft.epochs",
        "sft.learning_rate",
        "sft.batch_size",
        "sft.max_length",
        "sft.lora_rank",
    ),
    "Episodes": (
        "rollout.samples",
        "rollout.temperatures",
        "rollout.max_subgoals",
        "rollout.max_new_tokens",
        "evaluate.samples",
        "evaluate.temperatures",
    ),
    "Self-improvement": ("refine.steps", "refine.iterations", "refine.rs.train.max_steps", "evaluate.also"),
    "Machines": ("ray.workers", "ray.address", "ray.gpus_per_worker"),
}
SHORT = {  # flags with a second, shorter name
    "data.folder": "data",
    "data.suites": "suites",
    "refine.iterations": "iterations",
    "plugins": "plugin",
}
COLUMN = 34


def short_help(program: str, about: str, kind: type[Any], config: RunConfig, presets: Mapping[str, str]) -> str:
    """The text.

    Args:
        program: The words that start the recipe.
        about: The recipe's docstring; its first line and its command lines are shown.
        kind: The recipe's settings, with those of the run in a field `run`, or `RunConfig` itself. Groups that `UNUSED`
            names there are left out.
        config: Settings that hold unless a flag says otherwise.
        presets: Name and a line of explanation of each.
    """
    title, *rest = about.strip().splitlines()
    examples = [line.rstrip() for line in rest if line.lstrip().startswith("python -m")]
    lines = [f"usage: {program} [PRESET] [--FLAG VALUE …]", "", title, *examples, ""]
    lines += ["Presets, as the first word:"] + [f"  {name:12}{text}" for name, text in presets.items()]
    if kind is not RunConfig:
        own = [(item.name, item.type, item.default) for item in dataclasses.fields(kind) if item.name != "run"]
        lines += ["", "This recipe"]
        for name, hint, default in own:
            lines += _entry(name, hint, default, explained(kind)[name])
    for group, names in GROUPS.items():
        if group in getattr(kind, "UNUSED", ()):
            continue
        lines += ["", group]
        for name in names:
            lines += _entry(SHORT.get(name, name), *_found(config, name))
    return "\n".join([*lines, "", "--help-all shows every setting; docs/ and the README tell more."])


def explained(kind: type[Any]) -> dict[str, str]:
    """What a dataclass's docstring says about each of its fields."""
    found: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name, found[match[1]] = match[1], match[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def _found(config: Any, name: str) -> tuple[Any, Any, str]:
    """Type, value and meaning of a setting."""
    *sections, last = name.split(".")
    for section in sections:
        config = getattr(config, section)
    return typing.get_type_hints(type(config))[last], getattr(config, last), explained(type(config))[last]


def _entry(name: str, hint: Any, value: Any, text: str) -> Iterator[str]:
    flag, text = name.replace("_", "-"), re.split(r"(?<=\w\w)\. |; also", text)[0].rstrip(".")
    words = f"  --{_switch(flag)}" if isinstance(value, bool) else f"  --{flag} {_kind(hint)}"
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns) - COLUMN)
    default = "" if value is None and "None" in text else f" [{_shown(value)}]"
    wrapped = textwrap.wrap(text + default, width)
    if len(wrapped) > 2:
        wrapped = textwrap.wrap(text.partition("; ")[0] + default, width)
    if len(words) >= COLUMN:
        yield words
        words = ""
    for line in wrapped:
        yield f"{words:{COLUMN}}{line}"
        words = ""


def _switch(flag: str) -> str:
    section, _, name = flag.rpartition(".")
    return f"{section}{'.' if section else ''}[no-]{name}"


def _kind(hint: Any) -> str:
    parts = [part for part in typing.get_args(hint) if part not in (type(None), Ellipsis)]
    if typing.get_origin(hint) is tuple:
        return f"{_kind(parts[0])} …"
    if isinstance(hint, types.UnionType):
        return _kind(parts[0])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "WORD"
    return {int: "N", float: "X"}.get(hint, "TEXT")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
