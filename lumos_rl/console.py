"""How a command of this package ends, and what it says on the way.

An error is one line with exit status 2, a signal gives its own status, and a closed pipe ends it quietly.

    with until_pipe_closes():       # python -m lumos_rl.data.convert --help | head
        sys.exit(main())
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

from lumos_rl.masking import masked


class Stopped(KeyboardInterrupt):
    """The program was stopped by a signal.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        super().__init__(f"stopped by {name}")

    @property
    def exit_status(self) -> int:
        """The exit status of a program that a signal ended, as a shell reports it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


received: list[int] = []  # the numbers of signals that `raise_stopped` had


def raise_stopped(number: int, frame: object) -> None:
    """A handler of signals."""
    received.append(number)  # Ray turns whatever is raised while it waits into a plain KeyboardInterrupt
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
    """Prints an error, without passwords; the exit status."""
    print(f"error: {masked(message)}", file=sys.stderr)
    return 2


def stopped(stop: KeyboardInterrupt, then: str = "") -> int:
    """Prints that a signal ended the program, and how to continue; the exit status."""
    signaled = stop if isinstance(stop, Stopped) else Stopped((received or [signal.SIGINT])[-1])
    print(f"\n{signaled}{then}", file=sys.stderr, flush=True)
    return signaled.exit_status


def duration(seconds: float) -> str:
    """A length of time for people: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Lines about long work in a log, now and then: "sft: 400 of 4000 steps, loss 0.310, about 5 min left".

    Args:
        what: Name of the work.
        total: How much there is to do.
        unit: What is counted.
        say: Called with each line.
        done: How much was done before.
        every_s: Least seconds between two lines.
        clock: Seconds that pass.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        say: Callable[[str], None],
        done: int = 0,
        every_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._unit, self._say = what, total, unit, say
        self._first, self._every_s, self._clock = done, every_s, clock
        self._began = self._said = clock()

    def at(self, done: int, note: str = "") -> None:
        """Says how far the work is, if the last line is long enough ago."""
        now = self._clock()
        if now - self._said < self._every_s or done <= self._first:
            return
        self._said = now
        left = (now - self._began) / (done - self._first) * (self._total - done)
        parts = [f"{done} of {self._total} {self._unit}", *([note] if note else []), f"about {duration(left)} left"]
        self._say(f"{self._what}: {', '.join(parts)}")
