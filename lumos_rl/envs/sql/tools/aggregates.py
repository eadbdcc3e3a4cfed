"""Handlers of aggregates and windows: COUNT, SUM, GROUP_CONCAT, … OVER (…); see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools import calls
from lumos_rl.envs.sql.tools.calls import BITS, DOUBLE, INT, NULL, TEXT
from lumos_rl.envs.sql.tools.dialect import syntax_error
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler, wrap
from lumos_rl.envs.sql.tools.schema import Kind, Type
from lumos_rl.envs.sql.tools.scope import ON, WHERE, Scope
from lumos_rl.errors import ToolError


def _enter(scope: Scope) -> None:
    if scope.clause in (WHERE, ON) or scope.quiet:
        raise ToolError("Invalid use of group function")
    scope.aggregates.append((scope.clause, scope.position))
    scope.quiet += 1


def _aggregate(x: Expressions, node: Any, scope: Scope) -> Type:
    """COUNT, SUM, AVG, MIN, MAX."""
    _enter(scope)
    try:
        inner, distinct = node.this, False
        if inner.key == "star":
            if node.key != "count":
                raise syntax_error("*)")
            return INT
        if inner.key == "distinct":
            distinct = True
            parts = inner.expressions
        else:
            parts = [inner, *node.expressions]
        kinds = [x.read(part, scope) for part in list(parts)]
    finally:
        scope.quiet -= 1
    if distinct:
        _distinct(x, node, kinds)
    elif len(kinds) > 1:
        raise syntax_error(")")
    return _aggregated(x, node, kinds[0])


def _distinct(x: Expressions, node: Any, kinds: list[Type]) -> None:
    parts = node.this.expressions
    if len(parts) > 1:  # SQLite can count one value only; MySQL skips rows with a NULL
        x.spend(sum(1 for part in parts for _ in part.walk()))
        whole = x.call("my_concat_ws", x.exp.Literal.string("\x1f"), *(part.copy() for part in parts))
        test = x.exp.and_(*(x.exp.Is(this=part.copy(), expression=x.exp.Null()).not_() for part in parts))
        case = x.exp.Case(ifs=[x.exp.If(this=test, true=whole)])
        node.this.set("expressions", [x.collated(case)])
    else:
        x.comparable(parts[0], kinds[0])


def _aggregated(x: Expressions, node: Any, kind: Type) -> Type:
    inner = node.this.expressions[0] if node.this.key == "distinct" else node.this
    if node.key == "count":
        return INT
    if node.key in ("sum", "avg"):
        x.number(inner, kind)
        found = calls.summed(kind) if node.key == "sum" else calls.averaged(kind)
        if found.kind is Kind.DECIMAL and found.scale and node.parent.key != "window":
            x.exact(node, found.scale if node.key == "sum" else 9)
        return found
    x.comparable(inner, kind)
    return Type(kind.kind, kind.scale)


def spread(x: Expressions, node: Any, name: str, scope: Scope) -> Type:
    """STDDEV, VARIANCE and their variants."""
    _enter(scope)
    for part in list(node.expressions):
        x.read(part, scope)
    scope.quiet -= 1
    if len(node.expressions) != 1:
        raise syntax_error(")")
    node.set("this", calls.AGGREGATES[name])
    if not name.startswith("bit_"):
        return DOUBLE
    nothing = x.exp.Literal.number(0 if name != "bit_and" else 1)
    wrap(node, lambda inner: x.call("coalesce", inner, x.exp.Neg(this=nothing)))  # of no rows at all
    return BITS


def _group_concat(x: Expressions, node: Any, scope: Scope) -> Type:
    order = node.this if node.this.key == "order" else None
    distinct = (order or node).this.key == "distinct"
    _enter(scope)
    try:
        for part in _joined(node):
            x.text(part, x.read(part, scope))
        for item in order.expressions if order is not None else ():
            x.read(item.this, scope)
    finally:
        scope.quiet -= 1
    parts = _joined(node)
    whole = parts[0] if len(parts) == 1 else x.call("my_concat", *parts)
    keys = [part for item in (order.expressions if order is not None else ()) for part in (item.this, _flag(x, item))]
    separator = node.args.get("separator") or x.exp.Literal.string(",")
    node.replace(x.call("my_group_concat", separator, x.exp.Literal.number(int(distinct)), whole, *keys))
    return TEXT


def _joined(node: Any) -> list[Any]:
    """The values of GROUP_CONCAT that are joined to one text; the parser puts several into a Concat."""
    inner = node.this.this if node.this.key == "order" else node.this
    parts = list(inner.expressions) if inner.key == "distinct" else [inner]
    return [value for part in parts for value in (part.expressions if part.key == "concat" else [part])]


def _flag(x: Expressions, item: Any) -> Any:
    return x.exp.Literal.number(int(bool(item.args.get("desc"))))


def _window(x: Expressions, node: Any, scope: Scope) -> Type:
    inner = node.this
    name = inner.name.lower() if inner.key == "anonymous" else ""
    if name in calls.WINDOWS:
        kinds = [x.read(argument, scope) for argument in list(inner.expressions)]
        gives = calls.WINDOWS[name]
        found = gives if isinstance(gives, Type) else kinds[0] if kinds else NULL
    else:
        found = _windowed_aggregate(x, inner, scope)
    for part in list(node.args.get("partition_by") or ()):
        x.comparable(part, x.read(part, scope))
    order = node.args.get("order")
    for item in order.expressions if order is not None else ():
        x.comparable(item.this, x.read(item.this, scope))
    if found.kind is Kind.DECIMAL and found.scale and inner.key in ("sum", "avg"):
        x.exact(node, found.scale if inner.key == "sum" else 9)
    return found


def _windowed_aggregate(x: Expressions, inner: Any, scope: Scope) -> Type:
    if inner.key not in ("count", "sum", "avg", "min", "max"):
        raise syntax_error("OVER")
    clause, scope.clause = scope.clause, "window"
    before, quiet = len(scope.aggregates), scope.quiet
    scope.quiet = 0
    try:
        found = _aggregate(x, inner, scope)
    finally:
        scope.clause, scope.quiet = clause, quiet
        del scope.aggregates[before:]
    return found


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("count", "sum", "avg", "min", "max"), _aggregate),
    "groupconcat": _group_concat,
    "window": _window,
}
