"""No test task is learned, whatever source it comes from and however it is written."""

import json
from dataclasses import replace

import pytest

from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import DataConfig, RunConfig
from lumos_rl.runs.job import Job
from lumos_rl.runs.presets import PRESETS
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on
from lumos_rl.runs.tasks import training_tasks, validation_tasks


def record(number, text="What is {} plus 1, in all?"):
    answer = f"{number} + 1 = <<{number}+1={number + 1}>>{number + 1}\n#### {number + 1}"
    return {"question": text.format(number), "answer": answer}


def write(path, records):
    path.write_text("".join(json.dumps(each) + "\n" for each in records))


def data(folder, **changes):
    whole = {"annotated": None, "explore": None, "test_tasks": None}
    return DataConfig(str(folder), train=("gsm8k=a.jsonl",), test=("gsm8k=b.jsonl",), **whole | changes)


@pytest.fixture
def copied(tmp_path):
    """A file of 20 tasks to learn, and its copy in other writing to be tested on."""
    write(tmp_path / "a.jsonl", [record(number) for number in range(20)])
    write(tmp_path / "b.jsonl", [record(number, "  WHAT is {} plus 1 - in all ?!") for number in range(20)])
    return tmp_path


def test_a_copy_of_the_training_file_is_no_test(copied):
    with pytest.raises(ConfigError, match=r"20 of 20 test tasks are learned too") as refused:
        training_tasks(data(copied), 0)
    said = str(refused.value)
    assert "'WHAT is 0 plus 1 - in all ?!' (gsm8k/train/0 is gsm8k/test/0)" in said
    assert "take them out of the training data, test on others, or give --data.allow-overlap" in said


@pytest.mark.parametrize("changes", [{"annotated": 0}, {"explore": 0}])
def test_tasks_to_explore_count_as_those_to_imitate_do(copied, changes):
    with pytest.raises(ConfigError, match="20 of 20 test tasks"):
        training_tasks(data(copied, **changes), 0)


def test_what_is_not_used_does_not_count(copied):
    config = data(copied, annotated=0, explore=3)
    used = [task.answer for task in training_tasks(replace(config, allow_overlap=True), 0).explore]
    write(copied / "b.jsonl", [record(number) for number in range(20) if str(number + 1) not in used])
    assert [task.answer for task in training_tasks(config, 0).explore] == used
    with pytest.raises(ConfigError, match="1 of 17 test tasks"):
        training_tasks(replace(config, explore=4), 0)


def test_overlap_that_is_allowed_is_told(copied, caplog):
    job = Job(RunConfig(data=data(copied, allow_overlap=True)))
    assert len(job.training.explore) == 20 and job.overlap == {"gsm8k": (20, 20)}
    assert "20 of 20 test tasks are learned too" in caplog.text
    write(copied / "b.jsonl", [record(number) for number in range(19, 39)])
    apart = Job(RunConfig(data=data(copied, allow_overlap=True)))
    assert apart.overlap == {"gsm8k": (1, 20)}
    write(copied / "b.jsonl", [record(number) for number in range(50, 60)])
    assert Job(RunConfig(data=data(copied, allow_overlap=True))).overlap == {}


def test_tasks_that_choose_the_policy_are_no_test_tasks(copied):
    with pytest.raises(ConfigError, match=r"2 of 20 test tasks are used for validation too"):
        validation_tasks(data(copied, validation_tasks=2))


def test_what_equals_a_validation_task_is_not_learned(copied, caplog):
    write(copied / "a.jsonl", [record(number) for number in (100, 101, 100, 101)])
    config = data(copied, validation_tasks=1)
    with caplog.at_level("INFO"):
        learned = training_tasks(config, 0).explore
    (chosen_by,) = validation_tasks(config)
    assert [task.answer for task in learned] == [{"101": "102", "102": "101"}[chosen_by.answer]] * 2
    assert "1 tasks equal one of validation and are left out" in caplog.text


def test_copies_with_other_numbers_that_equal_a_test_task_are_left_out(tmp_path, caplog):
    own = synthetic_tasks("gsm8k", "train", 3)
    config = DataConfig(str(tmp_path), annotated=3, explore=0, resample=20, test_tasks=None)
    copy = next(task for task in training_tasks(config, 0).annotated if "~" in task.id)
    write(tmp_path / "b.jsonl", [{"question": copy.instruction.upper(), "answer": "#### 1"}])
    with caplog.at_level("INFO"):
        found = training_tasks(replace(config, test=("gsm8k=b.jsonl",)), 0).annotated
    assert copy.id not in [task.id for task in found] and len(found) >= len(own)
    assert "copies equal tasks that are held out, and are not learned" in caplog.text


def test_conversations_of_test_tasks_are_refused(copied):
    chat = {"messages": [{"role": "user", "content": "Plan.\nTask: What is 7 plus 1, in all? Go."}]}
    chat["messages"].append({"role": "assistant", "content": "Subgoal 1: Add."})
    write(copied / "plan.jsonl", [chat | {"id": "mine/0", "dataset": "gsm8k"}])
    config = data(copied, chats=("planner=plan.jsonl",))
    with pytest.raises(ConfigError, match=r"1 of 20 test tasks are learned too.*\(mine/0 has gsm8k/test/7\)"):
        Job(RunConfig(data=config))._chats  # noqa: B018
    write(copied / "a.jsonl", [record(number) for number in range(50, 60)])
    job = Job(RunConfig(data=replace(config, allow_overlap=True)))
    assert job.overlap == {"gsm8k": (1, 20)}


def test_two_sources_of_one_benchmark_keep_their_tasks_apart(copied):
    write(copied / "b.jsonl", [record(900)])
    write(copied / "c.jsonl", [record(number) for number in (70, 71)])
    config = data(copied, explore=2, annotated=0)
    found = training_tasks(replace(config, train=("gsm8k=a.jsonl", "gsm8k=c.jsonl")), 0).explore
    assert len({task.id for task in found}) == 4 and not any("@2" in task.id for task in found[:2])
    assert sorted(task.id for task in found[2:]) == ["gsm8k/train/0@2", "gsm8k/train/1@2"]


@pytest.mark.parametrize("suite", ["math", "svamp", "qa", "mind2web"])
def test_built_in_suites_learn_no_test_task(suite):
    config = DataConfig(
        suites=suite, annotated=60, resample=0, explore=580, test_tasks=50, test_split=("test", "unseen")
    )
    assert training_tasks(replace(config, validation_tasks=20), 0).explore


def test_real_training_and_test_sets_share_no_task(benchmark_data):
    config = replace(PRESETS["svamp"].config.data, folder=str(benchmark_data("svamp").parent), resample=0)
    assert len(training_tasks(config, 0).annotated) > 3000 and len(tasks_to_test_on(config)) == 500
