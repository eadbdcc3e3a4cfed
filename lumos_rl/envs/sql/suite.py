"""The built-in SQL suite: questions about small databases, with gold queries and gold plans.

    instruction  "What is the title of the book with the most pages?"
    answer       "SELECT title FROM book ORDER BY pages DESC LIMIT 1"
    subgoals     "Find which tables there are."           R1 = ListTables() = author, book
                 "Look at the columns of the table book." R2 = DescribeTable(book) = book_id int, title varchar(40), …
                 "Query book: sort, cut. What is the title …?"   R3 = Query(SELECT title …) = [('Iron Road',)]

A hash of database and query alone decides the split of a task, so no task of train shares its query with one of test.
`meta["template"]` names the form of a question; the split "unseen" has forms and databases of its own (`unseen`).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

from lumos_rl.core import Subgoal, Task
from lumos_rl.envs.sql.annotate import plan, reads
from lumos_rl.envs.sql.domains import DOMAINS, Domain, suite_dump
from lumos_rl.envs.sql.reader import BUILT_IN
from lumos_rl.envs.sql.tools import Session
from lumos_rl.envs.sql.tools.sqlite import SqliteDatabase, image_of
from lumos_rl.envs.sql.unseen import UNSEEN_DOMAINS, UNSEEN_KINDS

SPLITS = {"test": range(2), "dev": range(2, 4), "train": range(4, 20), "unseen": range(20)}  # of 20 buckets
_MOST_TRIES = 2_000  # in a row, without a new question
_WORDS = {"AVG": "average", "MAX": "highest", "MIN": "lowest", "SUM": "total"}

Question = tuple[str, str]  # instruction, query


def _count(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, values = it.group
    value = rng.choice(values)
    if rng.random() < 0.2:
        return f"How many {it.plural} are there?", f"SELECT COUNT(*) FROM {it.table}"
    return (
        f"How many {it.plural} have the {column} {value}?",
        f"SELECT COUNT(*) FROM {it.table} WHERE {column} = '{value}'",
    )


def _select(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    limit = rng.randint(low, high)
    word, sign = rng.choice((("above", ">"), ("below", "<")))
    return (
        f"What are the {it.label}s of the {it.plural} with {column} {word} {limit}?",
        f"SELECT {it.label} FROM {it.table} WHERE {column} {sign} {limit}",
    )


def _select_both(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    value, limit = rng.choice(it.group[1]), rng.randint(low, high)
    return (
        f"Give {it.label} and {column} of the {it.plural} whose {it.group[0]} is {value} and whose {column} is at least"
        f" {limit}.",
        f"SELECT {it.label}, {column} FROM {it.table} WHERE {it.group[0]} = '{value}' AND {column} >= {limit}",
    )


def _between(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    first, last = sorted(rng.sample(range(low, high + 1), 2))
    return (
        f"How many {it.plural} have {column} from {first} to {last}?",
        f"SELECT COUNT(*) FROM {it.table} WHERE {column} BETWEEN {first} AND {last}",
    )


def _aggregate(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    name, word = rng.choice(list(_WORDS.items()))
    value = rng.choice(it.group[1])
    return (
        f"What is the {word} {it.number[0]} of the {it.plural} whose {it.group[0]} is {value}?",
        f"SELECT {name}({it.number[0]}) FROM {it.table} WHERE {it.group[0]} = '{value}'",
    )


def _grouped(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    name, word = rng.choice(list(_WORDS.items()))
    limit = rng.randint(low, (low + high) // 2)
    return (
        f"For each {it.group[0]}, what is the {word} {column} of the {it.plural} with {column} above {limit}?",
        f"SELECT {it.group[0]}, {name}({column}) FROM {it.table} WHERE {column} > {limit} GROUP BY {it.group[0]}",
    )


def _ordered(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, count = it.number[0], rng.randint(2, 8)
    word, order = rng.choice((("highest", " DESC"), ("lowest", "")))
    value = rng.choice(it.group[1])
    where = f" WHERE {it.group[0]} = '{value}'" if rng.random() < 0.7 else ""
    whose = f" whose {it.group[0]} is {value}" if where else ""
    return (
        f"List the {it.label}s of the {count} {it.plural}{whose} with the {word} {column}, the {word} first.",
        f"SELECT {it.label} FROM {it.table}{where} ORDER BY {column}{order} LIMIT {count}",
    )


def _join(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, low, high = owned.number
    value, limit = rng.choice(owner.group[1]), rng.randint(low, high)
    return (
        f"What are the {owned.label}s of the {owned.plural} with {column} above {limit} whose {owner.table} has the"
        f" {owner.group[0]} {value}?",
        f"SELECT T2.{owned.label} FROM {owner.table} AS T1 JOIN {owned.table} AS T2 ON T1.{owner.key} = T2.{owner.key}"
        f" WHERE T1.{owner.group[0]} = '{value}' AND T2.{column} > {limit}",
    )


def _join_grouped(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, low, high = owner.number
    limit = rng.randint(low, high)
    return (
        f"How many {owned.plural} does each {owner.table} with {column} below {limit} have? Give {owner.label} and"
        " count.",
        f"SELECT T1.{owner.label}, COUNT(*) FROM {owner.table} AS T1 JOIN {owned.table} AS T2 ON T1.{owner.key} ="
        f" T2.{owner.key} WHERE T1.{column} < {limit} GROUP BY T1.{owner.key}",
    )


def _having(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    count, column, low, high = rng.randint(2, 5), *owned.number
    limit = rng.randint(low, (low + high) // 2)
    return (
        f"Which {owner.plural} have at least {count} {owned.plural} with {column} above {limit}?",
        f"SELECT T1.{owner.label} FROM {owner.table} AS T1 JOIN {owned.table} AS T2 ON T1.{owner.key} = T2.{owner.key}"
        f" WHERE T2.{column} > {limit} GROUP BY T1.{owner.key} HAVING COUNT(*) >= {count}",
    )


def _without(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    column, low, high = owned.number
    limit = rng.randint(low, high)
    return (
        f"Which {owner.plural} have none of the {owned.plural} with {column} above {limit}?",
        f"SELECT {owner.label} FROM {owner.table} WHERE {owner.key} NOT IN (SELECT {owner.key} FROM {owned.table}"
        f" WHERE {column} > {limit})",
    )


def _above_average(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    value = rng.choice(it.group[1])
    name, word = rng.choice((("AVG", "average"), ("MIN", "lowest")))
    column, group = it.number[0], it.group[0]
    return (
        f"Which {it.plural} have a {column} above the {word} {column} of those whose {group} is {value}?",
        f"SELECT {it.label} FROM {it.table} WHERE {column} > (SELECT {name}({column}) FROM {it.table}"
        f" WHERE {group} = '{value}')",
    )


def _distinct(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    limit = rng.randint(low, high)
    word, sign = rng.choice((("above", ">"), ("below", "<")))
    return (
        f"List each {it.group[0]} of the {it.plural} with {column} {word} {limit}, each once.",
        f"SELECT DISTINCT {it.group[0]} FROM {it.table} WHERE {column} {sign} {limit}",
    )


def _extremes(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    value, limit = rng.choice(it.group[1]), rng.randint(low, high)
    return (
        f"What are the lowest and the highest {column} of the {it.plural} whose {it.group[0]} is not {value} and whose"
        f" {column} is above {limit}?",
        f"SELECT MIN({column}), MAX({column}) FROM {it.table} WHERE {it.group[0]} <> '{value}' AND {column} > {limit}",
    )


def _either(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    (one, other), limit = rng.sample(it.group[1], 2), rng.randint(low, high)
    return (
        f"What are the {it.label}s of the {it.plural} with {column} below {limit} whose {it.group[0]} is {one} or"
        f" {other}?",
        f"SELECT {it.label} FROM {it.table} WHERE {column} < {limit} AND {it.group[0]} IN ('{one}', '{other}')",
    )


def _join_count(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    value, limit = rng.choice(owned.group[1]), rng.randint(*owner.number[1:])
    return (
        f"How many {owned.plural} whose {owned.group[0]} is {value} have a {owner.table} with {owner.number[0]} above"
        f" {limit}?",
        f"SELECT COUNT(*) FROM {owner.table} AS T1 JOIN {owned.table} AS T2 ON T1.{owner.key} = T2.{owner.key}"
        f" WHERE T2.{owned.group[0]} = '{value}' AND T1.{owner.number[0]} > {limit}",
    )


def _join_sum(domain: Domain, rng: random.Random) -> Question:
    owner, owned = domain.owner, domain.owned
    value, limit = rng.choice(owner.group[1]), rng.randint(*owned.number[1:])
    name, word = rng.choice(list(_WORDS.items()))
    return (
        f"For each {owner.table} whose {owner.group[0]} is {value}, what is the {word} {owned.number[0]} of its"
        f" {owned.plural} with {owned.number[0]} below {limit}? Give {owner.label} and number.",
        f"SELECT T1.{owner.label}, {name}(T2.{owned.number[0]}) FROM {owner.table} AS T1 JOIN {owned.table} AS T2"
        f" ON T1.{owner.key} = T2.{owner.key} WHERE T1.{owner.group[0]} = '{value}' AND T2.{owned.number[0]} < {limit}"
        f" GROUP BY T1.{owner.key}",
    )


def _outside(domain: Domain, rng: random.Random) -> Question:
    it = rng.choice((domain.owner, domain.owned))
    column, low, high = it.number
    first, last = sorted(rng.sample(range(low, high + 1), 2))
    return (
        f"Give {it.label} and {it.group[0]} of the {it.plural} with {column} below {first} or above {last}.",
        f"SELECT {it.label}, {it.group[0]} FROM {it.table} WHERE {column} < {first} OR {column} > {last}",
    )


KINDS: dict[str, Callable[[Domain, random.Random], Question]] = {
    "count": _count,
    "select": _select,
    "select both": _select_both,
    "between": _between,
    "aggregate": _aggregate,
    "grouped": _grouped,
    "ordered": _ordered,
    "join": _join,
    "join grouped": _join_grouped,
    "having": _having,
    "without": _without,
    "above average": _above_average,
    "distinct": _distinct,
    "extremes": _extremes,
    "either": _either,
    "join count": _join_count,
    "join sum": _join_sum,
    "outside": _outside,
}


def sql_stream(benchmark: str, split: str, seed: int) -> Iterator[Task]:
    """Different questions of a split; ends after `_MOST_TRIES` draws without a new one."""
    rng = random.Random(f"{benchmark}/{split}/{seed}")
    database = SqliteDatabase(image_of(suite_dump(), "the built-in suite"))
    label = f"{benchmark}/{split}/synthetic-" + (f"{seed}-" if seed else "")
    domains, kinds = (UNSEEN_DOMAINS, UNSEEN_KINDS) if split == "unseen" else (DOMAINS, KINDS)
    seen: set[str] = set()
    tries = 0
    while tries < _MOST_TRIES:
        tries += 1
        domain, (kind, make) = rng.choice(domains), rng.choice(list(kinds.items()))
        text, query = make(domain, rng)
        if _bucket(domain.name, query) not in SPLITS[split] or text in seen:
            continue
        seen.add(text)
        subgoals = _plan(database, domain.name, text, query)
        if subgoals is not None:
            tries = 0
            meta = {"db": domain.name, "dump": BUILT_IN, "kind": f"{domain.name}: {kind}", "template": kind}
            yield Task(f"{label}{len(seen) - 1}", benchmark, text, query, split, subgoals, meta)


def _bucket(name: str, query: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{name} {query}".encode()).digest()[:8], "big") % 20


def _plan(database: SqliteDatabase, name: str, text: str, query: str) -> tuple[Subgoal, ...] | None:
    """The gold plan with its results; None if the gold query has no rows, because any empty result would be right."""
    session = Session(database, name)
    subgoals = plan(session, text, query, *reads(query))
    return subgoals if session.last is not None and session.last.rows else None
