"""What writes turns how fast: episodes and tokens per second of the engines, of lock-step waves, and of reloading.

    python benchmarks/engines.py                      # trains a small model first; every case, then the tables
    python benchmarks/engines.py --model CHECKPOINT   # of a full model, e.g. runs/tiny-0/checkpoints/sft
    python benchmarks/engines.py --model CHECKPOINT --cases engine loop-vllm --episodes 256

Each case runs in a fresh process, on the same tasks of the built-in suite, with planner and grounder as two adapters of
the model (new ones, which leave it as it is). Clocks run from the first request to the last trajectory; starting the
engine is a column of its own. CPU seconds are those of the case's process; other work on the machine shows less there.

    engine        vLLM alone, on the requests of loop-vllm, all at once: what the loop cannot surpass
    loop-vllm     the episode loop on vLLM
    loop-hf       the episode loop on Transformers
    waves         lock-step on Transformers: no episode's next turn before every episode's last one
    reload        waves, the model loaded again for each, and finished episodes generated again
    full-vllm, full-hf   the loop on the model itself, for both modules, without adapters
    ray-vllm, ray-hf   the loop on Ray with one worker
    concurrency-N loop-vllm with N episodes at once
    tools-N       loop-vllm with steps that take N ms, in threads; tools-50-inline without threads
    memory-base, memory-adapters   resident memory of an engine with the model alone, and with two adapters
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium

SPEED = ("engine", "loop-vllm", "loop-hf", "waves", "reload")
FULL = ("full-vllm", "full-hf")
RAY = ("ray-vllm", "ray-hf")
SCALE = ("concurrency-1", "concurrency-16", "concurrency-64", "concurrency-256")
TOOLS = ("tools-0", "tools-50", "tools-500", "tools-50-inline")
MEMORY = ("memory-base", "memory-adapters")
ROLLOUT = {"temperatures": (1.0,), "max_subgoals": 5, "max_new_tokens": 32}
TASKS = "gsm8k"


def prepare(model: Path, folder: Path) -> Path:
    """A folder with two new adapters of a model, which leave it as it is."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for name in ("planner", "grounder"):
        config = LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
        get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(model).save_pretrained(folder / name)
    return folder


def train(folder: Path) -> Path:
    """A small model, trained as the preset `tiny` begins."""
    command = ["-m", "lumos_rl.recipes.sft", "--run-dir", str(folder), "--data.explore", "0"]
    subprocess.run([sys.executable, *command], check=True)
    return folder / "checkpoints" / "sft"


def vllm_policy(path: str, batch: int = 256) -> Any:
    from lumos_rl.policies.vllm import VLLMPolicy

    return VLLMPolicy.load(path, "bench", batch)


def hf_policy(path: str, batch: int = 128) -> Any:
    from lumos_rl.policies.hf import HFPolicy

    return HFPolicy.load(path, "bench", batch, "cpu")


class Waves:
    """A policy that answers no one before it can answer all."""

    def __init__(self, path: str, reload: bool) -> None:
        self.path, self.reload = path, reload
        self.policy = hf_policy(path)
        self.version, self.tokenizer_hash = self.policy.version, self.policy.tokenizer_hash
        self.asked: dict[str, Any] = {}
        self.last: dict[str, Any] = {}  # of every episode that there was

    def submit(self, request: Any) -> None:
        self.asked[request.id] = self.last[request.id] = request

    def collect(self, timeout_s: float | None = None) -> list[Any]:
        if self.reload:
            self.policy = hf_policy(self.path)
        for request in (self.last if self.reload else self.asked).values():
            self.policy.submit(request)
        done = []
        while batch := self.policy.collect():
            done += [each for each in batch if each.request_id in self.asked]
        self.asked = {}
        return done

    def close(self) -> None:
        self.policy.close()


class Recorder:
    """Keeps what is asked of a policy."""

    def __init__(self, policy: Any) -> None:
        self.policy, self.requests = policy, []
        self.version, self.tokenizer_hash = policy.version, policy.tokenizer_hash
        self.collect, self.close = policy.collect, policy.close

    def submit(self, request: Any) -> None:
        self.requests.append(request)
        self.policy.submit(request)


class SlowTools(gymnasium.Wrapper[str, str, str, str]):
    """Steps that take their time, as over a network."""

    def __init__(self, env: Any, latency_s: float) -> None:
        super().__init__(env)
        self.latency_s = latency_s

    def step(self, action: str) -> Any:
        time.sleep(self.latency_s)
        return self.env.step(action)


def make_env(benchmark: str, latency_s: float = 0.0) -> Any:
    env = gymnasium.make("lumos_rl.envs:lumos_rl/GSM8K-v0", limit=1)
    return SlowTools(env, latency_s) if latency_s else env


def plans(count: int) -> list[Any]:
    from lumos_rl.data.synthetic import synthetic_tasks
    from lumos_rl.rollout.plans import RolloutConfig, plan_episodes

    return plan_episodes(synthetic_tasks(TASKS, "test", count), RolloutConfig(**ROLLOUT))


def play(policy: Any, episodes: int, concurrency: int, latency_s: float = 0.0, threads: int = 0) -> list[Any]:
    from lumos_rl.prompts import COMPACT_PROFILE
    from lumos_rl.rollout.loop import run_episodes

    env = functools.partial(make_env, latency_s=latency_s)
    return list(run_episodes(env, plans(episodes), policy, COMPACT_PROFILE, concurrency, threads))


