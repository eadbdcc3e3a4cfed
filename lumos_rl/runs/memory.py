"""How much memory training takes and how much there is; a run that cannot fit is refused before it trains.

    shape = shape_of("smollm2")                 # Shape(vocabulary=49152, hidden=576, layers=30, …)
    training_bytes(shape, SFTSettings()) / 2**30         # 3.5; 25.9 on a GPU, which computes a batch at once
    check_memory("smollm2", SFTSettings())      # ConfigError: expected … GiB for weights and optimizer alone, got …

Weights, and gradients and Adam's two moments of those that are trained (4 bytes each; weights under an adapter have
those of the dtype), and activations of a batch of rows as long as they may be: 34 bytes for every number in the width
of every layer, and the logits twice, with half of it in bfloat16 (Korthikanti et al. 2022; attention maps are not
kept, as PyTorch's fused attention computes them again). With gradient checkpointing, one layer and the inputs of the
others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.policies.layout import Layout
from lumos_rl.training.settings import FEEDFORWARD, PIECE_TOKENS, DPOSettings, ScratchSettings, SFTSettings

log = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=SFTSettings | DPOSettings)

GIB = 2**30
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a Llama-like model's memory and time depend on.

    Attributes:
        vocabulary: Number of tokens.
        hidden: Width.
        layers: Number of blocks.
        heads: Attention heads.
        feedforward: Width of the feed-forward layers.
        key_value: Width of keys and values.
        tied: Whether the embeddings are the output layer as well.
        queries: Width of the queries; None for `hidden`.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    feedforward: int
    key_value: int
    tied: bool
    queries: int | None = None

    @property
    def weights(self) -> int:
        """Number of weights."""
        attention = 2 * self.hidden * ((self.queries or self.hidden) + self.key_value)
        layer = attention + 3 * self.hidden * self.feedforward
        return self.layers * layer + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def adapter(self, rank: int) -> int:
        """Number of weights of an adapter of all linear layers."""
        hidden, queries = self.hidden, self.queries or self.hidden
        wide = 2 * (hidden + queries) + 2 * (hidden + self.key_value) + 3 * (hidden + self.feedforward)
        return self.layers * rank * wide


KNOWN: Mapping[str, Shape] = {  # of models that presets name, by their config.json, where the hub is out of reach
    "Qwen/Qwen3-4B-Instruct-2507": Shape(151_936, 2560, 36, 32, 9728, 1024, tied=True, queries=4096),
    "HuggingFaceTB/SmolLM3-3B": Shape(128_256, 2048, 36, 16, 11_008, 512, tied=True),
}


def scratch_shape(settings: ScratchSettings) -> Shape:
    """The shape of a model that a run builds itself."""
    wide = FEEDFORWARD * settings.hidden
    return Shape(
        settings.vocabulary, settings.hidden, settings.layers, settings.heads, wide, settings.hidden, tied=True
    )


def shape_of(model: str | Path) -> Shape:
    """The shape of a model, or of the one under an adapter; of those in `KNOWN` even where the hub is out of reach.

    Raises:
        MissingFileError: No model there.
    """
    from lumos_rl.policies.checkpoints import load_config

    base, *_ = Layout.of(model).models
    try:
        found = load_config(base)
    except MissingFileError:
        if base not in KNOWN:
            raise
        return KNOWN[base]
    hidden, heads = found.hidden_size, found.num_attention_heads
    size = getattr(found, "head_dim", None) or hidden // heads
    kept = size * (getattr(found, "num_key_value_heads", None) or heads)
    wide = getattr(found, "intermediate_size", None) or 4 * hidden
    layers, tied = found.num_hidden_layers, bool(found.tie_word_embeddings)
    queries = None if size * heads == hidden else size * heads
    return Shape(found.vocab_size, hidden, layers, heads, wide, kept, tied, queries)


def fixed_bytes(shape: Shape, settings: SFTSettings | DPOSettings) -> float:
    """Memory of training that no smaller batch lowers: weights, gradients and optimizer."""
    size = 2 if settings.dtype == "bfloat16" else 4
    if settings.lora_rank is not None:
        return size * shape.weights + 16.0 * shape.adapter(settings.lora_rank)
    return (16.0 if isinstance(settings, SFTSettings) else 20.0) * shape.weights  # DPO's reference is a copy


def training_bytes(shape: Shape, settings: SFTSettings | DPOSettings) -> float:
    """Memory of training, where a batch's rows are as long as they may be.

    Args:
        shape: The model.
        settings: How it is trained.
    """
    size = 2 if settings.dtype == "bfloat16" else 4
    tokens = _tokens_at_once(settings)
    layer = tokens * 17.0 * shape.hidden * size
    inputs = tokens * shape.hidden * size
    layers = layer + shape.layers * inputs if settings.gradient_checkpointing else shape.layers * layer
    return fixed_bytes(shape, settings) + layers + 2.0 * size * tokens * shape.vocabulary


def _tokens_at_once(settings: SFTSettings | DPOSettings) -> int:
    """The most tokens whose activations are kept at once: a GPU computes a batch, a CPU a piece of it."""
    import torch

    longest = settings.max_length * (1 if isinstance(settings, SFTSettings) else 2)  # a row, or a pair
    batch = settings.batch_size * longest
    return batch if torch.cuda.is_available() else min(batch, max(PIECE_TOKENS, longest))


def available_bytes() -> tuple[float, str]:
    """Free memory of the first GPU, else of this machine within the limits of its container; and whose it is."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0]), "the first GPU"
    import psutil

    return min([float(psutil.virtual_memory().available), *_container_bytes()]), "this machine"


