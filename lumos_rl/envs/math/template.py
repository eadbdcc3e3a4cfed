"""The template of a problem of the built-in suites."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Numbers = dict[str, int]


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of problem.

    Attributes:
        name: Unique name.
        draw: Draws the numbers by name.
        texts: Phrasings; `{name}`, `{other}`, `{item}` and the numbers' names are filled in.
        steps: Subgoal sentence and expression of each step; an expression uses numbers' names and R1, R2, …
    """

    name: str
    draw: Callable[[random.Random], Numbers]
    texts: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]


def ranges(**bounds: tuple[int, int]) -> Callable[[random.Random], Numbers]:
    """Draws each number uniformly between its bounds, both included."""
    return lambda rng: {name: rng.randint(low, high) for name, (low, high) in bounds.items()}
