"""Settings of every kind of training. Nothing heavy is imported here: flags are read before torch is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lumos_rl.errors import ConfigError

DTYPES = ("float32", "bfloat16")  # Adam's small numbers vanish in float16


def _check_dtype(dtype: str) -> None:
    if dtype not in DTYPES:
        raise ConfigError(f"expected a training dtype of {', '.join(DTYPES)}, got {dtype!r}")


class Start(StrEnum):
    """What attention does in a model from scratch, before it is trained."""

    RANDOM = "random"
    MIMETIC = "mimetic"  # it looks at tokens like the one at hand, and writes what it looks at
    INDUCTION = "induction"  # it looks for what stood after tokens like those at hand, and writes that


@dataclass(frozen=True, slots=True)
class ScratchSettings:
    """Shape of the model that is built when no base model is given.

    Attributes:
        vocabulary: Most entries of the tokenizer.
        hidden: Width of the model.
        layers: Number of blocks.
        heads: Attention heads.
        feedforward: Width of the feed-forward layers.
        context: Longest conversation, tokens.
        initializer_range: Standard deviation of the initial weights. The usual 0.02 is meant for wider models; 0.08 is
            near the inverse square root of a width of 128.
        start: How attention starts out: random, mimetic or induction. The latter two copy, which a model from scratch
            otherwise learns slowly (`lumos_rl.training.start`).
    """

    vocabulary: int = 1024
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    feedforward: int = 512
    context: int = 512
    initializer_range: float = 0.08
    start: Start = Start.RANDOM

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ConfigError(f"expected hidden to be a multiple of heads, got {self.hidden} and {self.heads}")


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adapters (PEFT).

    Attributes:
        rank: Rank of the update; 0 trains all weights instead.
        alpha: Scale of the update, divided by the rank.
        dropout: Dropout on the adapter's input.
    """

    rank: int = 0
    alpha: float = 32.0  # twice the rank of 16, as is usual with LoRA (Hu et al. 2021)
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class SFTSettings:
    """How to fine-tune.

    Attributes:
        epochs: Passes over the conversations; unused when max_steps is set.
        max_steps: Optimizer steps; 0 follows `epochs`.
        learning_rate: Peak learning rate.
        warmup_ratio: Share of the steps over which the learning rate rises.
        weight_decay: Decoupled weight decay.
        adam_beta2: Decay of Adam's second moment; runs of few steps do better with less than the default.
        scheduler: Course of the learning rate after warm-up: linear, cosine, constant_with_warmup.
        batch_size: Conversations per step and device.
        gradient_accumulation: Steps whose gradients are added up before an update.
        max_length: Longest conversation, tokens; longer ones are left out and counted.
        dtype: Type to compute in, float32 or bfloat16. Weights that are trained stay float32; those under an adapter do
            not.
        gradient_checkpointing: Trade time for memory, for models of billions of parameters.
        save_steps: Steps between checkpoints that a killed run goes on from; 0 saves one only when it is interrupted.
        supervised_only: Whether on a CPU, too, logits are computed of supervised tokens alone, as TRL does on GPUs. The
            loss is the same but for rounding, and a model from scratch trains up to twice as fast.
        lora: Adapter settings.
    """

    epochs: float = 2.0  # Yin et al. 2023
    max_steps: int = 0
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
    save_steps: int = 200
    supervised_only: bool = True
    lora: LoraSettings = field(default_factory=LoraSettings)

    def __post_init__(self) -> None:
        _check_dtype(self.dtype)


@dataclass(frozen=True, slots=True)
class DPOSettings:
    """How to optimise preferences.

    Attributes:
        beta: Strength of the pull to the reference model.
        sft_weight: Weight of an SFT loss on the chosen turn beside the DPO loss; 0 leaves it out. It keeps the chosen
            turn's own likelihood from falling, which DPO alone allows.
        epochs: Passes over the pairs; unused when max_steps is set.
        max_steps: Optimizer steps; 0 follows `epochs`.
        learning_rate: Peak learning rate.
        warmup_ratio: Share of the steps over which the learning rate rises.
        weight_decay: Decoupled weight decay.
        adam_beta2: Decay of Adam's second moment.
        scheduler: Course of the learning rate after warm-up.
        batch_size: Pairs per step and device.
        gradient_accumulation: Steps whose gradients are added up before an update.
        max_length: Longest prompt with its turn, tokens; pairs that are longer are left out and counted.
        dtype: Type to compute in, float32 or bfloat16. Weights that are trained stay float32; those under an adapter do
            not.
        gradient_checkpointing: Trade time for memory.
        save_steps: Steps between checkpoints that a killed run goes on from; 0 saves one only when it is interrupted.
        lora: Adapter settings, used when the model that training starts from is no adapter itself.
    """

    beta: float = 0.1  # Rafailov et al. 2023
    sft_weight: float = 1.0  # Pang et al. 2024 (iterative reasoning preference optimisation)
    epochs: float = 1.0
    max_steps: int = 0
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
    save_steps: int = 200
    lora: LoraSettings = field(default_factory=LoraSettings)

    def __post_init__(self) -> None:
        _check_dtype(self.dtype)
