"""The steps of a run's refinement, each with the tasks that it tries.

steps = refine_steps(config, explore)
steps[0].version, steps[0].collecting     # "rs-1", "collect-for-rs-1"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lumos_rl.core import Task
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.refine_settings import Refine


@dataclass(frozen=True, slots=True)
class RefineStep:
    """One planned step of the refinement.

    Attributes:
        version: Name of the resulting policy.
        kind: How it learns.
        explore: Tasks that the previous policy plays for it.
        rollout: How they are played.
    """

    version: str
    kind: Refine
    explore: list[Task]
    rollout: RolloutConfig

    @property
    def collecting(self) -> str:
        """Name of the stage that plays its episodes."""
        return f"collect-for-{self.version}"


def refine_steps(config: RunConfig, explore: Sequence[Task]) -> list[RefineStep]:
    """Every step of a run's refinement.

    Args:
        config: The run's settings.
        explore: Tasks without plans, of one benchmark or more.

    Returns:
        The steps in order. A step with a limited number of tasks continues, in each benchmark, after the tasks of
        earlier such steps and wraps around at the end, so that it gets new tasks as long as there are any.
    """
    steps: list[RefineStep] = []
    begun = 0
    for number, kind in enumerate(config.refine.steps * config.refine.iterations, 1):
        settings = config.refine.rs if kind == Refine.RS else config.refine.dpo
        tried = list(explore) if settings.tasks is None else _next(explore, begun, settings.tasks)
        begun += settings.tasks or 0
        rollout = replace(config.rollout, samples=settings.samples or config.rollout.samples)
        steps.append(RefineStep(f"{kind}-{number}", kind, tried, rollout))
    return steps


def _next(tasks: Sequence[Task], begun: int, count: int) -> list[Task]:
    """Up to `count` tasks of every benchmark, from index `begun` on, wrapping around at the end."""
    found: list[Task] = []
    for benchmark in dict.fromkeys(task.benchmark for task in tasks):
        own = [task for task in tasks if task.benchmark == benchmark]
        found += [own[number % len(own)] for number in range(begun, begun + min(count, len(own)))]
    return found
