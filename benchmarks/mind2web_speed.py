"""How fast recorded pages are read, ranked and shown; how fast episodes run; what reading a large split takes.

    python benchmarks/mind2web_speed.py pages            # ms per page at 1,000, 5,000 and 20,000 nodes
    python benchmarks/mind2web_speed.py steps            # steps per CPU second on the built-in websites
    python benchmarks/mind2web_speed.py stream           # writes a split of 1 GB, reads it, and plays from it
    python benchmarks/mind2web_speed.py recall           # of the lexical ranker, on the built-in test split

Times are CPU seconds of one process, so that other work on the machine does not show; those of `stream`, which waits
for the disk, are wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = (1_000, 5_000, 20_000)  # nodes of a page, texts included
PAGES = 5  # different pages of each size
TOP = 50
_NOUNS = "flight hotel offer room table ticket price date city guest order basket search help login menu".split()
_ADJECTIVES = "cheap new best early late large small next last free local daily weekly grand quiet sunny".split()


def page(size: int, seed: int) -> tuple[str, list[str]]:
    """A generated page as XML, and the ids of its candidates: lists of cards in sections, as portals have them."""
    rng = random.Random(seed)
    made, parts, candidates = 3, [], []

    def element(tag: str, inside: str, text: bool = False, **attributes: str) -> str:
        nonlocal made
        made += 2 if text else 1
        key = str(made)
        if tag in ("a", "button", "input", "select", "li"):
            candidates.append(key)
        shown = "".join(f' {name}="{value}"' for name, value in attributes.items())
        inside = f'<text backend_node_id="{made - 1}">{inside}</text>' if text else inside
        return f'<{tag} backend_node_id="{key}"{shown}> {inside} </{tag}>'

    def words(count: int) -> str:
        return " ".join(rng.choice((_ADJECTIVES, _NOUNS)[place % 2]) for place in range(count))

    while made < size:
        cards = []
        for _ in range(rng.randint(6, 20)):
            link = element("a", element("span", words(3), text=True), title=words(2))
            field = element("input", "", type="text", aria_label=words(2))
            button = element("button", words(2), text=True, type="submit")
            text = element("div", element("div", words(12), text=True) + element("div", link + button, role="group"))
            cards.append(element("li", text + field, role="listitem"))
        parts.append(element("div", element("div", element("ul", "".join(cards), role="list"))))
    inside = element("div", element("div", "".join(parts), role="main"))
    return f'<html backend_node_id="1"> <body backend_node_id="2"> {inside} </body></html>', candidates


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return 1000 * (time.process_time() - began), result


def measure_pages() -> None:
    from lumos_rl.envs.mind2web.tools.dom import Page, get_tree_repr, prune_tree
    from lumos_rl.envs.mind2web.tools.page import Step, StepPage
    from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker

    def one(html: str, candidates: list[str]) -> tuple[float, ...]:
        step = Step("u", "CLICK", "", "[a]  x -> CLICK", (candidates[0],), tuple(candidates[1:]), html)
        ranker = LexicalRanker()
        read, found = clocked(lambda: StepPage(step))
        first, ranked = clocked(lambda: found.ranked(ranker, "the cheap flight button"))
        again, _ = clocked(lambda: found.ranked(ranker, "a quiet room for two guests"))
        top = ranked[:TOP]
        shown, text = clocked(lambda: found.page.around(top))
        trees, other = clocked(lambda: get_tree_repr(prune_tree(Page(html), top), id_mapping={}))
        assert text == other
        return len(candidates), read, first, again, shown, trees, read + first + shown

    print("nodes | candidates | read | rank all | rank again | show 50 | read and show by trees | read, rank and show")
    for size in SIZES:
        rows = [one(*page(size, seed)) for seed in range(PAGES)]
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"{size:>6,} | {middle[0]:>6,.0f} | " + " | ".join(f"{value:>8.1f} ms" for value in middle[1:]))


def measure_steps() -> None:
    import gymnasium as gym

    import lumos_rl.envs  # noqa: F401 (registers the ids)
    from lumos_rl.language import format_actions

    print("observation | pages | steps/CPU s | reset ms")
    for observation in ("page", "feedback"):
        env: Any = gym.make("lumos_rl/Mind2Web-v0", observation=observation, limit=25)
        for pages in ("first time", "again"):
            steps, resets, began = 0, 0.0, time.process_time()
            for index, task in enumerate(env.unwrapped.tasks):
                start = time.process_time()
                env.reset(options={"task": index})
                resets += time.process_time() - start
                for part in task.subgoals:
                    env.step(format_actions(part.actions))
                    steps += 1
            elapsed = time.process_time() - began
            print(f"{observation:>11} | {pages:>10} | {steps / (elapsed - resets):>11,.0f} | {40 * resets:>6.2f}")
        from lumos_rl.envs.mind2web import reader as mind2web

        mind2web._pages.clear()


def measure_stream(gigabytes: float, folder: Path) -> None:
    from lumos_rl.envs.mind2web.suite import suite_record, web_stream

    path = folder / "train" / "train_0.json"
    path.parent.mkdir(parents=True)
    stream = web_stream("mind2web", "train", 0)
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, task in enumerate(stream):
            file.write((", " if number else "") + json.dumps(suite_record(task)))
            if file.tell() > gigabytes * 1e9:
                break
        file.write("]")
    print(f"{path.stat().st_size / 1e9:.2f} GB written", flush=True)
    environment = {**os.environ, "LUMOS_RL_CACHE": str(folder / "cache")}
    for name in ("first use, makes the index", "with the index"):
        command = [sys.executable, __file__, "play", str(folder)]
        print(f"{name}: " + subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def play(folder: Path) -> None:
    """One process: opens the split, plays 100 tasks by their gold actions, says what it took."""
    import gymnasium as gym

    import lumos_rl.envs  # noqa: F401 (registers the ids)
    from lumos_rl.envs.mind2web.suite import gold_plan
    from lumos_rl.language import format_actions

    began = time.perf_counter()
    env: Any = gym.make("lumos_rl/Mind2Web-v0", source=folder, split="train")
    opened = time.perf_counter() - began
    peak_open = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    steps, right, began = 0, 0.0, time.perf_counter()
    for index in range(min(100, env.unwrapped.num_tasks)):
        task = env.unwrapped.tasks[index]
        env.reset(options={"task": index})
        for part in gold_plan(task.id, task.meta["reprs"]):
            right += env.step(format_actions(part.actions))[1]
            steps += 1
    elapsed = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{env.unwrapped.num_tasks:,} tasks, opened in {opened:.1f} s (peak resident {peak_open:.0f} MB);")
    print(f"{steps} steps, {right:.0f} right, {1000 * elapsed / steps:.1f} ms each (peak resident {peak:.0f} MB)")


def measure_recall() -> None:
    from lumos_rl.data.synthetic import synthetic_tasks
    from lumos_rl.envs.mind2web.metrics import recall_at
    from lumos_rl.envs.mind2web.reader import load_page
    from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
    from lumos_rl.envs.mind2web.tools.sentences import ranking_query

    ranker, ranks, sizes = LexicalRanker(), [], []
    for task in synthetic_tasks("mind2web", "test"):
        for index in range(len(task.subgoals)):
            found = load_page(task, index)
            ranked = found.ranked(ranker, ranking_query(task.instruction, task.meta["reprs"][:index]))
            ranks.append(min(ranked.index(key) for key in found.positives))
            sizes.append(len(found.candidates))
    shown = ", ".join(f"recall@{k} {100 * recall_at(ranks, k):.1f} %" for k in (1, 5, 10, 50))
    print(f"{len(ranks)} steps of 300 tasks, {statistics.mean(sizes):.0f} candidates on average: {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pages", "steps", "stream", "recall", "play"))
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    options = parser.parse_args()
    if options.what == "stream":
        with tempfile.TemporaryDirectory() as made:
            measure_stream(options.gigabytes, Path(made))
    elif options.what == "play":
        play(options.folder)
    else:
        {"pages": measure_pages, "steps": measure_steps, "recall": measure_recall}[options.what]()


if __name__ == "__main__":
    main()
