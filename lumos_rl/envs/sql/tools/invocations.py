"""Handlers of calls: functions by name, and those with a syntax of their own; see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools import calls, functions
from lumos_rl.envs.sql.tools.aggregates import spread
from lumos_rl.envs.sql.tools.calls import CALLS, DATE, DATETIME, DOUBLE, INT, NULL, TEXT, TIME
from lumos_rl.envs.sql.tools.dialect import syntax_error, unsupported
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler
from lumos_rl.envs.sql.tools.schema import TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import FIELDS, ORDER, RefusedQueryError, Scope
from lumos_rl.envs.sql.tools.values import merged_type, shifted, unit
from lumos_rl.errors import ToolError

_OF_MARIADB = {"nvl", "nvl2", "to_char", "add_months", "chr", "median"}
_OF_TEXT = frozenset(  # functions that use every argument as a text
    """
    concat concat_ws upper ucase lower lcase reverse ltrim rtrim substr mid substring left right replace lpad rpad
    substring_index length octet_length char_length character_length ascii instr strcmp find_in_set locate elt insert
    quote md5 sha sha1 sha2 crc32 to_base64 make_set ord bit_length regexp_like regexp_substr regexp_instr
    regexp_replace repeat
    """.split()
)
_COUNTS = {  # places of those arguments that are whole numbers
    **dict.fromkeys(("left", "right", "repeat", "lpad", "rpad", "sha2"), (1,)),
    **dict.fromkeys(("substr", "mid", "insert"), (1, 2)),
    **dict.fromkeys(("locate", "substring_index"), (2,)),
    **dict.fromkeys(("elt", "make_set"), (0,)),
}
_CONSTANTS = {"database", "schema", "version", "user", "current_user", "session_user", "system_user"}


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
        if name in calls.NOT_COVERED or name.startswith(("json_", "st_", "mbr", "aes_")):
            raise unsupported(f"{node.name}()")
        error = RefusedQueryError if name in _OF_MARIADB else ToolError
        raise error(f"FUNCTION {x.database}.{node.name} does not exist")
    call = CALLS[name]
    given = len(node.expressions)
    if given < call.least or (call.most is not None and given > call.most):
        raise ToolError(f"Incorrect parameter count in the call to native function '{node.name}'")
    scope.quiet += name == "any_value"
    kinds = [x.read(argument, scope) for argument in list(node.expressions)]
    scope.quiet -= name == "any_value"
    if name in _OF_TEXT:
        _as_texts(x, name, list(node.expressions), kinds)
    node.set("this", call.target)
    if call.target.removeprefix("my_") in functions.CHANGING:
        node.set("expressions", [])
    if call.gives == "merged":
        return merged_type(x, node.expressions, kinds)
    return _given(node, call.gives, kinds)


def _as_texts(x: Expressions, name: str, given: list[Any], kinds: list[Type]) -> None:
    for place, (argument, kind) in enumerate(zip(given, kinds, strict=True)):
        if place not in _COUNTS.get(name, ()):
            x.text(argument, kind)
        elif kind.kind is Kind.DECIMAL:
            x.exact(argument, 0)


def _given(node: Any, gives: Type | str, kinds: list[Type]) -> Type:
    if isinstance(gives, Type):
        return gives
    if gives == "unix":
        return DATETIME if len(kinds) == 1 else TEXT
    if gives == "parsed":
        has_time = any(sign in node.expressions[1].name for sign in ("%H", "%h", "%i", "%s", "%S", "%T", "%r"))
        return DATETIME if has_time else DATE
    if gives == "first":
        return kinds[0] if kinds[0].kind is not Kind.TEXT or node.name not in ("abs", "my_mod") else DOUBLE
    if gives == "whole":
        return INT if kinds[0].kind in (Kind.INT, Kind.DECIMAL) else DOUBLE
    if gives == "moved":
        return DATETIME if kinds[0].kind in (Kind.DATE, Kind.DATETIME) else TIME if kinds[0].kind is Kind.TIME else TEXT
    places = node.expressions[1] if len(node.expressions) > 1 else None
    if node.name == "my_round" and kinds[0].kind not in (Kind.INT, Kind.DECIMAL):
        node.set("this", "my_round_double")
    return calls.rounded(kinds[0], 0 if places is None else _constant(places))


def _constant(node: Any) -> int | None:
    """The value of a whole literal; None for anything else."""
    sign, digits = (-1, node.this) if node.key == "neg" else (1, node)
    return sign * int(digits.name) if digits.key == "literal" and digits.name.isdigit() else None


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
    return shifted(x, node, moment, interval, name, scope)


def _difference(x: Expressions, node: Any, scope: Scope) -> Type:
    if len(node.expressions) != 3:
        raise syntax_error(")")
    span, start, end = node.expressions
    x.read(start, scope)
    x.read(end, scope)
    span.replace(unit(x, span))
    node.set("this", "my_timestampdiff")
    return INT


def _added(x: Expressions, node: Any, scope: Scope) -> Type:
    """TIMESTAMPADD(unit, amount, moment)."""
    span, amount, moment = node.expressions
    kind = x.read(moment, scope)
    x.read(amount, scope)
    node.replace(x.call("my_date_add", node.expressions[2], node.expressions[1], unit(x, span)))
    return kind if kind.kind in TIMES else TEXT


def _random(x: Expressions, node: Any, scope: Scope) -> Type:
    """RAND() or RAND(seed); the seeded numbers follow the rows, which only the selected and the ordered have."""
    if not node.expressions:
        node.replace(x.call("my_rand"))
        return DOUBLE
    x.read(node.expressions[0], scope)
    if len(node.expressions) > 1 or scope.clause not in (FIELDS, ORDER):
        raise unsupported("RAND(seed) here")
    is_constant = node.expressions[0].key in ("literal", "neg", "paren")
    row = x.exp.Window(this=x.exp.RowNumber()) if is_constant else x.exp.Literal.number(1)
    node.replace(x.call("my_seeded", node.expressions[0], row))
    return DOUBLE


def _timestamp(x: Expressions, node: Any, scope: Scope) -> Type:
    kinds = [x.read(argument, scope) for argument in list(node.expressions)]
    if not 1 <= len(kinds) <= 2:
        raise ToolError("Incorrect parameter count in the call to native function 'TIMESTAMP'")
    node.set("this", "my_datetime" if len(kinds) == 1 else "my_datetime_time")
    return DATETIME


def _week_of_year(x: Expressions, node: Any, scope: Scope) -> Type:
    if len(node.expressions) != 1:
        raise ToolError("Incorrect parameter count in the call to native function 'WEEKOFYEAR'")
    x.read(node.expressions[0], scope)
    node.replace(x.call("my_week", node.expressions[0], x.exp.Literal.number(3)))
    return INT


def _char(x: Expressions, node: Any, scope: Scope) -> Type:
    for part in list(node.expressions):
        x.read(part, scope)
    is_text = bool(node.args.get("charset"))
    call = x.call("my_char", *node.expressions)
    node.replace(x.call("my_concat", call) if is_text else call)
    return TEXT if is_text else Type(Kind.ANY)


_FORMS: dict[str, Handler] = {
    "timestampadd": _added,
    "rand": _random,
    "timestamp": _timestamp,
    "weekofyear": _week_of_year,
    "char": _char,
    "isnull": _isnull,
    "timestampdiff": _difference,
    **dict.fromkeys(("date_add", "adddate", "date_sub", "subdate"), _date_shift),
}


def _extract(x: Expressions, node: Any, scope: Scope) -> Type:
    is_smallest = node.this.name.upper() == "MICROSECOND"
    name = "microsecond" if is_smallest else unit(x, node.this).name.lower()
    x.read(node.expression, scope)
    node.replace(x.call(f"my_{name}", node.expression))
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


_NOW = {"currentdate": ("my_curdate", DATE), "currenttime": ("my_curtime", TIME)}


def _today(x: Expressions, node: Any, scope: Scope) -> Type:
    name, found = _NOW.get(node.key, ("my_now", DATETIME))
    node.replace(x.call(name))
    return found


def _variable(x: Expressions, node: Any, scope: Scope) -> Type:
    known = {"version": "8.0.32", "sql_mode": x.modes}
    if node.key == "sessionparameter" and node.name.lower() in known:
        node.replace(x.exp.Literal.string(known[node.name.lower()]))
        return TEXT
    if node.key == "sessionparameter":
        raise ToolError(f"Unknown system variable '{node.name}'")
    node.replace(x.exp.Null())  # variables are not kept between statements
    return NULL


HANDLERS: dict[str, Handler] = {
    "anonymous": _anonymous,
    "chr": _char,
    "extract": _extract,
    "substring": _substring,
    "trim": _trim,
    "strposition": _position,
    **dict.fromkeys(("currentdate", "currenttimestamp", "currenttime", "localtime", "localtimestamp"), _today),
    **dict.fromkeys(("sessionparameter", "parameter"), _variable),
}
