"""Running actions: what outputs are bound to, and what is said when an action fails."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest

from lumos_rl.errors import ToolError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Execution, Executor, Value, number_text
from lumos_rl.tools.math import math_tools


class Echo:
    """Returns its arguments as a text."""

    usage = "Echo(text)"

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        return Value.of(args)


class Several:
    """Returns one value per word; none for no word."""

    usage = "Several(a b c)"

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> tuple[Value, ...]:
        if not args:
            raise ToolError("expected words")
        return tuple(map(Value.of, args.split()))


class Rows:
    """Returns rows that are no values, as a query does."""

    usage = "Rows()"

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        return Value(((1,), (2,)), "1 2")


class Doubled:
    """An exact object that can be applied."""

    def apply(self, args: str, bindings: Mapping[str, Value]) -> Value:
        return Value.of(args * 2)


@pytest.fixture
def executor() -> Executor:
    return Executor({"Echo": Echo(), "Several": Several(), "Rows": Rows(), **math_tools()})


def run(executor: Executor, text: str) -> Execution:
    return executor.run(parse_actions(text))


def test_results_are_bound_in_order_and_used_later(executor: Executor) -> None:
    assert run(executor, "R1 = Calculator(48 / 2); R2 = Calculator(48 + R1)") == Execution({"R1": "24", "R2": "72"})
    assert run(executor, "R3 = Calculator(R2 / R1)") == Execution({"R3": "3"})
    assert list(executor.bindings) == ["R1", "R2", "R3"]


def test_r1_is_not_replaced_inside_r10(executor: Executor) -> None:
    run(executor, "R1 = Calculator(2); R10 = Calculator(7)")
    assert run(executor, "R11 = Calculator(R10 + R1)").results == {"R11": "9"}
    assert run(executor, "R12 = SolveEquation(x = R10 + R1)").results == {"R12": "9"}
    assert run(executor, "R13 = Code(R10 + R1)").results == {"R13": "9"}


def test_an_exact_result_stays_exact(executor: Executor) -> None:
    assert run(executor, "R1 = Calculator(1 / 3); R2 = Calculator(R1 * 3)").results == {"R1": "1/3", "R2": "1"}


def test_a_negative_result_is_a_number_not_a_text(executor: Executor) -> None:
    assert run(executor, "R1 = Calculator(2 - 5); R2 = Calculator(R1^2); R3 = Calculator(4 - R1)").results == {
        "R1": "-3",
        "R2": "9",
        "R3": "7",
    }


def test_an_alias_binds_the_same_value(executor: Executor) -> None:
    assert run(executor, "R1 = Calculator(1/3); R2 = R1; Output = R2 = 0.33").results["Output"] == "1/3"
    assert executor.bindings["Output"] is executor.bindings["R1"]


def test_a_claimed_result_is_ignored(executor: Executor) -> None:
    assert run(executor, "R1 = Calculator(2 + 2) = 5").results == {"R1": "4"}


def test_the_last_result_is_the_one_bound_last_not_the_one_with_the_largest_number(executor: Executor) -> None:
    assert executor.last is None
    run(executor, "R9 = Calculator(1); R2 = Calculator(2)")
    assert executor.last == Value.of(2)


def test_a_name_bound_again_moves_to_the_end(executor: Executor) -> None:
    execution = run(executor, "R1 = Calculator(1); R2 = Calculator(2); R1 = Calculator(3)")
    assert list(execution.results.items()) == [("R2", "2"), ("R1", "3")]


def test_several_results_are_spread_over_several_outputs(executor: Executor) -> None:
    assert run(executor, "R1, R2, Output = Several(a b c)").results == {"R1": "a", "R2": "b", "Output": "c"}


def test_several_results_in_one_output_are_a_list_in_order(executor: Executor) -> None:
    assert run(executor, "R1 = Several(c a b)").results == {"R1": "[c, a, b]"}
    assert run(executor, "R2, R3, R4 = R1").results == {"R2": "c", "R3": "a", "R4": "b"}
    assert run(executor, "R5 = Several(a)").results == {"R5": "a"}


@pytest.mark.parametrize(
    ("call", "got"),
    [("Several(a b)", "got 2: a, b"), ("Echo(a)", "got 1: a"), ("Rows()", "got 1: 1 2"), ("R9", "got 1: 1 2")],
)
def test_a_mismatch_of_outputs_and_results_names_both_counts(executor: Executor, call: str, got: str) -> None:
    executor.bindings["R9"] = Rows()("", {})
    execution = run(executor, f"R1, R2, R3 = {call}")
    assert execution.error is not None
    assert execution.results == {}
    assert f"expected 3 results for R1, R2, R3, {got}" in execution.error


def test_a_bare_call_is_bound_to_the_next_free_name(executor: Executor) -> None:
    assert run(executor, "Calculator(1)").results == {"R1": "1"}
    run(executor, "R7 = Calculator(7)")
    assert run(executor, "Calculator(8)").results == {"R8": "8"}


def test_a_function_result_is_applied() -> None:
    executor = Executor({"Echo": Echo()})
    executor.bindings["R4"] = Value(Doubled(), "doubled")
    assert run(executor, "R5 = R4(ab)").results == {"R5": "abab"}


def test_the_first_error_stops_and_keeps_what_was_bound(executor: Executor) -> None:
    execution = run(executor, "R1 = Calculator(6); R2 = Calculator(R1 / 0); R3 = Calculator(1)")
    assert execution.results == {"R1": "6"}
    assert execution.error == "Calculator(R1 / 0): division by zero; check the divisor"
    assert list(executor.bindings) == ["R1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "R5 = Calculater(1)",
            "unknown tool 'Calculater' (did you mean Calculator?); known: Echo, Several, Rows, Calculator",
        ),
        ("R5 = R9", "unknown result 'R9'; known: R1"),
        ("R5 = R9(1)", "unknown result 'R9'; known: R1"),
        ("R5 = Calculator(R9)", "unknown result 'R9'; known: R1"),
        ("R5 = R1(3)", "R1 is 24, expected a formula"),
    ],
)
def test_errors_name_what_is_known(executor: Executor, text: str, expected: str) -> None:
    run(executor, "R1 = Calculator(24)")
    execution = run(executor, text)
    assert execution.error is not None
    assert expected in execution.error


def test_an_error_stays_short(executor: Executor) -> None:
    execution = run(executor, f"R1 = {'Z' * 5000}(1)")
    assert execution.error is not None
    assert len(execution.error) < 600


def test_reset_forgets(executor: Executor) -> None:
    run(executor, "R1 = Calculator(24)")
    executor.reset()
    assert (executor.bindings, executor.last) == ({}, None)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(72), "72"),
        (Fraction(-7), "-7"),
        (Fraction(3, 4), "0.75"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-22, 7), "-22/7"),
        (Fraction(1, 10**20), "0.00000000000000000001"),
        (Fraction(1, 10**21), f"1/{10**21}"),
        (Fraction(10**30), "1" + "0" * 30),
        (Decimal("1.41421356237309504880"), "1.4142135623731"),
        (Decimal("0"), "0"),
        (Decimal("-2.50"), "-2.5"),
        (Decimal("100"), "100"),
        (Decimal("1.5e30"), "1.5e+30"),
        (Decimal("1e-30"), "1e-30"),
    ],
)
def test_the_text_of_a_number(number: Fraction | Decimal, text: str) -> None:
    assert number_text(number) == text
