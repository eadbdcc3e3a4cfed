"""What a checkpoint folder holds: one model or adapter for all modules, or a folder per module. Loads no weights.

Layout.of("runs/demo/rs-1")  # Layout(bases={None: "…/base"}, adapters={"planner": "…/planner", "grounder": "…"})
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a checkpoint. The key None stands for all modules.

    Attributes:
        bases: Folder or hub name of the full models, by module; a single one under None where modules share it.
        adapters: Folder of the adapters of that single base, by module; empty for full models.
    """

    bases: Mapping[str | None, str]
    adapters: Mapping[str | None, str]

    @classmethod
    def of(cls, path: str | Path) -> Layout:
        """Looks at a folder; anything else is taken as the name of a full model on the hub.

        Raises:
            ConfigError: Adapters of different bases, or an adapter beside a full model.
        """
        names = [module.value for module in Module if (Path(path) / module.value).is_dir()]
        parts: dict[str | None, str] = {name: str(Path(path) / name) for name in names} or {None: str(path)}
        adapters = {name: part for name, part in parts.items() if (Path(part) / "adapter_config.json").is_file()}
        if not adapters:
            return cls(parts, {})
        bases = sorted({str(_config(part)["base_model_name_or_path"]) for part in adapters.values()})
        if len(bases) > 1 or len(adapters) < len(parts):
            raise ConfigError(
                f"expected adapters of one base in {path}, got bases {bases} and {len(parts) - len(adapters)} full"
                " models; train the modules from one base"
            )
        return cls({None: bases[0]}, adapters)

    @property
    def first(self) -> str:
        """A folder that has the tokenizer."""
        return next(iter((self.adapters or self.bases).values()))

    @property
    def rank(self) -> int:
        """The largest rank of its adapters; 0 without any."""
        return max((int(_config(part)["r"]) for part in self.adapters.values()), default=0)

    def part(self, module: Module) -> str | None:
        """The key that serves a module.

        Raises:
            ConfigError: None does.
        """
        parts = self.adapters or self.bases
        for key in (module.value, None):
            if key in parts:
                return key
        raise ConfigError(f"expected a model for {module.value!r}, got models for {sorted(map(str, parts))}")


def combine(folder: Path, parts: Mapping[Module, Path]) -> None:
    """Makes `folder` a checkpoint whose modules are those of other checkpoints, by links.

    Args:
        folder: Made where it is missing; links that are there already are made anew.
        parts: The checkpoint that each module comes from: its folder of that module, or all of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for module, whole in parts.items():
        part = whole / module.value
        link = folder / module.value
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(part if part.is_dir() else whole, folder), target_is_directory=True)


def _config(adapter: str) -> dict[str, Any]:
    return dict(json.loads((Path(adapter) / "adapter_config.json").read_text(encoding="utf-8")))
