"""Handlers of values: columns, literals, arithmetic, functions, casts; see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools import calls, clock
from lumos_rl.envs.sql.tools.aggregates import spread
from lumos_rl.envs.sql.tools.calls import CALLS, DATE, DATETIME, DOUBLE, INT, NULL, TEXT, TIME
from lumos_rl.envs.sql.tools.dialect import RESERVED, syntax_error
from lumos_rl.envs.sql.tools.dump import is_plain
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler
from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import RefusedQueryError, Scope
from lumos_rl.errors import ToolError

_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"}
_CASTS = {  # type that MySQL accepts in CAST → SQLite function, type
    **dict.fromkeys(("BIGINT", "UBIGINT"), ("my_signed", INT)),
    **dict.fromkeys(("CHAR", "NCHAR", "BINARY"), ("my_concat", TEXT)),
    **dict.fromkeys(("DOUBLE", "FLOAT", "REAL"), ("", DOUBLE)),
    "DATE": ("my_date", DATE),
    "DATETIME": ("my_datetime", DATETIME),
    "TIME": ("my_time", TIME),
    "DECIMAL": ("my_round", Type(Kind.DECIMAL, 0)),
    "YEAR": ("my_year", INT),
}
_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_OF_MARIADB = {"nvl", "nvl2", "to_char", "add_months", "chr", "median"}
_CONSTANTS = {"database", "schema", "version", "user", "current_user", "session_user", "system_user"}


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
    return Type(Kind.DECIMAL, len(text.partition(".")[2])) if "." in text else INT


def _arithmetic(x: Expressions, node: Any, scope: Scope) -> Type:
    sign = _ARITHMETIC[node.key]
    if node.expression.key == "interval":
        return _shifted(x, node, node.this, node.expression, "my_date_add" if sign == "+" else "my_date_sub", scope)
    kinds = x.read(node.this, scope), x.read(node.expression, scope)
    x.number(node.this, kinds[0])
    x.number(node.expression, kinds[1])
    if sign == "%":
        node.replace(x.call("my_mod", node.this, node.expression))
    elif sign == "/":
        node.replace(x.exp.Paren(this=x.exp.Div(this=x.real(node.this), expression=node.expression, typed=True)))
    return calls.arithmetic(sign, *kinds)


def _whole_division(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    x.read(node.expression, scope)
    node.replace(x.call("my_intdiv", node.this, node.expression))
    return INT


def _shifted(x: Expressions, node: Any, moment: Any, interval: Any, name: str, scope: Scope) -> Type:
    """A date moved by an interval."""
    kind = x.read(moment, scope)
    x.read(interval.this, scope)
    node.replace(x.call(name, moment, interval.this, _unit(x, interval.args.get("unit"))))
    return kind if kind.kind in TIMES else TEXT


def _unit(x: Expressions, node: Any) -> Any:
    name = (node.name if node is not None else "").upper()
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
    if node.args.get("default") is not None:
        found.append(x.read(node.args["default"], scope))
    return calls.merged(found)


def _if(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.args.get("false") is None:
        raise syntax_error(")")
    x.read(node.this, scope)
    kinds = [x.read(node.args[name], scope) for name in ("true", "false")]
    branches = [x.exp.If(this=node.this, true=node.args["true"])]
    node.replace(x.exp.Case(ifs=branches, default=node.args["false"]))
    return calls.merged(kinds)


def _adjacent(x: Expressions, node: Any, scope: Scope) -> Type:
    """Adjacent text literals, which MySQL joins."""
    node.replace(x.exp.Literal.string("".join(part.name for part in node.expressions)))
    return TEXT


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
    x.read(node.this, scope)
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


def _anonymous(x: Expressions, node: Any, scope: Scope) -> Type:
    """A function call by name."""
    name = node.name.lower()
    if name in calls.AGGREGATES:
        return spread(x, node, name, scope)
    if name in _CONSTANTS and not node.expressions:
        value = x.database if name in ("database", "schema") else "8.0.32" if name == "version" else "admin@localhost"
        node.replace(x.exp.Literal.string(value))
        return TEXT
    if name in _FORMS:
        return _FORMS[name](x, node, scope)
    if name not in CALLS:
        kind = RefusedQueryError if name in _OF_MARIADB else ToolError
        raise kind(f"FUNCTION {x.database}.{node.name} does not exist")
    call = CALLS[name]
    given = len(node.expressions)
    if given < call.least or (call.most is not None and given > call.most):
        raise ToolError(f"Incorrect parameter count in the call to native function '{node.name}'")
    kinds = [x.read(argument, scope) for argument in list(node.expressions)]
    node.set("this", call.target)
    if call.target.removeprefix("my_") in clock.CHANGING:
        node.set("expressions", [])
    return _given(node, call.gives, kinds)


def _given(node: Any, gives: Type | str, kinds: list[Type]) -> Type:
    if isinstance(gives, Type):
        return gives
    if gives == "parsed":
        has_time = any(sign in node.expressions[1].name for sign in ("%H", "%h", "%i", "%s", "%S", "%T", "%r"))
        return DATETIME if has_time else DATE
    if gives == "first":
        return kinds[0] if kinds[0].kind is not Kind.TEXT or node.name not in ("abs", "my_mod") else DOUBLE
    if gives == "whole":
        return INT if kinds[0].kind in (Kind.INT, Kind.DECIMAL) else DOUBLE
    if gives == "merged":
        return calls.merged(kinds)
    places = node.expressions[1] if len(node.expressions) > 1 else None
    known = 0 if places is None else int(places.name) if places.key == "literal" and places.name.isdigit() else None
    return calls.rounded(kinds[0], known)


def _isnull(x: Expressions, node: Any, scope: Scope) -> Type:
    if len(node.expressions) != 1:
        raise ToolError("Incorrect parameter count in the call to native function 'ISNULL'")
    x.read(node.expressions[0], scope)
    node.replace(x.exp.Paren(this=x.exp.Is(this=node.expressions[0], expression=x.exp.Null())))
    return INT


def _date_shift(x: Expressions, node: Any, scope: Scope) -> Type:
    name = "my_date_add" if node.name.lower() in ("date_add", "adddate") else "my_date_sub"
    if len(node.expressions) != 2:
        raise syntax_error(")")
    moment, interval = node.expressions
    if interval.key != "interval":
        interval = x.exp.Interval(this=interval, unit=x.exp.Var(this="DAY"))
        node.append("expressions", interval)
    return _shifted(x, node, moment, interval, name, scope)


def _difference(x: Expressions, node: Any, scope: Scope) -> Type:
    if len(node.expressions) != 3:
        raise syntax_error(")")
    unit, start, end = node.expressions
    x.read(start, scope)
    x.read(end, scope)
    unit.replace(_unit(x, unit))
    node.set("this", "my_timestampdiff")
    return INT


_FORMS: dict[str, Handler] = {
    "isnull": _isnull,
    "timestampdiff": _difference,
    **dict.fromkeys(("date_add", "adddate", "date_sub", "subdate"), _date_shift),
}


def _extract(x: Expressions, node: Any, scope: Scope) -> Type:
    unit = _unit(x, node.this).name.lower()
    x.read(node.expression, scope)
    node.replace(x.call(f"my_{unit}", node.expression))
    return INT


def _substring(x: Expressions, node: Any, scope: Scope) -> Type:
    parts = [node.args.get(name) for name in ("this", "start", "length")]
    for part in parts:
        if part is not None:
            x.read(part, scope)
    node.replace(
        x.call("my_substring", *(node.args[name] for name in ("this", "start", "length") if node.args.get(name)))
    )
    return TEXT


def _trim(x: Expressions, node: Any, scope: Scope) -> Type:
    x.read(node.this, scope)
    part = node.expression
    if part is not None:
        x.read(part, scope)
    where = x.exp.Literal.string((node.args.get("position") or "BOTH").upper())
    node.replace(x.call("my_trim", node.this, where, *([node.expression] if part is not None else [])))
    return TEXT


def _position(x: Expressions, node: Any, scope: Scope) -> Type:
    part, text = node.args["substr"], node.this
    x.read(part, scope)
    x.read(text, scope)
    node.replace(x.call("my_locate", node.args["substr"], node.this))
    return INT


def _today(x: Expressions, node: Any, scope: Scope) -> Type:
    node.replace(x.call("my_curdate" if node.key == "currentdate" else "my_now"))
    return DATE if node.key == "currentdate" else DATETIME


def _variable(x: Expressions, node: Any, scope: Scope) -> Type:
    if node.key == "sessionparameter" and node.name.lower() == "version":
        node.replace(x.exp.Literal.string("8.0.32"))
        return TEXT
    if node.key == "sessionparameter":
        raise ToolError(f"Unknown system variable '{node.name}'")
    node.replace(x.exp.Null())  # variables are not kept between statements
    return NULL


HANDLERS: dict[str, Handler] = {
    "column": _column,
    "literal": _literal,
    "null": lambda x, node, scope: NULL,
    "boolean": lambda x, node, scope: INT,
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    "intdiv": _whole_division,
    **dict.fromkeys(("and", "or", "xor", "not", "paren", "neg", "bitwiseand", "bitwiseor", "bitwisenot"), _parts),
    "concat": _adjacent,
    "case": _case,
    "if": _if,
    "collate": _collate,
    "cast": _cast,
    "anonymous": _anonymous,
    "extract": _extract,
    "substring": _substring,
    "trim": _trim,
    "strposition": _position,
    **dict.fromkeys(("currentdate", "currenttimestamp"), _today),
    **dict.fromkeys(("sessionparameter", "parameter"), _variable),
}
