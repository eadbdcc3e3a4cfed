"""Which tasks each step of the refinement tries, and how often."""

from dataclasses import replace

import pytest

from lumos_rl.core import Task
from lumos_rl.errors import ConfigError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import PreferenceConfig, Refine, RefineConfig, RejectionConfig, RunConfig
from lumos_rl.runs.tasks import refine_steps

TASKS = [Task(f"{name}{number}", name, "", "1") for name, count in (("a", 5), ("b", 3)) for number in range(count)]
CONFIG = RunConfig(rollout=RolloutConfig(samples=2), refine=RefineConfig(steps=(Refine.RS, Refine.DPO), iterations=2))


def tried(rs, dpo):
    config = replace(CONFIG, refine=replace(CONFIG.refine, rs=RejectionConfig(**rs), dpo=PreferenceConfig(**dpo)))
    steps = refine_steps(config, TASKS)
    assert [step.version for step in steps] == ["rs-1", "dpo-2", "rs-3", "dpo-4"]
    assert [step.kind for step in steps] == [Refine.RS, Refine.DPO] * 2
    return [(" ".join(task.id for task in step.explore), step.rollout.samples) for step in steps]


def test_steps_try_all_tasks_unless_told_otherwise():
    assert tried({}, {}) == [("a0 a1 a2 a3 a4 b0 b1 b2", 2)] * 4


def test_steps_take_tasks_of_each_benchmark_in_turn_and_begin_anew_at_the_end():
    assert tried({"tasks": 2, "samples": 1}, {"tasks": 1, "samples": 4}) == [
        ("a0 a1 b0 b1", 1),
        ("a2 b2", 4),
        ("a3 a4 b0 b1", 1),
        ("a0 b2", 4),
    ]


def test_a_step_that_tries_all_leaves_the_turn_to_the_others():
    assert [names for names, _ in tried({}, {"tasks": 2})] == [
        "a0 a1 a2 a3 a4 b0 b1 b2",
        "a0 a1 b0 b1",
        "a0 a1 a2 a3 a4 b0 b1 b2",
        "a2 a3 b2 b0",
    ]


def test_no_task_is_tried_twice_by_one_step():
    assert tried({"tasks": 4}, {"tasks": 9})[:2] == [("a0 a1 a2 a3 b0 b1 b2", 2), ("a4 a0 a1 a2 a3 b1 b2 b0", 2)]


@pytest.mark.parametrize("settings", [RejectionConfig, PreferenceConfig])
@pytest.mark.parametrize("bad", [{"tasks": -1}, {"samples": -2}])
def test_counts_are_not_negative(settings, bad):
    with pytest.raises(ConfigError, match=r"tasks and samples of a step >= 0, got .*-[12]"):
        settings(**bad)
