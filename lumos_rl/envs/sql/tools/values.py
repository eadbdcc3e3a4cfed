"""Handlers of values: columns, literals, arithmetic, functions, casts; see `expressions`."""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools import calls, functions
from lumos_rl.envs.sql.tools.aggregates import spread
from lumos_rl.envs.sql.tools.calls import BITS, CALLS, DATE, DATETIME, DOUBLE, INT, NULL, TEXT, TIME
from lumos_rl.envs.sql.tools.dialect import RESERVED, syntax_error, unsupported
from lumos_rl.envs.sql.tools.dump import is_plain
from lumos_rl.envs.sql.tools.expressions import Expressions, Handler
from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import NUMBERS, TIMES, Kind, Type
from lumos_rl.envs.sql.tools.scope import FIELDS, ORDER, RefusedQueryError, Scope
from lumos_rl.errors import ToolError

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
_OF_MARIADB = {"nvl", "nvl2", "to_char", "add_months", "chr", "median"}
_OF_TEXT = frozenset(  # functions that use every argument as a text
    """
    concat concat_ws upper ucase lower lcase reverse ltrim rtrim substr mid substring left right replace lpad rpad
    substring_index length octet_length char_length character_length ascii instr strcmp find_in_set locate elt insert
    quote md5 sha sha1 sha2 crc32 to_base64 make_set ord bit_length regexp_like regexp_substr regexp_instr
    regexp_replace repeat
    """.split()
)
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
        return _shifted(x, node, node.expression, node.this, "my_date_add", scope)
    if node.expression.key == "interval":
        return _shifted(x, node, node.this, node.expression, "my_date_add" if sign == "+" else "my_date_sub", scope)
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


def _shifted(x: Expressions, node: Any, moment: Any, interval: Any, name: str, scope: Scope) -> Type:
    """A date moved by an interval."""
    kind = x.read(moment, scope)
    x.read(interval.this, scope)
    node.replace(x.call(name, moment, interval.this, _unit(x, interval.args.get("unit"))))
    return kind if kind.kind in TIMES else TEXT


def _unit(x: Expressions, node: Any) -> Any:
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
    return _merged(x, values, found)


def _merged(x: Expressions, values: list[Any], kinds: list[Type]) -> Type:
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
    found = _merged(x, [node.args[name] for name in ("true", "false")], kinds)
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
        for argument, kind in zip(list(node.expressions), kinds, strict=True):
            x.text(argument, kind)
    node.set("this", call.target)
    if call.target.removeprefix("my_") in functions.CHANGING:
        node.set("expressions", [])
    if call.gives == "merged":
        return _merged(x, node.expressions, kinds)
    return _given(node, call.gives, kinds)


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


def _added(x: Expressions, node: Any, scope: Scope) -> Type:
    """TIMESTAMPADD(unit, amount, moment)."""
    unit, amount, moment = node.expressions
    kind = x.read(moment, scope)
    x.read(amount, scope)
    node.replace(x.call("my_date_add", node.expressions[2], node.expressions[1], _unit(x, unit)))
    return kind if kind.kind in TIMES else TEXT


def _random(x: Expressions, node: Any, scope: Scope) -> Type:
    """RAND() or RAND(seed); the seeded numbers follow the rows, which only the selected and the ordered have."""
    if not node.expressions:
        node.replace(x.call("my_rand"))
        return DOUBLE
    x.read(node.expressions[0], scope)
    if len(node.expressions) > 1 or scope.clause not in (FIELDS, ORDER):
        raise unsupported("RAND(seed) here")
    row = x.exp.Window(this=x.exp.RowNumber())
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
    unit = "microsecond" if is_smallest else _unit(x, node.this).name.lower()
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
    "anonymous": _anonymous,
    "chr": _char,
    "extract": _extract,
    "substring": _substring,
    "trim": _trim,
    "strposition": _position,
    **dict.fromkeys(("currentdate", "currenttimestamp", "currenttime", "localtime", "localtimestamp"), _today),
    **dict.fromkeys(("sessionparameter", "parameter"), _variable),
}
