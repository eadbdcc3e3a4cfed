import time
from fractions import Fraction

import pytest

from lumos_rl.errors import DataError
from lumos_rl.metrics import (
    exact_match,
    numeric_match,
    parse_number,
    token_f1,
    yes_no,
    yes_no_match,
)


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("18.0", "18"),
        ("1,250", "1250"),
        ("1250", "1,250"),
        ("$5", "5"),
        ("-$5.50", "-5.5"),
        ("$-5.50", "-5.5"),
        ("−3", "-3"),
        ("3/4", "0.75"),
        ("1 1/2", "1.5"),
        (".5", "1/2"),
        ("2e3", "2,000"),
        ("50%", "50"),
        ("72 clips", "72"),
        ("The answer is 18.", "18"),
        ("109,200,000", "109200000"),
        ("18", 18),
        (18.0, "18"),
        (Fraction(1, 3), "0.3333333333333333"),
        ("4/3", "1.3333333333333333"),
        ("0.30000000000000004", "0.3"),
        ("000", "0"),
    ],
)
def test_equal_numbers_match(prediction, gold):
    assert numeric_match(prediction, gold)


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("0.333", "1/3"),
        ("1/3", "0.333"),
        ("17.99", "18"),
        ("0.5", "50%"),
        ("", "0"),
        (None, "0"),
        ("five", "5"),
        ("2, 3", "2"),
        ("2 or 3", "3"),
        ("1,25", "125"),
        ("1,2345", "12345"),
        ("R5", "5"),
        ("1.2.3", "1.2"),
        ("1/0", "0"),
        ("-5", "5"),
        ("nan", "0"),
        ("1e999999999", "1"),
        ("9" * 5000, "1"),
        ("0.0000001", "0.0000002"),
    ],
)
def test_other_answers_do_not_match(prediction, gold):
    assert not numeric_match(prediction, gold)


def test_a_gold_answer_without_a_number_is_the_datas_fault():
    with pytest.raises(DataError, match="many"):
        numeric_match("5", "many")


def test_a_number_is_read_exactly():
    assert parse_number("costs $1,000.10") == Fraction(10001, 10)
    assert parse_number("1 and 2") is None


def test_hostile_answers_are_graded_fast():
    start = time.perf_counter()
    for text in ("1," * 20_000, "1 " * 20_000, "-" * 40_000, "1/" * 20_000, "1e" * 20_000):
        assert not numeric_match(text, "5")
        assert yes_no(text) is None
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("prediction", "gold", "equal"),
    [
        ("The Eiffel Tower!", "eiffel tower", True),
        ("U.S.A", "usa", True),
        ("an  apple", "Apple", True),
        ("another", "other", False),
        ("“Ghost”", "Ghost", False),  # only ASCII punctuation is deleted
        ("", "the", True),
        (None, "the", False),
    ],
)
def test_exact_match_follows_the_official_normalisation(prediction, gold, equal):
    assert exact_match(prediction, gold) is equal


@pytest.mark.parametrize(
    ("prediction", "gold", "score"),
    [
        ("Eiffel Tower in Paris", "the Eiffel Tower", 2 * (2 / 4) * 1 / (2 / 4 + 1)),
        ("a b b c", "b b d", 2 * (2 / 3) * (2 / 3) / (4 / 3)),  # "a" is an article
        ("yes", "yes", 1.0),
        ("yes it is", "yes", 0.0),
        ("yes", "yes it is", 0.0),
        ("noanswer", "no", 0.0),
        ("no one", "no body", 0.5),
        ("", "", 0.0),
        (None, "x", 0.0),
    ],
)
def test_token_f1_is_computed_by_hand(prediction, gold, score):
    assert token_f1(prediction, gold) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes", True),
        ("no.", False),
        ("True", True),
        ("The answer is no", False),
        ("Yes, there is no doubt.", True),
        ("It could be yes or no", None),
        ("That is not true.", None),
        ("Not false", None),
        ("Northern snow", None),
        ("know", None),
        ("", None),
        (None, None),
    ],
)
def test_yes_and_no_are_read_as_words(text, said):
    assert yes_no(text) is said


def test_yes_no_match_takes_boolean_golds():
    assert yes_no_match("Yes.", True) and yes_no_match("no", False)
    assert not yes_no_match("maybe", False)
    with pytest.raises(DataError):
        yes_no_match("yes", "perhaps")


@pytest.mark.parametrize(
    "answer",
    ["$70,000,", "70,000, in all", "70,000,in all", "70,000.", "**70,000**!", "70,000,.", "about $70,000.00, I think"],
)
def test_punctuation_and_words_behind_a_number_are_no_part_of_it(answer):
    assert numeric_match(answer, "70000")


@pytest.mark.parametrize("answer", ["70,000,00", "70,000, 5", "70,0000", "70,00"])
def test_groups_of_other_sizes_are_not_joined(answer):
    assert not numeric_match(answer, "70000") and not numeric_match(answer, "7000000")


def test_a_sign_may_be_a_word():
    assert numeric_match("minus 5 degrees", "-5") and not numeric_match("negative 5", "5")
