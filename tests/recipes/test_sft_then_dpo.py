from dataclasses import replace

import pytest
from small_run import CONFIG, explore_gold, half, never, play_gold

from lumos_rl.errors import ConfigError
from lumos_rl.recipes.sft_then_dpo import main
from lumos_rl.runs.config import Engine, ModelConfig, RunConfig
from lumos_rl.runs.folder import EVALUATION
from lumos_rl.runs.job import Job
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on


@pytest.mark.parametrize("engine", [Engine.OPENAI, Engine.SCRIPT])
def test_what_cannot_be_trained_is_refused_before_training(engine):
    config = RunConfig(model=ModelConfig(engine=engine))
    with pytest.raises(ConfigError, match=rf"got {engine.value}, which cannot be trained; test it with .*evaluate"):
        main(Job(config), None, config)


def test_swapped_modules_are_tested_both_ways(run):
    refine = replace(CONFIG.refine, steps=(Refine.RS,))
    run.config = replace(CONFIG, evaluate=replace(CONFIG.evaluate, also=("swap",)), refine=refine)
    explore_gold(run, run.config, "sft", half)
    for version in ("sft+rs-1", "rs-1+sft"):
        play_gold(run, tasks_to_test_on(CONFIG.data), CONFIG.test_rollout, version, EVALUATION, never)
    main(Job(run.config), run, run.config)
    assert (run.checkpoint("rs-1+sft") / "planner").resolve() == run.checkpoint("rs-1")
    assert (run.checkpoint("rs-1+sft") / "grounder").resolve() == run.checkpoint("sft")
    text = (run.path / "SUMMARY.md").read_text()
    assert "| sft+rs-1 | 0.0" in text and "| rs-1+sft | 0.0" in text
