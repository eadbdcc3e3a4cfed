"""Copies in the main job: what is learned beside annotated conversations and beside episodes that succeeded."""

from collections import Counter
from dataclasses import replace

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.recipes.config import DataConfig, ModelConfig, RunConfig
from lumos_rl.recipes.sft import annotated_rows, renamed_rows, taught_rows
from lumos_rl.recipes.tasks import held_out_texts, training_tasks

CONFIG = RunConfig(
    data=DataConfig(suites="math,webshop,sql", annotated=10, explore=0, test_tasks=20, validation_tasks=5, rename=2),
    model=ModelConfig(profile="compact"),
)


def test_every_benchmark_but_math_has_renamed_copies():
    tasks = training_tasks(CONFIG.data, seed=0)
    rows = taught_rows(CONFIG, tasks)
    plain = annotated_rows(CONFIG, tasks.annotated)
    assert rows[: len(plain)] == plain
    copies = Counter(row.benchmark for row in rows[len(plain) :])
    assert set(copies) == {"webshop", "intercode_sql"}
    assert all(30 <= count <= 2 * 2 * 10 for count in copies.values())  # two modules, two copies, ten tasks


def test_no_copies_without_being_asked_for():
    config = replace(CONFIG, data=replace(CONFIG.data, rename=0))
    tasks = training_tasks(config.data, seed=0)
    assert taught_rows(config, tasks) == annotated_rows(config, tasks.annotated)
    assert renamed_rows(config, taught_rows(config, tasks), 0) == []


def test_what_a_run_is_tested_on_or_chosen_by_is_held_out():
    texts = held_out_texts(CONFIG.data)
    for benchmark in ("gsm8k", "webshop", "intercode_sql"):
        assert {task.instruction for task in synthetic_tasks(benchmark, "test", 20)} <= texts
        assert {task.instruction for task in synthetic_tasks(benchmark, "dev", 5)} <= texts
