"""Processes of this and other machines, and whether they have ended. Their memory is free when they have.

told = (here(),)                        # in a worker: (Process(machine="node7/4026531836", number=4711, …),)
wait_for_exit(told, timeout_s=60.0)     # in the driver: those of its own machine that are still there
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        machine: Where its number means something: host name and space of process numbers.
        number: Its number there.
        started: When it started, in ticks since the machine started; another process of that number started later.
            None where the system does not tell.
    """

    machine: str
    number: int
    started: int | None


def here(number: int | None = None) -> Process:
    """A process of this machine; None stands for this one."""
    number = os.getpid() if number is None else number
    return Process(machine(), number, _stat(number)[1])


def machine() -> str:
    """This machine, and the space of its process numbers."""
    space = ""
    with contextlib.suppress(OSError):  # not Linux
        space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{socket.gethostname()}/{space}"


def is_running(process: Process) -> bool:
    """Whether a process of this machine is running; one that has ended and was not asked for its status is not."""
    state, started = _stat(process.number)
    if state:
        return state not in "ZX" and process.started in (None, started)
    try:
        os.kill(process.number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self/stat").exists()  # elsewhere nothing more is known


def wait_for_exit(processes: Iterable[Process], timeout_s: float) -> list[Process]:
    """Waits until those of this machine have ended; returns those that have not in time."""
    left, until = [each for each in processes if each.machine == machine()], time.monotonic() + timeout_s
    while (left := [each for each in left if is_running(each)]) and time.monotonic() < until:
        time.sleep(PAUSE_S)
    return left


def end(processes: Iterable[Process]) -> None:
    """Kills processes of this machine."""
    for process in processes:
        if process.machine == machine() and is_running(process):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.number, signal.SIGKILL)


def wait_until_steady(read: Callable[[], int], timeout_s: float, pause_s: float = 0.2) -> int:
    """Waits until a number no longer grows, such as free memory while a driver clears it; returns the last."""
    until, last = time.monotonic() + timeout_s, read()
    while time.monotonic() < until:
        time.sleep(pause_s)
        if (now := read()) <= last:
            return now
        last = now
    return last


def _stat(number: int) -> tuple[str, int | None]:
    """State and start of a process of this machine; "" and None where there is none, or the system does not tell."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", None
    return fields[0], int(fields[19])  # fields 3 and 22 of proc(5); the second, a name, may hold blanks
