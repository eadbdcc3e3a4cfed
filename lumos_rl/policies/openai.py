"""Text generation by an endpoint with OpenAI's protocol: `vllm serve`, or a hosted model.

    settings = OpenAISettings("http://localhost:8000/v1", models=("planner=lumos-plan", "grounder=lumos-ground"))
    policy = OpenAIPolicy(settings, "v1")

The `openai` client sends the requests from an event loop in a second thread, so turns share its connections. It retries
temporary refusals (429, 5xx), timeouts and broken connections, with growing pauses or after the server's Retry-After. A
request that still fails, or that the endpoint refuses as it is (400, 422), gives a completion with `failure`, and its
episode is kept out of every score. A mistake of the user (a wrong key, an unknown model) is raised. With a tokenizer,
prompts and completions are token ids, as with a local engine; without one, both are text.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from lumos_rl.errors import ConfigError, InfrastructureError, MissingExtraError
from lumos_rl.policies.base import Completion, Request, Sampling
from lumos_rl.policies.encoding import encode_prompt, fingerprint
from lumos_rl.policies.layout import Layout
from lumos_rl.policies.settings import OpenAISettings

try:
    import anyio
    import httpx2
    import openai
    from anyio.from_thread import start_blocking_portal
except ImportError as error:
    raise MissingExtraError("openai", "openai") from error

log = logging.getLogger(__name__)

API_KEY = "OPENAI_API_KEY"  # a local server needs none
TIMEOUT_S = 120.0  # longest wait for an answer
RETRIES = 5  # of a request that was temporarily refused, timed out or lost its connection
PASSING = (408, 409, 425, 429)  # temporary statuses below 500
USERS = (401, 402, 403, 404, 405, 407)  # of every request alike: key, payment, address, model name


class _Overflow(Exception):  # noqa: N818 (not an error: it ends an episode)
    """The prompt does not fit the model's context."""


