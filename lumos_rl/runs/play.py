"""Plays episodes of a run on Ray and saves each in the run folder as soon as it ends.

player = job.player(run)
episodes = player.play(run.checkpoint("sft"), "sft", tasks, rollout, TRAJECTORIES)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lumos_rl.console import Progress
from lumos_rl.core import StopReason, Task, Trajectory
from lumos_rl.prompts import PROFILE_FILE, PromptProfile
from lumos_rl.rollout.failures import Failures
from lumos_rl.rollout.loop import Env
from lumos_rl.rollout.plans import SEED, EpisodePlan, RolloutConfig, plan_episodes
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.policies import Factory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Player:
    """Plays the episodes of a run.

    Attributes:
        run: The run folder that keeps the episodes, and whose workers play them.
        policy: Checkpoint and version → how workers get that policy.
        make_env: Makes an environment for a benchmark, inside a worker.
        profile: Prompt profile for checkpoints without their own.
    """

    run: RunFolder
    policy: Callable[[Path, str], Factory]
    make_env: Callable[[str], Env]
    profile: PromptProfile

    def play(
        self,
        checkpoint: Path,
        version: str,
        tasks: Sequence[Task],
        rollout: RolloutConfig,
        file: str,
        examples: Mapping[str, Sequence[Task]] | None = None,
        seed: int = SEED,
    ) -> list[Trajectory]:
        """Plays missing episodes of this policy on these tasks and returns all of them.

        Args:
            checkpoint: The policy's folder.
            version: The policy's name; together with a plan it identifies an episode.
            tasks: Tasks of one or more benchmarks.
            rollout: How they are played.
            file: The run's file for the episodes.
            examples: Annotated tasks that episodes start with, by benchmark; None for none.
            seed: Seed of the episodes, as for `plan_episodes`.

        Returns:
            One trajectory per plan, in the order of the plans, including failed ones.

        Raises:
            InfrastructureError: More than a small share of them failed, see `Failures`; the others are kept.
        """
        plans = plan_episodes(tasks, rollout, examples, seed)
        found = {trajectory.id: trajectory for trajectory in self._stored(version, plans, file)}
        missing = [plan for plan in plans if plan.id not in found or found[plan.id].stop_reason == StopReason.FAILED]
        # A model gets the prompts that it was trained with.
        own = PromptProfile.load(checkpoint) if (checkpoint / PROFILE_FILE).is_file() else None
        played = self.run.workers.collect(
            missing,
            self.policy(checkpoint, version),
            self.make_env,
            own or self.profile,
            rollout.concurrency,
            f"{'+'.join(sorted({plan.task.benchmark for plan in missing}))} {version}",
            rollout.tool_threads,
        )
        failures = Failures(f"episodes of {version}")
        for trajectory in _shown(played, len(missing), f"episodes of {version}"):
            self.run.add(file, trajectory)
            found[trajectory.id] = trajectory
            failures.note(trajectory)
        failures.check([found[plan.id] for plan in plans])
        return [found[plan.id] for plan in plans]

    def played(
        self, version: str, tasks: Sequence[Task], rollout: RolloutConfig, file: str, seed: int = SEED
    ) -> list[Trajectory]:
        """The episodes of `play` in the run folder, without examples, in the order of the plans; plays nothing."""
        return self._stored(version, plan_episodes(tasks, rollout, seed=seed), file)

    def _stored(self, version: str, plans: Sequence[EpisodePlan], file: str) -> list[Trajectory]:
        """The last try of each plan in a file of the run folder."""
        wanted = {plan.id: plan for plan in plans}
        kept: dict[str, Trajectory] = {}
        for each in self.run.read(Trajectory, file, version):
            plan = wanted.get(each.id)
            if plan is not None and plan.gave(each):
                kept[each.id] = each
        return [kept[plan.id] for plan in plans if plan.id in kept]


def _shown(trajectories: Iterator[Trajectory], total: int, what: str) -> Iterator[Trajectory]:
    """Passes trajectories on and shows the share of solved ones: in a bar on a terminal, else in lines of the log."""
    solved = played = 0
    lines = Progress(what, total, "episodes", log.info)
    with tqdm(trajectories, total=total, desc=what, unit="episode", mininterval=2, leave=False, disable=None) as bar:
        for trajectory in bar:
            played += 1
            solved += trajectory.success
            share = f"{solved / played:.0%} solved"
            bar.set_postfix_str(share, refresh=False)
            if bar.disable:
                lines.at(played, share)
            yield trajectory


def describe(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Counts and rates of a rollout."""
    scored = [trajectory for trajectory in trajectories if trajectory.failure is None]
    turns = [turn for trajectory in scored for turn in trajectory.turns]
    return {
        "episodes": len(trajectories),
        "failed": len(trajectories) - len(scored),
        "success": sum(trajectory.success for trajectory in scored) / max(1, len(scored)),
        "tasks": len({trajectory.task_id for trajectory in scored}),
        "tasks_solved": len({trajectory.task_id for trajectory in scored if trajectory.success}),
        "turns": len(turns),
        "invalid_turns": sum(turn.error is not None for turn in turns) / max(1, len(turns)),
        "generated_tokens": sum(turn.completion_tokens for turn in turns),
    }
