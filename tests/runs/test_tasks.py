"""Which tasks a run learns, explores and is tested on."""

import json
from dataclasses import replace

import pytest
from tiny_shop import record, write_files

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.overlap import HeldOut
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, RunConfig
from lumos_rl.runs.examples import test_examples as examples_of
from lumos_rl.runs.refine_settings import PreferenceConfig, Refine, RefineConfig, RejectionConfig
from lumos_rl.runs.steps import refine_steps
from lumos_rl.runs.tasks import (
    resampled,
    train_sources,
    training_tasks,
    validation_tasks,
)
from lumos_rl.runs.tasks import test_sources as sources_tested
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on


def test_task_types_stand_for_their_built_in_suites():
    assert train_sources(DataConfig(suites="math, qa")) == (
        "gsm8k=synthetic",
        "hotpotqa=synthetic",
        "strategyqa=synthetic",
    )
    assert train_sources(DataConfig()) == sources_tested(DataConfig()) == ("gsm8k=synthetic",)
    with pytest.raises(UnknownNameError, match=r"task type.*maths.*math"):
        train_sources(DataConfig(suites="maths"))


def test_every_task_type_gives_tasks_to_learn_and_to_be_tested_on():
    words = list(dict.fromkeys(each.group or each.name for each in task_types.every() if each.suite is not None))
    config = DataConfig(suites=",".join(words), annotated=2, explore=1, test_tasks=1)
    tasks = training_tasks(config, seed=0)
    suites = [name for word in words for name in task_types.suites(word)]
    assert [task.benchmark for task in tasks.annotated] == [name for name in suites for _ in range(2)]
    assert [task.benchmark for task in tasks.explore] == suites
    assert all(task.subgoals for task in tasks.annotated) and not any(task.subgoals for task in tasks.explore)
    assert [task.benchmark for task in tasks_to_test_on(config)] == suites


def test_a_held_out_suite_is_tested_and_not_learned():
    config = DataConfig(suites="math", held_out="sql", annotated=2, explore=1, test_tasks=1, examples=2)
    assert {task.benchmark for task in training_tasks(config, 0).annotated} == {"gsm8k"}
    assert [task.benchmark for task in tasks_to_test_on(config)] == ["gsm8k", "intercode_sql"]
    assert list(examples_of(config)) == ["intercode_sql"]
    assert examples_of(config)["intercode_sql"] == synthetic_tasks("intercode_sql", "train", 2)
    assert examples_of(replace(config, examples=0)) == {}


def test_each_split_of_a_built_in_suite_has_its_own_tasks():
    config = DataConfig(suites="qa", test_split="test,unseen", test_tasks=2)
    tasks = tasks_to_test_on(config)
    assert [(task.benchmark, task.split) for task in tasks] == [
        (name, split) for name in ("hotpotqa", "strategyqa") for split in ("test", "unseen") for _ in range(2)
    ]
    assert all(task.meta["template"] for task in tasks if task.split == "unseen")


def test_a_file_has_no_split_of_unseen_templates(tmp_path, caplog):
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "What is 1 + 1?", "answer": "<<1+1=2>>\n#### 2"}))
    data = DataConfig(str(tmp_path), test=("gsm8k=test.jsonl",), test_split=("test", "unseen"))
    with caplog.at_level("INFO"):
        assert len(tasks_to_test_on(data)) == 1
    assert "test.jsonl has no split unseen: it is tested on test" in caplog.text
    with pytest.raises(
        ConfigError, match=r"a split of gsm8k=.*test\.jsonl as --data\.test-split, got unseen, which bui"
    ):
        tasks_to_test_on(replace(data, test_split=("unseen",)))


def test_training_tasks_of_a_synthetic_source_are_not_explored_twice():
    config = DataConfig(annotated=4, explore=3, test_tasks=3)
    tasks = training_tasks(config, 0)
    assert (len(tasks.annotated), len(tasks.explore), tasks.rejected) == (4, 3, 0)
    assert all(task.subgoals for task in tasks.annotated) and not any(task.subgoals for task in tasks.explore)
    assert not {task.id for task in tasks.annotated} & {task.id for task in tasks.explore}
    assert [task.split for task in tasks_to_test_on(config)] == ["test"] * 3


