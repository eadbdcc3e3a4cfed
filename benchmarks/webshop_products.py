"""A generated WebShop catalogue of any size, in the files and the schema of the real one, for measurements.

    python benchmarks/webshop_products.py 1000 /tmp/webshop-1k

Titles, texts and prices are as long as real ones, words follow Zipf's law over 50,000 made-up ones, and every third
product has an instruction, so that an index costs about as much as one of real products.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DRAWN = 2_000_000  # words in a row, of which texts are pieces
_SYLLABLES = (
    "ba",
    "cor",
    "dim",
    "el",
    "fon",
    "gra",
    "hul",
    "in",
    "jo",
    "kep",
    "lum",
    "mar",
    "nor",
    "pel",
    "quo",
    "ris",
)
_KINDS = (
    "lamp",
    "shoes",
    "jacket",
    "backpack",
    "lotion",
    "brush",
    "tea",
    "snack",
    "headphones",
    "case",
    "shelf",
    "towel",
)
_COLORS = ("black", "white", "navy blue", "green", "burgundy", "yellow", "rose gold", "grey")
_SIZES = ("small", "medium", "large", "x-large", "12 pack", "3.5 fl oz")


def words(count: int = 50_000) -> tuple[list[str], list[float]]:
    """Made-up words with the running sums of their Zipf weights."""
    made = itertools.product(_SYLLABLES, repeat=4)
    return ["".join(next(made)) for _ in range(count)], list(itertools.accumulate(1 / (n + 10) for n in range(count)))


def records(count: int, seed: int = 0) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """So many records of the items file, each with its entry of the attribute file."""
    rng = random.Random(seed)
    vocabulary, sums = words()
    drawn = rng.choices(vocabulary, cum_weights=sums, k=min(200 * count, _DRAWN))

    def text(low: int, high: int) -> str:
        length = rng.randint(low, high)
        start = rng.randrange(len(drawn) - length)
        return " ".join(drawn[start : start + length])

    for number in range(count):
        kind = rng.choice(_KINDS)
        low = rng.randint(3, 400) + 0.99
        options = {"color": rng.sample(_COLORS, rng.randint(2, 6)), "size": rng.sample(_SIZES, rng.randint(2, 5))}
        attributes = [text(1, 2) for _ in range(rng.randint(0, 5))]
        record = {
            "asin": f"B{number:09d}",
            "name": f"{text(6, 16)} {kind}".title(),
            "full_description": text(20, 100),
            "small_description": [text(8, 25) for _ in range(5)],
            "pricing": f"${low}" if rng.random() < 0.8 else f"${low} - ${low + rng.randint(1, 30):.2f}",
            "images": ["https://example.invalid/image.jpg"],
            "category": rng.choice(("fashion", "beauty", "grocery", "electronics", "garden")),
            "query": f"{text(1, 2)} {kind}",
            "product_category": f"Shop › {kind.title()} › {text(1, 1).title()}",
            "customization_options": {
                name: [{"value": value, "image": None} for value in values] for name, values in options.items()
            },
        }
        entry: dict[str, Any] = {"attributes": attributes}
        if attributes and number % 3 == 0:
            entry |= {
                "instruction": f"Find me {', '.join(attributes[:2])} {record['query']}",
                "instruction_attributes": attributes[:2],
            }
        yield record, entry


def write(folder: Path, count: int, seed: int = 0) -> None:
    """Writes the files of a catalogue, record by record."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "items_shuffle.json").open("w") as items,
        (folder / "items_ins_v2.json").open("w") as instructions,
    ):
        items.write("[")
        instructions.write("{")
        for number, (record, entry) in enumerate(records(count, seed)):
            comma = ", " if number else ""
            items.write(comma + json.dumps(record))
            instructions.write(f"{comma}{json.dumps(record['asin'])}: {json.dumps(entry)}")
        items.write("]")
        instructions.write("}")
    (folder / "items_human_ins.json").write_text("{}")


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]))
