"""WebShop's reward of a purchase.

    reward = r_type * (matched attributes + matched options + [price in bounds]) / (attributes + options + 1)

    >>> goal = {"query": "lamp", "product_category": "Home › Lamps", "name": "Desk Lamp", "attributes": ["led"],
    ...         "goal_options": {"color": "red"}, "price_upper": 40.0}
    >>> lamp = {"query": "lamp", "product_category": "Home › Lamps", "name": "Desk Lamp", "Attributes": ["led"]}
    >>> get_reward(lamp, goal, price=40.0, options={"color": "deep red"}), get_reward(lamp, goal, 40.01, {})
    (1.0, 0.3333333333333333)

Products and goals are mappings with the original's keys. Goal options are a list of values (human goals) or a mapping
from name to value (synthetic goals); the latter are compared as (name, value) pairs, including the name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lumos_rl.envs.webshop.tools.colours import normalize_color
from lumos_rl.envs.webshop.tools.fuzzy import token_set_ratio
from lumos_rl.envs.webshop.tools.nouns import Nouns, default_nouns
from lumos_rl.errors import DataError

ALIKE = 85  # texts match above this score
SAME_KIND = 0.2  # share of the goal's nouns above which a title is of the same kind
OTHER_KIND = 0.1  # share below which a title is hardly related

Record = Mapping[str, Any]


def get_type_reward(purchased: Record, goal: Record, nouns: Nouns | None = None) -> dict[str, Any]:
    """Whether the purchase is of the goal's kind.

    Args:
        purchased: `query`, `product_category` and `name` of the product.
        goal: The same of the goal.
        nouns: Finds the nouns of a name; None takes `default_nouns()`.

    Returns:
        `r_type` (1, 0.5, 0.1 or 0), `query_match`, `category_match`, `title_score`.
    """
    extract = default_nouns().extract if nouns is None else nouns
    query_match = purchased["query"] == goal["query"]
    shared = _categories(purchased["product_category"]) & _categories(goal["product_category"])
    category_match = len(shared) >= 2
    wanted, bought = list(extract(goal["name"])), set(extract(purchased["name"]))
    title_score = len(bought & set(wanted)) / len(wanted) if wanted else SAME_KIND
    r_type = 1.0 if query_match or category_match or title_score > SAME_KIND else 0.5
    if title_score < OTHER_KIND:  # overrides every match
        r_type = 0.0 if title_score == 0 else 0.1
    return {
        "r_type": r_type,
        "query_match": query_match,
        "category_match": category_match,
        "title_score": title_score,
    }


def _categories(path: str) -> set[str]:
    return {part.strip() for part in path.split("›")}


def get_attribute_reward(purchased: Record, goal: Record) -> tuple[float, int]:
    """Share and number of the goal's attributes found in the product's attributes or texts.

    Raises:
        DataError: The goal has no attributes.
    """
    if not goal["attributes"]:
        raise DataError(f"expected a goal with attributes, got none (goal {goal.get('asin', '')!r})")
    matches = sum(_has_attribute(purchased, wanted) for wanted in goal["attributes"])
    return matches / len(goal["attributes"]), matches


def _has_attribute(purchased: Record, wanted: str) -> bool:
    if any(token_set_ratio(attribute, wanted) > ALIKE for attribute in purchased["Attributes"]):
        return True
    return (
        wanted in purchased["Title"].lower()
        or wanted in " ".join(purchased["BulletPoints"]).lower()
        or wanted in purchased["Description"].lower()
    )


def get_option_reward(
    purchased_options: Sequence[str], goal_options: Sequence[str | tuple[str, ...]]
) -> tuple[float | None, int]:
    """Share (None without goal options) and number of the goal's options among those purchased, by value."""
    bought = [normalize_color(option) for option in purchased_options]
    wanted = [normalize_color(option) for option in goal_options]
    matches = sum(any(token_set_ratio(option, value) > ALIKE for option in bought) for value in wanted)
    return (matches / len(wanted) if wanted else None), matches


def get_reward(
    purchased: Record, goal: Record, price: float, options: Mapping[str, str], nouns: Nouns | None = None
) -> float:
    """The reward of buying a product with some options at a price; see the module."""
    return float(reward_details(purchased, goal, price, options, nouns)["reward"])


def reward_details(
    purchased: Record, goal: Record, price: float, options: Mapping[str, str], nouns: Nouns | None = None
) -> dict[str, Any]:
    """The reward with its parts.

    Returns:
        `reward`; `r_type`, `query_match`, `category_match`, `title_score`; share and weight of the attributes (`r_att`,
        `w_att`), of the price (`r_price`, a bool, and `w_price`) and, if the goal has options, of the options
        (`r_option`, `w_option`).
    """
    kind = get_type_reward(purchased, goal, nouns)
    wanted = goal["goal_options"]
    pairs = list(wanted.items()) if isinstance(wanted, Mapping) else list(wanted)
    r_att, attributes = get_attribute_reward(purchased, goal)
    r_option, matched = get_option_reward(list(options.values()), pairs)
    r_price = price <= goal["price_upper"]
    parts = len(goal["attributes"]) + len(pairs) + 1
    details: dict[str, Any] = {"reward": (attributes + matched + r_price) / parts * kind["r_type"], **kind}
    details |= {"r_att": r_att, "w_att": len(goal["attributes"]) / parts}
    if r_option is not None:
        details |= {"r_option": r_option, "w_option": len(pairs) / parts}
    return details | {"r_price": r_price, "w_price": 1 / parts}
