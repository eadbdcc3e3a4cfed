"""Numbers that a word problem implies without writing them: how many things it lists, and amounts in other units.

    >>> sorted(map(str, counts("Lisa, Jessie, and Devin share 12 plums. They meet from Monday to Saturday.")))
    ['3', '6']
    >>> Fraction(14) in conversions("Tom runs every day for two weeks.")          # 2 weeks of 7 days
    True
    >>> sorted(map(str, people("Benny goes to lunch with Sara and Tom.")))        # named apart from each other as well
    ['3']
    >>> Fraction(3) in spans("She works from 8:00 a.m. to 11:00 a.m.")
    True

A list counts as it stands: what belongs to it is not looked at. So these numbers are accepted in a plan, and none is
ever proposed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, permutations

from lumos_rl.envs.math.given import Item, items

_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTHS = "january february march april may june july august september october november december".split()
_TO = r"(?:to|through|thru|until|till|and ending in|and ends in)\s+(?:the end of\s+)?"
_RANGES = [
    (names, re.compile(rf"\b({'|'.join(names)})s?\s+(?:\w+\s+)?{_TO}({'|'.join(names)})", re.IGNORECASE))
    for names in (_DAYS, _MONTHS)
]
_NAME = r"[A-Z][\w'’.-]*"
_NAMES = re.compile(rf"\b{_NAME}(?: {_NAME})*(?:, {_NAME}(?: {_NAME})*)*,? (?:and|or|&) {_NAME}")
_WORDS = r"[\w'’-]+(?: [\w'’-]+){0,3}"
_NOUNS = re.compile(rf"{_WORDS}(?:, {_WORDS})+,? (?:and|or) [\w'’-]+")
_ALL_BUT_ONE = re.compile(rf"\bexcept\b(?:\s+\w+){{0,2}}?\s+(?:{'|'.join(_DAYS)})", re.IGNORECASE)
_SECOND = re.compile(r"\b(?:the|his|her|their|its|in|on)\s+second\s+(?!half)[a-z]", re.IGNORECASE)
_NO_NAME = frozenset(
    "a after all also an and another any at because before but by each even every for from given he her his how i if"
    " in it its last later let most mr mrs ms my next no of on one or our she since so some that the their then there"
    " these they this those to today tomorrow two under what when where which while who why with yesterday you"
    " your".split()
)
_MOST_PEOPLE = 12
_TIME = re.compile(
    r"\b(?P<hour>1?\d|2[0-4])(?::(?P<minute>[0-5]\d)(?:\s*[ap]\.?m\b)?|\s*(?:[ap]\.?m\b|o'clock))", re.IGNORECASE
)
_HALVES = (12 * 60, 24 * 60)  # minutes; many texts do not say which half of the day
_UNITS = {  # beginning of a unit's name → how many of it make other amounts
    "week": "7 5", "day": "24", "hour": "60 3600", "minute": "60", "year": "12 52 365", "month": "4 30", "decade": "10",
    "feet": "12", "foot": "12", "yard": "3 36", "inch": "12", "pound": "16", "ounce": "16 8", "gallon": "4 16 8",
    "quart": "4 2", "pint": "2", "cup": "16", "cm": "100", "mm": "1000", "gram": "1000", "kilo": "1000", "kg": "1000",
    "km": "1000", "meter": "100 1000", "liter": "1000", "ml": "1000", "dozen": "12", "thousand": "1000", "ton": "2000",
    "cent": "100", "dollar": "100", "quarter": "25 .25", "dime": "10 .1", "nickel": "5 .05", "penn": "100",
    "watt": "1000", "million": "1000000",
}  # fmt: skip
_FACTORS = {unit: [Fraction(factor) for factor in factors.split()] for unit, factors in _UNITS.items()}


@lru_cache(maxsize=64)
def counts(text: str) -> frozenset[Fraction]:
    """How many things the text lists, days or months a range covers, and days of a week with one left out."""
    found = {_listed(match[0]) for match in _NAMES.finditer(text)}
    found |= {count for match in _NOUNS.finditer(text) if (count := _listed(match[0])) > 2}
    for names, pattern in _RANGES:
        for match in pattern.finditer(text):
            first, last = (names.index(match[part].lower()) for part in (1, 2))
            found.add((last - first) % len(names) + 1)
    found |= {6} if _ALL_BUT_ONE.search(text) else set()
    found |= {2} if _SECOND.search(text) else set()
    return frozenset(map(Fraction, found))


@lru_cache(maxsize=64)
def people(text: str) -> frozenset[Fraction]:
    """How many different names the text has, wherever they stand; empty for none or one, and for a crowd."""
    lower = set(re.findall(r"\b[a-z]+\b", text))
    words = (match[0].removesuffix("'s").removesuffix("’s").strip(".'’") for match in re.finditer(_NAME, text))
    names = {word for word in words if word.lower() not in lower | _NO_NAME | {*_DAYS, *_MONTHS}}
    return frozenset({Fraction(len(names))}) if 1 < len(names) <= _MOST_PEOPLE else frozenset()


@lru_cache(maxsize=64)
def conversions(text: str) -> frozenset[Fraction]:
    """The amounts of a text in other units: 14 for "two weeks", 80 for "1 hour 20 minutes", 0.5 for "30 minutes"."""
    words = items(text)
    pairs = enumerate(pairwise(words))
    amounts = {index: (_amount(found), by) for index, (found, unit) in pairs if (by := _factors(found, unit))}
    made: set[Fraction] = set()
    for index, (amount, factors) in amounts.items():
        small = amounts.get(index + 2 + (words[index + 2].text == "and") if index + 2 < len(words) else -1)
        for factor in factors:
            made |= {amount * factor, amount / factor}
            made |= {amount * factor + small[0], amount + small[0] / factor} if small else set()
    return frozenset(made)


@lru_cache(maxsize=64)
def spans(text: str) -> frozenset[Fraction]:
    """The hours and minutes between two times of a day in the text: 2.5 and 150 for "from 2:30 to 5:00 pm"."""
    times = [60 * int(found["hour"]) + int(found["minute"] or 0) for found in _TIME.finditer(text)]
    made = {Fraction((later - earlier) % half_day) for earlier, later in permutations(times, 2) for half_day in _HALVES}
    return frozenset(made | {minutes / 60 for minutes in made})


def _factors(found: Item, unit: Item) -> list[Fraction]:
    """What an amount such as "two weeks" or "an hour" may be multiplied by; empty if it is none."""
    if (found.kind == "word" and found.text not in ("a", "an")) or unit.gap.strip(" -"):
        return []
    return next((factors for begin, factors in _FACTORS.items() if unit.text.startswith(begin)), [])


def _amount(found: Item) -> Fraction:
    return Fraction(1) if found.kind == "word" else found.value


def _listed(text: str) -> int:
    """How many items a list such as "a, b, and c" has."""
    return len(re.split(r",\s*(?:(?:and|or|&)\s+)?|\s(?:and|or|&)\s", text))
