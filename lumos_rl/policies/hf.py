"""Text generation with Transformers, on CPU or GPU: one model, or one per module, as a `Policy`.

Requests wait in a queue and join the batch of their model as others leave it. Every request keeps its own seed,
temperature, limit and stop texts, so a turn does not depend on the rest of its batch. Keys and values of finished turns
and their prompts are kept for the next turn of their episode, and for other prompts that begin alike
(`lumos_rl.policies.hf_cache`). A model's `generation_config.json` is ignored: turns are sampled from the model's own
distribution.

    policy = HFPolicy.load("runs/demo/sft")      # a model folder, an adapter folder, or planner/ and grounder/ folders
    policy.submit(Request("e7", Module.PLANNER, messages))
    policy.collect()

A checkpoint folder holds one model for all modules, or a folder per module (`planner/`, `grounder/`). Each is a full
model, or a LoRA adapter whose config names its base; adapters of one base share it in memory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Completion, Request
from lumos_rl.policies.checkpoints import DTYPES, cut_at_end, end_ids, free_memory, load_models, load_tokenizer
from lumos_rl.policies.encoding import encode_prompt, fingerprint
from lumos_rl.policies.hf_cache import SHARE, free_bytes
from lumos_rl.policies.hf_sampling import Row
from lumos_rl.policies.hf_writers import Writer, context_of, writer_of
from lumos_rl.policies.layout import Layout, saved_profile
from lumos_rl.prompts import PromptProfile


class HFPolicy:
    """Generation with Transformers.

    Args:
        models: Model per module; a single entry under None serves all.
        tokenizer: Their tokenizer, with a chat template.
        version: Stored on trajectories.
        batch_size: Maximum number of requests generated together.
        adapters: Adapter name per module, for models with several adapters.
        ends: Ids that end a turn beside the tokenizer's `eos_token_id`.
        profile: Prompt profile that the checkpoint was trained with; None if it names none.
        memory: Most bytes of keys and values that are kept of finished turns and their prompts, of all models together;
            None takes an eighth of the memory that is free now. The least recently used are dropped.
    """

    def __init__(
        self,
        models: dict[str | None, Any],
        tokenizer: Any,
        version: str,
        batch_size: int = 64,
        adapters: dict[str | None, str] | None = None,
        ends: Sequence[int] = (),
        profile: PromptProfile | None = None,
        memory: int | None = None,
    ) -> None:
        self.version, self.tokenizer, self.batch_size, self.profile = version, tokenizer, batch_size, profile
        self._ends = tuple(dict.fromkeys((tokenizer.eos_token_id, *ends)))
        self.tokenizer_hash = fingerprint(tokenizer)
        self._models = {name: model.eval() for name, model in models.items()}
        for model in self._models.values():
            model.generation_config = GenerationConfig()
        self._adapters = adapters or {}
        self._memory = memory
        self._writers: dict[str | None, Writer] = {}
        self._done: list[Completion] = []

    @classmethod
    def load(
        cls,
        path: str | Path,
        version: str = "",
        batch_size: int = 64,
        device: str = "auto",
        dtype: str = "float32",
        chat_template: Sequence[str] = (),
    ) -> HFPolicy:
        """Loads a checkpoint folder, or a model by its hub name.

        Args:
            path: Model or adapter folder, or a folder with `planner/` and `grounder/`, or a hub name.
            version: Stored on trajectories; "" takes the folder's name.
            batch_size: Maximum number of requests generated together.
            device: "cpu", "cuda", or "auto" (a GPU if there is one).
            dtype: "float32", "bfloat16" or "float16".
            chat_template: As the setting `model.chat_template`; () keeps the checkpoint's own.

        Raises:
            MissingFileError: No such folder, and no such model on the hub.
            ConfigError: Unknown dtype, or a chat template that cannot be used.
        """
        if dtype not in DTYPES:
            raise ConfigError(f"expected a dtype of {sorted(DTYPES)}, got {dtype!r}")
        where = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu" if device == "auto" else device
        layout = Layout.of(path)
        models, adapters = load_models(layout, DTYPES[dtype], where)
        tokenizer = load_tokenizer(layout.first, chat_template)
        name, ends, profile = version or Path(path).name, end_ids(layout, tokenizer), saved_profile(path)
        return cls(models, tokenizer, name, batch_size, adapters, ends, profile)

    def submit(self, request: Request) -> None:
        """Queues a request; if its prompt does not fit the model's context, the completion says "overflow"."""
        key = self._served_by(request.module)
        ids = encode_prompt(self.tokenizer, request.messages, request.context)
        budget = min(request.sampling.max_new_tokens, context_of(self._models[key]) - len(ids))
        if budget < 1:
            self._done.append(Completion(request.id, "", "overflow", len(ids)))
            return
        generator = torch.Generator(self._models[key].device).manual_seed(request.seed)
        self._writer(key).waiting.append(Row(request, ids, budget, time.monotonic(), generator))

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Writes with the model that has the most open turns until one is finished; ignores the timeout."""
        done, self._done = self._done, []
        while not done and (busy := [key for key, writer in self._writers.items() if writer.open]):
            key = max(busy, key=lambda key: self._writers[key].open)
            self._use_adapter(key)
            adapter = "" if key is None else f"{key}@{self.version}"
            done += [self._completion(row, adapter) for row in self._writers[key].write()]
        return done

    def close(self) -> None:
        """Drops the models and all open requests."""
        self._writers.clear()
        self._models.clear()
        free_memory()

    def _served_by(self, module: Module) -> str | None:
        """Key of a module's queue: the turns of one model or adapter can share a batch."""
        for key in (module.value, None):
            if key in self._models:
                return key
        raise ConfigError(f"expected a model for {module.value!r}, got models for {sorted(map(str, self._models))}")

    def _writer(self, key: str | None) -> Writer:
        if key not in self._writers:
            self._use_adapter(key)
            model = self._models[key]
            memory = int(free_bytes(model.device) * SHARE) if self._memory is None else self._memory
            share = memory // len(self._models)
            self._writers[key] = writer_of(model, self.tokenizer, self._ends, self.batch_size, share)
        return self._writers[key]

    def _use_adapter(self, key: str | None) -> None:
        if key in self._adapters and self._models[key].active_adapter != self._adapters[key]:
            self._models[key].set_adapter(self._adapters[key])

    def _completion(self, row: Row, adapter: str) -> Completion:
        """The completion of a finished turn."""
        ids, ended = cut_at_end(row.written, self._ends)
        text = self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        stops = [stop for stop in row.request.sampling.stop if stop in text]
        if stops:
            ids = _until(ids, stops, self.tokenizer)
            text, ended = text[: min(map(text.index, stops))], True
        return Completion(
            request_id=row.request.id,
            text=text,
            finish_reason="stop" if ended else "length",
            prompt_tokens=len(row.prompt),
            completion_tokens=len(ids),
            latency_s=time.monotonic() - row.since,
            ids=tuple(ids),
            logprobs=tuple(row.logprobs[: len(ids)]) if row.request.sampling.logprobs else None,
            prompt_ids=tuple(row.prompt[len(row.request.context) :]),
            adapter=adapter,
        )


def _until(ids: list[int], stops: Sequence[str], tokenizer: Any) -> list[int]:
    """The ids up to the one that completes a stop text; the rest is padding or text after the stop."""
    for end in range(1, len(ids)):
        if any(stop in tokenizer.decode(ids[:end]) for stop in stops):
            return ids[:end]
    return ids
