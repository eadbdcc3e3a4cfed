"""Text generation with Transformers, on CPU or GPU: one model, or one per module, as a `Policy`.

Requests wait in a queue; `collect` generates a micro-batch of one model, at most `STRETCH` tokens at a time. An
unfinished turn then waits again, so that short turns do not wait for a long one. Every request keeps its own seed,
temperature, limit and stop texts, so a turn does not depend on the rest of its batch. A model's
`generation_config.json` is ignored: turns are sampled from the model's own distribution.

    policy = HFPolicy.load("runs/demo/sft")      # a model folder, an adapter folder, or planner/ and grounder/ folders
    policy.submit(Request("e7", Module.PLANNER, messages))
    policy.collect()

A checkpoint folder holds one model for all modules, or a folder per module (`planner/`, `grounder/`). Each is a full
model, or a LoRA adapter whose config names its base; adapters of one base share it in memory.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from lumos_rl.core import Module
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Completion, Request
from lumos_rl.policies.checkpoints import DTYPES, cut_at_end, end_ids, free_memory, load_models, load_tokenizer
from lumos_rl.policies.encoding import encode_prompt, fingerprint
from lumos_rl.policies.layout import Layout, saved_profile
from lumos_rl.prompts import PromptProfile

STRETCH = 32  # maximum number of new tokens before a turn waits again


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: Request
    prompt: list[int]  # ids of the whole prompt
    budget: int  # maximum number of new tokens: as requested, or as the context allows
    since: float
    generator: torch.Generator  # of the sampling noise
    written: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # of `written`, if requested

    @property
    def ids(self) -> list[int]:
        """All ids that the model reads."""
        return self.prompt + self.written

    @property
    def left(self) -> int:
        """How many tokens it may still write."""
        return self.budget - len(self.written)


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
    ) -> None:
        self.version, self.tokenizer, self.batch_size, self.profile = version, tokenizer, batch_size, profile
        self._ends = tuple(dict.fromkeys((tokenizer.eos_token_id, *ends)))
        self.tokenizer_hash = fingerprint(tokenizer)
        self._models = {name: model.eval() for name, model in models.items()}
        for model in self._models.values():
            model.generation_config = GenerationConfig()
        self._adapters = adapters or {}
        self._queues: dict[str | None, deque[_Waiting]] = {}
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
        budget = min(request.sampling.max_new_tokens, self._context(key) - len(ids))
        if budget < 1:
            self._done.append(Completion(request.id, "", "overflow", len(ids)))
            return
        generator = torch.Generator(self._models[key].device).manual_seed(request.seed)
        self._queues.setdefault(key, deque()).append(_Waiting(request, ids, budget, time.monotonic(), generator))

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Generates micro-batches from the longest queue until a turn is finished; ignores the timeout."""
        done, self._done = self._done, []
        while not done:
            key, queue = max(self._queues.items(), key=lambda item: len(item[1]), default=(None, deque[_Waiting]()))
            if not queue:
                break
            done += self._generate(key, self._take(key, queue))
        return done

    def close(self) -> None:
        """Drops the models and all open requests."""
        self._queues.clear()
        self._models.clear()
        free_memory()

    def _served_by(self, module: Module) -> str | None:
        """Key of a module's queue: the turns of one model or adapter can share a batch."""
        for key in (module.value, None):
            if key in self._models:
                return key
        raise ConfigError(f"expected a model for {module.value!r}, got models for {sorted(map(str, self._models))}")

    def _context(self, key: str | None) -> int:
        return int(getattr(self._models[key].config, "max_position_embeddings", None) or 1 << 30)

    def _take(self, key: str | None, queue: deque[_Waiting]) -> list[_Waiting]:
        """A batch: the oldest request and those closest to it in length, to keep padding small.

        A finished row is padded while others continue. Without rotary positions, a model has a table of positions that
        padding must not exceed; requests that would cause this stay in the queue.
        """
        rotary = bool(getattr(self._models[key].config, "rope_parameters", None))
        oldest = len(queue[0].ids)
        longest = most = 0
        batch: list[_Waiting] = []
        for waiting in sorted(queue, key=lambda waiting: abs(len(waiting.ids) - oldest)):  # stable: the oldest is first
            wide, steps = max(longest, len(waiting.ids)), max(most, waiting.left)
            if len(batch) < self.batch_size and (rotary or wide + steps <= self._context(key)):
                longest, most = wide, steps
                batch.append(waiting)
        taken = set(map(id, batch))
        rest = [waiting for waiting in queue if id(waiting) not in taken]
        queue.clear()
        queue.extend(rest)
        return batch

    def _generate(self, key: str | None, batch: Sequence[_Waiting]) -> list[Completion]:
        model = self._models[key]
        if key in self._adapters:
            model.set_adapter(self._adapters[key])
        prompts = [waiting.ids for waiting in batch]
        longest, pad = max(map(len, prompts)), self.tokenizer.pad_token_id
        sampling = _SeededSampling(batch)
        rows = [[pad] * (longest - len(ids)) + ids for ids in prompts]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
        out = model.generate(  # under torch.no_grad by itself
            input_ids=torch.tensor(rows, device=model.device),  # (B, T)
            attention_mask=torch.tensor(mask, device=model.device),  # (B, T)
            max_new_tokens=min(STRETCH, max(waiting.left for waiting in batch)),
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=list(self._ends),
            logits_processor=LogitsProcessorList([sampling]),
            stopping_criteria=StoppingCriteriaList([_OwnEnd(batch, longest, self.tokenizer)]),
        )
        new = out[:, longest:].tolist()  # (B, steps)
        logprobs = sampling.logprobs(out[:, longest:]) if sampling.distributions else [[] for _ in batch]
        adapter = "" if key is None else f"{key}@{self.version}"
        done = []
        for waiting, ids, logs in zip(batch, new, logprobs, strict=True):
            waiting.logprobs.extend(logs[: waiting.left])
            waiting.written.extend(ids[: waiting.left])
            completion = self._completion(waiting, adapter)
            if completion is None:
                self._queues[key].append(waiting)
            else:
                done.append(completion)
        return done

    def _completion(self, waiting: _Waiting, adapter: str) -> Completion | None:
        """The turn's completion if it is finished, else None."""
        ids, ended = cut_at_end(waiting.written, self._ends)
        text = self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        stops = [stop for stop in waiting.request.sampling.stop if stop in text]
        if not ended and not stops and waiting.left:
            return None
        if stops:
            ids = _until(ids, stops, self.tokenizer)
            text, ended = text[: min(map(text.index, stops))], True
        return Completion(
            request_id=waiting.request.id,
            text=text,
            finish_reason="stop" if ended else "length",
            prompt_tokens=len(waiting.prompt),
            completion_tokens=len(ids),
            latency_s=time.monotonic() - waiting.since,
            ids=tuple(ids),
            logprobs=tuple(waiting.logprobs[: len(ids)]) if waiting.request.sampling.logprobs else None,
            prompt_ids=tuple(waiting.prompt[len(waiting.request.context) :]),
            adapter=adapter,
        )


