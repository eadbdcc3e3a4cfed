"""Rollouts on Ray: workers run the episode loop (`rollout.loop`) on one machine or a cluster.

    make_policy = functools.partial(HFPolicy.load, "runs/demo/sft")  # called in each worker; no weights are sent
    with RayWorkers(RayConfig(workers=2)) as workers:
        for trajectory in workers.collect(plans, make_policy, make_env, label="gsm8k sft"):
            print(trajectory.id, trajectory.reward)  # gsm8k/train/17#0 1.0, as soon as that episode is finished

The driver (the process that calls this) keeps a `Ledger` of the plans and has one call at a time open to each worker:
`advance(plans)` starts new plans, plays until an episode is finished or a second has passed, and returns the finished
ones. So every answer is a heartbeat; a worker that dies or stops answering is replaced, and its episodes are played
again. The processes stay between rollouts, because importing the libraries takes longer than loading a small policy.
"""

from __future__ import annotations

import functools
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from lumos_rl.core import Trajectory
from lumos_rl.errors import ConfigError, InfrastructureError, LumosError
from lumos_rl.policies.base import Policy
from lumos_rl.policies.processes import Process
from lumos_rl.policies.serving import Serving, Weightless
from lumos_rl.prompts import PromptProfile, get_profile
from lumos_rl.rollout.dispatch import Ledger, RolloutWorker
from lumos_rl.rollout.loop import Env
from lumos_rl.rollout.meters import Meters
from lumos_rl.rollout.plans import EpisodePlan
from lumos_rl.rollout.ray_cluster import connect, describe_error
from lumos_rl.rollout.ray_config import Cores, RayConfig, cores, count_engines, count_workers, has_gpu, settled
from lumos_rl.rollout.ray_engines import Engines, ServedPolicy, wait_for_memory

log = logging.getLogger(__name__)

FAILED_STARTS = 3  # failed starts in a row after which a worker is given up; a rollout without workers ends
BARREN_DEATHS = 10  # deaths in a row without a finished episode, beyond max_retries, after which a rollout ends
CLOSE_S = 10.0

_TRIES_S = (0.5, 2.0, 5.0, 10.0, 0.0)  # pause after each try to read a dead worker's output
_MARKER = re.compile(r":actor_name:|:job_id:|\x1b\[36mray::")  # lines that Ray adds to a worker's output


