"""Text generation by an endpoint that speaks OpenAI's protocol: `vllm serve`, or a hosted model.

    settings = OpenAISettings("http://localhost:8000/v1", models=("planner=lumos-plan", "grounder=lumos-ground"))
    policy = OpenAIPolicy(settings, "v1")

A request refused for the moment (429, 5xx), timed out or broken is repeated with growing waits, or after as long as the
server asks for (Retry-After). What fails for good becomes a completion that says so, and its episode is kept out of
every score; what the user has to mend (a wrong key, an unknown model) is raised. Given a tokenizer, prompts go out as
token ids and the sampled ids come back, as with an engine of our own; without one, both are text.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lumos_rl.errors import ConfigError, InfrastructureError
from lumos_rl.policies.base import Completion, Request
from lumos_rl.policies.encoding import encode_prompt, fingerprint
from lumos_rl.policies.settings import OpenAISettings

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # statuses worth another try


class _Passing(Exception):  # noqa: N818 (no error of ours: it is tried again)
    """A failure that may pass.

    Attributes:
        wait_s: How long the server asks to wait; None where it does not.
    """

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(what)


class _Overflow(Exception):  # noqa: N818
    """The prompt does not fit the model's context."""


class OpenAIPolicy:
    """Generation by an endpoint.

    Args:
        settings: Where it is, and how to treat it.
        version: Stored on trajectories; "" takes the models' names.

    Raises:
        ConfigError: The key is missing, or no model is named and the endpoint has not just one.
        InfrastructureError: The endpoint does not answer.
    """

    def __init__(self, settings: OpenAISettings, version: str = "") -> None:
        self.settings = settings
        self._key = os.environ.get(settings.api_key_env, "")
        self._models = self._named(settings.models or (self._only_model(),))
        self.version = version or "+".join(dict.fromkeys(self._models.values()))
        self._tokenizer: Any = None
        self.tokenizer_hash = ""
        if settings.tokenizer:
            from lumos_rl.policies.checkpoints import load_tokenizer

            self._tokenizer = load_tokenizer(settings.tokenizer)
            told = [model["max_model_len"] for model in self._served() if model.get("max_model_len")]  # of bases only
            self._context = min(told, default=1 << 30)
            self.tokenizer_hash = fingerprint(self._tokenizer)
        self._threads = ThreadPoolExecutor(settings.concurrency, "openai")
        self._done: queue.SimpleQueue[Future[Completion]] = queue.SimpleQueue()
        self._under_way = 0
        self._closed = threading.Event()

    def submit(self, request: Request) -> None:
        self._under_way += 1
        self._threads.submit(self._complete, request, time.monotonic()).add_done_callback(self._done.put)

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Waits for an answer, and takes the others that have come with it.

        Raises:
            ConfigError: The endpoint refuses a request for a reason that no repetition mends.
        """
        done: list[Completion] = []
        while self._under_way:
            try:
                done.append(self._done.get(block=not done, timeout=timeout_s).result())
            except queue.Empty:
                break
            self._under_way -= 1
        return done

    def close(self) -> None:
        """Drops what waits; requests under way end by themselves."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._under_way = 0

    def _complete(self, request: Request, since: float) -> Completion:
        prompt = None
        if self._tokenizer is not None:
            prompt = encode_prompt(self._tokenizer, request.messages, request.context)
            if len(prompt) >= self._context:
                return Completion(request.id, "", "overflow", len(prompt))
        path, body = self._body(request, prompt)
        try:
            answer = self._fitting(path, body, prompt is None)
        except _Overflow:
            return Completion(request.id, "", "overflow")
        except InfrastructureError as error:
            return Completion(request.id, "", "failed", failure=str(error))
        return self._read(request, prompt, answer, time.monotonic() - since)

    def _body(self, request: Request, prompt: list[int] | None) -> tuple[str, dict[str, Any]]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if prompt is not None:
            extra = {"logprobs": 0} if sampling.logprobs else {}
            return "completions", {
                **body,
                "max_tokens": min(sampling.max_new_tokens, self._context - len(prompt)),
                "prompt": prompt,
                "return_token_ids": True,
                "skip_special_tokens": False,
                **extra,
            }
        return "chat/completions", {**body, "messages": list(request.messages), "logprobs": sampling.logprobs}

    def _read(self, request: Request, prompt: list[int] | None, answer: Any, latency_s: float) -> Completion:
        """The completion in an answer. An answer of another form is a failure of the endpoint."""
        try:
            choice, usage = answer["choices"][0], answer.get("usage") or {}
            text = choice["text"] if prompt is not None else choice["message"]["content"] or ""
            ids = choice.get("token_ids")
            finish = choice.get("finish_reason")
            counts = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            failure = f"expected an answer with choices from {self.settings.url}, got {str(answer)[:200]}: {error!r}"
            return Completion(request.id, "", "failed", failure=failure)
        if prompt is not None and ids is None:
            failure = (
                f"expected token_ids from {self.settings.url}, got none; only vLLM's server tells them: leave the"
                " tokenizer out for others"
            )
            return Completion(request.id, "", "failed", failure=failure)
        return Completion(
            request_id=request.id,
            text=self._text(text, ids, request) if prompt is not None else text,
            finish_reason="length" if finish == "length" else "stop",
            prompt_tokens=counts[0],
            completion_tokens=counts[1],
            latency_s=latency_s,
            ids=None if prompt is None else tuple(ids),
            logprobs=_logprobs(choice) if request.sampling.logprobs else None,
            prompt_ids=None if prompt is None else tuple(prompt[len(request.context) :]),
            adapter=self._model(request),
        )

    def _text(self, text: str, ids: list[int], request: Request) -> str:
        """What was written, without the end-of-turn token."""
        if request.sampling.stop:
            return text
        ended = bool(ids) and ids[-1] == self._tokenizer.eos_token_id
        return str(self._tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False))

    def _fitting(self, path: str, body: dict[str, Any], again: bool) -> Any:
        """An answer; where the prompt fits, but not with all the tokens it may write, one without that limit."""
        try:
            return self._patiently(path, body)
        except _Overflow:
            if not again:
                raise
            return self._patiently(path, {name: value for name, value in body.items() if name != "max_tokens"})

    def _patiently(self, path: str, body: Mapping[str, Any] | None) -> Any:
        """An answer, after as many tries as it takes and may take.

        Raises:
            InfrastructureError: No try succeeded.
        """
        wait_s = FIRST_WAIT_S
        for tried in range(self.settings.retries + 1):
            try:
                return self._once(path, body)
            except _Passing as error:
                if tried == self.settings.retries:
                    raise InfrastructureError(
                        f"expected {self.settings.url} to answer, got {error} in {tried + 1} tries"
                    ) from error
                longest = wait_s * random.uniform(0.5, 1.5)  # so that requests refused together do not return together
                if self._closed.wait(min(LONGEST_WAIT_S, longest if error.wait_s is None else error.wait_s)):
                    raise InfrastructureError("the policy was closed") from error
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
        raise AssertionError("the last try returns or raises")

    def _once(self, path: str, body: Mapping[str, Any] | None) -> Any:
        url = f"{self.settings.url.rstrip('/')}/{path}"
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self._key}"} if self._key else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data, headers), timeout=self.settings.timeout_s
            ) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise _refusal(error, url) from error
        except TimeoutError as error:
            raise _Passing(f"no answer within {self.settings.timeout_s:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Passing(f"{getattr(error, 'reason', None) or error!r}") from error
        except ValueError as error:
            raise _Passing(f"broken JSON ({error})") from error

    def _model(self, request: Request) -> str:
        for key in (request.module.value, ""):
            if key in self._models:
                return self._models[key]
        raise ConfigError(f"expected a model for {request.module.value!r}, got models for {sorted(self._models)}")

    def _only_model(self) -> str:
        names = [str(model["id"]) for model in self._served()]
        if len(names) != 1:
            raise ConfigError(f"expected one model at {self.settings.url}, got {names}; name the one to use")
        return names[0]

    def _served(self) -> list[Any]:
        """The models that the endpoint lists."""
        answer = self._patiently("models", None)
        try:
            return list(answer["data"])
        except (KeyError, TypeError) as error:
            raise InfrastructureError(f"expected a list of models from {self.settings.url}, got {answer}") from error

    @staticmethod
    def _named(models: tuple[str, ...]) -> dict[str, str]:
        """Model by module, or one for all under ""."""
        found = {}
        for model in models:
            module, named, name = model.partition("=")
            found[module if named else ""] = name if named else model
        return found


def _refusal(error: urllib.error.HTTPError, url: str) -> Exception:
    """What an HTTP error amounts to: worth another try, an overflow, or for the user to mend."""
    said = " ".join(error.read(2000).decode(errors="replace").split())[:300]
    if error.code in PASSING:
        asked = error.headers.get("Retry-After", "")
        return _Passing(f"HTTP {error.code} ({said})", float(asked) if asked.replace(".", "", 1).isdigit() else None)
    if error.code in (400, 413) and "context" in said and ("length" in said or "window" in said):
        return _Overflow(said)
    return ConfigError(
        f"expected {url} to take the request, got HTTP {error.code}: {said}; check address, key and model name"
    )


def _logprobs(choice: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Log-probabilities in either form of the protocol; None where there are none."""
    told = choice.get("logprobs") or {}
    values = told.get("token_logprobs") or [each["logprob"] for each in told.get("content") or []]
    return tuple(map(float, values)) or None
