"""Copies in the main job: what is learned beside annotated conversations and beside episodes that succeeded."""

from collections import Counter
from dataclasses import replace

from lumos_rl.core import Module
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.language import format_actions
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.recipes import sft_then_dpo
from lumos_rl.recipes.collect import make_env
from lumos_rl.recipes.sft import annotated_rows, renamed_rows, taught_rows
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig, ModelConfig, RefineConfig, RejectionConfig, RunConfig
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.tasks import TrainingTasks, held_out_texts, training_tasks

CONFIG = RunConfig(
    data=DataConfig(suites="math,webshop,sql", annotated=10, explore=0, test_tasks=20, validation_tasks=5, rename=2),
    model=ModelConfig(profile="compact"),
)


def test_every_benchmark_but_math_has_renamed_copies():
    tasks = training_tasks(CONFIG.data, seed=0)
    rows = taught_rows(CONFIG, tasks)
    plain = annotated_rows(CONFIG, tasks.annotated)
    assert rows[: len(plain)] == plain
    copies = Counter(row.benchmark for row in rows[len(plain) :])
    assert set(copies) == {"webshop", "intercode_sql"}
    assert all(30 <= count <= 2 * 2 * 10 for count in copies.values())  # two modules, two copies, ten tasks


def test_no_copies_without_being_asked_for():
    config = replace(CONFIG, data=replace(CONFIG.data, rename=0))
    tasks = training_tasks(config.data, seed=0)
    assert taught_rows(config, tasks) == annotated_rows(config, tasks.annotated)
    assert renamed_rows(config, taught_rows(config, tasks), 0) == []


def test_what_a_run_is_tested_on_or_chosen_by_is_held_out():
    texts = held_out_texts(CONFIG.data)
    for benchmark in ("gsm8k", "webshop", "intercode_sql"):
        assert {task.instruction for task in synthetic_tasks(benchmark, "test", 20)} <= texts
        assert {task.instruction for task in synthetic_tasks(benchmark, "dev", 5)} <= texts


def test_episodes_that_succeeded_are_learned_with_other_names_too(tmp_path, monkeypatch):
    """What rejection sampling hands to training, of shop episodes played as the gold plans say."""
    tasks = synthetic_tasks("webshop", "train", 4)
    plans = {task.instruction: task.subgoals for task in tasks}

    def reply(request):
        instruction = request.messages[0]["content"].split(": ", 1)[1].split("\n")[0]
        plan, turn = plans[instruction], len(request.messages) // 2
        if request.module is Module.PLANNER:
            return plan[turn].text if turn < len(plan) else "Stop."
        return format_actions(replace(action, result=None) for action in plan[turn].actions)

    bare = [replace(task, subgoals=()) for task in tasks]
    played = list(run_episodes(make_env, plan_episodes(bare, RolloutConfig()), ScriptedPolicy(reply), "compact"))
    assert all(trajectory.success for trajectory in played)
    learned = []
    monkeypatch.setattr(sft_then_dpo, "train_on", lambda run, stage, start, rows, settings: learned.extend(rows) or {})
    config = replace(CONFIG, refine=RefineConfig(rs=RejectionConfig(rename=2, annotated=False)))
    with RunFolder(tmp_path, config) as run:
        result = sft_then_dpo._learn_successes(run, "rs-1", "sft", TrainingTasks([], bare), played)
    assert result == {"successes": 8, "copies": len(learned) - 8}
    copies = [row for row in learned if "~" in row.id]
    assert len(learned) - len(copies) == 2 * 4  # planner and grounder of each task
    assert 0 < len(copies) <= 2 * 2 * 4
