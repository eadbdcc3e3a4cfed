"""Finds the equations with unknowns in a worked solution, and the values that it states for the unknowns.

    >>> found = letter_equations("All the ships had S + 2S + 4S = 7S = 847 people, so S = <<121=121>>121.")
    >>> [(equation.text, equation.letters, equation.solution) for equation in found]
    [('S + 2 * S + 4 * S = 847', frozenset({'S'}), None), ('S = 121', frozenset({'S'}), ('S', '121'))]

An unknown is a single letter. From a chain of equals signs, the first and the last side are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lumos_rl.envs.math.equations import Token, spell, tokenize

_LETTER = re.compile(r"(?<![^\W\d_])[^\W\d_](?![^\W\d_])")
_MOST_UNIT_WORDS = 3
_LONGEST_SIDE = 200  # tokens; people write no longer equations
_TIGHT = {"number", "letter", "close"}  # kinds that multiply what follows them directly
_ENDS = _TIGHT | {"percent"}  # kinds an expression may end with
_DEPTHS = {"open": 1, "close": -1}


@dataclass(frozen=True, slots=True)
class LetterEquation:
    """An equation with at least one unknown, as the terms of its two sides."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    start: int
    end: int

    @property
    def text(self) -> str:
        """The equation in the tools' notation, e.g. "2 * x + 20 = 50"."""
        return f"{spell(self.left)} = {spell(self.right)}"

    @property
    def letters(self) -> frozenset[str]:
        """Its unknowns."""
        return frozenset(term for term in self.left + self.right if term.isalpha())

    @property
    def solution(self) -> tuple[str, str] | None:
        """Unknown and value, if the equation only states the value of an unknown."""
        for letter, value in ((self.left, self.right), (self.right, self.left)):
            if len(letter) == 1 and letter[0].isalpha() and len(value) == 1 and not value[0].isalpha():
                return letter[0], value[0]
        return None


def letter_equations(text: str) -> list[LetterEquation]:
    """The equations with unknowns in one line of a solution, from left to right."""
    if not _LETTER.search(text) or ("=" not in text and "equal" not in text.lower()):
        return []
    found = []
    for run in _runs(tokenize(text)):
        sides: list[list[Token]] = [[]]
        for token in run:
            if token.kind == "equals":
                sides.append([])
            else:
                sides[-1].append(token)
        if len(sides) < 2 or max(map(len, sides)) > _LONGEST_SIDE:
            continue
        left, right = _longest_suffix(sides[0]), _longest_prefix(sides[-1])
        equation = LetterEquation(_terms(left), _terms(right), run[0].start, run[-1].end)
        if left and right and equation.letters and left != right:
            found.append(equation)
    return found


def _runs(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Runs of tokens that may be an equation, without the units after numbers."""
    run: list[Token] = []
    for index, token in enumerate(tokens):
        kind = token.kind
        if kind == "word" and len(token.text) == 1:
            run.append(Token("letter", token.text, token.start, token.end))
        elif kind == "mark":
            run += _marked(tokens, index)
        elif kind in ("number", "operator", "open", "close", "equals", "percent"):
            run.append(token)
        elif kind not in ("currency",) and not (run and _is_unit(tokens, index, run[-1])):
            if run:
                yield run
            run = []
    if run:
        yield run


def _marked(tokens: Sequence[Token], index: int) -> list[Token]:
    """The value in a mark, e.g. 0.5 and n of `<<n*1/2=0.5n>>`; nothing if the text repeats it, as it does in most."""
    mark = tokens[index]
    after = next((token.kind for token in tokens[index + 1 : index + 3] if token.kind != "currency"), "")
    value = [] if after == "number" else tokenize(mark.text[2:-2].rpartition("=")[2])
    kinds = [("letter" if token.kind == "word" and len(token.text) == 1 else token.kind, token) for token in value]
    return [Token(kind, token.text, mark.start, mark.end) for kind, token in kinds]


def _is_unit(tokens: Sequence[Token], index: int, before: Token) -> bool:
    """Whether a word only names the unit of the number before it, because an operator or equals sign follows."""
    if before.kind not in ("number", "close", "percent"):
        return False
    for token in tokens[index : index + _MOST_UNIT_WORDS + 1]:
        if token.kind not in ("word", "unit") or len(token.text) == 1:
            return token.kind in ("operator", "equals")
    return False


def _longest_suffix(side: Sequence[Token]) -> Sequence[Token]:
    """The longest expression that ends where this side ends; prose may stand before it."""
    if not side or side[-1].kind not in _ENDS:
        return ()
    first, level = len(side), 0
    for index in range(len(side) - 1, -1, -1):
        token = side[index]
        level += _DEPTHS.get(token.kind, 0)
        if level > 0 or (index + 1 < len(side) and not _may_follow(token, side[index + 1])):
            break
        if level == 0 and _may_start(token):
            first = index
    return side[first:]


def _longest_prefix(side: Sequence[Token]) -> Sequence[Token]:
    """The longest expression that starts where this side starts; prose may stand behind it."""
    if not side or not _may_start(side[0]):
        return ()
    end, level = 0, 0
    for index, token in enumerate(side):
        level += _DEPTHS.get(token.kind, 0)
        if level < 0 or (index and not _may_follow(side[index - 1], token)):
            break
        if level == 0 and token.kind in _ENDS:
            end = index + 1
    return side[:end]


def _may_start(token: Token) -> bool:
    return token.kind in ("number", "letter", "open") or token.text == "-"


def _may_follow(before: Token, token: Token) -> bool:
    """Whether a token may stand behind another: operands and operators alternate, except in `2x`, `2(…)`, `(-3`."""
    if token.kind == "number":
        return before.kind not in _ENDS
    if token.kind in ("letter", "open"):
        return before.kind != "percent"
    if token.kind == "percent":
        return before.kind == "number"
    return before.kind in _ENDS or (before.kind == "open" and token.text == "-")


def _terms(side: Sequence[Token]) -> tuple[str, ...]:
    """Terms with every multiplication sign written out."""
    terms: list[str] = []
    for index, token in enumerate(side):
        if token.kind == "percent":
            terms[-1] += "%"
            continue
        if token.kind in ("letter", "open") and index and side[index - 1].kind in _TIGHT | {"percent"}:
            terms.append("*")
        terms.append({"open": "(", "close": ")"}.get(token.kind, token.text.replace(",", "")))
    return tuple(terms)
