"""Runs work that must be stoppable in a child process: the code a model wrote, and algebra that may not end.

    >>> run_child({"job": "code", "source": "print(6 * 7)", "names": {}})
    {'text': '42'}

The child (`child.py`) sets its own limits before it runs the request, and the parent kills its whole process group when
the wall-clock time is over. The parent uses no signal handler, fork or thread, so this works in threads and in Ray
actors. POSIX only.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from lumos_rl.errors import InfrastructureError, ToolError, ToolLimitError

SYMPY_WALL_S = 60.0  # long, so that sympy, which never sleeps, is stopped by processor time, not by a busy machine
MAX_REQUEST = 60_000  # bytes; fits into a pipe's buffer, so writing it never waits for the child
_CHILD = Path(__file__).with_name("child.py")


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


def run_child(request: Mapping[str, object], limits: ChildLimits | None = None) -> dict[str, Any]:
    """The child's reply to a request.

    Args:
        request: `job` names a function of child.py; the rest are its inputs.
        limits: What the child may use.

    Raises:
        ToolError: The reply is an error, or is missing because the code ended the child or forged the reply.
        ToolLimitError: The child exceeded a limit.
        InfrastructureError: This machine cannot start a child process.
    """
    limits = limits or ChildLimits()
    data = json.dumps({**request, "limits": asdict(limits)}).encode()
    if len(data) > MAX_REQUEST:
        raise ToolLimitError(f"expected at most {MAX_REQUEST} bytes of code and results, got {len(data)}")
    try:
        with tempfile.TemporaryDirectory(prefix="lumos-", ignore_cleanup_errors=True) as folder:
            output, status = _talk(data, folder, limits)
    except OSError as error:
        raise InfrastructureError(f"cannot run {sys.executable!r} as a child process: {error}") from error
    try:
        reply = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise _failure(status, limits) from error
    if not _is_reply(reply, request["job"]):
        raise _failure(status, limits)
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


def ask_sympy(function: str, arguments: list[object], limits: ChildLimits) -> dict[str, Any]:
    """The reply of a function of `lumos_rl.tools.math.symbolic` in a child; raises as `run_child` does."""
    path = [str(Path(__file__).parents[3]), *filter(None, sys.path)]
    return run_child({"job": "algebra", "path": path, "function": function, "arguments": arguments}, limits)


def _talk(data: bytes, folder: str, limits: ChildLimits) -> tuple[bytes, int]:
    """The child's reply to `data`, and its exit status; the child has ended when this returns."""
    child = subprocess.Popen(
        # -s -S -P and an otherwise empty environment isolate as -I does, but -I would ignore the fixed hash seed:
        # without it the order of a set, and so a result, would differ from run to run.
        [sys.executable, "-s", "-S", "-P", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={"PYTHONHASHSEED": "0"},
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # the child has ended already; its status says why
            child.stdin.write(data)
            child.stdin.close()
        output = _read(child.stdout, limits)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # before wait, while no other process can get this id
        child.wait()
        child.stdout.close()
    return output, child.returncode


def _read(pipe: IO[bytes], limits: ChildLimits) -> bytes:
    """Everything the child writes until it closes the pipe."""
    data, deadline = b"", time.monotonic() + limits.wall_s
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(data) <= limits.output_bytes:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise ToolLimitError(f"stopped after {limits.wall_s:g} seconds")
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return data
            data += chunk
    raise ToolLimitError(f"stopped after more than {limits.output_bytes} bytes of output")


def _failure(status: int, limits: ChildLimits) -> ToolError:
    """Why a child gave no reply."""
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return ToolLimitError(f"stopped after {limits.cpu_s} seconds of computing")
    return ToolError(f"ended without a result (status {status})")
