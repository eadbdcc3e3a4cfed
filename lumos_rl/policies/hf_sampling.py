"""Turns being written with Transformers, and how their next tokens are drawn.

Each row of a batch has its own seed, temperature and limit, so that a turn does not depend on the others.

    draw = Draw([row.request.sampling for row in rows], [row.generator for row in rows])
    ids, logprobs = draw(logits)      # of the next token of each row, (B,) and (B,) or None
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lumos_rl.policies.base import Request, Sampling
from lumos_rl.policies.checkpoints import cut_at_end


@dataclass(frozen=True, slots=True)
class Row:
    """A turn that waits or is being written."""

    request: Request
    prompt: list[int]  # ids of the whole prompt
    budget: int  # maximum number of new tokens: as requested, or as the context allows
    since: float
    generator: torch.Generator  # of the sampling noise
    written: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # of `written`, if requested

    @property
    def ids(self) -> list[int]:
        """All ids that the model reads."""
        return self.prompt + self.written

    @property
    def length(self) -> int:
        """Number of `ids`."""
        return len(self.prompt) + len(self.written)

    @property
    def left(self) -> int:
        """How many tokens it may still write."""
        return self.budget - len(self.written)

    def finished(self, tokenizer: Any, ends: Sequence[int]) -> bool:
        """Whether it has written an end of turn, one of its stop texts, or all that it may."""
        if self.left < 1 or cut_at_end(self.written, ends)[1]:
            return True
        stops = self.request.sampling.stop
        text = tokenizer.decode(self.written) if stops else ""
        return any(stop in text for stop in stops)


class Draw:
    """Draws the next token of each row.

    A greedy row (temperature 0) takes the most likely token. Any other compares one uniform number, from its own
    generator, with the cumulative distribution at its temperature and top_p.

    Args:
        samplings: Of each row.
        generators: Of each row.
    """

    def __init__(self, samplings: Sequence[Sampling], generators: Sequence[torch.Generator]) -> None:
        self._rows = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
        self._hot = [samplings[row] for row in self._rows]
        self._generators = [generators[row] for row in self._rows]
        self._wanted = any(sampling.logprobs for sampling in samplings)

    def __call__(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The ids drawn from logits (B, V), and their log-probabilities if a row wants them."""
        ids = logits.argmax(-1)  # (B,)
        logs = logits.float().log_softmax(-1) if self._wanted else None
        if self._rows:
            shaped = self._shaped(logits)
            ids[self._rows] = self._picked(shaped)
            if logs is not None:
                logs[self._rows] = shaped.log_softmax(-1)
        return ids, None if logs is None else logs.gather(1, ids[:, None])[:, 0]

    def _picked(self, logits: torch.Tensor) -> torch.Tensor:
        heights = logits.softmax(-1).cumsum(-1)  # (rows, V)
        drawn = torch.cat([torch.rand(1, generator=each, device=each.device) for each in self._generators])
        top = heights[:, -1]
        at = torch.minimum(drawn * top, torch.nextafter(top, torch.zeros_like(top)))
        return torch.searchsorted(heights, at[:, None], right=True)[:, 0]  # the first that is higher

    def _shaped(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits of the sampled rows (rows, V), at their temperature and top_p."""
        picked = logits[self._rows].float()
        picked /= torch.tensor([[each.temperature] for each in self._hot], device=logits.device)  # (rows, 1)
        for row, sampling in enumerate(self._hot):
            if sampling.top_p < 1:
                picked[row] = _nucleus(picked[row], sampling.top_p)
        return picked


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Logits (V,) with -inf outside the smallest set of tokens whose probability reaches `top_p`."""
    ordered, order = logits.softmax(-1).sort(descending=True)
    outside = order[ordered.cumsum(-1) - ordered >= top_p]
    return logits.index_fill(0, outside, float("-inf"))
