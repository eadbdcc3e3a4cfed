"""Running code that a model wrote: `Code(total = sum(range(11)); print(total / R1))`.

>>> Code()("x ← 2^10; x - R1", {"R1": Value.of(24)})
Value(exact=Fraction(1000, 1), text='1000')
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ConfigError, ToolError, ToolLimitError
from lumos_rl.tools.base import Value, arguments
from lumos_rl.tools.code.process import ChildLimits, InChild, gaps, run_child
from lumos_rl.tools.expression import read_number

log = logging.getLogger(__name__)

SANDBOXES = ("auto", "required")
_WARNED = threading.Lock()  # taken, and never released, by whoever warns
MAX_SOURCE = 10_000  # characters of code
MAX_RESULT = 2_000  # characters of a result; the child cuts too, but the code can write its own reply
_FLOAT_DIGITS = 15  # a decimal with more comes from floating point


class Code(InChild):
    r"""Python or simple pseudo-code, run in a child process.

    The result is the last line printed; else the value of the last statement, if that is an expression or `return`;
    else the variable `answer` or `result`; else the variable that the last statement assigns. Earlier results are
    variables: R1 is an int or `fractions.Fraction` if exact, a float if not, or a list, bool or str. Only the standard
    library can be imported.

    These are accepted besides Python: a ```-fenced block; ^ × · ÷ − ← ≤ ≥ ≠ outside quotes (^ is always a power); `\n`
    written as two characters, if the text is one line and is not valid Python otherwise; `return` outside a function;
    Lumos's choice `If condition, value, other value`, also as `if … then … else …`.

    Limits: the child has at most `limits.cpu_s` seconds of processor time, `limits.wall_s` seconds in all,
    `limits.memory_mb` of memory and `limits.output_bytes` of reply. It has an empty environment (no variable of this
    process), an empty standard input and an empty folder, and is killed with its process group at the end.

    Sandbox (`sandbox.py`): the child can open no file but those that an import of the standard library needs, and write
    to none. It can see nothing of other processes, this one included: not their environment, command line, memory or
    files. It can open no socket (TCP, UDP or Unix), start no process, thread or program, send no signal, trace nothing,
    and change no limit. It can still see that a file or process exists, with its size, owner and times, read the clock,
    and see the names of the machine and the system.

    This needs Linux (Landlock, from version 5.13, and seccomp on x86_64 or aarch64), in a container too; no privileges
    are needed. Elsewhere the limits hold, and one warning names what stays open. Without Landlock, code can read all
    that this process's user can, so also the answers of tasks; without the filter of system calls, code can also use
    the network and start and signal processes. With `sandbox="required"`, Code then refuses to start.
    """

    usage = "Code(code): runs Python or pseudo-code and gives the last line it prints; R1, R2 ... are variables"
    schema = arguments(code="Python or simple pseudo-code; earlier results are variables.")

    def __init__(self, limits: ChildLimits | None = None, sandbox: str = "auto") -> None:
        """Checks that the sandbox is there if it must be.

        Args:
            limits: What each run may use.
            sandbox: "auto" warns once of what this machine cannot close; "required" refuses it.

        Raises:
            ConfigError: This machine cannot close something, and `sandbox` is "required"; or an unknown setting.
        """
        check_sandbox(sandbox)
        super().__init__(limits or ChildLimits())
        self.sandbox = sandbox

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The result of the code.

        Raises:
            ToolError: The code fails (with the last line of its traceback) or has no result.
            ToolLimitError: It exceeds a limit.
            InfrastructureError: A child cannot be started, or not confined as is required.
        """
        if not args.strip():
            raise ToolError("expected code such as print(2 + 3), got nothing")
        if len(args) > MAX_SOURCE:
            raise ToolLimitError(f"expected at most {MAX_SOURCE} characters of code, got {len(args)}")
        names = {name: _encoded(value) for name, value in bindings.items() if name in args}
        _warn_of_gaps()
        required = self.sandbox == "required"
        reply = run_child({"job": "code", "source": args, "names": names, "required": required}, self.limits)
        return value_of_text(reply["text"][:MAX_RESULT])


def check_sandbox(sandbox: str) -> None:
    """Refuses a setting that this machine cannot keep.

    Raises:
        ConfigError: `sandbox` is "required" and something stays open here; or it is neither "auto" nor "required".
    """
    if sandbox not in SANDBOXES:
        raise ConfigError(f"expected sandbox as one of {', '.join(SANDBOXES)}, got {sandbox!r}")
    if sandbox == "required" and gaps():
        raise ConfigError(
            f"expected a machine that can confine the tool Code (sandbox='required'), got one that leaves open:"
            f" {' and '.join(gaps())}; use Linux 5.13 or later with Landlock and seccomp, or sandbox='auto'"
        )


def _warn_of_gaps() -> None:
    if (found := gaps()) and _WARNED.acquire(blocking=False):
        log.warning(
            "the tool Code runs programs of the model with %s left open on this machine, which has no Landlock or no"
            " seccomp; run it in a container without secrets, or refuse this with sandbox=required",
            " and ".join(found),
        )


def value_of_text(text: str) -> Value:
    """The value of a text: a number, True or False, a list of these, or otherwise the text itself."""
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        items = [_plain_value(item) for item in text[1:-1].split(",") if item.strip()]
        if not any(isinstance(item.exact, str) for item in items):
            return Value.of(tuple(items))
    return _plain_value(text)


def _plain_value(text: str) -> Value:
    text = text.strip()
    if text in ("True", "False"):
        return Value.of(text == "True")
    number = read_number(text)
    if number is None:
        return Value.of(text)
    return Value.of(Decimal(text) if _is_float(text) else number)


def _is_float(text: str) -> bool:
    """Whether the text looks like a rounded float rather than an exact decimal."""
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("-0.").replace(".", "")
    return "." in mantissa and digits.isdigit() and len(digits) >= _FLOAT_DIGITS


def _encoded(value: Value) -> tuple[str, object]:
    exact = value.exact
    if isinstance(exact, Fraction):
        return "fraction", str(exact)
    if isinstance(exact, Decimal):
        return "decimal", str(exact) if math.isfinite(exact) else "0"
    if isinstance(exact, tuple):
        return "list", [_encoded(item) for item in exact]
    return "text", exact if isinstance(exact, bool | str) else value.text
