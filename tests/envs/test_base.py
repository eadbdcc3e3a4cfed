"""What `LumosEnv` promises to every benchmark, on a toy benchmark with a state of its own."""

import json
import pickle
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Action, Task
from lumos_rl.data.convert import Settings, convert
from lumos_rl.envs.base import MAX_ACTIONS, Grade, LumosEnv
from lumos_rl.envs.spaces import MAX_LENGTH
from lumos_rl.errors import (
    ActionTypeError,
    ConfigError,
    DataError,
    EpisodeError,
    InfrastructureError,
    LumosError,
    ToolError,
    UnknownNameError,
)
from lumos_rl.tools.base import Execution, Tool, Value

TASKS = tuple(Task(f"door/test/{index}", "door", f"Open door {index}.", str(index)) for index in range(5))


class Walk:
    usage = "Walk(steps): goes on along the corridor"

    def __init__(self, env: "DoorEnv") -> None:
        self.env = env

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        if args == "outage":
            raise InfrastructureError("the corridor does not answer")
        if not args.isdecimal():
            raise ToolError(f"expected a number of steps, got {args!r}")
        self.env.position += int(args)
        return Value.of(self.env.position)


class DoorEnv(LumosEnv):
    """A corridor of doors: a benchmark with a state, its own action syntax, and an end of its own."""

    position = 0

    def __init__(self, **settings: Any) -> None:
        super().__init__("door", **{"tasks": TASKS, **settings})

    def tools(self, task: Task) -> Mapping[str, Tool]:
        self.position = 0
        return {"Walk": Walk(self)}

    def first(self, task: Task) -> str:
        return f"{task.instruction} You stand at door {self.position}."

    def read(self, text: str) -> list[Action]:
        return [Action((), "Walk", text[5:-1])] if text.startswith("walk[") else super().read(text)

    def show(self, execution: Execution) -> str:
        return f"You stand at door {self.position}." if execution.results else ""

    def over(self) -> bool:
        return self.position >= 9

    def grade(self, task: Task, answer: str | None) -> Grade:
        return Grade(self.position / 10, answer == task.answer, {"position": float(self.position)})


@pytest.fixture
def env() -> DoorEnv:
    made = DoorEnv()
    made.reset(options={"task": 3})
    return made


def test_reset_tells_task_instruction_and_tools() -> None:
    observation, info = DoorEnv().reset(options={"task": 3})
    assert observation == "Open door 3. You stand at door 0."
    assert (info["task_id"], info["instruction"]) == ("door/test/3", "Open door 3.")
    assert list(info["tools"]) == ["Walk", "Finish"]
    assert info["tools"]["Walk"] == "Walk(steps): goes on along the corridor"


def test_a_step_shows_its_results_and_finish_ends_the_episode(env: DoorEnv) -> None:
    assert env.step("R1 = Walk(3)") == (
        "You stand at door 3.", 0.0, False, False, {"task_id": "door/test/3", "results": {"R1": "3"}, "error": None,
         "malformed": False},
    )  # fmt: skip
    observation, reward, terminated, truncated, info = env.step("Finish(R1)")
    assert (observation, reward, terminated, truncated) == ("The episode ended with the answer 3.", 0.3, True, False)
    graded = {"success": True, "metrics": {"position": 3.0}, "answer": "3"}
    assert info == {"task_id": "door/test/3", "results": {}, "error": None, "malformed": False, **graded}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("R1 = Walk(3); Finish(R1)", "3"),
        ("R1 = Walk(1); R2 = Walk(1)\nFinish()", "2"),
        ("Finish(the second door)", "the second door"),
        ("R1 = Walk(3); Finish(R1); R2 = Walk(1)", "3"),  # nothing runs after the end
    ],
)
def test_finish_takes_a_result_the_last_result_or_text(env: DoorEnv, text: str, answer: str) -> None:
    _, _, terminated, _, info = env.step(text)
    assert (terminated, info["answer"], info["error"]) == (True, answer, None)


def test_a_text_of_too_many_actions_runs_none_of_them(env: DoorEnv) -> None:
    observation, _, terminated, _, info = env.step("; ".join(["Walk(0)"] * MAX_ACTIONS + ["Finish(3)"]))
    assert (terminated, info["results"]) == (False, {})
    assert observation == "Error: expected at most 64 actions in one text, got 65"
    assert len(env.step("; ".join(["Walk(0)"] * MAX_ACTIONS))[4]["results"]) == 64


