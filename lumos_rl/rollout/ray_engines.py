"""Engines on Ray, each on its own GPUs, and the policy through which rollout workers use them.

    engines = Engines(ray, RayConfig(engines=2, gpus_per_engine=1), workers=8)
    engines.load(serving)                                             # every engine, checked
    policy = ServedPolicy(engines.host(3), serving, "rollout-worker-3", 900.0, 900.0)  # inside a worker

An engine is an actor in its own placement group. When it dies, Ray restarts it; the workers make it load its policy
again, which it does once, and resend their open requests, so that no episode and no finished turn is lost.
"""

from __future__ import annotations

import itertools
import logging
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lumos_rl.errors import ConfigError, InfrastructureError, LumosError
from lumos_rl.policies.base import Completion, Request
from lumos_rl.policies.processes import Process, end, wait_for_exit, wait_until_steady
from lumos_rl.policies.serving import EngineHost, Served, Serving
from lumos_rl.rollout.ray_config import RayConfig, cores, count_engines, leaves_gpu

log = logging.getLogger(__name__)

CLIENTS = 256  # calls that an engine answers at once; a worker has up to two, one that waits and one that submits
LONG_POLL_S = 1.0
DEATHS = 3  # in a row, after which a worker gives up
CLOSE_S = 10.0  # for an engine to close by itself
EXIT_S = 30.0  # for a process to end
PAUSE_S = 0.2


class Engines:
    """The engines of a cluster.

    Args:
        ray: The Ray module, connected.
        config: How many, and what each needs, with its numbers of GPUs settled.
        workers: Number of workers that share them; there are never more engines than workers.

    Attributes:
        stay: Whether they can stay while the driver trains: they have no GPUs, or one GPU is reserved for the driver.

    Raises:
        ConfigError: The cluster has no room for them.
    """

    def __init__(self, ray: Any, config: RayConfig, workers: int) -> None:
        from ray.util.placement_group import remove_placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        self._ray, self._config, self._remove = ray, config, remove_placement_group
        self._hosts: list[Any] = []
        self._groups: list[Any] = []
        count = min(count_engines(ray.nodes(), config), workers)
        self.stay = self._spare_driver(count)
        cpus = cores(ray.nodes(), config, count).engine
        bundle = {"CPU": float(cpus), "GPU": float(config.gpus_per_engine or 0)}
        groups = self._hold(count, {kind: amount for kind, amount in bundle.items() if amount})
        environment = {"env_vars": {"OMP_NUM_THREADS": str(cpus)}}
        actor = ray.remote(num_cpus=cpus, num_gpus=bundle["GPU"], runtime_env=environment)
        self._hosts = [
            actor(EngineHost)
            .options(
                max_concurrency=CLIENTS,
                max_restarts=-1,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement_group=group),
            )
            .remote(f"engine-{index}")
            for index, group in enumerate(groups)
        ]

    def _spare_driver(self, engines: int) -> bool:
        """Reserves a GPU of the driver's machine if the engines have enough without it; returns whether they may stay.

        Ray assigns the first GPU, which is the one that the driver trains on.
        """
        nodes, here = self._ray.nodes(), self._ray.get_runtime_context().get_node_id()
        (own,) = [node for node in nodes if node["NodeID"] == here]
        if not self._config.gpus_per_engine or not own["Resources"].get("GPU"):
            return True
        if not leaves_gpu(nodes, self._config, engines, here):
            return False
        self._hold(1, {"GPU": 1.0, f"node:{own['NodeManagerAddress']}": 0.001})
        return True

    def _hold(self, count: int, bundle: dict[str, float]) -> list[Any]:
        """Waits for placement groups of one bundle each, and returns them."""
        from ray.util.placement_group import placement_group

        groups = [placement_group([bundle], strategy="STRICT_PACK") for _ in range(count)]
        self._groups += groups
        timeout_s = self._config.start_timeout_s
        late = self._ray.wait([group.ready() for group in groups], num_returns=count, timeout=timeout_s)[1]
        if late:
            self.close()
            raise ConfigError(
                f"expected room for {count} engines with {bundle} within {timeout_s:.0f} s, got {count - len(late)};"
                " ask for fewer with --ray.engines, or wait for the cluster"
            )
        return groups

    def __len__(self) -> int:
        return len(self._hosts)

    def host(self, worker: int) -> Any:
        """The engine of a worker. It is always the same one, which has the worker's conversations in its cache."""
        return self._hosts[worker % len(self._hosts)]

    def load(self, serving: Serving) -> list[Served]:
        """Makes every engine serve a version, and checks that it does.

        Raises:
            InfrastructureError: An engine does not serve it in time.
            LumosError: Raised by making or updating the policy.
        """
        calls = [host.load.remote(serving) for host in self._hosts]
        return [check(self._ray, call, serving, self._config.start_timeout_s) for call in calls]

    def close(self) -> None:
        """Ends the engines, and waits until they have given back their resources and their memory."""
        if self._ray.is_initialized():
            processes = self._processes()
            self._asked([host.close.remote() for host in self._hosts])
            for host in self._hosts:
                self._ray.kill(host, no_restart=True)
            for group in self._groups:
                self._remove(group)
            wait_for_memory(processes)
        self._hosts, self._groups = [], []

    def _processes(self) -> list[Process]:
        """The processes of all engines that answer."""
        done = self._asked([host.processes.remote() for host in self._hosts])
        found: list[Process] = []
        for call in done:
            try:
                found += self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                log.warning("an engine that ends cannot tell its processes: %s", error)
        return found

    def _asked(self, calls: list[Any]) -> list[Any]:
        """The calls that are answered in time."""
        return list(self._ray.wait(calls, num_returns=len(calls), timeout=CLOSE_S)[0]) if calls else []


