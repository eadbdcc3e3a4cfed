"""Both ends of a rollout over several processes, whatever starts them: the driver's ledger and the worker.

    ledger = Ledger(plans, workers=2, concurrency=64, max_retries=2)
    ledger.take(0)                            # [EpisodePlan(…), …]: worker 0 is to play these besides what it has
    ledger.finished(0, trajectories)          # it has played these
    ledger.lost(0, "sft", "killed")           # it is gone: what it had waits again, or comes back as failed

A plan waits, or one worker has it, or it is over: so no trajectory is lost, and none comes twice. A plan that lost its
worker again and again has its last try alone, so that one deadly episode cannot take others with it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from lumos_rl.core import StopReason, Trajectory
from lumos_rl.errors import ConfigError
from lumos_rl.policies.base import Policy
from lumos_rl.prompts import PromptProfile
from lumos_rl.rollout.loop import Env, EpisodePool
from lumos_rl.rollout.plans import EpisodePlan

REPORT_EVERY_S = 1.0


class Ledger:
    """Which plan waits, which worker has it, and how many workers it has lost.

    Args:
        plans: The episodes to play.
        workers: How many workers share them; each is known by a number.
        concurrency: Most episodes that one worker has at once.
        max_retries: How often an episode is played again after its worker was lost.

    Raises:
        ConfigError: Two plans with one id, or a concurrency below 1.
    """

    def __init__(self, plans: Sequence[EpisodePlan], workers: int, concurrency: int, max_retries: int) -> None:
        repeated = [name for name, count in Counter(plan.id for plan in plans).items() if count > 1]
        if repeated or concurrency < 1:
            raise ConfigError(
                f"expected plans with ids of their own and concurrency >= 1, got {len(repeated)} repeated ids"
                f" {repeated[:3]} and concurrency={concurrency}"
            )
        self._queue, self._last_tries = deque(plans), deque[EpisodePlan]()
        self._share = min(concurrency, math.ceil(len(plans) / workers))  # nobody takes what another could play
        self._max_retries = max_retries
        self._held: list[dict[str, EpisodePlan]] = [{} for _ in range(workers)]  # by worker, by plan id
        self._alone = [False] * workers  # whether a worker's one plan has its last try
        self._losses: Counter[str] = Counter()  # by plan id

    @property
    def waiting(self) -> bool:
        """Whether there is a plan that no worker has."""
        return bool(self._queue or self._last_tries)

    @property
    def open(self) -> bool:
        """Whether there is a plan that is not over."""
        return self.waiting or any(self._held)

    def held(self, worker: int) -> int:
        """How many plans a worker has."""
        return len(self._held[worker])

    def take(self, worker: int) -> list[EpisodePlan]:
        """Gives a worker as many plans as it has room for, and returns them."""
        held = self._held[worker]
        self._alone[worker] = self._alone[worker] and bool(held)
        plans: list[EpisodePlan] = []
        if self._queue and not self._alone[worker]:
            plans = [self._queue.popleft() for _ in range(min(self._share - len(held), len(self._queue)))]
        elif self._last_tries and not held:
            self._alone[worker] = True
            plans = [self._last_tries.popleft()]
        held.update((plan.id, plan) for plan in plans)
        return plans

    def finished(self, worker: int, trajectories: Iterable[Trajectory]) -> None:
        """Strikes off what a worker has played."""
        for trajectory in trajectories:
            del self._held[worker][trajectory.id]

    def lost(self, worker: int, version: str, reason: str) -> list[Trajectory]:
        """Takes everything from a worker that is gone.

        Args:
            worker: Which one.
            version: Version of the policy, for the trajectories.
            reason: How it went, for people.

        Returns:
            The failed trajectories of plans that are not tried again.
        """
        plans, self._held[worker], failed = list(self._held[worker].values()), {}, []
        for plan in plans:
            self._losses[plan.id] += 1
            losses = self._losses[plan.id]
            if losses > self._max_retries:
                failure = f"played {losses} times, and each time its worker died; the last time, {reason}"
                failed.append(plan.trajectory(version, StopReason.FAILED, failure=failure))
            elif losses == self._max_retries:
                self._last_tries.append(plan)
            else:
                self._queue.append(plan)
        return failed


class RolloutWorker:
    """Plays episodes in a process of its own, with one policy after another.

    It is synchronous, so that policy and environments stay in the process's main thread, as in a local rollout.

    Args:
        name: Shown where the process is shown.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = contextlib.ExitStack()

    def __repr__(self) -> str:
        return self._name

    def load(
        self,
        make_policy: Callable[[], Policy],
        make_env: Callable[[str], Env],
        profile: PromptProfile,
        tool_threads: int = 0,
    ) -> str:
        """Closes what an earlier rollout left open, makes the policy, and returns its version."""
        self.close()
        policy = make_policy()
        self._open.callback(policy.close)
        self._pool = EpisodePool(make_env, policy, profile, tool_threads)
        self._open.callback(self._pool.close)
        return policy.version

    def advance(self, plans: Sequence[EpisodePlan]) -> list[Trajectory]:
        """Starts `plans` and plays on until an episode is finished or a second is over.

        Returns:
            What is finished; [] when nothing is yet.
        """
        until = time.monotonic() + REPORT_EVERY_S
        finished = [trajectory for plan in plans for trajectory in self._pool.start(plan)]
        while self._pool.live and not finished and time.monotonic() < until:
            finished.extend(self._pool.step(REPORT_EVERY_S))
        return finished

    def close(self) -> None:
        """Closes environments and policy; another `load` is welcome."""
        self._open.close()