class OpenAIPolicy:
    """Generation by an endpoint.

    Args:
        settings: Its address, models and limits.
        version: Stored on trajectories; "" takes the models' names.
        chat_template: As the setting `model.chat_template`; only with a tokenizer.

    Raises:
        ConfigError: The address or key is wrong, no model is named and the endpoint does not have exactly one, or there
            is a chat template but no tokenizer.
        InfrastructureError: The endpoint does not answer.
    """

    def __init__(self, settings: OpenAISettings, version: str = "", chat_template: Sequence[str] = ()) -> None:
        if chat_template and not settings.tokenizer:
            raise ConfigError(
                "expected --model.openai.tokenizer with --model.chat-template, got none: an endpoint that gets text has"
                " its own template; give the tokenizer, or start the server with another template"
            )
        self.settings = settings
        self._tokenizer: Any = None
        self.tokenizer_hash = ""
        self._done: queue.SimpleQueue[Future[Completion]] = queue.SimpleQueue()
        self._under_way: set[Future[Completion]] = set()
        self._room = anyio.Semaphore(settings.concurrency)
        self._asking = anyio.Lock()
        self._shaped: bool | None = None  # whether log-probabilities are told after temperature and top_p
        key = os.environ.get(API_KEY, "").strip()
        self._headers = {} if key else {"Authorization": openai.omit}
        with contextlib.ExitStack() as opened:
            self._portal = opened.enter_context(start_blocking_portal(name="openai"))
            self._client = _client(settings, key)
            opened.callback(self._portal.call, self._client.close)
            self._models = self._named(settings.models or (self._only_model(),))
            self.version = version or "+".join(dict.fromkeys(self._models.values()))
            if settings.tokenizer:
                self._load_tokenizer(settings.tokenizer, chat_template)
            self._open = opened.pop_all()

    def submit(self, request: Request) -> None:
        future = self._portal.start_task_soon(self._complete, request, time.monotonic())
        self._under_way.add(future)
        future.add_done_callback(self._done.put)

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Waits for an answer, and returns it with all others that have arrived.

        Raises:
            ConfigError: The endpoint refuses every request: a wrong key, address or model name.
        """
        done: list[Completion] = []
        while self._under_way:
            try:
                future = self._done.get(block=not done, timeout=timeout_s)
            except queue.Empty:
                break
            self._under_way.discard(future)
            done.append(future.result())
        return done

    def close(self) -> None:
        """Cancels open requests and closes the connections."""
        for future in self._under_way:
            future.cancel()
        self._under_way.clear()
        self._open.close()

    async def _complete(self, request: Request, since: float) -> Completion:
        async with self._room:
            prompt = None
            if self._tokenizer is not None:
                prompt = encode_prompt(self._tokenizer, request.messages, request.context)
                if len(prompt) >= self._context:
                    return Completion(request.id, "", "overflow", len(prompt))
            try:
                if _is_shaped(request.sampling):
                    await self._ask_what_logprobs_are(request, prompt)
                answer = await self._answer(request, prompt)
            except _Overflow:
                return Completion(request.id, "", "overflow")
            except (InfrastructureError, UnicodeEncodeError) as error:
                return Completion(request.id, "", "failed", failure=str(error))
            return self._read(request, prompt, answer, time.monotonic() - since)

    async def _answer(self, request: Request, prompt: list[int] | None) -> Any:
        """Sends a request. If a text prompt fits the context only without `max_tokens`, it is sent again without."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self._model(request),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p if sampling.temperature else 1.0,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if prompt is not None:
            body |= {
                "max_tokens": min(sampling.max_new_tokens, self._context - len(prompt)),
                "prompt": prompt,
                "extra_body": {
                    "return_token_ids": True,
                    "skip_special_tokens": False,
                    "stop_token_ids": list(self._ends),
                },
                **({"logprobs": 0} if sampling.logprobs else {}),
            }
            return await self._ask(self._client.completions.create, **body)
        body |= {"messages": list(request.messages), "logprobs": sampling.logprobs}
        try:
            return await self._ask(self._client.chat.completions.create, **body)
        except _Overflow:
            del body["max_tokens"]
            return await self._ask(self._client.chat.completions.create, **body)

    async def _ask_what_logprobs_are(self, request: Request, prompt: list[int] | None) -> None:
        """Finds out, once, whether log-probabilities are told after temperature and top_p.

        If so, the only token that a tiny top_p leaves has a log-probability of 0.
        """
        async with self._asking:
            if self._shaped is None:
                tiny = replace(request, sampling=Sampling(1.0, top_p=1e-6, max_new_tokens=1, logprobs=True))
                told = self._read(tiny, prompt, await self._answer(tiny, prompt), 0.0).logprobs
                self._shaped = told is not None and abs(told[0]) < 1e-6
                if not self._shaped:
                    log.warning(
                        "%s tells no log-probabilities after temperature and top_p, so sampled turns are kept without"
                        " them; vLLM's server tells them with --logprobs-mode processed_logprobs",
                        self.settings.url,
                    )

    def _read(self, request: Request, prompt: list[int] | None, answer: Any, latency_s: float) -> Completion:
        """The completion of an answer; an answer of another form counts as an infrastructure failure."""
        try:
            choice, usage = answer.choices[0], answer.usage
            text = choice.message.content or "" if prompt is None else choice.text
            if not isinstance(text, str):
                raise TypeError(f"{text!r} as text")
            ids: Any = getattr(choice, "token_ids", None)
            counts = (int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0)) if usage else (0, 0)
            known = request.sampling.logprobs and (self._shaped is not False or not _is_shaped(request.sampling))
            logprobs = _logprobs(choice.logprobs) if known else None
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            failure = f"expected an answer with choices from {self.settings.url}, got {str(answer)[:200]}: {error!r}"
            return Completion(request.id, "", "failed", failure=failure)
        if prompt is not None and ids is None:
            failure = (
                f"expected token_ids from {self.settings.url}, got none; only vLLM's server reports them: leave the"
                " tokenizer out for others"
            )
            return Completion(request.id, "", "failed", failure=failure)
        if prompt is not None:
            text, ids = self._turn(text, ids, request)
            logprobs = logprobs and logprobs[: len(ids)]
        return Completion(
            request_id=request.id,
            text=text,
            finish_reason="length" if choice.finish_reason == "length" else "stop",
            prompt_tokens=counts[0],
            completion_tokens=counts[1],
            latency_s=latency_s,
            ids=None if prompt is None else tuple(ids),
            logprobs=logprobs,
            prompt_ids=None if prompt is None else tuple(prompt[len(request.context) :]),
            adapter=self._model(request),
        )

    def _turn(self, text: str, ids: list[int], request: Request) -> tuple[str, list[int]]:
        """The completion's text, without the end-of-turn token, and its ids."""
        from lumos_rl.policies.checkpoints import cut_at_end

        ids, ended = cut_at_end(ids, self._ends)
        if request.sampling.stop:
            return text, ids
        return str(self._tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)), ids

    async def _ask(self, call: Callable[..., Awaitable[Any]], **body: Any) -> Any:
        """The answer to a call of the client.

        Raises:
            _Overflow: The prompt is too long.
            ConfigError: The endpoint refuses every such request: a wrong key, address or model name.
            InfrastructureError: It refuses this request, or all tries failed.
        """
        try:
            return await call(**body, extra_headers=self._headers)
        except openai.APIError as error:
            raise self._failure(error) from error

    def _failure(self, error: openai.APIError) -> Exception:
        """The error to raise for a failed request."""
        if isinstance(error, openai.APIStatusError):
            status, said = error.status_code, " ".join(error.response.text.split())[:300]
            if status in (400, 413) and "context" in said and ("length" in said or "window" in said):
                return _Overflow(said)
            if status in USERS:
                return ConfigError(
                    f"expected {error.request.url} to take the request, got HTTP {status}: {said}; check address, key"
                    " and model name"
                )
            if status == 400 and re.search(r"system (?:role|message)|role.{0,20}system", said, re.IGNORECASE):
                return ConfigError(
                    f"expected {error.request.url} to take a system message, got HTTP {status}: {said}; choose a"
                    " --model.profile without one, such as lumos"
                )
            if status < 500 and status not in PASSING:
                return InfrastructureError(
                    f"expected {error.request.url} to take the request, got HTTP {status}: {said}"
                )
            got = f"HTTP {status} ({said})"
        elif isinstance(error, openai.APITimeoutError):
            got = f"no answer within {TIMEOUT_S:g} s"
        else:
            got = _cause(error)
        tries = 1 + int(error.request.headers.get("x-stainless-retry-count", RETRIES))
        return InfrastructureError(f"expected {self.settings.url} to answer, got {got} in {tries} tries")

    def _model(self, request: Request) -> str:
        for key in (request.module.value, ""):
            if key in self._models:
                return self._models[key]
        raise ConfigError(f"expected a model for {request.module.value!r}, got models for {sorted(self._models)}")

    def _only_model(self) -> str:
        names = [name for name, _ in self._served()]
        if len(names) != 1:
            raise ConfigError(f"expected one model at {self.settings.url}, got {names}; name the one to use")
        return names[0]

    def _load_tokenizer(self, where: str, chat_template: Sequence[str]) -> None:
        from lumos_rl.policies.checkpoints import end_ids, load_tokenizer

        self._tokenizer = load_tokenizer(where, chat_template)
        try:
            self._ends = end_ids(Layout.of(where), self._tokenizer)
        except ConfigError:  # an adapter whose model is only where the server is, which knows that model's end tokens
            self._ends = (self._tokenizer.eos_token_id,)
        told = [context for _, context in self._served() if context]  # adapters report none
        self._context = min(told, default=1 << 30)
        self.tokenizer_hash = fingerprint(self._tokenizer)

    def _served(self) -> list[tuple[str, int | None]]:
        """The models that the endpoint lists, with their context length if it is reported."""
        try:
            models = self._portal.call(self._ask, self._client.models.list).data
            return [(str(model.id), getattr(model, "max_model_len", None)) for model in models]
        except (AttributeError, TypeError) as error:
            raise InfrastructureError(f"expected a list of models from {self.settings.url}, got {error}") from error

    @staticmethod
    def _named(models: tuple[str, ...]) -> dict[str, str]:
        """Model by module; under "" the one for all modules."""
        found = {}
        for model in models:
            module, named, name = model.partition("=")
            found[module if named else ""] = name if named else model
        return found


