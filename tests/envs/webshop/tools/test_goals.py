"""Goals: their fields, their order, their prices, and that none of it drifts."""

import os
import random
import subprocess
import sys
from typing import Any

import pytest
from tiny_shop import GOAL, options, products, record

from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.goals import (
    draw_goal,
    given_goals,
    human_goals,
    manifest_hash,
    synthetic_goals,
    weight_sums,
)
from lumos_rl.envs.webshop.tools.product import read_product
from lumos_rl.errors import ConfigError


def catalogue(count: int = 1, human: list[Any] | None = None, **fields: Any) -> Catalogue:
    entry = {"attributes": ["a"], "instruction": "Find me a", "instruction_attributes": ["a", "b"]}
    made = [read_product(record(f"B{number:03d}", **fields), entry, human, print) for number in range(count)]
    return Catalogue.build(made)


def test_a_synthetic_goal_for_each_combination_of_options() -> None:
    goals = synthetic_goals(
        catalogue(customization_options=options(size=["s", "m"], Color=["red", "tan"]), pricing="$985")
    )
    texts = {goal["instruction_text"] for goal in goals}
    assert texts == {
        f"Find me a with color: {color}, and size: {size}" for color in ("red", "tan") for size in ("s", "m")
    }
    goal = next(goal for goal in goals if goal["goal_options"] == {"color": "red", "size": "m"})
    assert list(goal["goal_options"]) == ["color", "size"]
    assert goal == {
        "asin": "B000",
        "category": "home",
        "query": "lamps",
        "name": "Desk Lamp",
        "product_category": "Home › Lamps › Desk",
        "attributes": ["a", "b"],
        "price_upper": 1_000_000,
        "weight": 0.25,
        "instruction_text": "Find me a with color: red, and size: m",
        "goal_options": {"color": "red", "size": "m"},
    }


@pytest.mark.parametrize(
    ("price", "bounds"),
    [
        ("$34.00", {50.0, 60.0, 70.0}),
        ("$40.00", {60.0, 70.0, 80.0}),  # strictly above the price, and never the next one
        ("$969.99", {980.0, 990.0}),
        ("$970.00", {990.0}),
        ("$980.00", {1_000_000}),
    ],
)
def test_price_bounds(price: str, bounds: set[float]) -> None:
    goals = synthetic_goals(catalogue(200, pricing=price))
    assert {goal["price_upper"] for goal in goals} == bounds
    for goal in goals:
        clause = "" if goal["price_upper"] == 1_000_000 else f", and price lower than {goal['price_upper']:.2f} dollars"
        assert goal["instruction_text"] == "Find me a" + clause


def test_one_bound_for_all_goals_of_a_product() -> None:
    goals = synthetic_goals(catalogue(customization_options=options(size=[f"s{number}" for number in range(30)])))
    assert len({goal["price_upper"] for goal in goals}) == 1


def test_draws_are_those_of_the_original_after_seeding_with_0() -> None:
    """Prices of all products first, then the bounds, from one generator; then the order, from its own seed."""
    shop = catalogue(3, pricing="$5.00 - $9.00")
    rng = random.Random(0)
    prices = [rng.uniform(5.0, 9.0) for _ in range(3)]
    assert [shop.price(f"B{number:03d}") for number in range(3)] == prices
    bounds = [max(rng.sample([10.0, 20.0, 30.0, 40.0], 2)) for _ in range(3)]
    expected = list(zip(["B000", "B001", "B002"], bounds, strict=True))
    random.Random(233).shuffle(expected)
    assert [(goal["asin"], goal["price_upper"]) for goal in synthetic_goals(shop)] == expected


def test_human_goals_are_those_with_attributes() -> None:
    written = [
        {"instruction": "i want a lamp.", "instruction_attributes": ["led"], "instruction_options": ["red"]},
        {"instruction": "anything", "instruction_attributes": [], "instruction_options": []},
        {"instruction": "..dear", "instruction_attributes": ["x"], "instruction_options": []},
    ]
    goals = human_goals(catalogue(human=written, pricing="$985"))
    assert sorted(goal["instruction_text"] for goal in goals) == ["dear", "i want a lamp"]
    lamp = next(goal for goal in goals if goal["attributes"] == ["led"])
    assert (lamp["goal_options"], lamp["weight"], lamp["asin"]) == (["red"], 1, "B000")


def test_a_skipped_instruction_draws_nothing() -> None:
    kept = {"instruction": "a", "instruction_attributes": ["x"], "instruction_options": []}
    skipped = {"instruction": "b", "instruction_attributes": [], "instruction_options": []}
    bounds = [
        [goal["price_upper"] for goal in human_goals(catalogue(20, human=human))] for human in ([kept], [skipped, kept])
    ]
    assert bounds[0] == bounds[1]


def test_given_prices_move_the_bounds() -> None:
    assert {goal["price_upper"] for goal in synthetic_goals(catalogue(1), {"B000": 985.0})} == {1_000_000}


def test_goals_that_are_given_stay_as_they_are() -> None:
    goals = [{**GOAL, "goal_options": ["red"]}, {name: GOAL[name] for name in GOAL if name not in ("asin", "weight")}]
    assert given_goals(goals) == [goals[0], {**goals[1], "asin": "", "weight": 1}]
    with pytest.raises(ConfigError, match="goal 1 without query"):
        given_goals([GOAL, {name: GOAL[name] for name in GOAL if name != "query"}])
    with pytest.raises(ConfigError, match="without attributes"):
        given_goals([{**GOAL, "attributes": []}])


@pytest.mark.parametrize(
    "field",
    [{"attributes": "led"}, {"goal_options": "red"}, {"goal_options": None}, {"price_upper": "40"}, {"name": None}],
)
def test_a_goal_with_a_field_of_another_kind_is_refused_at_once(field: dict[str, Any]) -> None:
    [name] = field
    with pytest.raises(ConfigError, match=f"goal 1 with {name} = "):
        given_goals([{**GOAL, "price_upper": 40, "attributes": ("led",)}, {**GOAL, **field}])


@pytest.mark.parametrize(("position", "index"), [(0.0, 1), (0.24, 1), (0.25, 2), (0.49, 2), (0.5, 2), (0.999, 2)])
def test_goals_are_drawn_with_the_weight_of_the_one_before(position: float, index: int) -> None:
    assert draw_goal(weight_sums([1, 1, 2]), position) == index


def test_one_goal_is_always_drawn() -> None:
    assert draw_goal(weight_sums([1]), 0.5) == 0


CODE = """
from tiny_shop import products, record, options
from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.goals import manifest_hash, synthetic_goals
print(manifest_hash(synthetic_goals(Catalogue.build(products()))))
"""


def test_the_manifest_is_the_same_in_every_process_and_changes_with_the_goals() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", CODE],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    goals = synthetic_goals(Catalogue.build(products()))
    assert runs == [manifest_hash(goals)] * 2
    assert manifest_hash([{**goals[0], "price_upper": 1.0}, *goals[1:]]) != runs[0]
