"""Items that are made once per process, on demand, and shared by all who ask: tasks of suites and of files.

    tasks = Drawn(stream)     # nothing is made yet
    tasks.first(3)            # makes three
    list(tasks)               # makes the rest; a second list() makes nothing

    file_tasks(reader, "train.jsonl", "train")     # the same object for every environment over this file

Files are identified by path, time of change and size. The last ones read are kept, up to `KEPT_BYTES` of files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from lumos_rl.core import Task
from lumos_rl.data.kept import Kept
from lumos_rl.errors import DataError
from lumos_rl.task_types import Reader

KEPT_BYTES = 1 << 29  # of files whose tasks are kept; the last one read is kept whatever its size

Item = TypeVar("Item")


class Drawn(Generic[Item]):
    """The items of a stream, for many threads; what the stream raises is raised again to everyone who gets there."""

    def __init__(self, stream: Iterator[Item]) -> None:
        self._stream, self._items = stream, list[Item]()
        self._failure: Exception | None = None
        self._lock = threading.Lock()

    @property
    def failed(self) -> bool:
        """Whether the stream raised."""
        return self._failure is not None

    def first(self, count: int) -> list[Item]:
        """The first items, at most `count`."""
        return list(islice(self, max(0, count)))

    def __iter__(self) -> Iterator[Item]:
        """All items, made when they are reached."""
        index = 0
        while self._reaches(index):
            yield self._items[index]
            index += 1

    def _reaches(self, index: int) -> bool:
        """Whether there is an item at this index, which is the next one or an earlier one."""
        if index < len(self._items):
            return True
        with self._lock:
            if index < len(self._items):
                return True
            if self._failure is not None:
                raise self._failure
            try:
                self._items.append(next(self._stream))
            except StopIteration:
                return False
            except Exception as error:  # kept, because a generator that raised only says that it is at its end
                self._failure = error
                raise
            return True


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be read: its id or place, and what is wrong with it."""

    key: str
    error: DataError


Read = Drawn[Task | Unreadable]

_kept = Kept[Read](KEPT_BYTES)


def file_tasks(reader: Reader, source: str, split: str) -> Read:
    """The tasks and unreadable records of a source; shared if `reader.paths` names the files that it depends on.

    Raises:
        LumosError: As `reader.paths`; iterating raises as `reader.read`.
    """
    paths: list[Path] = getattr(reader, "paths", lambda source, split: [])(source, split)
    if not paths:
        return Drawn(_read(reader, source, split))
    stats = [path.stat() for path in paths]
    stamps = [(str(path.absolute()), stat.st_mtime_ns, stat.st_size) for path, stat in zip(paths, stats, strict=True)]
    key = (type(reader), getattr(reader, "benchmark", None), source, split, *stamps)
    size = sum(stat.st_size for stat in stats)
    found = _kept.get(key, lambda: Drawn(_read(reader, source, split)), lambda _: size)
    if found.failed:  # perhaps for something that is no part of these files, and is mended now
        _kept.drop(key)
        found = _kept.get(key, lambda: Drawn(_read(reader, source, split)), lambda _: size)
    return found


def _read(reader: Reader, source: str, split: str) -> Iterator[Task | Unreadable]:
    bad: list[Unreadable] = []
    for task in reader.read(source, split, lambda key, error: bad.append(Unreadable(key, error))):
        yield from bad
        bad.clear()
        yield task
    yield from bad
