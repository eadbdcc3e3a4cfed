"""The run folder: what a run has finished, and the files that stages hand to each other.

    runs/tiny-0/
      config.json          the settings; a run continues only under the same ones, but for `CHANGEABLE`
      stages/sft.json      what a finished stage came to; its presence is what marks the stage as finished
      checkpoints/sft/     model or adapter, with its prompt profile
      trajectories.jsonl   every episode played to learn from, one line each, written the moment it ended
      evaluation.jsonl     every test episode
      pairs.jsonl          preference pairs that DPO learned
      metrics.jsonl        training and evaluation metrics: {"stage", "step", …}
      summary.json, SUMMARY.md

A run may be killed at any moment. A line that was being written then is cut off when the folder is opened again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self

from lumos_rl.core import Module, PreferencePair, Record, Trajectory, from_json, to_json
from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError, MissingFileError
from lumos_rl.policies.layout import CHECKPOINTS
from lumos_rl.rollout.ray_workers import RayWorkers
from lumos_rl.runs.config import CHANGEABLE, RunConfig
from lumos_rl.runs.stored import refuse_other_versions, settings_of

log = logging.getLogger(__name__)

TRAJECTORIES, EVALUATION, PAIRS = "trajectories.jsonl", "evaluation.jsonl", "pairs.jsonl"
MIN_FREE_BYTES = 200 * 2**20


class RunFolder:
    """An open run folder, and the workers that play the run's episodes.

        with RunFolder(Path("runs/tiny-0"), config) as run:  # the workers end with the block

    Args:
        path: The folder; made when missing.
        config: The run's settings.

    Raises:
        ConfigError: The folder belongs to a run with other settings, another process is at work in it, it cannot be
            written, or the disk is nearly full.
        MissingFileError: `config.resume` is set and the folder holds no run.
    """

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path, self.config = path.resolve(), config
        self._check_config(path)
        check_writable(self.path)
        self._held = _hold(self.path)
        self._write("config.json", settings_of(config))
        for name in (TRAJECTORIES, EVALUATION, PAIRS, "metrics.jsonl"):
            _cut_broken_line(self.path / name)
        self._trackers = _trackers(config.track, self.path)
        self.workers = RayWorkers(config.ray)  # they start with the first episodes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.workers.close()
        self._held.close()

    def checkpoint(self, stage: str) -> Path:
        """Folder of the model that `stage` trained."""
        return self.path / CHECKPOINTS / stage

    def stage(
        self, name: str, work: Callable[[], Mapping[str, Any]], again: Callable[[Mapping[str, Any]], str] | None = None
    ) -> dict[str, Any]:
        """The result of a stage: read when it is finished already, else worked out, then written.

        Args:
            name: The stage.
            work: What gives its result.
            again: Why a stored result is computed again; "" if it is good.
        """
        path = self.path / "stages" / f"{name}.json"
        before: dict[str, Any] | None = None
        why = ""
        if path.is_file():
            before = dict(json.loads(path.read_text(encoding="utf-8")))
            why = again(before) if again else ""
            if not why:
                log.info("%s: finished before", name)
                return before
        log.info("%s: begins%s", name, f" again ({why})" if why else "")
        try:
            result = dict(work())
        except InfrastructureError as error:
            if before is None:
                raise
            log.warning("%s stays as it was (%s): %s", name, why, error)
            return before
        self._write(f"stages/{name}.json", result)
        return result

    def log(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Adds a line of metrics, here and in every tracker."""
        self._append("metrics.jsonl", json.dumps({"stage": stage, "step": step, **values}))
        for tracker in self._trackers:
            tracker(stage, step, values)

    def add(self, name: str, record: Trajectory | PreferencePair) -> None:
        """Adds a record to one of the folder's files and hands it to the operating system at once."""
        self._append(name, to_json(record))

    def read(self, kind: type[Record], name: str) -> Iterator[Record]:
        """The records of one of the folder's files; none when it is missing."""
        path = self.path / name
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    yield from_json(kind, line, f"{path}:{number}")

    def replace_pairs(self, stage: str, pairs: Iterable[PreferencePair]) -> None:
        """Writes the pairs of one stage behind those of the stages before it."""
        kept = [pair for pair in self.read(PreferencePair, PAIRS) if not pair.id.startswith(f"{stage}:")]
        lines = "".join(to_json(pair) + "\n" for pair in [*kept, *pairs])
        write_atomically(self.path / PAIRS, lines)

    def write_text(self, name: str, text: str) -> None:
        """Writes a file of the folder as a whole."""
        write_atomically(self.path / name, text)

    def _check_config(self, path: Path) -> None:
        stored = path / "config.json"
        if not stored.is_file():
            if self.config.resume:
                raise MissingFileError(f"expected a run to continue in {path} (config.json): not there; drop --resume")
            return
        records = any(file.stat().st_size for file in path.glob("*.jsonl"))
        if not records and not any(path.glob("stages/*.json")) and not any(path.glob("checkpoints/*")):
            return  # nothing was made with those settings; often some were wrong
        new = settings_of(self.config)
        old = json.loads(stored.read_text(encoding="utf-8"))
        refuse_other_versions(stored, old)
        old = settings_of(RunConfig()) | old  # older ones name fewer
        differing = sorted(name for name in new if not _changeable(name) and old[name] != new[name])
        if differing:
            changes = "; ".join(f"{name}: {old[name]} there, {new[name]} now" for name in differing[:5])
            raise ConfigError(
                f"expected the settings that {path} was begun with, got others ({changes}); continue with those, or"
                " choose another --run-dir"
            )

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        write_atomically(self.path / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def _append(self, name: str, line: str) -> None:
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _changeable(name: str) -> bool:
    return any(name == free or name.startswith(f"{free}.") for free in CHANGEABLE)


def check_writable(path: Path) -> None:
    """Raises ConfigError unless files can be written into `path` and there is room for some."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"expected a folder that can be written, got {path}: {error}; choose another --run-dir"
        ) from error
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise ConfigError(
            f"expected at least {MIN_FREE_BYTES >> 20} MB free at {path}, got {free >> 20} MB; free some, or choose"
            " another --run-dir"
        )


def _hold(path: Path) -> IO[str]:
    """Keeps other processes out of a run folder until the file that is returned is closed or the process ends."""
    held = (path / ".lock").open("a", encoding="utf-8")
    try:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        held.close()
        raise ConfigError(
            f"expected {path} for this process alone, but another one is at work in it; wait for its end, or choose"
            " another --run-dir"
        ) from error
    except OSError as error:  # a file system without locks
        log.warning("%s cannot be locked (%s): see to it that one process at a time works in it", path, error)
    return held


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that it is either the old one or the new one, whenever the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _cut_broken_line(path: Path) -> None:
    """Drops what follows the last newline: a line that was being written when the process ended."""
    if not path.is_file():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        log.warning("%s: dropped a line that was cut off after %d bytes", path, len(data) - end)
        with path.open("r+b") as file:
            file.truncate(end)


Tracker = Callable[[str, int, Mapping[str, float]], None]


def _trackers(names: Iterable[str], path: Path) -> list[Tracker]:
    makers = {"wandb": _wandb, "tensorboard": _tensorboard}
    return [makers[name](path) for name in names]


def _wandb(path: Path) -> Tracker:
    try:
        import wandb
    except ImportError as error:
        raise MissingExtraError("wandb", "wandb") from error
    settings = json.loads((path / "config.json").read_text(encoding="utf-8"))
    key = path / "wandb-id"  # a name alone would join runs of the same name in different places
    if not key.is_file():
        write_atomically(key, uuid.uuid4().hex)
    project = os.environ.get("WANDB_PROJECT", "lumos_rl")
    run = wandb.init(project=project, name=path.name, id=key.read_text(), resume="allow", dir=path, config=settings)
    run.define_metric("*", step_metric="lumos_step")

    def track(stage: str, step: int, values: Mapping[str, float]) -> None:
        run.log({f"{stage}/{name}": value for name, value in values.items()} | {"lumos_step": step})

    return track


def _tensorboard(path: Path) -> Tracker:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error
    writer = SummaryWriter(str(path / "tensorboard"))

    def track(stage: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(f"{stage}/{name}", value, step)
        writer.flush()

    return track


def require_checkpoint(path: Path) -> Path:
    """The folder itself, if a stage has written a model there.

    Raises:
        MissingFileError: It has not.
    """
    if not any(any(part.glob("*.safetensors")) for part in (path, *(path / module for module in Module))):
        raise MissingFileError(f"expected a trained model in {path}: not there; run the stage that trains it first")
    return path
