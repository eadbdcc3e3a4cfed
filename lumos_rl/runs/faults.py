"""What ends a run from outside, in words with a cure: a full or broken disk, and too little memory.

try:
    train()
except Exception as error:
    told = explained(error, Path("runs/tiny-0"))    # "expected room for runs/tiny-0/metrics.jsonl, got No space …"
    if told is None:
        raise
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BROKEN = {errno.EROFS, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE}
# Libraries that write in other languages tell the cause as text alone.
_FULL_TEXT = re.compile(
    r"no space left on device|disk quota exceeded|file too large|PytorchStreamWriter failed|file write failed",
    re.IGNORECASE,
)
_MEMORY_TEXT = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)
AGAIN = "run the same command again: what was finished is kept"


def explained(error: BaseException, folder: Path) -> str | None:
    """One line about an error that has its cause outside the program; None for any other.

    Args:
        error: The error.
        folder: Where the run writes.
    """
    for each in _chain(error):
        file = getattr(each, "filename", None) or f"the files of {folder}"
        if isinstance(each, OSError) and each.errno in FULL:
            return _full(file, each.strerror or "")
        if isinstance(each, OSError) and each.errno in BROKEN:
            return f"expected to read and write {file}, got {each.strerror}; mend that, and {AGAIN}"
        text = (str(each).strip().splitlines() or [""])[0]
        if _FULL_TEXT.search(text):
            return _full(file, text)
        if isinstance(each, MemoryError) or (isinstance(each, RuntimeError) and _MEMORY_TEXT.search(text)):
            return (
                f"expected enough memory, got {type(each).__name__}: {text[:200]}; {AGAIN}, with less: a smaller"
                " --sft.batch-size with as many times more --sft.gradient-accumulation (their product stays, and that"
                " with --refine.dpo.train.batch-size), --sft.gradient-checkpointing, a smaller --model.generate-batch"
            )
    return None


def _full(file: object, said: str) -> str:
    return f"expected room for {file}, got {said}; free some, and {AGAIN}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
