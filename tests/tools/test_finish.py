"""Finish: which arguments are an answer, and which are a reference to results gone wrong."""

import gymnasium
import pytest

import lumos_rl.envs  # noqa: F401 (registers)
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value
from lumos_rl.tools.finish import Finish

RESULTS = {"R1": Value.of(5), "R2": Value.of("Oslo")}


@pytest.mark.parametrize(("args", "text"), [("R1", "5"), ("R2", "Oslo"), ("yes", "yes"), ("", "")])
def test_a_result_or_a_text_is_the_answer(args: str, text: str) -> None:
    assert Finish()(args, RESULTS).text == text


@pytest.mark.parametrize(
    "args",
    [
        "New York, USA",
        "3 + 4 apples",
        "3 + 4",
        "$1,250.50",
        "2/3",
        "R2-D2",
        "Audi R8",
        "the R101 airship",
        "Output of the mill",
        "output",
        "-7",
        "R. E. M.",
        "Rue 1",
        "O(n)",
        "R&B",
    ],
)
def test_a_text_is_kept_as_it_is(args: str) -> None:
    assert Finish()(args, RESULTS) == Value(args, args)


@pytest.mark.parametrize(
    "args",
    [
        "R1 + 1",
        "R1, R2",
        "r1",
        "R9 - 1",
        "[R1]",
        "{R1}",
        '"R1"',
        "R1.",
        "R[1]",
        "R_1",
        "Result 1",
        "(R1)",
        "R1 = 5",
        "R1-R2",
        "round(R1)",
        "round(R9)",
        "The answer is R1",
        "R1 apples",
        "$R1",
        "r1 and r2",
        "R2's capital",
        "answer: R1",
        "R1.answer",
    ],
)
def test_a_reference_gone_wrong_is_told(args: str) -> None:
    with pytest.raises(
        ToolError, match=r"expected one result or a text, got .*results \(R1, R2\), such as Finish\(R1\)"
    ):
        Finish()(args, RESULTS)


def test_output_is_a_result_name_where_it_is_bound() -> None:
    with pytest.raises(ToolError, match="expected one result"):
        Finish()("output", {"Output": Value.of(5)})


@pytest.mark.parametrize("kind", ["GSM8K", "HotpotQA", "InterCodeSQL", "WebShop", "Mind2Web"])
def test_an_episode_does_not_end_with_a_reference_gone_wrong(kind: str) -> None:
    env = gymnasium.make(f"lumos_rl/{kind}-v0")
    env.reset(seed=0)
    tool = next(iter(env.unwrapped.get_wrapper_attr("_episode").executor.tools))
    for text in ("Finish(R1 + 1)", "Finish(R1, R2)", "Finish(r1)", f"Finish({tool}(2))", f"Finish(R1 = {tool}(2))"):
        _, reward, terminated, truncated, info = env.step(text)
        assert (reward, terminated, truncated) == (0.0, False, False)
        assert "expected one result or a text" in info["error"]
    assert env.step("Finish(Oslo, Norway)")[2]
