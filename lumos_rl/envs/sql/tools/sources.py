"""Rewrites FROM: the tables and derived tables that a query reads from.

    Sources(catalog, "zoo", read).read(tree, scope, ctes)     # FROM cats AS c  becomes  FROM "zoo.cats" AS "c"

In SQLite, the tables of all databases are in one database, as "zoo.cats", so that a query can read any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lumos_rl.envs.sql.tools.dialect import RESERVED, load, syntax_error, unsupported
from lumos_rl.envs.sql.tools.schema import Catalog, Table
from lumos_rl.envs.sql.tools.scope import Output, RefusedQueryError, Scope, Source, table_columns
from lumos_rl.errors import ToolError

Ctes = Mapping[str, list[Output]]
_COUNTS = "SELECT list and column names list have different column counts"


class Sources:
    """Reads and rewrites FROM.

    Args:
        catalog: The existing tables.
        database: The database in use.
        query: Reads and rewrites the query of a derived table.
    """

    def __init__(self, catalog: Catalog, database: str, query: Callable[[Any, Scope | None], list[Output]]) -> None:
        self.exp = load("sqlglot.expressions")
        self.catalog, self.database, self.query = catalog, database, query

    def check(self, tree: Any) -> None:
        """Refuses a query with an unknown table anywhere in it, because MySQL opens all tables first."""
        tables, named = [], {"dual"}
        for node in tree.walk():
            if node.key == "table" and node.this.key == "identifier":
                tables.append(node)
            elif node.key == "cte":
                named.add(node.alias.lower())
        for table in tables:
            if table.db or table.name.lower() not in named:
                self._stored(table)

    def _stored(self, node: Any) -> tuple[str, Table]:
        """Database and definition of the table that a node names."""
        name, database = node.name.lower(), (node.db or self.database).lower()
        if not node.db and not node.this.args.get("quoted") and name in RESERVED:
            raise syntax_error(node.name)
        table = self.catalog.find(database, name)
        if table is not None:
            return database, table
        if database not in self.catalog.databases:
            raise ToolError(f"Unknown database '{database}'")
        raise ToolError(f"Table '{database}.{name}' doesn't exist")

    def read(self, tree: Any, scope: Scope, ctes: Ctes) -> None:
        """Adds every source of a query to its scope.

        Raises:
            ToolError: MySQL would refuse one of them.
        """
        start = tree.args.get("from_")
        if start is None:
            if tree.args.get("joins") or any(field.is_star for field in tree.expressions):
                raise ToolError("No tables used")
            return
        if start.this.key == "table" and start.this.name.lower() == "dual" and not start.this.args.get("joins"):
            tree.set("from_", None)
            return
        self._read(start.this, scope, ctes)
        for join in tree.args.get("joins") or ():
            if join.args.get("method") == "STRAIGHT" or join.kind == "STRAIGHT_JOIN" or join.kind == "STRAIGHT":
                join.set("method", None)
                join.set("kind", None)
            if join.side == "FULL" or join.args.get("method") not in (None, "NATURAL"):
                raise syntax_error(join.sql("mysql"))
            if join.side and not (join.args.get("on") or join.args.get("using") or join.args.get("method")):
                raise syntax_error("")
            before = {name for source in scope.sources.values() for name in source.columns}
            source = self._read(join.this, scope, ctes)
            if join.args.get("method") == "NATURAL":
                scope.merged |= before & source.columns.keys()
            scope.merged |= {name.name.lower() for name in join.args.get("using") or ()}

    def _read(self, node: Any, scope: Scope, ctes: Ctes) -> Source:
        if node.key == "subquery" and node.this.key == "table" and not node.this.args.get("joins"):
            inner = node.this
            node.replace(inner)
            return self._read(inner, scope, ctes)
        if node.key == "paren" or (node.key == "subquery" and node.this.key == "table") or node.args.get("joins"):
            raise unsupported("joins within joins")
        source = self._derived(node, scope) if node.key == "subquery" else self._table(node, ctes)
        alias = node.args.get("alias")
        if alias is not None and not alias.this.args.get("quoted") and alias.name.lower() in RESERVED:
            raise syntax_error(alias.name)
        scope.add(source)
        alias_node = self.exp.TableAlias(this=self.exp.to_identifier(source.alias, quoted=True))
        node.set("alias", alias_node)
        return source

    def _derived(self, node: Any, scope: Scope) -> Source:
        if not node.alias:
            raise RefusedQueryError("Every derived table must have its own alias")
        names = [column.name for column in node.args["alias"].args.get("columns") or ()]
        if node.this.key == "subquery":
            node.set("this", unwrapped(node.this))
        columns = renamed(self.query(node.this, scope.parent), names)
        if names:
            raise syntax_error("(")
        return Source(node.alias.lower(), table_columns(columns), _group_keys(node.this))

    def _table(self, node: Any, ctes: Ctes) -> Source:
        if node.key != "table" or not node.name or node.this.key != "identifier":
            raise syntax_error(node.sql("mysql"))
        alias = (node.alias or node.name).lower()
        cte = ctes.get(node.name.lower()) if not node.db else None
        if cte is None:
            database, table = self._stored(node)
        node.set("db", None)
        node.set("catalog", None)
        if cte is not None:
            node.set("this", self.exp.to_identifier(node.name.lower(), quoted=True))
            return Source(alias, table_columns(cte))
        node.set("this", self.exp.to_identifier(f"{database}.{table.name}", quoted=True))
        columns = {column.name.lower(): (column.name, column.type) for column in table.columns}
        return Source(alias, columns, tuple(table.keys), f"{database}.{alias}")


def renamed(columns: list[Output], names: list[str]) -> list[Output]:
    """The columns with the names given in a common table expression; unchanged if there are none."""
    if not names:
        return columns
    if len(names) != len(columns):
        raise ToolError(f"In definition of view, derived table or common table expression, {_COUNTS}")
    return [Output(name, column.type) for name, column in zip(names, columns, strict=True)]


def _group_keys(query: Any) -> tuple[frozenset[str], ...]:
    """The key of a derived table: the columns that it groups by; the empty key if it has one row."""
    if query.key != "select":
        return ()
    group = query.args.get("group")
    if group is None:
        return (frozenset(),) if any(map(has_aggregate, query.expressions)) else ()
    names = {field.unalias().sql(): field.alias_or_name.lower() for field in query.expressions}
    places = [
        query.expressions[int(item.name) - 1].unalias() if item.key == "literal" else item for item in group.expressions
    ]
    found = [names.get(item.sql()) for item in places]
    return (frozenset(name for name in found if name),) if all(found) else ()


def has_aggregate(field: Any) -> bool:
    """Whether a selected expression has an aggregate of its own query, and not of a subquery or a window."""
    exp = load("sqlglot.expressions")
    around = field.find_ancestor(exp.Query)
    return any(node.find_ancestor(exp.Query, exp.Window) is around for node in field.find_all(exp.AggFunc))


def unwrapped(tree: Any) -> Any:
    """A query without brackets around it."""
    while tree.key == "subquery" and not any(tree.args.get(name) for name in ("order", "limit", "alias")):
        inner = tree.this
        inner.pop()
        tree = inner
    return selected(tree) if tree.key == "subquery" else tree


def selected(part: Any) -> Any:
    """`SELECT * FROM (part)`, with the ORDER BY and LIMIT of the part outside the brackets."""
    exp = load("sqlglot.expressions")
    inner = part.this if part.key == "subquery" else part
    alias = exp.TableAlias(this=exp.to_identifier("part", quoted=True))
    query = exp.select("*").from_(exp.Subquery(this=inner, alias=alias), copy=False)
    for clause in ("order", "limit", "offset"):
        if part is not inner and part.args.get(clause):
            query.set(clause, part.args[clause])
    return query
