"""Aggregates of MySQL that SQLite lacks, as functions for SQLite: GROUP_CONCAT, STDDEV, VARIANCE.

install_aggregates(connection, stop)
connection.execute("SELECT my_std(v) FROM (SELECT 1 v UNION SELECT 3)").fetchone()    # (1.0,)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from lumos_rl.envs.sql.tools.budget import Guarded
from lumos_rl.envs.sql.tools.functions import fold, text_of
from lumos_rl.envs.sql.tools.numerics import bits, number_of, signed

MAX_GROUP_CONCAT = 1024  # characters, MySQL's group_concat_max_len
MAX_PARTS = 100_000  # values that one GROUP_CONCAT may order
MAX_KEYS = 5_000_000  # total characters of the keys that it orders them by


class _Spread:
    """Standard deviation and variance, over a population or a sample (Welford's method)."""

    is_root, is_sample = True, False

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def step(self, value: Any) -> None:
        if value is not None:
            number = number_of(value)
            self.count += 1
            difference = number - self.mean
            self.mean += difference / self.count
            self.squares += difference * (number - self.mean)

    def finalize(self) -> float | None:
        if self.count < 1 + self.is_sample:
            return None
        found = self.squares / (self.count - self.is_sample)
        return math.sqrt(found) if self.is_root else found


class _VariancePop(_Spread):
    is_root = False


class _StdSample(_Spread):
    is_sample = True


class _VarianceSample(_Spread):
    is_root, is_sample = False, True


class _BitAnd:
    start = -1  # all bits

    def __init__(self) -> None:
        self.found = self.start

    def step(self, value: Any) -> None:
        if value is not None:
            self.found = self.join(self.found, signed(bits(value)))

    def join(self, one: int, other: int) -> int:
        return one & other

    def finalize(self) -> int:
        return self.found


class _BitOr(_BitAnd):
    start = 0

    def join(self, one: int, other: int) -> int:
        return one | other


class _BitXor(_BitOr):
    def join(self, one: int, other: int) -> int:
        return one ^ other


def _group_concat(stop: Callable[[str], None]) -> type:
    """GROUP_CONCAT(separator, distinct, value, key, is descending, key, …) as a class that SQLite can use."""

    class GroupConcat:
        def __init__(self) -> None:
            self.parts: list[tuple[str, tuple[Any, ...]]] = []
            self.seen: set[str] = set()
            self.separator, self.length, self.left = ",", 0, MAX_KEYS

        def step(self, separator: Any, distinct: Any, value: Any, *keys: Any) -> None:
            self.separator = text_of(separator)[:MAX_GROUP_CONCAT]
            if value is None or (self.length > MAX_GROUP_CONCAT and not keys):
                return
            text = text_of(value)
            if distinct:
                if fold(text) in self.seen:
                    return
                self.seen.add(fold(text))
            self.length += len(text) + len(self.separator)
            self.left -= sum(len(key) for key in keys if isinstance(key, str))
            if len(self.parts) >= MAX_PARTS or self.left < 0:
                stop(f"stopped after {len(self.parts)} values of GROUP_CONCAT")
            self.parts.append((text[:MAX_GROUP_CONCAT], keys))  # the result cannot contain more of it

        def finalize(self) -> str | None:
            parts = self.parts
            for place in range(len(parts[0][1]) - 2 if parts else -1, -1, -2):
                keys = [_sortable(part[1][place]) for part in parts]
                order = sorted(range(len(parts)), key=keys.__getitem__, reverse=bool(parts[0][1][place + 1]))
                parts = [parts[index] for index in order]
            return self._joined([text for text, _ in parts]) if parts else None

        def _joined(self, texts: list[str]) -> str:
            ends = itertools.accumulate(len(self.separator) + len(text) for text in texts)
            needed = next((n for n, end in enumerate(ends, 1) if end - len(self.separator) >= MAX_GROUP_CONCAT), None)
            return self.separator.join(texts[:needed])[:MAX_GROUP_CONCAT]

    return GroupConcat


def _sortable(value: Any) -> tuple[bool, bool, Any]:
    return value is not None, isinstance(value, str), fold(value) if isinstance(value, str) else value or 0


_AGGREGATES: dict[str, type[_Spread | _BitAnd]] = {
    "bit_and": _BitAnd,
    "bit_or": _BitOr,
    "bit_xor": _BitXor,
    "std": _Spread,
    "variance": _VariancePop,
    "stddev_samp": _StdSample,
    "var_samp": _VarianceSample,
}


def install_aggregates(connection: Guarded, stop: Callable[[str], None]) -> None:
    """Installs the aggregates in a connection; `stop` ends the running statement with an error text, by raising."""
    connection.create_aggregate("my_group_concat", -1, _group_concat(stop))
    for name, aggregate in _AGGREGATES.items():
        connection.create_aggregate(f"my_{name}", 1, aggregate)
