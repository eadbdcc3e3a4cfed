"""Finds tasks that are both learned and tested, by their text, whatever its case, spaces, punctuation or Unicode form.

>>> normalized("What is  “3 + 5”?") == normalized("what is 3+5")
True
>>> normalized("What is 3 - 5?") == normalized("what is 3+5")
False
>>> tested = HeldOut([Task("gsm8k/test/0", "gsm8k", "How many eggs do 16 hens lay in 3 days?")])
>>> Task("gsm8k/train/7", "gsm8k", "How many eggs do 16 hens lay, in 3 days?") in tested
True
>>> tested.in_text("Task: How many eggs do 16 hens lay, in 3 days? Now plan.")
('how many eggs do 16 hens lay in 3 days', '')
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from lumos_rl import task_types
from lumos_rl.core import Task

SAME = str.maketrans({"−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "÷": "/", "’": "'", "‘": "'", "ʼ": "'"})
TOKEN = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s]")
WORDS_AT_LEAST = 5  # a shorter text is looked for as a whole line only: inside of another it may stand by chance
PREFIX = 8  # words by which longer texts are looked up

Key = tuple[str, str]  # normalised text, and where the task takes place


def normalized(text: str) -> str:
    """The text in one case and Unicode form (NFKC), its words and numbers with single spaces between.

    Punctuation is dropped. Signs that stand for something stay: symbols such as + = < $, percent signs, and - * /
    between numbers or single letters.
    """
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFKC", text).translate(SAME).casefold()
    if not text.isascii():
        text = "".join(mark for mark in text if unicodedata.category(mark) != "Cf")  # soft hyphens, zero-width spaces
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    tokens = TOKEN.findall(text)
    return [
        token.replace("'", "")
        for before, token, behind in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False)
        if token[0].isalnum() or _stands_for_something(before, token, behind)
    ]


def _stands_for_something(before: str, sign: str, behind: str) -> bool:
    if sign in "-*/":
        return all(side[:1].isdigit() or (len(side) == 1 and side.isalnum()) for side in (before, behind))
    return sign == "%" or unicodedata.category(sign).startswith("S")


def key(task: Task) -> Key:
    """What makes a task the same as another: its words, and where it takes place if that matters to its task type."""
    kind = task_types.find(task.benchmark)
    place = str(task.meta.get(kind.place, "")) if kind is not None and kind.place else ""
    return normalized(task.instruction), place


class HeldOut:
    """Tasks that are not to be learned.

    Args:
        tasks: The tasks.

    Attributes:
        keys: Their keys.
    """

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.keys = {key(task) for task in tasks}
        self._begun: dict[tuple[str, ...], list[tuple[list[str], Key]]] = defaultdict(list)
        self._short: dict[str, Key] = {}
        for each in self.keys:
            words = each[0].split()
            if len(words) >= WORDS_AT_LEAST:
                self._begun[tuple(words[:PREFIX])].append((words, each))
            elif words:
                self._short[each[0]] = each
        self._lengths = sorted({len(begin) for begin in self._begun})

    def __contains__(self, task: Task) -> bool:
        return bool(self.keys) and key(task) in self.keys

    def in_text(self, text: str) -> Key | None:
        """The key of a task whose words stand in a longer text, such as the prompt of a conversation; None without one.

        Where a task takes place is not looked at, as prompts do not say it.
        """
        if self._short:
            for line in text.splitlines():
                for piece in (line, line.partition(": ")[2]):
                    if len(piece.split()) <= WORDS_AT_LEAST and (found := self._short.get(normalized(piece))):
                        return found
        words = _words(text) if self._begun else []
        for start in range(len(words)):
            for length in self._lengths:
                for own, each in self._begun.get(tuple(words[start : start + length]), ()):
                    if words[start : start + len(own)] == own:
                        return each
        return None
