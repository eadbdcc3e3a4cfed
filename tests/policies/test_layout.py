from tiny_model import SHAPE

from lumos_rl.core import Module
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.layout import combine
from lumos_rl.training.scratch import create_scratch_model


def test_modules_of_two_checkpoints_make_a_third(tmp_path):
    first = tmp_path / "first"
    for seed, name in enumerate(("old", "new")):
        create_scratch_model(["Plan: add 1 and 2", "R1 = Calculator(1 + 2)"], first / name, SHAPE, seed)
    for _ in range(2):  # made again, it is the same
        combine(first / "mixed", {Module.PLANNER: first / "old", Module.GROUNDER: first / "new"})
    moved = first.rename(tmp_path / "moved")
    assert HFPolicy.load(moved / "mixed").version == "mixed"
    assert (moved / "mixed" / "planner").resolve() == moved / "old"
    assert (moved / "mixed" / "grounder").resolve() == moved / "new"
