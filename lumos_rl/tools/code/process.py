"""Runs work that must be stoppable in a child process: the code a model wrote, and algebra that may not end.

    >>> run_child({"job": "code", "source": "print(6 * 7)", "names": {}})
    {'text': '42'}

The child (`child.py`) sets its own limits, and confines itself (`sandbox.py`), before it runs the code. The parent
kills its whole process group when the wall-clock time is over. The parent uses no signal handler, fork or thread, so
this works in threads and in Ray actors. POSIX only.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

SYMPY_WALL_S = 60.0  # long, so that sympy, which never sleeps, is stopped by processor time, not by a busy machine
MAX_REQUEST = 60_000  # bytes; fits into a pipe's buffer, so writing it never waits for the child
ENVIRONMENT = {"PYTHONHASHSEED": "0"}  # all of it: no variable of this process reaches a child
_CHILD = Path(__file__).with_name("child.py")
_ENDING_S = 0.5  # between closing its pipe and ending
_TICK_S = 0.1  # the system looks at a process's time now and then


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What a child may use.

    Attributes:
        cpu_s: Seconds of processor time. The same work is stopped on a busy machine as on an idle one.
        wall_s: Seconds until it is killed, however little it computed.
        memory_mb: Megabytes of address space; not enforced on macOS.
        output_bytes: Bytes of its reply.
    """

    cpu_s: int = 2
    wall_s: float = 6.0
    memory_mb: int = 512
    output_bytes: int = 64_000


class InChild:
    """A tool that works in a child process; its time can be cut to what a step has left.

    Attributes:
        limits: What the child of each call may use.
    """

    def __init__(self, limits: ChildLimits) -> None:
        self.limits = limits

    def within(self, seconds: float) -> Self:
        """The same tool with at most this much time for a call."""
        if seconds >= self.limits.wall_s:
            return self
        cut = copy.copy(self)
        cut.limits = replace(self.limits, wall_s=seconds)
        return cut


@dataclass(frozen=True, slots=True)
class _End:
    """How a child ended.

    Attributes:
        output: What it wrote as its reply.
        status: Its exit status; a negative number is the signal that ended it.
        cpu_s: Seconds of processor time it used.
        closed: Whether it was stopped because it closed the pipe of its reply and went on.
    """

    output: bytes
    status: int
    cpu_s: float
    closed: bool


def run_child(request: Mapping[str, object], limits: ChildLimits | None = None) -> dict[str, Any]:
    """The child's reply to a request.

    Args:
        request: `job` names a function of child.py; the rest are its inputs. With `required`, code runs only if the
            child could confine itself completely.
        limits: What the child may use.

    Raises:
        ToolError: The reply is an error, or is missing because the code ended the child or forged the reply.
        ToolLimitError: The child exceeded a limit.
        InfrastructureError: This machine cannot start a child process, or cannot confine it as is required.
    """
    limits = limits or ChildLimits()
    data = json.dumps({**request, "limits": asdict(limits)}).encode()
    if len(data) > MAX_REQUEST:
        raise ToolLimitError(f"expected at most {MAX_REQUEST} bytes of code and results, got {len(data)}")
    try:
        with tempfile.TemporaryDirectory(prefix="lumos-", ignore_cleanup_errors=True) as folder:
            end = _talk(data, folder, limits)
    except OSError as error:
        raise InfrastructureError(f"cannot run {sys.executable!r} as a child process: {error}") from error
    try:
        reply = json.loads(end.output)
    except (ValueError, RecursionError) as error:
        raise _failure(end, limits) from error
    if request.get("required") and isinstance(reply, dict) and "open" in reply and (gaps := _gaps()):
        raise InfrastructureError(f"expected a child confined in all ways, got {' and '.join(gaps)} left open")
    if not _is_reply(reply, request["job"]):
        raise _failure(end, limits)
    if "error" in reply:
        raise ToolLimitError(reply["error"]) if reply.get("limit") else ToolError(reply["error"])
    return dict(reply)


