"""A cache that is bounded by bytes, for things of very different sizes: pages, files.

    pages = Kept[StepPage](100_000_000)
    pages.get(("train_0.json", 7), lambda: read_page(7), lambda page: len(page.html))    # made once, then kept

The last thing used is kept whatever its size, so that those who work on it together share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Kept(Generic[Item]):
    """Items by key, at most `most_bytes` in all; those used longest ago are dropped first. Threads may share it."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._items: dict[Hashable, tuple[Item, int]] = {}  # the last one used is last
        self._lock = threading.Lock()

    @property
    def keys(self) -> list[Hashable]:
        """Keys of the items that are kept, the last one used last."""
        return list(self._items)

    @property
    def bytes(self) -> int:
        """Bytes of all items, as they were counted when they were made."""
        return sum(size for _, size in self._items.values())

    def drop(self, key: Hashable) -> None:
        """Drops the item of a key, if there is one."""
        with self._lock:
            self._items.pop(key, None)

    def clear(self) -> None:
        """Drops all items."""
        with self._lock:
            self._items.clear()

    def get(self, key: Hashable, make: Callable[[], Item], size: Callable[[Item], int]) -> Item:
        """The item of a key; made if it is not kept.

        Args:
            key: Its key.
            make: Makes it. Two threads that ask at once may both make it, and then share one.
            size: About how many bytes it takes.
        """
        with self._lock:
            if (found := self._items.pop(key, None)) is not None:
                self._items[key] = found
                return found[0]
        made = make()
        with self._lock:
            own = self._items.pop(key, None) or (made, size(made))
            self._items[key] = own
            while len(self._items) > 1 and self.bytes > self.most_bytes:
                del self._items[next(iter(self._items))]
        return own[0]
