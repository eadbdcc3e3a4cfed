"""The run folder: what a run has finished, and the files that stages hand to each other.

    runs/tiny-0/
      config.json          the settings; a run continues only under the same ones, but for `CHANGEABLE`
      stages/sft.json      what a finished stage came to; its presence is what marks the stage as finished
      checkpoints/sft/     model or adapter, with its prompt profile
      trajectories.jsonl   every episode played to learn from, one line each, written the moment it ended
      evaluation.jsonl     every test episode
      validation.jsonl     every episode that chooses the best policy
      pairs.jsonl          preference pairs that DPO learned
      metrics.jsonl        training and evaluation metrics: {"stage", "step", …}, each step of a stage once
      times.json           seconds that each stage took
      summary.json, SUMMARY.md

A run may be killed at any moment. A line that was being written then is cut off when the folder is opened again.
Passwords are masked in every file.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self

from lumos_rl.console import duration
from lumos_rl.core import Module, PreferencePair, Record, Trajectory, to_json
from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.masking import masked
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.policies.layout import CHECKPOINTS
from lumos_rl.rollout.ray_workers import RayWorkers
from lumos_rl.runs.config import CHANGEABLE, RunConfig
from lumos_rl.runs.lines import Lines, cut_broken_line, naming, read_result
from lumos_rl.runs.schedule import Planned, Schedule
from lumos_rl.runs.stored import refuse_other_versions, refused_changes, settings_of, stored_values
from lumos_rl.runs.trackers import check_trackers, trackers

log = logging.getLogger(__name__)

TRAJECTORIES, EVALUATION, PAIRS = "trajectories.jsonl", "evaluation.jsonl", "pairs.jsonl"
VALIDATION = "validation.jsonl"
METRICS, TIMES = "metrics.jsonl", "times.json"
MIN_FREE_BYTES = 200 * 2**20


class RunFolder:
    """An open run folder, and the workers that play the run's episodes.

        with RunFolder(Path("runs/tiny-0"), config) as run:  # the workers end with the block

    Args:
        path: The folder; made when missing.
        config: The run's settings.

    Raises:
        ConfigError: The folder belongs to a run with other settings, another process is at work in it, it cannot be
            written, the disk is nearly full, or a tracker cannot be used.
        DataError: A file of the folder cannot be read.
        MissingFileError: `config.resume` is set and the folder holds no run.
    """

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path, self.config = path.resolve(), config
        check_trackers(config.track, os.environ)
        self._check_config(path)
        check_writable(self.path)
        self._held = _hold(self.path)
        settings = settings_of(config)
        self._write("config.json", settings)
        for name in (TRAJECTORIES, EVALUATION, VALIDATION, PAIRS, METRICS):
            cut_broken_line(self.path / name)
        self._lines = {name: Lines(self.path / name) for name in (TRAJECTORIES, EVALUATION, VALIDATION, PAIRS)}
        self._schedule = Schedule(seconds=self._times())
        self._trackers = trackers(config.track, self.path, settings)
        large = config.model.base != SCRATCH
        self.workers = RayWorkers(config.ray, large=large)  # they start with the first episodes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.workers.close()
        self._held.close()

    def checkpoint(self, stage: str) -> Path:
        """Folder of the model that `stage` trained."""
        return self.path / CHECKPOINTS / stage

    def follow(self, planned: Sequence[Planned]) -> None:
        """Tells which stages are to come, so that the log says how far the run is."""
        self._schedule = Schedule(planned, self._schedule.seconds)

    def stage(
        self, name: str, work: Callable[[], Mapping[str, Any]], again: Callable[[Mapping[str, Any]], str] | None = None
    ) -> dict[str, Any]:
        """The result of a stage: read when it is finished already, else worked out, then written.

        Args:
            name: The stage.
            work: What gives its result.
            again: Why a stored result is computed again; "" if it is good.

        Raises:
            DataError: The stored result cannot be read.
        """
        path, place = self.path / "stages" / f"{name}.json", self._schedule.place(name)
        before: dict[str, Any] | None = None
        why = ""
        if path.is_file():
            before = read_result(path)
            why = again(before) if again else ""
            if not why:
                log.info("%s: finished before", place)
                return before
        left = self._schedule.left(name)
        log.info("%s begins%s%s", place, f" again ({why})" if why else "", f", {left}" if left else "")
        began = time.monotonic()
        try:
            result = dict(work())
        except InfrastructureError as error:
            if before is None:
                raise
            log.warning("%s stays as it was (%s): %s", name, why, error)
            return before
        self._write(f"stages/{name}.json", result)
        self._took(name, time.monotonic() - began, first=before is None)
        return result

    def _took(self, name: str, seconds: float, first: bool) -> None:
        log.info("%s took %s", self._schedule.place(name), duration(seconds))
        if first:  # a repetition does only what failed
            self._schedule.seconds[name] = seconds
            self._write(TIMES, self._schedule.seconds)

    def results(self) -> dict[str, dict[str, Any]]:
        """The results of all finished stages, in the order in which they ended.

        Raises:
            DataError: One cannot be read.
        """
        files = sorted((self.path / "stages").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return {path.stem: read_result(path) for path in files}

    def log(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Adds a line of metrics, here and in every tracker."""
        with naming(self.path / METRICS), (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": stage, "step": step, **values}) + "\n")
        for tracker in self._trackers:
            tracker(stage, step, values)

    def rewind(self, stage: str, step: int = -1) -> None:
        """Drops the metrics that a stage logged behind a step, before it logs them again; -1 drops all of the stage.

        A tracker keeps what it has and gets these steps a second time.
        """
        path = self.path / METRICS
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines if not _is_behind(line, stage, step)]
        if len(kept) < len(lines):
            log.info("%s: %d lines of metrics behind step %d are dropped", stage, len(lines) - len(kept), max(step, 0))
            write_atomically(path, "".join(kept))

    def add(self, name: str, record: Trajectory | PreferencePair) -> None:
        """Adds a record to one of the folder's files and hands it to the operating system at once."""
        if isinstance(record, Trajectory) and record.failure is not None:
            record = replace(record, failure=masked(record.failure))
        self._lines[name].add([record])

    def read(self, kind: type[Record], name: str, key: str | None = None) -> Iterator[Record]:
        """The records of one of the folder's files; none when it is missing.

        Args:
            kind: Of the records.
            name: The file.
            key: Only those of this policy, or the pairs of this stage; no others are read. None gives all.

        Raises:
            DataError: A line cannot be read.
        """
        return self._lines[name].all(kind) if key is None else self._lines[name].of(kind, key)

    def replace_pairs(self, stage: str, pairs: Iterable[PreferencePair]) -> None:
        """Writes the pairs of one stage behind those of the stages before it."""
        if any(self.read(PreferencePair, PAIRS, stage)):  # of a start that did not finish the stage
            kept = [pair for pair in self.read(PreferencePair, PAIRS) if not pair.id.startswith(f"{stage}:")]
            write_atomically(self.path / PAIRS, "".join(to_json(pair) + "\n" for pair in kept))
        self._lines[PAIRS].add(pairs)

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
        new, old = settings_of(self.config), stored_values(stored)
        refuse_other_versions(stored, old)
        if missing := sorted(new.keys() - old.keys()):
            log.info("%s was begun without %s: their defaults are taken for its own", path, ", ".join(missing))
        old = settings_of(RunConfig()) | old
        if refused := refused_changes(old, new):
            raise ConfigError(
                f"expected the settings that {path} was begun with, got others ({'; '.join(refused)}); continue with"
                f" those, or choose another --run-dir. What may change: {', '.join(CHANGEABLE)}, and batch sizes with"
                " gradient_accumulation while their product stays"
            )
        for name in sorted(name for name in new if old[name] != new[name]):
            log.info("%s continues with %s %s instead of %s", path, name, new[name], old[name])

    def _times(self) -> dict[str, float]:
        path = self.path / TIMES
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            return {str(name): float(seconds) for name, seconds in found.items()}
        except (ValueError, TypeError, AttributeError) as error:  # nothing depends on them but estimates
            log.warning("%s cannot be read, so earlier stages do not count for the time left: %s", path, error)
            return {}

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        write_atomically(self.path / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _is_behind(line: str, stage: str, step: int) -> bool:
    """Whether a line of metrics is of this stage and of a later step; what is no such line is not."""
    try:
        value = json.loads(line)
        return bool(value["stage"] == stage and value["step"] > step)
    except (ValueError, TypeError, KeyError):
        return False


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
    partial = path.with_name(path.name + ".tmp")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # else a machine that loses power may keep the new name and no text
        partial.replace(path)


def require_checkpoint(path: Path) -> Path:
    """The folder itself, if a stage has written a model there.

    Raises:
        MissingFileError: It has not.
    """
    if not any(any(part.glob("*.safetensors")) for part in (path, *(path / module for module in Module))):
        raise MissingFileError(f"expected a trained model in {path}: not there; run the stage that trains it first")
    return path