def _container_bytes() -> Iterator[float]:
    """What each control group around this process leaves of its limit."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return
    for line in own.splitlines():
        _, kinds, path = line.split(":", 2)
        root = CGROUPS / "memory" if kinds else CGROUPS
        limit, used = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        if kinds and "memory" not in kinds.split(","):
            continue
        here = root / path.strip("/")
        for folder in (here, *here.parents):
            if folder == CGROUPS.parent:
                break
            left = _left(folder / limit, folder / used, folder / "memory.stat")
            if left is not None:
                yield left


def _left(limit: Path, used: Path, stat: Path) -> float | None:
    """What is left below a limit; files in the page cache can be dropped. None without a limit."""
    try:
        most = int(limit.read_text(encoding="utf-8"))
        taken = int(used.read_text(encoding="utf-8"))
        stats = dict(line.split(" ", 1) for line in stat.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):  # "max", or no such control group
        return None
    return float(most - taken + int(stats.get("inactive_file", 0)))


def check_memory(model: str | Path, settings: SFTSettings | DPOSettings) -> None:
    """Refuses training whose weights alone do not fit, and warns of what may not fit.

    Raises:
        ConfigError: Weights, gradients and optimizer take more memory than there is.
    """
    told, fits = memory_line(shape_of(model), as_adapter(settings, Layout.of(model)))
    if not fits:
        log.warning("training: %s", told)


def as_adapter(settings: Settings, layout: Layout) -> Settings:
    """The settings with the rank that a checkpoint's own adapter has, if it is one: then that is trained on."""
    rank = layout.rank(layout.models[0])
    return replace(settings, lora_rank=rank) if rank else settings


def memory_line(shape: Shape, settings: SFTSettings | DPOSettings) -> tuple[str, bool]:
    """What training takes and what there is, as text; and whether it surely fits. Errors as for `check_memory`."""
    free, where = available_bytes()
    fixed, most = fixed_bytes(shape, settings), training_bytes(shape, settings)
    if fixed > free:
        raise ConfigError(
            f"expected {fixed / GIB:.1f} GiB for weights, gradients and optimizer alone, got {free / GIB:.1f} GiB free"
            f" on {where}; {_cure(settings, fixed=True)}"
        )
    told = f"{fixed / GIB:.1f} GiB for weights and optimizer, {most / GIB:.1f} GiB with rows of"
    told += f" {settings.max_length} tokens; {free / GIB:.1f} GiB free on {where}"
    return (told, True) if most <= free else (f"{told}: if rows are that long, {_cure(settings, fixed=False)}", False)


def _cure(settings: SFTSettings | DPOSettings, fixed: bool) -> str:
    """What to lower."""
    cures = [] if settings.lora_rank else ["train adapters (--sft.lora-rank 64)"]
    if fixed:
        return " or ".join([*cures, "take a smaller --model.base"])
    cures.append("give a smaller --sft.batch-size with as many times more --sft.gradient-accumulation")
    cures += [] if settings.gradient_checkpointing else ["--sft.gradient-checkpointing"]
    return ", or ".join([*cures, "a smaller --sft.max-length"])
