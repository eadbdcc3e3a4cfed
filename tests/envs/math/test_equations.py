import gc
import time
from fractions import Fraction

import pytest

from lumos_rl.envs.math.equations import agrees, equations, spell, stated_value, tokenize
from lumos_rl.envs.math.unknowns import letter_equations


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Natalia sold 48/2 = <<48/2=24>>24 clips in May.", [("48 / 2", "24", True)]),
        ("0.2 x 50 = $<<0.2*50=10>>10.", [("0.2 * 50", "10", True)]),
        ("Now 5 years old<<2+3=5>>.", [("2 + 3", "5", True)]),
        ("It is 2+3 = 5<<2+3=5>>.", [("2 + 3", "5", True)]),
        ("The record is 1,148 because 287 x 4 = <<1148=1148>>1,148", [("287 * 4", "1148", True)]),
        ("14 pieces/house * 60 houses = 840 pieces", [("14 * 60", "840", False)]),
        ("He spent $40 − $4 = $36 more", [("40 - 4", "36", False)]),
        ("so 20/4 = $5", [("20 / 4", "5", False)]),
        ("1,000 ÷ 8 = 125", [("1000 / 8", "125", False)]),
        ("5x3=15", [("5 * 3", "15", False)]),
        ("10 times 25 equals 250", [("10 * 25", "250", False)]),
        ("because 70 divided by 7 equals 10", [("70 / 7", "10", False)]),
        ("20% of 50 = 10", [("20% * 50", "10", False)]),
        ("100% - 40% = 60% of them", [("100% - 40%", "60%", False)]),
        ("because 1 - (2/3) = 1/3", [("1 - (2 / 3)", "1/3", False)]),
        ("Buicks: 12+8(26)=220", [("12 + 8 * (26)", "220", False)]),
        ("3 (large ones) * 6 = 18", [("3 * 6", "18", False)]),
        ("she has 5*3 + 2 = 15 + 2 = 17 eggs", [("5 * 3 + 2", "17", False)]),
        ("5*3 + 2 = 15+2 = <<15+2=17>>17", [("15 + 2", "17", True)]),
        ("2 * 3 = 6 and 6 + 1 = 7.", [("2 * 3", "6", False), ("6 + 1", "7", False)]),
        ("He used 2-liter bottles, so 3*2 = 6", [("3 * 2", "6", False)]),
    ],
)
def test_equations_are_found(line, found):
    got = [(equation.text, equation.stated, equation.marked) for equation in equations(line) if equation.computes]
    assert got == found


@pytest.mark.parametrize(
    "line", ["", "no numbers", "x + 5 = 12", "5 = 5", "= 5", "Tom has 5.", "2x + 4 = 10", "<<>>", "((((="]
)
def test_other_lines_hold_no_calculation(line):
    assert [equation for equation in equations(line) if equation.computes] == []


def test_the_span_covers_expression_and_value():
    line = "So he pays 3*$4 = $<<3*4=12>>12 in all."
    (equation,) = equations(line)
    assert line[equation.start : equation.end] == "3*$4 = $<<3*4=12>>12"


def test_spelling_puts_spaces_around_operators_only():
    assert spell(("(", "3", "+", "4", ")", "*", "20%")) == "(3 + 4) * 20%"
    assert spell(("-", "20", "+", "(", "-", "3", ")")) == "-20 + (-3)"
    assert spell(("round(", "R1", ",", "2", ")")) == "round(R1, 2)"


@pytest.mark.parametrize(
    ("value", "stated", "same"),
    [
        (Fraction(10, 3), "3.33", True),
        (Fraction(10, 3), "3.34", True),
        (Fraction(10, 3), "3.4", True),
        (Fraction(10, 3), "3.5", False),
        (Fraction(10, 3), "10/3", True),
        (Fraction(10, 3), "3", True),
        (Fraction(2, 3), "67%", True),
        (Fraction(2, 3), "66%", True),
        (Fraction(2, 3), "68%", False),
        (Fraction(5), "5.00", True),
        (Fraction(5), "6", False),
        (Fraction(5), "five", False),
    ],
)
def test_a_stated_value_agrees_when_it_is_the_value_rounded_or_cut(value, stated, same):
    assert agrees(value, stated) is same


def test_stated_values():
    assert stated_value("60%") == Fraction(3, 5)
    assert stated_value("1/3") == Fraction(1, 3)
    assert stated_value("1/0") is None and stated_value("") is None


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("x + 278 = 536 sentences", ["x + 278 = 536"]),
        ("S + 2S + 4S = 7S = 847 people.", ["S + 2 * S + 4 * S = 847"]),
        ("2p/5 = (p+$600)/4", ["2 * p / 5 = (p + 600) / 4"]),
        ("Thus 100 = A + 2A, or 20 = A.", ["100 = A + 2 * A", "20 = A"]),
        ("x=<<11=11>>11", ["x = 11"]),
        ("t=<<5=5>> dollars", ["t = 5"]),
        ("Dividing by 3 gives p = $1000", ["p = 1000"]),
        ("4 * x + 600 cats = 10000", ["4 * x + 600 = 10000"]),
        ("C-1=(C+5)/2.", ["C - 1 = (C + 5) / 2"]),
        ("5 x 3 = 15", []),
        ("48/2 = 24", []),
        ("x = ", []),
    ],
)
def test_equations_with_unknowns_are_found(line, texts):
    assert [equation.text for equation in letter_equations(line)] == texts


def test_a_solution_is_told_from_an_equation():
    solved, reversed_, open_ = letter_equations("x = 5, 20 = A, x + 5 = 10")
    assert solved.solution == ("x", "5") and reversed_.solution == ("A", "20") and open_.solution is None


def _cpu_s(size: int) -> float:
    """CPU seconds to read lines of about `size` characters that no person writes; the best of three tries."""
    lines = [piece * (size // len(piece)) for piece in ("1+", "(", ")", "1 = ", "x = ", "1+1=", ")=", "2x+", "(cats) ")]
    lines += [line + "x=1" for line in lines] + [("x=" + "(" * 190 + " cats ") * (size // 200)]
    tries = []
    for _ in range(3):
        tokenize.cache_clear()
        gc.collect()
        start = time.process_time()
        for line in lines:
            equations(line)
            letter_equations(line)
        tries.append(time.process_time() - start)
    return min(tries)


def test_the_cost_of_a_hostile_line_grows_with_its_length_only():
    assert _cpu_s(8000) < 3 * _cpu_s(4000)
