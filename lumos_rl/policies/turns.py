r"""Cuts what surrounds a model's turn: it is part of what was written, but not of the turn.

    turn_text("<think>\n48 / 2 = 24\n</think>\n\nSubgoal 1: Add.")   # "Subgoal 1: Add."
    turn_text("```\nR1 = Calculator(2 + 3)\n```")                    # "R1 = Calculator(2 + 3)"
    turn_text("R1 = Calculator(2 + 3)<|im_end|>\n<|im_start|>user\n5")  # "R1 = Calculator(2 + 3)"

The episode loop applies it to the completions of every engine. Sampled token ids stay as they were sampled.
"""

from __future__ import annotations

import re

_THINK = r"think(?:ing)?|reasoning|thought"
_REASONING = re.compile(rf"\s*<({_THINK})>.*?</\1>", re.DOTALL)
_OPENED_BY_TEMPLATE = re.compile(rf"</(?:{_THINK})>")  # the prompt ended with the opening tag
_UNFINISHED = re.compile(rf"\s*<(?:{_THINK})>")
_FENCE = re.compile(r"(?P<fence>`{3,}+|~{3,}+)[^\n`]*\n(?P<inside>.*?)(?:\n?(?P=fence)[ \t]*(?:\n.*)?)?\Z", re.DOTALL)
_HEADER = re.compile(
    r"\s*(?:<\|im_start\|>assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|assistant\|>"
    r"|<start_of_turn>model|\[/INST\])\s*"
)
# Markup that ends a turn, and lines with which models that miss their end-of-turn token open the next one.
_NEXT = re.compile(
    r"<\|[A-Za-z_]+\|>|<｜[^｜<>]+｜>|</s>|\[/?INST\]|<(?:start|end)_of_turn>"
    r"|\n[ \t]*(?:#+[ \t]*)?(?:User|Human|Assistant):"
)


def turn_text(written: str) -> str:
    """The turn in what a model wrote.

    These are cut: a header that repeats whose turn it is; reasoning in `<think>` tags, also when the prompt has opened
    them; a Markdown fence around the whole turn; an end-of-turn token that is still there as text; the next speaker's
    turn, which models invent that miss their end of turn. Text without any of them is returned unchanged.

    Args:
        written: A completion.

    Returns:
        The turn; "" if reasoning was begun and never ended.
    """
    text = _without_reasoning(_from(_HEADER, written))
    end = _NEXT.search(text)
    text = text[: end.start()] if end else text
    fenced = _FENCE.match(text.strip())
    return fenced["inside"] if fenced else text


def _from(pattern: re.Pattern[str], text: str) -> str:
    """The text behind a match at its start; the same text without one."""
    found = pattern.match(text)
    return text[found.end() :] if found else text


def _without_reasoning(text: str) -> str:
    found = _REASONING.match(text)
    if found:
        return text[found.end() :].lstrip()
    closed = _OPENED_BY_TEMPLATE.search(text)
    if closed:
        return text[closed.end() :].lstrip()
    return "" if _UNFINISHED.match(text) else text
