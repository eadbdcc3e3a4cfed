"""The part `play` of `real_model.py`: how fast turns are written, beside the libraries' own `generate`.

    python benchmarks/real_model.py play                                      # SmolLM2 on both engines
    python benchmarks/real_model.py play --engine hf --episodes 64 --data data/mawps_asdiv

Two kinds of work, each the same for both sides:

    prompts     the first prompt of every episode; each turn has `--tokens` new tokens, whatever the model writes
    episodes    whole episodes in the episode loop, with environments. Every turn is as long as that of the gold plan,
                and the episode continues with the gold text, as a trained model would make it; the model's own tokens
                stay in its context. The other side has the same prompts: Transformers' `generate` wave by wave, first
                turns, then second ones …, and vLLM's all at once.

Each side runs in a process of its own. CPU seconds say more than seconds where the machine has other work.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

ENGINES = ("hf", "vllm")
PROFILE = "compact"


@dataclass(frozen=True, slots=True)
class Written:
    """What a side wrote.

    Attributes:
        turns: How many turns.
        read: Tokens of their prompts.
        tokens: Tokens of the turns.
        seconds: Wall-clock time.
        cpu_seconds: CPU time.
    """

    turns: int
    read: int
    tokens: int
    seconds: float
    cpu_seconds: float


class GoldLength:
    """A policy whose turns have the length of the gold plan's, and then its text.

    Args:
        policy: A policy that ends no turn by itself.
        gold: Turns of each module by episode and module.
    """

    def __init__(self, policy: Any, gold: dict[tuple[str, str], list[str]]) -> None:
        self.policy, self.gold, self.requests, self.texts = policy, gold, [], {}
        self.version, self.tokenizer_hash = policy.version, policy.tokenizer_hash
        self.close = policy.close

    def submit(self, request: Any) -> None:
        turns = self.gold[request.id, request.module.value]
        at = sum(message["role"] == "assistant" for message in request.messages)
        self.texts[request.id] = text = turns[min(at, len(turns) - 1)]
        length = len(self.policy.tokenizer.encode(text, add_special_tokens=False)) + 1
        request = replace(request, sampling=replace(request.sampling, max_new_tokens=length))
        self.requests.append(request)
        self.policy.submit(request)

    def collect(self, timeout_s: float | None = None) -> list[Any]:
        found = self.policy.collect(timeout_s)
        return [replace(each, text=self.texts[each.request_id], finish_reason="stop") for each in found]


def annotated(data: str | None, count: int) -> list[Any]:
    """Tasks with gold plans: of MAWPS, or of the built-in suite of SVAMP."""
    from lumos_rl.core import Task
    from lumos_rl.data import load_tasks
    from lumos_rl.data.annotate import annotate

    tasks = load_tasks("mawps", data, "train") if data else load_tasks("svamp", "synthetic", "test", count)
    return [task for task in map(annotate, tasks) if isinstance(task, Task)][:count]


def plans_of(tasks: Sequence[Any], new_tokens: int) -> list[Any]:
    from lumos_rl.rollout.plans import RolloutConfig, plan_episodes

    return plan_episodes(tasks, RolloutConfig(max_new_tokens=new_tokens))


def play(policy: Any, tasks: Sequence[Any], concurrency: int) -> list[Any]:
    """The requests of whole episodes."""
    from lumos_rl.core import Formulation
    from lumos_rl.data.conversations import conversations
    from lumos_rl.prompts import get_profile
    from lumos_rl.rollout.loop import run_episodes
    from lumos_rl.runs.environments import make_env

    plans, profile, gold = plans_of(tasks, 64), get_profile(PROFILE), {}
    for plan in plans:
        for module, messages in conversations(plan.task, Formulation.ITERATIVE, profile).items():
            turns = [message["content"] for message in messages if message["role"] == "assistant"]
            gold[plan.id, module.value] = turns
    loop = GoldLength(policy, gold)
    for trajectory in run_episodes(functools.partial(make_env), plans, loop, profile, concurrency):
        if trajectory.failure:
            raise SystemExit(f"{trajectory.id} failed: {trajectory.failure}")
    return loop.requests


def first_requests(policy: Any, tasks: Sequence[Any], new_tokens: int) -> list[Any]:
    """The first request of every episode."""
    from lumos_rl.policies.base import Sampling

    class Note:
        def __init__(self) -> None:
            self.version, self.tokenizer_hash, self.asked = policy.version, policy.tokenizer_hash, []

        def submit(self, request: Any) -> None:
            self.asked.append(request)

    from lumos_rl.prompts import get_profile
    from lumos_rl.rollout.loop import EpisodePool
    from lumos_rl.runs.environments import make_env

    note = Note()
    pool = EpisodePool(functools.partial(make_env), note, get_profile(PROFILE))  # type: ignore[arg-type]
    for plan in plans_of(tasks, new_tokens):
        pool.start(plan)
    pool.close()
    return [replace(each, sampling=Sampling(max_new_tokens=new_tokens)) for each in note.asked]


def answer(policy: Any, requests: Sequence[Any]) -> None:
    """Has a policy answer requests, all at once."""
    for at, request in enumerate(requests):
        policy.submit(replace(request, id=f"{request.id}/{at}"))
    while policy.collect():
        pass


def timed(work: Callable[[], Any], requests: Sequence[Any] | None, tokenizer: Any) -> tuple[Written, Any]:
    """Times some work on requests, or work that returns them."""
    from lumos_rl.policies.encoding import encode_prompt

    began, cpu = time.monotonic(), time.process_time()
    found = work()
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    asked = requests if requests is not None else found
    read = sum(len(encode_prompt(tokenizer, each.messages, each.context)) for each in asked)
    return Written(len(asked), read, sum(each.sampling.max_new_tokens for each in asked), wall, cpu), found


def load(options: argparse.Namespace) -> Any:
    """The product's policy; it ends no turn by itself."""
    if options.engine == "hf":
        from lumos_rl.policies.hf import HFPolicy

        policy: Any = HFPolicy.load(options.model, "bench", options.batch, "cpu", options.dtype)
    else:
        from lumos_rl.policies.vllm import VLLMPolicy

        policy = VLLMPolicy.load(options.model, "bench", options.batch, dtype=options.dtype)
    policy._ends = ()
    return policy


