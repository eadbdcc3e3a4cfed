"""Resolves the names of columns in a query, and refuses unknown and ambiguous ones as MySQL does.

scope = Scope(None); scope.add(Source("pets", {"id": ("ID", Type(Kind.INT))}))
scope.resolve("ID", "")        # Found(alias='pets', type=Type(INT))
scope.resolve("Name", "")      # ToolError: Unknown column 'Name' in 'field list'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lumos_rl.envs.sql.tools.schema import Type
from lumos_rl.errors import ToolError

FIELDS, WHERE, ON, GROUP, HAVING, ORDER = (
    "field list",
    "where clause",
    "on clause",
    "group statement",
    "having clause",
    "order clause",
)


class RefusedQueryError(ToolError):
    """MySQL 8 refuses a query that MariaDB would run, or refuse with another message."""


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a query's result."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Source:
    """A table, or a derived table, that a query reads from.

    Attributes:
        alias: Its name in the query, in lower case.
        columns: Name in lower case → name and type, in order.
        keys: Each set of columns that identifies a row.
        label: Its name in MySQL's error messages, e.g. "zoo.pets".
    """

    alias: str
    columns: Mapping[str, tuple[str, Type]]
    keys: tuple[frozenset[str], ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A column used outside of aggregates: its alias and name in lower case, its label, clause and position."""

    key: tuple[str, str]
    label: str
    clause: str
    position: int


@dataclass(frozen=True, slots=True)
class Found:
    """The column that a name refers to; `alias` is "" for a column merged by USING or NATURAL."""

    alias: str
    name: str
    type: Type


@dataclass(slots=True)
class Scope:
    """The names that one query can use.

    Attributes:
        parent: Scope of the query around it; None for the outermost.
        sources: Its sources by alias.
        merged: Columns merged by USING or NATURAL.
        clause: The clause being read, by its name in MySQL's error messages.
        position: Position of the current expression in that clause, from 1.
        quiet: Greater than 0 inside an aggregate, or inside an expression that the query groups by.
        references: Columns used outside of these.
        grouped: Text of each expression except bare columns that the query groups by.
        aggregates: (clause, position) of each aggregate.
    """

    parent: Scope | None
    sources: dict[str, Source] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    clause: str = FIELDS
    position: int = 1
    quiet: int = 0
    references: list[Reference] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)
    aggregates: list[tuple[str, int]] = field(default_factory=list)

    def add(self, source: Source) -> None:
        """Adds a source.

        Raises:
            ToolError: There is already a source with this alias.
        """
        if source.alias in self.sources:
            raise ToolError(f"Not unique table/alias: '{source.alias}'")
        self.sources[source.alias] = source

    def has(self, name: str) -> bool:
        """Whether a source of this query has a column with this lower-case name."""
        return any(name in source.columns for source in self.sources.values())

    def resolve(self, name: str, qualifier: str) -> Found:
        """The column that a name refers to in the current clause.

        Raises:
            ToolError: There is no such column, or several.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(name.lower(), qualifier.lower(), self.clause)
            if found is not None:
                return found
            scope = scope.parent
        shown = f"{qualifier}.{name}" if qualifier else name
        raise ToolError(f"Unknown column '{shown}' in '{self.clause}'")

    def _own(self, name: str, qualifier: str, clause: str) -> Found | None:
        sources = [self.sources[qualifier]] if qualifier in self.sources else []
        if not qualifier:
            sources = [source for source in self.sources.values() if name in source.columns]
        sources = [source for source in sources if name in source.columns]
        if not sources:
            return None
        merged = not qualifier and name in self.merged
        if len(sources) > 1 and not merged:
            raise ToolError(f"Column '{name}' in {clause} is ambiguous")
        source = sources[0]
        shown, kind = source.columns[name]
        if not self.quiet:
            label = f"{source.label or source.alias}.{shown}"
            self.references.append(Reference((source.alias, name), label, self.clause, self.position))
        return Found("" if merged else source.alias, shown, kind)


def table_columns(columns: list[Output]) -> dict[str, tuple[str, Type]]:
    """The columns of a derived table.

    Raises:
        ToolError: Two of them have the same name.
    """
    found: dict[str, tuple[str, Type]] = {}
    for column in columns:
        if column.name.lower() in found:
            raise ToolError(f"Duplicate column name '{column.name}'")
        found[column.name.lower()] = (column.name, column.type)
    return found
