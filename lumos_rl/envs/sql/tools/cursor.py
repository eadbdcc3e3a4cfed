"""Reads the tokens of one statement from left to right; the rules of `grammar`, `forms` and `clauses` move it.

    cursor = Cursor("SELECT top FROM t", rules)
    cursor.take("SELECT"), cursor.is_name(), cursor.word     # (True, True, 'TOP')

A rule takes what it describes or refuses the statement at the first token that cannot follow, as MySQL does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from lumos_rl.envs.sql.tools.tokens import RESERVED, Token, tokens_of

_RESERVED = frozenset(word.upper() for word in RESERVED)
Rule = Callable[["Cursor"], None]


class Refused(Exception):  # noqa: N818 (never leaves the grammar)
    """No rule fits; the last choice between a query and an expression in brackets may have been wrong."""


class Cursor:
    """A place in the tokens of one statement.

    Attributes:
        tokens: The tokens.
        at: Index of the next token.
        farthest: Index of the farthest token that no rule could take.
        names: Start of each token that is the name of a column, a table or an alias.
        no_query: Index of each bracket that is known not to open a query.
    """

    def __init__(self, text: str, rules: Mapping[str, Rule]) -> None:
        self.tokens = tokens_of(text)
        self.at = self.farthest = 0
        self.names: set[int] = set()
        self.no_query: set[int] = set()
        self._rules = rules

    def expression(self) -> None:
        """Takes an expression."""
        self._rules["expression"](self)

    def operation(self) -> None:
        """Takes values with arithmetic between them."""
        self._rules["operation"](self)

    def query(self) -> None:
        """Takes a query."""
        self._rules["query"](self)

    def order(self) -> None:
        """Takes ORDER BY if it is next."""
        if self.take("ORDER", "BY"):
            self.items(Cursor._ordered)

    def _ordered(self) -> None:
        self.expression()
        if not self.take("ASC"):
            self.take("DESC")

    def subquery(self) -> None:
        """Takes a query in brackets."""
        self.need("(")
        self.query()
        self.need(")")

    @property
    def word(self) -> str:
        """The next token: a word in upper case, a sign, or "" for anything else."""
        return self.tokens[self.at].word

    def peek(self, distance: int = 1) -> Token:
        """A later token."""
        return self.tokens[min(self.at + distance, len(self.tokens) - 1)]

    def fail(self) -> NoReturn:
        """Refuses the statement at the next token."""
        self.farthest = max(self.farthest, self.at)
        raise Refused

    def take(self, word: str, *more: str) -> bool:
        """Takes these words if they are next."""
        if self.tokens[self.at].word != word:
            return False
        if more and any(self.peek(distance).word != other for distance, other in enumerate(more, 1)):
            return False
        self.at += 1 + len(more)
        return True

    def need(self, *words: str) -> None:
        """Takes these words."""
        for word in words:
            if self.word != word:
                self.fail()
            self.at += 1

    def one_of(self, words: frozenset[str]) -> str:
        """Takes the next word if it is one of these; "" if it is not."""
        word = self.word
        if word not in words:
            return ""
        self.at += 1
        return word

    def kind(self, *kinds: str) -> None:
        """Takes a token of one of these kinds."""
        if self.tokens[self.at].kind not in kinds:
            self.fail()
        self.at += 1

    def is_name(self, distance: int = 0) -> bool:
        """Whether the token may be a name."""
        token = self.peek(distance)
        return token.kind == "quoted" or (token.kind == "name" and token.word not in _RESERVED)

    def name(self, is_free: bool = False) -> None:
        """Takes a name; after a dot any word is one."""
        token = self.tokens[self.at]
        if not (self.is_name() or (is_free and token.kind == "name")):
            self.fail()
        self.names.add(token.start)
        self.at += 1

    def path(self, most: int) -> None:
        """Takes a name with at most `most` parts."""
        self.name()
        for _ in range(most - 1):
            if not self.take("."):
                return
            self.name(is_free=True)

    def items(self, rule: Rule) -> None:
        """Takes one or more of something, with commas between them."""
        rule(self)
        while self.take(","):
            rule(self)

    def bracketed(self, rule: Rule) -> None:
        """Takes one or more of something in brackets."""
        self.need("(")
        self.items(rule)
        self.need(")")
