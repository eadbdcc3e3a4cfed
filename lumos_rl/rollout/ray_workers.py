"""Rollouts on Ray: the episode loop of `rollout`, run by workers on one machine or on a whole cluster.

    make_policy = functools.partial(HFPolicy.load, "runs/demo/sft")  # called in each worker: weights never travel
    with RayWorkers(RayConfig(workers=2)) as workers:
        for trajectory in workers.collect(plans, make_policy, make_env, label="gsm8k sft"):
            print(trajectory.id, trajectory.reward)  # gsm8k/train/17#0 1.0, as soon as that episode is finished

The process that calls this, the driver, keeps a `Ledger` of the plans and talks to a worker by one call at a time:
`advance(plans)` takes new plans, plays until an episode is finished or a second is over, and returns what is finished.
So every answer is a sign of life; a worker that dies or falls silent is replaced, and what it had is played again.
Between rollouts the processes stay, for loading the libraries takes them longer than loading a small policy.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import socket
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from lumos_rl.core import Trajectory
from lumos_rl.errors import ConfigError, InfrastructureError, LumosError, MissingExtraError
from lumos_rl.policies.base import Policy
from lumos_rl.policies.serving import Serving
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.rollout.dispatch import Ledger, RolloutWorker
from lumos_rl.rollout.loop import Env
from lumos_rl.rollout.meters import Meters
from lumos_rl.rollout.plans import EpisodePlan
from lumos_rl.rollout.ray_config import RayConfig, count_engines, count_workers
from lumos_rl.rollout.ray_engines import Engines, ServedPolicy

log = logging.getLogger(__name__)

FAILED_STARTS = 3  # in a row, until a worker is not tried again; a rollout without workers ends
BARREN_DEATHS = 10  # in a row, beyond the retries of one episode and without a finished one, until a rollout ends
CLOSE_S = 10.0

_TRIES_S = (0.5, 2.0, 0.0)  # how long to wait after each try to read a dead worker's output
_MARKER = re.compile(r":actor_name:|:job_id:|\x1b\[36mray::")  # what Ray writes around a worker's own words


class RayWorkers:
    """Rollout workers, which live until `close`, or until a rollout is left before its end.

    They start with the first rollout. After each one they close their policies and environments; those that hold GPUs
    end, for the driver may want to train on them. Engines that workers share stay, and go on with the next policy,
    unless they hold all GPUs of the driver's machine.

    Args:
        config: Cluster, workers, retries, timeouts; None takes the defaults.
    """

    def __init__(self, config: RayConfig | None = None) -> None:
        self._config = config or RayConfig()
        self._places: list[_Place] = []
        self._engines: Engines | None = None
        self._busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def collect(
        self,
        plans: Sequence[EpisodePlan],
        policy: Callable[[], Policy] | Serving,
        make_env: Callable[[str], Env],
        profile: PromptProfile | str = "lumos",
        concurrency: int = 64,
        label: str = "",
        tool_threads: int = 0,
    ) -> Iterator[Trajectory]:
        """Plays episodes and yields each trajectory as soon as it is finished.

        Which worker plays an episode does not change it, as long as the policy draws each turn from its request's seed.
        Leaving the loop early, by an exception or Ctrl-C too, ends the workers; the next rollout starts new ones.

        Args:
            plans: The episodes to play, each with its own id.
            policy: Makes a worker's policy, inside the worker; or what engines shall serve that workers share.
            make_env: Makes an environment for a benchmark, inside the worker.
            profile: Prompt profile, or the name of one.
            concurrency: Episodes under way at once in one worker.
            label: What this rollout is, for the logs and the dashboard, e.g. "gsm8k sft".
            tool_threads: Environment steps that run at once beside the policy in one worker.

        Returns:
            Trajectories in the order they finish. One whose workers died more than `max_retries` times has
            `StopReason.FAILED` and says in `failure` how the last one died.

        Raises:
            MissingExtraError: Ray is not installed.
            ConfigError: Two plans with one id, a cluster without room for a worker, or another rollout of these workers
                that is still under way.
            LumosError: Whatever `policy`, `make_env` or an episode raised of it, for it would raise that again.
            InfrastructureError: No cluster at the address, or no worker starts or stays alive; the cause is attached.
        """
        if not plans:
            return iter(())
        self._ray = ray = connect(self._config)
        engines = count_engines(ray.nodes(), self._config) if isinstance(policy, Serving) else 0
        room = count_workers(ray.nodes(), self._config, engines)
        count = min(room, len(plans))
        ledger = Ledger(plans, count, concurrency, self._config.max_retries)
        gpus = 0.0 if engines else self._config.gpus_per_worker
        self._places += [_Place(ray, self._config, index, gpus) for index in range(len(self._places), count)]
        profile = get_profile(profile) if isinstance(profile, str) else profile
        job = f" [{label}]" if label else ""
        load, config = (make_env, profile, tool_threads), self._config
        if isinstance(policy, Serving):
            self._serve(policy, room)
            patience = config.silence_timeout_s + config.start_timeout_s  # while a worker's engine is started anew
            config = replace(config, silence_timeout_s=patience)
        for place in self._places[:count]:
            place.policy = self._policy(policy, place)
        return self._run(_Rollout(ray, config, self._places[:count], ledger, load, job))

    def _serve(self, serving: Serving, workers: int) -> None:
        """Has the engines serve a version; those that run go on with other weights."""
        if self._engines is None:
            self._engines = Engines(self._ray, self._config, workers)
        began = time.monotonic()
        for index, served in enumerate(self._engines.load(serving)):
            log.info(
                "engine-%d serves %s in processes %s after %.1f s",
                index,
                served.version,
                served.process_ids,
                time.monotonic() - began,
            )

    def _policy(self, policy: Callable[[], Policy] | Serving, place: _Place) -> Callable[[], Policy]:
        if not isinstance(policy, Serving):
            return policy
        assert self._engines is not None, "they were started for this rollout"
        timeouts = self._config.start_timeout_s, self._config.silence_timeout_s
        return functools.partial(
            ServedPolicy, self._engines.host(place.index), policy, f"rollout-worker-{place.index}", *timeouts
        )

    def _run(self, rollout: _Rollout) -> Iterator[Trajectory]:
        if self._busy:
            raise ConfigError("expected one rollout at a time, got a second before the end of the first; finish that")
        self._busy, complete = True, False
        try:
            yield from rollout.run()
            complete = True
        finally:
            self._busy = False
            if not complete:
                self.close()
        self._rest()

    def _rest(self) -> None:
        """Has the workers close what they hold; ends those that do not, and those with GPUs."""
        calls = {place.actor.close.remote(): place for place in self._places if place.actor is not None}
        ready = [call for call, place in calls.items() if place.ready]  # others do it as soon as they have started
        late = self._ray.wait(ready, num_returns=len(ready), timeout=CLOSE_S)[1] if ready else []
        for call, place in calls.items():
            if call in late or place.gpus:
                place.end()
        if self._engines is not None and not self._engines.stay:
            self._engines.close()
            self._engines = None

    def close(self) -> None:
        """Ends workers and engines. The cluster stays; so does this object, which starts new ones if need be."""
        for place in self._places:
            place.end()
        if self._engines is not None:
            self._engines.close()
            self._engines = None


class _Place:
    """The place of one worker, which is replaced when it dies: its actor, and the one call to it that is under way."""

    def __init__(self, ray: Any, config: RayConfig, index: int, gpus: float) -> None:
        threads = {"env_vars": {"OMP_NUM_THREADS": str(config.cpus_per_worker)}}
        remote = ray.remote(num_cpus=config.cpus_per_worker, num_gpus=gpus, runtime_env=threads)
        self._ray, self._worker, self.index = ray, remote(RolloutWorker), index
        self.gpus = gpus
        self.policy: Callable[[], Policy] | None = None  # makes that of the rollout under way
        self._lives = 0  # workers that have been here
        self.name = ""
        self.actor: Any = None  # None while there is no worker
        self.call: Any = None  # None while the worker has nothing to do
        self.since = 0.0  # time.monotonic() at that call
        self.ready = False  # whether the worker has the policy of the rollout under way

    def start(self) -> None:
        """Starts a worker, unless there is one."""
        while self.actor is None:
            self.name = f"rollout-worker-{self.index}" + (f".{self._lives}" if self._lives else "")
            self._lives += 1
            try:
                self.actor = self._worker.options(name=self.name).remote(self.name)
            except ValueError as error:
                if "already taken" not in str(error):  # by another worker of this process
                    raise

    def ask(self, method: str, job: str, *arguments: Any) -> None:
        """Calls a method of the worker. An actor's name is fixed, so the call is what shows the job."""
        call = getattr(self.actor, method).options(name=method + job)
        self.call, self.since = call.remote(*arguments), time.monotonic()

    def end(self) -> None:
        """Ends the worker, if there is one."""
        if self.actor is not None and self._ray.is_initialized():
            self._ray.kill(self.actor, no_restart=True)
        self.actor, self.call, self.ready = None, None, False


