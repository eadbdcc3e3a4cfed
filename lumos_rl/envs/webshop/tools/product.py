"""Reads one record of a WebShop catalogue file as a product.

    {"asin": "B09X", "name": "Desk Lamp", "full_description": "Bright.", "small_description": ["led"],
     "query": "Lamps ", "pricing": "$34.00", "images": ["a.jpg"], "category": "home",
     "product_category": "Home › Lamps",
     "customization_options": {"Color": [{"value": "Black/White", "image": None}]}, …}

becomes `Product(asin="B09X", name="Desk Lamp", pricing=(34.0,), price_tag="$34.0", query="lamps",
options={"color": ["black | white"]}, …)`. Values on which the original would crash are repaired and reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

NO_ATTRIBUTES = ("DUMMY_ATTR",)  # of a product without an entry in the attribute file
NO_PRICE = 100.0
MAX_ASIN = 10  # characters

Note = Callable[[str], None]  # gets the description of a problem in a record


@dataclass(frozen=True, slots=True)
class Product:
    """One product.

    Attributes:
        asin: Its id.
        name: Title.
        description: Long text.
        bullets: Features.
        pricing: One price, or the first two of several, in the file's order.
        price_tag: The price as pages show it, e.g. "$34.0" or "$5.0 to $0.42".
        options: Option name → values, both in lower case.
        option_images: Option value → address of its picture, or None.
        image: Address of the main picture; "" for none.
        attributes: Attributes that the reward compares, e.g. "long lasting".
        query: Search words that it was found with, in lower case.
        category: Name of the search's department.
        product_category: Path such as "Home › Lamps".
        instruction: Text of its synthetic goals; None for none.
        instruction_attributes: Attributes of its synthetic goals.
        human: Instructions that people wrote for it, each with its attributes and options.
    """

    asin: str
    name: str
    description: str
    bullets: tuple[str, ...]
    pricing: tuple[float, ...]
    price_tag: str
    options: Mapping[str, list[str]]
    option_images: Mapping[str, str | None]
    image: str
    attributes: tuple[str, ...]
    query: str
    category: str
    product_category: str
    instruction: str | None = None
    instruction_attributes: tuple[str, ...] = ()
    human: tuple[Mapping[str, Any], ...] = ()

    def purchased(self) -> dict[str, Any]:
        """The product in the form that the scoring functions of `reward` expect."""
        return {
            "asin": self.asin,
            "name": self.name,
            "Title": self.name,
            "Description": self.description,
            "BulletPoints": self.bullets,
            "Attributes": self.attributes,
            "query": self.query,
            "category": self.category,
            "product_category": self.product_category,
        }


def read_product(
    record: Mapping[str, Any], attributes: Mapping[str, Any] | None, human: list[Any] | None, note: Note
) -> Product:
    """The product of one record.

    Args:
        record: An object of the items file; `asin` is a text.
        attributes: The asin's entry in the attribute file; None if it has none.
        human: The asin's entry in the file of human instructions; None if it has none.
        note: Called for each value that had to be repaired.
    """
    pricing, tag = _pricing(record.get("pricing"), note)
    options, images = _options(record.get("customization_options"), note)
    if attributes is None:
        note("not in the attribute file: no attributes and no synthetic goal")
    entry = _entry(attributes, note)
    found = entry.get("attributes", NO_ATTRIBUTES)
    instruction, wanted = _instruction(entry, note)
    pictures = record.get("images")
    return Product(
        asin=record["asin"],
        name=_text(record, "name", note),
        description=_text(record, "full_description", note),
        bullets=_bullets(record.get("small_description"), note),
        pricing=pricing,
        price_tag=tag,
        options=options,
        option_images=images,
        image=str(pictures[0] or "") if isinstance(pictures, list) and pictures else "",
        attributes=tuple(map(str, found)) if isinstance(found, list | tuple) else (),
        query=_text(record, "query", note).lower().strip(),
        category=_text(record, "category", note),
        product_category=_text(record, "product_category", note),
        instruction=instruction,
        instruction_attributes=wanted,
        human=_human(human, note),
    )


def _entry(attributes: Any, note: Note) -> Mapping[str, Any]:
    if attributes is None or isinstance(attributes, Mapping):
        return attributes or {}
    note(f"attribute file: expected an object, got {_kind(attributes)}")
    return {}


def _instruction(entry: Mapping[str, Any], note: Note) -> tuple[str | None, tuple[str, ...]]:
    """Text and attributes of the synthetic goals; None and () unless both are present."""
    text, wanted = entry.get("instruction"), entry.get("instruction_attributes")
    if text is None:
        return None, ()
    if isinstance(text, str) and isinstance(wanted, list) and wanted:
        return text, tuple(map(str, wanted))
    note(f"attribute file: expected an instruction as text with a list of its attributes, got {text!r} with {wanted!r}")
    return None, ()


def _human(written: Any, note: Note) -> tuple[Mapping[str, Any], ...]:
    if written is None:
        return ()
    kept = tuple(item for item in written if _is_written(item)) if isinstance(written, list) else ()
    if not isinstance(written, list) or len(kept) < len(written):
        note(f"human instructions: expected a list of objects with an instruction as text, got {str(written)[:60]}")
    return kept


def _is_written(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("instruction"), str)


def _text(record: Mapping[str, Any], field: str, note: Note) -> str:
    value = record.get(field)
    if isinstance(value, str):
        return value
    note(f"{field}: expected text, got {_kind(value)}")
    return "" if value is None else str(value)


def _bullets(value: Any, note: Note) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        note(f"small_description: expected a list or text, got {_kind(value)}")
        return ()
    if None in value:
        note("small_description: a null in the list was left out")
    return tuple(str(item) for item in value if item is not None)


def _pricing(value: Any, note: Note) -> tuple[tuple[float, ...], str]:
    """Prices and tag; an unreadable price becomes `NO_PRICE`, as a missing one does in the original."""
    if not value:
        note(f"pricing: none; taken as ${NO_PRICE}")
        return (NO_PRICE,), f"${NO_PRICE}"
    try:
        prices = [float(Decimal(re.sub(r"[^\d.]", "", part))) for part in value.split("$")[1:]]
    except (AttributeError, InvalidOperation, TypeError):
        prices = []
    if not prices:
        note(f"pricing: expected text with '$' and a number, got {str(value)[:40]!r}; taken as ${NO_PRICE}")
        return (NO_PRICE,), f"${NO_PRICE}"
    if len(prices) == 1:
        return (prices[0],), f"${prices[0]}"
    return (prices[0], prices[1]), f"${prices[0]} to ${prices[1]}"


def _options(value: Any, note: Note) -> tuple[dict[str, list[str]], dict[str, str | None]]:
    options: dict[str, list[str]] = {}
    images: dict[str, str | None] = {}
    if not isinstance(value, Mapping):
        note(f"customization_options: expected an object, got {_kind(value)}")
        return options, images
    for name, entries in value.items():
        if not isinstance(entries, list):
            note(f"customization_options: expected a list of values for each option, got {_kind(entries)} for {name!r}")
            continue
        values = []
        for entry in entries:
            text = entry.get("value") if isinstance(entry, Mapping) else None
            if not isinstance(text, str):
                note(f"customization_options: an entry without a value was left out, got {entry!r} for {name!r}")
                continue
            shown = text.strip().replace("/", " | ").lower()
            values.append(shown)
            images[shown] = entry.get("image")
        options[name.lower()] = values
    return options, images


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