def wait_for_memory(processes: Sequence[Process]) -> None:
    """Waits until processes that end have given their memory back, for the driver to train in.

    Those of this machine that do not end are killed: the core of an engine may outlive its host.
    """
    late = wait_for_exit(processes, EXIT_S)
    if late:
        log.warning("%d processes of engines or workers did not end in %.0f s: killed", len(late), EXIT_S)
        end(late)
        late = wait_for_exit(late, EXIT_S)
    if late:
        log.warning("processes %s still run, and may hold memory", [each.number for each in late])
    torch = sys.modules.get("torch")  # else this process uses no GPU
    if torch is not None and processes and torch.cuda.is_available():
        free = wait_until_steady(lambda: int(torch.cuda.mem_get_info()[0]), EXIT_S)
        log.info("%.1f GiB of the GPU are free for training", free / 2**30)


def check(ray: Any, call: Any, serving: Serving, timeout_s: float) -> Served:
    """Waits for a call of `load`, and checks that the engine serves the requested version."""
    try:
        served: Served = ray.get(call, timeout=timeout_s)
    except ray.exceptions.GetTimeoutError as error:
        raise InfrastructureError(
            f"expected an engine to serve {serving.version!r} within {timeout_s:.0f} s, it does not"
        ) from error
    except ray.exceptions.RayError as error:
        raise _cause(error) from error
    if served.version != serving.version:
        raise InfrastructureError(f"expected an engine to serve {serving.version!r}, got {served.version!r}")
    return served


def _cause(error: Exception) -> LumosError:
    """The LumosError that an engine raised; for anything else an InfrastructureError."""
    cause = getattr(error, "cause", None)  # Ray wraps what a method raises
    if isinstance(cause, LumosError):
        return cause
    last = (str(error).strip().splitlines() or [""])[-1]
    return InfrastructureError(f"an engine failed: {type(cause or error).__name__}: {last[:300]}")


def is_first(name: str) -> bool:
    """Whether no process of the cluster has asked this about a name before."""
    from ray.experimental.internal_kv import _internal_kv_put

    return not _internal_kv_put(name.encode(), b"1", overwrite=False)  # whether it was there