class RayWorkers:
    """Rollout workers, which live until `close`, or until a rollout is left before its end.

    They start with the first rollout. After each rollout they close their policies and environments, and workers on
    GPUs end, because the driver may train on these next. Shared engines stay for the next policy, unless they hold all
    GPUs of the driver's machine.

    Args:
        config: Cluster, workers, timeout; None takes the defaults.
        max_retries: How often an episode is played again after its worker died.
        large: As for `ray_config.cores`.
    """

    def __init__(self, config: RayConfig | None = None, max_retries: int = 2, large: bool = False) -> None:
        self._config, self._max_retries, self._large = config or RayConfig(), max_retries, large
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
        policy: Callable[[], Policy] | Serving | Weightless,
        make_env: Callable[[str], Env],
        profile: PromptProfile | str | None = None,
        concurrency: int = 64,
        label: str = "",
        tool_threads: int = 0,
    ) -> Iterator[Trajectory]:
        """Plays episodes and yields each trajectory as soon as it is finished.

        An episode does not depend on which worker plays it, as long as the policy samples each turn from its request's
        seed. Leaving the loop early, also by an exception or Ctrl-C, ends the workers; the next rollout starts new
        ones.

        Args:
            plans: The episodes to play, with unique ids.
            policy: Makes a worker's policy, inside the worker; a `Serving` is loaded into engines that workers share,
                and a `Weightless` policy needs no GPU and may limit the requests of all workers.
            make_env: Makes an environment for a benchmark, inside the worker.
            profile: As for `run_episodes`.
            concurrency: Maximum number of episodes under way in one worker.
            label: Name of this rollout in the logs and the dashboard, e.g. "gsm8k sft".
            tool_threads: Environment steps of one worker that run in parallel while the policy works.

        Returns:
            Trajectories in the order they finish. One whose workers died more than `max_retries` times has
            `StopReason.FAILED`, with the cause of the last death in `failure`.

        Raises:
            MissingExtraError: Ray is not installed.
            ConfigError: Two plans share an id, the cluster has no room for a worker, or another rollout of these
                workers is under way.
            LumosError: Raised by `policy`, `make_env` or an episode; it is not retried, as it would be raised again.
            InfrastructureError: No cluster at the address, or no worker starts or stays alive; the cause is attached.
        """
        if not plans:
            return iter(())
        self._ray = ray = connect(self._config)
        weights = not isinstance(policy, Weightless)
        engines = count_engines(ray.nodes(), self._config) if isinstance(policy, Serving) else 0
        large = self._large and weights
        room = count_workers(ray.nodes(), self._config, engines, weights, large)
        count = min(room, len(plans))
        if isinstance(policy, Weightless) and policy.limit is not None:
            count = min(count, policy.limit)
        ledger = Ledger(plans, count, concurrency, self._max_retries)
        gpus = 0.0 if engines else settled(ray.nodes(), self._config, weights).gpus_per_worker or 0.0
        cpus = cores(ray.nodes(), self._config, engines, large)
        self._places += [_Place(ray, cpus, index, gpus) for index in range(len(self._places), count)]
        profile = get_profile(profile) if isinstance(profile, str) else profile
        job = f" [{label}]" if label else ""
        load, config = (make_env, profile, tool_threads), self._config
        if isinstance(policy, Serving):
            self._serve(policy, room)
            patience = config.timeout_s + config.start_timeout_s  # a worker's engine may have to be restarted
            config = replace(config, timeout_s=patience)
        for place in self._places[:count]:
            place.policy = self._policy(policy, place, count)
            place.uses_gpu = gpus > 0 or (weights and not engines and has_gpu(ray.nodes()))
        return self._run(_Rollout(ray, config, self._places[:count], ledger, load, job))

    def _serve(self, serving: Serving, workers: int) -> None:
        """Makes the engines serve a version; running ones load its weights."""
        if self._engines is None:
            self._engines = Engines(self._ray, settled(self._ray.nodes(), self._config), workers)
        began = time.monotonic()
        for index, served in enumerate(self._engines.load(serving)):
            log.info(
                "engine-%d serves %s in processes %s after %.1f s",
                index,
                served.version,
                served.process_ids,
                time.monotonic() - began,
            )

    def _policy(
        self, policy: Callable[[], Policy] | Serving | Weightless, place: _Place, workers: int
    ) -> Callable[[], Policy]:
        if isinstance(policy, Weightless):
            return functools.partial(policy.make, policy.share(place.index, workers))
        if not isinstance(policy, Serving):
            return policy
        assert self._engines is not None, "they were started for this rollout"
        timeouts = self._config.start_timeout_s, self._config.timeout_s
        return functools.partial(
            ServedPolicy, self._engines.host(place.index), policy, f"rollout-worker-{place.index}", *timeouts
        )

    def _run(self, rollout: _Rollout) -> Iterator[Trajectory]:
        if self._busy:
            raise ConfigError("expected one rollout at a time, got a second before the first has ended; finish that")
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
        """Tells the workers to close policy and environments; ends those that do not answer, and those with GPUs."""
        calls = {place.actor.close.remote(): place for place in self._places if place.actor is not None}
        ready = [call for call, place in calls.items() if place.ready]  # the others close once they have started
        late = self._ray.wait(ready, num_returns=len(ready), timeout=CLOSE_S)[1] if ready else []
        for call in late:
            log.warning("%s did not close within %.0f s: it is ended", calls[call].name, CLOSE_S)
        self._end([place for call, place in calls.items() if call in late or place.uses_gpu])
        if self._engines is not None and not self._engines.stay:
            self._engines.close()
            self._engines = None

    def _end(self, places: Sequence[_Place]) -> None:
        """Ends workers, and waits until those that had GPUs have given their memory back."""
        with_gpus = [process for place in places if place.uses_gpu for process in place.processes()]
        for place in places:
            place.end()
        if with_gpus:
            wait_for_memory(with_gpus)

    def close(self) -> None:
        """Ends workers and engines. The cluster stays connected, and the next rollout starts new ones."""
        self._end(self._places)
        if self._engines is not None:
            self._engines.close()
            self._engines = None


