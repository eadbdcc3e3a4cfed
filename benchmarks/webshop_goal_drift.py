"""How far WebShop's goals drift when prices and price bounds are drawn unseeded, and that ours do not.

    python benchmarks/webshop_goal_drift.py          # 8 processes, the built-in shop and 1,000 generated products

The original draws the price of a product with several prices, and the price bound of every goal, from Python's global
generator without seeding it; only the order of the goals is fixed. Here each of 8 fresh processes makes the goals once
in that way (from a generator that the operating system seeds) and once as `lumos_rl` does. A goal has drifted where its
text differs from that of the first process; beside that stand the mean distance between its price bounds in dollars,
and the share of goals whose product costs something else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODES = ("unseeded", "seeded")


def make(source: str, mode: str) -> dict[str, Any]:
    """The goals of a catalogue, as one process makes them: hash, texts and bounds."""
    from lumos_rl.envs.webshop.files import LoadReport, find_files, read_products
    from lumos_rl.envs.webshop.suite import suite_products
    from lumos_rl.envs.webshop.tools import catalogue as store
    from lumos_rl.envs.webshop.tools import goals as goal_module

    if mode == "unseeded":
        store.PRICE_SEED = goal_module.PRICE_SEED = int.from_bytes(os.urandom(8), "big")
    products = suite_products() if source == "synthetic" else read_products(find_files(Path(source)), LoadReport())
    catalogue = store.Catalogue.build(products)
    goals = goal_module.synthetic_goals(catalogue)
    return {
        "hash": goal_module.manifest_hash(goals),
        "texts": [goal["instruction_text"] for goal in goals],
        "bounds": [goal["price_upper"] for goal in goals],
        "order": [(goal["asin"], str(goal["goal_options"])) for goal in goals],
        "prices": [catalogue.price(goal["asin"]) for goal in goals],
    }


def runs(source: str, mode: str, processes: int) -> Iterator[dict[str, Any]]:
    """What each fresh process made."""
    command = [sys.executable, __file__, "--make", source, mode]
    for number in range(processes):
        environment = {**os.environ, "PYTHONHASHSEED": str(number)}
        yield json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def row(source: str, mode: str, processes: int) -> str:
    """One line of the table."""
    made = list(runs(source, mode, processes))
    first, others = made[0], made[1:]
    count = len(first["texts"])

    def share(field: str, differs: Any) -> float:
        pairs = [pair for other in others for pair in zip(first[field], other[field], strict=True)]
        return sum(map(differs, pairs)) / len(pairs)

    texts = share("texts", lambda pair: pair[0] != pair[1])
    shift = share("bounds", lambda pair: abs(pair[0] - pair[1]))
    prices = share("prices", lambda pair: pair[0] != pair[1])
    same_order = all(other["order"] == first["order"] for other in others)
    hashes = len({each["hash"] for each in made})
    return (
        f"{mode:>8} | {count:>6,} | {hashes} of {processes} | {same_order!s:>10} | {texts:>12.1%} | {shift:>9.2f} |"
        f" {prices:>13.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--products", type=int, default=1000, help="of the generated catalogue")
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        print(json.dumps(make(*options.make)))
        return
    from webshop_products import write

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options.products)
        for name, source in (("built-in shop", "synthetic"), (f"{options.products:,} generated products", folder)):
            print(name)
            print("   draws |  goals | hashes | same order | texts differ | $ by mean | prices differ")
            for mode in MODES:
                print(row(source, mode, options.processes), flush=True)


if __name__ == "__main__":
    main()