class ServedPolicy:
    """A policy whose engine is another process.

    Args:
        host: Handle of the engine's actor.
        serving: The policy that the engine serves.
        client: Name of this process for the engine.
        start_timeout_s: Seconds that an engine may take to start and make its policy.
        silence_timeout_s: Seconds without a completion, while turns are under way, after which it counts as dead.
    """

    def __init__(
        self, host: Any, serving: Serving, client: str, start_timeout_s: float, silence_timeout_s: float
    ) -> None:
        import ray

        self._ray, self._host, self._serving = ray, host, serving
        self._name = client
        self._start_timeout_s, self._silence_timeout_s = start_timeout_s, silence_timeout_s
        self._numbers = itertools.count()  # all turns of an episode have the same request id
        self._new: list[Request] = []
        self._asked: dict[str, tuple[str, Request]] = {}  # by number: the episode's own id, and the sent request
        self._call: Any = None  # the call that waits for completions
        self._deaths, self._heard = 0, time.monotonic()
        self._ended: set[str] = set()  # lives of the engine that were too silent
        self._life = ""  # of the engine that the policy was loaded into
        served = self._load()
        self.version, self.tokenizer_hash, self.profile = served.version, served.tokenizer_hash, served.profile

    def submit(self, request: Request) -> None:
        sent = replace(request, id=str(next(self._numbers)))
        self._new.append(sent)
        self._asked[sent.id] = request.id, sent

    def collect(self, timeout_s: float | None = None) -> list[Completion]:
        """Sends submitted requests and waits; if the engine died, it restarts it and resends all open ones."""
        began = time.monotonic()
        done: list[Completion] = []
        while self._asked and not done:
            self._send()
            left = LONG_POLL_S if timeout_s is None else max(0.0, timeout_s - (time.monotonic() - began))
            done = self._hear(left)
            if timeout_s is not None and time.monotonic() - began >= timeout_s:
                break
        return done

    def close(self) -> None:
        """Drops open requests; the engine keeps running for other workers."""
        self._new.clear()
        self._asked.clear()
        self._call = None

    def _load(self) -> Served:
        """Loads the policy into the engine, under a new client name, so that no answer to an old request arrives."""
        self._client = f"{self._name}-{uuid.uuid4().hex[:8]}"
        until = time.monotonic() + self._start_timeout_s
        while True:
            call = self._host.load.remote(self._serving)
            try:
                served = check(self._ray, call, self._serving, max(0.0, until - time.monotonic()))
            except InfrastructureError as error:
                restarting = isinstance(error.__cause__, self._ray.exceptions.ActorUnavailableError)
                if not restarting or time.monotonic() > until:
                    raise
            else:
                if served.life not in self._ended or time.monotonic() > until:
                    self._life = served.life
                    return served
            time.sleep(PAUSE_S)  # the engine is about to end, or to start

    def _send(self) -> None:
        if not self._asked.keys() - {request.id for request in self._new} and self._call is None:
            self._heard = time.monotonic()  # the timeout counts from the first open request
        if self._call is None:
            self._call = self._host.exchange.remote(self._client, self._new, LONG_POLL_S)
        elif self._new:
            self._host.submit.remote(self._client, self._new)
        self._new = []

    def _hear(self, wait_s: float) -> list[Completion]:
        if not self._ray.wait([self._call], timeout=wait_s)[0]:
            if time.monotonic() - self._heard > self._silence_timeout_s:
                self._revive(TimeoutError(f"no completion for {self._silence_timeout_s:.0f} s"))
            return []
        call, self._call = self._call, None
        try:
            answers = [(each, self._asked.pop(each.request_id, None)) for each in self._ray.get(call)]
        except self._ray.exceptions.RayError as error:
            cause = _cause(error)
            if not isinstance(cause, InfrastructureError):
                raise cause from error
            self._revive(cause)
            return []
        if answers:
            self._deaths, self._heard = 0, time.monotonic()
        return [replace(each, request_id=asked[0]) for each, asked in answers if asked]

    def _revive(self, error: Exception) -> None:
        """Loads the policy into the restarted engine and resends all open requests, at most `DEATHS` times in a row."""
        log.warning("%s: %s; %d turns are requested again", self._name, error, len(self._asked))
        self._deaths += 1
        if isinstance(error, TimeoutError):
            self._ended.add(self._life)
            if is_first(
                f"lumos-ended-{self._life}"
            ):  # else another worker has ended it, and it may be starting already
                self._ray.kill(self._host, no_restart=False)
        if self._deaths > DEATHS:
            raise InfrastructureError(
                f"expected an engine that stays alive, got {self._deaths} deaths without a completion in between; the"
                f" last: {error}"
            ) from error
        self._call = None
        try:
            self._load()
        except InfrastructureError as again:
            self._revive(again)
            return
        self._new, self._heard = [sent for _, sent in self._asked.values()], time.monotonic()
