"""A cache bounded by bytes: the least recently used entries are dropped first.

@kept(8_000_000, lambda text: len(text))
def folded(text: str) -> str: …

folded("Zoë"); folded.cache_bytes()      # estimated bytes of all arguments and results in it
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from lumos_rl.errors import ToolError

Given = ParamSpec("Given")
Found = TypeVar("Found")
ENTRY = 400  # bytes of an entry beside its texts: the key's tuple, the order, small objects


class Kept(Generic[Given, Found]):
    """The results of a function by its arguments; safe in threads. An exception is not kept.

    Args:
        function: The function; its arguments are hashable and given by position.
        most: Bytes.
        size: Estimates the bytes of a result.
    """

    def __init__(self, function: Callable[Given, Found], most: int, size: Callable[[Found], int]) -> None:
        self.function, self.most, self._size = function, most, size
        self._entries: OrderedDict[Hashable, tuple[Found, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Found:
        """The result, computed if it is not kept."""
        if kwargs:
            raise TypeError(f"expected arguments by position, got {', '.join(kwargs)}")
        with self._lock:
            entry = self._entries.get(args)
            if entry is not None:
                self._entries.move_to_end(args)
                return entry[0]
        found = self.function(*args, **kwargs)
        size = ENTRY + sum(map(text_bytes, args)) + self._size(found)
        with self._lock:
            if size <= self.most and args not in self._entries:
                self._entries[args] = (found, size)
                self._bytes += size
            while self._bytes > self.most:
                _, (_, gone) = self._entries.popitem(last=False)
                self._bytes -= gone
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without its entries."""
        return Kept, (self.function, self.most, self._size)

    def cache_bytes(self) -> int:
        """Estimated bytes of all entries."""
        return self._bytes

    def cache_clear(self) -> None:
        """Drops all entries."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0


def kept(most: int, size: Callable[[Any], int]) -> Callable[[Callable[Given, Found]], Kept[Given, Found]]:
    """Decorates a function with a cache of at most `most` bytes; `size` estimates the bytes of a result."""
    return lambda function: Kept(function, most, size)


def text_bytes(value: Any) -> int:
    """Bytes of a text; 0 for anything else, which is shared or small."""
    return len(value) * (1 if value.isascii() else 4) if isinstance(value, str) else 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a statement is refused, in a form to keep: an exception would keep its traceback and so the whole parser."""

    kind: type[ToolError]
    message: str

    @classmethod
    def of(cls, error: ToolError) -> Refusal:
        """The refusal that this error says."""
        return cls(type(error), str(error))

    @property
    def error(self) -> ToolError:
        """The error to raise."""
        return self.kind(self.message)
