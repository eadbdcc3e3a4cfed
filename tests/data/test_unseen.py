"""The split "unseen" of the built-in suites: templates that no other split has, with plans that earn everything."""

import functools
import re

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.synthetic import DEFAULT_SIZE, splits_of, synthetic_tasks
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.task_types import TaskType

HAVING = [each.name for each in task_types.every() if each.suite is not None and each.unseen]
BUILT_IN = [name for name in sorted(task_types.BUILT_IN) if task_types.get(name).suite is not None]
SUITES = pytest.mark.parametrize("suite", sorted({*HAVING, *BUILT_IN}))
SEEN = ("train", "dev", "test")


@functools.cache
def drawn(suite: str, split: str) -> list[Task]:
    return synthetic_tasks(suite, split, 300)


def template_names(suite: str, split: str) -> set[str]:
    return {str(task.meta["template"]) for task in drawn(suite, split)}


@SUITES
def test_unseen_has_as_many_tasks_as_test(suite):
    assert "unseen" in splits_of(suite)
    tasks = synthetic_tasks(suite, "unseen")
    assert len(tasks) == DEFAULT_SIZE["unseen"] == DEFAULT_SIZE["test"] == 300
    assert {task.split for task in tasks} == {"unseen"}
    assert all(task.id.startswith(f"{suite}/unseen/") for task in tasks)


@SUITES
def test_no_template_of_unseen_is_in_another_split(suite):
    new = template_names(suite, "unseen")
    assert len(new) >= 4  # so that the split says more than one form would
    for split in SEEN:
        assert not new & template_names(suite, split)


@SUITES
def test_plans_of_unseen_earn_the_whole_reward(suite):
    env = gym.make(task_types.get(suite).env_id, split="unseen", limit=24)
    for index, task in enumerate(drawn(suite, "unseen")[:24]):
        _, info = env.reset(options={"task": index})
        best, earned, ended = info.get("best_reward", 1.0), 0.0, False
        assert info["task_id"] == task.id
        for text in [*(format_actions(subgoal.actions) for subgoal in task.subgoals), "Finish()"]:
            if not ended:
                _, reward, ended, truncated, info = env.step(text)
                earned += reward
                assert not truncated
        assert (earned, info["success"]) == (best, True), task
    env.close()


def sentence_forms(tasks: list[Task]) -> set[str]:
    """The sentences without names, numbers and values: what is left is the form."""
    return {
        re.sub(r"(?:[A-Z][\w'-]*|\d[\d,]*)(?:[ ](?:[A-Z][\w'-]*|\d[\d,]*))*", "_", task.instruction) for task in tasks
    }


@pytest.mark.parametrize("suite", ["hotpotqa", "strategyqa"])
def test_questions_of_unseen_are_worded_as_no_training_question(suite):
    new = sentence_forms(drawn(suite, "unseen"))
    assert len(new) >= 15
    assert not new & sentence_forms(synthetic_tasks(suite, "train", 600))


def test_websites_of_unseen_have_pages_and_errands_of_their_own():
    kinds = {split: {task.meta["suite"][0] for task in drawn("mind2web", split)} for split in (*SEEN, "unseen")}
    errands = {split: {task.meta["suite"][2] for task in drawn("mind2web", split)} for split in (*SEEN, "unseen")}
    assert errands["unseen"] == {"track", "settings", "review", "basket"}
    assert len(kinds["unseen"]) == 6
    assert len(template_names("mind2web", "unseen")) == 24
    for split in SEEN:
        assert not kinds[split] & kinds["unseen"] and not errands[split] & errands["unseen"]


def test_a_suite_without_unseen_says_which_splits_it_has(monkeypatch):
    other = TaskType("other", "other/Other-v0", (), (), suite=lambda name, split, seed: iter([Task("1", name, split)]))
    monkeypatch.setattr(task_types, "_added", {"other": other})
    assert splits_of("other") == ["test", "dev", "train"]
    with pytest.raises(
        UnknownNameError, match=r"unknown split of the built-in suite of other 'unseen'.*dev, test, train"
    ):
        synthetic_tasks("other", "unseen")
    assert synthetic_tasks("other", "dev")[0].instruction == "dev"
