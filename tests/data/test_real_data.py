"""What the annotators reach on the benchmarks themselves; skipped where the files are not there."""

import time

import pytest

from lumos_rl.core import Task
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.envs.math.resample import resample
from lumos_rl.envs.math.verify import check


def annotated(tasks: list[Task]) -> list[Task]:
    return [task for task in map(annotate, tasks) if isinstance(task, Task)]


def test_gsm8k_test(benchmark_data):
    tasks = load_tasks("gsm8k", benchmark_data("gsm8k"), "test")
    assert len(annotated(tasks)) >= 0.96 * len(tasks)  # 2 % have a number from nowhere


@pytest.mark.slow
def test_gsm8k_train(benchmark_data):
    tasks = load_tasks("gsm8k", benchmark_data("gsm8k"), "train")
    start = time.process_time()
    kept = annotated(tasks)
    assert time.process_time() - start < 60
    assert len(kept) >= 0.965 * len(tasks)  # 1.9 % have a number from nowhere


def test_no_gsm8k_plan_gives_its_answer_away(benchmark_data):
    """No action only states the answer: the last one computes, or names a result that was computed."""
    for task in annotated(load_tasks("gsm8k", benchmark_data("gsm8k"), "test")):
        last = task.subgoals[-1].actions[-1]
        assert not last.tool or any(sign in last.args for sign in "+-*/(R"), task.id


def test_svamp(benchmark_data):
    tasks = load_tasks("svamp", benchmark_data("svamp"), "test")
    assert len(annotated(tasks)) >= 0.995 * len(tasks)


def test_mawps(benchmark_data):
    tasks = load_tasks("mawps", benchmark_data("mawps_asdiv"), "train")
    assert len(annotated(tasks)) >= 0.994 * len(tasks)


@pytest.mark.parametrize(
    ("benchmark", "folder", "split"), [("svamp", "svamp", "test"), ("mawps", "mawps_asdiv", "train")]
)
def test_most_equation_tasks_can_be_resampled(benchmark_data, benchmark, folder, split):
    tasks = annotated(load_tasks(benchmark, benchmark_data(folder), split, limit=1000))
    resampled = [new for task in tasks for new in resample(task, 1)]
    assert len(resampled) >= 0.9 * len(tasks)
    assert all(check(task.subgoals, str(task.answer)) == ("", "") for task in resampled)
