import random

import pytest

from lumos_rl.envs.math.suite import ITEMS, NAMES
from lumos_rl.envs.math.words import PEOPLE, THINGS, replace_words, swap_words


def test_names_and_things_are_swapped_within_their_kind_for_words_the_text_does_not_use():
    text = "Tom has 12 pens, Ann has 3 more pens and an umbrella."
    for seed in range(50):
        swaps = swap_words(text, random.Random(seed))
        assert list(swaps) == ["Ann", "Tom", "pens"]
        assert {swaps["Tom"], swaps["Ann"]} <= set(PEOPLE) - {"Tom", "Ann"}
        assert swaps["pens"] in set(THINGS) - {"pens"}
        assert len(set(swaps.values())) == 3


def test_a_thing_that_also_stands_in_the_singular_is_left_alone():
    assert swap_words("6 pens cost $3. What is a pen?", random.Random(0)) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom's pens, pens.", "Eva's cups, cups."),
        ("Tomorrow Tom opens it.", "Tomorrow Eva opens it."),
        ("TOM Penss", "TOM Penss"),
    ],
)
def test_only_whole_words_are_replaced(text, expected):
    assert replace_words(text, {"Tom": "Eva", "pens": "cups"}) == expected


def test_the_words_of_the_built_in_suites_are_among_them():
    assert set(NAMES) <= set(PEOPLE)
    assert set(ITEMS) <= set(THINGS)
    assert len(set(PEOPLE)) == len(PEOPLE)
    assert len(set(THINGS)) == len(THINGS)
