import logging

import pytest
from tiny_env import AddEnv, add_plans, solve

from lumos_rl.core import StopReason
from lumos_rl.errors import ConfigError, InfrastructureError
from lumos_rl.policies.base import Completion, ScriptedPolicy
from lumos_rl.rollout.failures import IN_A_ROW, Failures
from lumos_rl.rollout.loop import run_episodes


class Refusing(ScriptedPolicy):
    """Reports a failure of every request of some tasks, as an endpoint that refuses what stands in them."""

    def __init__(self, numbers):
        super().__init__(solve)
        self.numbers = numbers

    def _complete(self, request, since):
        if any(f"Add {number} and" in request.messages[0]["content"] for number in self.numbers):
            return Completion(request.id, "", "failed", failure="expected the request to be taken, got HTTP 422")
        return super()._complete(request, since)


class Choosy(ScriptedPolicy):
    """Does not take the requests of one task, as an engine that finds a prompt impossible."""

    def submit(self, request):
        if "Add 2 and" in request.messages[0]["content"]:
            raise ValueError("a prompt that no engine takes")
        super().submit(request)


def test_a_request_that_the_policy_does_not_take_fails_its_episode_alone():
    trajectories = {each.task_id: each for each in run_episodes(AddEnv, add_plans(4), Choosy(solve))}
    bad = trajectories.pop("add/test/2")
    assert bad.stop_reason == StopReason.FAILED and "a prompt that no engine takes" in bad.failure
    assert len(trajectories) == 3 and all(each.success for each in trajectories.values())


def played(count, refused):
    return list(run_episodes(AddEnv, add_plans(count), Refusing(refused)))


def test_one_bad_request_fails_its_episode_alone_with_its_text():
    trajectories = {each.task_id: each for each in played(6, [2])}
    bad = trajectories.pop("add/test/2")
    assert bad.stop_reason == StopReason.FAILED and not bad.success
    assert bad.failure == "expected the request to be taken, got HTTP 422"
    assert len(trajectories) == 5 and all(each.success for each in trajectories.values())


def test_a_few_failures_are_told_and_more_end_the_run(caplog):
    with caplog.at_level(logging.WARNING):
        Failures("episodes of sft").check(played(20, [3, 7]))
    assert "episodes of sft: infrastructure failures in 2 of 20, 2 of them: expected the request" in caplog.text
    with pytest.raises(InfrastructureError, match=r"failures in 3 of 20, 3 of them: .*HTTP 422; mend that, and run"):
        Failures("episodes of sft").check(played(20, [3, 7, 8]))
    Failures("episodes of sft").check(played(4, [3]))  # one of a few
    with pytest.raises(InfrastructureError, match="failures in 1 of 1"):
        Failures("episodes of sft").check(played(1, [0]))
    Failures("episodes of sft").check([])


def test_a_run_in_which_everything_fails_ends_early():
    failures, (bad,) = Failures("episodes of sft"), played(1, [0])
    (good,) = played(1, [])
    for trajectory in [*[bad] * (IN_A_ROW - 1), good, *[bad] * (IN_A_ROW - 1)]:
        failures.note(trajectory)
    with pytest.raises(InfrastructureError, match=rf"got {IN_A_ROW} failures in a row, the last: expected the request"):
        failures.note(bad)


class Unreachable(AddEnv):
    """Its back end is not there the first time."""

    made = 0

    def __init__(self, benchmark, error=InfrastructureError):
        type(self).made += 1
        if type(self).made == 1:
            raise error("the server is not there")
        super().__init__(benchmark)


def test_an_environment_that_cannot_be_made_fails_its_episode_alone(monkeypatch):
    monkeypatch.setattr(Unreachable, "made", 0)
    trajectories = list(run_episodes(Unreachable, add_plans(3), ScriptedPolicy(solve)))
    assert [each.failure for each in trajectories if each.failure] == ["InfrastructureError('the server is not there')"]
    assert sum(each.success for each in trajectories) == 2
    monkeypatch.setattr(Unreachable, "made", 0)
    with pytest.raises(ConfigError, match="the server is not there"):
        list(run_episodes(lambda name: Unreachable(name, ConfigError), add_plans(3), ScriptedPolicy(solve)))
