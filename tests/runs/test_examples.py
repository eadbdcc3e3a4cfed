"""Annotated tasks that test episodes start with."""

import json
from dataclasses import replace

import pytest

from lumos_rl import task_types
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import DataConfig, EvaluateSettings, ModelConfig, RunConfig
from lumos_rl.runs.examples import test_examples as examples_of
from lumos_rl.runs.job import Job


def record(number, answer=None):
    worked = f"{number} + 1 = <<{number}+1={number + 1}>>{number + 1}\n#### {number + 1}"
    return {"question": f"Tom has {number} pens and buys one. How many has he?", "answer": answer or worked}


@pytest.fixture
def gsm8k(tmp_path):
    """A folder of GSM8K: of its training problems one is tested too, and one has a solution without steps."""
    train = [record(5), record(6, "It is so.\n#### 7"), record(7), record(8)]
    for name, rows in (("train", train), ("test", [record(5), record(9)])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_they_are_of_the_training_split_of_the_tested_files(gsm8k, caplog):
    config = DataConfig(test=(f"gsm8k={gsm8k}",), examples=3)
    with caplog.at_level("INFO"):
        (found,) = examples_of(config, everywhere=True).values()
    assert sorted(task.subgoals[0].actions[0].args for task in found) == ["7 + 1", "8 + 1"]  # there are no three
    assert f"2 examples before each episode of gsm8k, from gsm8k={gsm8k}" in caplog.text
    assert examples_of(config, everywhere=True) == {"gsm8k": found}
    assert examples_of(config) == {} == examples_of(replace(config, examples=0), everywhere=True)


def test_a_benchmark_without_a_training_split_has_those_of_the_runs_training_sources(tmp_path):
    row = {"ID": "1", "Body": "Dan had 4 dollars and spent 3.", "Question": "How many are left?", "Answer": "1"}
    tests = [row | {"Equation": "( 4.0 - 3.0 )", "Type": "Subtraction"}]
    (tmp_path / "SVAMP.json").write_text(json.dumps(tests))
    asked = "Ann has number0 cats and number1 dogs . How many pets has she ?"
    (tmp_path / "train.csv").write_text(f"Question,Numbers,Equation,Answer\n{asked},2 3,+ number0 number1,5.0\n")
    files = (f"mawps={tmp_path / 'train.csv'}",), (f"svamp={tmp_path / 'SVAMP.json'}",)
    config = DataConfig(train=files[0], test=files[1], examples=1)
    ((name, (task,)),) = examples_of(config, everywhere=True).items()
    assert (name, task.benchmark, task.subgoals[0].actions[0].args) == ("svamp", "svamp", "2 + 3")


def test_a_tested_file_gives_none_so_they_are_of_the_built_in_suite(gsm8k):
    config = DataConfig(test=(f"gsm8k={gsm8k / 'test.jsonl'}", "strategyqa=synthetic"), test_tasks=1, examples=1)
    found = examples_of(config, everywhere=True)
    assert found == {name: synthetic_tasks(name, "train", 1) for name in ("gsm8k", "strategyqa")}


def test_without_a_training_split_and_a_suite_there_are_none_to_give(gsm8k, monkeypatch):
    monkeypatch.setattr(task_types, "_added", {})
    mine = replace(task_types.get("gsm8k"), name="mine", env_id="my/Mine-v0", suite=None, unseen=False)
    task_types.register(mine)
    config = DataConfig(test=(f"mine={gsm8k / 'test.jsonl'}",), examples=1)
    with pytest.raises(ConfigError, match=r"tasks of mine for --data\.examples 1 in mine=.*built-in suite"):
        examples_of(config, everywhere=True)


def test_the_base_model_gets_them_and_what_is_trained_does_not():
    data = DataConfig(suites="math", held_out="sql", test_tasks=1, examples=1)
    job = Job(RunConfig(data=data, model=ModelConfig(base="org/model")))
    assert [*job.examples("base")] == ["gsm8k", "intercode_sql"]
    assert [*job.examples("sft")] == [*job.examples("rs-1")] == ["intercode_sql"]


def test_examples_that_no_episode_would_get_are_refused():
    config = RunConfig(data=DataConfig(examples=1), model=ModelConfig(base="org/model"))
    Job(config).check_trainable()
    for changed in (
        replace(config, model=ModelConfig()),  # a base from scratch has learned nothing that examples could help
        replace(config, evaluate=EvaluateSettings(also=())),
    ):
        with pytest.raises(ConfigError, match=r"held-out, or a pretrained base that is tested .*got neither"):
            Job(changed).check_trainable()
