"""The built-in shop: a few hundred generated products in WebShop's own schema, goals, and gold plans that were run.

    records, attributes = shop_files()          # what items_shuffle.json and items_ins_v2.json would hold
    suite_catalogue()                           # the same as a catalogue in memory
    suite_tasks("train", limit=1)[0].subgoals   # the plan, each action with its result

Each product to buy belongs to one split, so train, dev and test share none. The split "unseen" asks for kinds of goods
that no other split asks for, with other options and other numbers of attributes.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.synthetic import UNSEEN
from lumos_rl.envs.webshop.plans import gold_plan
from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.goals import Goal, manifest_hash, synthetic_goals
from lumos_rl.envs.webshop.tools.product import Product, read_product
from lumos_rl.envs.webshop.tools.session import Shop
from lumos_rl.envs.webshop.wares import BRANDS, UNSEEN_WARES, WARES, Ware
from lumos_rl.errors import UnknownNameError

SPLIT_SHARES: Mapping[str, range] = {"test": range(3), "dev": range(3, 5), "train": range(5, 20)}  # of 20 products
_UNSEEN_NOUNS = frozenset(ware.noun for ware in UNSEEN_WARES)
_FILE_SEED = 1  # of the generated files; another seed gives another shop
_COPY = ("made for every day", "loved by its owners", "tested in our workshop", "a gift that lasts", "new this season")


def shop_files(limit: int | None = None) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """The built-in shop in the format of WebShop's files.

    Args:
        limit: How many products; None gives all.

    Returns:
        The records of the items file, and the attribute file's entry for each asin.
    """
    rng = random.Random(_FILE_SEED)
    made: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for wares in (WARES, UNSEEN_WARES):
        some = [_record(ware, attributes, rng) for ware in wares for attributes in _combinations(ware)]
        rng.shuffle(some)
        made += some
    made = made[:limit]
    return [record for record, _ in made], {record["asin"]: entry for record, entry in made}


def _combinations(ware: Ware) -> Iterator[tuple[str, ...]]:
    return itertools.combinations(ware.attributes, ware.attributes_each)


def _record(ware: Ware, attributes: tuple[str, ...], rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    brand, price = rng.choice(BRANDS), rng.randint(*ware.prices) + 0.99
    listed = f"${price}" if rng.random() < 0.8 else f"${price} - ${price + rng.randint(2, 20):.2f}"
    chosen = {
        name: sorted(rng.sample(values, min(len(values), 3)), key=values.index) for name, values in ware.options.items()
    }
    options = {
        name.title(): [{"value": value.title(), "image": None} for value in values] for name, values in chosen.items()
    }
    asin = "B0" + "".join(rng.choices("BCDFGHJKLMNPQRSTVWXZ0123456789", k=8))
    record = {
        "asin": asin,
        "name": f"{brand} {' '.join(attributes).title()} {ware.noun.title()}",
        "full_description": f"{ware.noun.capitalize()} by {brand}: {rng.choice(_COPY)}.",
        "small_description": [" and ".join(attributes), rng.choice(_COPY)],
        "pricing": listed,
        "images": [],
        "category": ware.category,
        "query": ware.noun,
        "product_category": ware.path,
        "customization_options": options,
    }
    entry = {
        "attributes": list(attributes),
        "instruction": f"Find me {', '.join(attributes)} {ware.noun}",
        "instruction_attributes": list(attributes),
    }
    return record, entry


def suite_products(limit: int | None = None) -> Iterator[Product]:
    """The products of the built-in shop, in its order."""
    records, attributes = shop_files(limit)
    return (read_product(record, attributes[record["asin"]], None, _never) for record in records)


def _never(note: str) -> None:
    raise AssertionError(f"a generated record needs mending: {note}")


@lru_cache(maxsize=4)
def suite_catalogue(limit: int | None = None) -> Catalogue:
    """The built-in shop's catalogue; one object per process."""
    return Catalogue.build(suite_products(limit))


@lru_cache(maxsize=4)
def suite_goals(limit: int | None = None) -> tuple[Mapping[str, list[Goal]], str]:
    """The goals of each split, in their overall order, and the hash of all goals."""
    catalogue = suite_catalogue(limit)
    goals = synthetic_goals(catalogue)
    places = {product.asin: place for place, product in enumerate(catalogue)}
    found: dict[str, list[Goal]] = {split: [] for split in (*SPLIT_SHARES, UNSEEN)}
    for goal in goals:
        share = places[goal["asin"]] % 20
        seen = next(split for split, shares in SPLIT_SHARES.items() if share in shares)
        found[UNSEEN if goal["query"] in _UNSEEN_NOUNS else seen].append(goal)
    return found, manifest_hash([goal for split in found.values() for goal in split])


def suite_tasks(
    split: str = "test", limit: int | None = None, seed: int = 0, products: int | None = None
) -> list[Task]:
    """Tasks of the built-in shop with gold plans.

    Args:
        split: "train", "dev", "test" or "unseen".
        limit: How many; None gives all. A smaller limit gives a prefix of a larger one.
        seed: Shuffles the order; 0 keeps the goals' order. The tasks are the same.
        products: Only so many products are in the shop; None takes all.

    Raises:
        UnknownNameError: There is no such split.
    """
    splits = (*SPLIT_SHARES, UNSEEN)
    if split not in splits:
        raise UnknownNameError("split of a built-in suite", split, splits)
    return list(itertools.islice(suite_stream("webshop", split, seed, products), limit))


def suite_stream(benchmark: str, split: str, seed: int, products: int | None = None) -> Iterator[Task]:
    """The same tasks as an iterator, with the signature of all built-in suites."""
    order = list(range(len(suite_goals(products)[0][split])))
    if seed:
        random.Random(seed).shuffle(order)
    return (_task(index, split, products) for index in order)


@lru_cache(maxsize=1 << 12)
def _task(index: int, split: str, products: int | None) -> Task:
    goal = suite_goals(products)[0][split][index]
    task = Task(
        id=f"webshop/{split}/synthetic-{index}",
        benchmark="webshop",
        instruction=goal["instruction_text"],
        answer=goal["asin"],
        split=split,
        meta={"goal": goal, "template": goal["query"]},
    )
    return dataclasses.replace(task, subgoals=gold_plan(Shop(suite_catalogue(products)), goal)[0])
