"""The checks of MySQL's ONLY_FULL_GROUP_BY and DISTINCT, which refuse columns that a group does not determine.

    SELECT name, count(*) FROM pets               refused: which name?
    SELECT name, count(*) FROM pets GROUP BY id   accepted: id is the key, so it determines the name

A column is determined ("fixed") if the query groups by it, if a key of its table is fixed, or if a condition on all
rows says that it equals a fixed column or a constant (MySQL 8, "MySQL Handling of GROUP BY").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lumos_rl.envs.sql.tools.scope import FIELDS, HAVING, ORDER, Reference, RefusedQueryError, Scope

_MODE = "this is incompatible with sql_mode=only_full_group_by"
_NAMES = {FIELDS: "SELECT list", ORDER: "ORDER BY clause", HAVING: "HAVING clause"}

Key = tuple[str, str]


def check_grouping(scope: Scope, tree: Any, grouped: Iterable[Key]) -> None:
    """Refuses a query with a column that its groups do not fix.

    Args:
        scope: The query's names, with its columns and aggregates.
        tree: The query.
        grouped: Alias and column of each column that it groups by.

    Raises:
        RefusedQueryError: MySQL would refuse it.
    """
    aggregates = [place for place in scope.aggregates if place[0] in _NAMES]
    if tree.args.get("group") is None:
        if not aggregates:
            return
        if all(clause == ORDER for clause, _ in aggregates):
            raise RefusedQueryError(
                f"Expression #{aggregates[0][1]} of ORDER BY contains aggregate function and applies to the result of a"
                " non-aggregated query"
            )
    fixed = _closure(scope, tree, set(grouped))
    for reference in scope.references:
        if reference.clause in (FIELDS, ORDER) and reference.key not in fixed:
            if reference.clause == ORDER and tree.args.get("group") is None:
                continue  # there is only one row to order
            raise _refusal(reference, tree.args.get("group") is not None)


def _refusal(reference: Reference, is_grouped: bool) -> RefusedQueryError:
    place = f"#{reference.position} of {_NAMES[reference.clause]}"
    if not is_grouped:
        return RefusedQueryError(
            f"In aggregated query without GROUP BY, expression {place} contains nonaggregated column"
            f" '{reference.label}'; {_MODE}"
        )
    return RefusedQueryError(
        f"Expression {place} is not in GROUP BY clause and contains nonaggregated column '{reference.label}' which is"
        f" not functionally dependent on columns in GROUP BY clause; {_MODE}"
    )


def _closure(scope: Scope, tree: Any, fixed: set[Key]) -> set[Key]:
    """All columns that these fix, including themselves."""
    rules = list(_equalities(scope, tree))
    before = -1
    while before != len(fixed):
        before = len(fixed)
        for source in scope.sources.values():
            own = {column for alias, column in fixed if alias == source.alias}
            if any(key <= own for key in source.keys):
                fixed |= {(source.alias, column) for column in source.columns}
        for needed, gained in rules:
            if needed is None or needed in fixed:
                fixed.add(gained)
    return fixed


def _equalities(scope: Scope, tree: Any) -> Iterator[tuple[Key | None, Key]]:
    """(column, column that it fixes) for each equality on all rows; (None, column) for a constant."""
    where = tree.args.get("where")
    conditions: list[tuple[Any, str | None]] = [(where.this, None)] if where is not None else []
    for join in tree.args.get("joins") or ():
        if join.args.get("on") is not None:
            outer = join.this.alias_or_name.lower() if join.side == "LEFT" else None
            if join.side != "RIGHT":
                conditions.append((join.args["on"], outer))
    for condition, outer in conditions:
        for part in condition.flatten() if condition.key == "and" else [condition]:
            if part.key != "eq":
                continue
            left, right = _key(scope, part.this), _key(scope, part.expression)
            for gained, needed, other in ((left, right, part.expression), (right, left, part.this)):
                if gained is None or (outer is not None and gained[0] != outer):
                    continue
                if needed is not None or other.key == "literal":
                    yield needed, gained


def _key(scope: Scope, node: Any) -> Key | None:
    if node.key == "collate":
        node = node.this
    if node.key != "column" or node.table.lower() not in scope.sources:
        return None
    return node.table.lower(), node.name.lower()


def check_distinct(scope: Scope, selected: set[Key], is_grouped: bool) -> None:
    """Refuses SELECT DISTINCT … ORDER BY with an expression that is not selected.

    Args:
        scope: The query's names.
        selected: The bare columns that it selects.
        is_grouped: Whether it groups or aggregates.

    Raises:
        RefusedQueryError: MySQL would refuse it.
    """
    place = "Expression #{} of ORDER BY clause is not in SELECT list, {}; this is incompatible with DISTINCT"
    for clause, position in scope.aggregates:
        if clause == ORDER:
            raise RefusedQueryError(place.format(position, "contains aggregate function"))
    for reference in scope.references:
        if reference.clause == ORDER and reference.key not in selected and not is_grouped:
            what = f"references column '{reference.label}' which is not in SELECT list"
            raise RefusedQueryError(place.format(reference.position, what))