def test_finish_with_an_unknown_result_does_not_end_the_episode(env: DoorEnv) -> None:
    observation, _, terminated, _, info = env.step("R1 = Walk(1); Finish(R7)")
    assert not terminated
    assert "R7" in info["error"]
    assert "R1" in info["error"]
    assert observation == f"You stand at door 1.\nError: {info['error']}"


def test_finish_without_any_result_ends_without_an_answer(env: DoorEnv) -> None:
    observation, reward, terminated, _, info = env.step("Finish()")
    assert (reward, terminated, info["answer"], info["success"]) == (0.0, True, None, False)
    assert observation == f"Error: {info['error']}\nThe episode ended without an answer."
    assert "no result" in info["error"]


def test_an_error_before_finish_keeps_the_episode_open(env: DoorEnv) -> None:
    _, _, terminated, _, info = env.step("R1 = Walk(far); Finish(R1)")
    assert not terminated
    assert "expected a number of steps, got 'far'" in info["error"]


@pytest.mark.parametrize(
    "text",
    ["", " \n", "no action", "R1 = Fly(3)", "R1 = Walk(far)", "Walk(1", "\ud800", "R1 = Walk(\udfff)", "x" * 10**6],
)
def test_whatever_the_model_writes_is_an_observation(env: DoorEnv, text: str) -> None:
    observation, reward, terminated, truncated, info = env.step(text)
    assert (reward, terminated, truncated, info["results"]) == (0.0, False, False, {})
    assert observation == f"Error: {info['error']}"
    assert observation in env.observation_space
    assert env.step("R1 = Walk(1)")[4]["results"] == {"R1": "1"}


def test_an_unknown_tool_is_told_the_known_ones(env: DoorEnv) -> None:
    error = env.step("R1 = Fly(3)")[4]["error"]
    assert all(name in error for name in ("Fly", "Walk", "Finish"))


def test_the_task_can_end_by_itself(env: DoorEnv) -> None:
    _, reward, terminated, truncated, info = env.step("R1 = Walk(9)")
    assert (reward, terminated, truncated, info["answer"]) == (0.9, True, False, None)


def test_a_benchmark_reads_its_own_syntax(env: DoorEnv) -> None:
    assert env.step("walk[2]")[0] == "You stand at door 2."


def test_the_budget_truncates_and_grades() -> None:
    env = DoorEnv(max_steps=2)
    env.reset(options={"task": 0})
    assert env.step("R1 = Walk(1)")[2:4] == (False, False)
    observation, reward, terminated, truncated, info = env.step("nonsense")
    assert (reward, terminated, truncated) == (0.1, False, True)
    assert (info["success"], info["metrics"], info["answer"]) == (False, {"position": 1.0}, None)
    assert observation.endswith("The episode ended: its budget of 2 steps is used up.")


def test_finishing_in_the_last_step_is_no_truncation() -> None:
    env = DoorEnv(max_steps=1)
    env.reset()
    assert env.step("Finish(x)")[2:4] == (True, False)


def test_stepping_outside_an_episode_raises() -> None:
    env = DoorEnv()
    for error in (EpisodeError, ResetNeeded, RuntimeError, LumosError):
        with pytest.raises(error, match="expected reset"):
            env.step("R1 = Walk(1)")
    env.reset()
    env.step("Finish(x)")
    with pytest.raises(EpisodeError, match="the episode is over"):
        env.step("R1 = Walk(1)")


@pytest.mark.parametrize("action", [None, 3, b"Finish()", ["Finish()"]])
def test_an_action_that_is_no_text_raises(env: DoorEnv, action: Any) -> None:
    for error in (ActionTypeError, TypeError):
        with pytest.raises(error, match="expected an action text"):
            env.step(action)


def test_an_infrastructure_failure_is_no_observation(env: DoorEnv) -> None:
    with pytest.raises(InfrastructureError):
        env.step("R1 = Walk(outage)")


