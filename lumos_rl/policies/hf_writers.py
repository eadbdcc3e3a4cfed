"""What writes the waiting turns of one Transformers model, or of one of its adapters.

    writer = writer_of(model, tokenizer, ends, batch_size=64, memory=2 << 30)
    writer.waiting.append(row)
    writer.write()          # the rows that are finished, one at least

`SlotWriter` keeps keys and values between the tokens of a turn and between turns. Models that it cannot serve have a
`StretchWriter`, which reads every prompt again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from lumos_rl.policies.hf_cache import BLOCK, Block, Prefixes, Slots, slots_of
from lumos_rl.policies.hf_sampling import Draw, Row

STRETCH = 32  # maximum number of new tokens before a turn of a `StretchWriter` waits again
PATIENCE = 8  # tokens after which a few waiting turns join, and the part of a batch that is many
READ = 4096  # most tokens that are read at once, padding included


def writer_of(model: Any, tokenizer: Any, ends: Sequence[int], batch_size: int, memory: int) -> Writer:
    """The writer for a model.

    Args:
        model: In evaluation mode, with the adapter that it writes with.
        tokenizer: Its tokenizer.
        ends: Ids that end a turn.
        batch_size: Maximum number of turns written at once.
        memory: Most bytes that are kept of finished turns and their prompts.
    """
    slots = slots_of(model)
    if slots is None:
        return StretchWriter(model, tokenizer, ends, batch_size)
    return SlotWriter(model, tokenizer, ends, batch_size, slots, Prefixes(memory))


class SlotWriter:
    """Writes turns that join and leave a batch at any time, each with a slot of its own.

    Rows that need the same next block of tokens do not read it twice: one reads it, the others wait until it is kept.
    The slots take memory for as many rows as there ever were, as wide as the longest.
    """

    def __init__(
        self, model: Any, tokenizer: Any, ends: Sequence[int], batch_size: int, slots: Slots, prefixes: Prefixes
    ) -> None:
        self.waiting: deque[Row] = deque()
        self._model, self._tokenizer, self._ends, self._batch_size = model, tokenizer, ends, batch_size
        self._slots, self._prefixes = slots, prefixes
        self._live: list[Row] = []  # the row in slot 0, 1, …
        self._draw: Draw | None = None  # for `_live`; None if these have changed
        self._steps = 0  # since rows joined

    @property
    def open(self) -> int:
        """Turns that are not finished."""
        return len(self.waiting) + len(self._live)

    def write(self) -> list[Row]:
        """Writes until a turn is finished; returns all that are."""
        done: list[Row] = []
        while not done and self.open:
            done = self._join() if self._due() else self._step()
        return done

    def _due(self) -> bool:
        """Whether waiting turns join now: a batch of few tokens costs as much as one of more."""
        if not self.waiting or len(self._live) >= self._batch_size:
            return False
        return len(self.waiting) * PATIENCE >= len(self._live) or self._steps >= PATIENCE

    def _join(self) -> list[Row]:
        self._steps = 0
        found = self._next()
        done = []
        for group in _similar(found):
            done += self._read([row for row, _ in group], [blocks for _, blocks in group])
        return done

    def _next(self) -> list[tuple[Row, list[Block]]]:
        """Waiting turns that can be read at once, and what is known of them."""
        taken: list[tuple[Row, list[Block]]] = []
        rest: deque[Row] = deque()
        missing = set()
        for row in self.waiting:
            if len(self._live) + len(taken) == self._batch_size:
                rest.append(row)
                continue
            blocks = self._prefixes.find(row.prompt)
            key = self._prefixes.missing(blocks, row.prompt)
            if key is not None and key in missing:
                rest.append(row)
            else:
                missing.add(key)
                taken.append((row, blocks))
        self.waiting = rest
        return taken

    def _read(self, rows: list[Row], known: list[list[Block]]) -> list[Row]:
        """Reads prompts and writes their first token; returns finished turns."""
        first = len(self._live)
        self._slots.open(first + len(rows), max(map(len, (row.prompt for row in rows))))
        for slot, blocks in enumerate(known, first):
            if blocks:
                data = torch.cat([block.data for block in blocks], 2)
                self._slots.data[:, slot, :, : data.shape[2]] = data
        before = [len(blocks) * BLOCK for blocks in known]
        ids = [row.prompt[start:] for row, start in zip(rows, before, strict=True)]
        logits = self._slots.read(self._model, first, ids, before)
        self._live += rows
        self._draw = None
        for slot, row in enumerate(rows, first):
            self._keep(slot, row.prompt)
        _add(rows, logits, Draw([row.request.sampling for row in rows], [row.generator for row in rows]))
        return self._leave()

    def _step(self) -> list[Row]:
        """Writes one token of every turn; returns finished ones."""
        self._steps += 1
        rows = self._live
        before = [row.length - 1 for row in rows]
        self._slots.open(len(rows), max(before) + 1)
        logits = self._slots.read(self._model, 0, [row.written[-1:] for row in rows], before)
        self._draw = self._draw or Draw([row.request.sampling for row in rows], [row.generator for row in rows])
        _add(rows, logits, self._draw)
        return self._leave()

    def _leave(self) -> list[Row]:
        """Takes finished turns out of their slots, and moves the last rows into these."""
        done = []
        for slot in reversed(range(len(self._live))):
            row = self._live[slot]
            if not row.finished(self._tokenizer, self._ends):
                continue
            self._keep(slot, row.ids[:-1])  # the last token has not been read
            done.append(row)
            last = self._live.pop()
            self._draw = None
            if last is not row:
                self._slots.move(len(self._live), slot, last.length - 1)
                self._live[slot] = last
        return done

    def _keep(self, slot: int, ids: Sequence[int]) -> None:
        self._prefixes.keep(ids, lambda start, end: self._slots.data[:, slot, :, start:end].clone())


class StretchWriter:
    """Writes turns in micro-batches with Transformers' `generate`, at most `STRETCH` tokens at a time.

    An unfinished turn then waits again, so that short turns do not wait for a long one.
    """

    def __init__(self, model: Any, tokenizer: Any, ends: Sequence[int], batch_size: int) -> None:
        self.waiting: deque[Row] = deque()
        self._model, self._tokenizer, self._ends, self._batch_size = model, tokenizer, ends, batch_size

    @property
    def open(self) -> int:
        """Turns that are not finished."""
        return len(self.waiting)

    def write(self) -> list[Row]:
        """Writes a micro-batch until a turn is finished; returns all that are."""
        done: list[Row] = []
        while not done and self.waiting:
            batch = self._take()
            self._generate(batch)
            for row in batch:
                (done if row.finished(self._tokenizer, self._ends) else self.waiting).append(row)
        return done

    def _take(self) -> list[Row]:
        """A batch: the oldest request and those closest to it in length, to keep padding small.

        A finished row is padded while others continue. Without rotary positions, a model has a table of positions that
        padding must not exceed; requests that would cause this stay in the queue.
        """
        rotary, context = bool(getattr(self._model.config, "rope_parameters", None)), context_of(self._model)
        oldest = self.waiting[0].length
        longest = most = 0
        batch: list[Row] = []
        for row in sorted(self.waiting, key=lambda row: abs(row.length - oldest)):  # stable: the oldest is first
            wide, steps = max(longest, row.length), max(most, row.left)
            if len(batch) < self._batch_size and (rotary or wide + steps <= context):
                longest, most = wide, steps
                batch.append(row)
        taken = set(map(id, batch))
        self.waiting = deque(row for row in self.waiting if id(row) not in taken)
        return batch

    def _generate(self, batch: Sequence[Row]) -> None:
        prompts = [row.ids for row in batch]
        longest, pad, device = max(map(len, prompts)), self._tokenizer.pad_token_id, self._model.device
        drawn = _Drawn(Draw([row.request.sampling for row in batch], [row.generator for row in batch]))
        out = self._model.generate(  # under torch.no_grad by itself
            input_ids=torch.tensor([[pad] * (longest - len(ids)) + ids for ids in prompts], device=device),  # (B, T)
            attention_mask=torch.tensor(
                [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts], device=device
            ),
            max_new_tokens=min(STRETCH, max(row.left for row in batch)),
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=list(self._ends),
            logits_processor=LogitsProcessorList([drawn]),
            stopping_criteria=StoppingCriteriaList([_OwnEnd(batch, longest, self._tokenizer)]),
        )
        new = out[:, longest:].tolist()  # (B, steps)
        logprobs = torch.stack(drawn.logprobs, 1).tolist() if drawn.logprobs else [[] for _ in batch]
        for row, ids, logs in zip(batch, new, logprobs, strict=True):
            row.logprobs.extend(logs[: row.left])
            row.written.extend(ids[: row.left])


Writer = SlotWriter | StretchWriter


def context_of(model: Any) -> int:
    """Most tokens of a conversation that a model can read."""
    return int(getattr(model.config, "max_position_embeddings", None) or 1 << 30)


def _similar(found: list[tuple[Row, list[Block]]]) -> list[list[tuple[Row, list[Block]]]]:
    """Rows with about as many tokens to read together, at most `READ` with their padding; the longest first."""
    groups: list[list[tuple[Row, list[Block]]]] = []
    longest = 0
    unread = [len(row.prompt) - len(blocks) * BLOCK for row, blocks in found]
    for at in sorted(range(len(found)), key=lambda at: -unread[at]):
        if not groups or unread[at] * 4 < longest * 3 - BLOCK or (len(groups[-1]) + 1) * longest > READ:
            groups.append([])
            longest = unread[at]
        groups[-1].append(found[at])
    return groups


def _add(rows: Sequence[Row], logits: torch.Tensor, draw: Draw) -> None:
    """Adds the next token to each row."""
    ids, logs = draw(logits)
    for row, token in zip(rows, ids.tolist(), strict=True):
        row.written.append(token)
    if logs is not None:
        for row, one in zip(rows, logs.tolist(), strict=True):
            row.logprobs.append(one)


class _OwnEnd(StoppingCriteria):  # type: ignore[misc]  # Transformers ships no types
    """Ends each row at its own limit and its own stop texts."""

    def __init__(self, batch: Sequence[Row], prompt_length: int, tokenizer: Any) -> None:
        self.prompt_length, self.tokenizer = prompt_length, tokenizer
        self.left = torch.tensor([row.left for row in batch])
        self.stops = {index: row for index, row in enumerate(batch) if row.request.sampling.stop}

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        done = self.left <= input_ids.shape[1] - self.prompt_length  # (B,)
        for index, row in self.stops.items():
            text = self.tokenizer.decode(row.written + input_ids[index, self.prompt_length :].tolist())
            done[index] |= any(stop in text for stop in row.request.sampling.stop)
        return done.to(input_ids.device)


class _Drawn(LogitsProcessor):  # type: ignore[misc]
    """Leaves greedy search no choice but the drawn ids."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.logprobs: list[torch.Tensor] = []  # of each step (B,), if a row wants them

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.Tensor:
        ids, logs = self.draw(scores)
        if logs is not None:
            self.logprobs.append(logs)
        return torch.full_like(scores, float("-inf")).scatter_(1, ids[:, None], 0.0)