def _client(settings: OpenAISettings, key: str) -> openai.AsyncOpenAI:
    """A client that keeps one connection per concurrent request."""
    limits = httpx2.Limits(max_keepalive_connections=settings.concurrency)
    http = openai.DefaultAsyncHttpxClient(limits=limits, event_hooks={"response": [_check_json]})
    try:
        return openai.AsyncOpenAI(
            api_key=key or "none",  # otherwise it takes OPENAI_API_KEY, which may belong to another endpoint
            base_url=settings.url,
            timeout=TIMEOUT_S,
            max_retries=RETRIES,
            http_client=http,
        )
    except httpx2.InvalidURL as error:
        raise ConfigError(f"expected url as http://HOST:PORT/v1, got {settings.url!r} ({error})") from error


async def _check_json(response: httpx2.Response) -> None:
    """Raises a connection error, which the client retries, for an answer that is not JSON."""
    if response.is_success:
        await response.aread()
        try:
            response.json()
            return
        except ValueError as error:
            said = str(error)
        raise httpx2.DecodingError(f"broken JSON ({said})")


def _cause(error: BaseException) -> str:
    """The message of the innermost error, which libraries have wrapped."""
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    return _cause(inner) if inner else str(error) or repr(error)


def _is_shaped(sampling: Sampling) -> bool:
    """Whether wanted log-probabilities are not the model's own."""
    return sampling.logprobs and sampling.temperature > 0 and (sampling.temperature, sampling.top_p) != (1, 1)


def _logprobs(told: Any) -> tuple[float, ...] | None:
    """Log-probabilities in either form of the protocol; None if any is missing."""
    values = getattr(told, "token_logprobs", None) or [each.logprob for each in getattr(told, "content", None) or []]
    return None if None in values else tuple(map(float, values)) or None
