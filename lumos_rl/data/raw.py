"""Reads the records of a file: JSON list, JSON lines or CSV, each also compressed with gzip.

    >>> for row in read_rows(Path("test.jsonl")):                                               # doctest: +SKIP
    ...     print(row.index, row.where, row.value)
    0 test.jsonl:1 {'question': 'Janet’s ducks lay 16 eggs per day. …', 'answer': '…'}

An unreadable record raises `DataError`; if the caller gives `report`, it goes there and is skipped. Blank lines and a
byte order mark are skipped. Bytes that are not UTF-8 invalidate only their own record. A file that holds no records in
any of these forms raises one error.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.errors import DataError, MissingFileError
from lumos_rl.task_types import Report

KINDS = "a JSON list of records, JSON lines (one record per line) or CSV with a header"
CURE = "save the file as UTF-8, e.g. with `iconv -f WINDOWS-1252 -t UTF-8`, or remove the record"


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file: its index (from 0), "file:line", and its parsed value."""

    index: int
    where: str
    value: Any


def read_rows(path: Path, report: Report | None = None) -> Iterator[Row]:
    """The records of a JSON-lines, JSON or CSV file in order.

    Args:
        path: A file; ".csv" is read as CSV with a header, anything else as JSON, a list or one object per line.
            With ".gz" behind its name it is decompressed first.
        report: Called with the errors of unreadable records; None raises them.

    Raises:
        MissingFileError: There is no such file.
        DataError: The file holds no records, or a record cannot be read and `report` is None.
    """
    text = _text_of(path)
    if path.name.lower().removesuffix(".gz").endswith(".csv"):
        places = _csv_rows(text)
    else:
        places = _json_list(text) if text.lstrip().startswith("[") else _json_lines(text, path)
    for index, (line, value) in enumerate(places):
        where = f"{path.name}:{line}"
        broken = value if isinstance(value, ValueError) else encoding_error(value)
        if broken is None:
            yield Row(index, where, value)
            continue
        problem = DataError(f"{where}: {broken}")
        if report is None:
            raise problem
        report(where, problem)


def _text_of(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 are kept as surrogates.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is damaged, or in another encoding as a whole.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingFileError(f"expected a file at {path.absolute()}") from error
    if path.suffix.lower() == ".gz":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path.name}: expected a whole gzip file, got: {error}; fetch it again") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path.name}: expected UTF-8, got UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`")
    return data.decode("utf-8-sig", errors="surrogateescape")


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Line number and value of each line; the value is a ValueError if the line is not JSON.

    Raises:
        DataError: No line is a record, so this is no file of records.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if lines and not any(_is_record(line) for _, line in lines):
        raise _no_records(text, lines[0], path)
    for number, line in lines:
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            why = f"expected one JSON object, got {excerpt(line)} ({error})"
            yield number, encoding_error(line) or ValueError(why)


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _no_records(text: str, first: tuple[int, str], path: Path) -> DataError:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = encoding_error(first[1]) or f"got {excerpt(first[1])} ({error})"
        return DataError(f"{path.name}:{first[0]}: expected {KINDS}, {why}")
    if isinstance(value, dict):
        return DataError(f"{path.name}: expected {KINDS}, got one JSON object with {_keys(value)}{hint(value)}")
    return DataError(f"{path.name}: expected {KINDS}, got {excerpt(value)}")


def _keys(value: Mapping[str, Any]) -> str:
    shown = ", ".join(repr(name)[:40] for name in list(value)[:6])
    return f"the keys {shown}" + (" …" if len(value) > 6 else "")


def hint(value: Any) -> str:
    """Where the records seem to be in an object; "" if it has no list of objects."""
    if not isinstance(value, dict):
        return ""
    lists = (name for name, part in value.items() if isinstance(part, list) and part and isinstance(part[0], dict))
    name = next(lists, None)
    return "" if name is None else f"; save its list {name!r} as a file"


def _json_list(text: str) -> Iterator[tuple[int, Any]]:
    """Line number and value of each item of one list. Reading stops at an item that is not JSON."""
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
            rest = text[position : position + 80]
            why = f"expected a JSON object, got {excerpt(rest)} ({error})"
            yield line, ValueError(f"{encoding_error(rest) or why}; the rest of the file was not read")
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


def encoding_error(value: Any) -> ValueError | None:
    """What is wrong with the texts of a JSON value as Unicode; None if nothing is."""
    for item in _texts(value):
        if not item.isascii():
            try:
                item.encode()
            except UnicodeEncodeError as error:
                shown = item[max(0, error.start - 20) : error.start].encode("ascii", "replace").decode()
                code = ord(item[error.start])
                escaped = 0xDC80 <= code <= 0xDCFF  # a byte that `surrogateescape` kept
                got = f"the byte 0x{code - 0xDC00:02x}" if escaped else f"half a character, \\u{code:04x},"
                return ValueError(f"expected UTF-8 text, got {got} after {shown!r}; {CURE}")
    return None


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, names of fields included; a record may be nested deeply, so without recursion."""
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            pending += [*found.values(), *found]
        elif isinstance(found, list):
            pending += found


def excerpt(value: object) -> str:
    """A value as an error message shows it, at most 60 characters."""
    shown = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
