from collections import defaultdict
from types import SimpleNamespace

from tiny_env import add_plans

from lumos_rl.core import StopReason, Turn
from lumos_rl.rollout.meters import Meters

SHARED = defaultdict(float)


class Meter:
    """Counter, gauge and histogram in one: what a histogram observes is summed like a counter."""

    def __init__(self, name, *about):
        self.name = name

    def inc(self, value, tags=None):
        SHARED[self.name, *(tags or {}).values()] += value

    observe = inc

    def set(self, value, tags):
        SHARED[self.name, *tags.values()] = value


def show(*trajectories):
    SHARED.clear()
    meters = Meters(SimpleNamespace(Counter=Meter, Gauge=Meter, Histogram=Meter))
    for trajectory in trajectories:
        meters.episode(trajectory)
    meters.death()
    return dict(SHARED)


def episode(reward, *turns):
    plan = add_plans(1)[0]
    return plan.trajectory("sft", StopReason.ANSWERED, reward=reward, success=reward == 1, turns=turns)


def test_turns_count_by_module():
    planned = Turn("planner", "p", "c", completion_tokens=7, latency_s=0.5)
    wrong = Turn("grounder", "p", "c", error="no such tool", completion_tokens=2, latency_s=0.25)
    right = Turn("grounder", "p", "c", completion_tokens=4, latency_s=0.25)
    seen = show(episode(1.0, planned, right, planned, wrong, right, right))
    assert seen["lumos_turns", "add", "sft", "planner"] == 2
    assert seen["lumos_generated_tokens", "add", "sft", "planner"] == 14
    assert seen["lumos_turn_latency_seconds", "add", "sft", "grounder"] == 1.0
    assert seen["lumos_invalid_turns", "add", "sft", "grounder"] == 1
    assert seen["lumos_invalid_action_rate", "add", "sft", "grounder"] == 0.25
    assert seen["lumos_invalid_action_rate", "add", "sft", "planner"] == 0.0


def test_a_failed_episode_is_counted_and_has_no_reward():
    failed = add_plans(1)[0].trajectory("sft", StopReason.FAILED, failure="the worker died")
    seen = show(episode(1.0), episode(0.0), failed)
    assert seen["lumos_episodes", "add", "sft", "answered"] == 2
    assert seen["lumos_episodes", "add", "sft", "failed"] == 1
    assert seen["lumos_successes", "add", "sft"] == 1
    assert seen["lumos_mean_reward", "add", "sft"] == 0.5
    assert seen[("lumos_worker_deaths",)] == 1
