from fractions import Fraction

import pytest

from lumos_rl.envs.qa.tools.knowledge import Reply
from lumos_rl.envs.qa.tools.quantity import FactCalculator, FactCode, read_date, read_quantity
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value

ANSWERS = {
    "R1": "five",
    "R2": "3 children",
    "R3": "July 4, 1776",
    "R4": "12 March 1980",
    "R5": "American",
    "R6": "the American",
    "R7": "yes",
    "R8": "No.",
    "R9": "about 75,000 people",
    "R10": "44 BC",
    "R11": "1980",
    "R12": "2.5 million",
}
BINDINGS = {name: Value(Reply("?", text), f"Question: ?; Answer: {text}") for name, text in ANSWERS.items()}


def calculate(expression):
    return FactCalculator()(expression, BINDINGS).text


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("R1 > R2", "yes"),
        ("R2 >= three", "yes"),
        ("R3 < R4", "yes"),
        ("R10 < R3", "yes"),
        ("R11 < R4", "yes"),
        ("July 4, 1776 > 1775", "yes"),
        ("1979-12-31 < R11", "yes"),
        ("R4 - 1970", "10.19"),
        ("R11 - 1970", "10"),
        ("R5 = R6", "yes"),
        ("R5 == German", "no"),
        ("R5 != R6", "no"),
        ("R7 and R8", "no"),
        ("R7 or R8", "yes"),
        ("not R8", "yes"),
        ("R7 = yes", "yes"),
        ("100,000 - R9", "25000"),
        ("R12 / 2 million", "1.25"),
        ("(R1 + R2) / 2", "4"),
        ("R1 * two hundred", "1000"),
        ("2 + 3", "5"),
        ("March 3 1990 * 1e400 / 1e400 - 1990", "0.17"),  # 61 days of 365
        ("March 3 1990 * 1e400", "1.99016712328767e+403"),
    ],
)
def test_it_really_calculates(expression, result):
    assert calculate(expression) == result


@pytest.mark.parametrize(
    "expression", ["R5 > 3", "R99 = R1", "R1 +", "", "R5 + R6", " " * 60_000 + "=", "9" * 5_000 + " million", "R5 R6"]
)
def test_what_has_no_value_says_so(expression):
    with pytest.raises(ToolError):
        calculate(expression)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sixteen", 16),
        ("twenty-five", 25),
        ("two hundred and five thousand", 205_000),
        ("1.2 million people", 1_200_000),
        ("-3 degrees", -3),
        ("in 1950", 1950),
        ("March 1, 2000", Fraction(2000) + Fraction(60, 366)),
        ("1st of May 1999", Fraction(1999) + Fraction(120, 365)),
        ("none of these", None),
        ("9" * 5_000, None),
        ("", None),
    ],
)
def test_quantities_of_texts(text, value):
    assert read_quantity(text) == value


def test_code_sees_bare_answers():
    assert FactCode()("print(R11 - 1970, R5.lower())", BINDINGS).text == "10 american"


def test_dates_of_texts():
    assert read_date("founded in 1821 with 50 people") == 1821
    assert read_date("with 1500 people") is None
    assert read_date("2nd century") is None
