from typing import ClassVar

import pytest
from tiny_env import AddEnv, add_plans, solve

from lumos_rl.core import StopReason
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.prompts import get_profile
from lumos_rl.rollout.dispatch import Ledger, RolloutWorker
from lumos_rl.rollout.loop import run_episodes


def numbers(plans):
    return [int(plan.task.id.rpartition("/")[2]) for plan in plans]


def played(plans):
    return list(run_episodes(AddEnv, plans, ScriptedPolicy(solve)))


def test_workers_share_what_there_is():
    ledger = Ledger(add_plans(5), workers=2, concurrency=64, max_retries=2)
    assert (numbers(ledger.take(0)), numbers(ledger.take(1))) == ([0, 1, 2], [3, 4])
    assert ledger.take(0) == [] and not ledger.waiting and ledger.open


def test_a_finished_plan_makes_room_for_another():
    ledger = Ledger(add_plans(5), workers=1, concurrency=2, max_retries=2)
    first = ledger.take(0)
    ledger.finished(0, played(first[1:]))
    assert (ledger.held(0), numbers(ledger.take(0)), ledger.held(0)) == (1, [2], 2)


def test_the_end_is_when_every_plan_was_played():
    ledger = Ledger(add_plans(2), workers=1, concurrency=1, max_retries=2)
    ledger.finished(0, played(ledger.take(0)))
    assert ledger.open and ledger.waiting
    ledger.finished(0, played(ledger.take(0)))
    assert not ledger.open


def test_what_a_lost_worker_had_waits_again_behind_the_others():
    ledger = Ledger(add_plans(4), workers=2, concurrency=1, max_retries=2)
    ledger.take(0)
    assert ledger.lost(0, "sft", "killed") == [] and ledger.held(0) == 0
    assert [numbers(ledger.take(worker)) for worker in (0, 1)] == [[1], [2]]


def test_the_last_try_is_alone_and_comes_last():
    ledger = Ledger(add_plans(3), workers=1, concurrency=3, max_retries=1)
    ledger.take(0)
    ledger.lost(0, "sft", "killed")
    first = ledger.take(0)
    assert numbers(first) == [0] and ledger.take(0) == []
    ledger.finished(0, played(first))
    assert numbers(ledger.take(0)) == [1]


def test_a_plan_that_lost_too_many_workers_has_failed():
    ledger = Ledger(add_plans(1), workers=1, concurrency=1, max_retries=1)
    ledger.take(0)
    ledger.lost(0, "sft", "killed")
    ledger.take(0)
    (failed,) = ledger.lost(0, "sft", "silent")
    assert failed.failure == "played 2 times, and each time its worker died; the last time, silent"
    assert (failed.id, failed.stop_reason, failed.policy) == ("add/test/0#0", StopReason.FAILED, "sft")
    assert not ledger.open


def test_repeated_ids_are_refused():
    with pytest.raises(ConfigError, match=r"1 repeated ids \['add/test/0#0'\]"):
        Ledger(add_plans(1) * 2, workers=1, concurrency=1, max_retries=0)


class Noting(ScriptedPolicy):
    """Writes down when it is made and closed."""

    notes: ClassVar = []

    def __init__(self, version):
        super().__init__(solve, version)
        self.notes.append(f"{version} made")

    def close(self):
        self.notes.append(f"{self.version} closed")


def test_a_worker_closes_one_policy_before_it_makes_the_next():
    Noting.notes, AddEnv.closed = [], 0
    worker, plan = RolloutWorker("worker-0"), add_plans(1)
    for version in ("sft", "rs-1"):
        assert worker.load(lambda: Noting(version), AddEnv, get_profile("lumos")) == version  # noqa: B023 (called at once)
        (trajectory,) = worker.advance(plan)
        assert trajectory.policy == version
    worker.close()
    worker.close()
    assert Noting.notes == ["sft made", "sft closed", "rs-1 made", "rs-1 closed"]
    assert AddEnv.closed == 2
