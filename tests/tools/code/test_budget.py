"""The time that tools may take: the actions of a step share one budget, and the steps of an episode another."""

import time

import gymnasium
import pytest

import lumos_rl.envs  # noqa: F401 (registers)
from lumos_rl.errors import ConfigError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Budget, Executor, Value
from lumos_rl.tools.code.code import Code
from lumos_rl.tools.code.process import ChildLimits
from lumos_rl.tools.math.algebra import SolveEquation


class Wait:
    """Waits for some seconds, whatever is left."""

    usage = "Wait(seconds)"

    def __call__(self, args, bindings):
        time.sleep(float(args))
        return Value.of(args)


class Served(Wait):
    """Waits for somebody else."""

    untimed = True


def run(executor: Executor, text: str):
    return executor.run(parse_actions(text))


def test_the_actions_of_a_step_share_a_budget() -> None:
    executor = Executor({"Wait": Wait()}, Budget(step_s=0.05))
    execution = run(executor, "R1 = Wait(0.06); R2 = Wait(0); R3 = Wait(0)")
    assert execution.results == {"R1": "0.06"}
    assert execution.error == "Wait(0): not run, as the 0.05 seconds that the actions of one step may take are used up"
    assert run(executor, "R4 = Wait(0)").error is None


def test_the_steps_of_an_episode_share_a_budget() -> None:
    executor = Executor({"Wait": Wait()}, Budget(episode_s=0.1))
    assert [run(executor, "R1 = Wait(0.06)").error for _ in range(2)] == [None, None]
    for _ in range(2):
        told = "Wait(0): not run, as the 0.1 seconds that the actions of one episode may take are used up"
        assert run(executor, "R1 = Wait(0)").error == told
    executor.reset()
    assert run(executor, "R1 = Wait(0)").error is None


def test_waiting_for_a_server_or_a_model_is_not_counted() -> None:
    executor = Executor({"Wait": Wait(), "Served": Served()}, Budget(step_s=0.05))
    assert run(executor, "R1 = Served(0.06); R2 = Wait(0)").error is None


def test_without_a_budget_nothing_is_refused() -> None:
    assert run(Executor({"Wait": Wait()}), "R1 = Wait(0.05); R2 = Wait(0)").error is None


def test_code_is_stopped_when_the_budget_of_its_step_is_used_up() -> None:
    env = gymnasium.make("lumos_rl/GSM8K-v0", step_budget_s=0.3)
    env.reset(seed=0)
    began = time.monotonic()
    _, reward, terminated, truncated, info = env.step("; ".join(["R1 = Code(import time; time.sleep(60))"] * 64))
    assert time.monotonic() - began < 6  # one call of Code alone could take so long
    assert (reward, terminated, truncated, info["results"]) == (0.0, False, False, {})
    assert info["error"] == (
        "Code(import time; time.sleep(60)): stopped after 0.3 seconds; the 0.3 seconds that the actions of one step may"
        " take are used up"
    )


def test_an_episode_can_be_finished_when_its_budget_is_used_up() -> None:
    env = gymnasium.make("lumos_rl/HotpotQA-v0", episode_budget_s=0.3)
    env.reset(seed=0)
    assert "stopped after" in env.step("R1 = Code(import time; time.sleep(60))")[4]["error"]
    _, _, terminated, _, info = env.step("R1 = Calculator(2 + 3)")
    assert not terminated
    assert info["error"].startswith("Calculator(2 + 3): not run, as the 0.3 seconds that the actions of one episode")
    assert env.step("Finish(yes)")[2]
    env.reset(seed=0)
    assert env.step("R1 = Calculator(2 + 3)")[4]["error"] is None


def test_the_time_of_a_tool_is_cut_and_never_extended() -> None:
    for tool in (Code(ChildLimits(wall_s=6)), SolveEquation(ChildLimits(wall_s=6))):
        assert tool.within(0.5).limits.wall_s == 0.5
        assert tool.within(60) is tool
        assert type(tool.within(0.5)) is type(tool)
        assert tool.limits.wall_s == 6


@pytest.mark.parametrize("name", ["step_budget_s", "episode_budget_s"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_budget_that_is_no_time_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=f"expected {name} as a number of seconds > 0 or None, got"):
        gymnasium.make("lumos_rl/GSM8K-v0", **{name: seconds})
    gymnasium.make("lumos_rl/GSM8K-v0", **{name: None})
