"""Finds benchmark files and reads them record by record; errors name file and line.

    >>> from pathlib import Path
    >>> for row in read_rows(Path("test.jsonl")):       # also .json (a list or lines) and .csv    # doctest: +SKIP
    ...     print(row.index, row.where, text_field(row, "question"))
    0 test.jsonl:1 Janet’s ducks lay 16 eggs per day. …

An unreadable record raises `DataError`; if the caller gives `report`, it goes there and is skipped. Blank lines and a
byte order mark are skipped. Bytes that are not UTF-8 invalidate only their own record.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from lumos_rl.core import Task
from lumos_rl.errors import DataError, MissingExtraError, MissingFileError, UnknownNameError
from lumos_rl.metrics import parse_number
from lumos_rl.task_types import Report

_NUMBER = re.compile(r"[-+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?")
_MOST_DIGITS = 400  # of a number; the scorer reads no longer answers


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file: its index (from 0), "file:line", and its parsed value."""

    index: int
    where: str
    value: Any


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

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file, a folder, or "hf:NAME" or "hf:NAME:CONFIG".

        Raises:
            UnknownNameError: No such split.
            MissingFileError: There is no such file.
            DataError: A record cannot be read, and `report` is None.
        """
        if source.startswith("hf:"):
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
            except DataError as error:
                if report is None:
                    raise
                report(f"{self.benchmark}/{split}/{row.index}", error)
                continue
            seen[task.id] = row.where
            yield task


def read_rows(path: Path, report: Report | None = None) -> Iterator[Row]:
    """The records of a JSON-lines, JSON or CSV file in order.

    Args:
        path: A file; ".csv" is read as CSV with a header, anything else as JSON, a list or one object per line.
        report: Called with the errors of unreadable records; None raises them.

    Raises:
        MissingFileError: There is no such file.
        DataError: A record cannot be read, and `report` is None.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except FileNotFoundError as error:
        raise MissingFileError(f"expected a file at {path.absolute()}") from error
    if path.suffix.lower() == ".csv":
        places = _csv_rows(text)
    else:
        places = _json_list(text) if text.lstrip().startswith("[") else _json_lines(text)
    for index, (line, value) in enumerate(places):
        where = f"{path.name}:{line}"
        broken = value if isinstance(value, ValueError) else _encoding_error(value)
        if broken is None:
            yield Row(index, where, value)
            continue
        problem = DataError(f"{where}: {broken}")
        if report is None:
            raise problem
        report(where, problem)


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line; the value is a ValueError if the line is not JSON."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, ValueError(f"expected one JSON object, got {_excerpt(line)} ({error})")


def _json_list(text: str) -> Iterator[tuple[int, Any]]:
    """The same for the items of one list. Reading stops at an item that is not JSON."""
    decoder = json.JSONDecoder()
    position, line = text.index("[") + 1, 1
    counted = 0
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        line, counted = line + text.count("\n", counted, position), position
        if position < len(text) and text[position] == "]":
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            rest = _excerpt(text[position : position + 80])
            yield line, ValueError(f"expected a JSON object, got {rest} ({error}); the rest of the file was not read")
            return
        yield line, value


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    """The same for the rows of a CSV file, as dicts by column name."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, ValueError(f"expected a CSV row, got an error: {error}")
            continue
        if row is None:
            return
        yield reader.line_num, row


def _encoding_error(value: Any) -> ValueError | None:
    for item in _texts(value):
        if not item.isascii():
            try:
                item.encode()
            except UnicodeEncodeError as error:
                shown = item[max(0, error.start - 20) : error.start].encode("ascii", "replace").decode()
                return ValueError(f"expected UTF-8 text, got other bytes after {shown!r}")
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


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
        raise DataError(f"{row.where}: expected an object with a field {name!r}, got {_excerpt(row.value)}")
    if name not in row.value:
        raise DataError(f"{row.where}: field {name!r}: expected, got only {sorted(map(str, row.value))}")
    return row.value[name]


def bad_field(row: Row, name: str, expected: str, got: object) -> DataError:
    """The error for a field: `train.jsonl:17: field 'answer': expected a number, got 'many'`."""
    return DataError(f"{row.where}: field {name!r}: expected {expected}, got {_excerpt(got)}")


def _excerpt(value: object) -> str:
    shown = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
