"""Running code that a model wrote: `Code(total = sum(range(11)); print(total / R1))`.

>>> Code()("x ← 2^10; x - R1", {"R1": Value.of(24)})
Value(exact=Fraction(1000, 1), text='1000')
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from lumos_rl.errors import ToolError, ToolLimitError
from lumos_rl.tools.base import Value, arguments
from lumos_rl.tools.code.process import ChildLimits, run_child
from lumos_rl.tools.expression import read_number

MAX_SOURCE = 10_000  # characters of code
MAX_RESULT = 2_000  # characters of a result; the child cuts too, but the code can write its own reply
_FLOAT_DIGITS = 15  # a decimal with more comes from floating point


class Code:
    r"""Python or simple pseudo-code, run in a child process.

    The result is the last line printed; else the value of the last statement, if that is an expression or `return`;
    else the variable `answer` or `result`; else the variable that the last statement assigns. Earlier results are
    variables: R1 is an int or `fractions.Fraction` if exact, a float if not, or a list, bool or str. Only the standard
    library can be imported.

    These are accepted besides Python: a ```-fenced block; ^ × · ÷ − ← ≤ ≥ ≠ outside quotes (^ is always a power); `\n`
    written as two characters, if the text is one line and is not valid Python otherwise; `return` outside a function.

    Protection: the child has at most `limits.cpu_s` seconds of processor time, `limits.wall_s` seconds in all,
    `limits.memory_mb` of memory and `limits.output_bytes` of reply. It cannot write to a file (file size limit 0). It
    has an empty environment, an empty standard input and a temporary folder of its own. Its process group is killed at
    the end. It cannot start a process, unless it runs as the superuser.

    This is not a security sandbox. The child runs as the same user: it can read every file that user can read, delete
    files that user can delete, open network connections and signal that user's processes. As the superuser it can also
    lift its limits and start processes that leave the group. Run untrusted models in a container.
    """

    usage = "Code(code): runs Python or pseudo-code and gives the last line it prints; R1, R2 ... are variables"
    schema = arguments(code="Python or simple pseudo-code; earlier results are variables.")

    def __init__(self, limits: ChildLimits | None = None) -> None:
        self.limits = limits or ChildLimits()

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The result of the code.

        Raises:
            ToolError: The code fails (with the last line of its traceback) or has no result.
            ToolLimitError: It exceeds a limit.
        """
        if not args.strip():
            raise ToolError("expected code such as print(2 + 3), got nothing")
        if len(args) > MAX_SOURCE:
            raise ToolLimitError(f"expected at most {MAX_SOURCE} characters of code, got {len(args)}")
        names = {name: _encoded(value) for name, value in bindings.items() if name in args}
        reply = run_child({"job": "code", "source": args, "names": names}, self.limits)
        return value_of_text(reply["text"][:MAX_RESULT])


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
