"""The questions and databases of the split "unseen" of the built-in SQL suite; no other split has their like.

UNSEEN_KINDS["second"](UNSEEN_DOMAINS[0], random.Random(0))
# ("Which room has the second highest price among those whose view is Garden?",
#  "SELECT title FROM room WHERE view = 'Garden' ORDER BY price DESC LIMIT 1 OFFSET 1")
"""

from __future__ import annotations

import random
from collections.abc import Callable

from lumos_rl.envs.sql.domains import UNSEEN_DOMAINS, Domain, Entity

Question = tuple[str, str]  # instruction, query
__all__ = ["UNSEEN_DOMAINS", "UNSEEN_KINDS"]


def _drawn(domain: Domain, rng: random.Random) -> tuple[Entity, str, str, str, int]:
    """A table, its group, one of its values, its number, and a limit for that."""
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    return it, it.group[0], rng.choice(it.group[1]), column, rng.randint(low, high)


def _labelled(domain: Domain, rng: random.Random) -> Question:
    it, group, value, column, limit = _drawn(domain, rng)
    return (
        f"Mark each of the {it.plural} whose {group} is {value} as big if its {column} is over {limit}, and as small"
        f" otherwise; give {it.label} and mark.",
        f"SELECT {it.label}, CASE WHEN {column} > {limit} THEN 'big' ELSE 'small' END FROM {it.table}"
        f" WHERE {group} = '{value}'",
    )


def _together(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    one, other = rng.randint(*owner.number[1:]), rng.randint(*owned.number[1:])
    return (
        f"Make one list: the {owner.label} of every {owner.table} with {owner.number[0]} over {one}, then the"
        f" {owned.label} of every {owned.table} with {owned.number[0]} under {other}.",
        f"SELECT {owner.label} FROM {owner.table} WHERE {owner.number[0]} > {one} UNION ALL SELECT {owned.label}"
        f" FROM {owned.table} WHERE {owned.number[0]} < {other}",
    )


def _exists(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    value, limit = rng.choice(owned.group[1]), rng.randint(*owned.number[1:])
    return (
        f"Name every {owner.table} to which some {owned.table} with {owned.group[0]} {value} and {owned.number[0]} over"
        f" {limit} belongs.",
        f"SELECT T1.{owner.label} FROM {owner.table} AS T1 WHERE EXISTS (SELECT 1 FROM {owned.table} AS T2 WHERE"
        f" T2.{owner.key} = T1.{owner.key} AND T2.{owned.group[0]} = '{value}' AND T2.{owned.number[0]} > {limit})",
    )


def _second(domain: Domain, rng: random.Random) -> Question:
    it, group, value, column, _ = _drawn(domain, rng)
    word, order, place = rng.choice((("highest", " DESC"), ("lowest", ""))) + rng.choice((("second",), ("third",)))
    return (
        f"Which {it.table} has the {place} {word} {column} among those whose {group} is {value}?",
        f"SELECT {it.label} FROM {it.table} WHERE {group} = '{value}' ORDER BY {column}{order} LIMIT 1"
        f" OFFSET {1 if place == 'second' else 2}",
    )


def _different(domain: Domain, rng: random.Random) -> Question:
    it, group, _, column, limit = _drawn(domain, rng)
    word, sign = rng.choice((("at most", "<="), ("no less than", ">=")))
    return (
        f"In how many different kinds of {group} do {it.plural} with {column} {word} {limit} come?",
        f"SELECT COUNT(DISTINCT {group}) FROM {it.table} WHERE {column} {sign} {limit}",
    )


def _also_none(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, limit = owned.number[0], rng.randint(*owned.number[1:])
    return (
        f"Count, for all {owner.plural} and with 0 for those without, the {owned.plural} with {column} under {limit};"
        f" give {owner.label} and count.",
        f"SELECT T1.{owner.label}, COUNT(T2.{owned.key}) FROM {owner.table} AS T1 LEFT JOIN {owned.table} AS T2"
        f" ON T1.{owner.key} = T2.{owner.key} AND T2.{column} < {limit} GROUP BY T1.{owner.key}",
    )


def _spread(domain: Domain, rng: random.Random) -> Question:
    it, group, value, column, limit = _drawn(domain, rng)
    return (
        f"By how much do the largest and the smallest {column} differ among {it.plural} of {group} {value} with"
        f" {column} up to {limit}?",
        f"SELECT MAX({column}) - MIN({column}) FROM {it.table} WHERE {group} = '{value}' AND {column} <= {limit}",
    )


def _best_of_each(domain: Domain, rng: random.Random) -> Question:
    it, group, _, column, limit = _drawn(domain, rng)
    name, word = rng.choice((("MAX", "largest"), ("MIN", "smallest")))
    return (
        f"Within each {group}, which of the {it.plural} has the {word} {column}, if that is over {limit}? Give {group}"
        f" and {it.label}.",
        f"SELECT T1.{group}, T1.{it.label} FROM {it.table} AS T1 WHERE T1.{column} > {limit} AND T1.{column} ="
        f" (SELECT {name}(T2.{column}) FROM {it.table} AS T2 WHERE T2.{group} = T1.{group})",
    )


def _only(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, low, high = owned.number
    limit = rng.randint(low, (low + high) // 2)
    return (
        f"To which {owner.plural} belong {owned.plural}, and all of them with {column} over {limit}?",
        f"SELECT {owner.label} FROM {owner.table} WHERE {owner.key} IN (SELECT {owner.key} FROM {owned.table})"
        f" AND {owner.key} NOT IN (SELECT {owner.key} FROM {owned.table} WHERE {column} <= {limit})",
    )


def _beginning(domain: Domain, rng: random.Random) -> Question:
    it, _, _, column, limit = _drawn(domain, rng)
    letter = rng.choice("ABCDEFGHIKLMNOPQRSTUV")
    return (
        f"Give {it.label} and {column} of the {it.plural} whose {it.label} begins with {letter} and whose {column} is"
        f" no more than {limit}.",
        f"SELECT {it.label}, {column} FROM {it.table} WHERE {it.label} LIKE '{letter}%' AND {column} <= {limit}",
    )


def _percentage(domain: Domain, rng: random.Random) -> Question:
    it, group, value, column, limit = _drawn(domain, rng)
    return (
        f"Of the {it.plural} with {column} over {limit}, what percentage has {group} {value}?",
        f"SELECT 100 * SUM({group} = '{value}') / COUNT(*) FROM {it.table} WHERE {column} > {limit}",
    )


def _per_owner(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, limit = owned.number[0], rng.randint(*owned.number[1:])
    name, word = rng.choice((("AVG", "average"), ("MAX", "largest")))
    return (
        f"Counting only {owned.plural} with {column} over {limit}, what is the {word} count of one {owner.table} that"
        " has any?",
        f"SELECT {name}(amount) FROM (SELECT COUNT(*) AS amount FROM {owned.table} WHERE {column} > {limit}"
        f" GROUP BY {owner.key}) AS counts",
    )


UNSEEN_KINDS: dict[str, Callable[[Domain, random.Random], Question]] = {
    "labelled": _labelled,
    "together": _together,
    "exists": _exists,
    "second": _second,
    "different": _different,
    "also none": _also_none,
    "spread": _spread,
    "best of each": _best_of_each,
    "only": _only,
    "beginning": _beginning,
    "percentage": _percentage,
    "per owner": _per_owner,
}
