"""The registry: every record is whole and tells the truth about its environment, and others can be added from outside.

Nothing here names a task type: a new one is tested by being registered.
"""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

import lumos_rl.envs
from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.synthetic import splits_of, synthetic_tasks
from lumos_rl.envs.base import LumosEnv
from lumos_rl.errors import ConfigError, UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.task_types import Metric, Scale, TaskType
from lumos_rl.tools.base import ToolSpec

EVERY = [pytest.param(each, id=each.name) for each in task_types.every()]
PLAYED = [pytest.param(each, id=each.name) for each in task_types.every() if each.env is not None]
SUITES = [pytest.param(each, id=each.name) for each in task_types.every() if each.suite is not None]


def make(task_type: TaskType) -> gym.Env[str, str]:
    return gym.make(task_type.env_id, limit=1, **task_type.play_options)


@pytest.mark.parametrize("task_type", EVERY)
def test_whatever_a_record_names_can_be_imported(task_type):
    assert task_type.tool_specs()
    if task_type.reader is not None:
        assert all(isinstance(names, tuple) and names for names in task_type.get_reader().files.values())
    if task_type.annotator is not None:
        assert callable(task_type.get_annotator())
    assert task_type.resampler is None or callable(task_type.get_resampler())
    assert task_types.get(task_type.grader).env_id == task_type.env_id in gym.registry


@pytest.mark.parametrize("task_type", EVERY)
def test_tools_say_what_arguments_they_take(task_type):
    for tool in task_type.tool_specs():
        assert tool.usage.startswith(f"{tool.name}("), f"the usage of {tool.name} shows a call"
        schema = tool.schema
        assert schema["type"] == "object"
        assert not schema["additionalProperties"]
        assert set(schema["required"]) == set(schema["properties"])
        assert all(
            each["type"] in ("string", "array") and each["description"] for each in schema["properties"].values()
        )


@pytest.mark.parametrize("task_type", PLAYED)
def test_a_record_lists_the_tools_of_its_environment(task_type):
    env = make(task_type)
    _, info = env.reset(options={"task": 0})
    listed = {tool.name: tool.usage for tool in task_type.tool_specs()}
    assert list(info["tools"].items())[:-1] == list(listed.items())
    assert [*info["tools"]][-1] == "Finish"
    told = {name: info.get(name, False) for name in ("reads_results", "tells_actions")}
    assert told == {"reads_results": task_type.reads_results, "tells_actions": task_type.tells_actions}
    env.close()


@pytest.mark.parametrize("task_type", SUITES)
def test_gold_plans_earn_the_whole_reward_in_declared_metrics(task_type):
    env = make(task_type)
    for task in synthetic_tasks(task_type.name, "train", 3):
        assert task.benchmark == task_type.name
        _, info = env.reset(options={"task": task})
        best, earned, ended = info.get("best_reward", 1.0), 0.0, False
        for text in [*(format_actions(subgoal.actions) for subgoal in task.subgoals), "Finish()"]:
            if not ended:
                _, reward, terminated, truncated, info = env.step(text)
                earned, ended = earned + reward, terminated or truncated
        assert (earned, info["success"]) == (best, True)
        declared = {metric.name for metric in task_type.metrics}
        assert set(info["metrics"]) <= declared
    env.close()


@pytest.mark.parametrize("task_type", SUITES)
def test_the_splits_of_a_suite_share_no_task(task_type):
    drawn = {split: synthetic_tasks(task_type.name, split, 40) for split in splits_of(task_type.name)}
    found = {split: {(task.instruction, repr(task.meta)) for task in tasks} for split, tasks in drawn.items()}
    assert sum(map(len, found.values())) == len(set().union(*found.values()))


def test_each_name_and_each_environment_is_there_once():
    every = task_types.every()
    assert [each.name for each in every] == task_types.names()
    ids = [each.env_id for each in every if each.env is not None]
    assert len(ids) == len(set(ids))
    assert {name for name in gym.registry if name.startswith("lumos_rl/")} <= set(ids) <= set(gym.registry)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"unknown benchmark 'gsm8'; did you mean 'gsm8k'\?.*webshop"):
        task_types.get("gsm8")
    assert task_types.find("gsm8") is None
    with pytest.raises(UnknownNameError, match=r"unknown task type 'maths'; did you mean 'math'\?"):
        task_types.suites("maths")


def test_a_part_that_a_task_type_lacks_lists_those_that_have_it():
    with pytest.raises(UnknownNameError, match=r"unknown built-in suite 'mawps'.* Known: gsm8k, "):
        task_types.get("mawps").get_suite()


