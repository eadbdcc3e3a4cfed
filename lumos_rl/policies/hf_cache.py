"""Keys and values that a Transformers model has worked out: of the turns being written, and of what they began with.

    slots = slots_of(model)                     # None for a model that keeps more than keys and values of every token
    slots.open(rows=2, columns=64)
    logits = slots.read(model, 0, [[5, 7, 9], [5]], [0, 12])   # row 1 continues after 12 tokens: (2, V)

A row's token `t` is in column `t` of its slot. So a turn begins or ends without moving the others, rows of any length
share a step, and nothing is copied when a token is added. `Prefixes` keeps what was read, in blocks of 16 tokens, for
other turns that begin with the same ids: the next turn of an episode, or other episodes with the same instructions.
"""

from __future__ import annotations

import inspect
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import Cache, DynamicLayer

log = logging.getLogger(__name__)

BLOCK = 16  # tokens; vLLM's blocks have as many
SHARE = 1 / 8  # of the memory that is free when a model is loaded
COLUMNS = 64  # slots grow by so many columns

_GROUPED = "lumos_grouped"  # name of `grouped_attention`
_REFUSALS = (RuntimeError, TypeError, ValueError, LookupError, AttributeError)  # of a model that reads otherwise


class Slots(Cache):  # type: ignore[misc]  # Transformers ships no types
    """Keys and values of the rows of a batch.

    Args:
        layers: Number of layers.
        sample: Keys of a layer (1, heads, T, size): shape, type and place of all.
    """

    def __init__(self, layers: int, sample: torch.Tensor) -> None:
        _, heads, _, size = sample.shape
        self.data = sample.new_zeros(2 * layers, 0, heads, 0, size)  # keys of layer i in 2 * i, values in the next
        super().__init__(layers=[_SlotLayer(self, index) for index in range(layers)])

    def open(self, rows: int, columns: int) -> None:
        """Makes room for so many rows and columns, plus a column for padding; what is there stays."""
        kinds, has_rows, heads, has_columns, size = self.data.shape
        if rows <= has_rows and columns < has_columns:
            return
        more, wide = 1 << (rows - 1).bit_length(), -(-(columns + 1) // COLUMNS) * COLUMNS
        new = self.data.new_zeros(kinds, max(more, has_rows), heads, max(wide, has_columns), size)
        new[:, :has_rows, :, :has_columns] = self.data
        self.data = new

    def move(self, source: int, target: int, length: int) -> None:
        """Copies the first `length` columns of a row to another row."""
        self.data[:, target, :, :length] = self.data[:, source, :, :length]

    def read(self, model: Any, first: int, ids: Sequence[Sequence[int]], before: Sequence[int]) -> torch.Tensor:
        """Reads ids that follow what is in rows `first`, `first + 1` …

        Args:
            model: Whose slots these are.
            first: The first row.
            ids: New ids of each row, one at least.
            before: How many tokens of each row have been read.

        Returns:
            Logits of the token after each row's last (B, V).
        """
        longest, device = max(map(len, ids)), self.data.device
        pads = [longest - len(each) for each in ids]
        rows = torch.tensor([[0] * pad + list(each) for pad, each in zip(pads, ids, strict=True)], device=device)
        starts = torch.tensor([[start - pad] for pad, start in zip(pads, before, strict=True)], device=device)
        places = starts + torch.arange(longest, device=device)  # (B, T)
        padding = places < torch.tensor(before, device=device)[:, None]
        places = places.masked_fill(padding, 0)
        self.width = max(start + len(each) for start, each in zip(before, ids, strict=True))
        self.rows = slice(first, first + len(ids))
        self.indices = torch.arange(first, first + len(ids), device=device)[:, None]  # (B, 1)
        self.columns = places.masked_fill(padding, self.data.shape[3] - 1)  # (B, T)
        hidden = torch.arange(self.width, device=device) > places[:, :, None]  # (B, T, width)
        mask = self.data.new_zeros(hidden.shape).masked_fill(hidden, torch.finfo(self.data.dtype).min)
        only_last = {"logits_to_keep": 1} if _keeps_logits(model) else {}
        with torch.inference_mode():
            out = model(
                input_ids=rows,
                attention_mask=mask[:, None],
                position_ids=places,
                past_key_values=self,
                use_cache=True,
                **only_last,
            )
        return out.logits[:, -1]


class _SlotLayer(DynamicLayer):  # type: ignore[misc]
    """One layer of `Slots`."""

    def __init__(self, slots: Slots, index: int) -> None:
        super().__init__()
        self._slots, self._index = slots, index

    def update(self, keys: torch.Tensor, values: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores new keys and values (B, heads, T, size); returns all of these rows, as wide as the longest."""
        slots, at = self._slots, 2 * self._index
        for kind, new in ((at, keys), (at + 1, values)):
            slots.data[kind][slots.indices, :, slots.columns] = new.transpose(1, 2)
        both = slots.data[at : at + 2, slots.rows, :, : slots.width]
        return both[0], both[1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Columns that a query may see, and the first of them."""
        return self._slots.width, 0

    def get_seq_length(self) -> int:
        """Tokens before those that are being read, of the longest row."""
        return int(self._slots.width - self._slots.columns.shape[1])


def slots_of(model: Any) -> Slots | None:
    """Slots for a model, after a try; the model then uses `grouped_attention` where it used sdpa.

    Returns:
        None for a model whose turns cannot be continued from keys and values of every token: one with a sliding
        window, a recurrent state, or positions that it counts itself. The log says so.
    """
    name = type(model.get_base_model() if hasattr(model, "get_base_model") else model).__name__
    try:
        cache = DynamicCache(config=model.config)
        kinds = {type(layer) for layer in cache.layers} - {DynamicLayer}
        if kinds:
            reason = f"it has a {min(kind.__name__ for kind in kinds)}"
        elif not getattr(model, "_supports_attention_backend", False):  # an older model, which may mask by itself
            reason = "it does not attend by Transformers' interface"
        else:
            slots, error = _tried(model, cache)
            if error < 0.05:
                return slots
            reason = f"its logits differ by {error:.2f} of the largest"
    except _REFUSALS as refusal:
        reason = f"{type(refusal).__name__}: {refusal}"
    if model.config._attn_implementation == _GROUPED:
        model.set_attn_implementation("sdpa")
    log.warning("%s reads every prompt again: nothing is kept of earlier turns, as %s", name, reason)
    return None


def _tried(model: Any, cache: DynamicCache) -> tuple[Slots, float]:
    """Slots for a model, and how far its logits differ if it reads in parts, beside another row."""
    long, short = [3, 1, 4, 1, 5, 2], [2, 0, 1]
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([long], device=model.device), past_key_values=cache, use_cache=True)
        other = model(input_ids=torch.tensor([short], device=model.device), use_cache=False).logits[0, -1]
    shapes = {part.shape for layer in cache.layers for part in (layer.keys, layer.values)}
    if len(shapes) != 1:
        raise ValueError(f"its layers keep keys and values of several shapes: {sorted(map(tuple, shapes))}")
    slots = Slots(len(cache.layers), cache.layers[0].keys)
    if model.config._attn_implementation == "sdpa":
        _use_grouped_attention(model)
    slots.open(3, 8)
    slots.read(model, 1, [long[:5], short[:2]], [0, 0])
    parts = slots.read(model, 1, [long[5:], short[2:]], [5, 2])
    wanted = torch.stack([whole.logits[0, -1], other])
    return slots, float((parts - wanted).abs().max() / wanted.abs().max())


def _keeps_logits(model: Any) -> bool:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(inner.forward).parameters


def _use_grouped_attention(model: Any) -> None:
    AttentionInterface.register(_GROUPED, grouped_attention)
    AttentionMaskInterface.register(_GROUPED, AttentionMaskInterface()["sdpa"])
    model.set_attn_implementation(_GROUPED)


def grouped_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Transformers' sdpa attention without copies of keys and values for the query heads that share them.

    With a mask, Transformers repeat keys and values for every query head. Here the query heads of a group are further
    queries of one head, which with one new token per row is a third of the time (SmolLM2, 64 rows of 300 tokens, CPU).
    """
    batch, heads, queries, size = query.shape
    groups = key.shape[1]
    if attention_mask is None or heads == groups or options.get("position_bias") is not None:
        plain = AttentionInterface()["sdpa"]
        return plain(module, query, key, value, attention_mask, scaling=scaling, **options)  # type: ignore[no-any-return]
    each = heads // groups
    mask = attention_mask.expand(batch, 1, queries, -1).repeat(1, 1, each, 1) if queries > 1 else attention_mask
    folded = query.reshape(batch, groups, each * queries, size)
    out = torch.nn.functional.scaled_dot_product_attention(folded, key, value, attn_mask=mask, scale=scaling)
    return out.reshape(batch, heads, queries, -1).transpose(1, 2).contiguous(), None


@dataclass(frozen=True, slots=True)
class Block:
    """Keys and values of 16 tokens after certain others."""

    number: int  # unique
    data: torch.Tensor  # (2 * layers, heads, BLOCK, size)


Key = tuple[int, tuple[int, ...]]  # number of the block before (0 for none), and the block's ids


class Prefixes:
    """Keys and values of token ids that prompts have begun with; the least recently used are dropped.

    Args:
        limit: Most bytes that they take.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._blocks: OrderedDict[Key, Block] = OrderedDict()  # least recently used first
        self._last = 0

    def find(self, ids: Sequence[int]) -> list[Block]:
        """The known blocks that `ids` begin with, without the last id: that is read, whatever is known."""
        keys: list[Key] = []
        found: list[Block] = []
        for at in range(0, len(ids) - BLOCK, BLOCK):
            key = self._key(found, ids, at)
            if key not in self._blocks:
                break
            keys.append(key)
            found.append(self._blocks[key])
        self._used(keys)
        return found

    def missing(self, found: list[Block], ids: Sequence[int]) -> Key | None:
        """Key of the first block of `ids` that `find` did not find; None if what is left is no whole block."""
        at = len(found) * BLOCK
        return self._key(found, ids, at) if at < len(ids) - BLOCK else None

    def keep(self, ids: Sequence[int], copy: Callable[[int, int], torch.Tensor]) -> None:
        """Keeps the whole blocks of `ids`.

        Args:
            ids: From the start of a conversation.
            copy: First token and the one after the last → their keys and values.
        """
        keys: list[Key] = []
        chain: list[Block] = []
        for at in range(0, len(ids) - BLOCK + 1, BLOCK):
            key = self._key(chain, ids, at)
            if key not in self._blocks:
                self._last += 1
                self._blocks[key] = block = Block(self._last, copy(at, at + BLOCK))
                self.size += block.data.nbytes
            keys.append(key)
            chain.append(self._blocks[key])
        self._used(keys)
        while self.size > self.limit:
            self.size -= self._blocks.popitem(last=False)[1].data.nbytes

    def _key(self, before: list[Block], ids: Sequence[int], at: int) -> Key:
        return before[-1].number if before else 0, tuple(ids[at : at + BLOCK])

    def _used(self, keys: list[Key]) -> None:
        for key in reversed(keys):  # so that the end of a conversation is dropped before its beginning
            self._blocks.move_to_end(key)


def free_bytes(device: torch.device) -> int:
    """Memory that is free: of the GPU, or of the machine; 8 GiB where the machine does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 8 << 30
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")), 8 << 30)
