"""Finds the equations with unknowns in a worked solution, and the values that it states for the unknowns.

    >>> found = letter_equations("All the ships had S + 2S + 4S = 7S = 847 people, so S = <<121=121>>121.")
    >>> [(equation.text, equation.letters, equation.solution) for equation in found]
    [('S + 2 * S + 4 * S = 847', frozenset({'S'}), None), ('S = 121', frozenset({'S'}), ('S', '121'))]

An unknown is a single letter. From a chain of equals signs, the first and the last side are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lumos_rl.envs.math.equations import Token, spell, tokenize

_MOST_UNIT_WORDS = 3
_LONGEST_SIDE = 200  # tokens; people write no longer equations
_TIGHT = {"number", "letter", "close"}  # kinds that multiply what follows them directly


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
            after = tokens[index + 1] if index + 1 < len(tokens) else None
            if after is None or after.kind != "number":
                run.append(Token("number", token.text[2:-2].rpartition("=")[2].strip(), token.start, token.end))
        elif kind in ("number", "operator", "open", "close", "equals", "percent"):
            run.append(token)
        elif kind not in ("currency",) and not (run and _is_unit(tokens, index, run[-1])):
            if run:
                yield run
            run = []
    if run:
        yield run


def _is_unit(tokens: Sequence[Token], index: int, before: Token) -> bool:
    """Whether a word only names the unit of the number before it, because an operator or equals sign follows."""
    if before.kind not in ("number", "close", "percent"):
        return False
    for token in tokens[index : index + _MOST_UNIT_WORDS + 1]:
        if token.kind not in ("word", "unit") or len(token.text) == 1:
            return token.kind in ("operator", "equals")
    return False


def _longest_suffix(side: list[Token]) -> list[Token]:
    return next((side[first:] for first in range(len(side)) if _is_expression(side[first:])), [])


def _longest_prefix(side: list[Token]) -> list[Token]:
    return next((side[:last] for last in range(len(side), 0, -1) if _is_expression(side[:last])), [])


def _is_expression(side: Sequence[Token]) -> bool:
    """Whether operands and operators alternate, brackets match, and no number follows a letter or bracket."""
    level, wants_operand = 0, True
    for index, token in enumerate(side):
        if token.kind in ("number", "letter"):
            if not wants_operand and not (token.kind == "letter" and side[index - 1].kind in _TIGHT):
                return False
            wants_operand = False
        elif token.kind == "open":
            if not wants_operand and side[index - 1].kind not in _TIGHT:
                return False
            level, wants_operand = level + 1, True
        elif token.kind == "close":
            level -= 1
            if wants_operand or level < 0:
                return False
        elif token.kind == "percent":
            if wants_operand or side[index - 1].kind != "number":
                return False
        elif wants_operand and not (token.text == "-" and (index == 0 or side[index - 1].kind == "open")):
            return False
        else:
            wants_operand = True
    return level == 0 and not wants_operand


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
