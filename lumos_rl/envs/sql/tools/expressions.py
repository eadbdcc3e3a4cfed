"""Rewrites expressions of MySQL in place so that SQLite computes the same value, and infers their types.

    Expressions("zoo", query, HANDLERS).read(tree, scope)    # returns Type(INT), and rewrites the tree:
    # a / 2 = '1'  becomes  CAST(a AS REAL) / 2 = 1.0

In contrast to SQLite, MySQL compares a text and a number as numbers, divides without truncation, ignores case and
accents, has its own functions, and refuses a subquery with several rows where one value is expected. The handlers of
the kinds of nodes are in `comparisons`, `values` and `aggregates`; their common parts are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lumos_rl.envs.sql.tools import clock
from lumos_rl.envs.sql.tools.dialect import load, syntax_error
from lumos_rl.envs.sql.tools.dump import is_plain
from lumos_rl.envs.sql.tools.functions import COLLATION, sqlite_number
from lumos_rl.envs.sql.tools.modes import DEFAULT
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import Output, RefusedQueryError, Scope
from lumos_rl.errors import ToolLimitError

Query = Callable[[Any, Scope], list[Output]]
Handler = Callable[["Expressions", Any, Scope], Type]
MOST_EXACT = 15  # digits after the point that a float of SQLite can hold exactly
MAX_NODES = 20_000  # of a statement's tree, including copies that rewriting makes


def _fixed_scale(kinds: Sequence[Type]) -> int | None:
    """Digits after the point to which MySQL compares floating-point numbers that all have so many; otherwise None."""
    scales = [0 if kind.kind is Kind.INT else kind.scale for kind in kinds if kind.kind is not Kind.NULL]
    known = [scale for scale in scales if scale is not None]
    has_float = any(kind.kind in (Kind.FLOAT, Kind.DOUBLE) for kind in kinds)
    return max(known) if has_float and len(known) == len(scales) else None


def wrap(node: Any, build: Callable[[Any], Any]) -> Any:
    """Replaces a node by what `build` makes of it."""
    parent, key, index = node.parent, node.arg_key, node.index
    new = build(node)
    parent.set(key, new, index)
    return new


class Expressions:
    """Reads and rewrites expressions.

    Attributes:
        database: The database in use, for DATABASE() and error messages.
        query: Reads and rewrites a query inside an expression.
        handlers: sqlglot's key of a node → function that reads and rewrites such nodes.
        modes: The session's sql_mode, for @@sql_mode.
    """

    def __init__(self, database: str, query: Query, handlers: Mapping[str, Handler], modes: str = DEFAULT) -> None:
        self.exp, self.database, self.query = load("sqlglot.expressions"), database, query
        self.handlers, self.modes = handlers, modes
        self._ready: dict[int, tuple[Any, Type]] = {}
        self._left = MAX_NODES

    def read(self, node: Any, scope: Scope) -> Type:
        """Rewrites an expression and returns its type.

        Raises:
            ToolError: MySQL would refuse it.
        """
        if id(node) in self._ready:
            return self._ready[id(node)][1]
        self.spend(1)
        key = node.key
        handler = self.handlers.get(key)
        if handler is None:
            raise syntax_error(node.sql("mysql"))
        quiet = bool(scope.grouped) and key not in ("column", "literal") and node.sql().lower() in scope.grouped
        scope.quiet += quiet
        try:
            return handler(self, node, scope)
        finally:
            scope.quiet -= quiet

    def spend(self, nodes: int) -> None:
        """Counts nodes that are read or copied.

        Raises:
            ToolLimitError: There are too many; nested copies would grow exponentially.
        """
        self._left -= nodes
        if self._left < 0:
            raise ToolLimitError("expected a simpler statement, got one with too many parts within parts")

    def ready(self, node: Any, kind: Type) -> Any:
        """A copy, in brackets, of an expression that is already rewritten; `read` does not rewrite it again."""
        self.spend(sum(1 for _ in node.walk()))
        copy = self.exp.Paren(this=node.copy())
        self._ready[id(copy)] = (copy, kind)
        return copy

    def call(self, name: str, *arguments: Any) -> Any:
        """A call of an SQLite function."""
        return self.exp.Anonymous(this=name, expressions=list(arguments))

    def real(self, node: Any) -> Any:
        """The node as a floating-point number."""
        return self.exp.Cast(this=node, to=self.exp.DataType(this=self.exp.DataType.Type.DOUBLE))

    def collated(self, node: Any) -> Any:
        """The node with MySQL's collation."""
        simple = node.key in ("column", "literal", "anonymous", "paren", "subquery")
        inner = node if simple else self.exp.Paren(this=node)
        return self.exp.Collate(this=inner, expression=self.exp.Var(this=COLLATION))

    def collate(self, node: Any) -> None:
        """Replaces the node by itself with MySQL's collation."""
        wrap(node, self.collated)

    def comparable(self, node: Any, kind: Type) -> Any:
        """The node, with MySQL's collation unless it is a column, whose collation SQLite knows."""
        is_text = kind.kind in (Kind.TEXT, Kind.ANY) and node.key not in ("column", "collate")
        return wrap(node, self.collated) if is_text else node

    def number(self, node: Any, kind: Type) -> None:
        """Converts a text, a date or a time to a number."""
        if kind.kind is Kind.TEXT and node.key == "literal":
            value = sqlite_number(node.name.strip())
            literal = self.exp.Literal.number(repr(abs(value)))
            node.replace(self.exp.Paren(this=self.exp.Neg(this=literal)) if value < 0 else literal)
        elif kind.kind is Kind.TEXT:
            wrap(node, self.real)
        elif kind.kind in TIMES:
            wrap(node, lambda inner: self.call("my_date_number", inner))
        elif kind.unsigned:
            wrap(node, lambda inner: self.call("my_large", inner))

    def text(self, node: Any, kind: Type) -> Any:
        """The node, with all its digits if it is a decimal that is used as a text."""
        if kind.kind is not Kind.DECIMAL or not kind.scale:
            return node
        pattern = self.exp.Literal.string(f"%.{kind.scale}f")
        nullable = lambda inner: self.exp.Case(  # noqa: E731
            ifs=[self.exp.If(this=self.exp.Is(this=inner, expression=self.exp.Null()), true=self.exp.Null())],
            default=self.call("printf", pattern, inner.copy()),
        )
        return wrap(node, nullable)

    def exact(self, node: Any, scale: int) -> Any:
        """The node rounded to a scale: of the numbers with so many digits, SQLite's nearest to the exact result."""
        return wrap(node, lambda inner: self.call("round", inner, self.exp.Literal.number(min(scale, MOST_EXACT))))

    def is_plain(self, node: Any, kind: Type) -> bool:
        """Whether this text compares correctly under the collation of a plain column."""
        return is_plain(node.name) if node.key == "literal" else node.key == "column" and kind.plain

    def moment(self, node: Any, kind: Type, with_time: bool) -> None:
        """Writes a date in the stored format, with a time if it is compared with one."""
        if kind.kind is Kind.TEXT and node.key == "literal":
            try:
                normal = clock.normal(node.name, with_time)
            except ValueError as error:
                name = "DATETIME" if with_time else "DATE"
                raise RefusedQueryError(f"Incorrect {name} value: '{node.name}'") from error
            node.replace(self.exp.Literal.string(normal))
        elif kind.kind is Kind.DATE and with_time:
            wrap(node, lambda inner: self.call("my_datetime", inner))

    def align(self, left: Any, kind: Type, items: Sequence[Any], kinds: Sequence[Type]) -> None:
        """Rewrites a value and others so that they compare as in MySQL."""
        items, known = list(items), {kind.kind, *(other.kind for other in kinds)} - {Kind.NULL}
        if Kind.ANY in known:
            return
        if known & NUMBERS:
            scale = _fixed_scale([kind, *kinds])
            for item, other in zip([left, *items], [kind, *kinds], strict=True):
                self.number(item, other)
                if scale is not None and other.kind in (Kind.FLOAT, Kind.DOUBLE):
                    self.exact(item, scale)
        elif known & TIMES and Kind.TIME not in known:
            for item, other in zip([left, *items], [kind, *kinds], strict=True):
                self.moment(item, other, Kind.DATETIME in known)
        elif not any(item.key == "collate" for item in (left, *items)):
            parts = zip([left, *items], [kind, *kinds], strict=True)
            is_column = left.key == "column" or (len(items) == 1 and items[0].key == "column")
            if not (is_column and all(self.is_plain(item, other) for item, other in parts)):
                self.collate(left)
