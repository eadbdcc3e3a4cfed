"""Measures in about a second how fast this device trains, for estimates. Imports only torch.

trained_tokens_per_second(vocabulary=1024, hidden=128, layers=2, heads=4, feedforward=384, batch=8, length=86)  # 6,000
"""

from __future__ import annotations

import time

import torch
from torch import nn

REPEATS = 4
LONGEST_S = 1.0  # of the products of one size


def trained_tokens_per_second(
    vocabulary: int, hidden: int, layers: int, heads: int, feedforward: int, batch: int, length: int
) -> float:
    """Times training steps of a temporary transformer, without changing the process's random state.

    Args:
        vocabulary: Number of tokens in its vocabulary.
        hidden: Its width.
        layers: Number of blocks.
        heads: Attention heads.
        feedforward: Width of its feed-forward layers, each of three matrices.
        batch: Rows of a step.
        length: Tokens of a row.
    """
    times = []
    with torch.random.fork_rng():
        wide = 3 * feedforward // 2  # PyTorch's layers have two matrices
        layer = nn.TransformerEncoderLayer(hidden, heads, wide, dropout=0.0, batch_first=True)
        blocks = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        model = nn.Sequential(nn.Embedding(vocabulary, hidden), blocks, nn.Linear(hidden, vocabulary)).to(_device())
        ids = torch.randint(vocabulary, (batch, length), device=_device())  # (B, T)
        for _ in range(REPEATS):
            began = time.monotonic()
            loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
            loss.backward()
            for weight in model.parameters():  # importing an optimizer would take longer than the measurement
                weight.data -= 1e-3 * weight.grad
                weight.grad = None
            loss.item()  # waits for a GPU to finish
            times.append(time.monotonic() - began)
    return batch * length / min(times[1:])


def operations_per_second(dtype: str) -> float:
    """The rate at which this device multiplies large matrices of a type.

    A CPU begins with small ones, as it may have no instructions for the type, and the large ones take it minutes then.
    """
    best = 0.0
    for size in (4096,) if _device() == "cuda" else (768, 2048):
        if best and _operations(size) > best * LONGEST_S:
            break
        best = max(best, _operations(size) / _shortest(size, dtype))
    return best


def _operations(size: int) -> float:
    """Of a product of two square matrices."""
    return 2.0 * size**3


def _shortest(size: int, dtype: str) -> float:
    """Seconds of a product."""
    matrix = torch.ones(size, size, device=_device(), dtype=getattr(torch, dtype))
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONGEST_S:
        began = time.monotonic()
        (matrix @ matrix).sum().item()
        times.append(time.monotonic() - began)
    return min(times)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
