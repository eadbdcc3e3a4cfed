"""How the tasks of a file are divided: tests, annotated tasks, tasks to explore."""

import json
from dataclasses import replace

import pytest

from lumos_rl.core import Task
from lumos_rl.data.shuffled import shuffled, shuffled_by_place
from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on
from lumos_rl.runs.tasks import training_line, training_tasks, validation_tasks

DUMP = "".join(f"CREATE DATABASE `{name}`;\nUSE `{name}`;\nCREATE TABLE t (n INT);\n" for name in "abcd")


def gsm8k(path, count, broken=()):
    """Writes problems in the order of their size; the solution of some computes nothing."""
    lines = []
    for n in range(count):
        work = "It is clear." if n in broken else f"It is {n} + 1 = <<{n}+1={n + 1}>>{n + 1}"
        lines.append(json.dumps({"question": f"What is {n} + 1?", "answer": f"{work}\n#### {n + 1}"}))
    path.write_text("\n".join(lines) + "\n")
    return DataConfig(str(path.parent), train=(f"gsm8k={path.name}",), annotated=None, explore=None)


def numbers(tasks):
    return [int(task.instruction.split()[2]) for task in tasks]


def test_refinement_explores_what_sft_did_not_see_annotated(tmp_path):
    data = gsm8k(tmp_path / "train.jsonl", 40)
    found = training_tasks(replace(data, annotated=10), 0)
    learned, explored = numbers(found.annotated), numbers(found.explore)
    assert len(learned) == 10 and len(explored) == 30 and sorted(learned + explored) == list(range(40))
    assert not any(task.subgoals for task in found.explore)
    assert found.counts == {"annotated": 10, "rejected": 0, "explored": 30, "explored_annotated": 0}
    few = training_tasks(replace(data, annotated=10, explore=7), 0)
    assert numbers(few.explore) == explored[:7] and numbers(few.annotated) == learned


def test_where_every_task_is_annotated_the_same_ones_are_explored_and_it_is_said(tmp_path, caplog):
    with caplog.at_level("INFO"):
        found = training_tasks(gsm8k(tmp_path / "train.jsonl", 8, broken={3}), 0)
    assert numbers(found.annotated) == [0, 1, 2, 4, 5, 6, 7] and sorted(numbers(found.explore)) == list(range(8))
    assert numbers(found.explore)[0] == 3  # the answer of a task without a plan teaches what SFT did not
    assert "7 annotated (1 rejected), 8 to explore, 7 of them annotated too: SFT has seen their plans" in caplog.text


def test_a_rejected_task_is_explored(tmp_path):
    data = replace(gsm8k(tmp_path / "train.jsonl", 20, broken=set(range(0, 20, 2))), annotated=4)
    found = training_tasks(data, 0)
    assert all(n % 2 for n in numbers(found.annotated)) and found.rejected > 0
    assert sorted(numbers(found.annotated) + numbers(found.explore)) == list(range(20))


def test_more_to_explore_than_is_left_adds_annotated_tasks(tmp_path):
    data = replace(gsm8k(tmp_path / "train.jsonl", 10), annotated=6, explore=7)
    found = training_tasks(data, 0)
    assert found.counts == {"annotated": 6, "rejected": 0, "explored": 7, "explored_annotated": 3}
    assert not {*numbers(found.explore)[:4]} & {*numbers(found.annotated)}


def test_a_few_annotated_tasks_stand_for_all_of_a_sorted_file(tmp_path):
    data = gsm8k(tmp_path / "train.jsonl", 100)
    parts = [numbers(training_tasks(replace(data, annotated=count), 0).annotated) for count in (20, 40)]
    assert {*parts[0]} <= {*parts[1]}  # more are the same ones and others
    assert 30 < sum(parts[0]) / 20 < 70  # mean of all: 49.5; of the first 20: 9.5
    other = numbers(training_tasks(replace(data, annotated=20), 1).annotated)
    assert other != parts[0]  # the seed of a run decides which
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(reversed((tmp_path / "train.jsonl").read_text().splitlines(keepends=True))))
    again = training_tasks(replace(data, train=("gsm8k=turned.jsonl",), annotated=20), 0).annotated
    assert sorted(numbers(again)) == sorted(parts[0])  # and the order of the file does not