def product(options: argparse.Namespace) -> dict[str, Any]:
    """The product's side: policy and episode loop."""
    policy, tasks = load(options), annotated(options.data, options.episodes)
    play(policy, tasks[:2], 2)  # what an engine does only once
    prompts = first_requests(policy, tasks[2:], options.tokens)
    one, _ = timed(lambda: answer(policy, prompts), prompts, policy.tokenizer)
    if options.engine == "hf":  # what was kept of these prompts would help the episodes
        policy.close()
        policy = load(options)
    many, _ = timed(lambda: play(policy, tasks[2:], options.batch), None, policy.tokenizer)
    return {"prompts": asdict_of(one), "episodes": asdict_of(many)}


def plain(options: argparse.Namespace) -> dict[str, Any]:
    """The library's side, on the requests that the product makes."""
    policy, tasks = load(options), annotated(options.data, options.episodes)
    play(policy, tasks[:2], 2)
    prompts = first_requests(policy, tasks[2:], options.tokens)
    generate = transformers_generate(options) if options.engine == "hf" else vllm_generate(policy)
    one, _ = timed(lambda: generate(prompts), prompts, policy.tokenizer)
    requests = play(policy, tasks[2:], options.batch)
    if options.engine == "vllm":
        policy._engines[next(iter(policy._engines))]._engine.reset_prefix_cache()
    many, _ = timed(lambda: generate(requests), requests, policy.tokenizer)
    return {"prompts": asdict_of(one), "episodes": asdict_of(many)}


