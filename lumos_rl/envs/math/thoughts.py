"""What a planner may think before it names a subgoal, in the problem's words: what is asked, what is known, and how the
numbers belong together.

    >>> stated("Each of the 10 gardens has 544 pots. How many pots are there in all?")
    'Asked: how many pots are there in all. Known: each of the 10 gardens has 544 pots.'
    >>> related("*", Spoken("the 10 gardens"), Spoken("the 544 pots", is_rate=True), "How many pots are there in all?")
    'For each of the 10 gardens: the 544 pots.'

Nothing here is computed: every number is one of the problem, or the name of a result. The relation follows from the
operation of the gold equation and from words of the problem, so that the choice is made before it is named. Profiles
that think (`PromptProfile.thinks`) put this text before "Subgoal 1: …".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from lumos_rl.envs.math.equations import NUMBER
from lumos_rl.envs.math.given import items

_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[MmDSs][rst]\.)(?<!\b[Mm]rs\.)\s+")
_ASKS = re.compile(
    r"\b(?:how (?:many|much|long|far|old|tall|big|fast|often|heavy)|how|what|which|calculate|find)\b", re.I
)
_CLAUSE = re.compile(r"[,;:]\s+|\s+(?=(?:if|when|but|while|then|because|after which)\s)", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_LINK = re.compile(r"^(?:(?:and|but|if|when|while|then|so|because|after which)\s+)+|\s+(?:and|but)$", re.IGNORECASE)
_BEFORE, _BEHIND, _LONGEST = 6, 7, 14  # words that are quoted around a number, and of a clause that is quoted whole
_NEAR = 7  # words around a number that say of what it is
_BREAK = r"[.,;!?](?=\s|$)|\b(?:and|how|what|if)\b|\d+"
_THAN = re.compile(r"\b(?:more|fewer|less|\w+er)\b.*\bthan\b", re.IGNORECASE)
_RATE = re.compile(r"\b(?:each|every|per|apiece|an? (?:day|week|month|year|hour|minute|pack|box|bag|pair))\b", re.I)
_LEFT = re.compile(r"\b(?:left|remain\w*|still|now|rest|after|keep|have to|needs?|else)\b", re.IGNORECASE)
_APART = re.compile(r"\bthan\b|\bdifference\b|\bhow (?:many|much) (?:more|fewer|less)\b", re.IGNORECASE)
_ALL = re.compile(r"\b(?:all|altogether|total|together|sum|both|combined|overall)\b", re.IGNORECASE)
_FIRST = re.compile(
    r"\b(?:first|originally|initially|before|beginning|begin|start\w*|earlier|initial)\b", re.IGNORECASE
)
_TIMES = re.compile(r"\b(?:times|twice|double|triple|thrice)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """An operand in words: "the 10 gardens", "the result of Subgoal 1".

    Attributes:
        text: The words.
        is_rate: Whether the problem says it of each of several things.
        compares: Whether it says how much more or less something is.
    """

    text: str
    is_rate: bool = False
    compares: bool = False


def stated(problem: str) -> str:
    """What a problem asks and what it tells, its clauses with numbers quoted shortly."""
    sentences = [each for each in _SENTENCE.split(" ".join(problem.split())) if each]
    asking = max((n for n, each in enumerate(sentences) if each.endswith("?")), default=len(sentences) - 1)
    found = list(_ASKS.finditer(sentences[asking])) if sentences else []
    start = found[0].start() if found else 0
    asked, *rest = _CLAUSE.split(sentences[asking][start:]) if sentences else [""]
    told = [*sentences[:asking], sentences[asking][:start] if sentences else "", *rest, *sentences[asking + 1 :]]
    known = dict.fromkeys(quote for sentence in told for quote in _quotes(sentence))
    head = f"Asked: {_bare(asked)}."
    return f"{head} Known: {'; '.join(known)}." if known else head


def related(operator: str, left: Spoken, right: Spoken, problem: str) -> str:
    """How two numbers belong together, where the problem's own words say why they are calculated with."""
    question = _SENTENCE.split(problem.strip())[-1]
    if operator == "*":
        return _multiplied(left, right, problem)
    if operator == "/":
        if right.is_rate and not left.is_rate:
            return f"How often {right.text} go into {left.text}."
        return f"{_capital(left.text)} in as many equal parts as {right.text}."
    one, other = (right, left) if right.compares else (left, right)
    if operator == "+":
        if one.compares and not other.compares:
            return f"As much as {other.text}, and {one.text} more."
        if _ALL.search(question) or not _FIRST.search(question):
            return f"All of {left.text} and {right.text}."
        return f"As it was before: {left.text}, and {right.text} with it."
    if _APART.search(question):
        return f"How far {left.text} and {right.text} are apart."
    if right.compares:
        return f"As much as {left.text}, but {right.text} less."
    if _LEFT.search(question):
        return f"What is left of {left.text} without {right.text}."
    return f"The part of {left.text} that is not {right.text}."


def _multiplied(left: Spoken, right: Spoken, problem: str) -> str:
    if left.is_rate != right.is_rate:
        count, rate = (right, left) if left.is_rate else (left, right)
        return f"For each of {count.text}: {rate.text}."
    if _TIMES.search(problem):
        return f"{_capital(left.text)} as many times as {right.text}."
    return f"Equal groups: {left.text} and {right.text}."


def _quotes(sentence: str) -> Iterator[str]:
    """The clauses of a sentence that have numbers."""
    for clause in _CLAUSE.split(sentence):
        parts = _AND.split(clause)
        own = all(map(_has_number, parts)) or len(clause.split()) > _LONGEST
        yield from (_shortened(part) for part in (parts if own else [clause]) if _has_number(part))


def _has_number(text: str) -> bool:
    return any(item.kind != "word" and item.value != Fraction(1) for item in items(text)) or bool(
        re.search(r"\d", text)
    )


def _shortened(clause: str) -> str:
    words = _bare(clause).split()
    if len(words) <= _LONGEST:
        return " ".join(words)
    places = [place for place, word in enumerate(words) if re.search(NUMBER, word)] or [
        place for place, word in enumerate(words) if _has_number(word)
    ]
    if not places:
        return " ".join(words[:_LONGEST])
    first, last = max(0, places[0] - _BEFORE), places[-1] + 1 + _BEHIND
    return " ".join(words[first:last])


def _bare(text: str) -> str:
    """A clause without the word that links it and the marks around it, in lower case at its beginning but for names."""
    text = _LINK.sub("", text.strip(" .,;:?!"))
    word = re.match(r"[A-Z][a-z]*\b", text)
    is_common = word is not None and word[0].lower() in _COMMON
    return text[:1].lower() + text[1:] if is_common else text


def spoken(words: str, text: str, start: int, end: int) -> Spoken:
    """A number of a text, which stands at `start` to `end`, as an operand in words."""
    before = re.split(_BREAK, text[:start])[-1].split()[-_NEAR:]
    behind = re.split(_BREAK, text[end:], maxsplit=1)[0].split()[:_NEAR]
    around = " ".join([*before, *behind])
    return Spoken(words, bool(_RATE.search(around)), bool(_THAN.search(around)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_COMMON = frozenset(
    "a after all an at before by calculate during each every find for from he her his how if in it its my of on one"
    " our she some that the their then there these they this to two three four five six we what when which while with"
    " you your there's today yesterday".split()
)
