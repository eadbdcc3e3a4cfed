"""The stages of a run that train on annotated tasks or test."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import CONFIG, SFT, adds, evaluate, fine_tune, play, stage, stops, validate

from lumos_rl.core import Module
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import InfrastructureError
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.prompts import COMPACT_PROFILE, PromptProfile
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import (
    DataConfig,
    Engine,
    EvaluateSettings,
    ModelConfig,
    RunConfig,
)
from lumos_rl.runs.folder import EVALUATION, VALIDATION, RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.stages import best_stage, control_stage
from lumos_rl.runs.summary import write_summary
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on
from lumos_rl.runs.tasks import (
    validation_tasks,
)

AGENT = """
import os

def reply(request):
    if os.path.exists("down"):
        raise ConnectionError("nobody answers")
    if os.path.exists("limping") and "/synthetic-0#" in request.id:
        raise ConnectionError("too many requests")
    return "Stop."
"""


class Here:
    """Plays in this process what workers would play, and counts it."""

    def __init__(self):
        self.played = []

    def collect(self, plans, make_policy, make_env, profile, *rest):
        self.played += [plan.id for plan in plans]
        return run_episodes(make_env, plans, make_policy(), profile)

    def close(self):
        pass


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    (tmp_path / "shaky_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    data = DataConfig(test_tasks=4, validation_tasks=4)
    config = RunConfig(run_dir="runs/it", data=data, model=ModelConfig(engine=Engine.SCRIPT))
    with RunFolder(tmp_path / "runs/it", config) as opened:
        opened.workers = Here()
        yield opened


def test_base_and_sft_write_models_with_the_prompts_they_were_trained_with(trained):
    for name in ("base", "sft"):
        folder = trained / "checkpoints" / name
        assert PromptProfile.load(folder) == COMPACT_PROFILE
        HFPolicy.load(folder, device="cpu").close()
    result = json.loads((trained / "stages" / "sft.json").read_text())
    assert (result["steps"], result["rows"], result["left_out"]) == (2, 8, 0)  # planner and grounder of four tasks
    assert 0 < result["supervised"] < 1


def test_an_adapter_of_a_relative_folder_is_found_from_elsewhere(tiny_base, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_base.parent)
    model = replace(CONFIG.model, base=tiny_base.name)
    config = replace(CONFIG, model=model, sft=replace(SFT, lora_rank=2))
    with RunFolder(tmp_path / "run", config) as run:
        fine_tune(run)
    monkeypatch.chdir(tmp_path)
    HFPolicy.load(run.checkpoint("sft"), device="cpu").close()


def test_finished_stages_are_not_repeated(run):
    before = (run.path / "checkpoints" / "sft" / "model.safetensors").stat().st_mtime_ns
    assert fine_tune(run)["steps"] == 2
    assert (run.path / "checkpoints" / "sft" / "model.safetensors").stat().st_mtime_ns == before


def test_the_control_takes_as_many_steps_as_the_refinement(run):
    job = Job(CONFIG)
    control_stage(run, job.learner(run), job.taught_rows, CONFIG.rs_training, 3)
    assert stage(run, "control")["steps"] == 3


MIXED = DataConfig(suites="math,sql", annotated=3, explore=2, test_tasks=2)


BOTH = RunConfig(data=MIXED, evaluate=EvaluateSettings(samples=2, temperatures=(0.0, 1.0)))


def test_scores_of_several_benchmarks_stand_apart(tmp_path):
    with RunFolder(tmp_path / "run", BOTH) as run:
        play(run, tasks_to_test_on(MIXED), BOTH.test_rollout, "sft", adds)
        result = evaluate(run, "sft", tmp_path)
        text = write_summary(run, [], 1.0)
    assert set(result["benchmarks"]) == {"gsm8k", "intercode_sql"}
    assert result["greedy"]["n"] == 4 and result["benchmarks"]["gsm8k"]["greedy"]["n"] == 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["evaluate/sft/gsm8k", "evaluate/sft/intercode_sql"]
    assert lines[0].keys() == {"stage", "step", "greedy", "sampled"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["benchmarks"]["intercode_sql"]["sft"]["greedy"]["n"] == 2
    assert "## gsm8k" in text and "## intercode_sql" in text and "## Stages" in text


def test_the_best_policy_is_chosen_on_validation_tasks(tmp_path):
    data = DataConfig(validation_tasks=3)
    greedy = RolloutConfig(temperatures=(0.0,))
    tasks = validation_tasks(data)
    assert [task.split for task in tasks] == ["dev"] * 3
    gold = {task.instruction: task for task in synthetic_tasks("gsm8k", "dev", 3)}

    def solves(request):
        (task,) = (gold[text] for text in gold if text in request.messages[0]["content"])
        if request.module is Module.PLANNER:
            return "Subgoal 1: Answer." if len(request.messages) == 1 else "Yes, I will stop planning."
        return f"R1 = Calculator({task.answer})"

    with RunFolder(tmp_path / "run", RunConfig(data=data, evaluate=EvaluateSettings(samples=2))) as run:
        for version, reply in (("sft", stops), ("rs-1", solves), ("dpo-2", solves)):
            run.checkpoint(version).mkdir(parents=True)
            play(run, tasks, greedy, version, reply, VALIDATION)
        assert validate(run, "rs-1", tmp_path)["success"] == 1
        job = Job(run.config)
        best_stage(run, job.player(run), ["sft", "rs-1", "dpo-2"], job.validation_tasks, run.config.test_rollout)
        assert run.checkpoint("best").resolve() == run.checkpoint("rs-1")
        play(run, tasks_to_test_on(data), run.config.test_rollout, "sft", stops)
        evaluate(run, "sft", tmp_path)
        assert "Chosen on validation tasks: rs-1." in write_summary(run, ["rs-1", "dpo-2"], 1.0)


@pytest.mark.parametrize("stage", [evaluate, validate])
def test_episodes_that_the_machinery_failed_are_played_when_it_is_mended(scripted, stage):
    Path("down").touch()
    with pytest.raises(InfrastructureError, match=r"infrastructure failures in 4 of 4.*nobody answers"):
        stage(scripted, "agent", Path("shaky_agent:reply"))
    assert not list(scripted.path.glob("stages/*"))
    Path("down").unlink()
    assert stage(scripted, "agent", Path("shaky_agent:reply"))["failed"] == 0


def test_a_test_of_which_a_few_episodes_failed_counts_and_is_gone_on_with(scripted):
    Path("limping").touch()
    result = evaluate(scripted, "agent", Path("shaky_agent:reply"))
    assert (result["failed"], result["greedy"]["n"], result["greedy"]["excluded"]) == (1, 3, 1)
    Path("limping").unlink()
    scripted.workers.played.clear()
    assert evaluate(scripted, "agent", Path("shaky_agent:reply"))["greedy"]["n"] == 4
    assert scripted.workers.played == ["gsm8k/test/synthetic-0#0"]
    scripted.workers.played.clear()
    assert evaluate(scripted, "agent", Path("shaky_agent:reply"))["failed"] == 0
    assert scripted.workers.played == []


def test_a_test_that_cannot_be_gone_on_with_stays_as_it_was(scripted, caplog):
    Path("limping").touch()
    before = evaluate(scripted, "agent", Path("shaky_agent:reply"))
    Path("down").touch()
    scripted.path.joinpath(EVALUATION).unlink()
    assert evaluate(scripted, "agent", Path("shaky_agent:reply")) == before
    assert "evaluate-agent stays as it was (infrastructure failures in 1 episodes): expected" in caplog.text
