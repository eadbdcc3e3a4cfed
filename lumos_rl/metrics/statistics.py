"""Confidence intervals of means over episodes.

>>> wilson_interval(55, 100)
(0.4524460299744214, 0.6438546202048802)
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a success rate (Wilson 1927), valid for small n and for rates near 0 or 1.

    Args:
        successes: How many of the items succeeded.
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


def mean_interval(
    values: Sequence[float], confidence: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, float]:
    """Interval of a mean reward: mean ± z standard errors (sample deviation), clipped to the bounds of a reward.

    Args:
        values: One reward per episode; fewer than two give `bounds`.
        confidence: Share of intervals that cover the true mean.
        bounds: Lowest and highest possible reward.
    """
    z = _normal_quantile(confidence)
    n = len(values)
    if n < 2:
        return bounds
    mean = math.fsum(values) / n
    half = z * math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return max(bounds[0], mean - half), min(bounds[1], mean + half)


def _normal_quantile(confidence: float) -> float:
    """The z for which a standard normal lies between -z and z with probability `confidence`."""
    if not 0 < confidence < 1:
        raise ValueError(f"expected 0 < confidence < 1, got {confidence}")
    from statistics import NormalDist  # here, because this import is slow

    return NormalDist().inv_cdf((1 + confidence) / 2)
