"""The numbers that a word problem gives, in digits and in words, and the constants that its units imply.

    >>> sorted(map(str, mentions("He packs thirty-five bags of 6 kg, twice a day.")))
    ['2', '35', '6']
    >>> Fraction(7) in constants("How many eggs does she sell in a week?")
    True
    >>> is_explained(Fraction(4, 5), "A hat is sold with 20% off.")       # 1 - 20/100
    True

A compound is one number: "thirty-five" is 35, neither 30 nor 5. A fraction word gives its denominator ("third" gives 3)
and, in `given_numbers`, the fraction itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from lumos_rl.envs.math.equations import NUMBER

_LONGEST_NUMBER = 100  # characters; a longer one is no number of a word problem
_PIECE = re.compile(rf"(?<![\w.])(?P<number>{NUMBER})|(?P<word>[a-z]+)")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")  # ¼
_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {
    word + ending: value
    for value, word in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), start=3)
    for ending in ("", "s")
} | {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
_TIMES = {
    word: value
    for value, words in {
        1: "once single",
        2: "twice double doubled doubles doubling couple pair both",
        3: "thrice triple tripled triples tripling",
        4: "quadruple quadrupled",
        12: "dozen dozens",
    }.items()
    for word in words.split()
}
_TIMES |= {f"{word}th": value for word, value in _SMALL.items() if value > 12}
_TIMES |= {f"{word[:-1]}ieth": value for word, value in _TENS.items()} | {"eleventh": 11, "twelfth": 12}
_IMPLIED = {  # beginning of a word → constants
    "second": "60 3600", "minute": "60", "hour": "24 60 3600", "daily": "7 30 365", "day": "5 7 24 28 30 31 365 366",
    "week": "2 4 5 7 52", "month": "4 12 28 30 31", "year": "7 12 52 100 365 366", "annual": "12", "dozen": "12",
    "feet": "3 12 5280", "foot": "3 12 5280", "inch": "12 36", "yard": "3 36", "mile": "1760 5280", "pound": "16",
    "ounce": "8 16 32 128", "gallon": "4 8 16 128", "quart": "2 4 25 .25 32", "pint": "2 8 16", "cent": "100 .01",
    "dime": "10 .1", "nickel": "5 .05", "penn": "100 .01", "percent": "100 .01", "%": "100 .01", "decade": "10",
    "leg": "2 4 6 8", "wheel": "2 3 4", "tire": "2 4", "side": "2 3 4 5 6 8", "square": "4", "rectang": "4",
    "triang": "3 180", "meter": "10 100 1000", "gram": "1000", "liter": "1000", "ton": "1000 2000", "noon": "12",
    "quarterly": "3 4", "watt": "1000", "kw": "1000", "finger": "5 10 20", "toe": "10 20",
    "night": "12 24", "morning": "12 24", "o'clock": "12", "a.m": "12", "p.m": "12", "am ": "12", "pm ": "12",
}  # fmt: skip
_CONSTANTS = {unit: frozenset(map(Fraction, values.split())) for unit, values in _IMPLIED.items()}
_UNIT = re.compile(rf"(?<![a-z])(?:centi|milli|kilo)?(?P<unit>{'|'.join(map(re.escape, _IMPLIED))})")
_PERCENT = re.compile(r"%|\bpercent")
_MONEY = re.compile(r"[$£€¢]|\bcents?\b|\bdollars?\b")

_HOURS = re.compile(r"\b(?:hour|minute)")


@dataclass(frozen=True, slots=True)
class Item:
    """A word or number of a text: `kind` is "number", "part" (third), "times" (twice) or "word"."""

    kind: str
    text: str
    value: Fraction
    gap: str  # what stands before it


def mentions(text: str) -> Counter[Fraction]:
    """How often a text mentions each number."""
    return Counter(item.value for item in items(text) if item.kind != "word")


def worded_numbers(text: str) -> set[Fraction]:
    """The numbers that a text writes as words, or as a digit and a word ("3 million")."""
    return {item.value for item in items(text) if item.kind != "word" and not item.text[-1:].isdigit()}


@lru_cache(maxsize=64)
def given_numbers(text: str) -> frozenset[Fraction]:
    """The numbers that a text mentions, and those its words make: "two thirds" also gives 2/3, "two dozen" 24."""
    found = items(text)
    made: set[Fraction] = set()
    for index, item in enumerate(found):
        before = found[index - 1] if index else _NOTHING
        if item.kind == "part":
            share = (before.value if before.kind == "number" and item.gap in (" ", "-") else 1) / item.value
            made |= {1 / item.value, share} | {number + share for number in _whole_before(found, index)}
        elif item.kind == "number" and before.kind == "number" and item.gap.strip() == "/" and item.value:
            share = before.value / item.value
            whole = found[index - 2] if index > 1 else _NOTHING
            made |= {share} | ({whole.value + share} if whole.kind == "number" and before.gap == " " else set())
        elif item.text in ("million", "billion"):
            made.add(item.value / _SCALES[item.text])  # people calculate in millions
        elif item.text.startswith("dozen"):
            made |= {number * 12 for number in _whole_before(found, index)}
            made |= {Fraction(6)} if before.text == "a" and index > 1 and found[index - 2].text == "half" else set()
    return frozenset(made | mentions(text).keys())


@lru_cache(maxsize=64)
def constants(text: str) -> frozenset[Fraction]:
    """The constants that the units in a text imply: 7 for "week", 60 for "minutes"."""
    units = {found["unit"] for found in _UNIT.finditer(text.lower())}
    return frozenset[Fraction]().union(*(_CONSTANTS[unit] for unit in units))


def is_explained(value: Fraction, question: str, solution: str = "") -> bool:
    """Whether a number of a plan comes from the question, or from a unit in the question or the solution.

    A share or percentage of the question also explains what is left (80 or 0.8 where 20% go) and what it grows to.
    """
    given = given_numbers(question)
    if value in given or value in (0, 1) or value in constants(question) or value in constants(solution):
        return True
    shares = {number for number in given if 0 < number < 1}
    if _PERCENT.search(question):
        shares |= {number / 100 for number in given}
        given |= {100 - number for number in given} | {100 + number for number in given}
    given |= {number for share in shares for number in (share, 1 - share, 1 + share)}
    given |= {Fraction(share.denominator + sign * share.numerator) for share in shares for sign in (-1, 1)}
    if _MONEY.search(question):
        given |= {number for cents in given for number in (cents * 100, cents / 100)}
    if _HOURS.search(question):
        given |= {number for time in given for number in (time * 60, time / 60)}
    return value in given


@lru_cache(maxsize=64)
def items(text: str) -> tuple[Item, ...]:
    """The words and numbers of a text, in lower case."""
    text = _VULGAR.sub(lambda sign: unicodedata.normalize("NFKC", f" {sign[0]}").replace("\u2044", "/"), text.lower())
    pieces = [found for found in _PIECE.finditer(text) if len(found[0]) <= _LONGEST_NUMBER]
    gaps = [text[before.end() : piece.start()] for before, piece in pairwise(pieces)]
    gaps.insert(0, "")
    found: list[Item] = []
    index = 0
    while index < len(pieces):
        value, end = _compound(pieces, gaps, index)
        kind, word = "number", pieces[end - 1 if end > index else index][0]
        if end == index:
            end += 1
            kind = "part" if word in _PARTS else "times" if word in _TIMES else "word"
            value = Fraction(_PARTS.get(word, 0) or _TIMES.get(word, 0))
        found.append(Item(kind, word, value, gaps[index]))
        index = end
    return tuple(found)


def _compound(pieces: Sequence[re.Match[str]], gaps: Sequence[str], start: int) -> tuple[Fraction, int]:
    """The number that starts at a piece ("two hundred and five", "3 million"), and the index after it; or `start`."""
    if pieces[start]["number"]:
        value = Fraction(pieces[start]["number"].replace(",", ""))
        scale = pieces[start + 1][0] if start + 1 < len(pieces) and gaps[start + 1] == " " else ""
        return (value * _SCALES[scale], start + 2) if scale in _SCALES else (value, start + 1)
    total, current, end = 0, -1, start  # current: the part below the next "thousand"; -1 before its first word
    for index in range(start, len(pieces)):
        word = pieces[index][0]
        if index > start and gaps[index] not in (" ", "-"):
            break
        if word in _SMALL or word in _TENS:
            number = _SMALL.get(word, 0) or _TENS.get(word, 0)
            if not _continues(current, number):
                break
            current = max(current, 0) + number
        elif word == "hundred" and (current < 100 and (index == start or current > 0)):
            current = abs(current) * 100
        elif word in _SCALES and word != "hundred" and (index == start or current > 0):
            total, current = total + abs(current) * _SCALES[word], 0
        elif word == "and" and current % 100 == 0 and current + total > 0:
            continue  # "two hundred and five"; the "and" counts only if a number follows
        else:
            break
        end = index + 1
    return Fraction(total + max(current, 0)), end


def _continues(current: int, number: int) -> bool:
    """Whether a number word adds to the number so far: "twenty" + "five", "hundred" + "twelve"."""
    if current < 0 or (current % 100 == 0 and number and current > 0) or current == 0:
        return True
    return current % 10 == 0 and current % 100 >= 20 and 0 < number < 10


def _whole_before(found: Sequence[Item], index: int) -> set[Fraction]:
    """The number in "two and a half" or "two dozen" before the item at an index; empty if there is none."""
    before = [item for item in found[max(0, index - 3) : index] if item.text not in ("a", "one")]
    if before and before[-1].text == "and":
        before.pop()
    elif found[index].kind == "part":
        return set()
    return {before[-1].value} if before and before[-1].kind == "number" else set()


_NOTHING = Item("word", "", Fraction(0), "")
