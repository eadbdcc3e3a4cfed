"""Rollouts on Ray: the episode loop of `rollout`, run by workers on one machine or on a whole cluster.

    make_policy = functools.partial(HFPolicy.load, "runs/demo/sft")  # called in each worker: weights never travel
    make_env = functools.partial(gym.make, "lumos_rl.envs:lumos_rl/GSM8K-v0")
    for trajectory in collect_on_ray(plans, make_policy, make_env, config=RayConfig(workers=2), label="gsm8k sft"):
        print(trajectory.id, trajectory.reward)  # gsm8k/train/17#0 1.0, as soon as that episode is finished

The process that calls this, the driver, keeps the queue of plans and knows which worker has which plan. It talks to a
worker by one call at a time: `advance(plans)` takes new plans, plays until an episode is finished or a second is over,
and returns what is finished. So every answer is a sign of life, and a plan is either in the queue, with one worker, or
finished: a worker that dies or falls silent is replaced, its plans go back to the queue, and no trajectory is lost or
comes twice. A plan that lost its worker again and again has its last try alone, so that one deadly episode cannot take
others with it.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import textwrap
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lumos_rl.core import StopReason, Trajectory
from lumos_rl.errors import ConfigError, InfrastructureError, LumosError, MissingExtraError
from lumos_rl.meters import Meters
from lumos_rl.policies.base import Policy
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.rollout import Env, EpisodePlan, EpisodePool

log = logging.getLogger(__name__)

FAILED_STARTS = 3  # in a row, until a worker is not tried again; a rollout without workers ends
BARREN_DEATHS = 10  # in a row, beyond the retries of one episode and without a finished one, until a rollout ends
REPORT_EVERY_S = 1.0
CLOSE_S = 10.0


@dataclass(frozen=True, slots=True)
class RayConfig:
    """Where rollouts run, and what they put up with.

    Attributes:
        address: "auto" or "host:port" of a running cluster. None takes the cluster that this process is connected to
            or that RAY_ADDRESS names, or else starts one on this machine.
        workers: Workers, each with a policy of its own; 0 starts as many as the cluster has room for.
        cpus_per_worker: CPU cores of a worker, and its threads.
        gpus_per_worker: GPUs of a worker; 0.5 lets two share one.
        max_retries: How often an episode is played again after its worker died.
        start_timeout_s: Seconds that a worker may take to start and make its policy.
        silence_timeout_s: Seconds that a worker may take for its next turns; after that it counts as dead.
        dashboard: Whether a cluster started here has Ray's dashboard.
    """

    address: str | None = None
    workers: int = 0
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    max_retries: int = 2
    start_timeout_s: float = 900.0
    silence_timeout_s: float = 900.0
    dashboard: bool = True

    def __post_init__(self) -> None:
        counts = self.workers, self.cpus_per_worker - 1, self.gpus_per_worker, self.max_retries
        if min(counts) < 0 or min(self.start_timeout_s, self.silence_timeout_s) <= 0:
            raise ConfigError(f"expected counts >= 0, cpus_per_worker >= 1 and timeouts above 0 seconds, got {self}")
        if self.gpus_per_worker > 1 and self.gpus_per_worker % 1:
            raise ConfigError(f"expected gpus_per_worker up to 1 or a whole number, got {self.gpus_per_worker}")


def collect_on_ray(
    plans: Sequence[EpisodePlan],
    make_policy: Callable[[], Policy],
    make_env: Callable[[], Env],
    profile: PromptProfile | str = "lumos",
    concurrency: int = 64,
    config: RayConfig | None = None,
    label: str = "",
) -> Iterator[Trajectory]:
    """Plays episodes on Ray workers and yields each trajectory as soon as it is finished.

    Which worker plays an episode does not change it, as long as the policy draws each turn from its request's seed.
    Leaving the loop, by an exception or Ctrl-C too, ends the workers; the cluster stays for the next rollout.

    Args:
        plans: The episodes to play, each with its own id.
        make_policy: Makes a worker's policy, inside the worker.
        make_env: Makes an environment, inside the worker.
        profile: Prompt profile, or the name of one.
        concurrency: Episodes under way at once in one worker.
        config: Cluster, workers, retries, timeouts; None takes the defaults.
        label: Shown in the names of the workers, e.g. "gsm8k sft".

    Returns:
        Trajectories in the order they finish. One whose workers died more than `max_retries` times has
        `StopReason.FAILED` and says in `failure` how the last one died.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: Two plans with one id, or a cluster without room for a worker.
        LumosError: Whatever `make_policy`, `make_env` or an episode raised of it, for it would raise that again.
        InfrastructureError: No cluster at the address, or no worker starts or stays alive; the cause is attached.
    """
    config = config or RayConfig()
    repeated = [name for name, count in Counter(plan.id for plan in plans).items() if count > 1]
    if repeated or concurrency < 1:
        raise ConfigError(
            f"expected plans with ids of their own and concurrency >= 1, got {len(repeated)} repeated ids"
            f" {repeated[:3]} and concurrency={concurrency}"
        )
    if not plans:
        return iter(())
    profile = get_profile(profile) if isinstance(profile, str) else profile
    return _Rollout(connect(config), plans, (make_policy, make_env, profile), concurrency, config, label).run()


def connect(config: RayConfig) -> Any:
    """Connects this process to its cluster, unless it is connected already, and returns the `ray` module.

    Raises:
        MissingExtraError: Ray is not installed.
        InfrastructureError: No cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    import ray.util.metrics
    import ray.util.state

    if ray.is_initialized():
        return ray
    address = config.address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {"include_dashboard": config.dashboard} if address == "local" else {}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster started by a library reports to nobody
    try:
        _reach(address)
        # Workers' output stays in Ray's log files; how a worker died is logged here, with the end of its output.
        context = ray.init(address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InfrastructureError(
            f"expected to reach a Ray cluster at {address!r}, got {_describe(error.__cause__ or error)}; start one with"
            " `ray start --head`, or leave the address out. A cluster with a token asks for RAY_AUTH_MODE=token"
        ) from error
    if context.dashboard_url:
        log.info("Ray dashboard: http://%s (if it asks for a token: ray get-auth-token)", context.dashboard_url)
    return ray


def _reach(address: str) -> None:
    """Raises OSError where nobody listens at "host:port"; Ray would go on trying for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def count_workers(nodes: Sequence[Mapping[str, Any]], config: RayConfig) -> int:
    """How many workers to start on a cluster, given its nodes as `ray.nodes()` lists them.

    Raises:
        ConfigError: The number is left to the cluster, and no node has room for a single worker.
    """
    need = {"CPU": float(config.cpus_per_worker), "GPU": config.gpus_per_worker}
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    room = sum(min(int(node.get(kind, 0) / need[kind] + 1e-6) for kind in need if need[kind]) for node in alive)
    if not config.workers and not room:
        raise ConfigError(f"expected a node with {need} for a worker, got {alive}; ask for less per worker")
    if config.workers > room:
        log.warning("the cluster has room for %d of %d workers with %s; the others wait", room, config.workers, need)
    return config.workers or room


class RolloutWorker:
    """Plays episodes in a process of its own: the class of the Ray actors.

    It is synchronous, so that policy and environments stay in the process's main thread, as in a local rollout.

    Args:
        name: Shown in the dashboard and in logs.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def load(self, make_policy: Callable[[], Policy], make_env: Callable[[], Env], profile: PromptProfile) -> str:
        """Makes the policy and returns its version. Not in the constructor: from a method, Ray keeps the exception."""
        self._policy = make_policy()
        self._pool = EpisodePool(make_env, self._policy, profile)
        return self._policy.version

    def advance(self, plans: Sequence[EpisodePlan]) -> list[Trajectory]:
        """Starts `plans` and plays on until an episode is finished or a second is over.

        Returns:
            What is finished; [] when nothing is yet.
        """
        until = time.monotonic() + REPORT_EVERY_S
        finished = [trajectory for plan in plans for trajectory in self._pool.start(plan)]
        while self._pool.live and not finished and time.monotonic() < until:
            finished.extend(self._pool.step())
        return finished

    def close(self) -> None:
        """Closes environments and policy."""
        self._pool.close()
        self._policy.close()


@dataclass(slots=True)
class _Slot:
    """The place of one worker, which is replaced when it dies."""

    index: int
    name: str = ""
    actor: Any = None  # None while there is no worker
    call: Any = None  # the call under way; None while the worker has nothing to do
    since: float = 0.0  # time.monotonic() at that call
    ready: bool = False  # whether the worker has its policy
    leases: dict[str, EpisodePlan] = field(default_factory=dict)  # the plans that the worker has, by id
    alone: bool = False  # whether its one plan has its last try, and the worker for itself
    lives: int = 0  # workers that have been here
    failed_starts: int = 0  # how many of them failed to start since one last did


class _Rollout:
    """One rollout, seen from the driver: the queue, the workers, and who has what."""

    def __init__(
        self,
        ray: Any,
        plans: Sequence[EpisodePlan],
        load: tuple[Any, ...],
        concurrency: int,
        config: RayConfig,
        label: str,
    ) -> None:
        self._ray, self._load, self._config = ray, load, config
        self._suffix = f" [{label}]" if label else ""
        self._queue = deque(plans)
        self._last_tries: deque[EpisodePlan] = deque()
        self._deaths: Counter[str] = Counter()  # by plan id
        self._barren, self._open, self._version = 0, len(plans), ""
        workers = min(count_workers(ray.nodes(), config), len(plans))
        self._share = min(concurrency, math.ceil(len(plans) / workers))  # no worker takes what another could play
        self._slots = [_Slot(index) for index in range(workers)]
        self._meters = Meters(ray.util.metrics)  # in the driver: what a worker counts dies with it
        threads = {"env_vars": {"OMP_NUM_THREADS": str(config.cpus_per_worker)}}
        actor = ray.remote(num_cpus=config.cpus_per_worker, num_gpus=config.gpus_per_worker, runtime_env=threads)
        self._worker = actor(RolloutWorker)

    def run(self) -> Iterator[Trajectory]:
        try:
            while self._open:
                self._employ()
                for trajectory in self._hear():
                    self._open -= 1
                    self._meters.episode(trajectory)
                    yield trajectory
            self._close()
        finally:
            for slot in self._slots:
                self._kill(slot)

    def _employ(self) -> None:
        """Finds workers for the plans that wait: first idle ones, then new ones."""
        for slot in self._slots:
            if slot.ready and slot.call is None:
                self._assign(slot)
        for slot in self._slots:
            if slot.actor is None and slot.failed_starts < FAILED_STARTS and (self._queue or self._last_tries):
                self._hire(slot)

    def _hire(self, slot: _Slot) -> None:
        while slot.actor is None:
            life = f".{slot.lives}" if slot.lives else ""
            slot.name = f"rollout-worker-{slot.index}{life}{self._suffix}"
            slot.lives += 1
            try:
                slot.actor = self._worker.options(name=slot.name).remote(slot.name)
            except ValueError as error:
                if "already taken" not in str(error):  # by a worker of another rollout of this process
                    raise
        slot.call, slot.since = slot.actor.load.remote(*self._load), time.monotonic()

    def _assign(self, slot: _Slot) -> None:
        """Gives a worker new plans, as it has room, and lets it play on."""
        plans = self._take(slot)
        slot.leases.update((plan.id, plan) for plan in plans)
        slot.call = slot.actor.advance.remote(plans) if slot.leases else None
        slot.since = time.monotonic()

    def _take(self, slot: _Slot) -> list[EpisodePlan]:
        slot.alone = slot.alone and bool(slot.leases)
        if self._queue and not slot.alone:
            return [self._queue.popleft() for _ in range(min(self._share - len(slot.leases), len(self._queue)))]
        if self._last_tries and not slot.leases:
            slot.alone = True
            return [self._last_tries.popleft()]
        return []

    def _hear(self) -> Iterator[Trajectory]:
        """Waits for answers, takes those that have come, and replaces workers that are overdue."""
        calls = {slot.call: slot for slot in self._slots if slot.call is not None}
        first = min(self._deadline(slot) for slot in calls.values())
        self._ray.wait(list(calls), timeout=max(0.0, first - time.monotonic()))
        answered, silent = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        now = time.monotonic()
        for slot in [calls[call] for call in silent if now > self._deadline(calls[call])]:
            yield from self._lose(slot, TimeoutError(f"no sign of life for {now - slot.since:.0f} s"))
        for call in answered:
            yield from self._answer(calls[call])

    def _deadline(self, slot: _Slot) -> float:
        return slot.since + (self._config.silence_timeout_s if slot.ready else self._config.start_timeout_s)

    def _answer(self, slot: _Slot) -> Iterator[Trajectory]:
        try:
            answer = self._ray.get(slot.call)
        except self._ray.exceptions.RayError as error:
            yield from self._lose(slot, error)
            return
        if not slot.ready:
            log.info("%s was ready after %.1f s", slot.name, time.monotonic() - slot.since)
            slot.ready, slot.failed_starts, self._version, answer = True, 0, answer, []
        for trajectory in answer:
            del slot.leases[trajectory.id]
            self._barren = 0
        self._assign(slot)  # before the trajectories go out: the worker need not wait for what is done with them
        yield from answer

    def _lose(self, slot: _Slot, error: Exception) -> Iterator[Trajectory]:
        """Gives up a worker; what it had is played again, or has failed."""
        cause = getattr(error, "cause", None) or error  # what a method raised comes wrapped
        if isinstance(cause, LumosError) and not isinstance(cause, InfrastructureError):
            raise cause from error
        lost, started, words = list(slot.leases.values()), slot.ready, self._last_words(error)
        self._kill(slot)
        reason = f"{slot.name} {'died' if started else 'did not start'}: {_describe(cause)}"
        log.warning("%s; %d episodes were under way%s", reason, len(lost), words)
        self._meters.death()
        self._give_up_if_hopeless(slot, started, reason + words, error)
        for plan in lost:
            self._deaths[plan.id] += 1
            if self._deaths[plan.id] > self._config.max_retries:
                tries = f"played {self._deaths[plan.id]} times, and each time its worker died; the last time, {reason}"
                yield plan.trajectory(self._version, StopReason.FAILED, failure=tries)
            elif self._deaths[plan.id] == self._config.max_retries:
                self._last_tries.append(plan)
            else:
                self._queue.append(plan)

    def _give_up_if_hopeless(self, slot: _Slot, started: bool, reason: str, error: Exception) -> None:
        self._barren += started
        slot.failed_starts += not started
        hopeless = ""
        if all(other.failed_starts >= FAILED_STARTS for other in self._slots):
            hopeless = f"workers that start, got {FAILED_STARTS} failures in a row of each"
        if self._barren >= BARREN_DEATHS + self._config.max_retries:
            hopeless = f"workers that stay alive, got {self._barren} deaths and no finished episode in between"
        if hopeless:
            raise InfrastructureError(f"expected {hopeless}; the last: {reason}") from error

    def _last_words(self, error: Exception) -> str:
        """The end of what a dead worker wrote to stderr, as the dashboard keeps it; "" when that is not known."""
        state, text = self._ray.util.state, ""
        if isinstance(error, self._ray.exceptions.RayActorError):
            where = self._ray.get_runtime_context().gcs_address  # this cluster, whatever else runs on the machine
            try:
                text = "".join(state.get_log(where, actor_id=error.actor_id, suffix="err", tail=20, timeout=5))
            except (OSError, state.exception.RayStateApiException) as unknown:
                log.debug("no output of the dead worker: %s", unknown)
        lines = [line for line in text.splitlines() if line and not line.startswith((":actor_name:", ":job_id:"))]
        return "".join(f"\n    | {line}" for line in lines)

    def _close(self) -> None:
        """Lets idle workers close what they hold; whoever does not is killed all the same."""
        calls = [slot.actor.close.remote() for slot in self._slots if slot.ready]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=CLOSE_S)

    def _kill(self, slot: _Slot) -> None:
        if slot.actor is not None and self._ray.is_initialized():
            self._ray.kill(slot.actor, no_restart=True)
        slot.actor, slot.call, slot.ready, slot.alone, slot.leases = None, None, False, False, {}


def _describe(error: BaseException) -> str:
    """One line about an error. Ray's own messages end with the part that tells, which is long."""
    last = (str(error).strip().splitlines() or [""])[-1]
    return f"{type(error).__name__}: {textwrap.shorten(last, 300, placeholder=' …')}"
