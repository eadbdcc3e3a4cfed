"""Records become products as the original reads them; what it would crash on is mended and noted."""

from typing import Any

import pytest
from tiny_shop import options, record

from lumos_rl.envs.webshop.tools.product import Product, read_product


def read(attributes: Any = None, **fields: Any) -> tuple[Product, list[str]]:
    notes: list[str] = []
    return read_product(record("B001", **fields), attributes or {"attributes": []}, None, notes.append), notes


@pytest.mark.parametrize(
    ("pricing", "prices", "tag"),
    [
        (None, (100.0,), "$100.0"),
        ("", (100.0,), "$100.0"),
        ("$34.00", (34.0,), "$34.0"),
        ("$1,299.99", (1299.99,), "$1299.99"),
        ("$5.00 ($0.42 / Ounce)", (5.0, 0.42), "$5.0 to $0.42"),
        ("$5.00 - $9.99 or $20", (5.0, 9.99), "$5.0 to $9.99"),
        ("from 12 to $7", (7.0,), "$7.0"),
    ],
)
def test_prices(pricing: Any, prices: tuple[float, ...], tag: str) -> None:
    product, notes = read(pricing=pricing)
    assert (product.pricing, product.price_tag) == (prices, tag)
    assert notes == ([] if pricing else ["pricing: none; taken as $100.0"])


@pytest.mark.parametrize("pricing", ["34.00", "$", "$1.2.3", 34.0, ["$3"]])
def test_an_unreadable_price_is_a_hundred_dollars_and_noted(pricing: Any) -> None:
    product, notes = read(pricing=pricing)
    assert (product.pricing, product.price_tag) == ((100.0,), "$100.0")
    assert "pricing" in notes[0]


def test_options_are_lower_case_with_bars_for_slashes_and_keep_repeats() -> None:
    entries = {
        **options(Color=[" Black/White ", "A / B", "Red", "red"]),
        "Size": None,
        "FIT": [{"value": "x", "image": "i"}],
    }
    product, notes = read(customization_options=entries)
    assert product.options == {"color": ["black | white", "a  |  b", "red", "red"], "fit": ["x"]}
    assert product.option_images["x"] == "i"
    assert notes == ["customization_options: expected a list of values for each option, got null for 'Size'"]


def test_a_text_is_one_bullet_and_the_query_is_trimmed() -> None:
    product, notes = read(small_description="led", query="  Desk LAMP ")
    assert (product.bullets, product.query, notes) == (("led",), "desk lamp", [])


def test_attributes_come_from_the_other_file() -> None:
    assert read({"attributes": ["a b"]})[0].attributes == ("a b",)
    assert read({"attributes": []})[0].attributes == ()
    assert read({"instruction": "x"})[0].attributes == ("DUMMY_ATTR",)


def test_nulls_are_mended_and_noted() -> None:
    broken: dict[str, Any] = dict.fromkeys(("name", "full_description", "small_description", "query", "category"))
    product, notes = read(**broken, images=None, product_category=3, customization_options={"c": [{}, None], "d": "e"})
    assert (product.name, product.description, product.bullets, product.query, product.image) == ("", "", (), "", "")
    assert (product.product_category, product.options) == ("3", {"c": []})
    assert len(notes) == 9


@pytest.mark.parametrize(
    "entry",
    [
        ["a b"],
        {"instruction": 5, "instruction_attributes": ["a"]},
        {"instruction": "x", "instruction_attributes": []},
        {"instruction": "x", "instruction_attributes": 5},
        {"instruction": "x"},
    ],
)
def test_an_attribute_entry_that_gives_no_goal_is_noted(entry: Any) -> None:
    product, [note] = read(entry)
    assert (product.instruction, product.instruction_attributes, product.attributes) == (None, (), ("DUMMY_ATTR",))
    assert note.startswith("attribute file: expected")


@pytest.mark.parametrize("written", [5, {"instruction": "x"}, [{"instruction": None}], ["x"]])
def test_human_instructions_that_are_none_are_noted(written: Any) -> None:
    notes: list[str] = []
    assert read_product(record("B001"), {"attributes": []}, written, notes.append).human == ()
    assert "human instructions" in notes[0]


def test_a_product_without_an_attribute_entry_has_no_instruction() -> None:
    notes: list[str] = []
    product = read_product(record("B009"), None, [{"instruction": "x"}, "junk"], notes.append)
    assert (product.attributes, product.instruction, product.human) == (("DUMMY_ATTR",), None, ({"instruction": "x"},))
    assert "attribute file" in notes[0]
