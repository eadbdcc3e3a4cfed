"""A lone surrogate, wherever it enters, is U+FFFD in all that is stored or shown to a model."""

from pathlib import Path

import gymnasium
import pytest

import lumos_rl.envs  # noqa: F401 (registers)
from lumos_rl import task_types
from lumos_rl.core import Task, Trajectory, to_json
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.envs.base import LumosEnv
from lumos_rl.errors import ToolError
from lumos_rl.policies.base import Completion, Request, ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder
from lumos_rl.tools.base import Value

LONE = chr(0xD800)
PLAYED = [kind for kind in task_types.every() if kind.env is not None]


def spoiled(tools):
    """The tools with a lone surrogate behind each of their texts, results and errors alike."""

    def spoil(tool):
        def call(args, bindings):
            try:
                found = tool(args, bindings)
            except ToolError as error:
                raise ToolError(f"{error} {LONE}") from error
            values = found if isinstance(found, tuple) else (found,)
            return tuple(Value(value.exact, f"{value.text} {LONE}") for value in values)

        call.usage = f"{tool.usage} {LONE}"
        return call

    return {name: spoil(tool) for name, tool in tools.items()}


def spoiling(env: LumosEnv) -> LumosEnv:
    tools_of = env.tools
    env.tools = lambda task: spoiled(tools_of(task))
    return env


@pytest.mark.parametrize("kind", PLAYED, ids=[kind.name for kind in PLAYED])
def test_a_lone_surrogate_of_any_tool_is_stored_as_a_replacement_character(kind, tmp_path: Path) -> None:
    [task] = synthetic_tasks(kind.name, "test", 1)
    task = Task(task.id, task.benchmark, f"{task.instruction} {LONE}", task.answer, meta=task.meta)
    names = [tool.name for tool in kind.tool_specs()]
    texts = [f"{name}({LONE}, 7)" for name in names] + [f"R9 = {name}(R1)" for name in names] + [f"Finish(x{LONE})"]
    turns = iter(texts)

    def reply(request: Request) -> str:
        return next(turns) if request.module == "grounder" else f"Subgoal: look {LONE}"

    [plan] = plan_episodes([task], RolloutConfig(max_subgoals=len(texts)))
    make = lambda name: spoiling(gymnasium.make(kind.env_id, tasks=(task,), max_steps=99).unwrapped)  # noqa: E731
    [trajectory] = run_episodes(make, [plan], ScriptedPolicy(reply))
    assert trajectory.failure is None
    assert [turn.module for turn in trajectory.turns].count("grounder") == len(texts)
    with RunFolder(tmp_path, RunConfig()) as folder:
        folder.add(TRAJECTORIES, trajectory)
        assert list(folder.read(Trajectory, TRAJECTORIES)) == [trajectory]
    assert all("\ufffd" in turn.completion for turn in trajectory.turns if turn.module == "planner")
    assert trajectory.instruction.endswith("\ufffd")
    for turn in trajectory.turns:
        for text in (turn.prompt, turn.completion, turn.action, turn.observation, turn.error or ""):
            text.encode()  # what a tokenizer and a file ask for


def test_what_code_prints_is_well_formed() -> None:
    env = gymnasium.make("lumos_rl/HotpotQA-v0")
    env.reset(seed=0)
    observation, *_, info = env.step("R1 = Code(print('5 ' + chr(0xd800))); R2 = Code(raise ValueError(chr(0xd800)))")
    assert observation.startswith("R1 = 5 \ufffd\n")
    assert info["results"] == {"R1": "5 \ufffd"}
    info["error"].encode()


class Foreign(gymnasium.Env[str, str]):
    """An environment of another package."""

    def reset(self, *, seed=None, options=None):
        return "", {"instruction": f"Say {LONE}.", "tools": {f"Say{LONE}": ""}}

    def step(self, text):
        return LONE, 1.0, True, False, {"results": {"R1": LONE}, "error": LONE, "answer": LONE, "success": True}


def test_what_another_packages_environment_says_is_well_formed() -> None:
    plans = plan_episodes([Task("say/0", "say", "Say.")], RolloutConfig())
    [trajectory] = run_episodes(lambda name: Foreign(), plans, ScriptedPolicy(lambda request: "Say it."))
    assert (trajectory.answer, trajectory.turns[-1].observation) == ("\ufffd", "\ufffd")
    to_json(trajectory).encode()


def test_a_completion_of_any_policy_is_well_formed() -> None:
    assert Completion("e1", f"a{LONE}", failure=f"b{LONE}") == Completion("e1", "a\ufffd", failure="b\ufffd")
