"""Settings of self-improvement: which episodes are learned, and how. Training takes from `sft` what it does not name.

settings = config.refine.rs.train.settings(config.sft)     # SFTSettings of rejection sampling
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Annotated

import tyro

from lumos_rl.checks import at_least, check, each, one_of
from lumos_rl.runs.entries import general_and_own
from lumos_rl.training.settings import DPOSettings, SFTSettings, check_training


class Refine(StrEnum):
    """One step of refinement: collect episodes with the current policy, then learn from them."""

    RS = "rs"  # rejection sampling: fine-tune on the episodes that succeeded
    DPO = "dpo"  # preferences between turns of better and worse episodes


@dataclass(frozen=True, slots=True)
class RejectionTraining:
    """How to fine-tune on episodes; everything else is as in `sft`.

    Attributes:
        epochs: Passes over the conversations; unused when max_steps is set.
        max_steps: Optimizer steps; None follows `epochs`. With neither, training takes as long as `sft`.
        learning_rate: Peak learning rate; None takes that of `sft`.
    """

    epochs: float | None = None
    max_steps: int | None = None
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        check_training(self, "refine.rs.train")

    def settings(self, sft: SFTSettings) -> SFTSettings:
        """The whole settings, given those of the run's SFT."""
        rate = sft.learning_rate if self.learning_rate is None else self.learning_rate
        if self.epochs is None and self.max_steps is None:
            return replace(sft, learning_rate=rate)
        epochs = sft.epochs if self.epochs is None else self.epochs
        return replace(sft, learning_rate=rate, epochs=epochs, max_steps=self.max_steps)


@dataclass(frozen=True, slots=True)
class PreferenceTraining:
    """How to optimise preferences. Lengths, types and what saves memory are as in `sft`, the rest is DPO's own.

    Attributes:
        beta: Strength of the pull to the reference model.
        sft_weight: Weight of an SFT loss on the chosen turn beside the DPO loss; 0 leaves it out. It keeps the chosen
            turn's own likelihood from falling, which DPO alone allows.
        epochs: Passes over the pairs; unused when max_steps is set.
        max_steps: Optimizer steps; None follows `epochs`.
        learning_rate: Peak learning rate.
        batch_size: Pairs per step and device.
        lora_rank: Rank of LoRA adapters, unless the model that training starts from is one; None trains all weights.
    """

    beta: float = 0.1  # Rafailov et al. 2023
    sft_weight: float = 1.0  # Pang et al. 2024 (iterative reasoning preference optimisation)
    epochs: float = 1.0
    max_steps: int | None = None
    learning_rate: float = 1e-6  # TRL's default for DPO
    batch_size: int = 16
    lora_rank: int | None = None

    def __post_init__(self) -> None:
        self.settings(SFTSettings())  # which checks them

    def settings(self, sft: SFTSettings) -> DPOSettings:
        """The whole settings, given those of the run's SFT."""
        return DPOSettings(
            **{item.name: getattr(self, item.name) for item in fields(self)},
            scheduler=sft.scheduler,
            gradient_accumulation=sft.gradient_accumulation,
            max_length=sft.max_length,
            dtype=sft.dtype,
            gradient_checkpointing=sft.gradient_checkpointing,
            save_steps=sft.save_steps,
        )


@dataclass(frozen=True, slots=True)
class RejectionConfig:
    """Rejection sampling: which episodes are learned, and how.

    Attributes:
        tasks: Tasks of each benchmark that are tried for this; None tries all of data.explore. Steps take them in turn:
            each continues behind those that the step before it took, and starts over where they are used up.
        samples: Episodes per task, at the first of rollout.temperatures; None stands for rollout.samples. Different
            tasks teach more than the same ones again.
        min_reward: Least share of the reward that its task can give, of an episode that is learned, and others for
            single benchmarks as BENCHMARK=SHARE: `1.0 webshop=0.75` also learns purchases that are nearly right.
        max_per_task: Most different episodes learned per task.
        resample: Copies, with other numbers, names and things, of every math task that was solved, that are learned
            too: a plan that solved its task is an annotation nobody had to write.
        rename: Copies, with other names, ids and values, of every other episode that is learned.
        annotated: Whether the annotated conversations are learned again beside the episodes.
        balanced: Whether every benchmark is learned about as often; else those whose tasks are solved often crowd out
            the others.
        train: How to fine-tune on them.
    """

    tasks: int | None = None
    samples: int | None = None
    min_reward: tuple[str, ...] = ("1.0",)
    max_per_task: int = 4
    resample: int = 0
    rename: int = 0
    annotated: bool = True
    balanced: bool = False
    train: RejectionTraining = field(default_factory=RejectionTraining)

    def __post_init__(self) -> None:
        _check_step(self, "refine.rs")
        check(self, "refine.rs", resample=at_least(0), rename=at_least(0))
        self.least()

    def least(self) -> tuple[float, dict[str, float]]:
        """What `min_reward` says: the share for all benchmarks, and those for single ones."""
        return general_and_own(self.min_reward, 1.0, most=1.0)


def _check_step(settings: object, section: str) -> None:
    tasks, samples = at_least(1, none="None for all"), at_least(1, none="None for rollout.samples")
    check(settings, section, tasks=tasks, samples=samples, max_per_task=at_least(1))


@dataclass(frozen=True, slots=True)
class PreferenceConfig:
    """DPO: which pairs are built, and how they are learned.

    Attributes:
        tasks: Tasks of each benchmark that are tried for this; None tries all of data.explore. Taken in turn, as in
            rejection sampling.
        samples: Episodes per task; None stands for rollout.samples. A pair needs a task that is solved by some of them.
        min_margin: Least difference between the mean rewards after the two turns of a pair, as shares of what the task
            can give, and others for single benchmarks as BENCHMARK=SHARE: `0.5 webshop=0.2` where a metric counts
            parts.
        max_per_task: Most pairs per task.
        train: How to optimise them.
    """

    tasks: int | None = None
    samples: int | None = None
    min_margin: tuple[str, ...] = ("0.5",)
    max_per_task: int = 4
    train: PreferenceTraining = field(default_factory=PreferenceTraining)

    def __post_init__(self) -> None:
        _check_step(self, "refine.dpo")
        self.least()

    def least(self) -> tuple[float, dict[str, float]]:
        """What `min_margin` says: the difference for all benchmarks, and those for single ones."""
        return general_and_own(self.min_margin, 0.5, most=2.0)  # a reward may be negative


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """Self-improvement: what is done, in which order, with episodes of the current policy.

    Attributes:
        steps: Steps of one iteration, each of rs or dpo; every step collects new episodes.
        iterations: How often the steps are repeated; also the flag --iterations.
        rs: Rejection sampling.
        dpo: Preferences.
    """

    steps: tuple[Refine, ...] = (Refine.RS, Refine.DPO)
    iterations: Annotated[int, tyro.conf.arg(aliases=["--iterations"])] = 1
    rs: RejectionConfig = field(default_factory=RejectionConfig)
    dpo: PreferenceConfig = field(default_factory=PreferenceConfig)

    def __post_init__(self) -> None:
        check(self, "refine", steps=each(one_of(Refine)), iterations=at_least(1))