class _Place:
    """The slot of one worker, which is replaced when it dies: its actor, and the one open call to it."""

    def __init__(self, ray: Any, cpus: Cores, index: int, gpus: float) -> None:
        threads = {"env_vars": {"OMP_NUM_THREADS": str(cpus.worker)}}
        remote = ray.remote(num_cpus=cpus.reserved, num_gpus=gpus, runtime_env=threads)
        self._ray, self._worker, self.index = ray, remote(RolloutWorker), index
        self.uses_gpu = gpus > 0  # whether its policy may hold memory that the driver needs
        self.policy: Callable[[], Policy] | None = None  # makes the policy of the current rollout
        self._lives = 0  # workers started so far
        self.name = ""
        self.actor: Any = None  # None while there is no worker
        self._told: Any = None  # the call that tells the worker's process
        self.call: Any = None  # None while the worker is idle
        self.since = 0.0  # time.monotonic() at that call
        self.ready = False  # whether the worker has the policy of the current rollout

    def start(self) -> None:
        """Starts a worker, unless there is one."""
        while self.actor is None:
            self.name = f"rollout-worker-{self.index}" + (f".{self._lives}" if self._lives else "")
            self._lives += 1
            try:
                self.actor = self._worker.options(name=self.name).remote(self.name)
                self._told = self.actor.processes.remote()
            except ValueError as error:
                if "already taken" not in str(error):  # by another worker of this process
                    raise

    def ask(self, method: str, job: str, *arguments: Any) -> None:
        """Calls a method of the worker. The call's name shows the job, since an actor's name is fixed."""
        call = getattr(self.actor, method).options(name=method + job)
        self.call, self.since = call.remote(*arguments), time.monotonic()

    def processes(self) -> tuple[Process, ...]:
        """The worker's process; () while it is starting, or where there is none."""
        if self.actor is None or not self._ray.is_initialized():
            return ()
        try:
            told: tuple[Process, ...] = self._ray.get(self._told, timeout=0)
        except (self._ray.exceptions.RayError, TimeoutError):
            return ()
        return told

    def end(self) -> None:
        """Ends the worker, if there is one."""
        if self.actor is not None and self._ray.is_initialized():
            self._ray.kill(self.actor, no_restart=True)
        self.actor, self.call, self.ready = None, None, False


class _Rollout:
    """The driver's side of one rollout: its calls to the workers, and their answers."""

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
        self._meters = Meters(ray.util.metrics)  # in the driver, as a worker's counts are lost when it dies

    def run(self) -> Iterator[Trajectory]:
        for place in self._places:
            place.call, place.ready = None, False
        while self._ledger.open:
            self._employ()
            for trajectory in self._hear():
                self._meters.episode(trajectory)
                yield trajectory

    def _employ(self) -> None:
        """Finds workers for waiting plans: ready ones first, then starts missing ones and loads the policy."""
        idle = [place for place in self._places if place.call is None]
        for place in idle:
            if place.ready:
                self._assign(place)
        for place in idle:
            if not place.ready and self._ledger.waiting and self._failed_starts[place.index] < FAILED_STARTS:
                place.start()
                place.ask("load", self._job, place.policy, *self._load)

    def _assign(self, place: _Place) -> None:
        """Gives a worker as many new plans as it has room for, and lets it play."""
        plans = self._ledger.take(place.index)
        place.call = None
        if self._ledger.held(place.index):
            place.ask("advance", self._job, plans)

    def _hear(self) -> Iterator[Trajectory]:
        """Waits for answers, processes them, and gives up workers past their deadline."""
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
        return place.since + (self._config.timeout_s if place.ready else self._config.start_timeout_s)

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
        self._assign(place)  # before the yield, so that the worker does not wait for the consumer
        yield from answer

    def _lose(self, place: _Place, error: Exception) -> Iterator[Trajectory]:
        """Gives up a worker; its episodes are played again, or are yielded as failed."""
        cause = getattr(error, "cause", None) or error  # Ray wraps what a method raises
        if isinstance(cause, LumosError) and not isinstance(cause, InfrastructureError):
            raise cause from error
        was_ready, words = place.ready, self._last_words(error)
        reason = f"{place.name}{self._job} {'died' if was_ready else 'did not get ready'}: {describe_error(cause)}"
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
        if self._barren >= BARREN_DEATHS + self._ledger.max_retries:
            hopeless = f"workers that stay alive, got {self._barren} deaths and no finished episode in between"
        if hopeless:
            raise InfrastructureError(f"expected {hopeless}; the last: {reason}") from error

    def _last_words(self, error: Exception) -> str:
        """The end of the worker's traceback, or of its stderr before it died; "" without either."""
        text = ""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            text = str(error)
        elif isinstance(error, self._ray.exceptions.RayActorError):
            text = self._stderr(error.actor_id)
        lines = [line for line in text.splitlines() if line.strip(" ^~") and not _MARKER.match(line)]
        return "".join(f"\n    | {line}" for line in lines[-20:])

    def _stderr(self, actor_id: str) -> str:
        """The end of a dead worker's output, or why it cannot be read; a busy cluster may need several tries."""
        state, reason = self._ray.util.state, "it is empty"
        where = self._ray.get_runtime_context().gcs_address  # other clusters may run on the machine
        for pause in _TRIES_S:
            try:
                text = "".join(state.get_log(where, actor_id=actor_id, suffix="err", tail=20, timeout=5))
                if text:  # at least Ray's markers
                    return text
            except (OSError, state.exception.RayStateApiException) as error:
                reason = describe_error(error)
            time.sleep(pause)
        return f"(its output cannot be read: {reason})"
