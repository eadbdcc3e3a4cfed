"""The action language, which a grounder writes and an environment runs.

One line and what it parses to:

    R1 = Calculator(48 / 2) = 24; R2, R3 = SolveEquation(x^2 = 4); R4 = R1; Finish(R4)

    [Action(("R1",), "Calculator", "48 / 2", "24"), Action(("R2", "R3"), "SolveEquation", "x^2 = 4"),
     Action(("R4",), "", "R1"), Action((), "Finish", "R4")]

Grammar (EBNF; blanks are allowed between symbols, except where "~" joins them):

    actions  = {separator}, action, {[stop], separator, {separator}, action}, [stop], {separator};
    separator= ";" | newline;
    stop     = "." | ",";                                (* as behind a sentence; only behind a call or an alias *)
    action   = [prefix], (call | alias), ["=", result];
    prefix   = "Action", number, ["-", number], ":";
    call     = outputs, "=", tool, "(", args, ")"
             | tool ~ "(", args, ")";                    (* a bare call, e.g. Finish(R1) *)
    alias    = outputs, "=", identifier;                 (* R2 = R1; parsed with tool "" and the name as args *)
    outputs  = name, {",", name};
    name     = "R" ~ digit ~ {digit} | "Output";         (* nothing else, so `x = 4` never looks like an action *)
    tool     = identifier;                               (* R4 in R4(R5, R6): an earlier result applied as a function *)
    args     = any text;                                 (* kept as written, outer blanks dropped *)
    result   = any text up to a separator that is followed by `start`, or the end;
    start    = [prefix], (outputs, "=" | identifier ~ "(");

A call ends at the ")" that pairs with its "(", if the end, `separator, start` or `= result` follows. So a `; ` inside
brackets never splits an action. The arguments of `Code` are Python: brackets in its strings and comments do not count.
Otherwise the text has a bracket too many or too few, as in `TYPE(R1, TEXT: hi :))`, and the call ends at the first
later ")" that one of these follows. It is refused if another action would then be part of its arguments, as in
`R1 = Calculator(2 + 3), R2 = Calculator(R1 * 2)`. Parsing takes linear time. The number of actions is not limited
here; an environment accepts at most `lumos_rl.envs.base.MAX_ACTIONS` per step.

Annotations add the plan around the actions (blocks are separated by a blank line):

    Subgoal 1: Find how many clips were sold in May.
    Action 1-1: R1 = Calculator(48 / 2) = 24
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lumos_rl.core import Action, Subgoal
from lumos_rl.errors import ActionParseError

CODE = "Code"  # the tool whose arguments are a program
# Possessive quantifiers (`*+`) never backtrack, so no text can make these patterns slow.
_NAME = r"(?:R[0-9]++|Output)(?!\w)"
_NAMES = rf"{_NAME}(?:[ \t]*+,[ \t]*+{_NAME})*+"
_IDENTIFIER = r"[^\W\d]\w*+"
_PREFIX = r"(?:Action[ \t]++[0-9]++(?:-[0-9]++)?[ \t]*+:\s*+)?"
_START = rf"{_PREFIX}(?:{_NAMES}[ \t]*+=(?!=)|{_IDENTIFIER}\()"
_HEAD = re.compile(rf"{_PREFIX}(?:({_NAMES})[ \t]*+=(?!=)\s*+)?(?:({_IDENTIFIER})(?:(?(1)[ \t]*+)(\())?)?")
_SPACE = r"[^\S\r\n]*+"
_STOP = rf"(?:{_SPACE}[.,])?+"
_FOLLOW_PATTERN = rf"(?:{_STOP}[\s;]*+\Z|{_SPACE}(?==(?!=))|{_STOP}{_SPACE}[;\r\n][\s;]*+(?={_START}))"
_FOLLOW = re.compile(_FOLLOW_PATTERN)  # what may follow a complete call; it ends where the next part starts
_CLOSE = re.compile(rf"\){_FOLLOW_PATTERN}")
_LEADING = re.compile(r"[\s;]*+")
_BREAK = re.compile(rf"(?<![\s;]){_SPACE}[;\r\n][\s;]*+(?=\Z|{_START})")  # tried once per run of separators
_BRACKET = re.compile(r"[()]")
_OTHER_BRACKETS = re.compile(r"""[('"#]""")  # where one is, the first ")" need not be the one that pairs
_LONG, _LINE = (  # strings of Python; one that is not closed reaches to the end of the text or line
    "|".join(form.replace("Q", quote) for quote in ("'", '"'))
    for form in (r"QQQ(?:[^Q\\]++|\\[\s\S]?|Q(?!QQ))*+(?:QQQ|\Z)", r"Q(?:[^Q\\\n]++|\\[\s\S]?)*+(?:Q|(?=\n)|\Z)")
)
# A bracket of code; a comment or a string is found first, with the brackets in it.
_CODE_BRACKET = re.compile(rf"[()]|#[^\n]*+|(?<!\w)[bfrBFR]{{0,2}}+(?:{_LONG}|{_LINE})")
_CALL = rf"(?<!\w){_IDENTIFIER}\("
_BEHIND = re.compile(rf"{_CALL}|(?<!\w){_NAMES}[ \t]*+=(?!=)")  # an action behind a call that is complete
_WITHIN = re.compile(rf"[;\r\n]\s*+{_START}|(?<!\w){_NAMES}[ \t]*+=\s*+{_IDENTIFIER}\(")  # an action in an open one
_HEADER = re.compile(
    r"^[ \t]*+(?:Subgoal[ \t]++(?P<subgoal>[0-9]{1,6}+)|Action[ \t]++(?P<action>[0-9]{1,6}+)-[0-9]++)[ \t]*+:",
    re.MULTILINE,
)


def parse_actions(text: str) -> list[Action]:
    """The actions in `text`, at least one.

    Args:
        text: Actions separated by `;` or newlines; see the module's grammar. Stray blank lines, trailing blanks and
            separators, Windows newlines and an `Action 1-2:` before an action are tolerated.

    Raises:
        ActionParseError: The text is not in the language; `position` says where.
    """
    return _Scanner(text, 0, len(text)).actions()


def format_actions(actions: Iterable[Action]) -> str:
    """One line that `parse_actions` turns back into exactly these actions.

    Raises:
        ValueError: There is no such line, e.g. because the arguments end in a blank or unpaired brackets in them read
            as the end of the call; or there are no actions.
    """
    actions = list(actions)
    text = "; ".join(map(_action_text, actions))
    if _parsed(text) != actions:
        culprit = next((action for action in actions if _parsed(_action_text(action)) != [action]), actions)
        raise ValueError(f"expected actions that can be written and read back, got {culprit!r}")
    return text


def parse_annotation(text: str) -> list[Subgoal]:
    """The plan written in `text` as `Subgoal k: …` and `Action k-j: …` lines.

    Subgoals are numbered from 1; an action's first number is that of its subgoal. Blank lines, trailing blanks, Windows
    newlines and missing results are tolerated. A line that starts neither a subgoal nor an action continues the
    previous one.

    Raises:
        ActionParseError: The text is not an annotation; `position` says where.
    """
    headers = list(_HEADER.finditer(text))
    first = _skip(text, 0)
    if not headers or first < _skip(text, headers[0].start()):
        raise ActionParseError("expected 'Subgoal 1: a sentence'", text, first)
    plan: list[tuple[str, list[Action]]] = []
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        position, body = _skip(text, header.start()), text[header.end() : end].strip()
        if header["subgoal"] is not None:
            if int(header["subgoal"]) != len(plan) + 1 or not body:
                raise ActionParseError(f"expected 'Subgoal {len(plan) + 1}: a sentence'", text, position)
            plan.append((body, []))
        elif not plan or int(header["action"]) != len(plan):
            raise ActionParseError(f"expected an action of subgoal {len(plan)} or the next subgoal", text, position)
        else:
            plan[-1][1].extend(_Scanner(text, header.end(), end).actions())
    return [Subgoal(sentence, tuple(actions)) for sentence, actions in plan]


def format_annotation(subgoals: Sequence[Subgoal]) -> str:
    """The block format that `parse_annotation` turns back into exactly these subgoals, without their thoughts.

    Raises:
        ValueError: There is no such text (see `format_actions`), or there are no subgoals.
    """
    blocks = []
    for k, subgoal in enumerate(subgoals, 1):
        lines = [f"Action {k}-{j}: {format_actions([action])}" for j, action in enumerate(subgoal.actions, 1)]
        blocks.append("\n".join([f"Subgoal {k}: {subgoal.text}", *lines]))
    text = "\n\n".join(blocks)
    try:
        same = parse_annotation(text) == [replace(subgoal, thought="") for subgoal in subgoals]
    except ActionParseError:
        same = False
    if not same:
        raise ValueError(f"expected subgoals that can be written and read back, got {subgoals!r}")
    return text


def _parsed(text: str) -> list[Action] | None:
    try:
        return parse_actions(text)
    except ActionParseError:
        return None


def _action_text(action: Action) -> str:
    left = f"{', '.join(action.outputs)} = " if action.outputs else ""
    right = f"{action.tool}({action.args})" if action.tool else action.args
    return left + right + ("" if action.result is None else f" = {action.result}")


def _skip(text: str, position: int) -> int:
    """Index of the first non-blank character from `position` on."""
    return len(text) - len(text[position:].lstrip())


class _Scanner:
    """Parses the actions in `text[start:end]`; reported positions count from the start of `text`."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text, self.start, self.end = text, start, end
        self.pairs: dict[re.Pattern[str], dict[int, int]] = {}  # "(" → its ")"; found when a call first needs it

    def actions(self) -> list[Action]:
        leading = _LEADING.match(self.text, self.start, self.end)
        position = leading.end() if leading else self.start
        if position == self.end:
            raise ActionParseError("expected an action such as R1 = Tool(arguments), got none", self.text, self.start)
        actions = []
        while position < self.end:
            action, position = self._action(position)
            actions.append(action)
        return actions

    def _pair(self, opening: int, brackets: re.Pattern[str]) -> int | None:
        """The ")" that pairs with the "(" at `opening`; None if none does.

        Args:
            opening: Index of the "(".
            brackets: Finds brackets, and with them what holds brackets that do not count.
        """
        closing = self.text.find(")", opening, self.end)
        if closing < 0 or _OTHER_BRACKETS.search(self.text, opening + 1, closing) is None:
            return closing if closing >= 0 else None
        if brackets not in self.pairs:
            self.pairs[brackets] = self._bracket_pairs(opening, brackets)
        return self.pairs[brackets].get(opening)

    def _bracket_pairs(self, start: int, brackets: re.Pattern[str]) -> dict[int, int]:
        pairs, open_brackets = {}, []
        for bracket in brackets.finditer(self.text, start, self.end):
            position = bracket.start()
            if self.text[position] == "(":
                open_brackets.append(position)
            elif self.text[position] == ")" and open_brackets:
                pairs[open_brackets.pop()] = position
        return pairs

    def _action(self, position: int) -> tuple[Action, int]:
        """The action that starts at `position`, and where the next one starts."""
        head = _HEAD.match(self.text, position, self.end)
        assert head is not None, "every part of the pattern is optional"
        names, tool, bracket = head.groups()
        if tool is None:
            raise ActionParseError("expected an action such as R1 = Tool(arguments)", self.text, head.end())
        outputs = tuple(name.strip(" \t") for name in names.split(",")) if names else ()
        if bracket:
            closing, follow = self._close(head.end() - 1, tool)
            args = self.text[head.end() : closing].strip()
        else:
            tool, args, follow = "", tool, self._alias_end(outputs, head.end(2))
        if follow == self.end or self.text[follow] != "=":
            return Action(outputs, tool, args), follow
        result, follow = self._result(follow + 1)
        return Action(outputs, tool, args, result), follow

    def _close(self, opening: int, tool: str) -> tuple[int, int]:
        """The ")" that ends the call opened at `opening`, and where the next part starts."""
        for brackets in (_CODE_BRACKET, _BRACKET) if tool == CODE else (_BRACKET,):
            pair = self._pair(opening, brackets)
            if pair is not None and (ended := _CLOSE.match(self.text, pair, self.end)):
                return pair, ended.end()
        found = _CLOSE.search(self.text, opening if pair is None else pair, self.end)
        if found is not None:
            within = (_WITHIN, opening + 1) if pair is None else (_BEHIND, pair + 1)
            if within[0].search(self.text, within[1], found.start()) is None:
                return found.start(), found.end()
        if pair is None:
            raise ActionParseError("expected ')' to end the call", self.text, opening)
        message = "expected '; ' and another action, '= result' or the end after the call"
        raise ActionParseError(message, self.text, pair + 1)

    def _alias_end(self, outputs: tuple[str, ...], position: int) -> int:
        follow = _FOLLOW.match(self.text, position, self.end) if outputs else None
        if follow is None:
            expected = "'(' or the end of the action" if outputs else "'R1 = Tool(arguments)' or 'Tool(arguments)'"
            raise ActionParseError(f"expected {expected}", self.text, position)
        return follow.end()

    def _result(self, position: int) -> tuple[str | None, int]:
        """The result that starts at `position` (None if empty), and where the next action starts."""
        gap = _BREAK.search(self.text, position, self.end)
        stop, follow = gap.span() if gap else (self.end, self.end)
        return self.text[position:stop].strip() or None, follow