def test_a_word_of_suites_is_a_group_or_a_name():
    assert task_types.suites("qa") == ["hotpotqa", "strategyqa"]
    assert task_types.suites("math") == ["gsm8k"]
    assert task_types.suites("svamp") == ["svamp"]


COUNTING = TaskType(
    name="counting",
    env_id="counting/Counting-v0",
    tools=(ToolSpec("Count", "Count(list): how many", {}),),
    metrics=(Metric("exact"), Metric("tries", Scale.COUNT)),
    suite=lambda name, split, seed: iter([Task(f"{name}/{split}/0", name, "How many?", "3")]),
)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(task_types, "_added", {})
    task_types.register(COUNTING)


def test_a_registered_record_is_known_everywhere(registered):
    assert task_types.get("counting") is COUNTING
    assert "counting" in task_types.names()
    assert task_types.suites("counting") == ["counting"]
    assert synthetic_tasks("counting", limit=5) == [Task("counting/test/0", "counting", "How many?", "3")]
    assert COUNTING.metric("tries").scale == Scale.COUNT
    assert COUNTING.metric("never declared") == Metric("never declared")


def test_a_name_is_not_taken_twice(registered):
    task_types.register(COUNTING)  # the same record again is no conflict
    with pytest.raises(ConfigError, match="expected a new name for a task type, got 'counting'"):
        task_types.register(replace(COUNTING, renames=True))
    with pytest.raises(ConfigError, match="got 'gsm8k', which another one has"):
        task_types.register(replace(COUNTING, name="gsm8k"))


def test_a_plugin_must_be_a_module_with_records(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    tmp_path.joinpath("empty_plugin.py").write_text("X = 1\n")
    with pytest.raises(ConfigError, match="expected a TaskType in the module 'empty_plugin' of --plugin, got none"):
        task_types.load_plugins(["empty_plugin"])
    with pytest.raises(ConfigError, match="expected a module that can be imported as --plugin, got 'no_such_plugin'"):
        task_types.load_plugins(["no_such_plugin"])


def installed(folder: Path, entry: str) -> dict[str, str]:
    """An environment in which a package with this entry point counts as installed."""
    info = folder / "reverse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reverse\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lumos_rl.task_types]\n{entry}\n")
    (folder / "reverse_tasks.py").write_text(
        textwrap.dedent("""
        from lumos_rl.core import Task
        from lumos_rl.envs.base import Grade, LumosEnv
        from lumos_rl.task_types import TaskType

        class ReverseEnv(LumosEnv):
            def tools(self, task):
                return {}
            def grade(self, task, answer):
                return Grade(float(answer == task.answer), answer == task.answer, {})

        def stream(name, split, seed):
            yield Task(f"{name}/{split}/0", name, "Reverse abc.", "cba", split)

        REVERSE = TaskType("reverse", "reverse/Reverse-v0", tools=(), metrics=(), env=ReverseEnv, suite=stream)
        """)
    )
    root = Path(lumos_rl.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(root)])}


def test_an_installed_package_brings_its_environment_by_an_entry_point(tmp_path):
    code = """
import gymnasium as gym, lumos_rl.envs
env = gym.make("reverse/Reverse-v0")
print(env.reset()[0], env.step("Finish(cba)")[1])
"""
    env = installed(tmp_path, "reverse = reverse_tasks:REVERSE")
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert ran.stdout == "Reverse abc. 1.0\n", ran.stderr


@pytest.mark.parametrize(
    ("module", "why"),
    [("", "has no attribute 'REVERSE'"), ("1 / 0", "ZeroDivisionError"), ("import no_such_module", "no_such_module")],
)
def test_a_broken_installed_package_leaves_the_others_alone(tmp_path, module, why):
    code = """
import gymnasium as gym, lumos_rl.envs
from lumos_rl import task_types
from lumos_rl.runs.config import DataConfig
from lumos_rl.errors import ConfigError
print(gym.make("lumos_rl/GSM8K-v0").unwrapped.num_tasks, "reverse" in task_types.environments())
DataConfig(suites=("qa",), weights=("webshop=2",))  # what every recipe reads
try:
    task_types.get("reverse")
except ConfigError as error:
    print("refused")
"""
    env = installed(tmp_path, "reverse = reverse_tasks:REVERSE")
    (tmp_path / "reverse_tasks.py").write_text(module)
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert ran.stdout == "300 False\nrefused\n", ran.stderr
    assert ran.stderr.count("task type reverse is left out: expected a TaskType at reverse_tasks:REVERSE") == 1
    assert why in ran.stderr


def test_records_are_what_environments_are_made_from(registered):
    assert issubclass(type(make(task_types.get("svamp")).unwrapped), LumosEnv)
