"""One engine for the episodes of many processes: the server side, independent of what carries the calls.

    host = EngineHost("engine-0")
    host.load(Serving("sft", make, update))         # Served(version="sft", tokenizer_hash="9f…", process_ids=(4711,))
    host.exchange("rollout-worker-0", requests, 1)  # takes requests, returns that client's completions, [] after 1 s
    host.load(Serving("rs-1", make, update))        # the running policy loads other weights

The policy runs in its own thread, which submits new requests, runs the engine for a step, and hands out completions. So
requests of all clients share a batch, and no client waits for another one's turn.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from lumos_rl.errors import InfrastructureError, LumosError
from lumos_rl.policies.base import Completion, Policy, Request
from lumos_rl.policies.processes import Process, here
from lumos_rl.prompts import PromptProfile


@dataclass(frozen=True, slots=True)
class Serving:
    """A policy for an engine to serve.

    Attributes:
        version: Version of the policy.
        make: Makes the policy.
        update: Updates a running policy to this version; None makes a new one instead.
    """

    version: str
    make: Callable[[], Policy]
    update: Callable[[Policy], None] | None = None


@dataclass(frozen=True, slots=True)
class Weightless:
    """A policy without weights, such as a function's or an endpoint's: workers make it, and need no GPU for it.

    Attributes:
        make: Makes the policy of a worker, given how many requests it may have under way.
        limit: Most requests under way at once, over all workers; None sets no limit.
    """

    make: Callable[[int | None], Policy]
    limit: int | None = None

    def __call__(self) -> Policy:
        """The policy of a single worker."""
        return self.make(self.limit)

    def share(self, worker: int, workers: int) -> int | None:
        """What one of so many workers may have under way; None without a limit."""
        return None if self.limit is None else self.limit // workers + (worker < self.limit % workers)


@dataclass(frozen=True, slots=True)
class Served:
    """The policy that an engine serves.

    Attributes:
        version: Version of its policy.
        tokenizer_hash: `tokenizer_hash` of its policy.
        process_ids: Processes that hold the weights, if the policy reports them.
        life: Name of the engine's process; one that is started in its place has another.
        profile: Prompt profile that its checkpoint was trained with, if the policy knows one.
    """

    version: str
    tokenizer_hash: str
    process_ids: tuple[int, ...]
    life: str = ""
    profile: PromptProfile | None = None


def refused(request_id: str, error: Exception) -> Completion:
    """The failed completion of a request that a policy does not take; a mistake of the user is raised."""
    if isinstance(error, LumosError):
        raise error
    return Completion(request_id, "", "failed", failure=f"the policy refused the request: {error!r}")


class EngineHost:
    """Holds a policy and serves clients that call from any thread.

    Args:
        name: Its `repr`, which Ray shows as the name of the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._own_life = uuid.uuid4().hex
        self._loading = threading.Lock()
        self._changed = threading.Condition()  # guards the fields below
        self._life = 0  # number of the current policy thread
        self._inbox: list[tuple[str, Request]] = []
        self._owners: dict[str, tuple[str, str]] = {}  # id in the engine → client, the client's id
        self._done: defaultdict[str, list[Completion]] = defaultdict(list)  # by client
        self._policy: Policy | None = None
        self._thread: Future[None] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        return self._name

    def load(self, serving: Serving) -> Served:
        """Serves a version from now on; returns at once if it is already served.

        Raises:
            InfrastructureError: The policy does not have the requested version.
            LumosError: Raised by making or updating the policy.
        """
        with self._loading:
            if not self._healthy or self._policy is None or self._policy.version != serving.version:
                self._bring(serving)
            policy = self._policy
        if policy is None or policy.version != serving.version:
            raise InfrastructureError(f"expected {self._name} to serve {serving.version!r}, got {policy!r}")
        profile = getattr(policy, "profile", None)
        return Served(policy.version, policy.tokenizer_hash, self._process_ids(), self._own_life, profile)

    def processes(self) -> tuple[Process, ...]:
        """This process and those that hold the weights."""
        return tuple(here(number) for number in {os.getpid(), *self._process_ids()})

    def _process_ids(self) -> tuple[int, ...]:
        return tuple(getattr(self._policy, "process_ids", lambda: ())())

    def exchange(self, client: str, requests: Sequence[Request], wait_s: float) -> list[Completion]:
        """Takes requests of a client, and waits for completions of that client.

        Args:
            client: Unique name of the calling process.
            requests: New requests; one that is already under way is not started twice.
            wait_s: Longest wait in seconds.

        Returns:
            Completions; [] if none finished in time.

        Raises:
            InfrastructureError: There is no policy, or it broke; open requests are lost.
        """
        with self._changed:
            life = self._life
            self.submit(client, requests)
            self._changed.wait_for(lambda: self._done[client] or not self._alive(life), wait_s)
            self._check(life)
            return self._done.pop(client, [])

    def submit(self, client: str, requests: Sequence[Request]) -> None:
        """Takes requests of a client and returns at once."""
        with self._changed:
            self._check(self._life)
            self._inbox += [(client, request) for request in requests]
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the policy; the next `load` makes a new one."""
        with self._loading:
            self._end()

    @property
    def _healthy(self) -> bool:
        return self._thread is not None and not self._thread.done()

    def _alive(self, life: int) -> bool:
        return life == self._life and self._healthy

    def _check(self, life: int) -> None:
        if not self._alive(life):
            error = self._thread.exception() if self._thread is not None and self._thread.done() else None
            if isinstance(error, LumosError) and not isinstance(error, InfrastructureError):
                raise error  # a mistake of the user
            raise InfrastructureError(
                f"expected {self._name} to have a running policy, got {error!r}; load one"
            ) from error

    def _bring(self, serving: Serving) -> None:
        """Ends the policy's thread, updates the policy or makes a new one, and starts a new thread."""
        policy = self._halt() if serving.update is not None else None
        if policy is None:
            self._end()
        pool = self._pool = self._pool or ThreadPoolExecutor(1, self._name)  # one thread does everything with a policy
        if policy is not None and serving.update is not None:
            pool.submit(serving.update, policy).result()
        self._policy = policy or pool.submit(serving.make).result()
        with self._changed:
            self._life += 1
            self._inbox, self._owners = [], {}
            self._done.clear()
            self._thread = pool.submit(self._run, self._policy, self._life)
            self._thread.add_done_callback(self._tell)

    def _halt(self) -> Policy | None:
        """Ends the policy's thread; returns the policy if it is healthy and idle, else None."""
        healthy, thread = self._healthy, self._thread
        with self._changed:
            self._life += 1
            idle = not self._inbox and not self._owners
            self._changed.notify_all()
        if thread is not None:
            thread.exception()  # waits for its end
        return self._policy if healthy and idle else None

    def _end(self) -> None:
        self._halt()
        if self._policy is not None and self._pool is not None:
            self._pool.submit(self._policy.close).result()
        self._policy = self._thread = None

    def _run(self, policy: Policy, life: int) -> None:
        """The policy's thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._inbox or self._owners or self._life != life)
                if self._life != life:
                    return
                new, self._inbox = self._inbox, []
            for client, request in new:
                key = f"{client}/{request.id}"
                if key not in self._owners:
                    self._owners[key] = client, request.id
                    try:
                        policy.submit(replace(request, id=key))
                    except (ValueError, TypeError) as error:
                        self._hand_out([refused(key, error)])
            if self._owners:
                self._hand_out(policy.collect(timeout_s=0.0))

    def _hand_out(self, completions: Sequence[Completion]) -> None:
        if not completions:
            return
        with self._changed:
            for completion in completions:
                client, name = self._owners.pop(completion.request_id)
                self._done[client].append(replace(completion, request_id=name))
            self._changed.notify_all()

    def _tell(self, thread: Future[None]) -> None:
        with self._changed:
            self._changed.notify_all()
