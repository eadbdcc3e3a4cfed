import pytest
from small_run import CONFIG

from lumos_rl.errors import DataError, MissingFileError
from lumos_rl.recipes.dpo import DPORecipeConfig, main
from lumos_rl.runs.job import Job


def test_preferences_need_a_policy_and_its_episodes(run):
    with pytest.raises(MissingFileError, match=r"expected a trained model in .*rs-9"):
        main(Job(CONFIG), run, DPORecipeConfig(CONFIG, "rs-9"))
    with pytest.raises(DataError, match=r"expected episodes of 'sft'.*lumos_rl\.recipes\.collect --run-dir"):
        main(Job(CONFIG), run, DPORecipeConfig(CONFIG, "sft"))