def test_a_file_that_is_learned_and_tested_is_divided(tmp_path, caplog):
    data = gsm8k(tmp_path / "all.jsonl", 60)
    data = replace(data, test=data.train, test_tasks=20)
    tested = numbers(tasks_to_test_on(data))
    with caplog.at_level("INFO"):
        learned = numbers(training_tasks(data, 0).explore)
    assert len(tested) == 20 and sorted(tested + learned) == list(range(60))
    assert 20 < sum(tested) / 20 < 40  # mean of all: 29.5; of the first 20: 9.5
    assert "all.jsonl is learned and tested: 20 of its 60 tasks are tests; 0 more like them are not used" in caplog.text
    assert numbers(tasks_to_test_on(replace(data, test_tasks=5))) == tested[:5]
    assert numbers(tasks_to_test_on(replace(data, test_split=("dev",)))) == tested
    chosen_by = replace(data, validation_tasks=10)
    parts = [tested, numbers(validation_tasks(chosen_by)), numbers(training_tasks(chosen_by, 0).explore)]
    assert sorted(n for part in parts for n in part) == list(range(60))
    with pytest.raises(ConfigError, match="got 0 besides the test tasks"):
        training_tasks(replace(data, test_tasks=None), 0)


def test_a_file_is_not_divided_where_tests_may_be_learned(tmp_path):
    data = replace(gsm8k(tmp_path / "all.jsonl", 8), test=("gsm8k=all.jsonl",), test_tasks=4, allow_overlap=True)
    assert numbers(tasks_to_test_on(data)) == [0, 1, 2, 3]
    assert sorted(numbers(training_tasks(data, 0).explore)) == list(range(8))


def test_a_test_file_of_its_own_is_tested_from_the_first_task_on(tmp_path):
    data = gsm8k(tmp_path / "train.jsonl", 30)
    gsm8k(tmp_path / "test.jsonl", 30)
    assert numbers(tasks_to_test_on(replace(data, test=("gsm8k=test.jsonl",), test_tasks=5))) == [0, 1, 2, 3, 4]


def test_no_database_is_both_learned_and_tested(tmp_path, caplog):
    (tmp_path / "dbs.sql").write_text(DUMP)
    tasks = [
        {"db": name, "query": f"Is it {n}?", "gold": f"SELECT {n} FROM t", "hardness": "easy"}
        for name in "abcd"
        for n in range(5)
    ]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    source = ("intercode_sql=tasks.json",)
    data = DataConfig(str(tmp_path), train=source, test=source, annotated=0, explore=None, test_tasks=7)
    tested = tasks_to_test_on(data)
    with caplog.at_level("INFO"):
        explored = training_tasks(data, 0).explore
    places = [[task.meta["db"] for task in part] for part in (tested, explored)]
    first, second = dict.fromkeys(places[0])
    assert places[0] == [first] * 5 + [second] * 2  # a whole database, then the next
    assert {*places[1]} == {*"abcd"} - {first, second} and len(explored) == 10
    assert (
        f"7 of its 20 tasks are tests, which take place in {', '.join(sorted((first, second)))}; 3 more of these"
        in (caplog.text)
    )


def test_orders_depend_on_texts_and_places_alone():
    tasks = [Task(str(n), "intercode_sql", f"Is it {n // 2}?", meta={"db": "xy"[n % 2]}) for n in range(8)]
    assert shuffled(tasks) == shuffled(tasks[::-1]) != shuffled(tasks, 0) != shuffled(tasks, 1)
    assert len({task.meta["db"] for task in shuffled_by_place(tasks)[:4]}) == 1
    same = [replace(task, id=f"other/{task.id}") for task in shuffled(tasks)]
    assert [task.id for task in shuffled(same)] == [task.id for task in same]


def test_the_line_about_training_tasks_is_short_where_nothing_is_explored():
    counts = {"annotated": 3, "rejected": 1, "explored": 0, "explored_annotated": 0}
    assert training_line(counts) == "3 annotated (1 rejected), 0 to explore"