def measured(work: Callable[[], list[Any]], started_s: float) -> dict[str, Any]:
    """Wall and CPU seconds of some work, and what came of it."""
    began, cpu = time.monotonic(), time.process_time()
    trajectories = work()
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    return {
        "episodes": len(trajectories),
        "turns": len(turns),
        "tokens": sum(turn.completion_tokens for turn in turns),
        "solved": sum(trajectory.success for trajectory in trajectories),
        "wall_s": wall,
        "cpu_s": cpu,
        "start_s": started_s,
    }


def run_case(case: str, path: str, base: str, episodes: int) -> dict[str, Any]:
    began = time.monotonic()
    kind, _, number = case.partition("-")
    if case == "engine":
        return engine_alone(path, episodes)
    if kind == "memory":
        policy = vllm_policy(base if number == "base" else path)
        play(policy, 8, 8)
        return {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    if kind == "ray":
        return on_ray(number, path, episodes)
    concurrency, latency_s, threads = 256, 0.0, 0
    if kind == "concurrency":
        concurrency = int(number)
        episodes = min(episodes, 16 * concurrency)
    elif kind == "tools":
        latency_s = int(number.partition("-")[0]) / 1000
        threads = 0 if number.endswith("inline") else 256
        episodes = min(episodes, 64) if number.endswith("inline") else episodes
    if case in ("waves", "reload"):
        policy, concurrency = Waves(path, case == "reload"), episodes
    else:
        served = base if kind == "full" else path
        policy = hf_policy(served) if number == "hf" else vllm_policy(served)
    warm(policy)
    started_s = time.monotonic() - began
    return measured(lambda: play(policy, episodes, concurrency, latency_s, threads), started_s)


def warm(policy: Any) -> None:
    """Lets an engine do at once what it does for its first request only."""
    play(policy, 4, 4)
    if isinstance(policy, Waves):
        policy.last.clear()


def engine_alone(path: str, episodes: int) -> dict[str, Any]:
    """Every request that the loop makes, in one batch."""
    recorder = Recorder(vllm_policy(path))
    play(recorder, episodes, 256)
    recorder.policy.close()
    began = time.monotonic()
    policy = vllm_policy(path)  # without what the first one's prefix cache holds
    warm(policy)
    started_s = time.monotonic() - began
    requests = recorder.requests
    began, cpu = time.monotonic(), time.process_time()
    for index, request in enumerate(requests):
        policy.submit(replace(request, id=f"{request.id}/{index}"))
    done: list[Any] = []
    while len(done) < len(requests):
        done += policy.collect()
    return {
        "episodes": episodes,
        "turns": len(done),
        "tokens": sum(each.completion_tokens for each in done),
        "wall_s": time.monotonic() - began,
        "cpu_s": time.process_time() - cpu,
        "start_s": started_s,
    }


def on_ray(kind: str, path: str, episodes: int) -> dict[str, Any]:
    """A rollout by one worker, after a short one that starts everything."""
    from lumos_rl.policies.serving import Serving
    from lumos_rl.prompts import COMPACT_PROFILE
    from lumos_rl.rollout.ray_config import RayConfig
    from lumos_rl.rollout.ray_workers import RayWorkers

    make = functools.partial(vllm_policy if kind == "vllm" else hf_policy, path)
    policy = Serving("bench", make) if kind == "vllm" else make
    began = time.monotonic()
    with RayWorkers(RayConfig(workers=1, dashboard=False)) as crew:
        list(crew.collect(plans(4), policy, make_env, COMPACT_PROFILE, 256))
        started_s = time.monotonic() - began
        rollout = crew.collect(plans(episodes), policy, make_env, COMPACT_PROFILE, 256)
        return measured(lambda: list(rollout), started_s)


def in_own_process(case: str, path: Path, base: Path, episodes: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", case, "--model", str(base), "--adapters", str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, "--episodes", str(episodes)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{case} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(results: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| case | episodes | tokens | episodes/s | tokens/s | tokens/CPU s | start, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, found in results.items():
        if "tokens" not in found:
            continue
        wall, cpu = found["wall_s"], found["cpu_s"]
        own = "" if case.startswith("ray") else f"{found['tokens'] / cpu:.0f}"
        lines.append(
            f"| {case} | {found['episodes']} | {found['tokens']} | {found['episodes'] / wall:.2f} |"
            f" {found['tokens'] / wall:.0f} | {own} | {found['start_s']:.1f} |"
        )
    lines += [f"\n{case}: {found['rss_mb']:.0f} MB resident" for case, found in results.items() if "rss_mb" in found]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="checkpoint of a full model; without it, one is trained")
    parser.add_argument("--episodes", type=int, default=512)
    parser.add_argument("--cases", nargs="*", default=[*SPEED, *FULL, *RAY, *SCALE, *TOOLS, *MEMORY])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--adapters", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(run_case(given.case, given.adapters, str(given.model), given.episodes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        base = given.model or train(Path(folder) / "run")
        path = prepare(base.resolve(), Path(folder) / "adapters")
        results = {}
        for case in given.cases:
            results[case] = in_own_process(case, path, base.resolve(), given.episodes)
            print(case, json.dumps(results[case]), file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
