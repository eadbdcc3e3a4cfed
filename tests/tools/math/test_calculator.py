"""Exact arithmetic: values worked out by hand, errors a model can act on, and limits that hold."""

import contextlib
import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value
from lumos_rl.tools.expression import FUNCTIONS, read_number
from lumos_rl.tools.math import arithmetic
from lumos_rl.tools.math.calculator import Calculator, calculate
from lumos_rl.tools.math.formula import Formula

R = {
    "R1": Value.of(24),
    "R10": Value.of(Fraction(1, 3)),
    "R2": Value.of((Value.of(-2), Value.of(2))),
    "R3": Value.of("$1,250"),
    "R4": Value.of("Paris"),
    "R5": Value.of(Decimal(2).sqrt()),
    "R6": Value.of(True),
    "Output": Value.of(7),
}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        # operators, precedence, brackets
        ("48 / 2", "24"),
        ("2 + 3 * 4", "14"),
        ("10 - 4 - 3", "3"),
        ("2 ^ 3 ^ 2", "512"),
        ("2 ** 3", "8"),
        ("-2^2", "-4"),
        ("2^-2", "0.25"),
        ("- - 3", "3"),
        ("[2 + {3 * (4 - 1)}]", "11"),
        ("2(3 + 4)", "14"),
        ("(2)(3)", "6"),
        ("6 / 2(1 + 2)", "9"),
        ("2pi - pi*2", "0"),
        ("3²", "9"),
        ("17 mod 5", "2"),
        ("-3 mod 5", "2"),
        ("7.5 mod 2", "1.5"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("10 pi // 3", "10"),
        ("5!", "120"),
        # times and other signs
        ("3 x 4", "12"),
        ("3x4", "12"),
        ("3 X R1", "72"),
        ("R1 x 3", "72"),
        ("3xR1", "72"),
        ("(2)x(5)", "10"),
        ("3 × 4 ÷ 2 − 1", "5"),
        ("2 · 3", "6"),
        # numbers
        (".5 + 5.", "5.5"),
        ("1,000 + 1", "1001"),
        ("1,234,567.5", "1234567.5"),
        ("$5 + $1,250.50", "1255.5"),
        ("-$5", "-5"),
        ("1 1/2", "1.5"),
        ("2 * 1 1/2", "3"),
        ("1½ + ¾", "2.25"),
        ("2.5e3", "2500"),
        ("0.1 + 0.2", "0.3"),
        ("1/3", "1/3"),
        ("1/3 + 1/6", "0.5"),
        ("10 / 4", "2.5"),
        # the percent sign and the remainder
        ("20%", "0.2"),
        ("20% of 50", "10"),
        ("50 * 20%", "10"),
        ("20% * 50", "10"),
        ("(100 - 20)%", "0.8"),
        ("20% - 5", "-4.8"),
        ("100 + 5%", "100.05"),
        ("17 % 5", "2"),
        ("17%5", "2"),
        ("17 % (2 + 3)", "2"),
        ("R1 % Output", "3"),
        # comparisons and logic
        ("10 > 3", "True"),
        ("10 <= 3", "False"),
        ("1 < 2 < 3", "True"),
        ("1 < 3 < 2", "False"),
        ("2 + 2 = 4", "True"),
        ("0.5 == 1/2", "True"),
        ("3 != 3", "False"),
        ("3 ≥ 3", "True"),
        ("10 > 3 and 2 < 1", "False"),
        ("10 > 3 or 2 < 1", "True"),
        ("not 3 > 4", "True"),
        ("not (1 > 2) and R6", "True"),
        ("5! = 120", "True"),
        # functions
        ("sqrt(144)", "12"),
        ("sqrt(1,024)", "32"),
        ("sqrt(9/16)", "0.75"),
        ("8^(1/3)", "2"),
        ("(-8)^(1/3)", "-2"),
        ("27^(-2/3)", "1/9"),
        ("abs(-3.5)", "3.5"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(1250, -2)", "1300"),
        ("floor(-1.5)", "-2"),
        ("ceil(1.2)", "2"),
        ("max(3, 1, 2)", "3"),
        ("max(100,200)", "200"),
        ("min(3, 1/2)", "0.5"),
        ("sum(1, 2, 3)", "6"),
        ("sum([1, 2, 3])", "6"),
        ("gcd(12, 18)", "6"),
        ("lcm(4, 6)", "12"),
        ("factorial(5)", "120"),
        ("log(1000)", "3"),
        ("log(8, 2)", "3"),
        ("ln(exp(2))", "2"),
        # not exact
        ("sqrt(2)", "1.4142135623731"),
        ("sqrt(2)^2", "2"),
        ("sqrt(2)^2 = 2", "True"),
        ("2^0.5 > 1.414", "True"),
        ("pi", "3.14159265358979"),
        ("exp(1)", "2.71828182845905"),
        ("sin(pi/6)", "0.5"),
        ("cos(pi/2)", "0"),
        ("cos(pi)", "-1"),
        ("tan(pi/4)", "1"),
        ("sin(1)", "0.841470984807897"),
        ("ln(2)", "0.693147180559945"),
        # results
        ("R1 + R10", "73/3"),
        ("R10 * 3", "1"),
        ("Output - 1", "6"),
        ("R3 * 2", "2500"),
        ("R5 * R5", "2"),
        ("max(R2)", "2"),
        ("sum(R2, 5)", "5"),
        ("2R1", "48"),
        ("R1(2)", "48"),
    ],
)
def test_value(expression: str, text: str) -> None:
    assert calculate(expression, R) == text


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "got nothing"),
        ("1 / 0", "division by zero"),
        ("5 mod (3 - 3)", "division by zero"),
        ("5 // 0", "division by zero"),
        ("0^-1", "division by zero"),
        ("5 apples", "unexpected word 'apples'"),
        ("24 / 60 hours", "unexpected word 'hours'"),
        ("3 4", "unexpected '4' after '3'"),
        ("3 + * 4", "unexpected '*' after '+'"),
        ("3 +", "after '+', got nothing"),
        ("(3", "expected ')' to close '('"),
        ("(3]", "expected ')' to close '(', got ']'"),
        ("3)", "unexpected ')' after '3'"),
        ("1,0000", "several separated by ','"),
        ("5 10/2", "operator between '5' and '10/2'"),
        ("3 # 4", "unexpected character '#'"),
        ("__import__('os')", "unexpected character"),
        ("R99 + 1", "unknown result 'R99'; known: R1"),
        ("R4 + 1", "R4 is 'Paris', expected a number"),
        ("R2 + 1", "got the list [-2, 2]; name its items first"),
        ("R6 + 1", "expected a number, got True"),
        ("3 and 4", "expected True or False beside 'and', got 3"),
        ("not 3", "expected True or False beside 'not', got 3"),
        ("True > False", "expected a number, got True"),
        ("[1, 2]", "expected one number, got a list"),
        ("sqrt 4", "expected brackets after sqrt"),
        ("sqrt(-4)", "no real root"),
        ("log(0)", "expected a positive number"),
        ("log(2, 1)", "expected a positive base"),
        ("(-2)^0.3", "no real root"),
        ("(-2)^pi", "no real value"),
        ("2.5!", "expected an integer"),
        ("(-3)!", "from 0 on"),
        ("gcd(1.5, 2)", "expected an integer in gcd, got 1.5"),
        ("abs(1, 2)", "expected 1 numbers in abs, got 2"),
        ("max()", "expected at least 1 numbers in max, got 0"),
        ("tan(pi/2)", "no value at this angle"),
    ],
)
def test_error(expression: str, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        calculate(expression, R)
    assert words in str(caught.value)
    assert not isinstance(caught.value, ToolLimitError)


TOO_LARGE = {
    "percent signs": "5" + "%" * 999,
    "factorial signs": "0" + "!" * 999,
    "tower": "9^9^9^9",
    "power": "10^100000000",
    "negative power": "10^-100000000",
    "fraction power": "(1/3)^99999",
    "factorial": "factorial(10^9)",
    "factorials": "5!!!!",
    "literal": "1e999999999",
    "product": "(10^900)*(10^900)",
    "exponential": "exp(10^9)",
    "decimal power": "pi^10^9",
    "angle": "sin(10^30)",
    "places": "round(2, 10^9)",
    "depth": "(" * 100_000 + "1" + ")" * 100_000,
    "depth within length": "(" * 400 + "1" + ")" * 400,
    "signs": "-" * 900 + "1",
    "powers": "2^" * 450 + "1",
    "nots": "not " * 240 + "True",
    "functions": "sqrt(" * 150 + "1" + ")" * 150,
    "length": "1+" * 50_000 + "1",
}


@pytest.mark.parametrize("expression", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_too_much_is_refused_at_once(expression: str) -> None:
    assert fastest_refusal(expression) < 0.1


def fastest_refusal(expression: str) -> float:
    """CPU seconds, the least of several runs, since other processes share the machine."""
    times = []
    for _ in range(5):
        start = time.process_time()
        with pytest.raises(ToolLimitError):
            calculate(expression)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize(
    "expression",
    [
        "+".join(["1"] * 500),
        "*".join(["9"] * 400),
        "/".join(["7"] * 300),
        "(1/3)^500 * 3^1800",
        "2^(1/3000)",
        f"lcm({','.join(map(str, range(1, 250)))})",
        f"max({','.join(['pi'] * 300)})",
        "sqrt(" * 40 + "2" + ")" * 40,
        "sin(" * 40 + "2" + ")" * 40,
        "3!" + "+449!" * 100,
        "1^(10^900)",
        "0.999999^0.000001" + "^0.5" * 60,
    ],
)
def test_large_but_allowed_work_is_short(expression: str) -> None:
    start = time.process_time()
    calculate(expression)
    assert time.process_time() - start < 0.5


def test_every_function_the_reader_knows_can_be_computed() -> None:
    assert set(arithmetic._FUNCTIONS) == FUNCTIONS


EXACT = st.fractions(min_value=-1000, max_value=1000, max_denominator=60)


@given(EXACT, EXACT, st.sampled_from("+-*/"))
def test_arithmetic_agrees_with_fractions(a: Fraction, b: Fraction, operator: str) -> None:
    names = {"R1": Value.of(a), "R2": Value.of(b)}
    if operator == "/" and b == 0:
        return
    expected = {"+": a + b, "-": a - b, "*": a * b, "/": a / (b or 1)}[operator]
    assert Calculator()(f"R1 {operator} R2", names).exact == expected


@given(EXACT)
def test_the_text_of_a_result_reads_back_exactly(number: Fraction) -> None:
    text = Value.of(number).text
    assert read_number(text) == number
    assert Calculator()(text, {}).exact == number


@given(st.text(alphabet=st.sampled_from("0123456789.,+-*/^%!=<>()[]{} xRe$½÷andorsqtmi"), max_size=40))
def test_any_text_has_a_value_or_a_tool_error(text: str) -> None:
    try:
        value = Calculator()(text, R)
    except ToolError:
        return
    assert isinstance(value.exact, Fraction | Decimal | bool | Formula)


@given(st.text(max_size=60))
def test_any_unicode_text_has_a_value_or_a_tool_error(text: str) -> None:
    with contextlib.suppress(ToolError):
        Calculator()(text, R)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18.0", Fraction(18)),
        ("$1,250", Fraction(1250)),
        (" -3/4 ", Fraction(-3, 4)),
        ("20%", Fraction(1, 5)),
        (".5", Fraction(1, 2)),
        ("1e5", Fraction(100000)),
        ("1/0", None),
        ("1e99999", None),
        ("1990-1995", None),
        ("5 apples", None),
        ("", None),
        ("½ of it", None),
    ],
)
def test_read_number(text: str, number: Fraction | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("|3 - 8|", "5"),
        ("2|3 - 8| + |-4|", "14"),
        ("||3 - 8| - 7|", "2"),
        ("|(2)(|-3|)|", "6"),
        ("20% of 50", "10"),
        ("20 percent of 50", "10"),
        ("1/4 of 20", "5"),
    ],
)
def test_bars_and_percentages_of_numbers_are_read(expression, value):
    assert calculate(expression) == value


@pytest.mark.parametrize("expression", ["|3", "|", "||", "|3)|", "(|3)", "3 percent percent |"])
def test_a_bar_needs_its_other_bar(expression):
    with pytest.raises(ToolError, match="expected"):
        calculate(expression)


def test_an_expression_with_a_letter_is_a_formula_in_it():
    assert calculate("40% * p") == "40% * p"
    assert calculate("40% x p") == "40% * p"
    p = Calculator()("n - 2", {})
    assert Calculator()("R1 * 3", {"R1": p}).text == "(n - 2) * 3"


@pytest.mark.parametrize("expression", ["p", "apples * 2", "p > 3", "p + ", "e + 1"])
def test_other_words_are_no_unknowns(expression):
    with pytest.raises(ToolError):
        calculate(expression)
