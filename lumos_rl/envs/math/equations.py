"""Finds the equations in the sentences of a worked solution, marked and unmarked.

    >>> equations("Working 50 minutes, she earned 0.2 x 50 = $<<0.2*50=10>>10.")
    [Equation(terms=('0.2', '*', '50'), stated='10', marked=True, start=31, end=58)]
    >>> [(found.text, found.stated) for found in equations("14 pieces/house * 60 houses = 840 pieces")]
    [('14 * 60', '840')]

A *mark* is GSM8K's calculator annotation `<<0.2*50=10>>`. In unmarked text, units between number and operator are
skipped (`14 pieces/house * 60 houses`), `x`, `×` and words such as "plus" are operators, and "of" multiplies after a
fraction or a percentage. Only expressions before an `=` sign or the word "equals" are read.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_TOKEN = re.compile(
    rf"(?P<mark><<[^<>]*>>)|(?P<number>{NUMBER})|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)|(?P<equals>=)"
    r"|(?P<operator>[+*])|(?P<sign>[-/×÷–−—·•])|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<percent>%)|(?P<currency>[$£€¥])|(?P<other>\S)"
)
_SAYS_EQUAL = re.compile("=|<<|equal", re.IGNORECASE)  # every equation has one of these
_DIGIT = re.compile(r"\d")
_OPERATORS = {"×": "*", "·": "*", "•": "*", "÷": "/", "–": "-", "−": "-", "—": "-", "x": "*", "X": "*"}
_OPERATOR_WORDS = {"times": "*", "plus": "+", "minus": "-"}
_OPERATORS_WITH_BY = {"divided": "/", "multiplied": "*"}
_EQUALS = frozenset({"equals", "equal"})
_WORDS = _EQUALS | _OPERATOR_WORDS.keys() | {"x", "by"}  # words that may be an operator or an equals sign
_UNIT_LETTERS = frozenset("mglLhskF")  # other single letters are unknowns
_MOST_UNIT_WORDS = 8  # between a number and the operator after it
_DEEPEST = 10  # nested brackets


@dataclass(frozen=True, slots=True)
class Equation:
    """One calculation in a text.

    Attributes:
        terms: Numbers, operators and brackets of its expression; a percent sign stays with its number ("20%").
        stated: The value that the text gives for it, "" when it gives none.
        marked: Whether it comes from a calculator mark.
        start: Where its expression starts in the text.
        end: Where its value ends.
    """

    terms: tuple[str, ...]
    stated: str
    marked: bool
    start: int
    end: int

    @property
    def text(self) -> str:
        """The expression in the Calculator's notation, e.g. "(3 + 4) * 20%"."""
        return spell(self.terms)

    @property
    def computes(self) -> bool:
        """Whether there is anything to compute, rather than a repeated number."""
        return any(term in "+-*/" for term in self.terms)


def spell(terms: Sequence[str]) -> str:
    """Terms as text, with spaces around operators and none inside brackets."""
    text = " ".join(terms).replace("( ", "(").replace(" )", ")").replace(" ,", ",")
    return re.sub(r"(^|[(+*/-] ?)- (?=[\dR.(])", r"\1-", text)


class Token(NamedTuple):  # a tuple, because lines of many thousand tokens must be read fast
    """A piece of text: `kind` is a group of the token pattern, or "unit" for a slash or hyphen between words."""

    kind: str
    text: str
    start: int
    end: int


def stated_value(stated: str) -> Fraction | None:
    """The number in a text, "60%" as 0.6; None if it is not a number."""
    try:
        return Fraction(stated[:-1]) / 100 if stated.endswith("%") else Fraction(stated)
    except (ValueError, ZeroDivisionError):
        return None


def agrees(value: Fraction, stated: str) -> bool:
    """Whether a stated number is this value, perhaps rounded or truncated to its number of decimals."""
    number = stated_value(stated)
    if number is None:
        return False
    unit = Fraction(1, 10 ** len(stated.rstrip("%").partition(".")[2])) / (100 if stated.endswith("%") else 1)
    return value == number or ("/" not in stated and value.denominator > 1 and abs(value - number) < unit)


def equations(text: str) -> list[Equation]:
    """The equations of one line of a solution, from left to right, without duplicates."""
    if not (_SAYS_EQUAL.search(text) and _DIGIT.search(text)):
        return []
    tokens = tokenize(text)
    found: list[Equation] = []
    used: set[int] = set()
    low = 0
    for chain in _chains(tokens):
        equation, low = _read_chain(tokens, chain, low, used)
        if equation:
            found.append(equation)
    for index, token in enumerate(tokens):
        if token.kind == "mark" and index not in used:
            found.append(_from_mark(token, token.start, _value_end(tokens, index)))
    return sorted(found, key=lambda equation: equation.start)


