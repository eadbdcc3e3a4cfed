"""A shop of a few products, whose every page and reward can be worked out by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lumos_rl.envs.webshop.tools.catalogue import Catalogue
from lumos_rl.envs.webshop.tools.nouns import NounExtractor
from lumos_rl.envs.webshop.tools.product import Product, read_product
from lumos_rl.envs.webshop.tools.session import Session, Shop


def record(asin: str, name: str = "Desk Lamp", **fields: Any) -> dict[str, Any]:
    """A record of the items file."""
    return {
        "asin": asin,
        "name": name,
        "full_description": "Bright.",
        "small_description": ["led", "small foot"],
        "pricing": "$34.00",
        "images": ["a.jpg"],
        "category": "home",
        "query": "Lamps ",
        "product_category": "Home › Lamps › Desk",
        "customization_options": {},
        **fields,
    }


def options(**values: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """`customization_options` with these values."""
    return {name: [{"value": value, "image": None} for value in given] for name, given in values.items()}


LAMP = record("B001", customization_options=options(Color=["Red", "Black/White"], Size=["Small", "Large"]))
SHOES = record("B002", "Running Shoes", query="shoes", product_category="Fashion › Shoes", pricing="$5.00 - $9.00")
FLOOR = record("B003", "Floor Lamp", full_description="", small_description=[])
RECORDS = (LAMP, SHOES, FLOOR)
ATTRIBUTES: Mapping[str, dict[str, Any]] = {
    "B001": {
        "attributes": ["long lasting"],
        "instruction": "Find me a lamp",
        "instruction_attributes": ["long lasting"],
    },
    "B002": {"attributes": ["non slip"]},
    "B003": {"attributes": []},
}
GOAL: dict[str, Any] = {
    "asin": "B001",
    "category": "home",
    "query": "lamps",
    "name": "Desk Lamp",
    "product_category": "Home › Lamps › Desk",
    "instruction_text": "Find me a lamp",
    "attributes": ["long lasting"],
    "price_upper": 40.0,
    "goal_options": {"color": "red"},
    "weight": 1,
}


def split_nouns(text: str) -> list[str]:
    """Every word is a noun."""
    return text.lower().split()


def products(records: Sequence[Mapping[str, Any]] = RECORDS) -> list[Product]:
    notes: list[str] = []
    return [read_product(each, ATTRIBUTES.get(each["asin"]), None, notes.append) for each in records]


def shop(records: Sequence[Mapping[str, Any]] = RECORDS, **settings: Any) -> Shop:
    return Shop(Catalogue.build(products(records)), nouns=NounExtractor("split", split_nouns), **settings)


def visit(records: Sequence[Mapping[str, Any]] = RECORDS, goal: Mapping[str, Any] = GOAL, **settings: Any) -> Session:
    return Session(shop(records, **settings), goal, goal["instruction_text"])


def write_files(
    folder: Path,
    records: Sequence[Any] = RECORDS,
    attributes: Mapping[str, Any] = ATTRIBUTES,
    human: Mapping[str, Any] | None = None,
    small: bool = False,
) -> Path:
    """The folder with WebShop's files."""
    suffix = "_1000" if small else ""
    (folder / f"items_shuffle{suffix}.json").write_text(json.dumps(list(records)), encoding="utf-8")
    (folder / f"items_ins_v2{suffix}.json").write_text(json.dumps(attributes), encoding="utf-8")
    (folder / "items_human_ins.json").write_text(json.dumps(human or {}), encoding="utf-8")
    return folder
