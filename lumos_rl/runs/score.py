"""Scores of episodes: success and the benchmarks' own metrics, with confidence intervals.

    str(score(episodes))        # "61.3 [55.7, 66.7] n=300"

Episodes with an infrastructure failure are excluded and counted. Failures of the model (errors, no answer, endless
turns) are never excluded.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lumos_rl import task_types
from lumos_rl.core import Trajectory
from lumos_rl.metrics import mean_interval, wilson_interval
from lumos_rl.task_types import Scale

KINDS = ("greedy", "sampled")


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over episodes: of success, or of one of the benchmark's metrics.

    Attributes:
        value: The mean; for success, the share of solved episodes, 0 to 1. None without episodes.
        low: Lower end of the 95 % interval: Wilson's if all values are 0 or 1, as for success, else 1.96 standard
            errors. None without episodes, or with a single value that is neither 0 nor 1.
        high: Upper end; None in the same cases.
        n: Number of scored episodes.
        excluded: Number of episodes left out because of an infrastructure failure.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    excluded: int

    def __str__(self) -> str:
        return self.text(100, 1)

    def text(self, scale: float, decimals: int) -> str:
        """The score as text: value and interval times `scale`, and the number of episodes."""
        if self.value is None:
            return "no episodes"
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" [{scale * self.low:.{decimals}f}, {scale * self.high:.{decimals}f}]"
        excluded = f" ({self.excluded} excluded)" if self.excluded else ""
        return f"{scale * self.value:.{decimals}f}{interval} n={self.n}{excluded}"


def score(trajectories: Sequence[Trajectory]) -> Score:
    """Success rate of episodes; failed ones are left out."""
    counted = [trajectory for trajectory in trajectories if trajectory.failure is None]
    excluded = len(trajectories) - len(counted)
    if not counted:
        return Score(None, None, None, 0, excluded)
    solved = sum(trajectory.success for trajectory in counted)
    low, high = wilson_interval(solved, len(counted))
    return Score(solved / len(counted), low, high, len(counted), excluded)


def metric_scores(trajectories: Sequence[Trajectory]) -> dict[str, Score]:
    """Mean of each metric over the episodes that have it; failed ones are left out."""
    counted = [trajectory.metrics for trajectory in trajectories if trajectory.failure is None]
    excluded = len(trajectories) - len(counted)
    counts = _counts(trajectories)
    names = sorted({name for metrics in counted for name in metrics})
    return {
        name: _mean([metrics[name] for metrics in counted if name in metrics], excluded, share=name not in counts)
        for name in names
    }


def _counts(trajectories: Sequence[Trajectory]) -> set[str]:
    """Names of the metrics that are counts, in the benchmarks of these episodes."""
    kinds = filter(None, map(task_types.find, {trajectory.benchmark for trajectory in trajectories}))
    return {metric.name for kind in kinds for metric in kind.metrics if metric.scale == Scale.COUNT}


def _mean(values: Sequence[float], excluded: int, share: bool) -> Score:
    low: float | None
    high: float | None
    if share and {*values} <= {0.0, 1.0}:
        low, high = wilson_interval(round(sum(values)), len(values))
    elif len(values) > 1:
        bounds = (-1.0 if min(values) < 0 else 0.0, 1.0 if share else math.inf)
        low, high = mean_interval(values, bounds=bounds)
    else:
        low = high = None
    return Score(statistics.fmean(values), low, high, len(values), excluded)


def scores_of(played: Sequence[Trajectory]) -> dict[str, Any]:
    """`{"greedy": SCORE, "sampled": SCORE, "metrics": {"greedy": {NAME: SCORE, …}, …}}` of these episodes."""
    parts = {
        "greedy": [trajectory for trajectory in played if trajectory.temperature == 0],
        "sampled": [trajectory for trajectory in played if trajectory.temperature > 0],
    }
    metrics = {kind: {name: asdict(each) for name, each in metric_scores(part).items()} for kind, part in parts.items()}
    return {kind: asdict(score(part)) for kind, part in parts.items()} | {"metrics": metrics}
