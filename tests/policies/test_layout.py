import pytest
from tiny_model import SHAPE

from lumos_rl.core import Module
from lumos_rl.errors import MissingFileError
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.layout import Layout, combine, require_folder
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


@pytest.mark.parametrize("where", ["./model", "../model", "/nowhere/model", "runs/tiny-0/checkpoints/sft", "~/model"])
def test_a_path_that_is_not_there_is_not_taken_for_a_name_on_the_hub(where):
    with pytest.raises(MissingFileError, match=r"expected a model or adapter in the folder .*: not there"):
        Layout.of(where)
    require_folder("meta-llama/Llama-2-7b-hf")
    require_folder("gpt2")
