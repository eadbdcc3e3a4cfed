"""Initial weights with which a small Llama tends to copy before any training.

    start_mimetic(model)             # tokens that were read become more likely than others
    start_with_induction(model)      # "… b0lxrl9m9s … b0lx" → "r", for any tokens

Induction heads (Elhage et al. 2021, Olsson et al. 2022) continue the text as it continued after an earlier occurrence
of the last tokens. This takes two layers: heads of the first store, at every token, the tokens before it; heads of the
second look for a position where these match the current tokens, and copy the token there. Training from scratch finds
such heads late, and planner and grounder can do little until then. As in mimetic initialization (Trockman and Kolter
2023), the initial weights already contain structure that training leads to; all weights stay trainable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from lumos_rl.errors import ConfigError

ROPE_THETA = 1e8  # most dimension pairs of a head then hardly rotate within a context, so they match at any distance
_FAST = 0.1  # radians per token; pairs that rotate at least this fast tell distances apart
_OFFSETS = (1, 2)  # how many tokens back the heads of the first layer read: half of the heads each
_CONSTANT = 0.7  # length of the part that all embeddings share, relative to the rest; the first layer attends by it
_SHARPNESS = 60.0  # logits of the right distance above the mean of all, in the first layer's heads
_MATCH = 6.0  # logits of a full match in the second layer
_NOTED, _COPIED = 0.7, 1.0  # size of what the first layer stores and of what the second copies, relative to embeddings
_NOISE = 0.5  # of the usual initial weights, added to attention
_QUIET = 0.03  # of the usual initial weights of feed-forward layers, which would otherwise dominate


def start_mimetic(model: LlamaForCausalLM) -> None:
    """Sets attention so that a token attends to similar tokens and copies them (mimetic initialization).

    The product of the value and output matrices becomes the identity, that of queries and keys about half of it. The
    signs differ from Trockman and Kolter 2023, because here attention copies tokens and the embeddings are tied. Draws
    from PyTorch's global generator.

    Args:
        model: Freshly initialised.
    """
    for layer in model.model.layers:
        attention = layer.self_attn
        hidden = attention.o_proj.weight.shape[0]
        written, matched = (torch.linalg.qr(torch.randn(hidden, hidden))[0] for _ in range(2))
        attention.v_proj.weight.data.copy_(written)
        attention.o_proj.weight.data.copy_(written.T)
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight.data.mul_(0.5).add_(matched, alpha=math.sqrt(0.5))


def start_with_induction(model: LlamaForCausalLM) -> None:
    """Sets the weights of a freshly initialised model so that it tends to copy; draws from PyTorch's global generator.

    The width is split into directions for the token itself, for the previous token, for the one before that, and one
    direction that all embeddings share.

    Args:
        model: Two layers or more, at least two heads that divide it evenly, tied embeddings, a RoPE theta of
            `ROPE_THETA`.

    Raises:
        ConfigError: The model has another shape.
    """
    config = model.config
    width, heads, layers = config.hidden_size, config.num_attention_heads, config.num_hidden_layers
    size = width // heads
    speeds = [ROPE_THETA ** (-2 * pair / size) for pair in range(size // 2)]
    slow = [pair for pair, speed in enumerate(speeds) if speed * config.max_position_embeddings <= 1]
    if layers < 2 or heads % 2 or not slow:
        raise ConfigError(
            "expected at least 2 layers and an even number of heads, of 4 dimensions or more, to start with induction,"
            f" got {layers} layers and {heads} heads of {size}"
        )
    scale = config.initializer_range
    noted = min(5 * width // 16, heads // 2 * size)
    directions = torch.linalg.qr(torch.randn(width, width))[0]
    constant, tokens, before, earlier = directions.split((1, width - 1 - 2 * noted, noted, noted), dim=1)
    seen = tokens[:, :noted]  # the part of a token that is stored
    length = scale * math.sqrt(width)  # of an embedding
    embeddings = model.model.embed_tokens.weight.data
    drawn = torch.randn(len(embeddings), tokens.shape[1]) / math.sqrt(tokens.shape[1])
    embeddings.copy_(length * (drawn @ tokens.T + _CONSTANT * constant.T))
    own = math.sqrt(width / (1 + _CONSTANT**2))  # length of the tokens' part after normalisation

    first, second = (layer.self_attn for layer in model.model.layers[:2])
    for attention in (first, second):
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight.data.normal_(0, _NOISE * scale)
    for projection in (first.v_proj, first.o_proj):
        projection.weight.data.normal_(0, _NOISE * scale * (scale if projection is first.o_proj else 1.0))

    strength = math.sqrt(_SHARPNESS * math.sqrt(size)) / (_CONSTANT * own)
    for part, (offset, written) in enumerate(zip(_OFFSETS, (before, earlier), strict=True)):
        for head in range(part * heads // 2, (part + 1) * heads // 2):
            rows = slice(head * size, (head + 1) * size)
            query, key = _at_distance(offset, speeds, size)
            first.q_proj.weight.data[rows] += strength * query[:, None] * constant.T
            first.k_proj.weight.data[rows] += strength * key[:, None] * constant.T
        rows = slice(part * width // 2, part * width // 2 + noted)
        first.v_proj.weight.data[rows] += seen.T
        first.o_proj.weight.data[:, rows] += _NOTED * length / own * math.sqrt(tokens.shape[1] / noted) * written

    steady = torch.tensor(slow + [pair + size // 2 for pair in slow])
    last = round(len(steady) * 2 / 3)  # dimensions that compare the current token; the others compare the one before it
    worth = math.sqrt(_MATCH * math.sqrt(size) / (width / 3.5))
    for head in range(heads):
        rows = head * size + steady[torch.randperm(len(steady))]
        now = torch.randn(last, noted) / math.sqrt(last)
        then = torch.randn(len(steady) - last, noted) / math.sqrt(len(steady) - last)
        second.q_proj.weight.data[rows] += worth * torch.cat((now @ seen.T, then @ before.T))
        second.k_proj.weight.data[rows] += worth * torch.cat((now @ before.T, then @ earlier.T))
    copied = torch.zeros(width, width)
    for head in range(heads):
        part_of = torch.linalg.qr(torch.randn(tokens.shape[1], tokens.shape[1]))[0][:, :size]
        copied[head * size : head * size + part_of.shape[1]] = (tokens @ part_of).T
    second.v_proj.weight.data.copy_(copied)
    second.o_proj.weight.data.copy_(_COPIED * scale * copied.T)
    for layer in model.model.layers:
        layer.mlp.down_proj.weight.data.mul_(_QUIET)


def _at_distance(offset: int, speeds: list[float], size: int) -> tuple[Tensor, Tensor]:
    """A query and a key, the same for every token, whose product is largest at a distance of `offset` tokens."""
    query, key = torch.zeros(size), torch.zeros(size)
    fast = [pair for pair, speed in enumerate(speeds) if speed >= _FAST]
    for pair in fast:
        angle = offset * speeds[pair]
        query[pair] = 1 / math.sqrt(len(fast))
        key[pair], key[pair + size // 2] = query[pair] * math.cos(angle), query[pair] * math.sin(angle)
    return query, key
