"""Web actions in the action language: three tools that share one session, and a tool for MindAct's syntax.

    R1 = TYPE(Env, QUERY: location searchbox, TEXT: Boston)    # Type Boston in the searchbox Find a location
    R2 = CLICK(R1, QUERY: search button)                       # Visit button Search
    CLICK [3]          TYPE [5] Boston          SELECT [7] Pickup

A result is the recorded action as a sentence, whatever was predicted. HOVER and ENTER are clicks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lumos_rl.core import Action
from lumos_rl.envs.mind2web.tools.session import CLICKS, OPS, Session
from lumos_rl.errors import ToolError
from lumos_rl.tools.base import Tool, ToolSpec, Value, arguments

QUERY = "Words that the element fits best."
ACT = "Act"  # the tool that takes MindAct's syntax
_NATIVE = re.compile(rf"({'|'.join((*CLICKS, *OPS[1:]))})\s*\[([^\]]*)\]\s*(.*)", re.DOTALL)
_ARGS = re.compile(r"(?:[^,]*,)?\s*QUERY:\s*(?P<query>.*)", re.DOTALL | re.IGNORECASE)
_TEXT = re.compile(r"(?P<query>.*),\s*TEXT:\s*(?P<text>.*)", re.DOTALL | re.IGNORECASE)


def canonical(action: Action) -> Action:
    """The action with the name of its tool: `Click` and `HOVER` become `CLICK`."""
    name = action.tool.upper()
    if name not in CLICKS and name not in OPS:
        return action
    return Action(action.outputs, "CLICK" if name in CLICKS else name, action.args, action.result)


def native(text: str) -> Action | None:
    """The action of a text in MindAct's syntax; None if it is not."""
    text = text.strip()
    return Action((), ACT, text) if _NATIVE.fullmatch(text) else None


def web_tools(session: Session) -> dict[str, Tool]:
    """The tools of one session by name; `Act` only if ids are shown."""
    tools: dict[str, Tool] = {op: Operation(op, session) for op in OPS}
    return tools | {ACT: Act(session)} if session.with_page else tools


def _form(op: str) -> str:
    return f"{op}(R1, QUERY: words{'' if op == 'CLICK' else ', TEXT: text'})"


def _usage(op: str) -> str:
    done = {"CLICK": "clicks", "TYPE": "types the text into", "SELECT": "selects the text in"}[op]
    return f"{_form(op)}: {done} the element of the page after R1 that fits the words; Env is the first page"


def _schema(op: str) -> dict[str, Any]:
    text = {} if op == "CLICK" else {"text": "What is typed or selected."}
    return arguments(after="The result that led to the page, such as R1; Env is the first page.", query=QUERY, **text)


SPECS = tuple(ToolSpec(op, _usage(op), _schema(op)) for op in OPS)  # without Act, which needs the ids of a shown page


class Operation:
    """One of the three operations, on the element that best matches a query."""

    def __init__(self, op: str, session: Session) -> None:
        self.op, self.session = op, session
        self.form = _form(op)
        self.usage, self.schema = _usage(op), _schema(op)

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The recorded action as a sentence.

        Raises:
            ToolError: The arguments cannot be parsed, or no step is left.
        """
        query, text = self._read(args)
        return _predicted(self.session, self.op, text, query=query)

    def _read(self, args: str) -> tuple[str, str]:
        found = _ARGS.fullmatch(args)
        with_text = _TEXT.fullmatch(found["query"]) if found else None
        match = (with_text or found) if self.op == "CLICK" else with_text
        if match is None or not match["query"].strip():
            raise ToolError(f"expected {self.form}, got {args[:60]!r} between the brackets")
        return match["query"].strip(), "" if self.op == "CLICK" else match["text"].strip()


class Act:
    """An operation in MindAct's syntax, on an element by its id."""

    usage = "Act(CLICK [id]), Act(TYPE [id] text), Act(SELECT [id] text): acts on the element with this id"
    schema = arguments(action="CLICK [id], TYPE [id] text or SELECT [id] text.")

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The recorded action as a sentence.

        Raises:
            ToolError: The syntax is wrong, no step is left, or there is no such element (then the step is taken).
        """
        found = _NATIVE.fullmatch(args.strip())
        if found is None:
            raise ToolError(f"expected CLICK [id], TYPE [id] text or SELECT [id] text, got {args[:60]!r}")
        op, key, text = found[1], found[2].strip(), found[3].strip()
        if text.startswith("[") and text.endswith("]"):  # Synapse writes TYPE [id] [text]
            text = text[1:-1]
        value = _predicted(self.session, "CLICK" if op in CLICKS else op, text, shown_id=key)
        if self.session.predictions[-1].element is None:
            raise ToolError(f"no element was shown with the id {key[:20]!r}; the step counts as wrong")
        return value


def _predicted(session: Session, op: str, text: str, *, query: str | None = None, shown_id: str = "") -> Value:
    if session.over:
        raise ToolError(f"expected no further action: all {len(session.texts)} steps of the task are done")
    found = session.predict(op, text, query=query, shown_id=shown_id)
    return Value(found, session.happened)
