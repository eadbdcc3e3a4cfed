"""Checks of settings: a line for each field, and an error that names the flag.

def __post_init__(self) -> None:
    check(self, "sft", batch_size=at_least(1), scheduler=one_of(SCHEDULERS))

SFTSettings(batch_size=0)   # ConfigError: expected --sft.batch-size to be at least 1, got 0
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lumos_rl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value has to be.

    Attributes:
        words: What it has to be, behind "expected NAME to be".
        holds: Whether a value is that.
        hint: What to do about a value that is not.
    """

    words: str
    holds: Callable[[Any], bool]
    hint: Callable[[Any], str] = lambda value: ""


def check(settings: object, section: str, **limits: Limit) -> None:
    """Checks fields of settings; None passes every limit.

    Args:
        settings: The settings.
        section: What their flags begin with, such as "refine.rs"; "" for none.
        **limits: By field.

    Raises:
        ConfigError: A value is beyond its limit.
    """
    for name, limit in limits.items():
        value = getattr(settings, name)
        if value is not None and not _holds(limit, value):
            raise ConfigError(f"expected {flag(section, name)} to be {limit.words}, got {value!r}{limit.hint(value)}")


def flag(section: str, name: str) -> str:
    """The flag of a field.

    >>> flag("sft", "batch_size")
    '--sft.batch-size'
    """
    return "--" + (f"{section}.{name}" if section else name).replace("_", "-")


def at_least(least: float, none: str = "") -> Limit:
    """A number from `least` on; `none` says what to give instead of a smaller one, such as "None for all weights"."""
    return Limit(f"at least {least:g}", lambda value: value >= least, lambda value: f"; give {none}" if none else "")


def above(least: float) -> Limit:
    """A number above `least`."""
    return Limit(f"above {least:g}", lambda value: value > least)


def between(low: float, high: float, without: tuple[float, ...] = ()) -> Limit:
    """A number from `low` to `high`, but for those of the two that `without` holds."""
    lower = f"above {low:g} and" if low in without else f"at least {low:g} and"
    upper = f"below {high:g}" if high in without else f"at most {high:g}"
    return Limit(f"{lower} {upper}", lambda value: low <= value <= high and value not in without)


def one_of(names: Iterable[str]) -> Limit:
    """One of these words."""
    known = tuple(names)
    return Limit(f"one of {', '.join(known)}", lambda value: value in known, lambda value: closest(value, known))


def each(limit: Limit, empty: bool = False) -> Limit:
    """Values that each keep to a limit; there has to be one, unless `empty` allows none."""
    words = f"{'' if empty else 'one value or more, '}each {limit.words}"
    return Limit(words, lambda values: (empty or len(values) > 0) and all(_holds(limit, value) for value in values))


def closest(word: object, known: Iterable[str]) -> str:
    """A hint at the known name that looks most like a word; "" where none does."""
    found = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _holds(limit: Limit, value: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        return limit.holds(value)
    except TypeError:  # of another type than the field's
        return False