@lru_cache(maxsize=32)  # the lines of one solution
def tokenize(text: str) -> tuple[Token, ...]:
    """Tokens, with the letter x, unit slashes and hyphens resolved by their neighbours."""
    matches = _TOKEN.finditer(text)
    tokens = [Token._make((match.lastgroup, match[0], match.start(), match.end())) for match in matches]
    open_kinds = [index for index, token in enumerate(tokens) if token.kind == "sign" or token.text.lower() in _WORDS]
    for index in open_kinds:
        before = tokens[index - 1] if index else None
        tokens[index] = _resolve(tokens[index], before, tokens[index + 1] if index + 1 < len(tokens) else None)
    return tuple(tokens)


def _resolve(token: Token, before: Token | None, after: Token | None) -> Token:
    """A token whose kind depends on its neighbours: an operator sign, or one of `_WORDS`."""
    if token.kind == "sign":
        kind, text = _kind_of_sign(token, before, after), _OPERATORS.get(token.text, token.text)
        return Token(kind, text, token.start, token.end)
    text = token.text.lower()
    if text == "x":
        return token._replace(kind="operator", text="*") if _times(token, before, after) else token
    if text in _EQUALS:
        return token._replace(kind="equals")
    if text in _OPERATOR_WORDS:
        return token._replace(kind="operator", text=_OPERATOR_WORDS[text])
    operator = _OPERATORS_WITH_BY.get(before.text) if before is not None and token.text == "by" else None
    return token._replace(kind="operator", text=operator) if operator else token


def _kind_of_sign(token: Token, before: Token | None, after: Token | None) -> str:
    """The kind "unit" for the slash of "miles/hour" and the hyphen of "2-liter"; otherwise "operator"."""
    if after is None or token.text not in "/-–−—":
        return "operator"
    word_after = after.kind == "word" and len(after.text) > 1
    if token.text == "/":
        return "unit" if word_after else "operator"
    word_before = before is not None and before.kind == "word" and len(before.text) > 1 and before.end == token.start
    return "unit" if after.start == token.end and (word_after or word_before) else "operator"


def _times(token: Token, before: Token | None, after: Token | None) -> bool:
    """Whether a letter x multiplies, as in `5 x 3`, `5x3`, `5 cats x $3`, and is not an unknown, as in `2x + 3`."""
    if before is None or after is None or after.kind not in ("number", "currency", "open"):
        return False
    return before.kind in ("number", "close", "word", "percent") and not (
        before.end == token.start and after.start > token.end
    )


def _chains(tokens: Sequence[Token]) -> Iterator[list[int]]:
    """Indices of the equals signs that belong together: `5*3 + 2 = 15 + 2 = 17` has one chain of two."""
    chain: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind != "equals":
            continue
        if chain:
            start = _expression_before(tokens, index, chain[-1] + 1)[1]
            if start != _skip_currency(tokens, chain[-1] + 1):
                yield chain
                chain = []
        chain.append(index)
    if chain:
        yield chain


def _read_chain(tokens: Sequence[Token], chain: Sequence[int], low: int, used: set[int]) -> tuple[Equation | None, int]:
    """The equation of one chain of equals signs, and the index of the first token after its value.

    Its expression is the first side that computes anything; its value is the last side that starts with a number.
    """
    terms, start = _left_side(tokens, chain, low)
    for index in reversed(chain):
        value = _skip_currency(tokens, index + 1)
        kinds = [token.kind for token in tokens[value : value + 2]]
        if kinds[:1] == ["mark"] or kinds == ["number", "mark"]:
            mark = value + kinds.index("mark")
            used.add(mark)
            marked = _from_mark(tokens[mark], start, _value_end(tokens, mark))
            return (marked if marked.computes or not terms else dataclasses.replace(marked, terms=terms)), mark + 1
        if kinds[:1] == ["number"] and terms:
            stated, last = _stated(tokens, value)
            return Equation(terms, stated, False, start, tokens[last].end), last + 1
    return None, chain[-1] + 1


def _left_side(tokens: Sequence[Token], chain: Sequence[int], low: int) -> tuple[tuple[str, ...], int]:
    """Terms of the first side with an operator, and where in the text the chain starts."""
    start = tokens[chain[0]].start
    for index, before in zip(chain, [low - 1, *chain], strict=False):
        terms, first = _expression_before(tokens, index, before + 1)
        if index == chain[0] and terms:
            start = tokens[first].start
        if any(term in "+-*/" for term in terms):
            return terms, start
    return (), start


