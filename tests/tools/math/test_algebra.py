"""Equations, inequalities, definitions and lists: solutions worked out by hand, choices, errors and limits."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.language import parse_actions
from lumos_rl.tools.base import Executor, Value
from lumos_rl.tools.code.process import ChildLimits
from lumos_rl.tools.math import math_tools
from lumos_rl.tools.math.algebra import Count, Define, SolveEquation
from lumos_rl.tools.math.formula import closed, split, unknowns
from lumos_rl.tools.math.inequality import SolveInequality


def last_result(text: str) -> str:
    """The text of the last result of these actions, which must all run."""
    execution = Executor(math_tools()).run(parse_actions(text))
    assert execution.error is None
    return list(execution.results.values())[-1]


def error_of(text: str) -> str:
    """What the first failing one of these actions did wrong."""
    execution = Executor(math_tools()).run(parse_actions(text))
    assert execution.error is not None
    return execution.error


@pytest.mark.parametrize(
    ("equations", "solution"),
    [
        ("x + 3 = 5", "2"),
        ("2x + 3 = 11", "4"),
        ("3(x + 2) = 4x - 5", "11"),
        ("x/3 + x/4 = 7", "12"),
        ("3x = 1", "1/3"),
        ("0.1x = 3", "30"),
        ("x + 20% x = 60", "50"),
        ("1,250 - 5 * cost = 1000", "50"),
        ("5 = 2n", "2.5"),
        ("x = 1/2 = y, x = y", "x = 0.5, y = 0.5"),
        # quadratic: real solutions from the smallest on
        ("x^2 = 4", "[-2, 2]"),
        ("x² - 5x + 6 = 0", "[2, 3]"),
        ("(x - 3)^2 = 0", "3"),
        ("x^2 = 2", "[-1.4142135623731, 1.4142135623731]"),
        ("x^2 - 4", "[-2, 2]"),
        # unknowns in denominators
        ("1/x = 2", "0.5"),
        ("(x + 1)/(x - 1) = 3", "2"),
        ("(x^2 - 1)/(x - 1) = 0", "-1"),
        ("1/(1/x) = 3", "3"),
        # systems: unknowns in reading order
        ("x + y = 3, x - y = 1", "x = 2, y = 1"),
        ("x - y = 1; x + y = 3", "x = 2, y = 1"),
        ("x + y = 3 and x - y = 1", "x = 2, y = 1"),
        ("[b + a = 3, a - b = 1]", "b = 1, a = 2"),
        ("a + b + c = 6, a - b = 1, c = 2a", "a = 1.75, b = 0.75, c = 3.5"),
        ("x + y = 3, x - y = 1, 2x = 4", "x = 2, y = 1"),
        ("x = 2, x + 3 = 5", "2"),
        # what to solve for
        ("x + y = 3, x - y = 1, y", "1"),
        ("3x + 2 = 11 for x", "3"),
    ],
)
def test_solutions(equations: str, solution: str) -> None:
    assert last_result(f"R1 = SolveEquation({equations})") == solution


@pytest.mark.parametrize(
    ("equations", "solution"),
    [
        ("x^3 - 6x^2 + 11x - 6 = 0", "[1, 2, 3]"),
        ("x^3 - 3x + 1 = 0", "[-1.87938524157182, 0.347296355333861, 1.53208888623796]"),  # -2 cos(20, 40, 80 degrees)
        ("2^x = 8", "3"),
        ("sqrt(x) = 4", "16"),
        ("abs(x - 3) = 5", "[-2, 8]"),
        ("x*y = 12, x + y = 7", "x = 3, y = 4 or x = 4, y = 3"),
        ("log(x) = 2", "100"),
        ("2x + y = 10", "5 - y/2"),
        ("2x + y = 10, y", "10 - 2*x"),
    ],
)
def test_solutions_by_sympy(equations: str, solution: str) -> None:
    assert last_result(f"R1 = SolveEquation({equations})") == solution


def test_a_solution_in_another_unknown_is_a_formula() -> None:
    assert last_result("R1 = SolveEquation(2x + y = 10); R2 = R1(4)") == "3"


@pytest.mark.parametrize(
    ("equations", "words"),
    [
        ("x^2 = -1", "no real solution"),
        ("x = x + 1", "no real solution"),
        ("(x^2 - 1)/(x - 1) = 2", "no real solution"),  # only x = 1 would solve it, and there it has no value
        ("x = 2, x = 3", "no real solution"),
        ("x + y = 1, x + y = 2", "contradict"),
        ("x = x", "every number is a solution"),
        ("x + y = 2, 2x + 2y = 4", "many solutions"),
        ("x/0 = 3", "division by zero"),
        ("3 = 3", "expected an unknown"),
        ("x", "expected an equation"),
        ("", "expected an equation"),
        ("x > 3", "use SolveInequality"),
        ("x = 3, z", "expected to solve for one of x, got z"),
        ("x = ", "after '=', got nothing"),
        ("x = R9", "unknown result 'R9'"),
        ("__import__('os').getcwd() = x", "unexpected character"),
        ("x = max(x, [1, 2])", "without lists"),
    ],
)
def test_equations_without_a_solution_say_why(equations: str, words: str) -> None:
    assert words in error_of(f"R1 = SolveEquation({equations})")


def test_equations_are_set_and_solved_later() -> None:
    actions = "R1 = SetEquation(x + y = 10); R2 = Calculator(2 * 2); R3 = SetEquation(y = R2 x); "
    assert last_result(actions + "R4 = SolveEquation(R1, R3)") == "x = 2, y = 8"
    assert last_result(actions + "R4, R5 = SolveEquation(R1, R3)") == "8"
    assert last_result("R1 = SetEquation(x + y = 3, x - y = 1); R2 = SolveEquation(R1)") == "x = 2, y = 1"


def test_a_set_equation_shows_what_results_stand_for() -> None:
    assert last_result("R1 = Calculator(1 - 3); R2 = SetEquation(2x - R1 = R1)") == "2x - (-2) = -2"
    assert last_result("R1 = Calculator(1/3); R2 = SetEquation(R1 x = 2)") == "(1/3) x = 2"
    assert last_result("R1 = Define(z = y + 1); R2 = SetEquation(2 * R1 = 4)") == "2 * (y + 1) = 4"


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        ("2x", "expected an equation"),
        ("x +", "after '+', got nothing"),
        ("", "got nothing"),
        ("R1 + 1 = 3", "R1 is the equation"),
    ],
)
def test_what_is_no_equation_is_not_set(equation: str, words: str) -> None:
    assert words in error_of(f"R1 = SetEquation(x = 1); R2 = SetEquation({equation})")


def test_an_equation_is_no_number() -> None:
    assert "R1 is 'x = 1', expected a number" in error_of("R1 = SetEquation(x = 1); R2 = Calculator(R1 + 1)")


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ("x", "x"),
        ("x, y", "[x, y]"),
        ("x: number of apples", "x"),
        ("x = number of apples", "x"),
        ("x = Tom's apples", "x"),
        ("x = 3 + 4", "7"),
        ("x = 2y", "2y"),
        ("f(a, b) = a^2 + b", "f(a, b) = a^2 + b"),
    ],
)
def test_definitions(definition: str, text: str) -> None:
    assert last_result(f"R1 = Define({definition})") == text


def test_defined_unknowns_are_used_in_equations() -> None:
    assert last_result("R1 = Define(n); R2 = SetEquation(3 * R1 + 4 = 19); R3 = SolveEquation(R2)") == "5"
    assert last_result("R1, R2 = Define(x, y); R3 = SolveEquation(R1 + R2 = 3, R1 - R2 = 1)") == "x = 2, y = 1"


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ("R4 = Define(f(a, b) = a^2 + b); R5 = Calculator(2); R6 = Calculator(1/3); R7 = R4(R5, R6)", "13/3"),
        ("R4 = Define(f(a, b) = a - b); R7 = R4(b=1, a=-3)", "-4"),
        ("R4 = Define(f(a, b) = a - b); R7 = R4(b=1, 5)", "4"),
        ("R4 = Define(f(a, b) = a - b); R5 = R4(10); R6 = R5(3)", "7"),
        ("R1 = SetEquation(a*x = 12); R2 = R1(a=3)", "3*x = 12"),
        ("R1 = SetEquation(a*x = 12); R2 = R1(a=3); R3 = SolveEquation(R2)", "4"),
        ("R1 = SetEquation(a*x = 12); R2 = R1(3, 4)", "True"),
        ("R1 = SetEquation(f(x) = 2x + 1); R2 = R1(5)", "11"),
        ("R1 = Define(f(x) = x^2); R2 = R1(-3)", "9"),
        ("R1 = Define(f(x) = 2x); R2 = R1(y + 1)", "2(y + 1)"),
        ("R1 = SolveInequality(2x > 6); R2 = R1(x=4)", "True"),
    ],
)
def test_a_formula_is_applied(actions: str, text: str) -> None:
    assert last_result(actions) == text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("R1(1, 2, 3)", "at most these unknowns: a, b; got '3'"),
        ("R1(c=3)", "at most these unknowns: a, b; got 'c=3'"),
        ("R1(R9)", "unknown result 'R9'"),
        ("R1(1, 0)", "division by zero"),
    ],
)
def test_a_formula_refuses_what_does_not_fit(call: str, words: str) -> None:
    assert words in error_of(f"R1 = Define(f(a, b) = a / b); R2 = {call}")


@pytest.mark.parametrize(
    ("inequality", "solution"),
    [
        ("2x + 3 > 7", "x > 2"),
        ("-2x <= 6", "x >= -3"),
        ("5 < x", "x > 5"),
        ("x^2 < 4", "-2 < x < 2"),
        ("x^2 >= 4", "x <= -2 or x >= 2"),
        ("x^2 <= 0", "x = 0"),
        ("x^2 > 0", "x < 0 or x > 0"),
        ("x^2 >= 0", "all real numbers"),
        ("x^2 > 2", "x < -1.4142135623731 or x > 1.4142135623731"),
        ("1 < 2x + 1 <= 7", "0 < x <= 3"),
        ("1/x > 2", "0 < x < 0.5"),
        ("1/x <= 0", "x < 0"),
        ("x > 3, x < 5", "3 < x < 5"),
        ("x > 3 and x < 5", "3 < x < 5"),
        ("x < 2 or x > 5", "x < 2 or x > 5"),
        ("not x < 2", "x >= 2"),
        ("x != 3", "x < 3 or x > 3"),
        ("3n >= 10", "n >= 10/3"),
        # by sympy
        ("abs(x - 3) < 5", "-2 < x < 8"),
        ("x^3 > 8", "x > 2"),
    ],
)
def test_inequalities(inequality: str, solution: str) -> None:
    assert last_result(f"R1 = SolveInequality({inequality})") == solution


@pytest.mark.parametrize(
    ("inequality", "words"),
    [
        ("x^2 < 0", "no real number"),
        ("x > 5 and x < 3", "no real number"),
        ("x + y > 3", "expected one unknown in the inequality, got x, y"),
        ("3 > 2", "expected one unknown in the inequality, got none"),
        ("x + 1", "expected an inequality"),
        ("", "expected an inequality"),
        ("x > 3 or x", "expected an inequality"),
    ],
)
def test_inequalities_without_a_solution_say_why(inequality: str, words: str) -> None:
    assert words in error_of(f"R1 = SolveInequality({inequality})")


@pytest.mark.parametrize(
    ("items", "count"),
    [
        ("[a, b, c]", 3),
        ("a, b, c", 3),
        ("apple", 1),
        ("[]", 0),
        ("[1,2,3]", 3),
        ("[100,200,300]", 3),
        ("1,000, 2,000", 2),
        ("[[1, 2], [3]]", 2),
        ("f(1, 2), g", 2),
        ("a, b, ", 2),
        ("R1", 2),
        ("R1, R2", 2),
        ("R2", 3),
    ],
)
def test_count(items: str, count: int) -> None:
    names = {"R1": Value.of((Value.of(1), Value.of(1))), "R2": Value.of("x, y, z")}
    assert Count()(items, names) == Value.of(count)


def test_count_of_nothing_is_an_error() -> None:
    with pytest.raises(ToolError, match="expected a list"):
        Count()(" ", {})


HARD = {
    "tower": "x = 9^9^9^9",
    "transcendental": "sin(x)*exp(x) = cos(x)/x",
    "expansion": "((((((x + y)^8 + z)^8 + a)^8 + b)^8 + c)^8 + d)^8 = 5",
    "many unknowns": f"{' + '.join(f'a{i}' for i in range(40))} = 3",
    "nonlinear system": "x^3 + y^3 + z^3 = 9, x*y*z = 2, x^2*y + y^2*z + z^2*x = 7",
    "brackets": "(" * 300 + "x" + ")" * 300 + " = 1",
    "length": "x = " + "1 + " * 500 + "1",
    "exponents": "x^x^x^x^x = 2^2^2^2^x",
}


@pytest.mark.parametrize("equations", HARD.values(), ids=HARD.keys())
def test_hard_equations_end(equations: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ToolError):
        SolveEquation(ChildLimits(cpu_s=1, wall_s=3.0))(equations, {})
    assert time.perf_counter() - start < 4


@pytest.mark.parametrize("tool", [SolveEquation, SolveInequality])
def test_work_for_sympy_is_stopped(tool: type[SolveEquation | SolveInequality]) -> None:
    start = time.perf_counter()
    with pytest.raises(ToolLimitError, match="stopped after"):
        tool(ChildLimits(wall_s=0.05))("x^3 > 8" if tool is SolveInequality else "2^x = 8", {})
    assert time.perf_counter() - start < 2


SMALL = st.integers(-20, 20)


@given(SMALL.filter(bool), SMALL, SMALL)
def test_linear_equations_hold_at_their_solution(a: int, b: int, c: int) -> None:
    (solution,) = SolveEquation()("R1 x + R2 = R3", {"R1": Value.of(a), "R2": Value.of(b), "R3": Value.of(c)})
    assert solution.exact == Fraction(c - b, a)


@given(st.fractions(-20, 20, max_denominator=9), st.fractions(-20, 20, max_denominator=9))
def test_quadratic_equations_have_their_roots_in_order(a: Fraction, b: Fraction) -> None:
    solutions = SolveEquation()("(x - R1)(x - R2) = 0", {"R1": Value.of(a), "R2": Value.of(b)})
    assert isinstance(solutions, tuple)
    assert [solution.exact for solution in solutions] == sorted({a, b})


@given(SMALL, SMALL, SMALL, SMALL, SMALL, SMALL)
def test_systems_hold_at_their_solution(a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    if a * d == b * c:
        return
    names = {f"R{i}": Value.of(n) for i, n in enumerate((a, b, c, d, a * x + b * y, c * x + d * y), 1)}
    text = SolveEquation()("R1 x + R2 y = R5, R3 x + R4 y = R6", names)
    assert isinstance(text, Value)
    assert text.text == f"x = {x}, y = {y}"


def test_names_are_replaced_token_by_token() -> None:
    names = {"R1": Value.of(-4), "R10": Value.of(Fraction(1, 3)), "R2": Value.of("$5")}
    assert closed("R10x + R10 - R1 = R2 (R1)", names) == "R10x + (1/3) - (-4) = 5 (-4)"


def test_split_and_unknowns() -> None:
    assert split("[x = f(1, 2), y > 1,000; z and w]") == ["x = f(1, 2)", "y > 1,000", "z", "w"]
    assert unknowns("2x + cost * sqrt(y) - pi = x") == ("x", "cost", "y")


@pytest.mark.parametrize(
    ("actions", "results"),
    [
        ("R1 = Define(120)", ["120"]),
        ("R1 = Define(n-2)", ["n-2"]),
        ("R1 = Calculator(1 + 2); R2 = Define(R1 + n)", ["3", "3 + n"]),
        ("R1 = Define(p); R2 = Calculator(40% * p); R3 = Define(120); R4 = SolveEquation(R2 = R3)",
         ["p", "40% * p", "120", "300"]),
        ("R1 = SetEquation(y = 2x); R2 = SetEquation(y = x + 5); R3, R4 = SolveEquation(R1 = R2)",
         ["y = 2x", "y = x + 5", "10", "5"]),
    ],
)  # fmt: skip
def test_expressions_of_unknowns_are_named_and_set_equal(actions, results):
    execution = Executor(math_tools()).run(parse_actions(actions))
    assert (list(execution.results.values()), execution.error) == (results, None)


@pytest.mark.parametrize("text", ["number of apples", "n -", "n > 2", "f(x)", ""])
def test_what_is_no_expression_is_no_definition(text):
    with pytest.raises(ToolError, match="expected"):
        Define()(text, {})


@pytest.mark.parametrize(
    ("items", "count"),
    [
        ("2, 4, ..., 50", "25"),
        ("2, 4, …, 48, 50", "25"),
        ("[1, ..., 10]", "10"),
        ("10, 9, ..., 1", "10"),
        ("1, 2, 4, ..., 64", "7"),
        ("R1, R1 + 0.5, ..., 3", "5"),
    ],
)
def test_a_list_with_dots_is_counted_to_its_end(items, count):
    assert Count()(items, {"R1": Value.of(1)}).text == count


@pytest.mark.parametrize("items", ["2, 4, ..., 51", "..., 5", "1, ...", "1, 2, 5, ..., 9", "a, ..., z", "2, 2, ..., 2"])
def test_a_list_whose_dots_say_nothing_is_not_counted(items):
    with pytest.raises(ToolError, match=r"equal steps|unexpected"):
        Count()(items, {})
