"""Counts the rows and pairs that training leaves out, says so in the log, and refuses to go on with less than half.

left_out = LeftOut("conversations", 1024)
left_out.fits(length=2311)                          # False, and counted
left_out.tell(total=400)
# WARNING 12 of 400 conversations (3%) are left out: 12 of more than 1024 tokens, the longest 2311
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lumos_rl.errors import ConfigError, DataError

log = logging.getLogger(__name__)

Ids = TypeVar("Ids")


@dataclass(slots=True)
class LeftOut:
    """What is left out of a training set.

    Attributes:
        what: Name of its rows, in the plural.
        max_length: Most tokens of a row.
        too_long: How many have more.
        longest: Tokens of the longest row.
        unencodable: How many the tokenizer or the chat template refuses.
        cause: What it said of the first.
        unwritten: How many hold nothing that the model writes.
    """

    what: str
    max_length: int
    too_long: int = 0
    longest: int = 0
    unencodable: int = 0
    cause: str = ""
    unwritten: int = 0

    @property
    def count(self) -> int:
        """How many rows are left out."""
        return self.too_long + self.unencodable + self.unwritten

    def fits(self, length: int) -> bool:
        """Whether a row of so many tokens is kept; one that is not is counted."""
        self.longest = max(self.longest, length)
        self.too_long += length > self.max_length
        return length <= self.max_length

    def encoded(self, encode: Callable[[], Ids]) -> Ids | None:
        """The result of encoding a row; None for one that cannot be encoded, which is counted."""
        try:
            return encode()
        except (ConfigError, UnicodeEncodeError) as error:
            self.unencodable += 1
            self.cause = self.cause or str(error)
            return None

    def tell(self, total: int) -> None:
        """Logs how many of `total` rows are left out, and why; nothing if none is.

        Raises:
            DataError: They are more than half.
        """
        if not self.count:
            return
        reasons = []
        if self.too_long:
            reasons.append(f"{self.too_long} of more than {self.max_length} tokens, the longest {self.longest}")
        if self.unencodable:
            reasons.append(f"{self.unencodable} that cannot be encoded, the first because of: {self.cause}")
        if self.unwritten:
            reasons.append(f"{self.unwritten} in which the model writes nothing")
        why = f"{self.count} of {total} {self.what} ({self.count / total:.0%}) are left out: {'; '.join(reasons)}"
        if 2 * self.count > total:
            remedy = "raise --sft.max-length" if self.too_long else "mend them"
            raise DataError(f"expected at least half of the {self.what} to be learned from, but {why}; {remedy}")
        log.warning("%s", why)
