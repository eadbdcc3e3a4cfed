"""The math environments run all seven tools, in this process and in the workers of a vector environment."""

import json

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.core import Task
from lumos_rl.errors import MissingFileError, UnknownNameError

TASK = Task("gsm8k/test/tools", "gsm8k", "What is half of 9?", "4.5")
TOOLS = ["Calculator", "SetEquation", "SolveEquation", "SolveInequality", "Count", "Define", "Code", "Finish"]


def test_the_seven_tools_are_there() -> None:
    _, info = gym.make("lumos_rl/GSM8K-v0", tasks=[TASK]).reset()
    assert sorted(info["tools"]) == sorted(TOOLS)


@pytest.mark.parametrize("answer", ["4.5", "9/2", "$4.50", "4.5 apples", "4 1/2"])
def test_the_answer_may_be_written_in_any_way(answer: str) -> None:
    env = gym.make("lumos_rl/GSM8K-v0", tasks=[TASK])
    env.reset()
    assert env.step(f"Finish({answer})")[1] == 1.0


@pytest.mark.parametrize("answer", ["4", "4.5 or 5", "none", "45"])
def test_another_number_is_wrong(answer: str) -> None:
    env = gym.make("lumos_rl/GSM8K-v0", tasks=[TASK])
    env.reset()
    assert env.step(f"Finish({answer})")[1] == 0.0


def test_an_equation_is_solved_and_finished_with_on_one_line() -> None:
    env = gym.make("lumos_rl/GSM8K-v0", tasks=[TASK])
    env.reset()
    observation, reward, *_ = env.step("R1 = SolveEquation(2*x = 9); Finish(R1)")
    assert (observation, reward) == ("R1 = 4.5\nThe episode ended with the answer 4.5.", 1.0)


def test_code_runs_inside_the_workers_of_an_async_vector_environment() -> None:
    envs = gym.make_vec("lumos_rl/GSM8K-v0", num_envs=2, vectorization_mode="async", tasks=(TASK,))
    try:
        envs.reset()
        _, rewards, _, _, info = envs.step(("R1 = Code(9 / 2); Finish(R1)", "R1 = Calculator(9 / 0)"))
        assert list(rewards) == [1.0, 0.0]
        assert "zero" in info["error"][1]
    finally:
        envs.close()


def test_an_unknown_split_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="test"):
        gym.make("lumos_rl/SVAMP-v0", split="exam")


def test_a_missing_file_says_where_it_was_looked_for() -> None:
    with pytest.raises(MissingFileError, match="no-such-file"):
        gym.make("lumos_rl/SVAMP-v0", source="no-such-file.json")


def test_a_gold_answer_may_be_a_fraction(tmp_path) -> None:
    record = {"question": "What is half of 1?", "answer": "1/2 = <<1/2=0.5>>0.5\n#### 1/2"}
    (tmp_path / "test.jsonl").write_text(json.dumps(record))
    env = gym.make("lumos_rl/GSM8K-v0", source=str(tmp_path))
    env.reset()
    assert env.step("R1 = Calculator(1 / 2); Finish(R1)")[1] == 1.0
