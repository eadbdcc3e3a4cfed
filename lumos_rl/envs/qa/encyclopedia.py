"""A synthetic encyclopedia: about 3,600 people, places and works with a paragraph each, for questions offline.

    >>> part = encyclopedia("test")
    >>> len(part.entities), [len(encyclopedia(split).entities) for split in ("train", "dev")]
    (602, [1806, 602])
    >>> film = part.of("film")[0]
    >>> film.title, film.facts["director"].title, film.sentences[0]                             # doctest: +SKIP
    ('Hidden Lantern', 'Ida Vorelan', 'Hidden Lantern is a 1931 comedy film directed by Ida Vorelan.')

    python -m lumos_rl.envs.qa.encyclopedia --out documents.jsonl      # every article as {"title", "text"}

Every entity belongs to one split, and its facts point to entities of that split only, so train and test questions share
no entity. Some entities of different kinds share a name; their titles then include the kind: "Silver Harbour (film)".
Names are composed of few parts, so a small vocabulary covers all of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import cast

from lumos_rl.console import until_pipe_closes
from lumos_rl.errors import UnknownNameError

SHARES: Mapping[str, int] = {"test": 1, "dev": 1, "train": 3, "unseen": 1}  # of six equal shares
COUNTS: Mapping[str, int] = {  # entities of each kind in one share
    "country": 6,
    "city": 110,
    "person": 260,
    "film": 70,
    "novel": 60,
    "company": 50,
    "band": 46,
}
NAMESAKES = 12  # pairs of a film and a novel with the same name, in one share

_FIRST = "Ada Ben Cleo Dan Edda Finn Gus Hana Ida Jon Kira Leo Mara Nils Olga Per Rosa Sven Tilda Uwe Vera Wim".split()
_STEMS = "Bel Cor Dal Fen Gar Hol Kel Lor Mal Nor Pel Ral Sel Tor Val Vor Wel Zan".split()
_LAST = [first + second for first in _STEMS for second in "an by dahl ek er ic in man mark o sen ston".split()]
_PLACES = [
    first + second
    for first in _STEMS
    for second in "berg bridge bury dale ford ham haven mouth stad ton vik wick".split()
]
_LANDS = [first + second for first in _STEMS for second in ("avia", "onia", "istan", "land")]
_ADJECTIVES = (
    "Silver Hidden Broken Distant Silent Golden Winter Burning Second Last Quiet Paper Crooked Open Narrow".split()
)
_NOUNS = (
    "Harbour Lantern Orchard River Mirror Garden Tower Letter Bridge Summer Island Window Journey Voice Mountain Door "
    "Forest Ladder"
).split()
_BANDS = "Foxes Lanterns Engines Sparrows Rivers Ghosts Pilots Wolves Arrows Echoes Comets Sailors".split()
_FIRMS = "Works Motors Foods Textiles Instruments Shipping".split()
_JOBS = "painter composer physician chemist journalist photographer sculptor botanist teacher lawyer".split()
_SUBJECTS = "law music physics history biology philosophy".split()
_GENRES: Mapping[str, list[str]] = {
    "film": "comedy drama crime spy war".split(),
    "novel": "historical detective science-fiction romantic satirical".split(),
    "band": "rock folk jazz punk".split(),
}
_PRODUCTS = "bicycles furniture radios paper clocks glass boats shoes".split()


@dataclass(slots=True, eq=False)
class Entity:
    """One thing with an article.

    Attributes:
        kind: A key of `COUNTS`.
        name: Its name in texts.
        title: Title of its article: the name, with the kind in brackets if the name is shared.
        facts: Relation → another entity, a number or a word.
        sentences: Its article.
        stated: Relation → index of the sentence that states it.
    """

    kind: str
    name: str
    title: str
    facts: dict[str, Entity | int | str] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    stated: dict[str, int] = field(default_factory=dict)

    def text_of(self, relation: str) -> str:
        """A fact as its article states it."""
        value = self.facts[relation]
        if isinstance(value, Entity):
            return value.name
        return f"{value:,}" if relation in ("population", "staff") else str(value)


@dataclass(frozen=True, slots=True)
class Part:
    """The entities of one split, by kind and by name."""

    kinds: Mapping[str, Sequence[Entity]]
    names: Mapping[str, Sequence[Entity]]

    @property
    def entities(self) -> list[Entity]:
        """All entities."""
        return [entity for entities in self.kinds.values() for entity in entities]

    def of(self, kind: str) -> Sequence[Entity]:
        """The entities of one kind."""
        return self.kinds[kind]


@lru_cache(maxsize=6)
def encyclopedia(split: str, seed: int = 0) -> Part:
    """The part of the encyclopedia that belongs to a split.

    Raises:
        UnknownNameError: No such split.
    """
    if split not in SHARES:
        raise UnknownNameError("split of a built-in suite", split, SHARES)
    names = {kind: _names(kind, seed) for kind in COUNTS}
    start = 0
    for other, shares in SHARES.items():
        if other == split:
            break
        start += shares
    rng = random.Random(f"encyclopedia/{split}/{seed}")
    found: dict[str, list[Entity]] = {}
    for kind, count in COUNTS.items():
        own = names[kind][start * count : (start + SHARES[split]) * count]
        found[kind] = [Entity(kind, name, name) for name in own]
    _share_names(found["film"], found["novel"], NAMESAKES * SHARES[split])
    for kind, entities in found.items():
        for entity in entities:
            _ARTICLES[kind](entity, found, rng)
    by_name: dict[str, list[Entity]] = {}
    for entity in (entity for entities in found.values() for entity in entities):
        by_name.setdefault(entity.name, []).append(entity)
    return Part(found, by_name)


def _names(kind: str, seed: int) -> list[str]:
    """All names of a kind in an order that every split shares."""
    adjectives = [f"{first} {second}" for first, second in product(_ADJECTIVES, _NOUNS)]
    pools: Mapping[str, Callable[[], list[str]]] = {
        "country": lambda: list(_LANDS),
        "city": lambda: [f"{prefix}{place}" for prefix, place in product(("", "New ", "Old ", "Upper "), _PLACES)],
        "person": lambda: [f"{first} {last}" for first, last in product(_FIRST, _LAST)],
        "film": lambda: [f"The {name}" for name in adjectives] + adjectives,
        "novel": lambda: [f"A {name}" for name in adjectives] + [f"{name}s" for name in adjectives],
        "company": lambda: [f"{last} {firm}" for last, firm in product(_LAST, _FIRMS)],
        "band": lambda: [f"The {adjective} {noun}" for adjective, noun in product([*_ADJECTIVES, *_STEMS], _BANDS)],
    }
    pool = pools[kind]()
    random.Random(f"encyclopedia/{kind}/{seed}").shuffle(pool)
    return pool


def _share_names(films: Sequence[Entity], novels: Sequence[Entity], pairs: int) -> None:
    for film, novel in zip(films[:pairs], novels[:pairs], strict=True):
        novel.name = film.name
        film.title, novel.title = f"{film.name} (film)", f"{film.name} (novel)"


Found = Mapping[str, Sequence[Entity]]


def _state(entity: Entity, sentence: str, **facts: Entity | int | str) -> None:
    """Adds a sentence that states some facts; `{relation}` in it is replaced by the fact's text."""
    entity.facts |= facts
    entity.stated |= dict.fromkeys(facts, len(entity.sentences))
    words = {relation: entity.text_of(relation) for relation in facts}
    entity.sentences.append(sentence.format(name=entity.name, **words))


