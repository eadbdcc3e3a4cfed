"""No text of a model is expensive to read: the cost of a reading grows with the length of its text at most."""

import contextlib
import gc
import time
from collections.abc import Callable

import pytest

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.metrics import numeric_match
from lumos_rl.tools.math import math_tools

PIECES = (
    *("1+", "(", ")", "|", "-", "!", "%", "9", "9**", "x", "2x+", "(x+1)^50*", "1,000,", ",", ", ", "..., ", "x=1,"),
    *("a, ", "1 1/2 ", "x<", "not ", "sqrt(", "max(", "f(x)=", "R1", "word ", " ", "½", "²", "1/", "=", "$", "a ,"),
)


def tool(name: str) -> Callable[[str], object]:
    return lambda text: math_tools()[name](text, {})


TOOLS = ("Calculator", "SetEquation", "SolveEquation", "SolveInequality", "Count", "Define")
READINGS: dict[str, Callable[[str], object]] = {name: tool(name) for name in TOOLS}
READINGS["numeric_match"] = lambda text: numeric_match(text, "7")


def cpu_s(reading: Callable[[str], object], size: int) -> float:
    """CPU seconds for hostile texts of this many characters, the least of two tries."""
    tries = []
    gc.disable()  # it costs more, the more other tests have left in memory
    for _ in range(2):
        start = time.process_time()
        for piece in PIECES:
            with contextlib.suppress(ToolError):
                reading(piece * (size // len(piece)))
        tries.append(time.process_time() - start)
    gc.enable()
    return min(tries)


@pytest.mark.parametrize("name", READINGS)
def test_twice_the_text_costs_less_than_three_times_as_much(name):
    assert cpu_s(READINGS[name], 64_000) < 3 * cpu_s(READINGS[name], 32_000) + 0.005


@pytest.mark.parametrize("name", READINGS)
def test_texts_as_long_as_an_expression_may_be_are_read_at_once(name):
    assert cpu_s(READINGS[name], 900) < 0.25 * len(PIECES)  # ten times what the slowest takes


@pytest.mark.parametrize(
    "equation",
    ["(x+1)^5000 = 0", "x^9999 = 2", "2^x^x^x = 3", "(x+1)^50*(x+1)^50 = 7", f"{'x*' * 400}x = 1", "x^(1/9999) = 2"],
)
@pytest.mark.parametrize("name", ["SolveEquation", "SolveInequality"])
def test_powers_that_would_take_seconds_are_refused_before_they_are_tried(name, equation):
    with pytest.raises(ToolLimitError, match="powers of unknowns of at most 60"):
        math_tools()[name](equation, {})


def test_a_long_chain_of_equations_is_refused():
    with pytest.raises(ToolLimitError, match="at most 12 equations"):
        math_tools()["SolveEquation"]("x = " * 20 + "1", {})