def test_copies_with_new_numbers_are_no_test_problems():
    config = DataConfig(annotated=60, resample=12, explore=0)
    kinds = {task.id: task.meta["kind"] for task in synthetic_tasks("gsm8k", "train", 60)}

    def key(task):  # a copy's id is that of its task with ~ and its number
        return kinds.get(task.id.partition("~")[0]) or task.meta["kind"], [
            a.args for s in task.subgoals for a in s.actions
        ]

    copies = [task for task in training_tasks(config, 0).annotated if "~" in task.id]
    tested = [key(task) for split in ("dev", "test") for task in synthetic_tasks("gsm8k", split)]
    assert len(copies) > 600
    assert not [task.id for task in copies if key(task) in tested]


def test_copies_are_no_validation_problems_of_what_is_learned(monkeypatch):
    chosen_by = synthetic_tasks("gsm8k", "dev", 320)
    monkeypatch.setattr(task_types.TaskType, "get_resampler", lambda self: lambda task, copies, seed: [task])
    config = DataConfig(test=("svamp=SVAMP.json",), validation_tasks=320)
    assert resampled(chosen_by, 1, config, 0, HeldOut()) == []
    elsewhere = replace(config, train=("gsm8k=train.jsonl",))
    assert resampled(chosen_by, 1, elsewhere, 0, HeldOut()) == chosen_by
    assert resampled(chosen_by, 1, elsewhere, 0, HeldOut(chosen_by[1:])) == chosen_by[:1]  # by text, of any source


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("gsm8k", ConfigError, "BENCHMARK=WHERE, e.g. gsm8k=synthetic, got 'gsm8k'"),
        ("gsm8q=synthetic", UnknownNameError, "Known: gsm8k, hotpotqa, "),
        ("gsm8k=nowhere.jsonl", MissingFileError, "nowhere.jsonl"),
    ],
)
def test_a_source_that_cannot_be_read_says_what_was_expected(source, error, says):
    with pytest.raises(error, match=says):
        training_tasks(DataConfig(train=(source,)), 0)


