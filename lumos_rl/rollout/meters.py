"""Metrics of a running rollout for monitoring systems.

They use any library's counters, gauges and histograms. `ray_workers` passes `ray.util.metrics`, so Ray's Prometheus
endpoint shows, for instance:

    ray_lumos_episodes_total{benchmark="gsm8k", policy="sft", stop_reason="answered", …} 212.0
    ray_lumos_invalid_action_rate{benchmark="gsm8k", policy="sft", module="grounder", …} 0.031
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from lumos_rl.core import Trajectory

_OF_EPISODE = ("benchmark", "policy")
_OF_TURN = ("benchmark", "policy", "module")
_REWARDS = [n / 10 for n in range(1, 11)]
_LATENCIES_S = [0.01 * 2**n for n in range(17)]  # 10 ms to 11 min


class Meters:
    """The meters of one rollout. Counters continue those of earlier rollouts in the process; means start over.

    A mean has its own gauge because a histogram may not keep the exact sum: Ray's estimates it from the buckets.

    Args:
        library: Has `Counter`, `Gauge` and `Histogram`, with the signatures of `ray.util.metrics`.
    """

    def __init__(self, library: Any) -> None:
        counter, gauge, histogram = library.Counter, library.Gauge, library.Histogram
        ended = (*_OF_EPISODE, "stop_reason")
        self._episodes = counter("lumos_episodes", "Finished episodes, failed ones included", ended)
        self._successes = counter("lumos_successes", "Episodes that the benchmark counts as solved", _OF_EPISODE)
        self._rewards = histogram("lumos_episode_reward", "Reward of an episode", _REWARDS, _OF_EPISODE)
        self._mean_reward = gauge("lumos_mean_reward", "Mean reward of the rollout so far", _OF_EPISODE)
        self._turns = counter("lumos_turns", "Model turns", _OF_TURN)
        self._invalid = counter("lumos_invalid_turns", "Model turns with an error", _OF_TURN)
        self._invalid_rate = gauge("lumos_invalid_action_rate", "Share of such turns in the rollout so far", _OF_TURN)
        self._tokens = counter("lumos_generated_tokens", "Tokens that the model wrote", _OF_TURN)
        self._latency = histogram(
            "lumos_turn_latency_seconds", "From the request for a turn to its completion", _LATENCIES_S, _OF_TURN
        )
        self._deaths = counter("lumos_worker_deaths", "Workers that died or fell silent", ())
        self._sums: defaultdict[tuple[Any, ...], tuple[float, int]] = defaultdict(lambda: (0.0, 0))

    def death(self) -> None:
        """Counts a worker that died."""
        self._deaths.inc(1)

    def episode(self, trajectory: Trajectory) -> None:
        """Counts a finished episode and its turns; a failed one adds no reward."""
        tags = {"benchmark": trajectory.benchmark, "policy": trajectory.policy}
        self._episodes.inc(1, {**tags, "stop_reason": trajectory.stop_reason})
        if trajectory.failure is None:
            self._rewards.observe(trajectory.reward, tags)
            self._mean(self._mean_reward, trajectory.reward, tags)
        if trajectory.success:
            self._successes.inc(1, tags)
        for turn in trajectory.turns:
            by = {**tags, "module": turn.module}
            self._turns.inc(1, by)
            self._latency.observe(turn.latency_s, by)
            self._mean(self._invalid_rate, float(turn.error is not None), by)
            if turn.error is not None:
                self._invalid.inc(1, by)
            if turn.completion_tokens:
                self._tokens.inc(turn.completion_tokens, by)

    def _mean(self, gauge: Any, value: float, tags: Mapping[str, str]) -> None:
        """Updates the mean of all values with these tags."""
        key = (gauge, *tags.values())
        total, count = self._sums[key]
        self._sums[key] = total + value, count + 1
        gauge.set((total + value) / (count + 1), tags)
