"""What a run is resolved to: the conversations that it learns, and whether it can be trained."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from lumos_rl.data.overlap import key
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, DataError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, EvaluateSettings, ModelConfig, Modules, RunConfig
from lumos_rl.runs.job import Job
from lumos_rl.runs.refine_settings import PreferenceConfig, RefineConfig
from lumos_rl.runs.tasks import (
    training_tasks,
)

CONFIG = RunConfig(
    data=DataConfig(
        suites=("math", "webshop", "sql"), annotated=10, explore=0, test_tasks=20, validation_tasks=5, rename=2
    ),
    model=ModelConfig(profile="compact"),
)


def test_every_benchmark_but_math_has_renamed_copies():
    job = Job(CONFIG)
    rows, plain = job.taught_rows, job.annotated_rows(job.training.annotated)
    assert rows[: len(plain)] == plain
    copies = Counter(row.benchmark for row in rows[len(plain) :])
    assert set(copies) == {"webshop", "intercode_sql"}
    assert all(30 <= count <= 2 * 2 * 10 for count in copies.values())  # two modules, two copies, ten tasks


def test_no_copies_without_being_asked_for():
    job = Job(replace(CONFIG, data=replace(CONFIG.data, rename=0)))
    assert job.taught_rows == job.annotated_rows(job.training.annotated)
    assert job.renamed_rows(job.taught_rows, 0) == []


def test_what_a_run_is_tested_on_or_chosen_by_is_held_out(monkeypatch):
    keys = set()
    monkeypatch.setattr(
        "lumos_rl.runs.job.renamed", lambda rows, copies, seed, held_out: keys.update(held_out.keys) or []
    )
    assert Job(CONFIG).renamed_rows([], 2) == []
    for benchmark in ("gsm8k", "webshop", "intercode_sql"):
        assert {key(task) for task in synthetic_tasks(benchmark, "test", 20)} <= keys
        assert {key(task) for task in synthetic_tasks(benchmark, "dev", 5)} <= keys


def annotated(config):
    job = Job(config)
    return job.annotated_rows(job.training.annotated)


def test_weights_say_how_often_annotations_are_learned():
    config = RunConfig(data=DataConfig(suites=("math", "sql"), annotated=40, explore=1, weights=("intercode_sql=2.5",)))
    rows = annotated(config)
    counts = {name: sum(row.benchmark == name for row in rows) for name in ("gsm8k", "intercode_sql")}
    assert counts["gsm8k"] == 80 and 160 < counts["intercode_sql"] < 240
    times = Counter((row.id, row.module) for row in rows if row.benchmark == "intercode_sql")
    assert set(times.values()) == {2, 3}
    none = replace(config, data=replace(config.data, weights=("gsm8k=0",)))
    assert {row.benchmark for row in annotated(none)} == {"intercode_sql"}
    assert rows == annotated(config)


def test_all_of_a_suite_without_end_cannot_be_learned():
    config = replace(CONFIG, data=DataConfig(annotated=None, explore=2))
    with pytest.raises(ConfigError, match=r"numbers as .* with gsm8k=synthetic, which has no end, got None and 2"):
        _ = Job(config).taught_rows


def test_something_has_to_be_learned():
    config = replace(CONFIG, data=DataConfig(annotated=0, explore=2))
    with pytest.raises(DataError, match=r"in gsm8k=synthetic or data\.chats, got none with data\.annotated=0"):
        _ = Job(config).taught_rows


def test_training_tasks_of_a_file_are_annotated_and_explored(tmp_path):
    good = {"question": "Tom has 3 pens and gets 2. How many?", "answer": "He has 3+2=<<3+2=5>>5.\n#### 5"}
    odd = {"question": "How many?", "answer": "Nobody knows.\n#### 5"}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (good, odd)))
    tasks = training_tasks(
        DataConfig(folder=str(tmp_path), train=("gsm8k=train.jsonl",), explore=None, annotated=None), 0
    )
    assert (len(tasks.annotated), len(tasks.explore), tasks.rejected) == (1, 2, 1)
    assert Job(CONFIG).annotated_rows(tasks.annotated)[1].messages[-1]["content"] == "R1 = Calculator(3 + 2)"


ITERATIVE = RunConfig(model=ModelConfig(modules=Modules.SEPARATE))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (replace(ITERATIVE, rollout=RolloutConfig("cot")), "modules shared, as cot has one module, got separate"),
        (replace(ITERATIVE, evaluate=EvaluateSettings(samples=3)), "got 3 in the 3 samples of evaluate at"),
        (
            replace(ITERATIVE, refine=RefineConfig(dpo=PreferenceConfig(samples=4))),
            "got 4 in the 4 samples of collect-for-dpo-2 at",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_done(settings, said):
    Job(ITERATIVE).check_trainable()
    with pytest.raises(ConfigError, match=said):
        Job(settings).check_trainable()
