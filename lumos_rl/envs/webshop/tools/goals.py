"""What to buy: WebShop's goals, made from a catalogue in a fixed order.

    {"asin": "B09X", "category": "home", "query": "lamps", "name": "Desk Lamp", "product_category": "Home › Lamps",
     "instruction_text": "Find me led lamps with color: red, and price lower than 50.00 dollars",
     "attributes": ["led"], "price_upper": 50.0, "goal_options": {"color": "red"}, "weight": 1.0}

Prices and price bounds are drawn from one seeded generator, in the original's order (its generator is unseeded). So a
catalogue has the same goals on any machine; `manifest_hash` distinguishes two lists of goals.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from lumos_rl.envs.webshop.tools.catalogue import PRICE_SEED, Catalogue
from lumos_rl.envs.webshop.tools.product import Product
from lumos_rl.errors import ConfigError

Goal = dict[str, Any]

PRICE_BOUNDS = tuple(10.0 * step for step in range(1, 100))
BOUND_CHOICES = 4  # two of the next four bounds above a price are drawn
NO_BOUND = 1_000_000
SHUFFLE_SEED = 233  # WebShop, SimServer
REQUIRED: Mapping[str, tuple[type, ...]] = {  # fields of a given goal, and their types
    **dict.fromkeys(("query", "name", "product_category", "instruction_text"), (str,)),
    "attributes": (list, tuple),
    "price_upper": (Real,),
    "goal_options": (list, tuple, Mapping),
}


def synthetic_goals(catalogue: Catalogue, prices: Mapping[str, float] | None = None) -> list[Goal]:
    """One goal for each combination of option values of each product with an instruction.

    Args:
        catalogue: The products.
        prices: Product id → price that overrides the catalogue's.
    """
    rng = _after_prices(catalogue)
    goals: list[Goal] = []
    for product in catalogue:
        if product.instruction is None or not product.instruction_attributes:
            continue
        upper, text = _bound(_price(catalogue, product, prices), rng)
        names = sorted(product.options)
        for values in itertools.product(*(product.options[name] for name in names)):
            options = dict(zip(names, values, strict=True))
            listed = ", and ".join(f"{name}: {value}" for name, value in options.items())
            instruction = product.instruction + (f" with {listed}" if listed else "") + text
            goals.append(_goal(product, instruction, product.instruction_attributes, upper, options))
    counts = Counter(attribute for goal in goals for attribute in goal["attributes"])
    for goal in goals:
        goal["weight"] = sum(1 / counts[attribute] for attribute in goal["attributes"]) / len(goal["attributes"])
    return _shuffled(goals)


def human_goals(catalogue: Catalogue, prices: Mapping[str, float] | None = None) -> list[Goal]:
    """One goal for each human instruction that has attributes; arguments as in `synthetic_goals`."""
    rng = _after_prices(catalogue)
    goals: list[Goal] = []
    for product in catalogue:
        for written in product.human:
            attributes = written.get("instruction_attributes")
            if not attributes:
                continue
            upper, text = _bound(_price(catalogue, product, prices), rng)
            instruction = str(written.get("instruction", "")).strip(".") + text
            goals.append(_goal(product, instruction, attributes, upper, written.get("instruction_options") or []))
    return _shuffled(goals)


def given_goals(records: Sequence[Mapping[str, Any]]) -> list[Goal]:
    """The given goals in their order; those without a weight get 1.

    Raises:
        ConfigError: A record lacks a field, has a field of the wrong type, or has no attributes.
    """
    for index, record in enumerate(records):
        missing = [name for name in REQUIRED if name not in record]
        if missing or not record["attributes"]:
            raise ConfigError(
                f"expected goals with {', '.join(REQUIRED)}, attributes not empty; got goal {index} without"
                f" {', '.join(missing) or 'attributes'}"
            )
        for name, kinds in REQUIRED.items():
            if not isinstance(record[name], kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise ConfigError(f"expected {wanted}, got goal {index} with {name} = {record[name]!r}")
    return [{"asin": "", "weight": 1, **record} for record in records]


def manifest_hash(goals: Sequence[Goal]) -> str:
    """A hash of all goals in their order; experiments with equal hashes have equal goals."""
    digest = hashlib.sha256()
    for goal in goals:
        digest.update(json.dumps(goal, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def weight_sums(weights: Iterable[float]) -> list[float]:
    """0 and the cumulative sums of the goals' weights."""
    return [0.0, *itertools.accumulate(weights)]


def draw_goal(sums: Sequence[float], position: float) -> int:
    """Index of the goal that WebShop draws at a position in [0, 1) of the sum of weights.

    As in WebShop, the weight of a goal counts for the next goal: the first is never drawn, and the last has its own
    weight as well.
    """
    return min(bisect.bisect(sums, position * sums[-1]), len(sums) - 2)


def _after_prices(catalogue: Catalogue) -> random.Random:
    """The generator in its state after the catalogue's price draws."""
    rng = random.Random(PRICE_SEED)
    for product in catalogue:
        if len(product.pricing) == 2:
            rng.random()
    return rng


def _price(catalogue: Catalogue, product: Product, prices: Mapping[str, float] | None) -> float:
    return (prices or {}).get(product.asin, catalogue.price(product.asin))


def _bound(price: float, rng: random.Random) -> tuple[float, str]:
    """Highest accepted price, and its text in the instruction; very expensive products have no bound."""
    choices = list(itertools.islice((bound for bound in PRICE_BOUNDS if bound > price), BOUND_CHOICES))
    if len(choices) < 2:
        return NO_BOUND, ""
    upper = max(rng.sample(choices, 2))
    return upper, f", and price lower than {upper:.2f} dollars"


def _goal(product: Product, instruction: str, attributes: Sequence[str], upper: float, options: Any) -> Goal:
    return {
        "asin": product.asin,
        "category": product.category,
        "query": product.query,
        "name": product.name,
        "product_category": product.product_category,
        "instruction_text": instruction,
        "attributes": list(attributes),
        "price_upper": upper,
        "goal_options": options,
        "weight": 1,
    }


def _shuffled(goals: list[Goal]) -> list[Goal]:
    random.Random(SHUFFLE_SEED).shuffle(goals)
    return goals