def test_a_task_is_chosen_by_index_id_or_itself() -> None:
    env = DoorEnv()
    other = Task("door/train/9", "door", "Open door 9.", "9")
    for wanted, found in [(1, TASKS[1]), ("door/test/2", TASKS[2]), (other, other)]:
        assert env.reset(options={"task": wanted})[1]["task_id"] == found.id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": 5}, "from 0 to 4, got 5"),
        ({"task": -1}, "from 0 to 4, got -1"),
        ({"task": "door/test/33"}, "5 task ids such as door/test/3.*got 'door/test/33'"),
        ({"task": 1.5}, "an index, an id or a Task, got float"),
        ({"task": Task("shop/test/0", "shop", "Buy a door.")}, "expected a door task, got one of shop"),
        ({"task": 0, "tusk": 1}, "the key 'task' or none, got also .'tusk'"),
    ],
)
def test_reset_says_which_tasks_and_options_there_are(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DoorEnv().reset(options=options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_steps": 0}, "max_steps >= 1"),
        ({"limit": 0}, "limit >= 1 or None, got 0"),
        ({"tasks": []}, "at least one door task, got none"),
        ({"tasks": [Task("shop/test/0", "shop", "Buy a door.")]}, "expected a door task, got one of shop"),
        ({"render_mode": "rgb_array"}, "None or one of .'ansi', 'human'., got 'rgb_array'"),
        ({"shard": 0}, "number of parts, got 0"),
        ({"shard": (4, 4)}, r"0 <= part < parts.* got \(4, 4\)"),
        ({"shard": "2"}, "number of parts, got '2'"),
        ({"shard": (1,)}, r"0 <= part < parts.* got \(1,\)"),
        ({"shard": 6}, "at most 5 shards, because there are 5 tasks, got 6"),
        ({"tusks": 3}, "unknown argument of DoorEnv 'tusks'; did you mean 'tasks'. Known: .*limit, max_steps, "),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DoorEnv(**settings)


def test_the_limit_takes_the_first_tasks() -> None:
    env = DoorEnv(limit=2)
    assert (env.num_tasks, env.tasks) == (2, TASKS[:2])


def test_tasks_are_drawn_by_the_seed_alone() -> None:
    def drawn(seed: int) -> list[str]:
        env = DoorEnv()
        return [env.reset(seed=seed if first else None)[1]["task_id"] for first in (True, *[False] * 9)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {task_id for seed in range(5) for task_id in drawn(seed)} == {task.id for task in TASKS}


def test_a_long_observation_is_cut_with_a_note() -> None:
    env = DoorEnv(tasks=[Task("door/test/long", "door", "€" * (MAX_LENGTH + 1))])
    observation, info = env.reset()
    assert len(observation) == MAX_LENGTH
    assert observation.endswith("€ … (cut: 65558 characters in all)")
    assert len(info["instruction"]) == MAX_LENGTH + 1


def test_render_gives_the_episode_so_far() -> None:
    env = DoorEnv(render_mode="ansi")
    with pytest.raises(ResetNeeded):
        env.render()
    env.reset(options={"task": 3})
    env.step("R1 = Walk(3)")
    env.step("Finish(R1)")
    assert env.render() == (
        "Task door/test/3\nOpen door 3. You stand at door 0.\n"
        "> R1 = Walk(3)\nYou stand at door 3.\n> Finish(R1)\nThe episode ended with the answer 3."
    )


def test_rendering_without_a_mode_warns(env: DoorEnv) -> None:
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


@pytest.mark.parametrize("copy", [deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copied_environment_goes_on_by_itself(env: DoorEnv, copy: Any) -> None:
    env.step("R1 = Walk(1)")
    other = copy(env)
    assert env.step("R2 = Walk(1)")[4] == other.step("R2 = Walk(1)")[4]
    assert other.step("R3 = Walk(1)")[0] == "You stand at door 3."
    assert env.position == 2
    assert env.step("Finish()")[4]["answer"] == "2"


def test_info_is_new_at_every_call(env: DoorEnv) -> None:
    info = env.step("R1 = Walk(1)")[4]
    info["results"]["R1"] = "changed"
    assert env.step("Finish(R1)")[4]["answer"] == "1"


def file_env(path: Path, **settings: Any) -> LumosEnv:
    env = gym.make("lumos_rl/GSM8K-v0", source=path, **settings).unwrapped
    assert isinstance(env, LumosEnv)
    return env


GOOD = json.dumps({"question": "Tom had 3 apples and ate 1. How many are left?", "answer": "#### 2"})
BAD = json.dumps({"question": "How many?", "answer": 7})


def test_unreadable_records_are_left_out_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([GOOD, BAD, GOOD, "{", GOOD]))
    for _ in range(3):
        assert [task.id for task in file_env(path).tasks] == [f"gsm8k/test/{index}" for index in (0, 2, 4)]
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{path}: 2 of 5 records cannot be read and are left out: mine.jsonl:2: field 'answer': ")
    assert "; mine.jsonl:4: expected one JSON object" in said


def test_a_file_without_a_readable_record_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{BAD}\n{BAD}\n")
    with pytest.raises(DataError, match=r"got none that can be read: mine\.jsonl:1: field 'answer'.* and 1 more"):
        file_env(path)
    path.write_text("\n")
    with pytest.raises(ConfigError, match="at least one gsm8k task, got none"):
        file_env(path)


def test_environments_over_one_file_share_its_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join([GOOD] * 5))
    reads: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: reads.append(self) or read_bytes(self))
    envs = [file_env(path, limit=limit) for limit in (2, None, 5, 3)]
    assert [env.num_tasks for env in envs] == [2, 5, 5, 3] and reads == [path]
    assert all(env.tasks[0] is envs[0].tasks[0] for env in envs)
    path.write_text("\n".join([GOOD] * 6))
    assert file_env(path).num_tasks == 6 and reads == [path, path]


@pytest.mark.parametrize(("name", "split"), [("mine.jsonl", "test"), ("my_train.jsonl", "train")])
def test_an_environment_and_a_conversion_give_a_file_the_same_split(tmp_path: Path, name: str, split: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps({"question": "Tom had 3 apples and ate 1.", "answer": "3-1=<<3-1=2>>2\n#### 2"}))
    kept = convert(Settings("gsm8k", str(path), tmp_path / "out")).kept
    assert [task.id for task in kept] == [task.id for task in file_env(path).tasks] == [f"gsm8k/{split}/0"]


def test_a_shard_plays_its_tasks_in_order_round_after_round() -> None:
    env = DoorEnv(shard=[1, 2])  # a list, as settings from a file have it
    played = [env.reset()[1] for _ in range(5)]
    assert [(info["task_id"][-1], info["round"]) for info in played] == [
        ("1", 0), ("3", 0), ("1", 1), ("3", 1), ("1", 2),
    ]  # fmt: skip
    assert env.step("Finish()")[4]["round"] == 2
    assert env.reset(options={"task": 4})[1]["task_id"] == TASKS[4].id  # which is not one of the shard's turns
    assert env.reset()[1]["task_id"] == TASKS[3].id
    assert env.reset(seed=8)[1] | {"tools": 0} == played[0] | {"tools": 0}


def test_a_number_of_shards_takes_the_part_from_the_seed() -> None:
    env = DoorEnv(shard=3)
    with pytest.raises(ConfigError, match=r"expected reset\(seed=…\) first, got reset\(\) with shard=3"):
        env.reset()
    assert [env.reset(seed=7)[1]["task_id"], env.reset()[1]["task_id"]] == [TASKS[1].id, TASKS[4].id]
    assert env.reset()[1] | {"tools": 0} == env.reset(seed=1)[1] | {"tools": 0, "round": 1}
    assert "round" not in DoorEnv().reset()[1]


def test_what_human_mode_prints_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    env = DoorEnv(render_mode="human", tasks=[Task("door/test/0", "door", "Open\x1b[2J\x07\tit\x9b1m.\n")])
    env.reset()
    assert capsys.readouterr().out == "Task door/test/0\nOpen�[2J�\tit�1m.\n You stand at door 0.\n"


def test_a_setting_that_a_subclass_takes_for_itself_is_known() -> None:
    class Own(DoorEnv):
        def __init__(self, **settings: Any) -> None:
            self.colour = settings.pop("colour")
            super().__init__(**settings)

    assert Own(colour="red", limit=2).num_tasks == 2
    with pytest.raises(UnknownNameError, match="unknown argument of Own 'color'"):
        Own(colour="red", color="red")


def test_what_is_no_score_is_in_the_counts() -> None:
    class Counting(DoorEnv):
        def grade(self, task: Task, answer: str | None) -> Grade:
            return Grade(1.0, True, {"right": 1.0}, {"doors": 7.0})

    env = Counting()
    env.reset()
    info = env.step("Finish()")[4]
    assert (info["metrics"], info["counts"]) == ({"right": 1.0}, {"doors": 7.0})
