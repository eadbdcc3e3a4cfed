from dataclasses import replace

import pytest
from tiny_env import AddEnv, add_plans, add_tasks, solve

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.replay import replay, replay_all

TASK = add_tasks(1)[0]


def by_seed(request):
    return solve(request) if request.seed % 3 else "Oops"


@pytest.fixture
def stored():
    return list(run_episodes(AddEnv, add_plans(12, samples=2), ScriptedPolicy(by_seed)))


def changed(trajectory, turn, **fields):
    turns = list(trajectory.turns)
    turns[turn] = replace(turns[turn], **fields)
    return replace(trajectory, turns=tuple(turns))


@pytest.fixture
def solved():
    (trajectory,) = run_episodes(AddEnv, add_plans(1), ScriptedPolicy(solve))
    return trajectory  # Add 0 3, then Finish()


def test_what_was_played_comes_out_again(stored):
    lines = []
    count = replay_all(stored, add_tasks(12), AddEnv, lines.append)
    assert (count.episodes, count.differences, count.missing, lines) == (24, 0, 0, [])
    assert count.steps == sum(bool(turn.action) for trajectory in stored for turn in trajectory.turns) > 24
    assert any(turn.error for trajectory in stored for turn in trajectory.turns)


@pytest.mark.parametrize(
    ("turn", "fields", "line"),
    [
        (1, {"observation": "{'R1': '4'}"}, "turn 1 observation: stored \"{'R1': '4'}\", now \"{'R1': '3'}\""),
        (1, {"error": "odd"}, "turn 1 error: stored 'odd', now None"),
        (2, {"reward": 0.5}, "turn 2 reward: stored 0.5, now 1.0"),
        (1, {"action": "Add 0 4"}, "turn 1 observation: stored \"{'R1': '3'}\", now \"{'R1': '4'}\""),
        (1, {"action": "Finish(3)"}, "turn 2 step: stored 'end', now 'the episode is over'"),
    ],
)
def test_every_difference_is_told(solved, turn, fields, line):
    class Ended(AddEnv):
        """Like our environments, it takes no step after the end."""

        over = False

        def step(self, text):
            from lumos_rl.errors import EpisodeError

            if self.over:
                raise EpisodeError("the episode is over")
            result = super().step(text)
            self.over = result[2]
            return result

    found = [str(difference) for difference in replay(changed(solved, turn, **fields), TASK, Ended())]
    assert f"add/test/0#0 {line}" in found


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"success": False}, "success: stored False, now True"),
        ({"answer": "7"}, "answer: stored '7', now '3'"),
        ({"metrics": {}}, "metrics: stored {}, now {'accuracy': True}"),
        ({"stop_reason": "truncated"}, "truncated: stored True, now False"),
    ],
)
def test_the_end_is_compared_too(solved, fields, line):
    assert [str(difference) for difference in replay(replace(solved, **fields), TASK, AddEnv())] == [
        f"add/test/0#0 {line}"
    ]


def test_of_a_failed_episode_the_steps_before_the_failure_are_compared(solved):
    failed = replace(solved, turns=solved.turns[:2], failure="gone", stop_reason="failed", success=False, answer=None)
    assert replay(failed, TASK, AddEnv()) == []
    assert len(replay(changed(failed, 1, observation="x"), TASK, AddEnv())) == 1


@pytest.mark.parametrize(("first", "solved"), [("R1 = Calculator({})", True), ("nothing ((", False)])
def test_an_episode_whose_last_turn_cannot_be_read_is_graded_and_replayed(first, solved):
    task = synthetic_tasks("gsm8k", "test", 1)[0]
    written = {"planner": iter(("Begin.", "Go on.")), "grounder": iter((first.format(task.answer), "R2 = )("))}
    plans = plan_episodes([task], RolloutConfig(max_subgoals=2))
    (trajectory,) = run_episodes(make_env, plans, ScriptedPolicy(lambda request: next(written[request.module])))
    assert trajectory.stop_reason == "turn_limit" and trajectory.turns[-1].error
    assert (trajectory.success, trajectory.metrics) == (solved, {"accuracy": float(solved)})
    assert replay(trajectory, task, make_env("gsm8k")) == []


def test_a_task_that_is_gone_is_counted(solved):
    lines = []
    count = replay_all([solved], [], AddEnv, lines.append)
    assert (count.missing, count.episodes, lines) == (1, 0, ["add/test/0#0: its task no longer exists"])
