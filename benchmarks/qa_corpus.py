"""What documents on disk cost: time and memory to index, size on disk, memory and latency to look things up.

    python benchmarks/qa_corpus.py --documents 100000 1000000 --folder /tmp/corpora

Documents are generated: about 70 words each, drawn by Zipf's law from a vocabulary that grows with the square root of
their number. Queries are like questions: some rare words of one document, some common ones. The indexing and each
reading process are fresh ones, so that their memory is their own; resident memory counts the pages of the index that
were touched, which processes share. The seed is 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lumos_rl.envs.qa.tools.corpus import Corpus

QUERIES = 300
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def vocabulary_of(count: int, rng: np.random.Generator) -> list[str]:
    lengths = rng.integers(3, 10, count)
    letters = _LETTERS[rng.integers(0, 26, (count, 9))]
    return [
        "".join(row[:length]) + str(index % 7) for index, (row, length) in enumerate(zip(letters, lengths, strict=True))
    ]


def generate(path: Path, documents: int) -> None:
    rng = np.random.default_rng(0)
    size = int(400 * documents**0.5)
    vocabulary = np.array(vocabulary_of(size, rng))
    weights = 1 / np.arange(1, size + 1)
    bounds = np.cumsum(weights / weights.sum())
    with path.open("w") as file:
        for start in range(0, documents, 10_000):
            for index in range(start, min(start + 10_000, documents)):
                drawn = vocabulary[np.searchsorted(bounds, rng.random(int(rng.integers(30, 110))))].tolist()
                title = f"{vocabulary[rng.integers(size)]} {vocabulary[rng.integers(size)]} {index}"
                text = ". ".join(" ".join(drawn[place : place + 14]).capitalize() for place in range(0, len(drawn), 14))
                file.write(json.dumps({"title": title, "text": text + "."}) + "\n")


def index(path: Path) -> dict[str, float]:
    began, cpu = time.monotonic(), time.process_time()
    folder = Corpus(path).folder
    return {
        "index_s": time.monotonic() - began,
        "index_cpu_s": time.process_time() - cpu,
        "index_peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
        "disk_gb": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1024**3,
    }


def memory_mb() -> tuple[float, float]:
    """Resident memory of this process, and the part of it that no other process can share."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Rss"].split()[0]) / 1024, int(fields["Anonymous"].split()[0]) / 1024


def timed(function: Callable[[str], Any], arguments: list[str]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    times = []
    for argument in arguments:
        start = time.perf_counter()
        function(argument)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))


def read(path: Path) -> dict[str, float]:
    before = memory_mb()[1]
    start = time.perf_counter()
    corpus = Corpus(path)
    opened = 1000 * (time.perf_counter() - start)
    rng = np.random.default_rng(1)
    pieces = [corpus.document(int(number))[0] for number in rng.integers(0, corpus.size, QUERIES)]
    titles = timed(corpus.lookup, [piece.title for piece in pieces])
    texts = [piece.text.replace(".", " ").split() for piece in pieces]
    queries = [" ".join(rng.choice(words, min(8, len(words)), replace=False)) for words in texts]
    searched = timed(lambda query: corpus.search(query, 5), queries)
    found = sum(
        piece.title in {hit.title for hit in corpus.search(query, 5)}
        for piece, query in zip(pieces, queries, strict=True)
    )
    resident, own = memory_mb()
    return {
        "open_ms": opened,
        "title_p50_ms": titles[0],
        "title_p95_ms": titles[1],
        "search_p50_ms": searched[0],
        "search_p95_ms": searched[1],
        "found_in_5": found / QUERIES,
        "resident_mb": resident,
        "own_mb": own - before,
    }


def in_a_fresh_process(function: Callable[[Path], dict[str, float]], path: Path) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (path,))


def main() -> None:
    parser = argparse.ArgumentParser(description="What documents on disk cost.")
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000])
    parser.add_argument("--folder", type=Path, default=Path("corpora"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for documents in arguments.documents:
        path = arguments.folder / f"{documents}.jsonl"
        if not path.exists():
            generate(path, documents)
        shutil.rmtree(path.with_name(path.name + ".index"), ignore_errors=True)
        row = {"documents": documents, **in_a_fresh_process(index, path), **in_a_fresh_process(read, path)}
        print(json.dumps({name: round(value, 2) for name, value in row.items()}), flush=True)


if __name__ == "__main__":
    main()
