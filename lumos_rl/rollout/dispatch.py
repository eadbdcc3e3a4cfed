"""A rollout over several processes, independent of what starts them: the driver's ledger and the worker.

    ledger = Ledger(plans, workers=2, concurrency=64, max_retries=2)
    ledger.take(0)                            # [EpisodePlan(…), …]: new plans for worker 0
    ledger.finished(0, trajectories)          # worker 0 has played these
    ledger.lost(0, "sft", "killed")           # worker 0 is gone: its plans wait again, or are returned as failed

Each plan is either waiting, held by one worker, or finished, so no trajectory is lost or duplicated. The last retry of
a plan runs alone on its worker, so that an episode that kills its worker cannot take others with it.
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
from lumos_rl.policies.processes import Process, here
from lumos_rl.prompts import PromptProfile
from lumos_rl.rollout.loop import Env, EpisodePool
from lumos_rl.rollout.plans import EpisodePlan

REPORT_EVERY_S = 1.0


class Ledger:
    """Tracks which plans wait, which worker holds which, and how often each lost its worker.

    Args:
        plans: The episodes to play.
        workers: Number of workers; each is known by its index.
        concurrency: Maximum number of episodes that one worker holds.
        max_retries: How often an episode is played again after its worker was lost.

    Raises:
        ConfigError: Two plans share an id, or concurrency is below 1.
    """

    def __init__(self, plans: Sequence[EpisodePlan], workers: int, concurrency: int, max_retries: int) -> None:
        repeated = [name for name, count in Counter(plan.id for plan in plans).items() if count > 1]
        if repeated or concurrency < 1:
            raise ConfigError(
                f"expected plans with unique ids and concurrency >= 1, got {len(repeated)} repeated ids"
                f" {repeated[:3]} and concurrency={concurrency}"
            )
        self._queue, self._last_tries = deque(plans), deque[EpisodePlan]()
        self._share = min(concurrency, math.ceil(len(plans) / workers))  # so that no worker stays idle
        self.max_retries = max_retries
        self._held: list[dict[str, EpisodePlan]] = [{} for _ in range(workers)]  # by worker, by plan id
        self._alone = [False] * workers  # whether a worker plays a last retry
        self._losses: Counter[str] = Counter()  # by plan id

    @property
    def waiting(self) -> bool:
        """Whether some plan is not held by a worker."""
        return bool(self._queue or self._last_tries)

    @property
    def open(self) -> bool:
        """Whether some plan is not finished."""
        return self.waiting or any(self._held)

    def held(self, worker: int) -> int:
        """Number of plans that a worker holds."""
        return len(self._held[worker])

    def take(self, worker: int) -> list[EpisodePlan]:
        """Assigns a worker as many plans as it has room for, and returns them."""
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
        """Removes the plans that a worker has played."""
        for trajectory in trajectories:
            del self._held[worker][trajectory.id]

    def lost(self, worker: int, version: str, reason: str) -> list[Trajectory]:
        """Takes back the plans of a worker that is gone.

        Args:
            worker: Index of the worker.
            version: Version of the policy, for the trajectories.
            reason: How it was lost, for people.

        Returns:
            The failed trajectories of plans without retries left.
        """
        plans, self._held[worker], failed = list(self._held[worker].values()), {}, []
        for plan in plans:
            self._losses[plan.id] += 1
            losses = self._losses[plan.id]
            if losses > self.max_retries:
                failure = f"played {losses} times, and each time its worker died; the last time, {reason}"
                failed.append(plan.trajectory(version, StopReason.FAILED, failure=failure))
            elif losses == self.max_retries:
                self._last_tries.append(plan)
            else:
                self._queue.append(plan)
        return failed


class RolloutWorker:
    """Plays episodes in a process of its own, with one policy after another.

    It is synchronous, so that policy and environments stay in the process's main thread, as in a local rollout.

    Args:
        name: Its `repr`, which Ray shows as the name of the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = contextlib.ExitStack()

    def __repr__(self) -> str:
        return self._name

    def processes(self) -> tuple[Process, ...]:
        """This process."""
        return (here(),)

    def load(
        self,
        make_policy: Callable[[], Policy],
        make_env: Callable[[str], Env],
        profile: PromptProfile | None,
        tool_threads: int = 0,
    ) -> str:
        """Closes the previous policy and its environments, makes the new policy, and returns its version."""
        self.close()
        policy = make_policy()
        self._open.callback(policy.close)
        self._pool = EpisodePool(make_env, policy, profile, tool_threads)
        self._open.callback(self._pool.close)
        return policy.version

    def advance(self, plans: Sequence[EpisodePlan]) -> list[Trajectory]:
        """Starts `plans` and plays until an episode is finished or `REPORT_EVERY_S` has passed.

        Returns:
            Finished trajectories; [] if there are none yet.
        """
        until = time.monotonic() + REPORT_EVERY_S
        finished = [trajectory for plan in plans for trajectory in self._pool.start(plan)]
        while self._pool.live and not finished and time.monotonic() < until:
            finished.extend(self._pool.step(REPORT_EVERY_S))
        return finished

    def close(self) -> None:
        """Closes environments and policy; `load` may be called again."""
        self._open.close()
