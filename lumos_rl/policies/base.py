"""The interface between the rollout loop and anything that writes text.

A policy is a queue: requests go in with `submit`, completions come out of `collect` in the order they finish. So an
episode submits its next turn as soon as the previous one is finished, and never waits for another episode.

    policy.submit(Request("e7", Module.GROUNDER, ({"role": "user", "content": "…"},), Sampling(), seed=3))
    policy.collect()  # [Completion(request_id="e7", text="R1 = Calculator(3 + 2)", …)]

`ScriptedPolicy` answers from a function instead of a model, e.g. in tests and dry runs.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from lumos_rl.core import Message, Module
from lumos_rl.errors import ConfigError, InfrastructureError
from lumos_rl.records import well_formed


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample tokens.

    Attributes:
        temperature: 0 takes the most likely token (greedy).
        top_p: Probability mass that is sampled from; 1 samples from all.
        max_new_tokens: Token limit of one turn.
        stop: Texts that end a turn, besides the end-of-turn token; they are cut off.
        logprobs: Whether completions include the log-probabilities of their tokens (see `Completion.logprobs`).
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 512  # Yin et al. 2023, released inference code
    stop: tuple[str, ...] = ()
    logprobs: bool = False

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise ConfigError(
                "expected temperature >= 0, 0 < top_p <= 1 and max_new_tokens >= 1, got"
                f" {self.temperature}, {self.top_p} and {self.max_new_tokens}"
            )


@dataclass(frozen=True, slots=True)
class Request:
    """One turn to write.

    Attributes:
        id: Chosen by the caller; the completion has it as `request_id`.
        module: Whose turn it is; selects the adapter or model.
        messages: The conversation, ending with a user message.
        sampling: How to sample tokens.
        seed: Seed of this turn alone; greedy turns ignore it.
        context: Token ids of the conversation up to the end of the module's last turn, as they were read and sampled.
            If (), the whole prompt is encoded from `messages`: at the first turn, and when ids are unknown.
    """

    id: str
    module: Module
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    context: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a request.

    Attributes:
        request_id: The request's id.
        text: What the model wrote, without the end-of-turn token; lone surrogates become U+FFFD.
        finish_reason: "stop", "length" (cut at max_new_tokens), "overflow" (the prompt does not fit the model's
            context; nothing was written) or "failed" (see `failure`).
        prompt_tokens: Tokens of the prompt.
        completion_tokens: Tokens written, the end-of-turn token included.
        latency_s: Seconds from `submit` to completion.
        ids: Sampled token ids, the end-of-turn token included; None if the engine does not report them. A turn that the
            model ended with another of its end tokens has the chat template's own in that place.
        logprobs: Their log-probabilities in the distribution that they were sampled from, at the request's temperature
            and top_p; of a greedy turn, in the model's own. None if not requested or not reported.
        failure: The infrastructure failure; None if there was none.
        prompt_ids: Token ids of the prompt after the request's `context`; None if the engine does not report them.
        adapter: Name of the weights that wrote it, e.g. "planner@sft"; "" if all modules share one set.
    """

    request_id: str
    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    failure: str | None = None
    prompt_ids: tuple[int, ...] | None = None
    adapter: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", well_formed(self.text))
        object.__setattr__(self, "failure", well_formed(self.failure))


@runtime_checkable
class Policy(Protocol):
    """Anything that writes turns.

    Attributes:
        version: Name of the weights in use, stored on every trajectory.
        tokenizer_hash: `encoding.fingerprint` of the tokenizer of the ids it reports; "" if it reports none.
    """

    version: str
    tokenizer_hash: str

    def submit(self, request: Request) -> None:
        """Queues a request; returns at once. If it raises ValueError or TypeError, that one request fails."""

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Waits until at least one request is finished, and returns all finished ones.

        Args:
            timeout_s: Longest wait in seconds. An engine that generates inside this call may exceed it by one step of
                its work. None waits without limit.

        Returns:
            Completions; [] if no request is under way, or none finished in time.
        """

    def close(self) -> None:
        """Frees what the policy holds. Safe to call twice."""


class ScriptedPolicy:
    """A policy that answers each request from a function, without a model.

    Args:
        reply: Maps a request to the text of its turn. If it raises InfrastructureError, ConnectionError or
            TimeoutError, that one request fails; `collect` raises any other error.
        version: Stored on trajectories.
    """

    def __init__(self, reply: Callable[[Request], str], version: str = "scripted") -> None:
        self.reply, self.version, self.tokenizer_hash = reply, version, ""
        self._queue: deque[tuple[Request, float]] = deque()

    def submit(self, request: Request) -> None:
        self._queue.append((request, time.monotonic()))

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        until = math.inf if timeout_s is None else time.monotonic() + timeout_s
        done: list[Completion] = []
        while self._queue and (not done or time.monotonic() < until):
            done.append(self._complete(*self._queue.popleft()))
        return done

    def _complete(self, request: Request, since: float) -> Completion:
        try:
            text = self.reply(request)
        except (InfrastructureError, ConnectionError, TimeoutError) as error:
            failure = f"{type(error).__name__}: {error}"
            return Completion(request.id, "", "failed", latency_s=time.monotonic() - since, failure=failure)
        words = sum(len(message["content"].split()) for message in request.messages)
        return Completion(request.id, text, "stop", words, len(text.split()), time.monotonic() - since)

    def close(self) -> None:
        self._queue.clear()
