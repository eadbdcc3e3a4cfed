import random

import pytest

from lumos_rl.envs.mind2web.tools.sentences import (
    feedback,
    grounded_query,
    parse_recorded,
    process_tag,
    ranking_query,
    translate_action,
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[button]  Search -> CLICK", "Visit button Search"),
        ("[link]  Deals -> HOVER", "Visit link Deals"),
        ("[textbox]  City -> TYPE: New York", "Type New York in the textbox City"),
        ("[combobox]  Reservation type -> SELECT: Pickup", "Select Pickup in the combobox Reservation type"),
        ("[textbox]  Code -> TYPE: TYPE: 7", "Type 7 in the textbox Code"),  # what follows the last one
        ("[textbox]  Code -> TYPE: CLICK HERE", "Visit textbox Code"),  # the tests look for parts of the text, in order
        ("[div]  Map -> ENTER", "enter div Map."),
        ("[div]  Map -> SCROLL: down", "scroll div Map."),
        ("[link]  A -> B -> CLICK", "b link A."),  # the second part alone is looked at
        ("[svg]   -> CLICK", "Visit svg "),
        ("no arrow", " no arro no arrow."),
    ],
)
def test_actions_become_sentences(text, sentence):
    assert translate_action(text) == sentence


def test_a_generator_draws_the_verb():
    verbs = {translate_action("[a]  b -> CLICK", random.Random(seed)).removesuffix(" a b") for seed in range(50)}
    assert verbs == {"Visit", "Click", "Find and go into", "Enter"}
    assert {translate_action("[a]  b -> TYPE: c", random.Random(seed)).split(" c ")[0] for seed in range(50)} == {
        "Type",
        "Input",
        "Put text",
    }
    assert translate_action("[a]  b -> SELECT: c", random.Random(4)) == translate_action(
        "[a]  b -> SELECT: c", random.Random(4)
    )


def test_the_planner_is_told_what_was_done():
    assert feedback("Visit button Search") == "We have already visit button Search."


def test_a_ranker_is_told_the_last_three_actions():
    assert ranking_query("Go", []) == "task is: Go\nPrevious actions: "
    assert ranking_query("Go", ["a", "b", "c", "d"]) == "task is: Go\nPrevious actions: b; c; d"


def test_a_selection_asks_for_its_option_too():
    assert grounded_query("SELECT", "type", "Pickup") == "type The option contents should be close to 'Pickup'."
    assert grounded_query("TYPE", "type", "Pickup") == "type"


def test_the_words_of_an_element_leave_out_tags_and_ids():
    text = "ancestors: /html/div\ntarget: (button id=5 (span (span Boston ) (span NY, USA ) ) )"
    assert process_tag(text) == "Boston NY, USA"
    assert (
        process_tag("target: (a id=0 one target: (b id=0 two three)") == "two"
    )  # the last target; "three)" is dropped
    assert process_tag("(a id=0)") == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[combobox]  Reservation  type -> SELECT: Pick up", ("combobox Reservation type", "SELECT", "Pick up")),
        ("[svg]   -> CLICK", ("svg", "CLICK", "")),
        ("[link]  A -> B [x] -> HOVER", ("link A -> B [x]", "CLICK", "")),
        ("[textbox]  To -> TYPE: a -> b", ("textbox To", "TYPE", "a -> b")),
        ("[textbox]  To -> ENTER", ("textbox To", "CLICK", "")),
        ("no arrow", ("no arrow", "CLICK", "")),
    ],
)
def test_what_a_query_says_of_a_recorded_action(text, parts):
    assert parse_recorded(text) == parts
