"""The reward: every rule, and both sides of every boundary, by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_shop import GOAL, split_nouns

from lumos_rl.envs.webshop.reward import (
    get_attribute_reward,
    get_option_reward,
    get_reward,
    get_type_reward,
    normalize_color,
)
from lumos_rl.envs.webshop.tools.colours import COLORS
from lumos_rl.envs.webshop.tools.fuzzy import token_set_ratio
from lumos_rl.envs.webshop.tools.nouns import default_nouns, lexical_nouns
from lumos_rl.envs.webshop.tools.reward import reward_details
from lumos_rl.errors import DataError

LAMP: dict[str, Any] = {
    "name": "Desk Lamp",
    "Title": "Desk Lamp",
    "Description": "Bright.",
    "BulletPoints": ["LED light", "small foot"],
    "Attributes": ["long lasting"],
    "query": "lamps",
    "product_category": "Home › Lamps › Desk",
}


def kind(name: str, goal_name: str, **goal: Any) -> dict[str, Any]:
    other = {"query": "other", "product_category": "Other", "name": goal_name, **goal}
    return get_type_reward({**LAMP, "name": name}, other, split_nouns)


@pytest.mark.parametrize(
    ("shared", "wanted", "score", "r_type"),
    [
        (0, 1, 0.0, 0.0),
        (1, 11, 1 / 11, 0.1),
        (1, 10, 0.1, 0.5),  # not below 0.1
        (1, 5, 0.2, 0.5),  # not above 0.2
        (1, 4, 0.25, 1.0),
    ],
)
def test_titles_are_compared_at_a_tenth_and_a_fifth(shared: int, wanted: int, score: float, r_type: float) -> None:
    goal_name = " ".join(f"w{number}" for number in range(wanted))
    result = kind(" ".join(f"w{number}" for number in range(shared)) or "none", goal_name)
    assert (result["title_score"], result["r_type"]) == (score, r_type)


def test_repeated_nouns_count_in_the_denominator_alone() -> None:
    assert kind("bar bar cord", "bar bar cord")["title_score"] == 2 / 3


def test_a_goal_without_nouns_scores_a_fifth() -> None:
    result = kind("Desk Lamp", "")
    assert (result["title_score"], result["r_type"]) == (0.2, 0.5)


def test_without_a_shared_noun_the_same_query_is_worth_nothing() -> None:
    result = kind("Desk Lamp", "Sofa", query="lamps", product_category=LAMP["product_category"])
    assert result == {"r_type": 0.0, "query_match": True, "category_match": True, "title_score": 0.0}


@pytest.mark.parametrize(
    ("category", "matches"),
    [
        ("Desk › Home", True),
        ("Home›Lamps", True),
        ("Home › home", False),
        ("Home › Home", False),
        ("Sofas › Home", False),
        ("", False),
    ],
)
def test_two_common_categories_match_in_any_order(category: str, matches: bool) -> None:
    assert kind("x", "y", product_category=category)["category_match"] is matches


def test_queries_match_as_they_are() -> None:
    assert kind("x", "y", query="lamps")["query_match"] is True
    assert kind("x", "y", query="Lamps")["query_match"] is False


@pytest.mark.parametrize(
    ("wanted", "product", "matches"),
    [
        ("long lasting", {}, True),
        ("lasting long battery", {}, True),  # its words hold all of the product's
        ("long last", {}, True),  # 86
        ("long legs", {}, False),
        ("led light", {}, True),  # in a bullet
        ("light small", {}, True),  # over the seam of two bullets
        ("desk", {}, True),  # in the title
        ("bright.", {}, True),  # in the description
        ("Bright", {}, False),  # texts are in lower case, the goal is not
        ("led light", {"BulletPoints": "LED light"}, False),  # a plain text is joined letter by letter
    ],
)
def test_attributes(wanted: str, product: dict[str, Any], matches: bool) -> None:
    assert get_attribute_reward({**LAMP, **product}, {"attributes": [wanted]}) == (float(matches), int(matches))


def test_an_attribute_counts_above_85_only() -> None:
    assert token_set_ratio("abcdefghijklmnopqrst", "abcdefghijklmnopqxyz") == 85
    assert token_set_ratio("abcdefghijklmnopqrs", "abcdefghijklmnopqxy") == 89
    assert (
        get_attribute_reward(
            {**LAMP, "Attributes": ["abcdefghijklmnopqrst"]}, {"attributes": ["abcdefghijklmnopqxyz"]}
        )[1]
        == 0
    )
    assert (
        get_attribute_reward({**LAMP, "Attributes": ["abcdefghijklmnopqrs"]}, {"attributes": ["abcdefghijklmnopqxy"]})[
            1
        ]
        == 1
    )


def test_texts_are_not_looked_at_when_the_attributes_match() -> None:
    assert get_attribute_reward({"Attributes": ["long lasting"]}, {"attributes": ["long lasting"] * 2}) == (1.0, 2)


def test_a_goal_without_attributes_is_refused() -> None:
    with pytest.raises(DataError, match="attributes"):
        get_attribute_reward(LAMP, {"attributes": []})


@pytest.mark.parametrize(
    ("bought", "wanted", "matches"),
    [
        (["dark blue"], ["light blue"], 1),  # both are blue
        (["dark red"], ["light red"], 0),  # dark and light stand before red in the list
        (["red"], [("color", "red")], 1),
        (["dark red"], [("color", "red")], 0),
        (["peppermint"], [("flavor", "peppermint")], 0),  # "mint" alone is bought
        (["red", "small"], [["color", "red"], ["size", "x-small"]], 2),  # pairs as JSON writes them
        (["large"], [("size", "x-large")], 1),  # its words are among the goal's
        (["x-large"], [("size", "large")], 0),
        (["size"], [("size", "red")], 0),  # a pair with a colour in it is that colour
        (["size"], [("size", "small")], 1),  # the name counts too
        ([], ["red"], 0),
        (["red"], ["red", "red wine"], 2),
    ],
)
def test_options(bought: list[str], wanted: list[Any], matches: int) -> None:
    assert get_option_reward(bought, wanted) == (matches / len(wanted), matches)


def test_no_goal_options_leave_no_share() -> None:
    assert get_option_reward(["red"], []) == (None, 0)


@pytest.mark.parametrize(
    ("text", "color"),
    [
        *(
            ("light blue", "blue"),
            ("dark blue", "blue"),
            ("rose gold", "gold"),
            ("standard", "tan"),
            ("covered", "red"),
        ),
        *(("seashell", "ash"), ("stonewash", "ash"), ("titanium", "tan"), ("", ""), ("webshop", "webshop")),
        *(("Red", "Red"), ("black forest", "black"), ("violet lavender", "lavender"), ("123alabaster", "alabaster")),
    ],
)
def test_colours_are_found_anywhere_in_alphabetical_order(text: str, color: str) -> None:
    assert normalize_color(text) == color


def test_the_colour_list_has_102_words_in_order() -> None:
    assert len(COLORS) == 102
    assert list(COLORS) == sorted(set(COLORS))


def test_a_pair_is_a_colour_only_where_an_element_is() -> None:
    assert normalize_color(("color", "red")) == "red"
    assert normalize_color(("color", "dark red")) == ("color", "dark red")


@pytest.mark.parametrize(
    ("price", "options", "reward"),
    [
        (40.0, {"color": "red"}, 1.0),  # the bound is included
        (40.01, {"color": "red"}, 2 / 3),
        (40.0, {"colour name": "red"}, 1.0),  # names of bought options do not count
        (40.0, {}, 2 / 3),
        (99.0, {"color": "green"}, 1 / 3),
    ],
)
def test_the_reward_counts_attributes_options_and_price(price: float, options: dict[str, str], reward: float) -> None:
    assert get_reward(LAMP, GOAL, price, options, nouns=split_nouns) == pytest.approx(reward, abs=1e-12)


def test_an_extractor_that_is_falsy_is_used() -> None:
    class Nouns(dict[str, list[str]]):
        def __call__(self, text: str) -> list[str]:
            return self.get(text, ["nothing", "else"])

    extract = Nouns()
    assert get_type_reward(LAMP, {**GOAL, "name": "Sofa"}, extract)["title_score"] == 1.0
    assert not extract


def test_the_kind_scales_the_reward() -> None:
    other = {**LAMP, "query": "sofas", "product_category": "Sofas", "name": "a b c d Lamp"}
    goal = {**GOAL, "name": "v w x y Lamp"}  # a fifth of the nouns
    assert get_reward(other, goal, 1.0, {"color": "red"}, nouns=split_nouns) == 0.5


def test_the_details_add_up() -> None:
    details = reward_details(LAMP, {**GOAL, "goal_options": ["red", "small"]}, 99.0, {"color": "red"}, split_nouns)
    assert details["reward"] == pytest.approx(2 / 4)
    assert (details["r_att"], details["w_att"], details["r_option"], details["w_option"]) == (1.0, 0.25, 0.5, 0.5)
    assert (details["r_price"], details["w_price"]) == (False, 0.25)
    without = reward_details(LAMP, {**GOAL, "goal_options": []}, 1.0, {}, split_nouns)
    assert "r_option" not in without
    assert without["reward"] == 1.0


@given(st.text(), st.text())
def test_likeness_is_a_percentage_and_full_for_a_part(first: str, second: str) -> None:
    assert 0 <= token_set_ratio(first, second) <= 100
    if token_set_ratio(first, first):  # has words
        assert token_set_ratio(first, f"{first} {second}") == 100


@pytest.mark.parametrize(
    ("first", "second", "likeness"),
    [
        *(("red", "red wine", 100), ("a b", "b a", 100), ("", "", 0), ("!", "!", 0), ("é", "é", 0), ("数", "数", 100)),
        *((1, "1", 100), (1.0, "1", 100), (True, "1", 0)),  # as `str` writes them, though all three are equal
        *(("a_b", "a b", 67), ("essential oil", "essential oils", 96), ("abc", "xyz", 0)),
    ],
)
def test_likeness(first: object, second: object, likeness: int) -> None:
    assert token_set_ratio(first, second) == likeness


@pytest.mark.parametrize(
    ("goal", "bought", "score"),
    [
        ("adidas Unisex-Adult D.o.n. Issue 2 Basketball Shoe", "adidas Unisex-Adult D.o.n. Issue 2 Court Shoe", 5 / 6),
        ("UL Listed 2 Prong Power Cord for Soundbar", "AC Power Cord Cable for 4K TV", 2 / 5),
        ("Kitchen and Bath Cabinet Knob", "Stainless Steel Tweezers", 0.0),
    ],
)
def test_nouns_by_rule(goal: str, bought: str, score: float) -> None:
    record = {"query": "", "product_category": ""}
    result = get_type_reward({**record, "name": bought}, {**record, "name": goal}, lexical_nouns)
    assert result["title_score"] == pytest.approx(score)


def test_without_a_model_the_rule_is_the_default() -> None:
    assert default_nouns().name in ("lexical", "spacy:en_core_web_lg", "spacy:en_core_web_md", "spacy:en_core_web_sm")
    assert lexical_nouns("4K speed seed quickly red bed") == ["4k", "speed", "seed", "red", "bed"]
    assert lexical_nouns("Womens Off White 3.5mm D.O.N. 3.1 x_1") == ["off", "white", "d.o.n", "x_1"]
