"""Cuts a batch into pieces whose gradients add up to that of the batch: less padding and far less memory on CPUs.

    cut([343, 90, 120, 95], tokens=512)       # [[0], [2, 3], [1]]
    equal_cut([343, 90, 120, 95], tokens=512) # [[0], [2], [3], [1]]

A batch of 16 conversations, the longest of 343 tokens and the others of 160, is half padding. Its activations take 9 GB
in SmolLM2, 1.6 MB a token in float32. A CPU computes a piece of 800 tokens nearly as fast per token as one of 1,500 (93
and 96 tokens per CPU second), and one of 400 not quite as fast (83). A GPU needs large batches, so there a batch is
computed at once, or as `gradient_accumulation` divides it.

Rows are padded to a multiple of `MULTIPLE`, and the rows of a piece are a power of two. So the same few shapes come
again and again: oneDNN keeps a compiled program per shape, and glibc reuses the memory of equal shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from trl import DPOTrainer, SFTTrainer

from lumos_rl.training.settings import PIECE_TOKENS

MULTIPLE = 32
IGNORED = -100  # label of tokens without loss in PyTorch's cross entropy


def padded(length: int) -> int:
    """The length that a row is padded to."""
    return -(-length // MULTIPLE) * MULTIPLE


def cut(lengths: Sequence[int], tokens: int = PIECE_TOKENS) -> list[list[int]]:
    """Rows by piece, the longest first; a piece has a power of two of them.

    Args:
        lengths: Tokens of each row.
        tokens: Most tokens of a piece, padding included; a longer row is a piece of its own.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    parts = []
    while order:
        fitting = max(1, min(len(order), tokens // padded(lengths[order[0]])))
        size = 1 << (fitting.bit_length() - 1)
        parts.append(order[:size])
        order = order[size:]
    return parts


def equal_cut(lengths: Sequence[int], tokens: int = PIECE_TOKENS) -> list[list[int]]:
    """As `cut`, with the same number of rows in every piece, so that means over pieces are means over rows."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    fitting = max(1, tokens // padded(max(lengths)))
    size = next(size for size in range(min(fitting, len(order)), 0, -1) if len(order) % size == 0)
    return [order[start : start + size] for start in range(0, len(order), size)]


def _rows(inputs: Mapping[str, Tensor], rows: Sequence[int], width: int) -> dict[str, Any]:
    """Some rows of a batch that is padded on the right, without columns of padding.

    What is padded on the right is behind every token that has loss, and attention looks back only. So the mask hides
    nothing, and attention is faster without one: Transformers pass none on when all of it is 1.
    """
    piece = {name: values[list(rows), :width] for name, values in inputs.items()}
    return piece | {"attention_mask": torch.ones_like(piece["attention_mask"])}


class PiecewiseSFT(SFTTrainer):  # type: ignore[misc]  # TRL ships no types
    """TRL's trainer, which computes a batch piece by piece on a CPU. The loss is that of the whole batch."""

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        step = super().training_step
        if not self.args.use_cpu:
            return step(model, inputs, num_items_in_batch)
        if num_items_in_batch is None:
            num_items_in_batch = inputs["labels"][:, 1:].ne(IGNORED).sum()
        losses = [step(model, piece, num_items_in_batch) for piece in sft_pieces(inputs)]
        return torch.stack(losses).sum()


def sft_pieces(inputs: Mapping[str, Tensor], tokens: int = PIECE_TOKENS) -> Iterator[dict[str, Any]]:
    """The pieces of a batch of TRL's collator for SFT."""
    lengths = inputs["attention_mask"].sum(1).tolist()
    for rows in cut(lengths, tokens):
        yield _rows(inputs, rows, padded(max(lengths[row] for row in rows)))


class PiecewiseDPO(DPOTrainer):  # type: ignore[misc]  # TRL ships no types
    """TRL's trainer, which computes a batch of pairs piece by piece on a CPU. The loss is that of the whole batch.

    Of each term of the loss, a piece counts as much as it has of what the term is a mean over: pairs, or tokens of
    chosen turns for the SFT term.
    """

    loss_weights: list[float]  # of each term of the loss; set by TRL

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        step, weights = super().training_step, self.loss_weights
        if not self.args.use_cpu:
            return step(model, inputs, num_items_in_batch)
        losses = []
        try:
            for piece, shares in dpo_pieces(inputs):
                self.loss_weights = [
                    weight * shares.get(kind, shares["pairs"])
                    for kind, weight in zip(self.loss_types, weights, strict=True)
                ]
                losses.append(step(model, piece, num_items_in_batch))
        finally:
            self.loss_weights = weights
        return torch.stack(losses).sum()


def dpo_pieces(
    inputs: Mapping[str, Tensor], tokens: int = PIECE_TOKENS
) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """The pieces of a batch of TRL's collator for DPO, and their shares of the batch's pairs and chosen tokens."""
    lengths = inputs["attention_mask"].sum(1).tolist()
    pairs = len(lengths) // 2  # chosen turns, then the rejected ones in the same order
    longest = [max(lengths[pair], lengths[pairs + pair]) for pair in range(pairs)]
    written = inputs["completion_mask"][:pairs, 1:].sum(1).tolist()
    for rows in equal_cut(longest, tokens // 2):
        piece = _rows(inputs, [*rows, *(pairs + row for row in rows)], padded(max(longest[row] for row in rows)))
        yield piece, {"pairs": len(rows) / pairs, "sft": sum(written[row] for row in rows) / sum(written)}
