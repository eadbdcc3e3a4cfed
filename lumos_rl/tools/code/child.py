"""The script that `lumos_rl.tools.code.process` starts as a child process. The package never imports it.

It reads one JSON request from its standard input, sets the limits the request names, does the job, and writes one JSON
reply: `{"text": "42"}` or `{"error": "ZeroDivisionError: division by zero (line 2)", "limit": false}`.

Only the standard library is imported here: the script runs without site packages.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import io
import json
import os
import re
import resource
import sys
import traceback
from fractions import Fraction
from types import CodeType, TracebackType
from typing import Any

SHOWN = 2000  # most characters of a result
DIGITS = 1000  # most digits of a number
LAST = "_last_value"
# Outside quotes only; a quoted text is matched first and left alone.
_PSEUDO = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*)|[\^×·÷−–←≤≥≠]""")
_PLAIN = dict(zip("^×·÷−–←≤≥≠", ("**", "*", "*", "/", "-", "-", "=", "<=", ">=", "!="), strict=True))
_FENCE = re.compile(r"\s*```[a-z]*\n(.*?)```\s*", re.DOTALL)


def main() -> None:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    set_limits(**request["limits"])
    reply_to = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)

    def reply(answer: dict[str, object]) -> None:
        os.write(reply_to, json.dumps(answer).encode())

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        reply({"error": describe(kind, error, trace), "limit": issubclass(kind, MemoryError)})

    sys.excepthook = report  # whatever the job raises becomes the reply
    reply({"code": run_code, "algebra": run_algebra}[request["job"]](request))


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
    if issubclass(kind, MemoryError):
        return "stopped: it needs too much memory"
    text = traceback.format_exception_only(kind, error)[-1].strip()[:300]
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == "code"]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    return f"{text} (line {lines[-1]})" if lines else text


class Tail(io.TextIOBase):
    """Standard output that keeps only its end."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Keep the last `SHOWN` characters."""
        self.text = (self.text + text)[-SHOWN:]
        return len(text)


class SourceLoader(importlib.abc.InspectLoader):
    """Runs a text as the body of a module."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree

    def get_source(self, fullname: str) -> str:
        """The source of the tree."""
        return ast.unparse(self.tree)

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module."""
        return compile(self.tree, "code", "exec")


def run_code(request: dict[str, Any]) -> dict[str, object]:
    """Run Python or simple pseudo-code; the reply's text is its result."""
    tree = parse(request["source"])
    assigned = keep_last_value(tree)
    loader = SourceLoader(tree)
    spec = importlib.util.spec_from_loader("__main__", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update({name: decode(*item) for name, item in request["names"].items()}, Fraction=Fraction)
    if "random" in request["source"]:
        importlib.import_module("random").seed(0)  # the same action gives the same result
    output = sys.stdout = Tail()
    with contextlib.suppress(SystemExit):  # what was printed before it counts, as at the end of a script
        loader.exec_module(module)
    printed = [line.strip() for line in output.text.splitlines() if line.strip()]
    if printed:
        return {"text": printed[-1]}
    for name in (LAST, "answer", "result", assigned):
        if getattr(module, name, None) is not None:
            return {"text": encode(getattr(module, name))}
    return {"error": "the code gave no result; print it, or end with an expression", "limit": False}


def parse(source: str) -> ast.Module:
    """The syntax tree, after fences, typographic signs and written-out line breaks are turned into Python."""
    fenced = _FENCE.fullmatch(source)
    text = fenced[1] if fenced else source
    text = _PSEUDO.sub(lambda found: found[1] or _PLAIN[found[0]], text)
    try:
        return ast.parse(text, "code")
    except SyntaxError:
        if "\n" in text or "\\n" not in text:
            raise
    return ast.parse(text.replace("\\n", "\n"), "code")


def keep_last_value(tree: ast.Module) -> str:
    """Make a final expression or `return` assign to `LAST`; returns the name the last statement assigns, or ""."""
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr | ast.Return) and last.value is not None:
        target = ast.Name(LAST, ast.Store())
        tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        ast.fix_missing_locations(tree)
    target_of = last.targets[-1] if isinstance(last, ast.Assign) else getattr(last, "target", None)
    return target_of.id if isinstance(target_of, ast.Name) else ""


def decode(kind: str, value: Any) -> object:
    """The Python object of a bound result."""
    if kind == "fraction":
        number = Fraction(value)
        return number.numerator if number.denominator == 1 else number
    if kind == "decimal":
        return float(value)
    return [decode(*item) for item in value] if kind == "list" else value


def encode(value: object) -> str:
    """The text of a result."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(encode, value))}]"[:SHOWN]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > DIGITS * 3.33:
        raise ValueError(f"the result has more than {DIGITS} digits")
    return str(value)[:SHOWN]


def run_algebra(request: dict[str, Any]) -> dict[str, object]:
    """Solve with sympy; see `lumos_rl.tools.math.symbolic`."""
    sys.path[:] = request["path"]
    symbolic = importlib.import_module("lumos_rl.tools.math.symbolic")
    answer: dict[str, object] = symbolic.respond(request["function"], request["arguments"])
    return answer


if __name__ == "__main__":
    main()
