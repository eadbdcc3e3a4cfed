"""The files of a run: results of stages, and files that grow by a line for each record.

Of the latter, the records of one policy or stage are found at once:

    cut_broken_line(path := Path("runs/tiny-0/trajectories.jsonl"))    # one that was being written when a process ended
    lines = Lines(path)
    lines.add([trajectory])
    list(lines.of(Trajectory, "sft"))                        # reads the lines of the policy sft, and no others

A file is read as a whole once, when its records are first asked for. A run whose stages each ask for their own episodes
so reads every line a few times, however many stages there are.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from lumos_rl.core import PreferencePair, Record, Trajectory, from_json, to_json
from lumos_rl.errors import DataError

log = logging.getLogger(__name__)

BLOCK = 1 << 16  # bytes that are read at once from the end of a file
CURE = "remove that line; what it held is then played or built again"


def key_of(record: Trajectory | PreferencePair) -> str:
    """What a record is found by: its policy, or the stage that learned it."""
    return record.policy if isinstance(record, Trajectory) else record.id.partition(":")[0]


class Lines:
    """One file.

    Args:
        path: The file; it may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index: dict[str, array[int]] | None = None  # key → number and offset of each line, in turn
        self._lines = self._size = 0  # of the indexed part

    def add(self, records: Iterable[Trajectory | PreferencePair]) -> None:
        """Adds lines and hands them to the operating system at once."""
        keys, lines = [], []
        for record in records:
            keys.append(key_of(record))
            lines.append(to_json(record).encode() + b"\n")
        with naming(self.path), self.path.open("ab") as file:
            start = file.seek(0, os.SEEK_END)
            file.write(b"".join(lines))
        if self._index is not None and start == self._size:  # else another process has written
            for key, line in zip(keys, lines, strict=True):
                self._note(key, len(line))

    def all(self, kind: type[Record]) -> Iterator[Record]:
        """All records."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield self._record(kind, line, number)
                    else:
                        log.warning("%s:%d is cut off, or still being written: left out", self.path, number)

    def of(self, kind: type[Record], key: str) -> Iterator[Record]:
        """The records with this key, in the order of the file."""
        places = self._indexed().get(key, array("q"))
        if not places:
            return
        with self.path.open("rb") as file:
            for number, line in _lines_at(file, places[:]):
                yield self._record(kind, line, number)

    def _record(self, kind: type[Record], line: bytes, number: int) -> Record:
        where = f"{self.path}:{number}"
        try:
            return from_json(kind, line.decode(), where)
        except UnicodeDecodeError as error:
            raise DataError(f"expected UTF-8, got byte {line[error.start]:#x} ({where}); {CURE}") from error
        except DataError as error:
            raise DataError(f"{error}; {CURE}") from error

    def _indexed(self) -> dict[str, array[int]]:
        """The index, of the whole file."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        if self._index is None or size != self._size:
            self._index, self._lines, self._size = {}, 0, 0
            if size:
                with self.path.open("rb") as file:
                    for number, line in enumerate(file, 1):
                        self._note(self._key(line, number), len(line))
        return self._index

    def _note(self, key: str, length: int) -> None:
        assert self._index is not None, "it is made before it is added to"
        self._lines += 1
        self._index.setdefault(key, array("q")).extend((self._lines, self._size))
        self._size += length

    def _key(self, line: bytes, number: int) -> str:
        try:
            value = json.loads(line)
            return str(value["policy"] if "policy" in value else value["id"].partition(":")[0])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            said = f"byte {line[error.start]:#x}" if isinstance(error, UnicodeDecodeError) else f"{line[:60]!r}"
            raise DataError(
                f"expected an episode or a pair as JSON, got {said} ({self.path}:{number}); {CURE}"
            ) from error


def _lines_at(file: BinaryIO, places: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Number and text of lines, given number and offset of each in turn."""
    for number, offset in zip(places[::2], places[1::2], strict=True):
        file.seek(offset)
        yield number, file.readline()


def read_result(path: Path) -> dict[str, Any]:
    """The result of a finished stage.

    Raises:
        DataError: The file is cut off or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError(f"got {str(value)[:60]!r}")
    except ValueError as error:
        raise DataError(
            f"expected the result of a stage as one JSON object in {path}: {error}; remove that file, and the stage"
            " runs again from what else there is"
        ) from error
    return value


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Names the file in an error of the operating system that does not: a full disk is noticed when a write fails."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def cut_broken_line(path: Path) -> None:
    """Drops what follows the last newline: a line that was being written when the process ended."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = _last_line_end(file, size)
        if end != size:
            log.warning("%s: dropped a line that was cut off after %d bytes", path, size - end)
            file.truncate(end)


def _last_line_end(file: BinaryIO, size: int) -> int:
    """Offset behind the last newline, found from the end; 0 without one."""
    at = size
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
