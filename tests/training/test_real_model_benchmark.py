"""The yardstick for training speed does the same work as the product."""

import argparse
import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "real_model.py"


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("real_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    return module


def test_the_plain_loop_learns_what_the_product_learns(benchmark, tiny_base):
    options = argparse.Namespace(data=None, model=str(tiny_base), steps=3, dtype="float32", seed=0)
    ours, plain = benchmark.product(options), benchmark.plain(options)
    assert ours.tokens == plain.tokens > 1000
    assert ours.loss == pytest.approx(plain.loss, rel=1e-4)
    assert min(ours.seconds, plain.seconds, ours.cpu_seconds, plain.cpu_seconds) > 0


def test_the_clock_leaves_out_the_first_step(benchmark):
    clock = benchmark.Clock([5, 7, 11])
    for loss in (3.0, 2.0, 1.0):
        clock.step(loss)
    measured = clock.result()
    assert (measured.tokens, measured.loss) == (18, 2.0)
    assert measured.peak >= measured.resident > 10_000_000
