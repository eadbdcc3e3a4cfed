r"""Where the prompt ends and the model's turn begins, so that no token spans both.

A template may open a turn with "ASSISTANT: ", and a tokenizer may have " No" as one token. Asked with that prompt, the
model would have to write "No" after a space, which it never saw in text. Or a template opens with "<|assistant|>" and
writes "\n" before the turn, and the tokenizer has ">\n" as one token. Where the usual place is within a token, the
space is moved: into the turn in the first case, into the prompt in the second.

    open_turn(tokenizer, [{"role": "user", "content": "5"}])   # "USER: 5\nASSISTANT:"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from lumos_rl.core import Message
from lumos_rl.policies.templates import render

_WORDS = ("No", "Yes", "Subgoal", "Stop", "R1", "5", "The", "a")  # with which turns begin

_KNOWN: WeakKeyDictionary[Any, tuple[object, tuple[int, str]]] = WeakKeyDictionary()


def open_turn(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text of a conversation up to the place where the model begins to write.

    Raises:
        ConfigError: The chat template refuses the conversation.
    """
    text = render(tokenizer, messages, True)
    less, more = _seam(tokenizer)
    return text[: len(text) - less] + more


def _seam(tokenizer: Any) -> tuple[int, str]:
    """How many characters the prompt has less than the template gives it, and what it has more."""
    state = len(tokenizer), tokenizer.chat_template, tokenizer.eos_token
    before, seam = _KNOWN.get(tokenizer, (None, (0, "")))
    if before != state:
        seam = _found(tokenizer)
        _KNOWN[tokenizer] = state, seam
    return seam


def _found(tokenizer: Any) -> tuple[int, str]:
    user: Message = {"role": "user", "content": "0"}
    opened = render(tokenizer, [user], True)
    closed = render(tokenizer, [user, {"role": "assistant", "content": _WORDS[0]}], False)
    before, word, _ = closed[len(opened) :].partition(_WORDS[0])
    if not word or before.strip() or not closed.startswith(opened):  # `check_template` refuses these
        return 0, ""
    space = len(opened) - len(opened.rstrip())
    for less, more in ((0, ""), (0, before), (space, "")):
        prompt = opened[: len(opened) - less] + more
        if all(_apart(tokenizer, prompt, (opened + before)[len(prompt) :] + each) for each in _WORDS):
            return less, more
    return 0, ""


def _apart(tokenizer: Any, prompt: str, turn: str) -> bool:
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    return list(tokenizer.encode(prompt + turn, add_special_tokens=False)[: len(ids)]) == list(ids)
