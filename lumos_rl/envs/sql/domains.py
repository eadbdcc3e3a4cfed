"""The databases of the built-in SQL suite: small databases of two tables each, with rows from a fixed seed.

    suite_dump()      # "CREATE DATABASE `library`; USE `library`; CREATE TABLE `author` (`author_id` int NOT NULL …"

A database has a table of owners and a table of what they own: authors and books, teams and players. The numbers in a
column are all different, so that "the most pages" identifies one row. Ten databases are for train, dev and test, and
five for the split "unseen".
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

_FIRST = (
    "Ana Bo Cleo Dan Elif Finn Gita Hugo Ines Jan Kofi Lena Marc Nora Otto Pia Quinn Rosa Sven Tara Uma Vera".split()
)
_LAST = (
    "Abt Berg Costa Diaz Evans Fodor Grant Haas Ito Jung Klein Lund Moreno Novak Okoye Perez Reyes Silva Tran".split()
)
_ADJECTIVES = "Silent Golden Hidden Last Crooked Bright Distant Iron Velvet Frozen Wild Broken Painted Little".split()
_NOUNS = "River Garden Bridge Harbor Letter Mountain Clock Forest Window Lantern Island Orchard Mirror Road".split()
PLACES = ("Chile", "Ghana", "Japan", "Norway", "Peru", "Spain", "Turkey", "Vietnam")


@dataclass(frozen=True, slots=True)
class Entity:
    """One table.

    Attributes:
        table: Its name, which also names one row, e.g. "book".
        plural: The name of several rows, e.g. "books".
        label: Column with the name of each row, e.g. "title".
        group: Column with few values, and these values.
        number: Column of integers, all different, and their bounds.
        size: Number of rows.
        person: Whether rows have names of people rather than of things.
    """

    table: str
    plural: str
    label: str
    group: tuple[str, tuple[str, ...]]
    number: tuple[str, int, int]
    size: int
    person: bool = False

    @property
    def key(self) -> str:
        """Name of the key column, e.g. "book_id"."""
        return f"{self.table}_id"


@dataclass(frozen=True, slots=True)
class Domain:
    """One database: every row of `owned` belongs to one row of `owner`."""

    name: str
    owner: Entity
    owned: Entity


DOMAINS = (
    Domain(
        "library",
        Entity("author", "authors", "name", ("country", PLACES), ("birth_year", 1900, 1990), 14, person=True),
        Entity("book", "books", "title", ("genre", ("Crime", "Poetry", "History", "Travel")), ("pages", 60, 900), 40),
    ),
    Domain(
        "league",
        Entity(
            "team", "teams", "name", ("city", ("Lima", "Oslo", "Accra", "Osaka", "Hanoi")), ("founded", 1880, 2010), 12
        ),
        Entity(
            "player",
            "players",
            "name",
            ("position", ("Goalkeeper", "Defender", "Forward")),
            ("goals", 0, 300),
            44,
            True,
        ),
    ),
    Domain(
        "clinic",
        Entity(
            "doctor",
            "doctors",
            "name",
            ("specialty", ("Skin", "Heart", "Eyes", "Bones")),
            ("salary", 40000, 99000),
            12,
            True,
        ),
        Entity(
            "patient", "patients", "name", ("city", ("Bern", "Graz", "Lyon", "Turin")), ("weight", 40, 130), 42, True
        ),
    ),
    Domain(
        "shop",
        Entity("supplier", "suppliers", "name", ("country", PLACES), ("employees", 5, 800), 13),
        Entity(
            "product", "products", "name", ("category", ("Tools", "Toys", "Garden", "Kitchen")), ("price", 2, 950), 45
        ),
    ),
    Domain(
        "school",
        Entity(
            "teacher",
            "teachers",
            "name",
            ("subject", ("Biology", "Music", "Physics", "Latin")),
            ("age", 24, 68),
            12,
            True,
        ),
        Entity("course", "courses", "title", ("level", ("Beginner", "Middle", "Advanced")), ("students", 4, 240), 38),
    ),
    Domain(
        "airport",
        Entity("airline", "airlines", "name", ("country", PLACES), ("aircraft", 3, 400), 11),
        Entity(
            "flight",
            "flights",
            "code",
            ("destination", ("Cairo", "Delhi", "Paris", "Quito")),
            ("distance", 150, 9800),
            46,
        ),
    ),
    Domain(
        "museum",
        Entity("artist", "artists", "name", ("style", ("Baroque", "Modern", "Gothic")), ("born", 1500, 1980), 13, True),
        Entity(
            "painting", "paintings", "title", ("room", ("North", "South", "East", "West")), ("worth", 100, 9900), 41
        ),
    ),
    Domain(
        "farm",
        Entity("farmer", "farmers", "name", ("region", ("Coast", "Hills", "Valley")), ("acres", 10, 600), 12, True),
        Entity("animal", "animals", "name", ("species", ("Goat", "Cow", "Horse", "Duck")), ("feed", 1, 90), 40),
    ),
    Domain(
        "studio",
        Entity("band", "bands", "name", ("origin", PLACES), ("members", 1, 30), 12),
        Entity("song", "songs", "title", ("mood", ("Calm", "Happy", "Dark")), ("seconds", 90, 600), 43),
    ),
    Domain(
        "office",
        Entity(
            "department", "departments", "name", ("building", ("Tower", "Annex", "Dock")), ("budget", 1000, 90000), 11
        ),
        Entity(
            "employee",
            "employees",
            "name",
            ("role", ("Analyst", "Driver", "Cook", "Clerk")),
            ("salary", 1500, 9500),
            47,
            True,
        ),
    ),
)
UNSEEN_DOMAINS = (
    Domain(
        "guesthouse",
        Entity("inn", "inns", "name", ("coast", ("Atlantic", "Baltic", "Adriatic")), ("opened", 1850, 2015), 12),
        Entity("room", "rooms", "title", ("view", ("Garden", "Sea", "Street", "Hill")), ("price", 35, 900), 44),
    ),
    Domain(
        "filmclub",
        Entity("director", "directors", "name", ("award", ("Bear", "Palm", "None")), ("films", 1, 60), 13, True),
        Entity("film", "films", "title", ("language", ("Czech", "Farsi", "Greek", "Hindi")), ("minutes", 70, 240), 42),
    ),
    Domain(
        "philharmonic",
        Entity(
            "conductor", "conductors", "name", ("era", ("Early", "Classical", "Modern")), ("fee", 900, 9000), 11, True
        ),
        Entity(
            "musician", "musicians", "name", ("section", ("Strings", "Brass", "Winds")), ("seniority", 1, 300), 45, True
        ),
    ),
    Domain(
        "seaport",
        Entity(
            "shipyard", "shipyards", "name", ("gulf", ("Aden", "Biscay", "Bothnia", "Guinea")), ("docks", 1, 50), 12
        ),
        Entity("vessel", "vessels", "name", ("cargo", ("Grain", "Ore", "Timber", "Oil")), ("tonnage", 400, 9900), 43),
    ),
    Domain(
        "winery",
        Entity("grower", "growers", "name", ("slope", ("North", "South", "Terrace")), ("hectares", 2, 180), 13, True),
        Entity(
            "wine", "wines", "title", ("grape", ("Merlot", "Riesling", "Syrah", "Malbec")), ("bottles", 90, 9000), 41
        ),
    ),
)


def _names(entity: Entity, rng: random.Random) -> list[str]:
    firsts, lasts = (_FIRST, _LAST) if entity.person else (_ADJECTIVES, _NOUNS)
    every = [f"{first} {last}" for first in firsts for last in lasts]
    return rng.sample(every, entity.size)


def entity_rows(entity: Entity, rng: random.Random) -> list[tuple[int, str, str, int]]:
    """Key, name, group and number of each row."""
    names = _names(entity, rng)
    numbers = rng.sample(range(entity.number[1], entity.number[2] + 1), entity.size)
    return [(i, names[i - 1], rng.choice(entity.group[1]), numbers[i - 1]) for i in range(1, entity.size + 1)]


@functools.cache
def suite_dump(seed: int = 0) -> str:
    """All databases as one MySQL dump; the same seed gives the same rows everywhere."""
    parts = []
    for domain in (*DOMAINS, *UNSEEN_DOMAINS):
        rng = random.Random(f"{domain.name}/{seed}")
        owners = entity_rows(domain.owner, rng)
        # Two owners own nothing, so that "which authors have no book?" has an answer.
        owning = [row[0] for row in owners][: domain.owner.size - 2]
        owned = [(*row, rng.choice(owning)) for row in entity_rows(domain.owned, rng)]
        parts.append(f"CREATE DATABASE `{domain.name}`;\nUSE `{domain.name}`;")
        parts.append(_table(domain.owner, ""))
        parts.append(_inserts(domain.owner.table, owners))
        parts.append(_table(domain.owned, domain.owner.key))
        parts.append(_inserts(domain.owned.table, owned))
    return "\n".join(parts) + "\n"


def _table(entity: Entity, owner: str) -> str:
    lines = [
        f"  `{entity.key}` int NOT NULL",
        f"  `{entity.label}` varchar(40) NOT NULL",
        f"  `{entity.group[0]}` varchar(40) NOT NULL",
        f"  `{entity.number[0]}` int NOT NULL",
    ]
    if owner:
        lines.append(f"  `{owner}` int NOT NULL")
    lines.append(f"  PRIMARY KEY (`{entity.key}`)")
    if owner:
        lines.append(f"  KEY `{owner}_key` (`{owner}`)")
    body = ",\n".join(lines)
    return f"CREATE TABLE `{entity.table}` (\n{body}\n);"


def _inserts(table: str, rows: list[tuple[int, str, str, int]] | list[tuple[int, str, str, int, int]]) -> str:
    values = ",".join(f"({','.join(repr(cell) for cell in row)})" for row in rows)
    return f"INSERT INTO `{table}` VALUES {values};"
