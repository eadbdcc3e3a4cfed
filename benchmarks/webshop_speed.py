"""How fast the shop is: steps per second, time of a reset, resident memory, for several environments.

    python benchmarks/webshop_speed.py                # 1,000 generated products, text mode; 1, 8 and 64 environments
    python benchmarks/webshop_speed.py --ray 2        # the same episodes on Ray workers

Each row is measured in a fresh process, in CPU seconds, so that other work on the machine does not show. An episode is
a search, a look at a product and its description, its options, a second search, and a purchase: about nine steps.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COUNTS = (1, 8, 64)  # environments in one process


def play(source: str, environments: int, seconds: float, seed: int = 0) -> dict[str, float]:
    """Plays episodes round robin; returns what was measured."""
    import gymnasium as gym

    import lumos_rl.envs  # noqa: F401 (registers the ids)

    started = time.process_time()
    envs = [gym.make("lumos_rl/WebShop-v0", source=source, max_turns=100) for _ in range(environments)]
    made = time.process_time() - started
    rng = random.Random(seed)
    states: list[Any] = [None] * environments
    scripts: list[list[str]] = [[] for _ in envs]
    steps, resets, resetting = 0, 0, 0.0
    began = time.process_time()
    while time.process_time() - began < seconds:
        for number, env in enumerate(envs):
            if states[number] is None:
                start = time.process_time()
                _, info = env.reset(seed=rng.randrange(2**31))
                resetting += time.process_time() - start
                resets += 1
                states[number], scripts[number] = info, _script(info["instruction"])
                continue
            _, _, terminated, truncated, info = env.step(_next(scripts[number], states[number], rng))
            steps += 1
            states[number] = None if terminated or truncated else info
    elapsed = time.process_time() - began
    return {
        "environments": environments,
        "steps_per_s": steps / (elapsed - resetting),
        "reset_ms": 1000 * resetting / resets,
        "make_ms": 1000 * made / environments,
        "resident_mb": _resident_mb(),
    }


def _script(instruction: str) -> list[str]:
    words = instruction.replace(",", "").split()
    query, short = " ".join(words[2:6]), " ".join(words[3:5])
    return [
        f"search[{short}]",
        "item",
        "option",
        "description",
        "click[< prev]",
        f"search[{query}]",
        "item",
        "option",
        "click[buy now]",
    ]


def _next(script: list[str], info: dict[str, Any], rng: random.Random) -> str:
    action = script.pop(0) if script else "click[back to search]"
    clickables = info["clickables"]
    if action == "item":
        items = [text for text in clickables if text.startswith("b0")]
        return f"click[{rng.choice(items)}]" if items else "search[lamp]"
    if action == "option":
        return f"click[{clickables[-1]}]"
    return "click[description]" if action == "description" else action


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def on_ray(source: str, workers: int, seconds: float) -> list[dict[str, float]]:
    """The same in Ray workers, all at once: a row for each worker and count."""
    import ray

    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
    task = ray.remote(num_cpus=1, max_calls=1)(play)  # a fresh process for each
    rows: list[dict[str, float]] = []
    for count in COUNTS:
        rows += ray.get([task.remote(source, count, seconds, number) for number in range(workers)])
    ray.shutdown()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--ray", type=int, default=0, help="Ray workers; 0 measures single processes")
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "ENVIRONMENTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(play(options.worker[0], int(options.worker[1]), options.seconds)))
        return
    from webshop_products import write

    with tempfile.TemporaryDirectory() as made:
        os.environ["LUMOS_RL_CACHE"] = str(Path(made) / "cache")
        source = str(Path(made) / "shop")
        write(Path(source), options.products)
        if options.ray:
            _measure(source, 1, 0.1)  # builds the index
            rows = on_ray(source, options.ray, options.seconds)
        else:
            rows = [_measure(source, count, options.seconds) for count in (COUNTS[0], *COUNTS)][1:]  # the first builds
    print(f"{options.products:,} products" + (f", {options.ray} Ray workers at once" if options.ray else ""))
    print("environments per process | steps/CPU s | reset ms | make ms | resident MB")
    for row in rows:
        print(
            f"{row['environments']:>24.0f} | {row['steps_per_s']:>11,.0f} | {row['reset_ms']:>8.3f} |"
            f" {row['make_ms']:>7.1f} | {row['resident_mb']:>11.0f}"
        )


def _measure(source: str, environments: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--seconds", str(seconds), "--worker", source, str(environments)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


if __name__ == "__main__":
    main()
