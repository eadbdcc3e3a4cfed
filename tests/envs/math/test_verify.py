"""Implied numbers are explained, those that somebody made in the head become actions, and others are refused."""

from fractions import Fraction

import pytest

from lumos_rl.core import Task
from lumos_rl.data.annotate import annotate
from lumos_rl.envs.math.counted import conversions, counts, people, spans
from lumos_rl.task_types import Reject


def actions(question, solution, gold):
    found = annotate(Task("gsm8k/train/0", "gsm8k", question, gold, "train", meta={"solution": solution}))
    return found.reason if isinstance(found, Reject) else [a.args for s in found.subgoals for a in s.actions]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Stella and Twinkle fill a truck with 6000 blocks.", 2),
        ("Lisa, Jessie, and Devin scored the rest.", 3),
        ("On Monday, Wednesday, and Friday, Harry walks 7 dogs.", 3),
        ("They plant equal numbers of plum, pear, and apricot trees.", 3),
        ("He delivers papers every Monday through Saturday.", 6),
        ("He cuts it 15 days a month beginning in April and ending in September.", 6),
        ("She eats 2500 calories every day except for Saturday.", 6),
        ("The second hour she fills 141 of them.", 2),
    ],
)
def test_what_a_text_lists_is_counted(text, count):
    assert counts(text) == {Fraction(count)}


@pytest.mark.parametrize("text", ["Tom has bread and butter.", "He sold 2 red and 3 blue pens.", "It takes 3 hours."])
def test_what_is_no_list_is_not_counted(text):
    assert not counts(text)


def test_different_names_are_people():
    assert people("Benny goes to lunch with Sara and Tom. Benny pays for Tom's lunch.") == {Fraction(3)}
    assert not people("Tom goes to lunch. The lunch costs 8 dollars. How much does Tom pay on Monday?")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("He played every day for two weeks.", "14"),
        ("A snake is 2 feet long.", "24"),
        ("It lasted 1 hour 20 minutes.", "80"),
        ("It lasted an hour and 45 minutes.", "7/4"),
        ("Pepe is 4 feet six inches tall.", "9/2"),
        ("She buys 500 grams of walnuts.", "1/2"),
    ],
)
def test_an_amount_in_another_unit_is_known(text, value):
    assert Fraction(value) in conversions(text)


def test_a_number_that_is_no_amount_of_a_unit_is_not_converted():
    assert not conversions("He has 14 pens, and after some weeks 2 more.")
    assert Fraction(150) not in conversions("It takes 2 hours. Later it takes 30 minutes.")  # not one amount


def test_the_time_between_two_times_of_a_day_is_known():
    assert {Fraction(3), Fraction(180)} <= spans("She works from 8:00 a.m. to 11:00 a.m.")
    assert {Fraction(5, 2), Fraction(4)} <= spans("It rains from 2:30 pm to 5:00 pm, and from 8 AM until 12:00.")
    assert not spans("The ratio is 3:5 and he has 8 pens.")


@pytest.mark.parametrize(
    ("question", "solution", "gold", "expected"),
    [
        (
            "Hugh had 8 pounds, Tommy had 6 pounds and Melany had 7 pounds. They share equally. How much has each?",
            "They have 8+6+7 = <<8+6+7=21>>21.\nEach gets 21/3 = <<21/3=7>>7.",
            "7",
            ["8 + 6 + 7", "R1 / 3"],
        ),
        (  # the number of pies was added in the head
            "She makes 10 pumpkin and 12 cherry pies for 110 dollars. What does a pie cost?",
            "She makes 22 pies, so 110/22 = <<110/22=5>>5.",
            "5",
            ["10 + 12", "110 / R1"],
        ),
        (  # 8x is 4 times 2x
            "There are 110 players, 4 times as many drums as flutes and twice as many flutes as horns. How many horns?",
            "Let x be the horns.\nx+2x+8x=110\n11x=110\nx=<<10=10>>10",
            "10",
            ["2 * 4", "x + 2 * x + R1 * x = 110", "R2"],
        ),
        (  # a share of the sum of a ratio
            "Ann, Ben and Cy share 600 marbles in the ratio 3:5:7. How many does Ben have?",
            "The sum is 3+5+7=<<3+5+7=15>>15.\nBen has 5/15*600=<<5/15*600=200>>200.",
            "200",
            ["3 + 5 + 7", "5 / R1 * 600"],
        ),
        (
            "50% of the 150 tons are iron and 20% carbon. How many tons are neither?",
            "30% are neither because 100-50-20=<<100-50-20=30>>30.\nThat is 150*.3=<<150*.3=45>>45.",
            "45",
            ["100 - 50 - 20", "150 * (R1 / 100)"],
        ),
    ],
)
def test_an_implied_number_is_kept_and_one_made_in_the_head_is_calculated(question, solution, gold, expected):
    assert actions(question, solution, gold) == expected


@pytest.mark.parametrize(
    ("question", "solution", "gold"),
    [
        ("Each tray holds many of the 15 eggs.", "15*36=<<15*36=540>>540", "540"),
        ("A man buys 5 pens at 3 dollars and 15 hats.", "He needs 15*3=<<15*3=45>>45 and 45+8=<<45+8=53>>53", "53"),
        ("He has 10, 12, 2 and 20 pens and 110 hats.", "110/22=<<110/22=5>>5", "5"),  # 10 + 12 or 2 + 20
        ("25 peaches are in 5 baskets; 5 are eaten.", "150-5=<<150-5=145>>145", "145"),
    ],
)
def test_a_number_that_may_be_made_in_several_ways_or_in_none_is_refused(question, solution, gold):
    assert actions(question, solution, gold) == "a number comes from nowhere"
