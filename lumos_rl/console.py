"""How a command of this package ends: an error in one line with exit status 2, and quietly where a pipe closes.

with until_pipe_closes():       # python -m lumos_rl.data.convert --help | head
    sys.exit(main())
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator


class Stopped(KeyboardInterrupt):
    """The program was stopped by a signal.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")

    @property
    def exit_status(self) -> int:
        """The exit status of a program that a signal ended, as a shell reports it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


def raise_stopped(number: int, frame: object) -> None:
    """A handler of signals."""
    raise Stopped(number)


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
