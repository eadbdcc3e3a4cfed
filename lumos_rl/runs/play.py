"""Plays episodes of a run on Ray and keeps each of them, the moment it ends, in the run folder.

player = job.player(run)
episodes = player.play(run.checkpoint("sft"), "sft", tasks, rollout, TRAJECTORIES)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lumos_rl.core import StopReason, Task, Trajectory
from lumos_rl.errors import InfrastructureError
from lumos_rl.prompts import PROFILE_FILE, PromptProfile
from lumos_rl.rollout.loop import Env
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.policies import Factory


@dataclass(frozen=True, slots=True)
class Player:
    """Plays the episodes of a run.

    Attributes:
        run: Where episodes are kept, and whose workers play them.
        policy: Checkpoint and version → how workers come by that policy.
        make_env: Makes an environment for a benchmark, inside a worker.
        profile: Prompt profile of checkpoints that bring none of their own.
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
    ) -> list[Trajectory]:
        """Plays what is not played yet and returns all episodes of this policy on these tasks.

        Args:
            checkpoint: The policy's folder.
            version: The policy's name; with a plan's id it tells episodes apart.
            tasks: Tasks of one or more benchmarks.
            rollout: How they are played.
            file: The run's file that keeps them.
            examples: By benchmark, annotated tasks that its episodes start with; None for none.

        Returns:
            One trajectory per plan, in the order of the plans. Those that failed for the machinery's sake are among
            them.

        Raises:
            InfrastructureError: More than half of them failed so; the others are kept.
        """
        found = {trajectory.id: trajectory for trajectory in self.played(version, tasks, rollout, file)}
        plans = plan_episodes(tasks, rollout, examples)
        missing = [plan for plan in plans if plan.id not in found or found[plan.id].stop_reason == StopReason.FAILED]
        # What a model was trained with, it is asked with.
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
        for trajectory in _shown(played, len(missing), f"episodes of {version}"):
            self.run.add(file, trajectory)
            found[trajectory.id] = trajectory
        failed = [found[plan.id] for plan in plans if found[plan.id].failure is not None]
        if 2 * len(failed) > len(plans):
            raise InfrastructureError(
                f"expected episodes of {version}, got {len(failed)} of {len(plans)} that the machinery failed; the"
                f" last: {failed[-1].failure}. Mend it and start again: the others are kept, and these are played anew"
            )
        return [found[plan.id] for plan in plans]

    def played(self, version: str, tasks: Sequence[Task], rollout: RolloutConfig, file: str) -> list[Trajectory]:
        """What `play` has left in the run folder, in the order of the plans; nothing is played."""
        kept = {each.id: each for each in self.run.read(Trajectory, file) if each.policy == version}  # the last try
        found = [(plan.task, kept[plan.id]) for plan in plan_episodes(tasks, rollout) if plan.id in kept]
        return [episode for task, episode in found if episode.instruction == task.instruction]  # a file may be another


def _shown(trajectories: Iterator[Trajectory], total: int, what: str) -> Iterator[Trajectory]:
    """Passes trajectories on, with a progress bar of how many are solved."""
    solved = played = 0
    with tqdm(trajectories, total=total, desc=what, unit="episode", mininterval=2, leave=False) as bar:
        for trajectory in bar:
            played += 1
            solved += trajectory.success
            bar.set_postfix_str(f"{solved / played:.0%} solved", refresh=False)
            yield trajectory


def describe(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """What a rollout came to, in numbers."""
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
