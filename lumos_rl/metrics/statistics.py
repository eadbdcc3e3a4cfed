"""Confidence intervals of means over episodes and of differences between policies.

Episodes of one task are alike, and so are tests of one seed: what is counted are tasks and seeds, not episodes.

>>> wilson_interval(55, 100)
(0.4524460299744214, 0.6438546202048802)
>>> low, high = share_interval([[1.0] * 8] * 25 + [[0.0] * 8] * 25)    # each task 8 times the same: as 25 of 50
>>> round(low, 3), round(high, 3)
(0.366, 0.634)
>>> found = paired_difference([[1, 1, 1, 0]], [[1, 0, 0, 0]])           # a row per seed, a value per task
>>> found.value, found.low, found.high
(0.5, 0.0, 1.0)
>>> round(detectable_difference(300), 3)                                # of two policies that play 300 tasks
0.114
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WORST_DISCORDANCE = 0.5  # share of tasks that exactly one of two unrelated policies solves, at most: each solves half
DRAWS = 10_000  # of a bootstrap
DRAWN_AT_ONCE = 500


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate (Wilson 1927), valid for small n and for rates near 0 or 1.

    Args:
        successes: How many of the items succeeded; not a whole number where n is an effective size.
        n: How many items there were; 0 gives (0, 1).
        confidence: Share of intervals that cover the true rate.

    Raises:
        ValueError: Not `0 <= successes <= n`, or `confidence` not strictly between 0 and 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n, got successes={successes}, n={n}")
    z = _normal_quantile(confidence)
    if n == 0:
        return 0.0, 1.0
    rate, weight = successes / n, z * z / n
    centre = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / n + weight / (4 * n))
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def share_interval(
    by_task: Sequence[Sequence[float]], confidence: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """Interval of the mean of bounded values, such as successes, whose values of one task are alike.

    It is Wilson's, at the effective number of episodes: as many independent ones would have the variance that the
    means of the tasks show. With one success or failure per task it is Wilson's own; it is never of zero width.

    Args:
        by_task: For each task, the values of its episodes; none at all gives `bounds`.
        confidence: Share of intervals that cover the true mean.
        bounds: Lowest and highest possible value.

    Raises:
        ValueError: A value is outside of `bounds`.
    """
    low, high = bounds
    groups = [[(value - low) / (high - low) for value in values] for values in by_task if values]
    if any(not 0 <= value <= 1 for values in groups for value in values):
        raise ValueError(f"expected values from {low} to {high}, got {by_task}")
    size = effective_size(groups)
    if not size:
        return bounds
    count = sum(map(len, groups))
    mean = min(1.0, math.fsum(value for values in groups for value in values) / count)
    ends = wilson_interval(size * mean, size, confidence)
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def effective_size(by_task: Sequence[Sequence[float]]) -> float:
    """How many independent episodes would tell as much about the mean as these, whose values are from 0 to 1.

    Kish's design effect, with the variance between the tasks' means estimated as if two more tasks had been seen, one
    solved in all of its episodes and one in none (as Agresti and Coull 1998 add successes and failures to a rate): few
    successes say nothing about how alike the episodes of a task are. At most the number of episodes where the values
    are 0 and 1, and of tasks where all episodes of a task are the same.
    """
    groups = [values for values in by_task if values]
    count = sum(map(len, groups))
    if not count:
        return 0.0
    pseudo = count / len(groups)  # episodes of each of the two further tasks
    sums = [(math.fsum(values), float(len(values))) for values in groups] + [(0.0, pseudo), (pseudo, pseudo)]
    total = math.fsum(size for _, size in sums)
    mean = math.fsum(solved for solved, _ in sums) / total
    variance = math.fsum((solved - size * mean) ** 2 for solved, size in sums) / total**2
    size = count * mean * (1 - mean) / variance / total
    return min(float(count), size) if all(value in (0, 1) for values in groups for value in values) else size


def mean_interval(by_task: Sequence[Sequence[float]], confidence: float = 0.95) -> tuple[float, float] | None:
    """Interval of the mean of unbounded values, such as counts: mean ± z standard errors over tasks.

    Args:
        by_task: For each task, the values of its episodes.
        confidence: Share of intervals that cover the true mean.

    Returns:
        None with fewer than two tasks.
    """
    z = _normal_quantile(confidence)
    groups = [values for values in by_task if values]
    if len(groups) < 2:
        return None
    count = sum(map(len, groups))
    mean = math.fsum(value for values in groups for value in values) / count
    squares = math.fsum((math.fsum(values) - len(values) * mean) ** 2 for values in groups)
    half = z * math.sqrt(squares / (len(groups) - 1) * len(groups)) / count
    return mean - half, mean + half


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference of two policies on the same tasks.

    Attributes:
        value: First minus second.
        low: Lower end of its interval.
        high: Upper end.
        error: Its standard error, over tasks and seeds.
        tasks: Number of tasks.
        seeds: Number of pairs of runs.
    """

    value: float
    low: float
    high: float
    error: float
    tasks: int
    seeds: int

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def detectable(self, confidence: float = 0.95, power: float = 0.8) -> float:
        """The smallest true difference that tasks and seeds as these show with this power; at most 1."""
        return min(1.0, (_normal_quantile(confidence) + _upper_quantile(power)) * self.error)


