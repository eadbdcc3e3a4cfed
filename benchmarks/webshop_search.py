"""What a catalogue costs: time to index it, size and memory, time to open it, and latency of a search.

    python benchmarks/webshop_search.py                          # 1,000 and 100,000 generated products
    python benchmarks/webshop_search.py --sizes 1000000          # needs disk and memory, see the table

Everything is measured in fresh processes: one builds the index on disk, one opens it and searches (queries of 2 to 5
words, each asked once, with the first page of results), and four more have it open at once. `resident_mb` counts the
touched pages of the mapped files, `own_mb` does not, and `four_mb` is what the four take together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

QUERIES = 500
SHARERS = 4  # processes that have the catalogue open at once


def build(source: str) -> dict[str, float]:
    """Builds the index; the process's largest resident size is the cost in memory."""
    from lumos_rl.envs.webshop.reader import open_catalogue

    start = time.perf_counter()
    catalogue = open_catalogue(Path(source))
    seconds = time.perf_counter() - start
    assert catalogue.folder is not None
    size = sum(path.stat().st_size for path in catalogue.folder.iterdir())
    return {
        "build_s": seconds,
        "build_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "index_mb": size / 2**20,
    }


def search(source: str, wait: bool) -> dict[str, Any]:
    """Opens the index and searches."""
    from webshop_products import words

    from lumos_rl.envs.webshop.reader import open_catalogue

    start = time.perf_counter()
    catalogue = open_catalogue(Path(source))
    opened = time.perf_counter() - start
    rng = random.Random(1)
    vocabulary, sums = words()
    kinds = ("lamp", "shoes", "jacket", "towel")
    times = []
    for _ in range(QUERIES):
        query = " ".join([*rng.choices(vocabulary, cum_weights=sums, k=rng.randint(1, 4)), rng.choice(kinds)])
        start = time.perf_counter()
        catalogue.search(query)[:10]
        times.append(1000 * (time.perf_counter() - start))
    if wait:  # until the others have searched as well
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(_memory()), flush=True)
        sys.stdin.readline()
    times.sort()
    return {
        "open_ms": 1000 * opened,
        "p50_ms": times[len(times) // 2],
        "p95_ms": times[int(len(times) * 0.95)],
        "p99_ms": times[int(len(times) * 0.99)],
        **_memory(),
    }


def _memory() -> dict[str, float]:
    """Resident memory; the part of it that is no mapped file; and resident memory with shared pages divided up."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    kilobytes = {name: int(value.split()[0]) for name, value in fields.items()}
    names = {"resident_mb": "Rss", "own_mb": "Anonymous", "share_mb": "Pss"}
    return {name: kilobytes[field] / 1024 for name, field in names.items()}


def measure(size: int, folder: Path) -> dict[str, Any]:
    """All figures of one size."""
    from webshop_products import write

    source = folder / f"shop-{size}"
    start = time.perf_counter()
    write(source, size)
    print(f"{size:,} products written in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    figures: dict[str, Any] = {"products": size, "items_mb": (source / "items_shuffle.json").stat().st_size / 2**20}
    figures |= _run("build", source)
    figures |= _run("search", source)
    sharers = [
        subprocess.Popen(_command("share", source), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(SHARERS)
    ]
    _lines(sharers)
    figures["four_mb"] = sum(json.loads(line)["share_mb"] for line in _lines(sharers, go_on=True))
    for process in sharers:
        process.communicate("\n")
    return figures


def _lines(processes: list[subprocess.Popen[str]], go_on: bool = False) -> list[str]:
    """The next line of each process, after telling all of them to go on."""
    for process in processes if go_on else ():
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.stdout.readline() for process in processes if process.stdout is not None]


def _command(part: str, source: Path) -> list[str]:
    return [sys.executable, __file__, "--part", part, str(source)]


def _run(part: str, source: Path) -> dict[str, Any]:
    printed = subprocess.run(_command(part, source), check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(printed)
    return result


COLUMNS = (
    *(("products", ",.0f"), ("items_mb", ",.0f"), ("build_s", ",.1f"), ("build_mb", ",.0f"), ("index_mb", ",.0f")),
    *(("open_ms", ".1f"), ("p50_ms", ".2f"), ("p95_ms", ".2f"), ("p99_ms", ".2f"), ("resident_mb", ",.0f")),
    *(("own_mb", ",.0f"), ("four_mb", ",.0f")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        part, source = options.part
        print(json.dumps(build(source) if part == "build" else search(source, wait=part == "share")))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        os.environ["LUMOS_RL_CACHE"] = str(Path(made) / "cache")
        print(" | ".join(name for name, _ in COLUMNS))
        for size in options.sizes:
            figures = measure(size, Path(made))
            print(" | ".join(format(figures[name], form) for name, form in COLUMNS), flush=True)


if __name__ == "__main__":
    main()