def test_validation_tasks_of_a_file_are_not_learned(tmp_path):
    records = [
        {"question": f"What is {n} + 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"}
        for n in range(6)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    data = DataConfig(train=(f"gsm8k={path}",), annotated=None, explore=None, validation_tasks=2)
    learned = {task.id for task in training_tasks(data, 0).explore}
    chosen_by = {task.id for task in validation_tasks(data)}
    assert len(learned) == 4 and len(chosen_by) == 2 and not learned & chosen_by


def test_more_validation_tasks_than_a_file_has_are_refused(tmp_path):
    lines = [
        json.dumps({"question": f"What is 1 + {n}?", "answer": f"<<1+{n}={n + 1}>>\n#### {n + 1}"}) for n in range(4)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    config = DataConfig(train=("gsm8k=train.jsonl",), folder=str(tmp_path), annotated=None, explore=None)
    assert len(training_tasks(replace(config, validation_tasks=3), 0).explore) == 1
    with pytest.raises(ConfigError, match=r"more than data\.validation_tasks=4 .* in gsm8k=.*train\.jsonl, got 4"):
        training_tasks(replace(config, validation_tasks=4), 0)


@pytest.mark.parametrize(
    "data",
    [
        DataConfig(test=("gsm8k=synthetic", "gsm8k=test.jsonl")),
        DataConfig(test=("svamp=synthetic", "mawps=dev.csv")),
        DataConfig(suites="math,sql", held_out="sql"),
    ],
)
def test_two_test_sources_of_one_benchmark_are_refused(data):
    with pytest.raises(ConfigError, match=r"several of (gsm8k|svamp|intercode_sql), whose scores would mix"):
        tasks_to_test_on(data)


def test_training_data_of_a_benchmark_is_tested_on_in_its_environment(tmp_path):
    (tmp_path / "dev.csv").write_text("Question,Numbers,Equation,Answer\nTom has number0 nuts .,3,number0,3.0\n")
    (task,) = tasks_to_test_on(DataConfig(test=("mawps=dev.csv",), folder=str(tmp_path), test_split=("dev",)))
    assert task.benchmark == "svamp"


def test_what_is_tested_of_a_source_without_splits_is_not_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMOS_RL_CACHE", str(tmp_path / "cache"))
    write_files(tmp_path)
    source = (f"webshop={tmp_path}",)
    data = DataConfig(train=source, test=source, annotated=None, explore=None, test_tasks=2)
    every = [task.id for task in tasks_to_test_on(replace(data, test_tasks=None))]
    assert [task.id for task in tasks_to_test_on(data)] == every[:2]
    assert sorted(task.id for task in training_tasks(data, 0).explore) == sorted(every[2:])
    with_validation = replace(data, validation_tasks=1)
    (chosen_by,) = [task.id for task in validation_tasks(with_validation)]
    learned = [task.id for task in training_tasks(with_validation, 0).explore]
    assert chosen_by in every[2:] and sorted([chosen_by, *learned]) == sorted(every[2:])
    other = tmp_path / "other"
    other.mkdir()
    wanted = {"attributes": ["soft"], "instruction_attributes": ["soft"]}
    chairs = {f"C{number}": wanted | {"instruction": f"Find me chair {number}"} for number in range(3)}
    write_files(other, [record(asin) for asin in chairs], chairs)
    elsewhere = replace(data, train=(f"webshop={other}",))
    assert len(training_tasks(elsewhere, 0).explore) == 3  # with the same ids, and other tasks
    with pytest.raises(ConfigError, match="got 0 besides the test tasks"):
        training_tasks(replace(data, test_tasks=None), 0)


TASKS = [Task(f"{name}{number}", name, "", "1") for name, count in (("a", 5), ("b", 3)) for number in range(count)]


CONFIG = RunConfig(rollout=RolloutConfig(samples=2), refine=RefineConfig(steps=(Refine.RS, Refine.DPO), iterations=2))


def tried(rs, dpo):
    config = replace(CONFIG, refine=replace(CONFIG.refine, rs=RejectionConfig(**rs), dpo=PreferenceConfig(**dpo)))
    steps = refine_steps(config, TASKS)
    assert [step.version for step in steps] == ["rs-1", "dpo-2", "rs-3", "dpo-4"]
    assert [step.kind for step in steps] == [Refine.RS, Refine.DPO] * 2
    return [(" ".join(task.id for task in step.explore), step.rollout.samples) for step in steps]


def test_steps_try_all_tasks_unless_told_otherwise():
    assert tried({}, {}) == [("a0 a1 a2 a3 a4 b0 b1 b2", 2)] * 4


def test_steps_take_tasks_of_each_benchmark_in_turn_and_begin_anew_at_the_end():
    assert tried({"tasks": 2, "samples": 1}, {"tasks": 1, "samples": 4}) == [
        ("a0 a1 b0 b1", 1),
        ("a2 b2", 4),
        ("a3 a4 b0 b1", 1),
        ("a0 b2", 4),
    ]


def test_a_step_that_tries_all_leaves_the_turn_to_the_others():
    assert [names for names, _ in tried({}, {"tasks": 2})] == [
        "a0 a1 a2 a3 a4 b0 b1 b2",
        "a0 a1 b0 b1",
        "a0 a1 a2 a3 a4 b0 b1 b2",
        "a2 a3 b2 b0",
    ]


def test_no_task_is_tried_twice_by_one_step():
    assert tried({"tasks": 4}, {"tasks": 9})[:2] == [("a0 a1 a2 a3 b0 b1 b2", 2), ("a4 a0 a1 a2 a3 b1 b2 b0", 2)]
