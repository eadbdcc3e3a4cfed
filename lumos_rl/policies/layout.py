"""The parts of a checkpoint folder: one model or adapter for all modules, or a folder per module. Loads no weights.

Layout.of("runs/demo/rs-1")
# Layout(bases={"planner": "…/base", "grounder": "…/base"}, adapters={"planner": "…/planner", "grounder": "…/grounder"})
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.policies.bases import located, located_again
from lumos_rl.policies.gguf_files import Quantised, note_in
from lumos_rl.prompts import PROFILE_FILE, PromptProfile

CHECKPOINTS = "checkpoints"  # the folder of a run that holds the checkpoints of all its stages


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a checkpoint: one per module, or a single one for all modules under None.

    Attributes:
        bases: Folder or hub name of the full model of each part; for an adapter, of its base model.
        adapters: Folder of each part that is an adapter.
    """

    bases: Mapping[str | None, str]
    adapters: Mapping[str | None, str]

    @classmethod
    def of(cls, path: str | Path) -> Layout:
        """The layout of a folder, or of what `bases.located` finds; any other path is a full model on the hub.

        Raises:
            ConfigError: The folder of an adapter's full model does not exist.
            MissingFileError: It is the path of a folder that is not there.
            LumosError: As for `bases.located`.
        """
        path = located(path)
        require_folder(path)
        names = [module.value for module in Module if (Path(path) / module.value).is_dir()]
        parts: dict[str | None, str] = {name: str(Path(path) / name) for name in names} or {None: str(path)}
        adapters = {name: part for name, part in parts.items() if (Path(part) / "adapter_config.json").is_file()}
        bases = {name: _base_of(part) for name, part in adapters.items()}
        return cls({name: bases.get(name, part) for name, part in parts.items()}, adapters)

    @property
    def first(self) -> str:
        """A folder or hub name with the tokenizer."""
        key, base = next(iter(self.bases.items()))
        adapter = self.adapters.get(key)
        return adapter if adapter and (Path(adapter) / "tokenizer_config.json").is_file() else base

    @property
    def models(self) -> list[str]:
        """The full models, each once."""
        return list(dict.fromkeys(self.bases.values()))

    def adapters_of(self, base: str) -> dict[str | None, str]:
        """The parts that are adapters of a full model."""
        return {key: folder for key, folder in self.adapters.items() if self.bases[key] == base}

    def rank(self, base: str) -> int:
        """The largest rank among the adapters of a full model; 0 without adapters."""
        return max((int(_config(folder)["r"]) for folder in self.adapters_of(base).values()), default=0)

    def part(self, module: Module) -> str | None:
        """The key of the part that serves a module.

        Raises:
            ConfigError: No part does.
        """
        for key in (module.value, None):
            if key in self.bases:
                return key
        raise ConfigError(f"expected a model for {module.value!r}, got models for {sorted(map(str, self.bases))}")


def require_folder(where: str | Path) -> None:
    """Checks that the path of a model is there, so that it is not taken for a name on the hub (ORG/MODEL).

    Raises:
        MissingFileError: It is not.
    """
    text = str(where)
    if (text.startswith((".", "/", "~")) or text.count("/") > 1) and not Path(text).exists():
        raise MissingFileError(f"expected a model or adapter in the folder {text}: not there (from {Path.cwd()})")


def combine(folder: Path, parts: Mapping[Module, Path]) -> None:
    """Makes `folder` a checkpoint whose modules are links to those of other checkpoints.

    Args:
        folder: Created if missing; existing links are replaced.
        parts: The checkpoint that each module comes from: its folder of that module, or the whole checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for module, whole in parts.items():
        part = whole / module.value
        link = folder / module.value
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(part if part.is_dir() else whole, folder), target_is_directory=True)


def saved_profile(path: str | Path) -> PromptProfile | None:
    """The prompt profile that a checkpoint was trained with; None if none is saved with it.

    Args:
        path: A checkpoint, or the folder of one of its modules.

    Raises:
        DataError: The file is not a profile.
    """
    folders = [Path(path), *([Path(path).parent] if Path(path).name in tuple(Module) else [])]
    return next((PromptProfile.load(folder) for folder in folders if (folder / PROFILE_FILE).is_file()), None)


def rounding(path: str | Path) -> str:
    """What was done to the weights that a checkpoint was trained from, if they were quantised; "" if they were not.

    >>> rounding("runs/demo/checkpoints/sft")
    'weights were rounded to 4 bits (Q4_1) in SmolLM2-135M-Instruct.Q4_1.gguf'

    Args:
        path: A checkpoint, a full model, or a hub name, whose own files are not asked.
    """
    note = note_of(path)
    return note.text if note else ""


def note_of(path: str | Path) -> Quantised | None:
    """The note on quantised weights of a checkpoint or of its base; None without one."""
    if (found := note_in(path)) or not Path(path).is_dir():
        return found
    models = [Path(folder).resolve() for folder in Layout.of(path).models]
    folders = [*models, *(folder.parent for folder in models)]  # a checkpoint's modules have its note
    return next(filter(None, map(note_in, folders)), None)


def _base_of(adapter: str) -> str:
    """The full model of an adapter: where it was; in a moved run, its checkpoint of that name; or in this cache."""
    stored = str(_config(adapter)["base_model_name_or_path"])
    if not Path(stored).is_absolute() or Path(stored).exists():
        return stored
    _, _, name = stored.rpartition(f"/{CHECKPOINTS}/")
    for folder in Path(adapter).resolve().parents:
        if folder.name == CHECKPOINTS and (folder / name).is_dir() and folder / name != Path(adapter).resolve():
            return str(folder / name)
    if again := located_again(stored):
        return again
    note = next(filter(None, (note_in(folder) for folder in (Path(adapter), Path(adapter).parent))), None)
    raise ConfigError(
        f"expected the full model of the adapter {adapter} in {stored}, got no such folder; put it there, or set its"
        " path in adapter_config.json (base_model_name_or_path)"
        + (f"; it was made from {note.file} (sha256 {note.sha256}): evaluate that file once, here" if note else "")
    )


def _config(adapter: str) -> dict[str, Any]:
    path = Path(adapter) / "adapter_config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is cut off or no JSON: {error}; copy the adapter again, or train it again") from error
