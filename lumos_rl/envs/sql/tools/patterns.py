r"""Patterns in texts, LIKE and regular expressions, in bounded time and memory.

    matches("a%b_", "axxbc")        # True
    matches("50\\%", "50%")         # True: "\" is the escape, so this "%" stands for itself
    with matching() as timeout:
        expression("^d", "dog").search("dog", timeout=timeout)

LIKE does not backtrack: a pattern is cut at its "%", and each part is searched from where the part before ended, so the
time is at most in proportion to pattern length times text length, at the speed of `str.find`. A regular expression does
backtrack; it has a time limit, and what would need too much memory is refused as MySQL refuses it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from lumos_rl.envs.sql.tools.budget import ask, halt, left_s
from lumos_rl.envs.sql.tools.kept import kept
from lumos_rl.errors import MissingExtraError

MAX_PATTERN = 2_000  # characters of a regular expression, because the time to compile it has no other limit
MAX_DEPTH = 8  # brackets within brackets; memory doubles with each
MAX_GROUPED = 2_000_000  # characters of text times groups of the expression, each of which takes memory
REGEXP_S = 0.5  # seconds for one match

_UNFOLDED: Mapping[int, str] = MappingProxyType({})


@dataclass(slots=True)
class _Part:
    """What is between "%" and "%": texts at fixed distances from its start, with any characters between them."""

    texts: list[tuple[int, str]]
    length: int = 0

    def add(self, character: str) -> None:
        if self.texts and self.texts[-1][0] + len(self.texts[-1][1]) == self.length:
            start, text = self.texts.pop()
            self.texts.append((start, text + character))
        else:
            self.texts.append((self.length, character))
        self.length += 1

    def is_at(self, place: int, text: str) -> bool:
        fits = place >= 0 and place + self.length <= len(text)
        return fits and all(text.startswith(part, place + start) for start, part in self.texts)

    def find(self, text: str, first: int) -> int:
        """The first place at or after `first` where the part is; -1 if there is none."""
        if not self.texts:
            return first if first + self.length <= len(text) else -1
        start, longest = max(self.texts, key=lambda pair: len(pair[1]))
        found, tries = text.find(longest, first + start), 0
        while found >= 0 and not self.is_at(found - start, text):
            found, tries = text.find(longest, found + 1), tries + 1
            if tries % 1_000 == 0:
                ask()
        return found - start if found >= 0 else -1


def matches(pattern: str, text: str, escape: str = "\\", folded: Mapping[int, str] = _UNFOLDED) -> bool:
    """Whether the whole text is as the pattern says; `folded` has the form of the pattern's characters in the text."""
    parts = _parts(pattern, escape, folded)
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return first.length == len(text) and first.is_at(0, text)
    if not first.is_at(0, text):
        return False
    place = first.length
    for part in parts[1:-1]:
        place = part.find(text, place)
        if place < 0:
            return False
        place += part.length
    return place + last.length <= len(text) and last.is_at(len(text) - last.length, text)


def _parts(pattern: str, escape: str, folded: Mapping[int, str]) -> list[_Part]:
    parts = [_Part([])]
    characters = iter(pattern)
    for character in characters:
        if character == escape and (following := next(characters, "")):
            parts[-1].add(following.translate(folded))
        elif character == "%":
            if len(parts) == 1 or parts[-1].length:
                parts.append(_Part([]))
        elif character == "_":
            parts[-1].length += 1
        else:
            parts[-1].add(character.translate(folded))
    return parts


def expression(pattern: str, text: str, *, ignore_case: bool = True) -> Any:
    """A compiled regular expression (of the package `regex`) for use on one text, within `matching`.

    Raises:
        StopError: It is refused as MySQL refuses it.
    """
    if len(pattern) > MAX_PATTERN:
        halt("The regular expression pattern is too long.")
    deepest, groups = _brackets(pattern)
    if deepest > MAX_DEPTH or groups * len(text) > MAX_GROUPED:
        halt("Overflow in the regular expression backtrack stack.")
    return _compiled(pattern, ignore_case)


@contextlib.contextmanager
def matching() -> Iterator[float]:
    """Gives the timeout in seconds for a match; its errors stop the statement with MySQL's."""
    try:
        yield left_s(REGEXP_S)
    except TimeoutError:
        halt("Timeout exceeded in regular expression match.")
    except _regex().error:
        halt("Illegal argument to a regular expression.")


def _brackets(pattern: str) -> tuple[int, int]:
    """How deep the brackets of an expression are nested, and how many there are; those in [ ] are counted too."""
    depth = deepest = 0
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            next(characters, "")
        elif character == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif character == ")":
            depth -= 1
    return deepest, pattern.count("(")


@functools.cache
def _regex() -> Any:
    try:
        return import_module("regex")
    except ImportError as error:
        raise MissingExtraError("regex", "sql") from error


@kept(2_000_000, lambda found: 200 * len(found.pattern))
def _compiled(pattern: str, ignore_case: bool) -> Any:
    return _regex().compile(pattern, _regex().IGNORECASE if ignore_case else 0)