def paired_difference(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Mean difference of two policies and its bootstrap interval over seeds and tasks (Owen 2007, for both at once).

    Seeds and tasks are drawn with replacement, independently of each other; the interval holds the middle of the means
    of the draws. What the seeds contribute is widened by √(S/(S-1)), as S of them are few: a bootstrap alone would
    estimate too small a variance. Where every draw gives the same, the width is what no disagreement in so many tasks
    leaves open (Wilson). So one seed says nothing about other seeds.

    Args:
        first: A row per seed, with one value (0 to 1, the mean of a task's episodes) per task.
        second: The same of the other policy, in the same order of seeds and tasks.
        confidence: Share of intervals that cover the true difference.
        draws: How many draws.
        seed: Seed of the draws; the same gives the same interval.

    Raises:
        ValueError: The shapes differ, or there is nothing to compare.
    """
    import numpy as np  # here, because it is slow to import

    _normal_quantile(confidence)  # which checks it
    left, right = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if left.shape != right.shape or left.ndim != 2 or not left.size:
        raise ValueError(f"expected a value per seed and task of both policies, got {left.shape} and {right.shape}")
    differences = left - right  # (S, T)
    seeds, tasks = differences.shape
    value = float(differences.mean())
    of_seeds = differences.mean(axis=1) - value
    widened = math.sqrt(seeds / (seeds - 1)) - 1 if seeds > 1 else 0.0
    rng = np.random.default_rng(seed)
    found = np.empty(0)
    while len(found) < draws:  # in parts, so that many tasks need no more memory
        count = min(DRAWN_AT_ONCE, draws - len(found))
        of_tasks = rng.multinomial(tasks, [1 / tasks] * tasks, size=count) / tasks  # (count, T)
        of_runs = rng.multinomial(seeds, [1 / seeds] * seeds, size=count) / seeds  # (count, S)
        means = ((of_runs @ differences) * of_tasks).sum(axis=1) + widened * (of_runs @ of_seeds)
        found = np.concatenate([found, means])
    tail = (1 - confidence) / 2
    low, high = (float(end) for end in np.quantile(found, (tail, 1 - tail)))
    error = float(found.std())
    if high - low < 1e-9:
        open_still = wilson_interval(0, tasks, confidence)[1]
        low, high, error = value - open_still, value + open_still, open_still / _normal_quantile(confidence)
    most = 1.0 if min(left.min(), right.min()) >= 0 else 2.0  # a reward may be negative
    return Difference(value, max(-most, low), min(most, high), error, tasks, seeds)


def detectable_difference(
    tasks: int, discordance: float = WORST_DISCORDANCE, confidence: float = 0.95, power: float = 0.8
) -> float:
    """The smallest true difference in success rate that a paired test of this size shows (McNemar; Connor 1987).

    Args:
        tasks: Number of tasks that both policies play, once each.
        discordance: Share of the tasks that exactly one of them solves; the default is for two policies that solve half
            of the tasks each, unrelated to each other. Policies that solve the same tasks differ on fewer.
        confidence: 1 minus the level of the test, which has two sides.
        power: Probability that the difference is found significant.

    Returns:
        The difference, at most `discordance`: more is not possible. So `discordance` itself also says: none is seen.

    Raises:
        ValueError: Not `0 < discordance <= 1`, a negative number of tasks, or a probability outside of (0, 1).
    """
    if not 0 < discordance <= 1 or tasks < 0:
        raise ValueError(f"expected 0 < discordance <= 1 and tasks >= 0, got {discordance} and {tasks}")
    z, beta = _normal_quantile(confidence), _upper_quantile(power)
    inside = tasks + beta**2 - z**2
    if inside < 0:
        return discordance
    found = math.sqrt(discordance) * (z * math.sqrt(tasks) + beta * math.sqrt(inside)) / (tasks + beta**2)
    return min(discordance, found)


def _normal_quantile(confidence: float) -> float:
    """The z for which a standard normal lies between -z and z with probability `confidence`."""
    if not 0 < confidence < 1:
        raise ValueError(f"expected 0 < confidence < 1, got {confidence}")
    return _upper_quantile((1 + confidence) / 2)


def _upper_quantile(probability: float) -> float:
    """The z below which a standard normal lies with this probability."""
    if not 0 < probability < 1:
        raise ValueError(f"expected a probability between 0 and 1, got {probability}")
    from statistics import NormalDist  # here, because this import is slow

    return NormalDist().inv_cdf(probability)
