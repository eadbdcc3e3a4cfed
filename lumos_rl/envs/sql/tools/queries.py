"""Translates queries of MySQL to SQLite, with the types of their columns, and refuses what MySQL refuses.

translation = translate(parse("SELECT Name FROM Pets WHERE ID = '1'"), catalog, "zoo")
translation.sql        # 'SELECT "pets"."Name" AS "Name" FROM "zoo.pets" AS "pets" WHERE "pets"."ID" = 1.0'
translation.columns    # (Output("Name", Type(TEXT)),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lumos_rl.envs.sql.tools.calls import merged
from lumos_rl.envs.sql.tools.dialect import RESERVED, load, syntax_error
from lumos_rl.envs.sql.tools.expressions import Expressions
from lumos_rl.envs.sql.tools.group_order import first_appearance
from lumos_rl.envs.sql.tools.grouping import check_distinct, check_grouping
from lumos_rl.envs.sql.tools.handlers import HANDLERS
from lumos_rl.envs.sql.tools.modes import DEFAULT, GROUPS
from lumos_rl.envs.sql.tools.schema import Catalog, Kind, Type
from lumos_rl.envs.sql.tools.scope import FIELDS, GROUP, HAVING, ON, ORDER, WHERE, Output, Scope, Source
from lumos_rl.envs.sql.tools.sets import in_order
from lumos_rl.envs.sql.tools.sources import Ctes, Sources, has_aggregate, renamed, selected, unwrapped
from lumos_rl.errors import ToolError

Aliases = Mapping[str, tuple[Type, Any]]  # name in lower case → type and expression
_CLAUSES = {
    *("kind", "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct"),
    *("with_", "operation_modifiers", "locks", "windows"),
}
_SETS = ("union", "intersect", "except")


@dataclass(frozen=True, slots=True)
class Translation:
    """A query for SQLite: its text and the columns of its result."""

    sql: str
    columns: tuple[Output, ...]


def translate(tree: Any, catalog: Catalog, database: str, modes: str = DEFAULT) -> Translation:
    """The translation of a query; the tree is changed.

    Args:
        tree: The query.
        catalog: The existing tables.
        database: The database in use.
        modes: The session's sql_mode.

    Raises:
        ToolError: MySQL would refuse it.
    """
    queries = Queries(catalog, database, modes)
    tree = unwrapped(tree)
    queries.sources.check(tree)
    holder = queries.exp.Paren(this=tree)  # so that the query itself can be replaced
    columns = queries.read(tree, None)
    sql = holder.this.sql("sqlite", comments=False, identify=True, copy=False)
    return Translation(sql, tuple(columns))


class Queries:
    """Reads and rewrites queries, from the outside in.

    Attributes:
        catalog: The existing tables.
        database: The database in use.
        modes: The session's sql_mode.
        expressions: Reads the expressions in the clauses.
        sources: Reads FROM.
    """

    def __init__(self, catalog: Catalog, database: str, modes: str = DEFAULT) -> None:
        self.exp = load("sqlglot.expressions")
        self.catalog, self.database, self.modes = catalog, database, modes
        self.expressions = Expressions(database, self.read, HANDLERS, modes)
        self.sources = Sources(catalog, database, self.read)
        self._ctes: list[Ctes] = []
        self._sets = 0

    def read(self, tree: Any, parent: Scope | None) -> list[Output]:
        """Rewrites a query and returns its columns; `parent` is the scope of the query around it.

        Raises:
            ToolError: MySQL would refuse it.
        """
        self._ctes.append(self._read_with(tree, parent))
        try:
            if tree.key == "select":
                return self._read_select(tree, parent)
            if tree.key in _SETS:
                return self._read_set(tree, parent)
        finally:
            self._ctes.pop()
        raise syntax_error(tree.sql("mysql"))

    def _read_with(self, tree: Any, parent: Scope | None) -> Ctes:
        known = dict(self._ctes[-1]) if self._ctes else {}
        clause = tree.args.get("with_")
        for cte in clause.expressions if clause is not None else ():
            name = cte.alias.lower()
            names = [column.name for column in cte.args["alias"].args.get("columns") or ()]
            query = cte.this
            if clause.args.get("recursive") and query.key in _SETS:
                self._ctes.append(known)
                first = [*self.read(query.this.copy(), parent)]
                self._ctes.pop()
                known[name] = renamed(first, names)
            self._ctes.append(known)
            columns = self.read(query, parent)
            self._ctes.pop()
            known[name] = renamed(columns, names)
            cte.args["alias"].set("this", self.exp.to_identifier(name, quoted=True))
        return known

    def _read_set(self, tree: Any, parent: Scope | None) -> list[Output]:
        """UNION, INTERSECT, EXCEPT; SQLite does not accept brackets around their parts."""
        columns = []
        for name in ("this", "expression"):
            part = tree.args[name]
            if part.key == "select" and any(part.args.get(clause) for clause in ("order", "limit")):
                raise ToolError("Incorrect usage of UNION and ORDER BY")
            columns.append(self._read_part(tree, name, parent))
        if len(columns[0]) != len(columns[1]):
            raise ToolError("The used SELECT statements have a different number of columns")
        scope = Scope(
            parent,
            {"": Source("", {column.name.lower(): (column.name, column.type) for column in columns[0]})},
            clause=ORDER,
        )
        self._read_order(tree, scope, {column.name.lower(): column.type for column in columns[0]}, {})
        found = [_common(*pair) for pair in zip(*columns, strict=True)]
        for name, part in zip(("this", "expression"), columns, strict=True):
            self._as_texts(tree.args[name], part, found)
        if not self._is_left(tree):
            self._sets += 1
            self._replace_set(tree, found)
        return found

    def _as_texts(self, part: Any, columns: list[Output], common: list[Output]) -> None:
        """Converts the values of a part of a set operation whose common type is a text."""
        if part.key != "select" or len(part.expressions) != len(columns):
            return
        for field, own, whole in zip(list(part.expressions), columns, common, strict=True):
            if whole.type.kind is Kind.TEXT and own.type.kind not in (Kind.TEXT, Kind.NULL) and field.key == "alias":
                self.expressions.text(field.this, own.type)
                field.set("this", self.expressions.call("my_concat", field.this))

    def _is_left(self, tree: Any) -> bool:
        """Whether SQLite's own operation gives the rows in MySQL's order, or is needed for a recursion."""
        if tree.key == "union" and tree.args.get("distinct") is False and tree.args.get("order") is None:
            return True
        clause = tree.parent.parent if tree.parent is not None and tree.parent.key == "cte" else None
        return clause is not None and bool(clause.args.get("recursive"))

    def _replace_set(self, tree: Any, columns: list[Output]) -> None:
        outside = {name: tree.args.get(name) for name in ("with_", "order", "limit", "offset")}
        for name in outside:
            tree.set(name, None)
        place = tree.replace(self.exp.Placeholder())  # the tree itself moves into what replaces it
        new = in_order(tree, columns, self._sets)
        own, before = new.args["with_"], outside["with_"]
        if before is not None:
            before.set("expressions", [*before.expressions, *own.expressions])
            new.set("with_", before)
        if outside["order"] is not None:
            new.set("order", outside["order"])
        new.set("limit", outside["limit"])
        new.set("offset", outside["offset"])
        place.replace(new)

    def _read_part(self, tree: Any, name: str, parent: Scope | None) -> list[Output]:
        part = tree.args[name]
        is_plain = part.key == "subquery" and not any(part.args.get(clause) for clause in ("order", "limit"))
        if is_plain and part.this.key == "select" and not any(part.this.args.get(c) for c in ("order", "limit")):
            tree.set(name, part.this)
        elif part.key == "subquery" or (name == "expression" and part.key in _SETS):
            tree.set(name, selected(part))
        return self.read(tree.args[name], parent)

    def _read_select(self, tree: Any, parent: Scope | None) -> list[Output]:
        if not tree.expressions or any(tree.args.get(name) for name in tree.args.keys() - _CLAUSES):
            raise syntax_error(tree.sql("mysql"))
        for name in ("operation_modifiers", "locks", "kind"):
            tree.set(name, None)
        scope = Scope(parent)
        self.sources.read(tree, scope, self._ctes[-1])
        scope.grouped = self._grouped_text(tree, scope)
        columns, aliases = self._read_fields(tree, scope)
        self._read_conditions(tree, scope)
        grouped = self._read_group(tree, scope, aliases)
        self._read_having(tree, scope, aliases, grouped)
        scope.clause = ORDER
        self._read_order(tree, scope, {name: kind for name, (kind, _) in aliases.items()}, aliases)
        if GROUPS in self.modes:
            check_grouping(scope, tree, grouped)
        if GROUPS in self.modes and tree.args.get("distinct") is not None:
            check_distinct(scope, self._selected_keys(tree, scope), bool(tree.args.get("group") or scope.aggregates))
        self._order_groups(tree)
        return columns

    def _order_groups(self, tree: Any) -> None:
        last = first_appearance(self.exp, tree, self.catalog) if tree.args.get("group") is not None else None
        if last is not None:
            order = tree.args.get("order") or self.exp.Order(expressions=[])
            order.append("expressions", self.exp.Ordered(this=last, nulls_first=True))
            tree.set("order", order)

    def _grouped_text(self, tree: Any, scope: Scope) -> set[str]:
        """Text of every expression except bare columns that the query groups by, also by name or position."""
        group = tree.args.get("group")
        found = set()
        named = {field.alias.lower(): field.this for field in tree.expressions if field.key == "alias"}
        for item in group.expressions if group is not None else ():
            meant = item
            if item.key == "literal" and item.name.isdigit() and 1 <= int(item.name) <= len(tree.expressions):
                meant = tree.expressions[int(item.name) - 1].unalias()
            elif item.key == "column" and not item.table and not scope.has(item.name.lower()):
                meant = named.get(item.name.lower(), item)
            if meant.key not in ("column", "literal"):
                found.add(meant.sql().lower())
        return found

    def _read_fields(self, tree: Any, scope: Scope) -> tuple[list[Output], dict[str, tuple[Type, Any]]]:
        """The result's columns, and name in lower case → type and expression."""
        columns: list[Output] = []
        aliases: dict[str, tuple[Type, Any]] = {}
        fields: list[Any] = []
        scope.clause = FIELDS
        for position, field in enumerate(list(tree.expressions), 1):
            scope.position = position
            if field.is_star:
                found, parts = self._star(field, scope)
                columns += found
                fields += parts
                continue
            output, value = self._read_field(tree, field, scope)
            columns.append(output)
            fields.append(self.exp.Alias(this=value, alias=self.exp.to_identifier(output.name, quoted=True)))
            if field.key == "alias" or value.key != "column":
                aliases[output.name.lower()] = (output.type, value)
        tree.set("expressions", fields)
        return columns, aliases

    def _read_field(self, tree: Any, field: Any, scope: Scope) -> tuple[Output, Any]:
        """Name and type of one selected expression, and the rewritten expression."""
        alias = field.args.get("alias") if field.key == "alias" else None
        if alias is not None and not alias.args.get("quoted") and alias.name.lower() in RESERVED:
            raise syntax_error(alias.name)
        name = field.alias if alias is not None else _field_name(field)
        kind = self.expressions.read(field.unalias(), scope)
        value = tree.expressions[scope.position - 1].unalias()
        return Output(name, kind), self.expressions.comparable(value, kind)

    def _star(self, field: Any, scope: Scope) -> tuple[list[Output], list[Any]]:
        """The columns of `*` or `alias.*`, and the expressions that replace it; columns merged by USING come first."""
        wanted = field.table.lower() if field.key == "column" else ""
        if wanted and wanted not in scope.sources:
            raise ToolError(f"Unknown table '{field.table}'")
        sources = [source for source in scope.sources.values() if not wanted or source.alias == wanted]
        merged = {} if wanted else {name: "" for source in sources for name in source.columns if name in scope.merged}
        places = [*merged.items()]
        places += [(name, source.alias) for source in sources for name in source.columns if name not in merged]
        found = [scope.resolve(name, alias) for name, alias in places]
        columns = [Output(column.name, column.type) for column in found]
        if not merged:
            if wanted:
                field.set("db", None)
                field.set("table", self.exp.to_identifier(wanted, quoted=True))
            return columns, [field]
        return columns, [self.exp.column(column.name, table=column.alias or None, quoted=True) for column in found]

    def _read_conditions(self, tree: Any, scope: Scope) -> None:
        """Reads WHERE, then ON of each join from last to first: the order in which MySQL reports errors."""
        if tree.args.get("where") is not None:
            scope.clause = WHERE
            self.expressions.read(tree.args["where"].this, scope)
        for join in reversed(tree.args.get("joins") or ()):
            if join.args.get("on") is not None:
                scope.clause = ON
                self.expressions.read(join.args["on"], scope)

    def _read_group(self, tree: Any, scope: Scope, aliases: Aliases) -> list[tuple[str, str]]:
        """The bare columns that the query groups by."""
        group = tree.args.get("group")
        if group is None:
            return []
        if group.args.get("rollup") or group.args.get("cube") or group.args.get("grouping_sets"):
            raise ToolError("WITH ROLLUP is not supported here; group without it")
        scope.clause = GROUP
        for position, item in enumerate(list(group.expressions), 1):
            scope.position = position
            self._read_group_item(tree, item, scope, aliases)
        keys = []
        for item in group.expressions:
            found = item
            if item.key == "literal" and item.name.isdigit():
                found = tree.expressions[int(item.name) - 1].unalias()
            if found.key == "column":
                keys.append(_key_of(found, scope))
        return keys

    def _read_group_item(self, tree: Any, item: Any, scope: Scope, aliases: Aliases) -> None:
        fields = tree.expressions
        if item.key == "literal" and item.name.isdigit():
            if not 1 <= int(item.name) <= len(fields):
                raise ToolError(f"Unknown column '{item.name}' in 'group statement'")
            return
        name = item.name.lower() if item.key == "column" and not item.table else ""
        is_column = any(name in source.columns for source in scope.sources.values())
        if name in aliases and not is_column:
            place = next(i for i, field in enumerate(fields, 1) if field.alias.lower() == name)
            if has_aggregate(fields[place - 1]):
                raise ToolError(f"Can't group on '{item.name}'")
            item.replace(self.exp.Literal.number(place))
            return
        kind = self.expressions.read(item, scope)
        self.expressions.comparable(tree.args["group"].expressions[scope.position - 1], kind)

    def _read_having(self, tree: Any, scope: Scope, aliases: Aliases, grouped: list[tuple[str, str]]) -> None:
        having = tree.args.get("having")
        if having is None:
            return
        scope.clause = HAVING
        self._inline(having, aliases)
        self.expressions.read(having.this, scope)
        known = {*grouped, *self._selected_keys(tree, scope)}
        for reference in scope.references:
            if reference.clause == HAVING and reference.key not in known:
                raise ToolError(f"Unknown column '{reference.key[1]}' in 'having clause'")
        if tree.args.get("group") is None and not scope.aggregates:  # SQLite accepts HAVING only with aggregates
            tree.set("having", None)
            tree.where(having.this, copy=False)

    def _inline(self, clause: Any, aliases: Aliases) -> None:
        """Replaces names of selected expressions by these expressions, which are already rewritten."""
        for column in list(clause.find_all(self.exp.Column)):
            if column.table or column.name.lower() not in aliases:
                continue
            if column.find_ancestor(self.exp.Query) is clause.find_ancestor(self.exp.Query):
                kind, value = aliases[column.name.lower()]
                if clause.key == "ordered" and has_aggregate(value):
                    raise ToolError(f"Reference '{column.name}' not supported (reference to group function)")
                column.replace(self.expressions.ready(value, kind))

    def _read_order(self, tree: Any, scope: Scope, aliases: Mapping[str, Type], values: Aliases) -> None:
        order = tree.args.get("order")
        for position, item in enumerate(list(order.expressions) if order is not None else (), 1):
            scope.position = position
            item.set("nulls_first", not item.args.get("desc"))  # as in MySQL, and in SQLite without a word
            node = item.this
            name = node.name.lower() if node.key == "column" and not node.table else ""
            if name in aliases:
                node.set("this", self.exp.to_identifier(name, quoted=True))
                if aliases[name].kind is Kind.TEXT and "" in scope.sources:
                    self.expressions.collate(node)
            elif node.key == "literal" and not node.is_string:
                if not 1 <= float(node.name) < 10_001:
                    raise ToolError(f"Unknown column '{node.name}' in 'order clause'")
            else:
                self._inline(item, {name: value for name, value in values.items() if not scope.has(name)})
                kind = self.expressions.read(item.this, scope)
                self.expressions.comparable(item.this, kind)
        for clause in ("limit", "offset"):
            found = tree.args.get(clause)
            count = found.expression if found is not None else None
            is_number = count is not None and count.key == "literal" and not count.is_string and count.name.isdigit()
            if found is not None and not is_number:
                raise syntax_error(found.sql("mysql"))

    def _selected_keys(self, tree: Any, scope: Scope) -> set[tuple[str, str]]:
        """Alias and column of each selected bare column."""
        selected = set()
        for field in tree.expressions:
            if field.is_star:
                wanted = field.table if field.key == "column" else ""
                sources = [source for source in scope.sources.values() if not wanted or source.alias == wanted]
                selected |= {(source.alias, name) for source in sources for name in source.columns}
            elif field.unalias().key == "column":
                selected.add(_key_of(field.unalias(), scope))
        return selected


def _key_of(column: Any, scope: Scope) -> tuple[str, str]:
    name = column.name.lower()
    alias = column.table or next((source.alias for source in scope.sources.values() if name in source.columns), "")
    return alias.lower(), name


def _field_name(node: Any) -> str:
    """Roughly the name that MySQL gives to a column without an alias."""
    return str(node.name if node.key == "column" else node.sql("mysql"))


def _common(one: Output, other: Output) -> Output:
    return Output(one.name, one.type if one.type == other.type else merged([one.type, other.type]))