def _country(entity: Entity, found: Found, rng: random.Random) -> None:
    _state(entity, "{name} is a country.")
    _state(entity, "The capital of {name} is {capital}.", capital=rng.choice(found["city"]))
    _state(entity, "Its currency is the {currency}.", currency=rng.choice(_STEMS).lower() + "ar")


def _city(entity: Entity, found: Found, rng: random.Random) -> None:
    _state(
        entity,
        rng.choice(("{name} is a city in {country}.", "{name} is a town in {country}.")),
        country=rng.choice(found["country"]),
    )
    population = rng.randrange(8, 900) * 1000 + rng.randrange(1000)
    _state(
        entity,
        rng.choice(("It has {population} inhabitants.", "The city has {population} inhabitants in all.")),
        population=population,
    )
    _state(
        entity,
        rng.choice(("{name} was founded in {year}.", "The place was founded in {year}.")),
        year=rng.randrange(1050, 1800),
    )


def _person(entity: Entity, found: Found, rng: random.Random) -> None:
    _state(entity, rng.choice(("{name} is a {job}.", "{name} works as a {job}.")), job=rng.choice(_JOBS))
    born = rng.choice(
        ("{name} was born in {birthplace} in {year}.", "Born in {birthplace} in {year}, {name} grew up there.")
    )
    _state(entity, born, birthplace=rng.choice(found["city"]), year=rng.randrange(1880, 1985))
    _state(entity, "As a student {name} took up {subject}.", subject=rng.choice(_SUBJECTS))