def _until(ids: list[int], stops: Sequence[str], tokenizer: Any) -> list[int]:
    """The ids up to the one that completes a stop text; the rest is padding or text after the stop."""
    for end in range(1, len(ids)):
        if any(stop in tokenizer.decode(ids[:end]) for stop in stops):
            return ids[:end]
    return ids


class _OwnEnd(StoppingCriteria):  # type: ignore[misc]  # Transformers ships no types
    """Ends each row at its own limit and its own stop texts."""

    def __init__(self, batch: Sequence[_Waiting], prompt_length: int, tokenizer: Any) -> None:
        self.prompt_length, self.tokenizer = prompt_length, tokenizer
        self.left = torch.tensor([waiting.left for waiting in batch])
        self.stops = {row: waiting for row, waiting in enumerate(batch) if waiting.request.sampling.stop}

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        done = self.left <= input_ids.shape[1] - self.prompt_length  # (B,)
        for row, waiting in self.stops.items():
            text = self.tokenizer.decode(waiting.written + input_ids[row, self.prompt_length :].tolist())
            done[row] |= any(stop in text for stop in waiting.request.sampling.stop)
        return done.to(input_ids.device)


class _SeededSampling(LogitsProcessor):  # type: ignore[misc]  # Transformers ships no types
    """Turns greedy search into sampling, with each row's own seed.

    The largest entry of `logits / temperature + Gumbel noise` is an exact sample of the softmax (Gumbel-max trick). So
    greedy rows (temperature 0) and sampled rows share a batch, and a row's noise does not depend on other rows.
    """

    def __init__(self, batch: Sequence[_Waiting]) -> None:
        self.rows = [index for index, waiting in enumerate(batch) if waiting.request.sampling.temperature > 0]
        self.samplings = [batch[index].request.sampling for index in self.rows]
        self.generators = [batch[index].generator for index in self.rows]
        self.wanted = any(waiting.request.sampling.logprobs for waiting in batch)
        self.distributions: list[torch.Tensor] = []  # log-probabilities of each step, (B, V)

    def logprobs(self, ids: torch.Tensor) -> list[list[float]]:
        """Log-probabilities of the sampled ids (B, steps)."""
        steps = zip(self.distributions, ids.unbind(1), strict=True)
        picked = [logs.gather(1, column[:, None])[:, 0] for logs, column in steps]
        return torch.stack(picked, 1).tolist()  # type: ignore[no-any-return]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        logs = scores.float().log_softmax(-1) if self.wanted else None
        if logs is not None:
            self.distributions.append(logs)
        if not self.rows:
            return scores
        picked = self._shaped(scores)
        if logs is not None:
            logs[self.rows] = picked.log_softmax(-1)
        noise = torch.stack(
            [torch.empty_like(picked[0]).exponential_(generator=generator) for generator in self.generators]
        )
        sampled = scores.clone()
        sampled[self.rows] = (picked - noise.log()).to(scores.dtype)
        return sampled

    def _shaped(self, scores: torch.FloatTensor) -> torch.Tensor:
        """Logits of the sampled rows (rows, V), at their temperature and top_p."""
        picked = scores[self.rows].float()
        picked /= torch.tensor([[each.temperature] for each in self.samplings], device=scores.device)  # (rows, 1)
        for row, sampling in enumerate(self.samplings):
            if sampling.top_p < 1:
                picked[row] = _nucleus(picked[row], sampling.top_p)
        return picked


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Logits (V,) with -inf outside the smallest set of tokens whose probability reaches `top_p`."""
    ordered, order = logits.softmax(-1).sort(descending=True)
    outside = order[ordered.cumsum(-1) - ordered >= top_p]
    return logits.index_fill(0, outside, float("-inf"))
