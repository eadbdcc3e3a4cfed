"""Finds benchmark files and reads them record by record; errors name file and line.

    >>> from pathlib import Path
    >>> for row in read_rows(Path("test.jsonl")):       # also .json (a list or lines) and .csv    # doctest: +SKIP
    ...     print(row.index, row.where, text_field(row, "question"))
    0 test.jsonl:1 Janet’s ducks lay 16 eggs per day. …

An unreadable record raises `DataError`; if the caller gives `report`, it goes there and is skipped.
`lumos_rl.data.raw` reads the files themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.raw import KINDS, excerpt, hint
from lumos_rl.data.raw import Row as Row
from lumos_rl.data.raw import read_rows as read_rows
from lumos_rl.errors import DataError, MissingExtraError, MissingFileError, UnknownNameError
from lumos_rl.metrics import parse_number
from lumos_rl.task_types import Report

_NUMBER = re.compile(r"[-+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?")
_MOST_DIGITS = 400  # of a number; the scorer reads no longer answers


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the files of one benchmark.

    Attributes:
        benchmark: Its name.
        origin: Where its files come from, with the licence.
        files: For each split, the file names to look for (glob patterns, relative to a folder), in this order.
        task: Builds the task of one record of a split; raises `DataError`.
        hub_config: Name of the configuration on the Hugging Face hub, if it needs one.
    """

    benchmark: str
    origin: str
    files: Mapping[str, tuple[str, ...]]
    task: Callable[[Row, str], Task]
    hub_config: str | None = None

    def find(self, source: Path, split: str) -> Path:
        """The file of `split`: `source` itself, or the first of `files` in the folder `source`.

        Raises:
            UnknownNameError: `source` is a folder and the benchmark has no such split.
            MissingFileError: There is no such file.
        """
        if source.is_file():
            return source
        if not source.is_dir():
            raise MissingFileError(
                f"expected a file or folder at {source.absolute()}; {self.benchmark} comes from {self.origin}"
            )
        if split not in self.files:
            raise UnknownNameError(f"split of {self.benchmark}", split, self.files)
        for pattern in self.files[split]:
            found = sorted(path for path in source.glob(pattern) if path.is_file())
            if found:
                return found[0]
        raise MissingFileError(
            f"expected {self.benchmark} {split} as {' or '.join(self.files[split])} in {source.absolute()}, got"
            f" {', '.join(sorted(path.name for path in source.iterdir())[:12]) or 'an empty folder'};"
            f" it comes from {self.origin}"
        )

    def paths(self, source: str, split: str) -> list[Path]:
        """The files that the tasks depend on; none where that is not known."""
        return [self.find(Path(source), split)] if type(self).read is Reader.read and _is_local(source) else []

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file, a folder, or "hf:NAME" or "hf:NAME:CONFIG".

        Raises:
            UnknownNameError: No such split.
            MissingFileError: There is no such file.
            DataError: A record cannot be read, and `report` is None.
        """
        if not _is_local(source):
            name, _, config = source.removeprefix("hf:").partition(":")
            return self.tasks(rows_from_hub(name, split, config or self.hub_config), split, report)
        return self.tasks(read_rows(self.find(Path(source), split), report), split, report)

    def tasks(self, rows: Iterable[Row], split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of all readable records.

        Raises:
            DataError: A record cannot be read, or repeats an id, and `report` is None.
        """
        seen: dict[str, str] = {}
        for row in rows:
            try:
                task = self.task(row, split)
                if task.id in seen:
                    raise DataError(f"{row.where}: expected a new id, got {task.id!r}, which {seen[task.id]} has")
            except Exception as error:  # whatever the content of one record makes code raise: it ends nothing else
                problem = _problem(row, error)
                if report is None:
                    raise problem from error
                report(f"{self.benchmark}/{split}/{row.index}", problem)
                continue
            seen[task.id] = row.where
            yield task


def _problem(row: Row, error: Exception) -> DataError:
    if not isinstance(error, DataError):
        return DataError(f"{row.where}: the record cannot be read: {type(error).__name__}: {str(error)[:200]}")
    if row.index == 0 and (inside := hint(row.value)):
        return DataError(f"{error}; a file is {KINDS}{inside}")
    return error


def _is_local(source: str) -> bool:
    return not source.startswith("hf:")


def is_file(source: str) -> bool:
    """Whether a source is one file, or is missing and has the name of one."""
    return _is_local(source) and not Path(source).is_dir() and "." in Path(source).name


