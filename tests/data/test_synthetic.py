import os
import re
import subprocess
import sys
from collections import Counter

import gymnasium
import pytest

import lumos_rl.envs  # noqa: F401 (registers)
from lumos_rl.agent import FINISH
from lumos_rl.data.synthetic import DEFAULT_SIZE, synthetic_tasks
from lumos_rl.envs.math.suite import SPLIT_SHARES, TEMPLATES
from lumos_rl.errors import UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.metrics import numeric_match

ENVS = {"gsm8k": "lumos_rl/GSM8K-v0", "svamp": "lumos_rl/SVAMP-v0"}
STEPS = {"gsm8k": {2, 3, 4}, "svamp": {1, 2}}


def numbers_of(task):
    """Kind and numbers of a problem: those of its plan, in order, and those of its text, sorted."""
    plan = tuple(action.args for subgoal in task.subgoals for action in subgoal.actions)
    return task.meta["kind"], plan, tuple(sorted(re.findall(r"\d+", task.instruction)))


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_no_two_splits_share_a_kind_of_problem_with_its_numbers(benchmark):
    found = {split: {numbers_of(task) for task in synthetic_tasks(benchmark, split, 2000)} for split in SPLIT_SHARES}
    assert not found["train"] & found["test"]
    assert not found["train"] & found["dev"]
    assert not found["dev"] & found["test"]


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_another_seed_gives_other_problems_of_the_same_split(benchmark):
    first, other = (synthetic_tasks(benchmark, "train", 500, seed) for seed in (0, 1))
    assert len({task.instruction for task in first} & {task.instruction for task in other}) < 50
    assert not {task.id for task in first} & {task.id for task in other}
    test = {numbers_of(task) for task in synthetic_tasks(benchmark, "test", 2000)}
    assert not {numbers_of(task) for task in other} & test


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_fewer_problems_are_the_first_of_more(benchmark):
    assert synthetic_tasks(benchmark, "dev", 7) == synthetic_tasks(benchmark, "dev", 40)[:7]
    assert synthetic_tasks(benchmark, "dev", 0) == []
    assert len(synthetic_tasks(benchmark, "test")) == DEFAULT_SIZE["test"] == 300


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_every_gold_plan_runs_to_the_gold_answer(benchmark):
    tasks = synthetic_tasks(benchmark, "train", 400)
    env = gymnasium.make(ENVS[benchmark], tasks=tasks)
    for index, task in enumerate(tasks):
        env.reset(options={"task": index})
        for subgoal in task.subgoals:
            _, _, _, _, info = env.step(format_actions(subgoal.actions))
            assert info["error"] is None
            assert list(info["results"].values()) == [action.result for action in subgoal.actions]
        _, reward, terminated, _, info = env.step(FINISH)
        assert (reward, terminated, info["success"]) == (1.0, True, True), task


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_answers_are_whole_numbers_and_not_written_in_the_question(benchmark):
    tasks = synthetic_tasks(benchmark, "train", 1000)
    assert all(re.fullmatch(r"\d+", task.answer) and numeric_match(task.answer, task.answer) for task in tasks)
    given = sum(task.answer in re.findall(r"\d+", task.instruction) for task in tasks)
    assert given < 0.1 * len(tasks)  # by chance only


@pytest.mark.parametrize("benchmark", TEMPLATES)
def test_a_suite_is_varied_and_of_the_promised_length(benchmark):
    tasks = synthetic_tasks(benchmark, "train", 1000)
    assert len({task.instruction for task in tasks}) == len({task.id for task in tasks}) == 1000
    assert {len(task.subgoals) for task in tasks} == STEPS[benchmark]
    kinds = Counter(task.meta["kind"] for task in tasks)
    assert kinds.keys() == {template.name for template in TEMPLATES[benchmark]}
    assert max(kinds.values()) < 3 * min(kinds.values())


@pytest.mark.parametrize("template", sum(TEMPLATES.values(), ()), ids=lambda each: each.name)
def test_every_phrasing_of_a_template_tells_every_number_of_the_plan(template):
    used = set(re.findall(r"\{(\w+)\}", " ".join(expression for _, expression in template.steps)))
    for text in template.texts:
        assert used <= set(re.findall(r"\{(\w+)\}", text)), text
    assert len(set(template.texts)) == len(template.texts) > 1


def test_an_svamp_problem_has_a_number_that_is_not_needed():
    for task in synthetic_tasks("svamp", "train", 300):
        needed = re.findall(r"\d+", " ".join(action.args for each in task.subgoals for action in each.actions))
        told = Counter(re.findall(r"\d+", task.instruction))
        assert told - Counter(needed), task


@pytest.mark.parametrize("split", SPLIT_SHARES)
def test_tasks_say_what_they_are(split):
    task = synthetic_tasks("gsm8k", split, 1)[0]
    assert (task.id, task.benchmark, task.split) == (f"gsm8k/{split}/synthetic-0", "gsm8k", split)
    assert synthetic_tasks("gsm8k", split, 1, seed=7)[0].id == f"gsm8k/{split}/synthetic-7-0"


def test_problems_do_not_depend_on_the_process():
    code = (
        "import hashlib; from lumos_rl.core import to_json; from lumos_rl.data.synthetic import synthetic_tasks as s;"
        "lines = [to_json(t) for b in ('gsm8k', 'svamp') for t in s(b, 'train', 50, 3)];"
        "print(hashlib.sha256('\\n'.join(lines).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(seen) == 1


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownNameError, match="Known: gsm8k, hotpotqa, "):
        synthetic_tasks("nosuch")
    with pytest.raises(UnknownNameError, match="Known: dev, test, train"):
        synthetic_tasks("gsm8k", "validation")
