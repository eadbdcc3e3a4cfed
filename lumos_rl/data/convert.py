"""Turns benchmark files into annotations for planner and grounder; each plan is verified by execution.

    python -m lumos_rl.data.convert --benchmark gsm8k --source train.jsonl --out annotations/gsm8k

writes to the folder `--out`:

    planner.jsonl, grounder.jsonl     {"dataset": "gsm8k", "id": "gsm8k/train/0", "messages": [{"role": "user", …}, …]}
    planner_onetime.jsonl, grounder_onetime.jsonl    the same in the onetime form
    annotations.jsonl                 task, gold answer and subgoals with their actions
    rejects.jsonl                     {"id": "gsm8k/train/167", "reason": "the result is not the gold answer: …"}
    yield.json                        {"read": 7473, "kept": 7392, "rejected": {"the result is not …": 76, …}, …}
    prompt_profile.json               the fixed text of the conversations

and prints the yield. An unreadable record is rejected with file, line, field, expected and actual value, and the
conversion continues; so it does whatever else a record makes code raise. Each file is written completely or not at all.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import tyro

from lumos_rl import task_types
from lumos_rl.console import failed, until_pipe_closes
from lumos_rl.core import Formulation, Module, Task
from lumos_rl.data.annotate import MALFORMED, annotate, resample
from lumos_rl.data.annotations import annotation_record
from lumos_rl.data.conversations import conversations
from lumos_rl.data.files import default_split, is_file, named_split
from lumos_rl.errors import ConfigError, DataError, LumosError
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.records import well_formed
from lumos_rl.task_types import Reject

log = logging.getLogger(__name__)

UNREAD, UNWRITABLE = "the rest could not be read", "the plan cannot be written"


@dataclass(frozen=True, slots=True)
class Settings:
    """Turns benchmark files into verified annotations for planner and grounder.

    Attributes:
        benchmark: gsm8k, hotpotqa, intercode_sql, mawps, mind2web, strategyqa, svamp or webshop, or another task type,
            installed or from `plugin`.
        source: A file, a folder as the benchmark distributes it, or hf:NAME or hf:NAME:CONFIG.
        out: Folder to write to; created if missing. Files of an earlier run are replaced.
        split: Which file of a folder, or split of a hub data set; part of the ids. By default that in the name of the
            file, otherwise test; of a folder or a hub data set, the benchmark's first.
        formulation: Which conversations to write.
        profile: Prompt profile of the conversations: lumos, compact, instruct, thinking, or a folder.
        resample: New tasks per kept one, with the same program and other numbers, where that is safe. Never train on
            tasks made from a test set.
        seed: Seed of the new numbers.
        limit: Maximum number of readable records to convert; all by default.
        plugin: Modules with task types from outside this package.
    """

    benchmark: str
    source: str
    out: Path
    split: str | None = None
    formulation: Literal["iterative", "onetime", "both"] = "both"
    profile: str = "lumos"
    resample: int = 0
    seed: int = 0
    limit: int | None = None
    plugin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion: annotated tasks, tasks resampled from them, and rejected records."""

    kept: list[Task] = field(default_factory=list)
    resampled: list[Task] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The content of `yield.json`."""
        read = len(self.kept) + len(self.rejects)
        return {
            "read": read,
            "kept": len(self.kept),
            "rejected": dict(Counter(reject.reason for reject in self.rejects).most_common()),
            "yield": round(len(self.kept) / read, 4) if read else 0.0,
            "resampled": len(self.resampled),
        }


def convert(settings: Settings) -> Conversion:
    """Reads, annotates and verifies; writes nothing.

    Raises:
        UnknownNameError: Unknown benchmark or split.
        MissingFileError: There is no such file.
        ConfigError: A negative number.
    """
    reader = task_types.get(settings.benchmark).get_reader()
    if settings.resample < 0 or (settings.limit or 0) < 0:
        raise ConfigError(f"expected --resample and --limit >= 0, got {settings.resample} and {settings.limit}")
    split = settings.split or split_of(settings.source, list(reader.files))
    result = Conversion()

    def report(key: str, error: DataError) -> None:
        result.rejects.append(Reject(key, MALFORMED, str(error)))

    profile = get_profile(settings.profile)
    read = reader.read(settings.source, split, report)
    for task in islice(_whatever_is_read(read, settings.source, result), settings.limit):
        annotated = annotate(task)
        if not isinstance(annotated, Reject):
            annotated = _unwritable(annotated, settings, profile) or annotated
        if isinstance(annotated, Reject):
            result.rejects.append(annotated)
            continue
        result.kept.append(annotated)
        copies = resample(annotated, settings.resample, settings.seed)
        result.resampled.extend(copy for copy in copies if _unwritable(copy, settings, profile) is None)
    return result


def _whatever_is_read(tasks: Iterator[Task], source: str, result: Conversion) -> Iterator[Task]:
    """The tasks up to a failure of the reader itself, which becomes a reject if something was read before."""
    while True:
        try:
            task = next(tasks, None)
        except Exception as error:  # e.g. a disk or a network that fails: what was converted is worth writing
            if not result.kept and not result.rejects:
                raise
            result.rejects.append(Reject(source, UNREAD, f"{type(error).__name__}: {error}"))
            log.warning("%s: the rest could not be read: %r", source, error)
            return
        if task is None:
            return
        yield task


def _unwritable(task: Task, settings: Settings, profile: PromptProfile) -> Reject | None:
    """Why an annotated task cannot be written, e.g. because a subgoal reads as the decision to stop; None if it can."""
    try:
        json.dumps(annotation_record(task))
        for formulation in _formulations(settings):
            conversations(task, formulation, profile)
    except Exception as error:  # noqa: BLE001 (whatever the content of one record makes code raise)
        return Reject(task.id, UNWRITABLE, f"{type(error).__name__}: {str(error)[:200]}")
    return None


def _formulations(settings: Settings) -> list[Formulation]:
    both = (Formulation.ITERATIVE, Formulation.ONETIME)
    return [each for each in both if settings.formulation in ("both", each.value)]


def split_of(source: str, splits: Sequence[str]) -> str:
    """The split to convert where none was given.

    Of a file it is the same as in an environment (`files.default_split`): that in its name, otherwise the test split.
    Of a folder it is that in its name, otherwise the first of `splits`; of the hub the first.
    """
    return default_split(source, splits) if is_file(source) else named_split(source, splits) or splits[0]


def write(conversion: Conversion, settings: Settings) -> None:
    """Writes all files of a conversion; an interruption leaves each file either old or complete.

    Raises:
        OSError: A file cannot be written.
    """
    profile = get_profile(settings.profile)
    tasks = [*conversion.kept, *conversion.resampled]
    files: dict[str, Iterable[Mapping[str, Any]]] = {
        "annotations.jsonl": map(annotation_record, tasks),
        "rejects.jsonl": (well_formed({"id": key.id, "reason": key.text}) for key in conversion.rejects),
    }
    for formulation in _formulations(settings):
        suffix = "_onetime" if formulation == Formulation.ONETIME else ""
        for module in (Module.PLANNER, Module.GROUNDER):
            files[f"{module.value}{suffix}.jsonl"] = _records(tasks, formulation, module, profile)
    for name, records in files.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        _write_whole(settings.out / name, lines)
    _write_whole(settings.out / "yield.json", [json.dumps(conversion.summary(), indent=1) + "\n"])
    profile.save(settings.out)


def _records(
    tasks: Sequence[Task], formulation: Formulation, module: Module, profile: PromptProfile
) -> Iterable[Mapping[str, Any]]:
    for task in tasks:
        messages = conversations(task, formulation, profile)[module]
        yield {"dataset": task.benchmark, "id": task.id, "messages": messages}


def _write_whole(path: Path, lines: Iterable[str]) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(lines)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def check_writable(folder: Path) -> None:
    """Creates the folder and tries to write to it.

    Raises:
        ConfigError: That failed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"expected a folder to write to at {folder.absolute()}, got {error}; give another --out"
        ) from error


def yield_table(summary: Mapping[str, Any], title: str) -> str:
    """The yield as a table, one line per reason."""
    read = summary["read"]
    rows = [
        ("read", read),
        ("kept", summary["kept"]),
        *((f"rejected: {why}", n) for why, n in summary["rejected"].items()),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {count:>7,}  {count / read if read else 0:>7.2%}" for name, count in rows]
    more = [f"  {'resampled':<{width}}  {summary['resampled']:>7,}"] if summary["resampled"] else []
    return "\n".join([title, *lines, *more])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 if a record was kept, 1 if none was, 2 for a setting that cannot work."""
    settings = tyro.cli(Settings, args=arguments, prog="python -m lumos_rl.data.convert")
    try:
        task_types.load_plugins(settings.plugin)
        get_profile(settings.profile)
        task_types.get(settings.benchmark).get_reader()
        check_writable(settings.out)
        conversion = convert(settings)
        write(conversion, settings)
    except (LumosError, OSError) as error:
        return failed(str(error))
    print(yield_table(conversion.summary(), f"{settings.benchmark} from {settings.source} in {settings.out}"))
    return 0 if conversion.kept else 1


if __name__ == "__main__":
    with until_pipe_closes():
        sys.exit(main())
