"""Runs Python or simple pseudo-code inside `child.py`. The package never imports it, and it imports only the standard
library.

    >>> run_code({"source": "x ← 2^10; x - R1", "names": {"R1": ["fraction", "24"]}})
    {'text': '1000'}
    >>> run_code({"source": "If 8 > 0, 8, -8", "names": {}})
    {'text': '8'}
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import io
import re
import sys
from fractions import Fraction
from types import CodeType
from typing import Any

SHOWN = 2000  # most characters of a result
DIGITS = 1000  # most digits of a number
LAST = "_last_value"
# Outside quotes only; a quoted text is matched first and left alone.
_PSEUDO = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*)|[\^×·÷−–←≤≥≠]""")
_PLAIN = dict(zip("^×·÷−–←≤≥≠", ("**", "*", "*", "/", "-", "-", "=", "<=", ">=", "!="), strict=True))
_FENCE = re.compile(r"\s*```[a-z]*\n(.*?)```\s*", re.DOTALL)
# A condition with its two values, as the value of a statement: `If 8 > 0, 8, -8` or `x = if (n = 3) then 1 else 2`.
_CHOICE = re.compile(r"(?P<head>\s*(?:\w+\s*=(?!=)\s*|return\s+)?)if\b(?P<body>[^\n]+)", re.IGNORECASE)
_THEN = re.compile(r"(?P<test>.+?)\bthen\b(?P<yes>.+)\belse\b(?P<no>.+)", re.IGNORECASE)
_EQUAL = re.compile(r"(?<![<>=!:])=(?!=)")


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
    """The syntax tree, after fences, typographic signs, choices and written-out line breaks are turned into Python."""
    fenced = _FENCE.fullmatch(source)
    text = fenced[1] if fenced else source
    text = _PSEUDO.sub(lambda found: found[1] or _PLAIN[found[0]], text)
    written = [text] if "\n" in text or "\\n" not in text else [text, text.replace("\\n", "\n")]
    for reading in (form for each in written for form in (each, choices(each))):
        with contextlib.suppress(SyntaxError):
            tree = ast.parse(reading, "code")
            if not re.search(r"\bdef +I[fF]\b", reading):
                _Choices().visit(tree)
            return ast.fix_missing_locations(tree)
    return ast.parse(written[-1], "code")  # raises the error of what was written


class _Choices(ast.NodeTransformer):
    """Makes a conditional expression of the call `If(condition, value, other value)`."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("If", "IF") and len(node.args) == 3:
            return ast.copy_location(ast.IfExp(*node.args), node)
        return node


def choices(text: str) -> str:
    """The text with Python's conditional expression for each statement such as `If 8 > 0, 8, -8`."""
    return "".join(_chosen(part) for part in re.split(r"([;\n])", text))


def _chosen(part: str) -> str:
    found = _CHOICE.fullmatch(part)
    if not found:
        return part
    words = _THEN.fullmatch(found["body"])
    body = f"({words['test']}, {words['yes']}, {words['no']})" if words else f"({found['body']})"
    for attempt in (body, _EQUAL.sub("==", body)):
        with contextlib.suppress(SyntaxError):
            parts = ast.parse(attempt, mode="eval").body
            if isinstance(parts, ast.Tuple) and len(parts.elts) == 3:
                condition, yes, no = map(ast.unparse, parts.elts)
                return f"{found['head']}({yes}) if ({condition}) else ({no})"
    return part


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
