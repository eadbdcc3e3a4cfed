"""Fixtures that more than one test folder needs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"  # beside the repository


@pytest.fixture
def benchmark_data() -> Callable[[str], Path]:
    """`benchmark_data("gsm8k/train.jsonl")` is the path of a real benchmark file or folder; the test skips without it.

    They are looked for in the folder that LUMOS_RL_DATA names, else in ../shared/data beside the repository.
    """
    folder = Path(os.environ.get("LUMOS_RL_DATA") or SHARED_DATA)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"no real benchmark data at {path}; set LUMOS_RL_DATA to a folder that has {name}")
        return path

    return find
