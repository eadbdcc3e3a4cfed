"""Settings of every kind of training. Nothing heavy is imported here: flags are read before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lumos_rl.checks import above, at_least, between, check, one_of
from lumos_rl.errors import ConfigError

DTYPES = ("float32", "bfloat16")  # Adam's small numbers vanish in float16
SCHEDULERS = ("linear", "cosine", "constant", "constant_with_warmup")
FEEDFORWARD = 3  # width of the feed-forward layers of a model from scratch, in widths of the model
PIECE_TOKENS = 1024  # most tokens, padding included, of which a CPU keeps activations at once (`training.pieces`)
LORA_ALPHA = 2  # scale of an adapter's update in ranks, as is usual with LoRA (Hu et al. 2021: 32 for 16)


class Start(StrEnum):
    """What attention does in a model from scratch, before it is trained."""

    RANDOM = "random"
    MIMETIC = "mimetic"  # it looks at tokens like the one at hand, and writes what it looks at
    INDUCTION = "induction"  # it looks for what stood after tokens like those at hand, and writes that


@dataclass(frozen=True, slots=True)
class ScratchSettings:
    """Shape of the model that is built when no base model is given. Its feed-forward layers are three times as wide.

    Attributes:
        vocabulary: Most entries of the tokenizer.
        hidden: Width of the model.
        layers: Number of blocks.
        heads: Attention heads.
        context: Longest conversation, tokens.
        start: How attention starts out: random, mimetic or induction. The latter two copy, which a model from scratch
            otherwise learns slowly (`lumos_rl.training.start`).
    """

    vocabulary: int = 1024
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    context: int = 512
    start: Start = Start.RANDOM

    def __post_init__(self) -> None:
        sizes = dict.fromkeys(("hidden", "layers", "heads", "context"), at_least(1))
        check(self, "model.scratch", vocabulary=at_least(260), **sizes, start=one_of(Start))  # bytes, and markup
        if self.hidden % self.heads:
            raise ConfigError(
                f"expected --model.scratch.hidden to be a multiple of heads, got {self.hidden} and {self.heads}"
            )


@dataclass(frozen=True, slots=True)
class SFTSettings:
    """How to fine-tune.

    Attributes:
        epochs: Passes over the conversations; unused when max_steps is set.
        max_steps: Optimizer steps; None follows `epochs`.
        learning_rate: Peak learning rate.
        warmup_ratio: Share of the steps over which the learning rate rises.
        weight_decay: Decoupled weight decay.
        adam_beta2: Decay of Adam's second moment; runs of few steps do better with less than the default.
        scheduler: Course of the learning rate after warm-up: linear, cosine, constant, constant_with_warmup.
        batch_size: Conversations per step and device. A CPU computes them in pieces of 1,024 tokens, which changes
            memory and speed but not what is learned.
        gradient_accumulation: Steps whose gradients are added up before an update.
        max_length: Longest conversation, tokens; longer ones are left out and counted.
        dtype: Type to compute in, float32 or bfloat16. Weights that are trained stay float32; those under an adapter do
            not.
        gradient_checkpointing: Trade time for memory, for models of billions of parameters.
        save_steps: Steps between checkpoints that a killed run resumes from; None saves one only when it is
            interrupted.
        lora_rank: Rank of LoRA adapters; None trains all weights.
    """

    epochs: float = 2.0  # Yin et al. 2023
    max_steps: int | None = None
    learning_rate: float = 2e-5  # Yin et al. 2023
    warmup_ratio: float = 0.03  # Yin et al. 2023
    weight_decay: float = 0.0  # Yin et al. 2023
    adam_beta2: float = 0.999  # Kingma and Ba 2015
    scheduler: str = "linear"  # Yin et al. 2023
    batch_size: int = 16
    gradient_accumulation: int = 1
    max_length: int = 1024  # Yin et al. 2023
    dtype: str = "float32"
    gradient_checkpointing: bool = False
    save_steps: int | None = 200
    lora_rank: int | None = None

    def __post_init__(self) -> None:
        check_training(self, "sft")


@dataclass(frozen=True, slots=True)
class DPOSettings:
    """How to optimise preferences.

    Attributes:
        beta: Strength of the pull to the reference model.
        sft_weight: Weight of an SFT loss on the chosen turn beside the DPO loss; 0 leaves it out. It keeps the chosen
            turn's own likelihood from falling, which DPO alone allows.
        epochs: Passes over the pairs; unused when max_steps is set.
        max_steps: Optimizer steps; None follows `epochs`.
        learning_rate: Peak learning rate.
        warmup_ratio: Share of the steps over which the learning rate rises.
        weight_decay: Decoupled weight decay.
        adam_beta2: Decay of Adam's second moment.
        scheduler: Course of the learning rate after warm-up.
        batch_size: Pairs per step and device, computed in pieces on a CPU, as for SFT.
        gradient_accumulation: Steps whose gradients are added up before an update.
        max_length: Longest prompt with its turn, tokens; pairs that are longer are left out and counted.
        dtype: Type to compute in, as for SFT.
        gradient_checkpointing: Trade time for memory.
        save_steps: Steps between checkpoints that a killed run resumes from; None saves one only when it is
            interrupted.
        lora_rank: Rank of LoRA adapters, unless the model that training starts from is one; None trains all weights.
    """

    beta: float = 0.1  # Rafailov et al. 2023
    sft_weight: float = 1.0  # Pang et al. 2024 (iterative reasoning preference optimisation)
    epochs: float = 1.0
    max_steps: int | None = None
    learning_rate: float = 1e-6  # TRL's default for DPO
    warmup_ratio: float = 0.1
    weight_decay: float = 0.0
    adam_beta2: float = 0.999  # Kingma and Ba 2015
    scheduler: str = "linear"
    batch_size: int = 16
    gradient_accumulation: int = 1
    max_length: int = 1024
    dtype: str = "float32"
    gradient_checkpointing: bool = False
    save_steps: int | None = 200
    lora_rank: int | None = None

    def __post_init__(self) -> None:
        check_training(self, "refine.dpo.train")


LIMITS = {
    "beta": above(0),
    "sft_weight": at_least(0),
    "epochs": above(0),
    "max_steps": at_least(1, none="None to follow epochs"),
    "learning_rate": above(0),
    "warmup_ratio": between(0, 1, without=(1,)),
    "weight_decay": at_least(0),
    "adam_beta2": between(0, 1, without=(1,)),
    "scheduler": one_of(SCHEDULERS),
    "batch_size": at_least(1),
    "gradient_accumulation": at_least(1),
    "max_length": at_least(2),
    "dtype": one_of(DTYPES),
    "save_steps": at_least(1, none="None to save only when interrupted"),
    "lora_rank": at_least(1, none="None to train all weights"),
}


def check_training(settings: object, section: str) -> None:
    """Checks settings of training, as many of them as there are.

    Args:
        settings: Of `SFTSettings` or `DPOSettings`, some or all.
        section: What their flags begin with.

    Raises:
        ConfigError: A value that cannot be.
    """
    check(settings, section, **{name: limit for name, limit in LIMITS.items() if hasattr(settings, name)})
