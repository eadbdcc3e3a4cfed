"""Handlers of values: columns, literals, arithmetic, choices, casts; see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools import calls
from lumos_rl.envs.sql.tools.calls import BITS, DATE, DATETIME, DOUBLE, INT, NULL, TEXT, TIME
from lumos_rl.envs.sql.tools.dialect import RESERVED, syntax_error, unsupported
from lumos_rl.envs.sql.tools.dump import is_plain
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler
from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import Scope

_BITS = {
    "bitwiseand": "my_bitand",
    "bitwiseor": "my_bitor",
    "bitwisexor": "my_bitxor",
    "bitwisenot": "my_bitnot",
    "bitwiseleftshift": "my_shiftleft",
    "bitwiserightshift": "my_shiftright",
}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
_CASTS = {  # type that MySQL accepts in CAST → SQLite function, type
    "BIGINT": ("my_signed", INT),
    "UBIGINT": ("my_unsigned", BITS),
    **dict.fromkeys(("CHAR", "NCHAR", "BINARY", "CHARACTER_SET"), ("my_concat", TEXT)),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), ("my_datetime", DATETIME)),
    **dict.fromkeys(("DOUBLE", "FLOAT", "REAL"), ("", DOUBLE)),
    "DATE": ("my_date", DATE),
    "DATETIME": ("my_datetime", DATETIME),
    "TIME": ("my_time", TIME),
    "DECIMAL": ("my_round", Type(Kind.DECIMAL, 0)),
    "YEAR": ("my_year", INT),
}
_DIVIDED = 9  # digits after the point that MySQL keeps of a quotient until it is shown
_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def _column(x: Expressions, node: Any, scope: Scope) -> Type:
    name, qualifier = node.name, node.args.get("table")
    if (
        node.this.key == "star"
        or node.args.get("catalog") is not None
        or (qualifier is None and not node.this.args.get("quoted") and name.lower() in RESERVED)
    ):
        raise syntax_error(node.sql("mysql"))
    found = scope.resolve(name, qualifier.name if qualifier is not None else "")
    for part in ("db", "catalog"):
        node.set(part, None)
    node.set("this", x.exp.to_identifier(found.name, quoted=True))
    node.set("table", x.exp.to_identifier(found.alias, quoted=True) if found.alias else None)
    return found.type


def _literal(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.is_string:
        return Type(Kind.TEXT, plain=is_plain(node.name))
    text = node.name.lower()
    if "e" in text:
        return DOUBLE
    if "." in text:
        return Type(Kind.DECIMAL, len(text.partition(".")[2]))
    if int(text) >= 2**64:
        return Type(Kind.DECIMAL, 0)
    if int(text) >= 2**63:
        node.replace(x.exp.Paren(this=x.exp.Neg(this=x.exp.Literal.number(2**64 - int(text)))))
        return BITS
    return INT


def _bits(x: Expressions, node: Any, scope: Scope) -> Type:
    """Operators of bits, which MySQL applies to integers of 64 bits without a sign."""
    for part in list(node.iter_expressions()):
        x.read(part, scope)
    node.replace(x.call(_BITS[node.key], *node.iter_expressions()))
    return BITS


def _arithmetic(x: Expressions, node: Any, scope: Scope) -> Type:
    sign = _ARITHMETIC[node.key]
    if node.this.key == "interval" and sign == "+":
        return shifted(x, node, node.expression, node.this, "my_date_add", scope)
    if node.expression.key == "interval":
        return shifted(x, node, node.this, node.expression, "my_date_add" if sign == "+" else "my_date_sub", scope)
    kinds = x.read(node.this, scope), x.read(node.expression, scope)
    x.number(node.this, kinds[0])
    x.number(node.expression, kinds[1])
    found = calls.arithmetic(sign, *kinds)
    is_exact = found.kind is Kind.DECIMAL
    if sign == "%":
        node.replace(x.call("my_mod_exact" if is_exact else "my_mod", node.this, node.expression))
    elif sign == "/":
        new = x.exp.Paren(this=x.exp.Div(this=x.real(node.this), expression=node.expression, typed=True))
        node.replace(new)
        if is_exact:
            x.exact(new, _DIVIDED)
    elif is_exact:
        x.exact(node, found.scale or 0)
    return found


def _whole_division(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    x.read(node.expression, scope)
    node.replace(x.call("my_intdiv", node.this, node.expression))
    return INT


def shifted(x: Expressions, node: Any, moment: Any, interval: Any, name: str, scope: Scope) -> Type:
    """A date moved by an interval."""
    kind = x.read(moment, scope)
    x.read(interval.this, scope)
    node.replace(x.call(name, moment, interval.this, unit(x, interval.args.get("unit"))))
    return kind if kind.kind in TIMES else TEXT


def unit(x: Expressions, node: Any) -> Any:
    """The name of a unit of time, as a text."""
    name = (node.name if node is not None else "").upper()
    if name == "MICROSECOND":
        raise unsupported("MICROSECOND")
    if name not in _UNITS:
        raise syntax_error(name)
    return x.exp.Literal.string(name)


def _parts(x: Expressions, node: Any, scope: Scope) -> Type:
    """Operators with the same meaning in SQLite; XOR is rewritten."""
    kinds = [x.read(part, scope) for part in list(node.iter_expressions())]
    if node.key == "xor":
        one, other = (x.exp.Paren(this=x.exp.Not(this=x.exp.Paren(this=part))) for part in (node.this, node.expression))
        node.replace(x.exp.Paren(this=x.exp.NEQ(this=one, expression=other)))
    if node.key == "neg":
        x.number(node.this, kinds[0])
        return kinds[0] if kinds[0].kind in NUMBERS else DOUBLE
    return kinds[0] if node.key == "paren" else INT


def _case(x: Expressions, node: Any, scope: Scope) -> Type:
    """CASE; `CASE value WHEN …` becomes a CASE with comparisons."""
    head, found = node.this, []
    for branch in node.args["ifs"]:
        if head is not None:
            branch.set("this", x.exp.EQ(this=head.copy(), expression=branch.this))
        x.read(branch.this, scope)
        found.append(x.read(branch.args["true"], scope))
    node.set("this", None)
    values = [branch.args["true"] for branch in node.args["ifs"]]
    if node.args.get("default") is not None:
        found.append(x.read(node.args["default"], scope))
        values.append(node.args["default"])
    return merged_type(x, values, found)


def merged_type(x: Expressions, values: list[Any], kinds: list[Type]) -> Type:
    """The common type of values, one of which is chosen."""
    found = calls.merged(kinds)
    if found.kind is Kind.TEXT:
        for value, kind in zip(values, kinds, strict=True):
            x.text(value, kind)
    return found


def _if(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.args.get("false") is None:
        raise syntax_error(")")
    x.read(node.this, scope)
    kinds = [x.read(node.args[name], scope) for name in ("true", "false")]
    found = merged_type(x, [node.args[name] for name in ("true", "false")], kinds)
    branches = [x.exp.If(this=node.this, true=node.args["true"])]
    node.replace(x.exp.Case(ifs=branches, default=node.args["false"]))
    return found


def _collate(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    node.set("expression", x.exp.Var(this="BINARY" if node.expression.name.endswith("_bin") else COLLATION))
    return TEXT


def _cast(x: Expressions, node: Any, scope: Scope) -> Type:
    to = node.args["to"]
    name = getattr(to.this, "name", str(to.this))
    if name not in _CASTS or node.args.get("format") is not None:
        raise syntax_error(f"{to.sql('mysql')})")
    target, gives = _CASTS[name]
    sizes = [size.name for size in to.expressions]
    kind = x.read(node.this, scope)
    if gives is TEXT:
        x.text(node.this, kind)
    if not target:
        node.replace(x.real(node.this))
    elif name == "DECIMAL":
        gives = Type(Kind.DECIMAL, int(sizes[1]) if len(sizes) > 1 else 0)
        node.replace(x.call(target, node.this, x.exp.Literal.number(gives.scale or 0)))
    elif name == "BINARY":
        node.replace(x.exp.Collate(this=x.call(target, node.this), expression=x.exp.Var(this="BINARY")))
        return Type(Kind.ANY)
    elif sizes and gives is TEXT:
        node.replace(x.call("my_left", node.this, x.exp.Literal.number(sizes[0])))
    else:
        node.replace(x.call(target, node.this))
    return gives


HANDLERS: dict[str, Handler] = {
    "column": _column,
    "literal": _literal,
    "null": lambda x, node, scope: NULL,
    "boolean": lambda x, node, scope: INT,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    "intdiv": _whole_division,
    **dict.fromkeys(("and", "or", "xor", "not", "paren", "neg"), _parts),
    **dict.fromkeys(_BITS, _bits),
    "case": _case,
    "if": _if,
    "collate": _collate,
    "cast": _cast,
}
