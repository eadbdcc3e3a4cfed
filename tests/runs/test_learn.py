"""Training the modules of a run: one model that is both, or one each."""

import importlib
from dataclasses import replace

import pytest
from small_run import CONFIG, SFT, explored, fine_tune, half, play_gold
from tiny_model import create_adapter

from lumos_rl.core import Module
from lumos_rl.data.rows import preference_pairs
from lumos_rl.errors import DataError
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.prompts import COMPACT_PROFILE, PromptProfile
from lumos_rl.runs.config import Modules
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.summary import write_summary


def test_separate_modules_are_trained_each_on_its_own_rows(tmp_path):
    config = replace(CONFIG, model=replace(CONFIG.model, modules=Modules.SEPARATE))
    config = replace(config, sft=replace(SFT, lora_rank=2))
    with RunFolder(tmp_path / "run", config) as run:
        report = fine_tune(run)
        assert (report["planner_steps"], report["grounder_steps"], report["rows"]) == (2, 2, 8)
        assert report["planner_tokens"] != report["grounder_tokens"]
        for name in ("planner", "grounder"):
            assert (run.checkpoint("sft") / name / "adapter_config.json").is_file()
        assert PromptProfile.load(run.checkpoint("sft")) == COMPACT_PROFILE
        job = Job(config)
        rows = job.annotated_rows(job.training.annotated)
        again = job.learner(run).sft("rs-1", run.checkpoint("sft"), rows, SFT)
        assert (again["planner_steps"], again["grounder_steps"]) == (2, 2)
        write_summary(run, [], 1.0)
    policy = HFPolicy.load(tmp_path / "run" / "checkpoints" / "rs-1", device="cpu")
    assert len({id(model) for model in policy._models.values()}) == 1  # two adapters on one base
    policy.close()


@pytest.fixture
def separate(tiny_base, tmp_path):
    """A run with a model for each module, and pairs of the grounder only."""
    run = RunFolder(tmp_path / "run", replace(CONFIG, model=replace(CONFIG.model, modules=Modules.SEPARATE)))
    for seed, name in enumerate(("planner", "grounder")):
        create_adapter(tiny_base, run.checkpoint("sft") / name, seed)
    tasks = explored(CONFIG)[:1]
    play_gold(run, tasks, CONFIG.rollout, "sft", TRAJECTORIES, half)
    played = Job(run.config).player(run).played("sft", tasks, CONFIG.rollout, TRAJECTORIES)
    return run, preference_pairs(played)


def test_a_module_that_was_trained_is_not_trained_again(separate, monkeypatch):
    run, pairs = separate
    job = Job(run.config)
    learner, start, dpo = job.learner(run), run.checkpoint("sft"), run.config.dpo_training
    rows = job.annotated_rows(job.training.annotated)
    both = [replace(pair, module=module, id=f"{module}-{pair.id}") for pair in pairs for module in Module]
    for stage, train, learn in (
        ("rs-1", "lumos_rl.training.sft.train_sft", lambda: learner.sft("rs-1", start, rows, SFT)),
        ("dpo-1", "lumos_rl.training.dpo.train_dpo", lambda: learner.dpo("dpo-1", start, both, dpo)),
    ):
        trained, module, name = [], *train.rpartition(".")[::2]
        real = getattr(importlib.import_module(module), name)

        def once(start, wanted, out, *rest, real=real, trained=trained, **options):
            trained.append(out.name)
            if trained == ["planner", "grounder"]:
                raise KeyboardInterrupt
            return real(start, wanted, out, *rest, **options)

        monkeypatch.setattr(train, once)
        with pytest.raises(KeyboardInterrupt):
            learn()
        report = learn()
        assert trained == ["planner", "grounder", "grounder"]
        assert (report["planner_steps"], report["grounder_steps"]) == (2, 2)
        HFPolicy.load(run.checkpoint(stage), device="cpu").close()


def test_conversations_of_one_module_alone_train_nothing(separate):
    run, _ = separate
    job = Job(run.config)
    rows = [row for row in job.annotated_rows(job.training.annotated) if row.module == "planner"]
    with pytest.raises(DataError, match="of the grounder to learn, got none in 4 rows"):
        job.learner(run).sft("rs-1", run.checkpoint("sft"), rows, SFT)
    assert not run.checkpoint("rs-1").exists()


def test_a_module_without_pairs_stays_as_it_is(separate):
    run, pairs = separate
    report = Job(run.config).learner(run).dpo("dpo-1", run.checkpoint("sft"), pairs, run.config.dpo_training)
    assert (report["planner_steps"], report["grounder_steps"], report["pairs_by_module"]) == (0, 2, {"grounder": 1})

    def weights(stage, module):
        return (run.checkpoint(stage) / module / "adapter_model.safetensors").read_bytes()

    assert weights("dpo-1", "planner") == weights("sft", "planner")
    assert weights("dpo-1", "grounder") != weights("sft", "grounder")
    HFPolicy.load(run.checkpoint("dpo-1"), device="cpu").close()


def test_no_pairs_at_all_are_an_error_where_nothing_else_is_asked_for(separate):
    run, _ = separate
    with pytest.raises(DataError, match="got 0 pairs"):
        Job(run.config).learner(run).dpo("dpo-1", run.checkpoint("sft"), [], run.config.dpo_training)
