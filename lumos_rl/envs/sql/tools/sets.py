"""Rewrites UNION, INTERSECT and EXCEPT for SQLite, whose own give the rows sorted; MySQL gives the first ones first.

    SELECT name FROM cats UNION SELECT name FROM dogs     becomes
    WITH "set.1"("c1") AS (SELECT … UNION ALL SELECT …) SELECT DISTINCT "c1" COLLATE mysql AS "name" FROM "set.1"

INTERSECT and EXCEPT number the rows of the left query, and keep the first number of each row that both, or only the
left, contain. With ALL, equal rows are numbered too, so that each has its own partner.
"""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools.dialect import load
from lumos_rl.envs.sql.tools.functions import COLLATION
from lumos_rl.envs.sql.tools.schema import Kind
from lumos_rl.envs.sql.tools.scope import Output
from lumos_rl.envs.sql.tools.sources import selected


def in_order(tree: Any, columns: list[Output], number: int) -> Any:
    """The SELECT that replaces a set operation whose parts are already rewritten.

    Args:
        tree: The set operation, without WITH, ORDER BY and LIMIT.
        columns: The columns of its result.
        number: Distinguishes it from the others in the statement.
    """
    names = [f"c{place}" for place in range(1, len(columns) + 1)]
    keys = [f'"{name}"{_collation(column)}' for name, column in zip(names, columns, strict=True)]
    is_all = tree.args.get("distinct") is False
    if tree.key == "union":
        tree.set("distinct", False)
        for name in ("this", "expression"):
            part = tree.args[name]
            if part.key == "select" and (part.args.get("order") or part.args.get("with_")):
                tree.set(name, selected(part))  # SQLite accepts neither within a UNION
        parts = {f"set.{number}": (tree, names)}
        template = f'SELECT {"" if is_all else "DISTINCT "}{", ".join(keys)} FROM "set.{number}"'
    else:
        parts = {f"left.{number}": (tree.this, names), f"right.{number}": (tree.expression, names)}
        template = _kept(keys, number, is_all, tree.key == "intersect")
    found = load("sqlglot").parse_one(template, read="sqlite")
    exp = load("sqlglot.expressions")
    fields = zip(found.expressions, columns, strict=True)
    aliases = [exp.Alias(this=field, alias=exp.to_identifier(column.name, quoted=True)) for field, column in fields]
    found.set("expressions", aliases)
    clause = found.args.get("with_") or exp.With(expressions=[])
    clause.set("expressions", [*(_cte(exp, name, *part) for name, part in parts.items()), *clause.expressions])
    found.set("with_", clause)
    return found


def _kept(keys: list[str], number: int, is_all: bool, is_both: bool) -> str:
    columns = ", ".join(keys)
    copy = f"ROW_NUMBER() OVER (PARTITION BY {columns})" if is_all else "1"
    first = f"MIN(n) OVER (PARTITION BY {columns})" if is_all else "1"
    compared = "COUNT(*) > COUNT(n)" if is_both else "COUNT(*) = COUNT(n)"
    return (
        f'WITH "rows.{number}" AS (SELECT ROW_NUMBER() OVER () AS n, * FROM "left.{number}"),'
        f' "numbered.{number}" AS (SELECT {first} AS first, {copy} AS copy, * FROM "rows.{number}")'
        f' SELECT {columns} FROM "numbered.{number}" WHERE n IN (SELECT MIN(n) FROM (SELECT * FROM "numbered.{number}"'
        f' UNION ALL SELECT NULL, {copy}, NULL, * FROM "right.{number}") AS both GROUP BY copy, {columns}'
        f" HAVING COUNT(n) > 0 AND {compared}) ORDER BY first, n"
    )


def _collation(column: Output) -> str:
    if column.type.kind not in (Kind.TEXT, Kind.ANY):
        return ""
    return f" COLLATE {'NOCASE' if column.type.plain else COLLATION}"


def _cte(exp: Any, name: str, query: Any, columns: list[str]) -> Any:
    names = [exp.to_identifier(column, quoted=True) for column in columns]
    alias = exp.TableAlias(this=exp.to_identifier(name, quoted=True), columns=names)
    return exp.CTE(this=query, alias=alias)