def _film(entity: Entity, found: Found, rng: random.Random) -> None:
    form = rng.choice(
        ("{name} is a {genre} film directed by {director}.", "{name} is a film, a {genre}, that {director} directed.")
    )
    _state(entity, form, genre=rng.choice(_GENRES["film"]), director=rng.choice(found["person"]))
    _state(
        entity,
        rng.choice(("It was released in {year}.", "The film was released in {year}.")),
        year=rng.randrange(1910, 2015),
    )
    _state(entity, "It lasts {length} minutes.", length=rng.randrange(62, 190))


def _novel(entity: Entity, found: Found, rng: random.Random) -> None:
    form = rng.choice(
        ("{name} is a {genre} novel written by {author}.", "{name} is a {genre} novel that {author} wrote.")
    )
    _state(entity, form, genre=rng.choice(_GENRES["novel"]), author=rng.choice(found["person"]))
    _state(
        entity,
        rng.choice(("It was published in {year}.", "The novel was published in {year}.")),
        year=rng.randrange(1900, 2015),
    )
    _state(entity, "Its first edition has {pages} pages.", pages=rng.randrange(90, 900))


def _company(entity: Entity, found: Found, rng: random.Random) -> None:
    _state(entity, "{name} is a company that makes {product}.", product=rng.choice(_PRODUCTS))
    form = rng.choice(("It was founded by {founder} in {year}.", "The company was founded by {founder} in {year}."))
    founder = rng.choice(found["person"])
    _state(entity, form, founder=founder, year=1900 + rng.randrange(110))
    _state(
        entity,
        "Its headquarters are in {seat}, where {staff} people work.",
        seat=rng.choice(found["city"]),
        staff=rng.randrange(40, 30_000),
    )


def _band(entity: Entity, found: Found, rng: random.Random) -> None:
    form = "{name} is a {genre} band formed in {origin} in {year}."
    _state(
        entity,
        form,
        genre=rng.choice(_GENRES["band"]),
        origin=rng.choice(found["city"]),
        year=rng.randrange(1955, 2015),
    )
    _state(
        entity,
        rng.choice(("Its singer is {singer}.", "The singer of the band is {singer}.")),
        singer=rng.choice(found["person"]),
    )


_ARTICLES: Mapping[str, Callable[[Entity, Found, random.Random], None]] = {
    "country": _country,
    "city": _city,
    "person": _person,
    "film": _film,
    "novel": _novel,
    "company": _company,
    "band": _band,
}


def documents(seed: int = 0) -> Iterator[dict[str, str]]:
    """Every article, in the format of document files."""
    for split in SHARES:
        for entity in encyclopedia(split, seed).entities:
            yield {"title": entity.title, "text": " ".join(entity.sentences)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes every article to a file of documents."""
    parser = argparse.ArgumentParser(
        prog="python -m lumos_rl.envs.qa.encyclopedia", description=cast(str, main.__doc__)
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write, JSON lines of title and text")
    out = parser.parse_args(arguments).out
    out.write_text("".join(json.dumps(document) + "\n" for document in documents()), encoding="utf-8")


if __name__ == "__main__":
    with until_pipe_closes():
        main()
