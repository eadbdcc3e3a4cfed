import json
import logging
from dataclasses import replace

import pytest

from lumos_rl.runs import engine_choice
from lumos_rl.runs.config import Engine, ModelConfig, RunConfig
from lumos_rl.runs.engine_choice import HEAD_SIZES, chosen, with_engine
from lumos_rl.runs.launch import parse
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.stored import settings_of


@pytest.fixture
def base(tmp_path):
    """A folder of a pretrained model, as far as the choice looks at it; its heads have 576 / 9 = 64."""
    (tmp_path / "model").mkdir()
    config = {"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9, "num_key_value_heads": 3}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    return tmp_path / "model"


def on(monkeypatch, vllm=True, gpu=False, for_cpus=True):
    """Makes the machine have a GPU or not, and vLLM for the one or the other."""
    import torch

    monkeypatch.setattr(engine_choice, "find_spec", lambda name: object() if vllm else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(engine_choice, "_is_for_cpus", lambda: for_cpus)


def test_vllm_writes_for_pretrained_models_where_it_is_installed_for_the_device(monkeypatch, base):
    for gpu in (False, True):
        on(monkeypatch, gpu=gpu, for_cpus=not gpu)
        assert chosen(str(base))[0] == Engine.VLLM
        assert chosen("scratch")[0] == Engine.HF
        on(monkeypatch, gpu=gpu, for_cpus=gpu)
        assert chosen(str(base))[0] == Engine.HF
    on(monkeypatch, vllm=False)
    engine, reason = chosen(str(base))
    assert engine == Engine.HF and "make vllm-cpu" in reason


def test_heads_that_vllm_does_not_serve_on_a_cpu_are_left_to_transformers(monkeypatch, base):
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"head_dim": 48}))
    on(monkeypatch)
    assert chosen(str(base)) == (Engine.HF, "vLLM has no attention for heads of 48 on a CPU")
    on(monkeypatch, gpu=True, for_cpus=False)
    assert chosen(str(base))[0] == Engine.VLLM


def test_adapters_are_left_to_transformers_on_a_cpu(monkeypatch, base):
    on(monkeypatch)
    assert chosen(str(base), adapters=True) == (Engine.HF, "adapters are slow with vLLM on a CPU")
    config = RunConfig(model=ModelConfig(base=str(base), engine=Engine.AUTO))
    for rank, engine in ((16, Engine.HF), (None, Engine.VLLM)):
        assert with_engine(replace(config, sft=replace(config.sft, lora_rank=rank))).model.engine == engine
    assert with_engine(config, model=str(base)).model.engine == Engine.VLLM
    (base / "adapter_config.json").write_text("{}")
    assert with_engine(config, model=str(base)).model.engine == Engine.HF
    on(monkeypatch, gpu=True, for_cpus=False)
    assert chosen(str(base), adapters=True)[0] == Engine.VLLM


def test_the_sizes_are_those_of_vllm():
    attention = pytest.importorskip("vllm.v1.attention.backends.cpu_attn")
    assert tuple(attention.CPUAttentionBackend.get_supported_head_sizes()) == HEAD_SIZES


def test_the_log_says_what_auto_takes_and_why(monkeypatch, base, caplog):
    on(monkeypatch)
    config = RunConfig(model=ModelConfig(base=str(base), engine=Engine.AUTO))
    with caplog.at_level(logging.INFO):
        assert with_engine(config).model.engine == Engine.VLLM
    assert "--model.engine auto takes vllm: it is installed" in caplog.text
    named = RunConfig(model=ModelConfig(base=str(base), engine=Engine.HF))
    assert with_engine(named) is named


def test_a_run_keeps_the_engine_that_it_was_begun_with(monkeypatch, base, tmp_path, caplog):
    on(monkeypatch, vllm=False)
    run = tmp_path / "run"
    words = ["pretrained", "--model.base", str(base), "--run-dir", str(run), "--sft.lora-rank", "None"]
    begun = parse("", RunConfig, words)
    assert begun.model.engine == Engine.HF
    run.mkdir()
    (run / "config.json").write_text(json.dumps(settings_of(begun)))
    on(monkeypatch)  # vLLM was installed since
    with caplog.at_level(logging.INFO):
        assert parse("", RunConfig, words).model.engine == Engine.HF
    assert "auto takes hf: this run was begun with it" in caplog.text
    assert parse("", RunConfig, ["--run-dir", str(run)]).model.engine == Engine.HF
    assert parse("", RunConfig, [*words, "--run-dir", str(tmp_path / "other")]).model.engine == Engine.VLLM


def test_presets_for_pretrained_models_take_the_faster_engine_and_small_ones_transformers():
    engines = {name: preset.config.model.engine for name, preset in PRESETS.items()}
    assert {engines[name] for name in ("pretrained", "qwen3-4b", "smollm3-3b")} == {Engine.AUTO}
    assert {engines[name] for name in ("tiny", "svamp", "unified", "defaults")} == {Engine.HF}
    auto = replace(PRESETS["tiny"].config, model=ModelConfig(engine=Engine.AUTO))
    assert with_engine(auto).model.engine == Engine.HF
