"""The checkpoints that a killed training run resumes from: which one is whole, and how one is removed.

    last_checkpoint(Path("runs/demo/checkpoints/sft/checkpoints"))     # …/checkpoint-400
    remove(Path("runs/demo/checkpoints/sft/checkpoints"))              # renamed, then deleted

Transformers write a checkpoint file by file, and a process may be killed between any two. So each file is looked at
before a checkpoint is chosen. A folder is renamed before its files are deleted, so a half-deleted one has another name.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import uuid
from pathlib import Path

from lumos_rl.policies.weights import damage, model_damage

log = logging.getLogger(__name__)

STATE = "trainer_state.json"
ARCHIVES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")  # as `torch.save` writes them
REMOVED = ".removed-"  # a folder of such a name is being deleted


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; None without one. Others that are newer are named in the log."""
    for path in reversed(checkpoints_in(folder)):
        why = checkpoint_damage(path)
        if not why:
            return path
        log.warning("%s is passed over: %s", path, why)
    return None


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, whole or not, in the order of their steps."""
    found = {path: re.fullmatch(r"checkpoint-(\d+)", path.name) for path in folder.glob("checkpoint-*")}
    numbered = {path: int(match[1]) for path, match in found.items() if match and path.is_dir()}
    return sorted(numbered, key=lambda path: numbered[path])


def checkpoint_damage(path: Path) -> str:
    """What is missing or cut off in a checkpoint; "" if it is whole."""
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        if not isinstance(state, dict) or "global_step" not in state:
            return f"{STATE} holds no state"
        if not any(path.glob("*.safetensors")):
            return "it has no weights"
        return model_damage(path) or next((found for name in ARCHIVES if (found := damage(path / name))), "")
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def remove(path: Path) -> None:
    """Deletes a folder; whenever the process ends, it is there whole under its name, or not at all."""
    if path.exists():
        gone = path.with_name(f"{REMOVED}{path.name}-{uuid.uuid4().hex[:8]}")
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Deletes what `remove` could not finish in a folder."""
    for path in folder.glob(f"{REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)


def remove_all_but_last(folder: Path) -> None:
    """Deletes all checkpoints but the newest, if that one is whole."""
    *older, newest = checkpoints_in(folder) or [folder]
    if older and not checkpoint_damage(newest):
        for path in older:
            remove(path)
