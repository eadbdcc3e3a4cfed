"""The built-in suites in a run: what is learned from them is what episodes with them ask for."""

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl import task_types
from lumos_rl.data.rows import annotation_rows, preference_pairs, success_rows
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.prompts import COMPACT_PROFILE
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.tasks import test_tasks as load_test_tasks
from lumos_rl.runs.tasks import training_tasks


@pytest.mark.parametrize("benchmark", ["hotpotqa", "strategyqa"])
def test_a_policy_that_writes_what_it_learned_solves_every_task(benchmark):
    source = f"{benchmark}=synthetic"
    config = DataConfig(train=(source,), test=(source,), annotated=25, explore=5, test_tasks=5)
    tasks = training_tasks(config, seed=0)
    assert len(tasks.explore) == 5 and len(load_test_tasks(config)) == 5
    learned = {}
    for row in annotation_rows(tasks.annotated, "iterative", COMPACT_PROFILE):
        texts = [message["content"] for message in row.messages]
        learned |= {tuple(texts[:place]): texts[place] for place in range(1, len(texts), 2)}
    policy = ScriptedPolicy(lambda request: learned[tuple(message["content"] for message in request.messages)])
    plans = plan_episodes(tasks.annotated, RolloutConfig(max_subgoals=6))
    played = list(run_episodes(lambda name: gym.make(task_types.get(name).env_id), plans, policy, COMPACT_PROFILE))
    assert len(played) == 25
    assert all(trajectory.success and trajectory.metrics["supporting_recall"] == 1.0 for trajectory in played)


def test_a_policy_that_writes_what_it_learned_solves_every_task_and_other_episodes_are_not_learned():
    config = DataConfig(train=("mind2web=synthetic",), annotated=12, explore=3, resample=1)
    tasks = training_tasks(config, seed=0)
    assert (len(tasks.annotated), len(tasks.explore)) == (12, 3)
    learned = {}
    for row in annotation_rows(tasks.annotated, "iterative", COMPACT_PROFILE):
        texts = [message["content"] for message in row.messages]
        learned |= {tuple(texts[:place]): texts[place] for place in range(1, len(texts), 2)}
    first = plan_episodes(tasks.annotated, RolloutConfig(samples=2, temperatures=(0.0, 1.0), max_subgoals=9))

    def write(request):
        text = learned.get(tuple(message["content"] for message in request.messages), "Stop.")
        return text.replace("Env, QUERY: ", "Env, QUERY: photo ") if request.sampling.temperature else text

    played = list(run_episodes(make_env, first, ScriptedPolicy(write), COMPACT_PROFILE))
    greedy = [trajectory for trajectory in played if trajectory.temperature == 0]
    assert len(greedy) == 12
    for trajectory in greedy:
        assert trajectory.success and trajectory.reward == trajectory.counts["steps"] > 1
    failed = [trajectory for trajectory in played if not trajectory.success]
    assert failed and max(trajectory.reward for trajectory in failed) >= 1
    assert {row.id for row in success_rows(failed)} == set()
    assert preference_pairs(played)