def _stated(tokens: Sequence[Token], value: int) -> tuple[str, int]:
    """The value that starts at a number token, e.g. "24", "60%" or "1/3", and the index of its last token."""
    text, last = tokens[value].text.replace(",", ""), value
    after = [token.kind for token in tokens[value + 1 : value + 3]]
    if after[:1] == ["percent"]:
        return text + "%", value + 1
    if after == ["operator", "number"] and tokens[value + 1].text == "/":
        return f"{text}/{tokens[value + 2].text.replace(',', '')}", value + 2
    return text, last


def _from_mark(mark: Token, start: int, end: int) -> Equation:
    left, _, right = mark.text[2:-2].rpartition("=")
    inner = tokenize(left)
    terms, first = _expression_before(inner, len(inner), 0)
    return Equation(terms if first == 0 else (), right.strip().replace(",", ""), True, start, end)


def _value_end(tokens: Sequence[Token], mark: int) -> int:
    """End of the value that the text repeats after a mark."""
    value = _skip_currency(tokens, mark + 1)
    if value < len(tokens) and tokens[value].kind == "number":
        return tokens[value].end
    return tokens[mark].end


def _skip_currency(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].kind == "currency":
        index += 1
    return index


def _expression_before(tokens: Sequence[Token], end: int, low: int, depth: int = 0) -> tuple[tuple[str, ...], int]:
    """The longest expression in `tokens[low:end]` that ends at `end`, and the index of its first token.

    It is read from right to left, because prose stands before it. `()` and `end` if there is none.
    """
    terms: list[str] = []
    first, index, operator = end, end, ""
    while True:
        operand, start = _operand_before(tokens, index, low, depth)
        if not operand:
            return _signed(terms, operator, tokens, first)
        terms = [*operand, *([operator] if operator else []), *terms]
        first = start
        index = _skip_back(tokens, start, low)
        previous = tokens[index - 1] if index > low else None
        if previous is None:
            return tuple(terms), first
        if previous.kind == "operator":
            operator, index = previous.text, index - 1
        elif previous.kind == "number" and tokens[start].kind == "open" and previous.end == tokens[start].start:
            operator = "*"
        elif previous.text == "of" and _is_share(tokens, index - 1, low):
            operator, index = "*", index - 1
        else:
            return tuple(terms), first


def _signed(terms: list[str], operator: str, tokens: Sequence[Token], first: int) -> tuple[tuple[str, ...], int]:
    """The expression when there is nothing before its first operator: a sign is kept, another operator is prose."""
    if operator == "-" and terms and tokens[first - 1].end == tokens[first].start:
        return ("-", *terms), first - 1
    return tuple(terms), first


def _operand_before(tokens: Sequence[Token], end: int, low: int, depth: int) -> tuple[tuple[str, ...], int]:
    """Number or bracket that ends at `end`, ignoring units after it; `()` if there is none."""
    index, low_unit = end, max(low, end - _MOST_UNIT_WORDS)
    while index > low_unit and _is_unit(tokens[index - 1]):
        index -= 1
    if index <= low:
        return (), end
    token = tokens[index - 1]
    if token.kind == "number":
        return (token.text.replace(",", ""),), index - 1
    if token.kind == "percent" and index - 1 > low and tokens[index - 2].kind == "number":
        return (tokens[index - 2].text.replace(",", "") + "%",), index - 2
    if token.kind == "close" and depth < _DEEPEST:
        opened = _opening(tokens, index - 1, low)
        if opened is None:
            return (), end
        inner, first = _expression_before(tokens, index - 1, opened + 1, depth + 1)
        if inner and first == _skip_currency(tokens, opened + 1):
            return ("(", *inner, ")"), opened
        if not inner:
            return _operand_before(tokens, opened, low, depth + 1)
    return (), end


def _is_unit(token: Token) -> bool:
    if token.kind == "word":
        return token.text != "of" and (len(token.text) > 1 or token.text in _UNIT_LETTERS)
    return token.kind == "unit"


def _opening(tokens: Sequence[Token], close: int, low: int) -> int | None:
    level = 0
    for index in range(close, low - 1, -1):
        level += {"close": 1, "open": -1}.get(tokens[index].kind, 0)
        if level == 0:
            return index
    return None


def _skip_back(tokens: Sequence[Token], index: int, low: int) -> int:
    while index > low and tokens[index - 1].kind == "currency":
        index -= 1
    return index


def _is_share(tokens: Sequence[Token], of: int, low: int) -> bool:
    """Whether there is a percentage or a fraction before the word "of"."""
    if of - 1 >= low and tokens[of - 1].kind == "percent":
        return True
    return of - 2 >= low and tokens[of - 1].kind == "number" and tokens[of - 2].text == "/"
