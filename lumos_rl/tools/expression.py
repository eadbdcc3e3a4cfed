"""Parses arithmetic and algebra as people and models write it: text to tokens to a small syntax tree.

    parse_expression("1,250 * 20% - R1")  # Chain(4, Chain(5, Number(1250), (("*", Percent…),)), (("-", Name("R1")),))

Nothing is evaluated here, and Python's own parser is never used. Operators, loosest binding first:

    or · and · not · = == != < <= > >= (may be chained) · + - · * / // x × ÷ of mod % and no sign, as in 2(3 + 4),
    2x or 2pi · sign · ^ ** (from the right; -2^2 is -4) · ! and the percent sign

- Brackets are (), [] and {}; several expressions in brackets are a list. |3 - 8| is abs(3 - 8).
- Numbers: 1,250 · .5 · 5. · 2.5e-3 · $5 · mixed 1 1/2 · 1½. A comma followed by exactly three digits belongs to the
  number, except inside max(…), min(…), sum(…), gcd(…), lcm(…), where it separates: max(100,200).
- `%` is the remainder if a number, a result or a bracket follows (17 % 5, R1 % R2, 17 % (2 + 3)), otherwise a percent
  sign: 20%, 50 * 20%, 20% of 50, 20% - 5, 20% x. The word "percent" behind a number is this sign.
- `x` between two operands is a times sign in arithmetic (3 x 4) and a letter in algebra (3x).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from lumos_rl.errors import ToolError, ToolLimitError

MAX_LENGTH = 1000  # characters of one expression
MAX_DEPTH = 90  # nested sub-expressions; keeps the recursion far from Python's limit
MAX_EXPONENT = 1000  # of a number such as 1e5
_TOO_DEEP = f"expected at most {MAX_DEPTH} nested parts"

LIST_FUNCTIONS = frozenset({"max", "min", "sum", "gcd", "lcm"})
FUNCTIONS = LIST_FUNCTIONS | {
    "abs", "ceil", "cos", "exp", "factorial", "floor", "ln", "log", "round", "sin", "sqrt", "tan",
}  # fmt: skip
OR, AND, NOT, COMPARE, ADD, MULTIPLY, SIGN, POWER = range(8)
_LEVELS = {
    "or": OR,
    "and": AND,
    "+": ADD,
    "-": ADD,
    "*": MULTIPLY,
    "/": MULTIPLY,
    "//": MULTIPLY,
    "of": MULTIPLY,
    "mod": MULTIPLY,
}
_LEVELS |= dict.fromkeys(("=", "!=", "<", "<=", ">", ">="), COMPARE) | {"%": MULTIPLY, "^": POWER}
_WORDS = {"or", "and", "not", "of", "mod"}
_SAME = {"**": "^", "==": "=", "=<": "<=", "=>": ">=", "<>": "!="}
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_SIGNS = str.maketrans({
    "−": "-", "–": "-", "×": "*", "·": "*", "∗": "*", "⋅": "*", "÷": "/", "∕": "/", "⁄": "/",
    "≤": "<=", "≥": ">=", "≠": "!=", "π": " pi ", "²": "^(2)", "³": "^(3)",
})  # fmt: skip

_DIGITS = r"[0-9]++"
_TAIL = r"(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?"
_GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])"
_VULGAR = "[\u00bc-\u00be\u2150-\u215e]"
_OTHER_TOKENS = r"""
    | (?P<times>[xX](?=\s|[-0-9.(\[{$]|R[0-9]))
    | (?P<name>[^\W\d]\w*+)
    | (?P<op>\*\*|//|<=|>=|=<|=>|<>|!=|==|[-+*/%^!=<>(){}\[\],;:|])"""
_NUMBER_TOKENS = rf"""
    (?P<blank>\s++)
    | (?P<mixed>{_DIGITS}[ \t]++{_DIGITS}/{_DIGITS}(?![0-9.]))
    | (?P<vulgar>(?:{_DIGITS}[ \t]*+)?{_VULGAR})
    | [$€£]?[ \t]*+(?P<number>(?:{{whole}}){_TAIL}|\.{_DIGITS}(?:[eE][-+]?{_DIGITS})?)"""
_TOKEN = re.compile(_NUMBER_TOKENS.format(whole=f"{_GROUPED}|{_DIGITS}") + _OTHER_TOKENS, re.VERBOSE)
_LIST_TOKEN = re.compile(_NUMBER_TOKENS.format(whole=_DIGITS) + _OTHER_TOKENS, re.VERBOSE)
_RESULT = re.compile("R[0-9]+|Output")
_PLAIN = re.compile(rf"([-+]?)\s*[$€£]?\s*((?:{_GROUPED}|{_DIGITS}){_TAIL}|\.{_DIGITS})\s*(?:/\s*({_DIGITS}))?\s*(%?)")


class Token(NamedTuple):
    """A piece of an expression: `kind` is "number", "name" or "op"; `value` is set for numbers."""

    kind: str
    text: str
    start: int
    end: int
    value: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """A result (R1), a constant (pi) or an unknown (x)."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`op` is "-", "+" or "not" before the operand, or "!" or "%" after it."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Power:
    """`base ^ exponent`."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands joined by operators of one level, e.g. `a - b + c`; flat, so that long sums are not deep trees."""

    level: int
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS` applied to arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list in brackets."""

    items: tuple[Node, ...]


Node = Number | Name | Unary | Power | Chain | Call | Items


def parse_expression(text: str, *, algebra: bool = False) -> Node:
    """The syntax tree of one expression, comparison or equation.

    Args:
        text: The expression.
        algebra: Whether `x` between two operands is an unknown instead of a times sign.

    Raises:
        ToolError: It cannot be parsed; the message names the unexpected word.
        ToolLimitError: It is too long or too deeply nested.
    """
    _, tokens = tokenize(text, algebra=algebra)
    return parse_tokens(tokens)


def parse_tokens(tokens: Sequence[Token]) -> Node:
    """The syntax tree of tokens that `tokenize` made; raises as `parse_expression` does."""
    if not tokens:
        raise ToolError("expected an expression such as 48 / 2, got nothing")
    parser = _Parser(tokens)
    node = parser.expression(OR)
    parser.end()
    return node


def read_number(text: str) -> Fraction | None:
    """The number in a text such as `$1,250`, `3/4`, `-.5` or `20%`; None if it is anything else."""
    match = _PLAIN.fullmatch(text.strip()) if len(text) <= MAX_LENGTH else None
    if match is None or (match[3] is not None and int(match[3]) == 0):
        return None
    try:
        number = _literal(match[2])
    except ToolLimitError:
        return None
    number /= int(match[3] or 1) * (100 if match[4] else 1)
    return -number if match[1] == "-" else number


def tokenize(text: str, *, algebra: bool = False) -> tuple[str, tuple[Token, ...]]:
    """The text with typographic signs (× ÷ − ≤ ²) made plain, and its tokens, whose positions refer to that text.

    Raises:
        ToolError: A character belongs to no token.
        ToolLimitError: The text is too long.
    """
    if len(text) > MAX_LENGTH:
        raise ToolLimitError(f"expected at most {MAX_LENGTH} characters, got {len(text)}")
    return _tokens(text.translate(_SIGNS), algebra)


@lru_cache(maxsize=64)  # the algebra tools read the same text several times
def _tokens(text: str, algebra: bool) -> tuple[str, tuple[Token, ...]]:
    tokens: list[Token] = []
    position, lists, brackets = 0, 0, list[bool]()  # open brackets: whether of max, min …, where a comma separates
    while position < len(text):
        match = (_LIST_TOKEN if lists else _TOKEN).match(text, position)
        if match is None:
            raise ToolError(f"unexpected character {text[position]!r} in {text[:60]!r}")
        kind, position = match.lastgroup, match.end()
        if kind == "blank":
            continue
        token = _token(match, tokens, algebra)
        if token.text in _CLOSERS:
            brackets.append(bool(tokens) and tokens[-1].text in LIST_FUNCTIONS)
            lists += brackets[-1]
        elif token.text in (")", "]", "}") and brackets:
            lists -= brackets.pop()
        tokens.append(token)
    return text, tuple(tokens)


def _token(match: re.Match[str], before: list[Token], algebra: bool) -> Token:
    kind, text, start, end = match.lastgroup or "", match[0], match.start(), match.end()
    if kind == "number":
        return Token("number", text, start, end, _literal(match["number"]))
    if kind == "mixed":
        whole, fraction = text.split()
        top, bottom = map(int, fraction.split("/"))
        if top >= bottom:
            raise ToolError(f"expected an operator between {whole!r} and {fraction!r}")
        return Token("number", text, start, end, int(whole) + Fraction(top, bottom))
    if kind == "vulgar":
        part = Fraction(unicodedata.numeric(text[-1])).limit_denominator(10)
        return Token("number", text, start, end, int(text[:-1] or 0) + part)
    if kind == "times" and not algebra and before and _ends_operand(before[-1]):
        return Token("op", "*", start, end)
    if text == "percent" and before and before[-1].kind == "number":
        return Token("op", "%", start, end)
    if kind in ("times", "name"):
        return Token("op" if text in _WORDS else "name", text, start, end)
    return Token("op", _SAME.get(text, text), start, end)


def _literal(text: str) -> Fraction:
    _, _, exponent = text.lower().partition("e")
    if exponent and (len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT):
        raise ToolLimitError(f"expected an exponent of at most {MAX_EXPONENT}, got {text[:30]!r}")
    return Fraction(text.replace(",", ""))


def _ends_operand(token: Token) -> bool:
    return token.kind in ("number", "name") or token.text in (")", "]", "}", "!", "%")


def _takes_remainder(token: Token | None) -> bool:
    """Whether "%" before this token is the remainder, not a percent sign."""
    if token is None or token.kind == "number":
        return token is not None
    return token.text in _CLOSERS or _RESULT.fullmatch(token.text) is not None


class _Parser:
    """Precedence climbing over tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.index, self.depth, self.marks = tokens, 0, 0, 0
        self.bars = 0  # open |, inside the innermost brackets

    def expression(self, level: int) -> Node:
        """The longest expression from the current token whose operators bind at least as tightly as `level`."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ToolLimitError(_TOO_DEEP)
        node = self._prefix(level)
        while (found := self._level()) >= level:
            if found == POWER:
                self.index += 1
                node = Power(node, self.expression(SIGN))
                continue
            rest = []
            while self._level() == found:
                operator = self._take_operator()
                rest.append((operator, self.expression(found + 1)))
            node = Chain(found, node, tuple(rest))
        self.depth -= 1
        return node

    def end(self) -> None:
        """Raise unless every token has been read."""
        token = self._peek()
        if token is None:
            return
        if token.text == ",":
            raise ToolError("expected one expression, got several separated by ','")
        raise ToolError(f"unexpected {token.text!r} after {self.tokens[self.index - 1].text!r}; expected an operator")

    def _peek(self, ahead: int = 0) -> Token | None:
        index = self.index + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def _level(self) -> int:
        """How tightly the next operator binds; -1 if there is none."""
        token = self._peek()
        if token is None:
            return -1
        if token.kind == "op" and token.text in _LEVELS:
            return _LEVELS[token.text]
        if token.text == "|":
            return -1 if self.bars else MULTIPLY  # inside bars, the next bar after an operand closes
        return MULTIPLY if token.kind == "name" or token.text in _CLOSERS else -1

    def _take_operator(self) -> str:
        token = self.tokens[self.index]
        if token.kind != "op" or token.text in _CLOSERS or token.text == "|":
            return "*"  # 2(3 + 4): there is no sign between the factors
        self.index += 1
        return {"of": "*", "%": "mod"}.get(token.text, token.text)

    def _prefix(self, level: int) -> Node:
        token = self._peek()
        if token is not None and token.text in ("-", "+"):
            self.index += 1
            return Unary(token.text, self.expression(SIGN))
        if token is not None and token.text == "not" and level <= NOT:
            self.index += 1
            return Unary("not", self.expression(NOT))
        node = self._atom()
        while (token := self._peek()) is not None:
            if token.text != "!" and (token.text != "%" or _takes_remainder(self._peek(1))):
                break
            self.index += 1
            self.marks += not isinstance(node, Number | Name)  # a sum of plain percentages is not nested
            if self.marks > MAX_DEPTH:
                raise ToolLimitError(_TOO_DEEP)
            node = Unary(token.text, node)
        return node

    def _atom(self) -> Node:
        token = self._peek()
        if token is None:
            raise ToolError(f"expected a number or a name after {self.tokens[-1].text!r}, got nothing")
        self.index += 1
        if token.kind == "number":
            return Number(token.value)
        if token.text in FUNCTIONS:
            following = self._peek()
            if following is None or following.text != "(":
                raise ToolError(f"expected brackets after {token.text}, as in {token.text}(2)")
            self.index += 1
            return Call(token.text, self._items("("))
        if token.kind == "name":
            return Name(token.text)
        if token.text == "|":
            return self._absolute()
        if token.text not in _CLOSERS:
            after = f" after {self.tokens[self.index - 2].text!r}" if self.index > 1 else ""
            raise ToolError(f"unexpected {token.text!r}{after}; expected a number or a name")
        items = self._items(token.text)
        return items[0] if len(items) == 1 else Items(items)

    def _absolute(self) -> Node:
        """The absolute value up to the bar that closes the one just read."""
        self.bars += 1
        node = self.expression(ADD)
        self.bars -= 1
        token = self._peek()
        if token is None or token.text != "|":
            raise ToolError(f"expected '|' to close '|', got {'the end' if token is None else repr(token.text)}")
        self.index += 1
        return Call("abs", (node,))

    def _items(self, bracket: str) -> tuple[Node, ...]:
        """The expressions up to the bracket that closes `bracket`, separated by commas."""
        bars, self.bars = self.bars, 0
        items = self._listed(bracket)
        self.bars = bars
        return items

    def _listed(self, bracket: str) -> tuple[Node, ...]:
        closer = _CLOSERS[bracket]
        items: list[Node] = []
        token = self._peek()
        if token is not None and token.text == closer:
            self.index += 1
            return ()
        while True:
            items.append(self.expression(OR))
            token = self._peek()
            self.index += 1
            if token is None or token.text not in (",", closer):
                got = "the end" if token is None else repr(token.text)
                raise ToolError(f"expected {closer!r} to close {bracket!r}, got {got}")
            if token.text == closer:
                return tuple(items)
