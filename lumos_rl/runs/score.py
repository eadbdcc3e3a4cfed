"""Scores of episodes: success and the benchmarks' own metrics, with confidence intervals.

    str(score(episodes))        # "61.3 [55.7, 66.7] n=300"; "… n=2400 of 300 tasks" with eight episodes each
    str(actions(episodes))      # "97.5 % of 640 turns; 3.1 % ended in an error of a tool"

Episodes with an infrastructure failure are excluded and counted. Failures of the model (errors, no answer, endless
turns) are never excluded. Intervals count tasks, as episodes of one task are alike.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lumos_rl import task_types
from lumos_rl.core import Formulation, Task, Trajectory
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.metrics import detectable_difference, mean_interval, share_interval
from lumos_rl.rollout.loop import CUT
from lumos_rl.task_types import Scale

KINDS = ("greedy", "sampled")


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over episodes: of success, or of one of the benchmark's metrics.

    Attributes:
        value: The mean; for success, the share of solved episodes, 0 to 1. None without episodes.
        low: Lower end of the 95 % interval by task: Wilson's at the effective number of episodes for shares, 1.96
            standard errors for counts. None without episodes, or with a count of a single task.
        high: Upper end; None in the same cases.
        n: Number of scored episodes.
        excluded: Number of episodes left out because of an infrastructure failure.
        tasks: Number of tasks that these episodes are of; None if not recorded.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    excluded: int
    tasks: int | None = None

    def __str__(self) -> str:
        return self.text(100, 1)

    def text(self, scale: float, decimals: int) -> str:
        """The score as text: value and interval times `scale`, and the number of episodes, and of tasks if fewer."""
        if self.value is None:
            return "no episodes"
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" [{scale * self.low:.{decimals}f}, {scale * self.high:.{decimals}f}]"
        excluded = f" ({self.excluded} excluded)" if self.excluded else ""
        tasks = "" if self.tasks in (None, self.n) else f" of {self.tasks} tasks"
        return f"{scale * self.value:.{decimals}f}{interval} n={self.n}{tasks}{excluded}"


@dataclass(frozen=True, slots=True)
class Actions:
    """How many turns that had to be actions were some, in episodes that the infrastructure did not end.

    Attributes:
        turns: Number of these turns; 0 in formulations without tools, or if it was not recorded.
        valid: Share of them that can be read and name known tools. None without turns.
        refused: Share of them that are valid, but ended in an error of a tool. None without turns.
    """

    turns: int
    valid: float | None
    refused: float | None

    def __str__(self) -> str:
        if self.valid is None or self.refused is None:
            return "no turns"
        return f"{self.valid:.1%} of {self.turns} turns; {self.refused:.1%} ended in an error of a tool"


def actions(trajectories: Iterable[Trajectory]) -> Actions:
    """Counts the turns whose text went to the environment as it was written."""
    played = (each for each in trajectories if each.failure is None)
    with_tools = (each for each in played if each.formulation not in (Formulation.COT, Formulation.DIRECT))
    turns = [turn for each in with_tools for turn in each.turns if turn.malformed is not None]
    if not turns:
        return Actions(0, None, None)
    valid = [turn for turn in turns if not turn.malformed]
    refused = sum(turn.error not in (None, CUT) for turn in valid)
    return Actions(len(turns), len(valid) / len(turns), refused / len(turns))


def part(trajectory: Trajectory | Task) -> str:
    """What the score of an episode or task belongs to: its benchmark, and the tasks of unseen templates apart.

    >>> part(episode)
    'gsm8k unseen'
    """
    return f"{trajectory.benchmark} {UNSEEN}" if trajectory.split == UNSEEN else trajectory.benchmark


def benchmark_of(name: str) -> str:
    """The benchmark of a part."""
    return name.removesuffix(f" {UNSEEN}")


def score(trajectories: Sequence[Trajectory]) -> Score:
    """Success rate of episodes; failed ones are left out."""
    counted = [trajectory for trajectory in trajectories if trajectory.failure is None]
    values = ((trajectory.task_id, float(trajectory.success)) for trajectory in counted)
    return _mean(values, len(trajectories) - len(counted))


def metric_scores(trajectories: Sequence[Trajectory]) -> dict[str, Score]:
    """Mean of each metric over the episodes that have it; failed ones are left out."""
    counted = [trajectory for trajectory in trajectories if trajectory.failure is None]
    excluded = len(trajectories) - len(counted)
    counts = _counts(trajectories)
    found: dict[str, list[tuple[str, float]]] = {}
    for trajectory in counted:
        for name, value in trajectory.metrics.items():
            found.setdefault(name, []).append((trajectory.task_id, value))
    return {name: _mean(found[name], excluded, share=name not in counts) for name in sorted(found)}


def _counts(trajectories: Sequence[Trajectory]) -> set[str]:
    """Names of the metrics that are counts, in the benchmarks of these episodes."""
    kinds = filter(None, map(task_types.find, {trajectory.benchmark for trajectory in trajectories}))
    return {metric.name for kind in kinds for metric in kind.metrics if metric.scale == Scale.COUNT}


def _mean(values: Iterable[tuple[str, float]], excluded: int, share: bool = True) -> Score:
    """The score of values with their tasks; a share beyond 0 to 1 has its interval as a count does."""
    by_task: dict[str, list[float]] = {}
    for task, value in values:
        by_task.setdefault(task, []).append(value)
    every = [value for own in by_task.values() for value in own]
    if not every:
        return Score(None, None, None, 0, excluded, 0)
    groups, lowest = list(by_task.values()), -1.0 if min(every) < 0 else 0.0
    if share and lowest <= min(every) and max(every) <= 1:
        ends: tuple[float, float] | None = share_interval(groups, bounds=(lowest, 1.0))
    else:
        ends = mean_interval(groups)
        if ends is not None and min(every) >= 0:
            ends = max(0.0, ends[0]), ends[1]
    low, high = ends or (None, None)
    return Score(statistics.fmean(every), low, high, len(every), excluded, len(groups))


def told_apart(scores: Iterable[Mapping[str, Any]]) -> str:
    """Which difference between policies the tasks of these scores can show, as a sentence; "" without tasks.

    Args:
        scores: Scores as `scores_of` gives them, among other mappings.
    """
    tasks = max((each.get("tasks") or 0 for each in scores), default=0)
    if not tasks:
        return ""
    points = 100 * detectable_difference(tasks)
    return (
        f"Of {tasks} tasks, two policies that differ by {points:.1f} points are told apart with 80 % power at the 5 %"
        " level, at worst; by less, where they solve much the same tasks."
    )


def scores_of(played: Sequence[Trajectory]) -> dict[str, Any]:
    """`{"greedy": SCORE, "sampled": SCORE, "metrics": {"greedy": {NAME: SCORE, …}, …}, "actions": ACTIONS}`."""
    parts = {
        "greedy": [trajectory for trajectory in played if trajectory.temperature == 0],
        "sampled": [trajectory for trajectory in played if trajectory.temperature > 0],
    }
    metrics = {kind: {name: asdict(each) for name, each in metric_scores(part).items()} for kind, part in parts.items()}
    scores = {kind: asdict(score(part)) for kind, part in parts.items()}
    return scores | {"metrics": metrics, "actions": asdict(actions(played))}
