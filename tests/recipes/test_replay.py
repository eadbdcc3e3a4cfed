from dataclasses import replace

import pytest

from lumos_rl.core import to_json
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import MissingFileError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.recipes.replay import ReplayConfig, main
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig, RunConfig
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.folder import EVALUATION, TRAJECTORIES, RunFolder
from lumos_rl.runs.tasks import training_tasks


def test_a_run_folder_is_replayed_as_a_whole(tmp_path, capsys):
    config = RunConfig(data=DataConfig(annotated=2, explore=3, test_tasks=3))
    texts = {"planner": "Add.", "grounder": "R1 = Calculator(1 + 2)"}
    with RunFolder(tmp_path / "run", config) as run:
        for name, tasks in (
            (TRAJECTORIES, training_tasks(config.data, config.seed).explore),
            (EVALUATION, synthetic_tasks("gsm8k", "test", 3)),
        ):
            plans = plan_episodes(tasks, RolloutConfig(max_subgoals=2))
            for trajectory in run_episodes(make_env, plans, ScriptedPolicy(lambda request: texts[request.module])):
                run.add(name, trajectory)
    assert main(ReplayConfig(tmp_path / "run")) == 0
    assert "trajectories.jsonl: 3 episodes, 6 steps, 0 differences" in capsys.readouterr().out
    first, second, *rest = trajectory.turns
    odd = replace(trajectory, turns=(first, replace(second, observation="R1 = 4"), *rest))
    (tmp_path / "run" / EVALUATION).write_text(to_json(odd) + "\n")
    assert main(ReplayConfig(tmp_path / "run")) == 1
    said = capsys.readouterr().out
    assert f"evaluation.jsonl {odd.id} turn 1 observation: stored 'R1 = 4', now 'R1 = 3'" in said
    with pytest.raises(MissingFileError, match=r"config\.json"):
        main(ReplayConfig(tmp_path))