class _Rollout:
    """One rollout, seen from the driver: what it asks the workers, and what it makes of their answers."""

    def __init__(
        self,
        ray: Any,
        config: RayConfig,
        places: Sequence[_Place],
        ledger: Ledger,
        load: tuple[Any, ...],
        job: str,
    ) -> None:
        self._ray, self._config, self._places = ray, config, places
        self._ledger, self._load, self._job = ledger, load, job
        self._failed_starts: Counter[int] = Counter()  # in a row, by place
        self._barren, self._version = 0, ""
        self._meters = Meters(ray.util.metrics)  # in the driver: what a worker counts dies with it

    def run(self) -> Iterator[Trajectory]:
        for place in self._places:
            place.call, place.ready = None, False
        while self._ledger.open:
            self._employ()
            for trajectory in self._hear():
                self._meters.episode(trajectory)
                yield trajectory

    def _employ(self) -> None:
        """Finds workers for the plans that wait: first idle ones, then those that need the policy or are missing."""
        idle = [place for place in self._places if place.call is None]
        for place in idle:
            if place.ready:
                self._assign(place)
        for place in idle:
            if not place.ready and self._ledger.waiting and self._failed_starts[place.index] < FAILED_STARTS:
                place.start()
                place.ask("load", self._job, place.policy, *self._load)

    def _assign(self, place: _Place) -> None:
        """Gives a worker new plans, as it has room, and lets it play on."""
        plans = self._ledger.take(place.index)
        place.call = None
        if self._ledger.held(place.index):
            place.ask("advance", self._job, plans)

    def _hear(self) -> Iterator[Trajectory]:
        """Waits for answers, takes those that have come, and gives up workers that are overdue."""
        calls = {place.call: place for place in self._places if place.call is not None}
        first = min(self._deadline(place) for place in calls.values())
        self._ray.wait(list(calls), timeout=max(0.0, first - time.monotonic()))
        answered, silent = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        now = time.monotonic()
        for place in [calls[call] for call in silent if now > self._deadline(calls[call])]:
            yield from self._lose(place, TimeoutError(f"no sign of life for {now - place.since:.0f} s"))
        for call in answered:
            yield from self._answer(calls[call])

    def _deadline(self, place: _Place) -> float:
        return place.since + (self._config.silence_timeout_s if place.ready else self._config.start_timeout_s)

    def _answer(self, place: _Place) -> Iterator[Trajectory]:
        try:
            answer = self._ray.get(place.call)
        except self._ray.exceptions.RayError as error:
            yield from self._lose(place, error)
            return
        if not place.ready:
            log.info("%s%s was ready after %.1f s", place.name, self._job, time.monotonic() - place.since)
            place.ready, self._failed_starts[place.index], self._version, answer = True, 0, answer, []
        self._ledger.finished(place.index, answer)
        self._barren = 0 if answer else self._barren
        self._assign(place)  # before the trajectories go out: the worker need not wait for what is done with them
        yield from answer

    def _lose(self, place: _Place, error: Exception) -> Iterator[Trajectory]:
        """Gives up a worker; what it had is played again, or has failed."""
        cause = getattr(error, "cause", None) or error  # what a method raised comes wrapped
        if isinstance(cause, LumosError) and not isinstance(cause, InfrastructureError):
            raise cause from error
        was_ready, words = place.ready, self._last_words(error)
        reason = f"{place.name}{self._job} {'died' if was_ready else 'did not get ready'}: {_describe(cause)}"
        place.end()
        log.warning("%s; %d episodes were under way%s", reason, self._ledger.held(place.index), words)
        self._meters.death()
        self._give_up_if_hopeless(place, was_ready, reason + words, error)
        yield from self._ledger.lost(place.index, self._version, reason)

    def _give_up_if_hopeless(self, place: _Place, was_ready: bool, reason: str, error: Exception) -> None:
        self._barren += was_ready
        self._failed_starts[place.index] += not was_ready
        hopeless = ""
        if all(self._failed_starts[other.index] >= FAILED_STARTS for other in self._places):
            hopeless = f"workers that start, got {FAILED_STARTS} failures in a row of each"
        if self._barren >= BARREN_DEATHS + self._config.max_retries:
            hopeless = f"workers that stay alive, got {self._barren} deaths and no finished episode in between"
        if hopeless:
            raise InfrastructureError(f"expected {hopeless}; the last: {reason}") from error

    def _last_words(self, error: Exception) -> str:
        """The end of the worker's traceback, or of what it wrote to stderr before it died; "" when it has none."""
        text = ""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            text = str(error)
        elif isinstance(error, self._ray.exceptions.RayActorError):
            text = self._stderr(error.actor_id)
        lines = [line for line in text.splitlines() if line.strip(" ^~") and not _MARKER.match(line)]
        return "".join(f"\n    | {line}" for line in lines[-20:])

    def _stderr(self, actor_id: str) -> str:
        """The end of a dead worker's output, or why it cannot be read: a busy cluster may need more than one try."""
        state, reason = self._ray.util.state, "it is empty"
        where = self._ray.get_runtime_context().gcs_address  # this cluster, whatever else runs on the machine
        for pause in _TRIES_S:
            try:
                text = "".join(state.get_log(where, actor_id=actor_id, suffix="err", tail=20, timeout=5))
                if text:  # Ray's own marks, at least
                    return text
            except (OSError, state.exception.RayStateApiException) as error:
                reason = _describe(error)
            time.sleep(pause)
        return f"(its output cannot be read: {reason})"


def _describe(error: BaseException) -> str:
    """One line about an error. Ray's own messages end with the part that tells, which is long."""
    last = (str(error).strip().splitlines() or [""])[-1]
    return f"{type(error).__name__}: {textwrap.shorten(last, 300, placeholder=' …')}"


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
