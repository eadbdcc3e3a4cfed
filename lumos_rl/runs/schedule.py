"""The stages of a run in their order, how far it is, and how long the rest takes, judged by the stages that ended.

    schedule = Schedule([Planned("sft", Kind.TRAIN, 32000), Planned("evaluate-sft", Kind.PLAY, 600)], {"sft": 120.0})
    schedule.place("evaluate-sft")      # "stage 2 of 2: evaluate-sft"
    schedule.left("evaluate-sft")       # "": nothing was played yet, so nobody knows

A stage takes as long as its rows or episodes, at the rate of the stages of its kind that have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lumos_rl.console import duration


class Kind(StrEnum):
    """What a stage does, as far as its time goes."""

    TRAIN = "train"
    PLAY = "play"
    OTHER = "other"  # it takes no time to speak of, or consists of other stages


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage to come.

    Attributes:
        name: The stage.
        kind: What it does.
        size: Rows that it trains on, or episodes that it plays, about.
    """

    name: str
    kind: Kind
    size: float = 0.0


class Schedule:
    """The stages of one run.

    Args:
        planned: All stages, in order.
        seconds: What stages took that have ended, by name.
    """

    def __init__(self, planned: Sequence[Planned] = (), seconds: Mapping[str, float] | None = None) -> None:
        self._planned = list(planned)
        self.seconds = dict(seconds or {})

    def place(self, name: str) -> str:
        """The stage with its number, where it is planned."""
        names = [each.name for each in self._planned]
        return f"stage {names.index(name) + 1} of {len(names)}: {name}" if name in names else name

    def left(self, name: str) -> str:
        """The time from the beginning of a stage to the end of the run; "" if nothing about it is known."""
        names = [each.name for each in self._planned]
        if name not in names:
            return ""
        rest = [each for each in self._planned[names.index(name) :] if each.kind != Kind.OTHER]
        rates = {kind: self._rate(kind) for kind in (Kind.TRAIN, Kind.PLAY)}
        known = [(each.size, rate) for each in rest if (rate := rates[each.kind]) is not None]
        if not known:
            return ""
        seconds = sum(size * rate for size, rate in known)
        return f"{'about' if len(known) == len(rest) else 'at least'} {duration(seconds)} left"

    def _rate(self, kind: Kind) -> float | None:
        """Seconds per row or episode; None before a stage of the kind has ended."""
        ended = [each for each in self._planned if each.kind == kind and each.size and each.name in self.seconds]
        total = sum(each.size for each in ended)
        return sum(self.seconds[each.name] for each in ended) / total if total else None
