"""What training takes and what there is, with figures worked out by hand."""

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.runs import memory
from lumos_rl.runs.memory import (
    KNOWN,
    Shape,
    available_bytes,
    check_memory,
    fixed_bytes,
    memory_line,
    scratch_shape,
    shape_of,
    training_bytes,
)
from lumos_rl.training.settings import DPOSettings, ScratchSettings, SFTSettings

LLAMA_2_7B = Shape(32000, 4096, 32, 32, 11008, 4096, tied=False)


def test_weights_of_known_models_are_counted():
    assert pytest.approx(6.738e9, rel=1e-3) == LLAMA_2_7B.weights  # Touvron et al. 2023
    assert LLAMA_2_7B.adapter(64) == 159_907_840  # as PEFT counts them for all linear layers
    weights = {name: shape.weights for name, shape in KNOWN.items()}
    assert weights == pytest.approx(  # their model cards
        {"Qwen/Qwen3-4B-Instruct-2507": 4.02e9, "HuggingFaceTB/SmolLM3-3B": 3.08e9}, rel=5e-3
    )


def test_the_shape_of_a_folder_is_that_of_its_config_with_heads_of_any_width(tiny_base, tmp_path):
    from transformers import Qwen3Config

    from lumos_rl.policies.checkpoints import load_model

    shape = shape_of(tiny_base)
    assert shape == scratch_shape(ScratchSettings(vocabulary=shape.vocabulary, hidden=32, layers=2, heads=2))
    counted = sum(weight.numel() for weight in load_model(tiny_base).parameters())
    assert counted - shape.weights == 5 * 32  # of normalisation
    Qwen3Config(hidden_size=64, head_dim=32, num_attention_heads=4, num_key_value_heads=2).save_pretrained(tmp_path)
    wide = shape_of(tmp_path)
    assert (wide.queries, wide.key_value) == (128, 64)
    assert replace(wide, layers=1, vocabulary=0).weights == 2 * 64 * (128 + 64) + 3 * 64 * wide.feedforward
    assert replace(wide, layers=1).adapter(2) == 2 * (2 * (64 + 128) + 2 * (64 + 64) + 3 * (64 + wide.feedforward))


def test_a_known_model_has_a_shape_where_the_hub_is_out_of_reach():
    assert shape_of("Qwen/Qwen3-4B-Instruct-2507").hidden == 2560
    with pytest.raises(MissingFileError):
        shape_of("nobody/nothing")


def test_memory_of_all_weights_and_of_an_adapter():
    tiny = replace(LLAMA_2_7B, vocabulary=1, hidden=10, layers=1, heads=1, feedforward=10, key_value=10, tied=True)
    assert tiny.weights == 4 * 100 + 300 + 10
    settings = SFTSettings(batch_size=1, max_length=2)
    # Weights, gradients and two moments; 34 numbers of the width at 2 bytes; logits, twice.
    assert training_bytes(tiny, settings) == 16 * 710 + 2 * 17 * 10 * 4 + 2 * 4 * 2
    assert fixed_bytes(tiny, DPOSettings()) == 20 * 710  # its reference is a copy
    large = SFTSettings(batch_size=8, dtype="bfloat16", gradient_checkpointing=True, lora_rank=64)
    assert fixed_bytes(LLAMA_2_7B, large) == 2 * LLAMA_2_7B.weights + 16 * 159_907_840
    assert 15e9 < training_bytes(LLAMA_2_7B, large) < 40e9  # it fits on one GPU of 80 GB


@pytest.mark.parametrize("gpu", [False, True])
def test_a_cpu_keeps_activations_of_a_piece_of_the_batch(monkeypatch, gpu):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    tiny = replace(LLAMA_2_7B, vocabulary=1, hidden=10, layers=1, heads=1, feedforward=10, key_value=10, tied=True)
    bytes_per_token = 17 * 10 * 4 + 2 * 4 * 1

    def kept(settings):
        return (training_bytes(tiny, settings) - fixed_bytes(tiny, settings)) / bytes_per_token

    assert kept(SFTSettings(batch_size=16, max_length=256)) == (4096 if gpu else 1024)
    assert kept(SFTSettings(batch_size=2, max_length=256)) == 512
    assert kept(SFTSettings(batch_size=2, max_length=2000)) == (4000 if gpu else 2000)  # no row is cut
    assert kept(DPOSettings(batch_size=2, max_length=2000)) == (8000 if gpu else 4000)


@pytest.fixture
def free(monkeypatch):
    """`free(bytes)` is what this machine has from then on."""
    return lambda count: monkeypatch.setattr(memory, "available_bytes", lambda: (float(count), "this machine"))


def test_training_is_refused_where_its_weights_alone_do_not_fit(tiny_base, free):
    shape, settings = shape_of(tiny_base), SFTSettings()
    free(16 * shape.weights - 1)
    with pytest.raises(ConfigError, match=r"optimizer alone, got 0\.0 GiB free on this machine; train adapters \(--s"):
        check_memory(tiny_base, settings)
    with pytest.raises(ConfigError, match=r"on this machine; take a smaller --model\.base"):
        free(100)
        check_memory(tiny_base, replace(settings, lora_rank=4))


def test_training_that_may_not_fit_is_warned_of_with_what_to_lower(tiny_base, free, caplog):
    shape, settings = shape_of(tiny_base), SFTSettings()
    free(training_bytes(shape, settings))
    with caplog.at_level(logging.WARNING, "lumos_rl"):
        check_memory(tiny_base, settings)
        assert not caplog.messages
        free(training_bytes(shape, settings) - 1)
        check_memory(tiny_base, settings)
    (said,) = caplog.messages
    assert "with rows of 1024 tokens" in said and "a smaller --sft.batch-size" in said and "max-length" in said
    told, fits = memory_line(shape, replace(settings, gradient_checkpointing=True, lora_rank=2))
    assert fits and "if rows are that long" not in told


def test_a_container_and_a_gpu_have_limits_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    real = Path.read_text
    own = "4:memory:/job\n0::/job\n"
    monkeypatch.setattr(
        Path, "read_text", lambda path, **rest: own if path == Path("/proc/self/cgroup") else real(path, **rest)
    )
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=9000)))
    assert available_bytes() == (9000.0, "this machine")
    for folder, limit, used, numbers in (
        ("cgroup/job", "memory.max", "memory.current", ("5000", "4000")),
        ("cgroup/memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes", ("6000", "100")),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / limit).write_text(numbers[0])
        (tmp_path / folder / used).write_text(numbers[1])
        (tmp_path / folder / "memory.stat").write_text("anon 7\ninactive_file 300\n")
    assert available_bytes() == (1300.0, "this machine")  # 5000 - 4000, and 300 of files that can be dropped
    (tmp_path / "cgroup/job/memory.max").write_text("max")
    assert available_bytes() == (6200.0, "this machine")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (77, 80))
    assert available_bytes() == (77.0, "the first GPU")
