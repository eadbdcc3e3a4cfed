"""Tests of a policy by the recipe `evaluate`: what is gone on with, and what a dry run says of it."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_model import create_adapter

from lumos_rl.errors import ConfigError, InfrastructureError, MissingFileError
from lumos_rl.recipes.collect import weights_hash
from lumos_rl.recipes.evaluate import EvaluateConfig, dry_run, evaluate_stage, main, validate_stage, with_target
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, Engine, ModelConfig, RunConfig
from lumos_rl.runs.folder import EVALUATION, RunFolder
from lumos_rl.runs.launch import parse

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
def run(tmp_path, monkeypatch):
    (tmp_path / "shaky_agent.py").write_text(AGENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    data = DataConfig(test_tasks=4, validation_tasks=4)
    config = RunConfig("runs/it", data=data, model=ModelConfig(engine=Engine.SCRIPT))
    with RunFolder(tmp_path / "runs/it", config) as opened:
        opened.workers = Here()
        yield opened


@pytest.mark.parametrize("stage", [evaluate_stage, validate_stage])
def test_episodes_that_the_machinery_failed_are_played_when_it_is_mended(run, stage):
    Path("down").touch()
    with pytest.raises(InfrastructureError, match=r"4 of 4 that the machinery failed; the last: .*nobody answers"):
        stage(run, "agent", Path("shaky_agent:reply"))
    assert not list(run.path.glob("stages/*"))
    Path("down").unlink()
    assert stage(run, "agent", Path("shaky_agent:reply"))["failed"] == 0


def test_a_test_of_which_a_few_episodes_failed_counts_and_is_gone_on_with(run):
    Path("limping").touch()
    result = evaluate_stage(run, "agent", Path("shaky_agent:reply"))
    assert (result["failed"], result["greedy"]["n"], result["greedy"]["excluded"]) == (1, 3, 1)
    Path("limping").unlink()
    run.workers.played.clear()
    assert evaluate_stage(run, "agent", Path("shaky_agent:reply"))["greedy"]["n"] == 4
    assert run.workers.played == ["gsm8k/test/synthetic-0#0"]
    run.workers.played.clear()
    assert evaluate_stage(run, "agent", Path("shaky_agent:reply"))["failed"] == 0
    assert run.workers.played == []


def test_a_test_that_cannot_be_gone_on_with_stays_as_it_was(run, caplog):
    Path("limping").touch()
    before = evaluate_stage(run, "agent", Path("shaky_agent:reply"))
    Path("down").touch()
    run.path.joinpath(EVALUATION).unlink()
    assert evaluate_stage(run, "agent", Path("shaky_agent:reply")) == before
    assert "evaluate-agent stays as it was (1 episodes that the machinery failed): expected" in caplog.text


def test_a_model_that_was_trained_again_is_another_one(tiny_base, tmp_path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    adapter = create_adapter(base, tmp_path / "adapter", seed=1)
    before = weights_hash(base), weights_hash(adapter)
    assert len({*before}) == 2 and (weights_hash(base), weights_hash(adapter)) == before
    os.utime(base / "model.safetensors", ns=(1, 1))
    assert not {weights_hash(base), weights_hash(adapter)} & {*before}  # an adapter is nothing without its model


def test_a_policy_that_is_no_runs_is_tested_as_lumos_was_and_on_all_tasks():
    config = parse("About.", EvaluateConfig, with_target(["org/model", "--benchmarks", "gsm8k"])).run
    assert config.evaluate == RolloutConfig() and config.evaluate.max_new_tokens == 512
    assert (config.model.profile, config.data.test_tasks) == ("lumos", 0)


def test_a_model_is_not_asked_twice_for_the_same(run):
    config = replace(run.config, model=ModelConfig(), evaluate=RolloutConfig(samples=2))
    run.config = config
    with pytest.raises(ConfigError, match=r"at most one greedy episode per task.*got 2 in the 2 samples of evaluate"):
        main(EvaluateConfig(config, checkpoint="org/model"), run)


def test_a_dry_run_is_of_the_test_alone(tmp_path, tiny_base, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def said(*argv):
        return dry_run(parse("About.", EvaluateConfig, with_target([*argv])))

    told = said(str(tiny_base), "--benchmarks", "gsm8k", "--data.test-tasks", "3", "--evaluate.samples", "1")
    assert "3 from gsm8k=synthetic" in told and f"model: folder {tiny_base}" in told and "training" not in told
    assert told.partition("Stages\n")[2].strip() == "evaluate: 3 tasks x 1 iterative episodes at temperature 0.0"
    with pytest.raises(ConfigError, match=r"1 checks failed: model: expected .*config\.json in empty"):
        Path("empty").mkdir()
        said("empty/")
    with pytest.raises(ConfigError, match=r"1 checks failed: settings: expected at most one greedy"):
        said("gpt", "--model.engine", "openai", "--evaluate.samples", "2")
    with pytest.raises(ConfigError, match=r"1 checks failed: function: .*No module named 'nobodys'"):
        said("nobodys:reply")
    with pytest.raises(MissingFileError, match=r"a trained model in .*rs-7"):
        said("--policy", "rs-7")
    assert not Path("runs").exists()
