"""Entries of settings that hold more than one word, such as `gsm8k=synthetic` or `webshop=0.75`, and their parts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from lumos_rl import task_types
from lumos_rl.core import Module
from lumos_rl.errors import ConfigError, UnknownNameError


def by_benchmark(entries: Sequence[str], most: float = math.inf) -> dict[str, float]:
    """Reads settings of single benchmarks, such as `("webshop=2", "gsm8k=0.5")`.

    Args:
        entries: As BENCHMARK=NUMBER.
        most: The largest number there may be.

    Raises:
        ConfigError: An entry is not of this form, or its number is negative or too large.
        UnknownNameError: No such benchmark.
    """
    found = {}
    for entry in entries:
        name, _, number = entry.partition("=")
        if name not in (known := task_types.environments()):
            raise UnknownNameError("benchmark", name, known)
        try:
            found[name] = float(number)
        except ValueError:
            found[name] = -1.0
        if not (0 <= found[name] <= most and math.isfinite(found[name])):
            raise ConfigError(f"expected BENCHMARK=NUMBER with a number from 0 to {most:g}, got {entry!r}")
    return found


def general_and_own(entries: Sequence[str], general: float, most: float) -> tuple[float, dict[str, float]]:
    """Reads a number for all benchmarks with others for single ones, such as `("1.0", "webshop=0.75")`.

    Args:
        entries: As NUMBER or BENCHMARK=NUMBER.
        general: The number for all where the entries have none.
        most: The largest number there may be.

    Raises:
        ConfigError: An entry is not of this form, two are for all, or a number is negative or too large.
        UnknownNameError: No such benchmark.
    """
    for_all = [entry for entry in entries if "=" not in entry]
    if len(for_all) > 1:
        raise ConfigError(
            f"expected one number for all benchmarks, got {', '.join(for_all)}; write the others as BENCHMARK=NUMBER"
        )
    try:
        number = float(for_all[0]) if for_all else general
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise ConfigError(f"expected a number from 0 to {most:g} or BENCHMARK=NUMBER, got {for_all[0]!r}")
    return number, by_benchmark([entry for entry in entries if "=" in entry], most)


def words(texts: str | Sequence[str]) -> tuple[str, ...]:
    """Words of texts with commas between, such as `("math,qa", "sql")`."""
    texts = (texts,) if isinstance(texts, str) else texts
    return tuple(word for text in texts for part in text.split(",") if (word := part.strip()))


def source_parts(source: str) -> tuple[str, str]:
    """Benchmark and place of a source of tasks such as `gsm8k=synthetic`.

    Raises:
        UnknownNameError: Unknown benchmark.
        ConfigError: It is not BENCHMARK=WHERE.
    """
    benchmark, _, where = source.partition("=")
    if not where:
        raise ConfigError(f"expected a source as BENCHMARK=WHERE, e.g. gsm8k=synthetic, got {source!r}")
    task_types.get(benchmark)
    return benchmark, where


def chats_parts(entry: str) -> tuple[str, str]:
    """Module and file of an entry of `data.chats`; the module is "" where the file says it itself.

    Raises:
        ConfigError: It is not MODULE=FILE or FILE.
    """
    module, given, file = entry.rpartition("=")
    if not file or (given and module not in tuple(Module)):
        raise ConfigError(f"expected planner=FILE, grounder=FILE or a FILE that says it itself, got {entry!r}")
    return module, file


def env_options(entries: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options of environments that entries such as `hotpotqa.knowledge=corpus.jsonl` name, by benchmark.

    Raises:
        ConfigError: An entry is not BENCHMARK.OPTION=VALUE.
        UnknownNameError: No such benchmark.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name, given, value = entry.partition("=")
        benchmark, dot, option = name.partition(".")
        if not (given and dot and option.isidentifier()):
            raise ConfigError(f"expected an option as BENCHMARK.OPTION=VALUE, got {entry!r}")
        task_types.get(benchmark)
        try:
            found.setdefault(benchmark, {})[option] = json.loads(value)
        except ValueError:
            found.setdefault(benchmark, {})[option] = value
    return found
