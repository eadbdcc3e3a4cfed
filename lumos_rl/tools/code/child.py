"""The script that `lumos_rl.tools.code.process` starts as a child process. The package never imports it.

It reads one JSON request from its standard input, limits and confines itself as the request says, does the job, and
writes one JSON reply: `{"text": "42"}` or `{"error": "ZeroDivisionError: division by zero (line 2)", "limit": false}`.

Only the standard library and its neighbours in this folder are imported: the script runs without site packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import sys
import traceback
from types import TracebackType
from typing import Any

TOO_LARGE = b'{"error": "stopped: it needs too much memory", "limit": true}'  # made before memory is short


def main() -> None:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    trusted = request["job"] == "algebra"
    job = run_algebra if trusted else load("program").run_code
    confine = (lambda _: []) if trusted else load("sandbox").confine
    set_limits(**request["limits"])
    reply_to = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)

    def reply(answer: dict[str, object]) -> None:
        send(json.dumps(answer).encode())

    def send(data: bytes) -> None:
        os.write(reply_to, data)
        os._exit(0)  # what the job left behind is not waited for

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, MemoryError):
            send(TOO_LARGE)
        reply({"error": describe(kind, error, trace), "limit": False})

    sys.excepthook = report  # whatever the job raises becomes the reply
    still_open = confine(sys.path)
    if request["job"] == "confine" or (still_open and request.get("required")):
        reply({"open": still_open})
    reply(job(request))


def load(name: str) -> Any:
    """The module of this name beside this script, which is not on the path: its names are no packages."""
    spec = importlib.util.spec_from_file_location(name, f"{__file__.rpartition('/')[0]}/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def set_limits(cpu_s: int, memory_mb: int, **_others: float) -> None:
    """Limit the resources of this process and its children; only the superuser can raise a limit again."""
    bounds = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,  # has no effect for the superuser
    }
    if sys.platform != "darwin":  # macOS refuses to set it
        bounds[resource.RLIMIT_AS] = memory_mb * 2**20
    for kind, amount in bounds.items():
        _, hard = resource.getrlimit(kind)
        bound = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (bound, bound))


def describe(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    """The last line of a traceback, with the line of the code that failed."""
    text = traceback.format_exception_only(kind, error)[-1].strip()[:300]
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == "code"]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    return f"{text} (line {lines[-1]})" if lines else text


def run_algebra(request: dict[str, Any]) -> dict[str, object]:
    """Solve with sympy; see `lumos_rl.tools.math.symbolic`. No code of a model runs in it, so it is not confined."""
    sys.path[:] = request["path"]
    symbolic = importlib.import_module("lumos_rl.tools.math.symbolic")
    answer: dict[str, object] = symbolic.respond(request["function"], request["arguments"])
    return answer


if __name__ == "__main__":
    main()
