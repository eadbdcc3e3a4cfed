"""Which episodes a rollout plays, and what fixes the course of each.

    plans = plan_episodes(tasks, RolloutConfig(samples=2, temperatures=(0.0, 1.0)))
    plans[0].id      # "gsm8k/test/0#0"
    plans[0].seed    # from the task and the sample: the same in every process, and in every run's test
    plan_episodes(tasks, RolloutConfig(), seed=exploration_seed(0, "rs-1", "sft"))     # what one step of one run plays

`lumos_rl.rollout.loop` plays plans.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lumos_rl.checks import at_least, between, check, each, one_of
from lumos_rl.core import Formulation, StopReason, Task, Trajectory
from lumos_rl.policies.base import Sampling

SEED = 0  # of test episodes: a task's sample is the same in every run


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """How episodes are played.

    Attributes:
        formulation: iterative (Lumos-I), onetime (Lumos-O), integrated, cot or direct.
        samples: Episodes per task.
        temperatures: Sampling temperature of each sample, reused in turn; 0 is greedy.
        top_p: Probability mass that is sampled from.
        max_subgoals: Most subgoals of one episode.
        max_new_tokens: Most tokens of one model turn.
        concurrency: Episodes under way at once, per worker.
        tool_threads: Environment steps that run at once beside the engine, per worker, for tools that wait for a
            network or a process; 0 runs them in the loop itself, which is quickest for tools that only compute.
        logprobs: Whether trajectories keep the log-probability of every sampled token.
    """

    formulation: Formulation = Formulation.ITERATIVE
    samples: int = 1
    temperatures: tuple[float, ...] = (0.0,)
    top_p: float = 1.0
    max_subgoals: int = 8  # Yin et al. 2023, released GSM8K evaluation
    max_new_tokens: int = 512  # Yin et al. 2023, released inference code
    concurrency: int = 64
    tool_threads: int = 0
    logprobs: bool = False

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("samples", "max_subgoals", "max_new_tokens", "concurrency"), at_least(1))
        check(
            self,
            "rollout",
            formulation=one_of(Formulation),
            temperatures=each(at_least(0)),
            top_p=between(0, 1, without=(0,)),
            tool_threads=at_least(0),
            **counts,
        )


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """One episode to play: everything that fixes its course, given a policy.

    Attributes:
        task: The task.
        sample: Which sample of the task.
        seed: Seed of the episode.
        sampling: How turns are drawn.
        formulation: How the episode is split into turns.
        max_subgoals: Most subgoals.
        examples: Annotated tasks whose conversations come before the episode's own (in-context learning).
    """

    task: Task
    sample: int
    seed: int
    sampling: Sampling
    formulation: Formulation
    max_subgoals: int
    examples: tuple[Task, ...] = ()

    def gave(self, trajectory: Trajectory) -> bool:
        """Whether a stored episode of the same policy is this one: the same task, noise and sampling."""
        sampling = trajectory.temperature, trajectory.top_p, trajectory.max_new_tokens, trajectory.formulation
        return (
            trajectory.id == self.id
            and trajectory.seed == self.seed
            and trajectory.instruction == self.task.instruction
            and sampling
            == (self.sampling.temperature, self.sampling.top_p, self.sampling.max_new_tokens, self.formulation.value)
        )

    @property
    def id(self) -> str:
        """Id of the trajectory that comes of it."""
        return f"{self.task.id}#{self.sample}"

    def trajectory(self, policy: str, reason: StopReason, **rest: Any) -> Trajectory:
        """The trajectory that comes of this plan.

        Args:
            policy: Version of the policy that played it.
            reason: Why it ended.
            **rest: Fields of `Trajectory` that the plan does not fix; those left out say that nothing was played.
        """
        played = {"turns": (), "reward": 0.0, "success": False, "answer": None, **rest}
        return Trajectory(
            id=self.id,
            task_id=self.task.id,
            benchmark=self.task.benchmark,
            split=self.task.split,
            instruction=self.task.instruction,
            formulation=self.formulation.value,
            policy=policy,
            sample=self.sample,
            seed=self.seed,
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            max_new_tokens=self.sampling.max_new_tokens,
            stop_reason=reason.value,
            **played,
        )


def exploration_seed(run_seed: int, step: str, policy: str) -> int:
    """Seed of the episodes that a step of a run plays to learn from: every step, policy and run draws its own noise.

    Args:
        run_seed: The run's seed.
        step: Name of the step, such as "rs-1".
        policy: Version of the policy that plays.
    """
    return derive_seed("explore", run_seed, step, policy)


def plan_episodes(
    tasks: Sequence[Task],
    config: RolloutConfig,
    examples: Mapping[str, Sequence[Task]] | None = None,
    seed: int = SEED,
) -> list[EpisodePlan]:
    """Every episode of a rollout, sample by sample, so that each task is tried once before any is tried twice.

    Args:
        tasks: The tasks.
        config: How they are played.
        examples: By benchmark, the annotated tasks that its episodes start with; None for none.
        seed: Together with task, sample and examples it fixes the seed of each episode; see `exploration_seed`.
    """
    shown = examples or {}
    samples = range(config.samples)
    return [_plan(task, sample, config, shown.get(task.benchmark, ()), seed) for sample in samples for task in tasks]


def _plan(task: Task, sample: int, config: RolloutConfig, examples: Sequence[Task], seed: int) -> EpisodePlan:
    temperature = config.temperatures[sample % len(config.temperatures)]
    sampling = Sampling(temperature, config.top_p, config.max_new_tokens, logprobs=config.logprobs)
    own = derive_seed(seed, task.id, sample, *(example.id for example in examples))
    return EpisodePlan(task, sample, own, sampling, config.formulation, config.max_subgoals, tuple(examples))


def derive_seed(*parts: object) -> int:
    """A 31-bit seed from any printable parts, the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") >> 1
