"""The built-in shop: real schema, disjoint splits, plans that earn the whole reward."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest
from tiny_shop import FLOOR, LAMP, SHOES, options, write_files

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.data.conversations import conversations
from lumos_rl.envs.math.resample import resample
from lumos_rl.envs.webshop.reader import CACHE_VARIABLE, load_goals, open_catalogue
from lumos_rl.envs.webshop.suite import SPLIT_SHARES, shop_files, suite_catalogue, suite_goals, suite_tasks
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.prompts import COMPACT_PROFILE
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.tasks import test_tasks as held_out_tasks
from lumos_rl.runs.tasks import training_tasks

TOOLS = ["Search", "Click", "FeatureRetrieve", "Click", "Click", "FeatureRetrieve", "Pick", "Click", "Click"]


@pytest.mark.parametrize("split", ["test", "dev", "unseen"])
def test_every_gold_plan_earns_the_whole_reward_with_the_results_it_carries(split: str) -> None:
    tasks = suite_tasks(split)
    env = gym.make("lumos_rl/WebShop-v0", tasks=tasks)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            _, reward, terminated, _, info = env.step(format_actions(subgoal.actions))
            assert info["error"] is None
            assert info["results"] == {action.outputs[0]: action.result for action in subgoal.actions}
        assert (reward, terminated, info["success"]) == (1.0, True, True), task.id


def test_plans_search_look_at_two_items_pick_choose_and_buy() -> None:
    for task in suite_tasks("train", 50):
        actions = [action.tool for subgoal in task.subgoals for action in subgoal.actions]
        options = len(task.meta["goal"]["goal_options"])
        assert actions == [*TOOLS, *["Click"] * options, "Click"]
        assert task.subgoals[-1].actions[-1].args == "Buy Now"
        assert task.subgoals[-1].actions[-1].result == "1.0"


def test_the_other_item_is_not_worth_the_whole_reward() -> None:
    """Picking matters: buying the second item of the search instead earns less."""
    env = gym.make("lumos_rl/WebShop-v0", limit=30)
    for index in range(30):
        _, info = env.reset(options={"task": index})
        goal = env.unwrapped.tasks[index].meta["goal"]  # type: ignore[attr-defined]
        info = env.step(f"search[{' '.join(goal['attributes'])} {goal['query']}]")[4]
        other = next(asin for asin in info["clickables"][2:4] if asin != goal["asin"].lower())
        env.step(f"click[{other}]")
        assert env.step("click[buy now]")[1] < 1.0


def test_no_product_is_bought_in_two_splits() -> None:
    asins = {split: {goal["asin"] for goal in goals} for split, goals in suite_goals()[0].items()}
    assert set(asins) == {*SPLIT_SHARES, "unseen"}
    for one, other in itertools.combinations(asins, 2):
        assert not asins[one] & asins[other]
    assert sum(map(len, asins.values())) == len(suite_catalogue()) == 294 + 75  # 3 x C(5, 3) + 3 x C(6, 2)


def test_unseen_asks_for_kinds_of_goods_and_options_of_its_own() -> None:
    goals = suite_goals()[0]
    kinds = {split: {goal["query"] for goal in found} for split, found in goals.items()}
    options = {split: {name for goal in found for name in goal["goal_options"]} for split, found in goals.items()}
    assert len(kinds["unseen"]) == 6 and len(kinds["train"]) == 14
    for split in SPLIT_SHARES:
        assert not kinds["unseen"] & kinds[split] and not options["unseen"] & options[split]


def test_sizes_ids_and_prefixes() -> None:
    assert {split: len(goals) for split, goals in suite_goals()[0].items()} == {
        "test": 330,
        "dev": 219,
        "train": 1530,
        "unseen": 410,
    }
    assert [task.id for task in suite_tasks("dev", 2)] == ["webshop/dev/synthetic-0", "webshop/dev/synthetic-1"]
    assert suite_tasks("train", 5) == suite_tasks("train", 9)[:5]
    other = suite_tasks("train", 5, seed=7)
    assert other != suite_tasks("train", 5)
    assert len({task.id for task in other}) == 5
    with pytest.raises(UnknownNameError, match="dev, test, train"):
        suite_tasks("validation")


def test_a_smaller_shop_has_fewer_goals() -> None:
    tasks = suite_tasks("train", products=40)
    assert 0 < len(tasks) < 400
    assert gym.make("lumos_rl/WebShop-v0", num_products=40).unwrapped.num_tasks < 100  # type: ignore[attr-defined]


def test_the_shop_written_as_files_is_the_same_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    catalogue = open_catalogue(write_files(tmp_path, *shop_files()))
    assert list(catalogue) == list(suite_catalogue())
    assert catalogue.report["problems"] == {}
    inner = [goal for goals in suite_goals()[0].values() for goal in goals]
    assert sorted(map(str, load_goals(catalogue))) == sorted(map(str, inner))


def test_the_shop_does_not_depend_on_the_process() -> None:
    code = "from lumos_rl.envs.webshop import suite as s; print(s.suite_goals()[1], s.suite_tasks('dev', 3))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(seen) == 1


def test_the_recipes_take_the_shop() -> None:
    config = DataConfig(
        train=("webshop=synthetic",), test=("webshop=synthetic",), annotated=20, explore=30, test_tasks=10, resample=3
    )
    found = training_tasks(config, seed=0)
    assert (len(found.annotated), len(found.explore), len(held_out_tasks(config))) == (20, 30, 10)
    assert all(task.subgoals for task in found.annotated)
    assert not any(task.subgoals for task in found.explore)


def test_plans_of_the_shop_are_not_copied_with_new_numbers() -> None:
    assert [copy for task in load_tasks("webshop", split="train", limit=20) for copy in resample(task, 2)] == []


def test_a_task_without_its_plan_is_annotated_from_its_goal() -> None:
    [task] = suite_tasks("train", 1)
    bare = type(task)(task.id, "webshop", task.instruction, task.answer, "train", meta=task.meta)
    assert annotate(bare) == task


def test_a_policy_that_knows_the_plans_shops_through_the_rollout_as_it_was_trained() -> None:
    """What the conversations teach is what the environment answers: every prompt of an episode is a trained one."""
    tasks = suite_tasks("train", 3)
    taught = {}
    for task in tasks:
        for messages in conversations(
            task, profile=COMPACT_PROFILE, tools=task_types.get("webshop").tool_names()
        ).values():
            for place in range(1, len(messages), 2):
                taught[str(messages[:place])] = messages[place]["content"]
    policy = ScriptedPolicy(lambda request: taught[str([dict(message) for message in request.messages])])
    plans = plan_episodes(tasks, RolloutConfig())
    episodes = list(run_episodes(lambda _: gym.make("lumos_rl/WebShop-v0", limit=1), plans, policy, COMPACT_PROFILE))
    assert [(episode.reward, episode.success, episode.stop_reason) for episode in episodes] == [
        (1.0, True, "ended")
    ] * 3
    assert all(len(episode.turns) == 12 for episode in episodes)


def test_a_plan_spells_options_as_their_page_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People wrote "black/red" for what the page offers as "black | red"."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    lamp = {**LAMP, "customization_options": options(Color=["Red", "Black/Red"], Size=["Small ", "Large"])}
    written = {
        "instruction": "i want a long lasting lamp.",
        "instruction_attributes": ["long lasting"],
        "instruction_options": ["black/red", "SMALL"],
    }
    folder = write_files(tmp_path, [lamp, SHOES, FLOOR], human={"B001": [written]})
    [task] = load_tasks("webshop", f"{folder}#human")
    found = annotate(task)
    assert isinstance(found, Task), found
    assert [action.args for action in found.subgoals[-2].actions[-2:]] == ["black | red", "small"]
    assert found.subgoals[-1].actions[-1].result == "1.0"
