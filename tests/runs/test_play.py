"""Playing the episodes of a run."""

from dataclasses import replace

from small_run import CONFIG, adds, explored, half, play_gold, stops

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.folder import TRAJECTORIES
from lumos_rl.runs.job import Job


def test_episodes_that_are_there_are_not_played_again(run):
    tasks = explored(CONFIG)
    player = Job(CONFIG).player(run)
    play_gold(run, tasks, CONFIG.rollout, "sft", TRAJECTORIES, half)
    size = (run.path / TRAJECTORIES).stat().st_size
    found = player.play(run.checkpoint("sft"), "sft", tasks, CONFIG.rollout, TRAJECTORIES)
    assert [each.id for each in found] == [plan.id for plan in plan_episodes(tasks, CONFIG.rollout)]
    assert found == player.played("sft", tasks, CONFIG.rollout, TRAJECTORIES)
    assert (run.path / TRAJECTORIES).stat().st_size == size
    assert player.played("other", tasks, CONFIG.rollout, TRAJECTORIES) == []
    assert player.played("sft", tasks, CONFIG.rollout, TRAJECTORIES, seed=1) == []  # another step's noise
    warmer = replace(CONFIG.rollout, temperatures=(1.5,))
    assert player.played("sft", tasks, warmer, TRAJECTORIES) == []
    changed = [replace(tasks[0], instruction="Another line of the file."), *tasks[1:]]
    kept = player.played("sft", changed, CONFIG.rollout, TRAJECTORIES)
    assert kept == [each for each in found if each.task_id != tasks[0].id]


def test_examples_are_turns_before_the_episodes_own():
    examples = synthetic_tasks("gsm8k", "train", 2)
    task = replace(synthetic_tasks("gsm8k", "test", 1)[0], subgoals=())
    asked = []

    def reply(request):
        asked.append(request)
        return adds(replace(request, messages=request.messages[-1:])) if len(asked) < 3 else stops(request)

    plans = plan_episodes([task], RolloutConfig(), {"gsm8k": examples})
    (trajectory,) = run_episodes(make_env, plans, ScriptedPolicy(reply))
    planner, grounder = asked[0].messages, asked[1].messages
    assert examples[0].instruction in planner[0]["content"] and planner[1]["role"] == "assistant"
    assert task.instruction in planner[-1]["content"] and task.instruction in grounder[-1]["content"]
    turns = [len(example.subgoals) for example in examples]
    assert len(planner) == sum(2 * count + 2 for count in turns) + 1  # each subgoal, and the decision to stop
    assert len(grounder) == sum(2 * count for count in turns) + 1
    assert examples[1].subgoals[0].actions[0].args in grounder[-3]["content"] + grounder[2 * turns[0] + 1]["content"]
    assert trajectory.conversation("planner")[0]["content"] == planner[-1]["content"]  # what is learned has none
