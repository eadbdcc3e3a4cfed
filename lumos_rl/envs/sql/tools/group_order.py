"""The order of groups without ORDER BY: MySQL 8 gives them as they first appeared in the table, SQLite sorted.

    SELECT kind, COUNT(*) FROM pets GROUP BY kind     becomes     … GROUP BY kind ORDER BY MIN("pets"."rowid")

MySQL collects the groups of one table in a temporary table, in the order of its primary key. Where the table has an
index that begins with the first column of the groups, it reads this index, so they are sorted as in SQLite. After an
ORDER BY with ties the same order decides. The order of groups of several tables depends on the order in which MySQL
joins them, which only its optimizer knows; they are left as SQLite gives them.
"""

from __future__ import annotations

from typing import Any

from lumos_rl.envs.sql.tools.schema import Catalog, Table


def first_appearance(exp: Any, tree: Any, catalog: Catalog) -> Any:
    """What a grouped query is to be ordered by in the end; None if SQLite's order is MySQL's, or neither is known."""
    start = tree.args.get("from_")
    if start is None or tree.args.get("joins") or start.this.key != "table":
        return None
    node = start.this
    database, _, name = node.name.rpartition(".")
    table = catalog.find(database, name)
    if table is None or _is_indexed(tree, table):
        return None
    place = _place(table)
    return exp.Min(this=exp.column(place, table=node.alias, quoted=True)) if place else None


def _is_indexed(tree: Any, table: Table) -> bool:
    first = tree.args["group"].expressions[0]
    if first.key == "literal" and first.name.isdigit():
        first = tree.expressions[int(first.name) - 1].unalias()
    firsts = {*table.indexed, *(key[0] for key in (table.primary_key, *table.unique) if key)}
    return first.key == "column" and first.name.lower() in {column.lower() for column in firsts}


def _place(table: Table) -> str:
    """The column that orders the rows of a table; "" if none does by itself."""
    if len(table.primary_key) > 1:
        return ""
    if table.primary_key:
        return table.primary_key[0]
    return "" if any(column.name.lower() == "rowid" for column in table.columns) else "rowid"