def _is_reply(reply: object, job: object) -> bool:
    """Whether this has the form of a reply; code that a model wrote can write to the reply's descriptor."""
    if not isinstance(reply, dict):
        return False
    if "error" in reply:
        return isinstance(reply["error"], str)
    return job != "code" or isinstance(reply.get("text"), str)


@functools.cache
def gaps() -> tuple[str, ...]:
    """What a child that runs code can still reach on this machine; () if it is confined in all ways.

    Raises:
        InfrastructureError: This machine cannot start a child process.
    """
    return _gaps()


def _gaps() -> tuple[str, ...]:
    try:
        return tuple(run_child({"job": "confine"}, ChildLimits(wall_s=SYMPY_WALL_S))["open"])
    except ToolError as error:  # no code of a model is in it, so this machine is at fault
        raise InfrastructureError(f"cannot confine a child process: {error}") from error


def ask_sympy(function: str, arguments: list[object], limits: ChildLimits) -> dict[str, Any]:
    """The reply of a function of `lumos_rl.tools.math.symbolic` in a child; raises as `run_child` does."""
    path = [str(Path(__file__).parents[3]), *filter(None, sys.path)]
    return run_child({"job": "algebra", "path": path, "function": function, "arguments": arguments}, limits)


def _talk(data: bytes, folder: str, limits: ChildLimits) -> _End:
    """The end of a child that was sent `data`."""
    child = subprocess.Popen(
        # -s -S -P and an otherwise empty environment isolate as -I does, but -I would ignore the fixed hash seed:
        # without it the order of a set, and so a result, would differ from run to run.
        [sys.executable, "-s", "-S", "-P", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    output, cpu_s, closed = b"", 0.0, False
    try:
        with contextlib.suppress(BrokenPipeError):  # the child has ended already; its status says why
            child.stdin.write(data)
            child.stdin.close()
        output = _read(child.stdout, limits)
        closed = not output.startswith(b"{") and not _ended(child.pid)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # before wait, while no other process can get this id
        cpu_s = _wait(child)
        child.stdout.close()
    return _End(output, child.returncode, cpu_s, closed)


def _ended(pid: int) -> bool:
    """Whether a child that closed its pipe is ending; it is left to be waited for."""
    if not hasattr(os, "waitid"):  # macOS
        return True
    until = time.monotonic() + _ENDING_S
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def _wait(child: subprocess.Popen[bytes]) -> float:
    """Waits for a child and returns the seconds of processor time it used."""
    try:
        _, status, used = os.wait4(child.pid, 0)
    except ChildProcessError:  # this program ignores its children, so the system has forgotten it
        child.wait()
        return 0.0
    child.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def _read(pipe: IO[bytes], limits: ChildLimits) -> bytes:
    """Everything the child writes until it closes the pipe."""
    data, deadline = b"", time.monotonic() + limits.wall_s
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(data) <= limits.output_bytes:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise ToolLimitError(f"stopped after {limits.wall_s:.2g} seconds")
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return data
            data += chunk
    raise ToolLimitError(f"stopped after more than {limits.output_bytes} bytes of output")


def _failure(end: _End, limits: ChildLimits) -> ToolError:
    """Why a child gave no reply."""
    if end.status in (-signal.SIGXCPU, -signal.SIGKILL) and end.cpu_s > limits.cpu_s - _TICK_S:
        return ToolLimitError(f"stopped after {limits.cpu_s} seconds of computing")
    if end.closed:
        return ToolError("stopped: it closed the file descriptor of its result, which is not the code's own")
    if end.status == -signal.SIGKILL:
        return ToolLimitError("stopped by the system (SIGKILL), as it does where the machine's memory is short")
    if end.status == -signal.SIGSYS:
        return ToolError("stopped by the sandbox: a system call of another kind of machine (SIGSYS)")
    if end.status < 0:
        return ToolError(f"crashed: {signal.strsignal(-end.status)} (signal {-end.status})")
    return ToolError(f"ended without a result (status {end.status})")
