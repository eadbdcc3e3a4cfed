"""Finish, the tool that every environment adds: it states the answer and ends the episode.

    >>> Finish()("R1", {"R1": Value.of(5)}).text
    '5'
    >>> Finish()("New York, USA", {}).text
    'New York, USA'
    >>> Finish()("R1 + 1", {"R1": Value.of(5)})
    Traceback (most recent call last):
    lumos_rl.errors.ToolError: expected one result or a text, got 'R1 + 1' …

What is in the brackets is a text, unless it refers to a result. It refers to one if nothing but result names, numbers,
signs and function names is in it (`R1 + 1`, `R1, R2`, `r1`, `round(R1)`), or if a result of this episode stands in it
as a word of its own (`The answer is R1`, but not `R2-D2`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Value, lookup, shorten

FINISH = "Finish"
RESULT_NAME = re.compile(r"R[0-9]+|Output")
_NAME = re.compile(r"(?<!\w)(?:R(?:esult)?[ _]?\[?[0-9]+\]?|Output)(?!\w)", re.IGNORECASE)  # also as it is misspelt
_WORD = re.compile(r"(?<![\w-])R[0-9]+(?!\w|-\w)", re.IGNORECASE)
_ACTION = re.compile(r"\s*+(?:\w+\s*+=\s*+)?(?P<tool>\w++)\(")
_FUNCTION = re.compile(r"(?<!\w)[^\W\d]\w*+(?=[(\[])")
_LETTER = re.compile(r"[^\W\d_]")


class Finish:
    """States the answer: a result by its name, or a text."""

    usage = "Finish(R1): ends the task with R1 as the answer; Finish(text) with a text, Finish() with the last result"

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The result that `args` names, otherwise `args` itself.

        Raises:
            ToolError: `args` names a result that does not exist, or refers to results in another way.
        """
        if RESULT_NAME.fullmatch(args):
            return lookup(args, bindings)
        if _refers(args, bindings):
            known = ", ".join(bindings) or "none yet"
            raise ToolError(
                f"expected one result or a text, got {shorten(args)!r}; give one of the results ({known}), such as"
                " Finish(R1), and compute what is not there with an action before"
            )
        return Value.of(args)


def refuse_action(args: str, tools: Collection[str]) -> None:
    """Refuses an action as the answer, such as `Calculator(2 + 3)` or `R2 = Calculator(2 + 3)`.

    Raises:
        ToolError: `args` calls one of the tools.
    """
    if (found := _ACTION.match(args)) and found["tool"] in tools:
        raise ToolError(f"expected one result or a text, got the action {shorten(args)!r}; run it before, as R1 = …")


def _refers(args: str, bindings: Mapping[str, Value]) -> bool:
    """Whether this refers to results, instead of being a text of its own."""
    if any(found[0].upper() in bindings for found in _WORD.finditer(args)):
        return True
    names = [found[0] for found in _NAME.finditer(args)]
    if not any(name.lower() != "output" or "Output" in bindings for name in names):
        return False
    return not _LETTER.search(_FUNCTION.sub("", _NAME.sub("", args)))