def named_split(source: str, splits: Sequence[str]) -> str | None:
    """The split in the name of a file or folder; None without one, and for the hub."""
    name = Path(source).name.lower() if _is_local(source) else ""
    return next((split for split in (*splits, "train", "dev", "test") if split in name), None)


def default_split(source: str, splits: Sequence[str]) -> str:
    """The split of a source for which none was given: that in a file's name, otherwise the test split.

    >>> default_split("data/train.jsonl", ["train", "test"]), default_split("mine.jsonl", ["train", "test"])
    ('train', 'test')
    """
    named = named_split(source, splits) if is_file(source) else None
    return named or next((split for split in splits if split.startswith("test")), "test")


def rows_from_hub(name: str, split: str, config: str | None = None) -> Iterator[Row]:
    """The records of a data set that `datasets.load_dataset` can load: a name on the hub, or a local folder.

    Raises:
        MissingExtraError: `datasets` is not installed.
        MissingFileError: It could not be loaded.
    """
    try:
        datasets: Any = import_module("datasets")  # untyped, and slow to import
    except ImportError as error:
        raise MissingExtraError("datasets", "train") from error
    place = f"hf:{name}" + (f":{config}" if config else "")
    try:
        loaded = datasets.load_dataset(name, config, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MissingFileError(
            f"expected to load {place}, split {split!r}, with datasets.load_dataset, got {type(error).__name__}:"
            f" {error}; check name, configuration and network, or give a downloaded file as source"
        ) from error
    for index, value in enumerate(loaded):
        yield Row(index, f"{place}/{split}:{index}", value)


def text_field(row: Row, name: str) -> str:
    """A field that must be non-blank text.

    Raises:
        DataError: It is not.
    """
    value = _field(row, name)
    if not isinstance(value, str) or not value.strip():
        raise bad_field(row, name, "text", value)
    return value


def number_field(row: Row, name: str) -> str:
    """A field that must be a number or its text, in short form: `51.0` gives "51", `0.25` "0.25", `"1/2"` "1/2".

    Raises:
        DataError: It is not.
    """
    value = _field(row, name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise bad_field(row, name, "a number", value)
    try:
        return answer_number(str(value))
    except ValueError as error:
        raise bad_field(row, name, "a number", value) from error


def key_field(row: Row, *names: str) -> str:
    """The record's own id: the first of these fields that it has, as text or a whole number; without any, its position.

    Raises:
        DataError: The id is neither.
    """
    for name in names:
        value = row.value.get(name) if isinstance(row.value, Mapping) else None
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
            raise bad_field(row, name, "an id, text or a whole number", value)
        return str(value).strip()
    return str(row.index)


def list_field(row: Row, name: str) -> list[Any]:
    """A field that must be a list.

    Raises:
        DataError: It is not.
    """
    value = _field(row, name)
    if not isinstance(value, list):
        raise bad_field(row, name, "a list", value)
    return value


def short_number(text: str) -> str:
    """`"51.0"` as "51", `"1,250"` as "1250", `"0.50"` as "0.5", `"1e-7"` as "0.0000001": shorter, and the same number.

    Raises:
        ValueError: The text is not one finite number of at most `_MOST_DIGITS` digits.
    """
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        raise ValueError(f"expected a number, got {text[:40]!r}")
    mantissa, _, exponent = plain.replace(",", "").lower().partition("e")
    if len(plain) > _MOST_DIGITS or abs(int(exponent[:9] or 0)) > _MOST_DIGITS:
        raise ValueError(f"expected at most {_MOST_DIGITS} digits, got {text[:40]!r}")
    if exponent:
        mantissa = f"{Decimal(f'{mantissa}e{exponent}'):f}"
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return short if short.strip("+-0") else "0"


def answer_number(text: str) -> str:
    """A number as a benchmark's answer writes it: short if `short_number` reads it, else as it stands, e.g. "1/2".

    Raises:
        ValueError: The text is not one number.
    """
    try:
        return short_number(text)
    except ValueError:
        if parse_number(text) is None:
            raise
        return text.strip()


def _field(row: Row, name: str) -> Any:
    if not isinstance(row.value, Mapping):
        raise DataError(f"{row.where}: expected an object with a field {name!r}, got {excerpt(row.value)}")
    if name not in row.value:
        raise DataError(f"{row.where}: field {name!r}: expected, got only {sorted(map(str, row.value))}")
    return row.value[name]


def bad_field(row: Row, name: str, expected: str, got: object) -> DataError:
    """The error for a field: `train.jsonl:17: field 'answer': expected a number, got 'many'`."""
    return DataError(f"{row.where}: field {name!r}: expected {expected}, got {excerpt(got)}")
