from dataclasses import replace

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Formulation, Module, Task, Trajectory
from lumos_rl.data.conversations import conversations
from lumos_rl.data.discovered import discovered_tasks, plan_of
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.math.resample import resample
from lumos_rl.policies.base import Request, ScriptedPolicy
from lumos_rl.prompts import COMPACT_PROFILE, LUMOS_PROFILE, PromptProfile
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes

TASK = synthetic_tasks("gsm8k", "train", 1)[0]


def play(task: Task, profile: PromptProfile, formulation: Formulation = Formulation.ITERATIVE) -> Trajectory:
    """An episode in which both modules say what the task's annotation says."""
    spoken = {
        (module, before["content"]): after["content"]
        for module, messages in conversations(task, formulation, profile).items()
        for before, after in zip(messages[::2], messages[1::2], strict=True)
    }

    def reply(request: Request) -> str:
        return spoken[Module(request.module), request.messages[-1]["content"]]

    plans = plan_episodes([task], RolloutConfig(formulation=formulation))
    (episode,) = run_episodes(
        lambda _: gym.make("lumos_rl/GSM8K-v0", limit=1), plans, ScriptedPolicy(reply), profile=profile
    )
    return episode


@pytest.mark.parametrize("profile", [LUMOS_PROFILE, COMPACT_PROFILE])
def test_the_plan_of_an_episode_is_the_annotation_it_followed(profile):
    episode = play(TASK, profile)
    assert episode.success
    assert plan_of(episode, profile) == TASK.subgoals


def test_an_episode_becomes_a_task_whose_copies_solve_themselves():
    bare = replace(TASK, subgoals=())
    (found,) = discovered_tasks([play(TASK, COMPACT_PROFILE)], {TASK.id: bare}, COMPACT_PROFILE)
    assert found == replace(TASK, id=f"{TASK.id}#0")
    copies = resample(found, 3)
    assert len({copy.instruction for copy in copies} | {TASK.instruction}) == 4
    assert all(play(copy, COMPACT_PROFILE).success for copy in copies)


def test_one_task_for_each_different_plan():
    episode = play(TASK, COMPACT_PROFILE)
    again = replace(episode, id=f"{TASK.id}#1", sample=1)
    assert len(discovered_tasks([episode, again], {TASK.id: TASK}, COMPACT_PROFILE)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reward": 0.0},
        {"failure": "the worker died"},
        {"answer": "another result than the last"},
        {"formulation": Formulation.COT.value},
    ],
)
def test_what_did_not_succeed_or_cannot_be_read_is_left_out(change):
    episode = replace(play(TASK, COMPACT_PROFILE), **change)
    assert discovered_tasks([episode], {TASK.id: TASK}, COMPACT_PROFILE) == []


def test_an_episode_with_a_mistake_on_its_way_is_left_out():
    episode = play(TASK, COMPACT_PROFILE)
    turns = (replace(episode.turns[0], error="no such tool"), *episode.turns[1:])
    assert plan_of(replace(episode, turns=turns), COMPACT_PROFILE) == ()
