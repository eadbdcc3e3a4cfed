"""Rough sizes of a run's stages, against ones worked out by hand."""

from dataclasses import replace

import pytest
from small_run import CONFIG

from lumos_rl.runs.estimate import Estimates, Sketch
from lumos_rl.runs.job import Job


def test_copies_are_counted_and_not_made():
    data = replace(CONFIG.data, resample=6)
    sketch = Sketch(Job(replace(CONFIG, data=data)))
    assert len(sketch.bare.annotated) == 4 and len(sketch.job.training.annotated) <= 8
    exact = len(Job(replace(CONFIG, data=data)).taught_rows)
    assert sketch.conversations == pytest.approx(exact, rel=0.3)
    told = Estimates(sketch).sft(CONFIG.sft, exact)  # two steps of four conversations
    assert "tokens" in told and "GiB" in told and "about 1 s" in told
