"""A Gymnasium space of Unicode text that also works between processes.

    space = UnicodeText(max_length=65_536)
    "R1 = 24 €" in space     # True: any `str` up to that length is a member, NUL and lone surrogates included

`gymnasium.spaces.Text` holds only the characters of a finite charset, and the shared memory of `AsyncVectorEnv` stores
indexes into that charset. This space shares a length and UTF-8 bytes instead, so that `gym.make_vec` works with its
default arguments on any text. The slot of one environment takes 4 bytes, plus 4 for each character of `max_length`,
the most that UTF-8 can need (256 KiB for the default).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from ctypes import c_uint8
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector.utils import (
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from numpy.typing import NDArray

from lumos_rl.errors import ConfigError

MAX_LENGTH = 65_536  # characters; more than any model turn or task of the benchmarks, and still a small slot
_SAMPLE_LENGTH = 64  # characters; a longer random text tests nothing more
_SURROGATES = range(0xD800, 0xE000)
_CODE_POINTS = 0x110000
_LENGTH_BYTES = 4
_BYTES_PER_CHARACTER = 4


class UnicodeText(Space[str]):
    """All strings of at most `max_length` characters.

    Attributes:
        max_length: Longest member, in characters.
    """

    def __init__(self, max_length: int = MAX_LENGTH, seed: int | np.random.Generator | None = None) -> None:
        if max_length < 1:
            raise ConfigError(f"expected max_length >= 1, got {max_length}")
        self.max_length = int(max_length)
        super().__init__(dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no useful fixed-size vector form."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A random text of at most 64 characters, drawn from all of Unicode except surrogates.

        Raises:
            ConfigError: A mask or a probability was given; there is no finite set of characters to apply it to.
        """
        if mask is not None or probability is not None:
            raise ConfigError("expected no mask and no probability, got one: samples are drawn from all of Unicode")
        length = self.np_random.integers(min(self.max_length, _SAMPLE_LENGTH) + 1)
        draws = self.np_random.integers(_CODE_POINTS - len(_SURROGATES), size=length)
        return "".join(chr(draw if draw < _SURROGATES.start else draw + len(_SURROGATES)) for draw in map(int, draws))

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string that is short enough."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __eq__(self, other: object) -> bool:
        """Whether `other` holds the same texts."""
        return isinstance(other, UnicodeText) and self.max_length == other.max_length

    def __hash__(self) -> int:
        """Equal spaces have equal hashes."""
        return hash((UnicodeText, self.max_length))

    def __repr__(self) -> str:
        """The call that makes an equal space."""
        return f"UnicodeText(max_length={self.max_length})"


class SharedTexts(Sequence[str]):
    """The current texts of all environments, read from shared memory at each access.

    `AsyncVectorEnv` reads its buffer only once, at construction, and then returns deep copies of that object. So this
    must be a live view whose deep copy is the tuple of current texts. With `copy=False` the view itself is returned,
    and changes with the next step, as Gymnasium's numpy views do.
    """

    def __init__(self, slots: NDArray[np.uint8]) -> None:
        self._slots = slots  # (environments, bytes per slot)

    def __len__(self) -> int:
        """Number of environments."""
        return len(self._slots)

    def __getitem__(self, index: Any) -> Any:
        """The text of one environment, or a tuple of texts for a slice."""
        if isinstance(index, slice):
            return tuple(self)[index]
        slot = self._slots[index]
        size = int.from_bytes(slot[:_LENGTH_BYTES].tobytes(), "little")
        return slot[_LENGTH_BYTES : _LENGTH_BYTES + size].tobytes().decode("utf-8", "surrogatepass")

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        """The current texts."""
        return tuple(self)

    def __repr__(self) -> str:
        """The current texts, as a tuple prints them."""
        return repr(tuple(self))


def _slot_size(space: UnicodeText) -> int:
    return _LENGTH_BYTES + _BYTES_PER_CHARACTER * space.max_length


def _slots(space: UnicodeText, memory: Any) -> NDArray[np.uint8]:
    return np.frombuffer(memory.get_obj(), dtype=np.uint8).reshape(-1, _slot_size(space))


# The defaults of `batch_space` and `concatenate` fit: a `Tuple` of copies, and a tuple of values. `iterate` must stay
# unregistered: a batch is then iterated by environment; registered, it would iterate each text by character.


@create_empty_array.register(UnicodeText)
def _empty_texts(space: UnicodeText, n: int = 1, fn: Callable[..., Any] = np.zeros) -> tuple[str, ...]:
    return ("",) * n


@create_shared_memory.register(UnicodeText)
def _create_shared_texts(space: UnicodeText, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return ctx.Array(c_uint8, n * _slot_size(space))


@read_from_shared_memory.register(UnicodeText)
def _read_shared_texts(space: UnicodeText, shared_memory: Any, n: int = 1) -> SharedTexts:
    return SharedTexts(_slots(space, shared_memory))


@write_to_shared_memory.register(UnicodeText)
def _write_shared_text(space: UnicodeText, index: int, value: str, shared_memory: Any) -> None:
    if value not in space:
        raise ConfigError(f"expected at most {space.max_length} characters of text, got {len(value)}")
    data = value.encode("utf-8", "surrogatepass")
    record = len(data).to_bytes(_LENGTH_BYTES, "little") + data
    _slots(space, shared_memory)[index, : len(record)] = np.frombuffer(record, dtype=np.uint8)
