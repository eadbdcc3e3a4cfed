"""Replays stored episodes action by action and reports differences.

    for difference in replay(trajectory, task, env):
        print(difference)      # gsm8k/train/17#0 turn 3 observation: stored 'R1 = 5', now 'R1 = 6'

No model is used: the stored actions go to a reset environment, and observations, rewards, errors and the end of the
episode must equal the stored ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lumos_rl.agent import FINISH
from lumos_rl.core import StopReason, Task, Trajectory, Turn
from lumos_rl.errors import EpisodeError
from lumos_rl.rollout.loop import CUT, Env


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between a stored episode and its replay.

    Attributes:
        episode: Id of the trajectory.
        turn: Index of its turn; None for the episode as a whole.
        what: Name of the field.
        stored: Its stored value.
        now: Its value in the replay.
    """

    episode: str
    turn: int | None
    what: str
    stored: Any
    now: Any

    def __str__(self) -> str:
        where = self.episode if self.turn is None else f"{self.episode} turn {self.turn}"
        return f"{where} {self.what}: stored {self.stored!r}, now {self.now!r}"


def replay(trajectory: Trajectory, task: Task, env: Env) -> list[Difference]:
    """Replays one stored episode.

    Args:
        trajectory: The stored episode. If it failed, only the steps before the failure are compared.
        task: Its task.
        env: An environment of its benchmark.

    Returns:
        All differences. The replay stops where the environment has ended but the stored episode continues.
    """
    env.reset(seed=trajectory.seed, options={"task": task})
    found: list[Difference] = []
    info: Mapping[str, Any] = {}
    ended = truncated = False
    for index, turn in enumerate(trajectory.turns):
        if not turn.action and not turn.observation:  # no step was made; a step with an empty action has an observation
            continue
        try:
            observation, reward, terminated, truncated, info = env.step(turn.action)
        except EpisodeError:
            return [*found, Difference(trajectory.id, index, "step", turn.observation, "the episode is over")]
        ended = terminated or truncated
        now = {"observation": observation, "reward": float(reward), "error": info.get("error") or _cut(turn)}
        found += [
            Difference(trajectory.id, index, name, getattr(turn, name), value)
            for name, value in now.items()
            if getattr(turn, name) != value
        ]
    if trajectory.failure is not None:
        return found
    if not ended:  # the agent could not end it, so the loop did
        info = env.step(FINISH)[4]
    return found + _end(trajectory, info, truncated)


def _cut(turn: Turn) -> str | None:
    """The error that the loop, not the environment, gives a turn."""
    return CUT if turn.finish_reason == "length" else None


def _end(trajectory: Trajectory, info: Mapping[str, Any], truncated: bool) -> list[Difference]:
    now = {
        "success": bool(info.get("success", False)),
        "answer": info.get("answer"),
        "metrics": dict(info.get("metrics", {})),
    }
    ends = [
        Difference(trajectory.id, None, name, getattr(trajectory, name), value)
        for name, value in now.items()
        if getattr(trajectory, name) != value
    ]
    if truncated != (trajectory.stop_reason == StopReason.TRUNCATED):
        ends.append(Difference(trajectory.id, None, "truncated", not truncated, truncated))
    return ends


@dataclass(slots=True)
class Count:
    """Totals of a replay.

    Attributes:
        episodes: Replayed episodes.
        steps: Their steps.
        missing: Episodes whose task no longer belongs to the run.
        differences: Differences found.
    """

    episodes: int = 0
    steps: int = 0
    missing: int = 0
    differences: int = 0


def replay_all(
    trajectories: Iterable[Trajectory], tasks: Iterable[Task], make: Callable[[str], Env], say: Callable[[str], None]
) -> Count:
    """Replays stored episodes.

    Args:
        trajectories: The stored episodes.
        tasks: The run's tasks.
        make: Makes an environment for a benchmark; called once per benchmark.
        say: Called with a line about each difference.
    """
    by_id, envs, count = {task.id: task for task in tasks}, dict[str, Env](), Count()
    for trajectory in trajectories:
        task = by_id.get(trajectory.task_id)
        if task is None:
            count.missing += 1
            say(f"{trajectory.id}: its task no longer exists")
            continue
        if task.benchmark not in envs:
            envs[task.benchmark] = make(task.benchmark)
        differences = replay(trajectory, task, envs[task.benchmark])
        count.episodes += 1
        count.steps += sum(bool(turn.action or turn.observation) for turn in trajectory.turns)
        count.differences += len(differences)
        for difference in differences:
            say(str(difference))
    for env in envs.values():
        env.close()
    return count
