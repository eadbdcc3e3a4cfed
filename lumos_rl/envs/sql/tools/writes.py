"""Translates statements of MySQL that write to SQLite; they change an episode's own copy of the tables.

    write(parse("ALTER TABLE cats ADD age INT"), catalog, "zoo")  # ['ALTER TABLE "zoo.cats" ADD COLUMN "age" INTEGER']

INSERT, UPDATE and DELETE of one table, and CREATE, DROP, ALTER and TRUNCATE TABLE are supported. The catalog is changed
along with the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from lumos_rl.envs.sql.tools.dialect import load, syntax_error, unsupported
from lumos_rl.envs.sql.tools.dump import column_of, table_of
from lumos_rl.envs.sql.tools.expressions import Expressions
from lumos_rl.envs.sql.tools.handlers import HANDLERS
from lumos_rl.envs.sql.tools.layout import column_definition, table_definition
from lumos_rl.envs.sql.tools.queries import Queries
from lumos_rl.envs.sql.tools.schema import Catalog, Column, Table
from lumos_rl.envs.sql.tools.scope import WHERE, Scope, Source
from lumos_rl.errors import ToolError


def _place(catalog: Catalog, node: Any, used: str) -> tuple[str, Table]:
    """Database and table that a statement names."""
    database = (node.db or used).lower()
    table = catalog.find(database, node.name)
    if table is None:
        raise ToolError(f"Table '{database}.{node.name}' doesn't exist")
    return database, table


def _insert(tree: Any, catalog: Catalog, used: str) -> list[str]:
    exp = load("sqlglot.expressions")
    target = tree.this.this if tree.this.key == "schema" else tree.this
    database, table = _place(catalog, target, used)
    names = [item.name for item in tree.this.expressions] if tree.this.key == "schema" else []
    for name in names:
        _column(table, name)
    if tree.args.get("conflict") is not None or tree.expression is None:
        raise unsupported("this form of INSERT")
    if tree.expression.key == "values":
        expressions = Expressions(used, lambda query, scope: Queries(catalog, used).read(query, scope), HANDLERS)
        expected = len(names or table.columns)
        for number, row in enumerate(tree.expression.expressions, 1):
            if len(row.expressions) != expected:
                raise ToolError(f"Column count doesn't match value count at row {number}")
            for value in list(row.expressions):
                expressions.read(value, Scope(None))
    else:
        Queries(catalog, used).read(tree.expression, None)
    target.replace(exp.to_identifier(f"{database}.{table.name}", quoted=True))
    catalog.databases[database][table.name] = _unplain(table)
    verb = "INSERT OR IGNORE" if tree.args.get("ignore") else "INSERT"
    columns = f" ({', '.join(map(_quoted, names))})" if names else ""
    return [f"{verb} INTO {_quoted(f'{database}.{table.name}')}{columns} {_sql(tree.expression)}"]


def _update(tree: Any, catalog: Catalog, used: str) -> list[str]:
    database, table, scope, expressions = _single(tree, catalog, used)
    assignments = []
    for item in list(tree.expressions):
        if item.key != "eq" or item.this.key != "column":
            raise syntax_error(item.sql("mysql"))
        column = _column(table, item.this.name)
        expressions.read(item.expression, scope)
        assignments.append(f"{_quoted(column.name)} = {_sql(item.expression)}")
    where = _where(tree, scope, expressions)
    catalog.databases[database][table.name] = _unplain(table)
    [alias] = scope.sources
    return [f"UPDATE {_quoted(f'{database}.{table.name}')} AS {_quoted(alias)} SET {', '.join(assignments)}{where}"]


def _delete(tree: Any, catalog: Catalog, used: str) -> list[str]:
    if tree.args.get("tables") or tree.args.get("using"):
        raise unsupported("DELETE of several tables")
    database, table, scope, expressions = _single(tree, catalog, used)
    [alias] = scope.sources
    where = _where(tree, scope, expressions)
    return [f"DELETE FROM {_quoted(f'{database}.{table.name}')} AS {_quoted(alias)}{where}"]


def _single(tree: Any, catalog: Catalog, used: str) -> tuple[str, Table, Scope, Expressions]:
    node = tree.this
    if node.key != "table" or node.args.get("joins") or tree.args.get("limit") or tree.args.get("order"):
        raise unsupported(f"{tree.key.upper()} of several tables, or with ORDER BY or LIMIT")
    database, table = _place(catalog, node, used)
    scope = Scope(None)
    columns = {column.name.lower(): (column.name, column.type) for column in table.columns}
    scope.add(Source((node.alias or node.name).lower(), columns))
    return (
        database,
        table,
        scope,
        Expressions(used, lambda query, around: Queries(catalog, used).read(query, around), HANDLERS),
    )


def _where(tree: Any, scope: Scope, expressions: Expressions) -> str:
    where = tree.args.get("where")
    if where is None:
        return ""
    scope.clause = WHERE
    expressions.read(where.this, scope)
    return f" WHERE {_sql(where.this)}"


def _create(tree: Any, catalog: Catalog, used: str) -> list[str]:
    if tree.args.get("kind") != "TABLE" or tree.args.get("expression") is not None:
        raise unsupported("CREATE without a list of columns")
    table = table_of(tree)
    database = (tree.this.this.db or used).lower()
    if database not in catalog.databases:
        raise ToolError(f"Unknown database '{database}'")
    if catalog.find(database, table.name) is not None:
        if tree.args.get("exists"):
            return []
        raise ToolError(f"Table '{table.name}' already exists")
    catalog.databases[database][table.name] = table
    return [table_definition(f"{database}.{table.name}", table)]


def _drop(tree: Any, catalog: Catalog, used: str) -> list[str]:
    if tree.args.get("kind") != "TABLE":
        raise unsupported("DROP of anything but tables")
    found = []
    for node in [tree.this] if tree.this is not None else tree.args.get("tables") or ():
        if catalog.find((node.db or used).lower(), node.name) is None:
            if tree.args.get("exists"):
                continue
            raise ToolError(f"Unknown table '{(node.db or used).lower()}.{node.name}'")
        found.append(_place(catalog, node, used))
    for database, table in found:
        del catalog.databases[database][table.name]
    return [f"DROP TABLE {_quoted(f'{database}.{table.name}')}" for database, table in found]


def _truncate(tree: Any, catalog: Catalog, used: str) -> list[str]:
    places = [_place(catalog, node, used) for node in tree.expressions]
    return [f"DELETE FROM {_quoted(f'{database}.{table.name}')}" for database, table in places]


def _alter(tree: Any, catalog: Catalog, used: str) -> list[str]:
    database, table = _place(catalog, tree.this, used)
    head = f"ALTER TABLE {_quoted(f'{database}.{table.name}')}"
    found = []
    for action in tree.args.get("actions") or ():
        if action.key == "columndef":
            column = column_of(action)
            if any(column.name.lower() == other.name.lower() for other in table.columns):
                raise ToolError(f"Duplicate column name '{column.name}'")
            if not column.nullable and column.default is None:
                raise unsupported("ADD COLUMN … NOT NULL without DEFAULT")
            table = replace(table, columns=(*table.columns, column))
            found.append(f"{head} ADD COLUMN {column_definition(column)}")
        elif action.key == "drop" and action.args.get("kind") == "COLUMN":
            gone = _column(table, action.args["tables"][0].name)
            table = _renamed(replace(table, columns=tuple(c for c in table.columns if c is not gone)), gone.name, None)
            found.append(f"{head} DROP COLUMN {_quoted(gone.name)}")
        elif action.key == "renamecolumn":
            old, new = _column(table, action.this.name), action.args["to"].name
            columns = tuple(replace(column, name=new) if column is old else column for column in table.columns)
            table = _renamed(replace(table, columns=columns), old.name, new)
            found.append(f"{head} RENAME COLUMN {_quoted(old.name)} TO {_quoted(new)}")
        else:
            raise unsupported("this form of ALTER TABLE")
    catalog.databases[database][table.name] = table
    return found


def _column(table: Table, name: str) -> Column:
    found = next((column for column in table.columns if column.name.lower() == name.lower()), None)
    if found is None:
        raise ToolError(f"Unknown column '{name}' in 'field list'")
    return found


def _renamed(table: Table, old: str, new: str | None) -> Table:
    """The table with a column renamed in its keys, or removed from them if `new` is None."""

    def changed(key: Iterable[str]) -> tuple[str, ...]:
        names = (new if name == old else name for name in key)
        return tuple(name for name in names if name is not None)

    return replace(
        table,
        primary_key=changed(table.primary_key),
        unique=tuple(key for key in map(changed, table.unique) if key),
        indexed=changed(table.indexed),
    )


def _unplain(table: Table) -> Table:
    """The table without plain columns, because it may now hold any text."""
    return replace(table, columns=tuple(replace(column, plain=False) for column in table.columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql(node: Any) -> str:
    return str(node.sql("sqlite", comments=False, identify=True))


WRITES: Mapping[str, Callable[[Any, Catalog, str], list[str]]] = {
    "insert": _insert,
    "update": _update,
    "delete": _delete,
    "create": _create,
    "drop": _drop,
    "truncatetable": _truncate,
    "alter": _alter,
}


def write(tree: Any, catalog: Catalog, database: str) -> list[str]:
    """The SQLite statements for a statement that writes; `catalog` is changed as they will change the tables.

    Raises:
        ToolError: MySQL would refuse it, or it is not supported.
    """
    return WRITES[tree.key](tree, catalog, database)
