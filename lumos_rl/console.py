"""How a command of this package ends: an error in one line with exit status 2, and quietly where a pipe closes.

with until_pipe_closes():       # python -m lumos_rl.data.convert --help | head
    sys.exit(main())
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def until_pipe_closes() -> Iterator[None]:
    """Ends the program quietly when whoever reads its output has read enough, such as `head`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again at its end
        sys.exit(0)


def failed(message: str) -> int:
    """Prints an error; the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return 2
