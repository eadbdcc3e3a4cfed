"""Indexes Mind2Web's files: the byte range of each task and step, without holding a file in memory.

    entries = index_file(Path("data/train/train_0.json"))
    entries[0]    # Entry(fields={"annotation_id": "…", "confirmed_task": "Find …", …}, actions=((5210, 981_344), …))
    read_json(Path("data/train/train_0.json"), entries[0].actions[2])      # the record of one step

A file is a list of tasks with complete pages, hundreds of megabytes. It is read once, in chunks, to find the byte
ranges of its steps. They are stored under `LUMOS_RL_CACHE` (default ~/.cache/lumos_rl) and renewed when the file
changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumos_rl.data.cache import cache_folder
from lumos_rl.data.kept import Kept
from lumos_rl.errors import DataError

log = logging.getLogger(__name__)

FORMAT = 2  # version of a stored index
CHUNK = 1 << 22  # bytes read at once; longer strings span several chunks
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]"]', re.DOTALL)

Span = tuple[int, int]  # where something begins and ends, in bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A task in a file.

    Attributes:
        fields: Its record without `actions`; empty if it cannot be read.
        actions: Byte range of each step's record.
        error: What is wrong with the record; "" if nothing.
    """

    fields: dict[str, Any]
    actions: tuple[Span, ...]
    error: str = ""


def index_file(path: Path) -> tuple[Entry, ...]:
    """The tasks of a file, in order; an entry that cannot be read has an error."""
    stat = path.stat()
    place = path.resolve(), stat.st_size, stat.st_mtime_ns
    return _indexes.get(place, lambda: _found_index(*place), _bytes_of)


_indexes = Kept[tuple[Entry, ...]](200_000_000)


def _bytes_of(entries: tuple[Entry, ...]) -> int:
    """About how many bytes an index takes."""
    return sum(2_000 + 200 * len(entry.actions) for entry in entries)


def _found_index(path: Path, size: int, changed_ns: int) -> tuple[Entry, ...]:
    """The index in the cache folder, or a new one."""
    place = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    stamp = hashlib.sha256(repr((FORMAT, size, changed_ns)).encode()).hexdigest()[:16]
    kept = cache_folder() / f"mind2web-{place}-{stamp}.jsonl"
    if kept.is_file():
        with kept.open(encoding="utf-8") as lines:
            return tuple(_entry(json.loads(line)) for line in lines)
    found = tuple(scan(path))
    _store(kept, found)
    return found


def _store(kept: Path, found: Iterable[Entry]) -> None:
    """Writes an index, if the cache can be written; otherwise it is made again next time."""
    partial = kept.with_suffix(f".{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps([entry.fields, entry.actions, entry.error]) + "\n" for entry in found)
        for old in kept.parent.glob(f"{kept.name.rpartition('-')[0]}-*.jsonl"):  # of the file before it changed
            old.unlink(missing_ok=True)
        partial.replace(kept)
    except OSError as error:
        log.info("%s: the index is not kept: %s", kept, error)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _entry(value: Any) -> Entry:
    fields, actions, error = value
    return Entry(fields, tuple((start, end) for start, end in actions), error)


def read_json(path: Path, span: Span) -> Any:
    """The JSON value in a byte range.

    Raises:
        DataError: There is none, because the file has changed.
    """
    with path.open("rb") as file:
        file.seek(span[0])
        data = file.read(span[1] - span[0])
    try:
        return json.loads(data)
    except ValueError as error:
        raise DataError(f"{path.name}, byte {span[0]}: expected a JSON object, got {data[:40]!r} ({error})") from error


def scan(path: Path) -> Iterator[Entry]:
    """The tasks of a file, read in chunks; the file is a list, or records one after the other."""
    record, empty = _Record(), True
    with path.open("rb") as file:
        for start, token in _tokens(path):
            if record.take(start, token):
                yield _read(file, record)
                record, empty = _Record(), False
        file.seek(0)
        beginning = file.read(80)
    if record.start is not None:
        yield Entry({}, (), f"byte {record.start}: expected the end of a record, got the end of the file")
    elif empty and b"".join(beginning.split()) != b"[]":
        yield Entry({}, (), f"byte 0: expected a list of tasks, got {beginning.decode('utf-8', 'replace')!r}")


class _Record:
    """The record being read: the byte ranges of it, of its list of steps, and of each step."""

    def __init__(self) -> None:
        self.start: int | None = None
        self.end = 0
        self.list_span: Span | None = None
        self.actions: list[Span] = []
        self._depth = 0  # of brackets inside the record
        self._last = b""  # the last string at the record's own level
        self._opened = 0

    def take(self, start: int, token: bytes) -> bool:
        """Reads the next token; returns whether the record ends with it."""
        if self.start is None:
            if token == b"{":
                self.start, self._depth = start, 1
            return False
        if token in (b"{", b"["):
            if (self._depth, token, self._last) == (1, b"[", b'"actions"') and self.list_span is None:
                self.list_span = start, 0
            if self._depth == 2 and self._in_actions:
                self._opened = start
            self._depth += 1
        elif token in (b"}", b"]"):
            self._depth -= 1
            self._close(start)
        elif self._depth == 1:
            self._last = token
        return self._depth == 0

    @property
    def _in_actions(self) -> bool:
        return self.list_span is not None and not self.list_span[1]

    def _close(self, start: int) -> None:
        if self._depth == 0:
            self.end = start + 1
        elif self._in_actions and self.list_span is not None:
            if self._depth == 1:
                self.list_span = self.list_span[0], start + 1
            elif self._depth == 2:
                self.actions.append((self._opened, start + 1))


def _read(file: Any, record: _Record) -> Entry:
    """The entry of a complete record; its steps are not read."""
    assert record.start is not None, "a record that ended has begun"
    first, last = record.list_span or (record.end, record.end)
    parts = []
    for start, end in ((record.start, first), (last, record.end)):
        file.seek(start)
        parts.append(file.read(end - start))
    try:
        fields = json.loads(b"[]".join(parts) if record.list_span else parts[0])
    except ValueError as error:
        return Entry({}, (), f"byte {record.start}: expected a JSON object ({error})")
    fields.pop("actions", None)
    return Entry(fields, tuple(record.actions))


def _tokens(path: Path) -> Iterator[tuple[int, bytes]]:
    """Strings and brackets with their positions; long strings are replaced by an empty one."""
    rest, place = b"", 0
    with path.open("rb") as file:
        while chunk := file.read(max(CHUNK, len(rest))):  # twice as much while a string goes on: linear time
            data, rest = rest + chunk, b""
            for match in _TOKEN.finditer(data):
                token = match[0] if match.end() - match.start() < 64 else b'""'
                if token == b'"':  # a string that continues in the next chunk
                    rest = data[match.start() :]
                    break
                yield place + match.start(), token
            place += len(data) - len(rest)
