"""Rough sizes of a run's stages, against ones worked out by hand."""

from dataclasses import replace

import pytest
from small_run import CONFIG

from lumos_rl.runs.estimate import Estimates, Shape, Sketch, training_bytes
from lumos_rl.runs.job import Job
from lumos_rl.training.settings import SFTSettings

LLAMA_2_7B = Shape(32000, 4096, 32, 32, 11008, 4096, tied=False)


def test_weights_of_a_known_model_are_counted():
    assert pytest.approx(6.738e9, rel=1e-3) == LLAMA_2_7B.weights  # Touvron et al. 2023
    assert LLAMA_2_7B.adapter(64) == 159_907_840  # as PEFT counts them for all linear layers


def test_memory_of_all_weights_and_of_an_adapter():
    tiny = replace(LLAMA_2_7B, vocabulary=1, hidden=10, layers=1, heads=1, feedforward=10, key_value=10, tied=True)
    assert tiny.weights == 4 * 100 + 300 + 10
    settings = SFTSettings(batch_size=1, max_length=2)
    # Weights, gradients and two moments; 34 numbers of the width and 5 attention maps at 2 bytes; logits, twice.
    assert training_bytes(tiny, settings) == 16 * 710 + 2 * (17 * 10 + 2.5 * 2) * 4 + 2 * 4 * 2
    large = SFTSettings(batch_size=8, dtype="bfloat16", gradient_checkpointing=True, lora_rank=64)
    assert 15e9 < training_bytes(LLAMA_2_7B, large) < 40e9  # it fits on one GPU of 80 GB


def test_copies_are_counted_and_not_made():
    data = replace(CONFIG.data, resample=6)
    sketch = Sketch(Job(replace(CONFIG, data=data)))
    assert len(sketch.bare.annotated) == 4 and len(sketch.job.training.annotated) <= 8
    exact = len(Job(replace(CONFIG, data=data)).taught_rows)
    assert sketch.conversations == pytest.approx(exact, rel=0.3)
    told = Estimates(sketch).sft(CONFIG.sft, exact)  # two steps of four conversations
    assert "tokens" in told and "GiB" in told and "about 1 s" in told