def transformers_generate(options: argparse.Namespace) -> Callable[[Sequence[Any]], None]:
    """Transformers' `generate` on batches of about the same length, a wave of turns after another."""
    import torch

    from lumos_rl.policies.checkpoints import DTYPES, load_model, load_tokenizer
    from lumos_rl.policies.encoding import encode_prompt

    model, tokenizer = load_model(options.model, DTYPES[options.dtype]).eval(), load_tokenizer(options.model)
    model.generation_config.eos_token_id = None

    def batch(requests: Sequence[Any]) -> None:
        ids = [encode_prompt(tokenizer, each.messages, each.context) for each in requests]
        longest, pad = max(map(len, ids)), tokenizer.pad_token_id
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in ids]
        model.generate(
            torch.tensor([[pad] * (longest - len(row)) + row for row in ids]),
            attention_mask=None if min(map(len, ids)) == longest else torch.tensor(mask),
            max_new_tokens=max(each.sampling.max_new_tokens for each in requests),
            do_sample=False,
            pad_token_id=pad,
        )

    def waves(requests: Sequence[Any]) -> None:
        turns: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for each in requests:
            turns[each.module.value, len(each.messages)].append(each)
        for _, wave in sorted(turns.items()):
            wave.sort(
                key=lambda each: (each.sampling.max_new_tokens, sum(len(one["content"]) for one in each.messages))
            )
            for at in range(0, len(wave), options.batch):
                batch(wave[at : at + options.batch])

    return waves


def vllm_generate(policy: Any) -> Callable[[Sequence[Any]], None]:
    """Takes vLLM alone, on all requests at once, with the engine's own loop as in `LLM.generate`."""
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt
    from vllm.sampling_params import RequestOutputKind

    from lumos_rl.policies.encoding import encode_prompt

    engine = policy._engines[next(iter(policy._engines))]._engine

    def generate(requests: Sequence[Any]) -> None:
        for at, each in enumerate(requests):
            given = {"temperature": 0.0, "max_tokens": each.sampling.max_new_tokens, "ignore_eos": True}
            sampling = SamplingParams(**given, detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY)
            ids = encode_prompt(policy.tokenizer, each.messages, each.context)
            engine.add_request(f"raw-{at}", TokensPrompt(prompt_token_ids=ids), sampling)
        while engine.has_unfinished_requests():
            engine.step()

    return generate


def asdict_of(one: Written) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Written.__slots__}


def compare(options: argparse.Namespace, run: Callable[[list[str]], Any], heading: Callable[[str], str]) -> None:
    """Runs the sides of each engine, or the one that is asked for, and prints what was measured."""
    if options.side:
        print(json.dumps({"product": product, "plain": plain}[options.side](options)))
        return
    from lumos_rl.policies.bases import located

    given = ["play", "--model", located(options.model), "--episodes", str(options.episodes), "--dtype", options.dtype]
    given += ["--batch", str(options.batch), "--tokens", str(options.tokens)]
    given += ["--data", options.data] if options.data else []
    print(heading(f"{options.model} in {options.dtype}, {options.episodes - 2} episodes, batch {options.batch}"))
    print("engine work     side      turns    read written       s   CPU s  written/s")
    for engine in ENGINES if options.engine == "both" else [options.engine]:
        found = {side: run([*given, "--engine", engine, "--side", side]) for side in ("product", "plain")}
        for work in ("prompts", "episodes"):
            both = {side: Written(**found[side][work]) for side in found}
            for side, one in both.items():
                print(
                    f"{engine:6} {work:8} {side:8} {one.turns:6} {one.read:7} {one.tokens:7} {one.seconds:7.1f}"
                    f" {one.cpu_seconds:7.1f} {one.tokens / one.seconds:10.1f}"
                )
            ours, theirs = both["product"], both["plain"]
            wall, cpu = theirs.seconds / ours.seconds, theirs.cpu_seconds / ours.cpu_seconds
            print(f"{engine:6} {work:8} ratio {wall:.2f}, by CPU seconds {cpu:.2f}", flush=True)


def add_play(parsers: Any, run: Callable[[list[str]], Any], heading: Callable[[str], str]) -> None:
    """The arguments of `play`."""
    parser = parsers.add_parser("play", help="turns beside the libraries' own generate")
    parser.add_argument("--model", default="smollm2", help="as --model.base (default smollm2)")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--episodes", type=int, default=130, help="the first two are to warm up (default 130)")
    parser.add_argument("--batch", type=int, default=64, help="most turns and episodes at once (default 64)")
    parser.add_argument("--tokens", type=int, default=24, help="of each turn of `prompts` (default 24)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--data", help="folder of MAWPS; without it, the built-in suite of SVAMP")
    parser.add_argument("--side", choices=("product", "plain"), help="only this side, as JSON")
    parser.set_defaults(run=functools.partial(compare, run=run, heading=heading))
