"""Handlers of comparisons: = < IN BETWEEN LIKE EXISTS ANY ALL, and the subqueries in them; see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools.calls import INT
from lumos_rl.envs.sql.tools.dialect import syntax_error, unsupported
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler, wrap
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import Output, Scope
from lumos_rl.envs.sql.tools.sources import unwrapped
from lumos_rl.errors import ToolError

_LIMIT = "This version of MySQL doesn't yet support 'LIMIT & IN/ALL/ANY/SOME subquery'"


def _columns_expected(count: int) -> ToolError:
    return ToolError(f"Operand should contain {count} column(s)")


def _compare(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.expression.key in ("all", "any"):
        return _quantified(x, node, scope)
    if node.this.key == "tuple":
        _tuples(x, node.this, node.expression, scope)
    else:
        for part in (node.this, node.expression):
            if part.key in HANDLERS and part.key not in ("exists", "subquery"):  # SQLite reads `a = b < c` otherwise
                wrap(part, lambda inner: x.exp.Paren(this=inner.copy()))
        kind, other = x.read(node.this, scope), x.read(node.expression, scope)
        x.align(node.this, kind, [node.expression], [other])
    if node.key == "nullsafeeq":
        node.replace(x.exp.Is(this=node.this, expression=node.expression))
    return INT


def _tuples(x: Expressions, left: Any, right: Any, scope: Scope) -> None:
    if right.key != "tuple" or len(left.expressions) != len(right.expressions):
        raise _columns_expected(len(left.expressions))
    for one, other in zip(list(left.expressions), list(right.expressions), strict=True):
        kinds = x.read(one, scope), x.read(other, scope)
        x.align(one, kinds[0], [other], [kinds[1]])


def _quantified(x: Expressions, node: Any, scope: Scope) -> Type:
    """Rewrites `a > ALL (query)` and `a > ANY (query)`, which SQLite lacks, as a count over the query."""
    exp, quantifier = x.exp, node.expression
    query = quantifier.this.this if quantifier.this.key in ("subquery", "paren") else quantifier.this
    kind = x.read(node.this, scope)
    if query.args.get("limit") is not None:
        raise ToolError(_LIMIT)
    holder = query.parent
    column = _one_column(x, query, scope)
    query = holder.this  # a set operation was replaced
    _name_first(x, query)
    if node.this.find(exp.AggFunc) is not None:
        return _bounded(x, node, query, kind, column.type)
    value = exp.column("v", table="quantified", quoted=True)
    test = type(node)(this=node.this.copy(), expression=value)
    holder = exp.Paren(this=test)
    x.align(test.this, kind, [test.expression], [column.type])
    if quantifier.key == "all":
        test = exp.Is(this=holder, expression=exp.Not(this=exp.Boolean(this=True)))
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("quantified", quoted=True)))
    count = exp.select(exp.Count(this=exp.Star())).from_(source).where(test)
    sign = exp.EQ if quantifier.key == "all" else exp.GT
    node.replace(exp.Paren(this=sign(this=exp.Subquery(this=count), expression=exp.Literal.number(0))))
    return INT


def _bounded(x: Expressions, node: Any, query: Any, kind: Type, other: Type) -> Type:
    """Compares an aggregate, which SQLite refuses inside the query, with the largest or smallest value of the query."""
    exp, is_all = x.exp, node.expression.key == "all"
    if node.key not in ("gt", "gte", "lt", "lte"):
        raise unsupported(f"aggregate {'ALL' if is_all else 'ANY'} (subquery) with = or <>")
    x.spend(2 * sum(1 for _ in query.walk()))
    bound = exp.Max if (node.key in ("gt", "gte")) == is_all else exp.Min

    def over(value: Any) -> Any:
        alias = exp.TableAlias(this=exp.to_identifier("quantified", quoted=True))
        return exp.Subquery(this=exp.select(value).from_(exp.Subquery(this=query.copy(), alias=alias)))

    column = exp.column("v", table="quantified", quoted=True)
    compared = x.collated(column) if other.kind is Kind.TEXT else column
    test = type(node)(this=node.this.copy(), expression=over(bound(this=compared)))
    holder = exp.Paren(this=test)
    x.align(test.this, kind, [test.expression], [other])
    if is_all:
        is_empty = exp.EQ(this=over(exp.Count(this=exp.Star())), expression=exp.Literal.number(0))
        has_no_null = over(exp.EQ(this=exp.Count(this=exp.Star()), expression=exp.Count(this=column.copy())))
        holder = exp.Paren(this=exp.And(this=x.call("coalesce", holder, is_empty), expression=has_no_null))
    node.replace(holder)
    return INT


def _one_column(x: Expressions, query: Any, scope: Scope) -> Output:
    columns = x.query(query, scope)
    if len(columns) != 1:
        raise _columns_expected(1)
    return columns[0]


def _name_first(x: Expressions, query: Any) -> None:
    """Names the only column of a query `v`."""
    while query.key != "select":
        query = query.this
    first = query.expressions[0]
    value = first.this if first.key == "alias" else first
    query.set("expressions", [x.exp.Alias(this=value, alias=x.exp.to_identifier("v", quoted=True))])


def _subquery(x: Expressions, node: Any, scope: Scope) -> Type:
    """A subquery used as a single value."""
    if node.this.key == "subquery":
        node.set("this", unwrapped(node.this))
    column = _one_column(x, node.this, scope)
    if not _is_one_row(x, node.this):
        _check_one_row(x, node)
    return column.type


def _is_one_row(x: Expressions, query: Any) -> bool:
    if query.key != "select":
        return False
    limit = query.args.get("limit")
    if limit is not None and limit.expression.key == "literal" and limit.expression.name in ("0", "1"):
        return True
    if query.args.get("from_") is None:
        return True
    found = query.expressions[0].find(x.exp.AggFunc) if query.args.get("group") is None else None
    return found is not None and found.find_ancestor(x.exp.Select, x.exp.Window) is query


def _check_one_row(x: Expressions, node: Any) -> None:
    """Makes SQLite refuse several rows; otherwise it would use the first."""
    exp, query = x.exp, node.this
    _name_first(x, query)
    value = exp.column("v", table="single", quoted=True)
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    case = exp.Case(ifs=[exp.If(this=several, true=x.call("my_too_many_rows"))], default=exp.Min(this=value))
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("single", quoted=True)))
    node.set("this", exp.select(case).from_(source))


def _between(x: Expressions, node: Any, scope: Scope) -> Type:
    bounds = [node.args["low"], node.args["high"]]
    kind = x.read(node.this, scope)
    kinds = [x.read(bound, scope) for bound in bounds]
    x.align(node.this, kind, [node.args["low"], node.args["high"]], kinds)
    return INT


def _in(x: Expressions, node: Any, scope: Scope) -> Type:
    inner = node.args.get("query")
    if inner is not None and inner.key == "subquery" and inner.this.key == "subquery":
        inner.set("this", unwrapped(inner.this))
    if inner is not None:
        return _in_query(x, node, inner.this if inner.key == "subquery" else inner, scope)
    if node.args.get("unnest") is not None or node.args.get("field") is not None or not node.expressions:
        raise syntax_error(")")
    if node.this.key == "tuple":
        for item in list(node.expressions):
            _tuples(x, node.this.copy(), item, scope)
        for part in list(node.this.expressions):
            x.read(part, scope)
        return INT
    kind = x.read(node.this, scope)
    kinds = [x.read(item, scope) for item in list(node.expressions)]
    x.align(node.this, kind, node.expressions, kinds)
    return INT


def _in_query(x: Expressions, node: Any, query: Any, scope: Scope) -> Type:
    left = list(node.this.expressions) if node.this.key == "tuple" else [node.this]
    clause, scope.clause = scope.clause, "IN/ALL/ANY subquery"
    kinds = [x.read(part, scope) for part in left]
    scope.clause = clause
    if query.args.get("limit") is not None:
        raise ToolError(_LIMIT)
    columns = x.query(query, scope)
    if len(columns) != len(left):
        raise _columns_expected(len(left))
    if len(left) > 1:
        return INT
    kind, other = kinds[0], columns[0].type
    if kind.kind is Kind.TEXT and other.kind is Kind.TEXT:
        if not (x.is_plain(node.this, kind) and other.plain):
            x.collate(node.this)
    elif kind.kind in NUMBERS or other.kind in NUMBERS:
        x.number(node.this, kind)
        first = query.expressions[0] if query.key == "select" else None
        if first is not None and not first.is_star:
            x.number(first.unalias(), other)
    return INT


def _exists(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.this.key == "subquery" and node.this.this.key == "subquery":
        node.this.set("this", unwrapped(node.this.this))
    x.query(node.this.this if node.this.key == "subquery" else node.this, scope)
    return INT


def _is(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    if node.expression.key not in ("null", "boolean"):
        raise syntax_error(node.expression.sql("mysql"))
    return INT


def _like(x: Expressions, node: Any, scope: Scope) -> Type:
    return _read_like(x, node, None, scope)


def _escape(x: Expressions, node: Any, scope: Scope) -> Type:
    like, sign = node.this, node.expression
    if like.key != "like":
        raise syntax_error(node.sql("mysql"))
    node.replace(like)
    return _read_like(x, like, sign, scope)


def _read_like(x: Expressions, node: Any, escape: Any, scope: Scope) -> Type:
    """Keeps SQLite's own LIKE where it agrees with MySQL: for plain text without escapes; otherwise calls `my_like`."""
    kind, pattern = x.read(node.this, scope), x.read(node.expression, scope)
    if _is_binary(node.this) or _is_binary(node.expression):
        rest = [escape] if escape is not None else []
        node.replace(x.call("my_like_exact", node.expression, node.this, *rest))
        return INT
    literal = node.expression.key == "literal" and node.expression.name.isascii() and "\\" not in node.expression.name
    is_ascii = kind.kind in {*NUMBERS, *TIMES, Kind.NULL} or (node.this.key == "column" and kind.plain)
    if not (literal and is_ascii and escape is None and pattern.kind is Kind.TEXT):
        rest = [escape] if escape is not None else []
        node.replace(x.call("my_like", node.expression, node.this, *rest))
    return INT


def _is_binary(node: Any) -> bool:
    return bool(node.key == "collate" and node.expression.name == "BINARY")


def _regexp(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    x.read(node.expression, scope)
    if _is_binary(node.this) or _is_binary(node.expression):
        node.replace(x.call("my_regexp_like", node.this, node.expression, x.exp.Literal.string("c")))
    else:
        node.replace(x.call("my_regexp", node.this, node.expression))
    return INT


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("eq", "neq", "gt", "gte", "lt", "lte", "nullsafeeq"), _compare),
    "between": _between,
    "in": _in,
    "exists": _exists,
    "subquery": _subquery,
    "is": _is,
    "like": _like,
    "escape": _escape,
    "regexplike": _regexp,
}
