"""The built-in reader: answers from the evidence by rules. It is fast, needs no model, and is weaker than one.

    >>> from lumos_rl.prompts import reading_prompt
    >>> reader = ExtractiveReader()
    >>> reader(reading_prompt("Who directed Glen or Glenda?", ["[Glen or Glenda] It is a film directed by Ed Wood."]))
    'Ed Wood'
    >>> reader(reading_prompt("Who directed Glen or Glenda?", ["[Oslo] Oslo is a city."]))
    'No answer'

It reads the prompt of any reader (`lumos_rl.prompts.reading_prompt`), finds the sentences that share words with the
question, and in them the span that fits the question word: a date for "when", a number for "how many", a name for
"who". It looks at the first 4,000 sentences and spans, and warns if there are more. Yes-or-no questions and choices
between two are left to `deciding`. The file envs/qa/README.md of the repository has its scores.
"""

from __future__ import annotations

import logging
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lumos_rl.envs.qa.tools.deciding import LONGEST_TITLE, Line, choose, decide, is_yes_no, options_of, read_line
from lumos_rl.envs.qa.tools.titles import key_of, plain, stem, without_suffix, words
from lumos_rl.prompts import NO_ANSWER, parse_reading

log = logging.getLogger(__name__)

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} (?:{_MONTH})(?: \d{{3,4}})?|(?:{_MONTH}) \d{{1,2}}(?:, \d{{4}})?|(?:{_MONTH}) \d{{4}}"
    r"|(?:1\d{3}|20\d{2})s?|\d{1,4} BCE?)\b"
)
_YEAR = re.compile(r"\b(?:1\d{3}|20\d{2})\b|\b\d{1,4} BCE?\b")
_NUMBER = re.compile(
    r"[$€£]?\b\d[\d,]*(?:\.\d+)?(?: (?:hundred|thousand|million|billion|trillion))?\b%?"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|sixteen|twenty|thirty|forty|"
    r"fifty|hundreds?|thousands?)\b",
    re.IGNORECASE,
)
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’.&-]*"
_NAME = re.compile(
    rf"(?:\d{{4}} )?{_CAPITAL}(?:(?: (?:of|the|de|la|van|von|der|&)){{0,2}} (?:{_CAPITAL}|\d{{1,3}}\b))*"
)
_QUOTED = re.compile(r"[\"“]([^\"“”]{2,60})[\"”]")
_KIND_OF = re.compile(r"\b(?:is|was|are|were) (?:an?|the|one of the) ([^,.;()]{3,60})")
_OPENING = "The A An It He She They This That In On At Its His Her Their From As By For After When Born".split()
_NO_NAMES = frozenset([*_OPENING, *_MONTH.split("|")])
_ABOUT_PLACES = frozenset("where city town country state county village district region place".split())
_WORD = re.compile(r"\w+")
_BEFORE = 100  # characters in front of a span in which the word before it is looked for
_MOST = 4_000  # sentences, and possible answers, that are looked at for one question; 64 kB of prose have about 1,000
_NEAR = 4.0  # words; a match within this distance counts strongly


@dataclass(frozen=True, slots=True)
class _Span:
    """A candidate answer: its text, and its place in the sentence."""

    text: str
    start: int
    sentence: str


class ExtractiveReader:
    """A reader without a model: best sentence, then the span that fits the question word."""

    def __call__(self, prompt: str) -> str:
        """The answer to the question of a reading prompt, or "No answer"."""
        question, evidence, forced = parse_reading(prompt)
        lines = [read_line(line) for line in evidence]
        asked_before = [line.answer for line in lines if line.answer and key_of(line.title) == key_of(question)]
        if asked_before and not forced:
            return asked_before[-1]
        if forced or is_yes_no(question):
            said = decide(question, lines)
            return NO_ANSWER if said is None and not forced else "yes" if said else "no"
        if options := options_of(question, lines):
            return choose(question, options, lines) or NO_ANSWER
        if lines and all(line.answer for line in lines):
            return lines[-1].answer or NO_ANSWER
        return _best_span(question, lines) or NO_ANSWER


def _best_span(question: str, lines: Sequence[Line]) -> str | None:
    asked = [word for word in words(question) if not word.isdigit()]
    order = {root: place for place, root in enumerate(dict.fromkeys(map(_root, asked)))}
    patterns, own = _patterns(plain(question)), f" {key_of(question)} "
    found = (
        (line, titled, sentence)
        for line, titled in ((line, _title_roots(line) & order.keys()) for line in lines if line.answer != NO_ANSWER)
        for sentence in line.sentences
    )
    sentences = [
        (line, titled, sentence, titled | set(map(_root, words(sentence))) & order.keys())
        for line, titled, sentence in islice(found, _MOST)
    ]
    counts = Counter(root for *_, held in sentences for root in held)
    weights = {root: math.log(1 + (len(sentences) + 1) / (1 + counts[root])) for root in order}
    total = sum(weights.values()) or 1.0
    fit = _Fit(question)
    best: tuple[float, str] | None = None
    turns = iter(range(_MOST))  # one for each span that is looked at
    for line, titled, sentence, held in sentences:
        if not held:
            continue
        # In the question's order: another order of summation may differ in the last bit and change a tie.
        share = sum(weights[root] for root in sorted(held, key=order.__getitem__)) / total
        if share <= 0.15:
            continue
        near = _Nearness(sentence, {root: weights[root] for root in held - titled}, max(weights.values(), default=1.0))
        for span in _spans(patterns, own, "" if line.answer else line.title, sentence, turns):
            score = share + 0.5 * near.of(span) + fit.of(span)
            if best is None or score > best[0]:
                best = score, span.text
    if next(turns, None) is None or next(found, None) is not None:
        log.warning("the reader looked only at the first %d sentences and possible answers of its evidence", _MOST)
    return best[1] if best else None


def _title_roots(line: Line) -> set[str]:
    return set(map(_root, words(line.title[:LONGEST_TITLE])))


def _patterns(asked: str) -> tuple[re.Pattern[str], ...]:
    """What can answer this kind of question, given in lower case."""
    if re.search(r"\b(?:what|which) year\b", asked):
        return (_YEAR,)
    if re.search(r"\bwhen\b|\b(?:what|which) (?:date|day|decade|century)\b|\bdate\b", asked):
        return (_DATE,)
    if re.search(
        r"\bhow (?:many|much|old|long|far|tall|high|large|big|heavy|often)\b|\bnumber of\b|\bpopulation\b", asked
    ):
        return (_NUMBER,)
    if re.search(r"\b(?:occupation|profession|kind|type|genre|nationality)\b|\bwhat (?:is|was) \S+( \S+)?\?", asked):
        return (_KIND_OF, _NAME)
    return (_NAME, _QUOTED)


def _spans(
    patterns: Sequence[re.Pattern[str]], own: str, title: str, sentence: str, turns: Iterator[int]
) -> Iterator[_Span]:
    """The spans of a sentence, and its title, that could answer the question, whose key is `own`; one for each turn."""
    for pattern in patterns:
        for found, _ in zip(pattern.finditer(sentence), turns, strict=False):
            text = found[1] if pattern.groups else found[0]
            yield from _trimmed(text, found.start(), sentence, own, pattern is _NAME)
    if title and patterns[0] is _NAME and f" {key_of(title)} " not in own:
        yield _Span(without_suffix(title), 0, sentence)


def _trimmed(text: str, start: int, sentence: str, own: str, is_name: bool) -> Iterator[_Span]:
    """The span without opening words that do not belong to a name; nothing if the question already contains it."""
    text = text.strip(" .,'’")
    if is_name:
        parts = text.split(" ")
        opening = next((place for place, part in enumerate(parts) if part not in _NO_NAMES), len(parts))
        start += sum(len(part) + 1 for part in parts[:opening])
        text = " ".join(parts[opening:])
    if text and f" {key_of(text)} " not in own and not (is_name and text.isdigit()):
        yield _Span(text, start, sentence)


class _Nearness:
    """How close spans of a sentence are to words of the question.

    Args:
        sentence: The sentence.
        weights: The weight of each root of the question in it, except those of its title.
        most: The highest weight of any root of the question.
    """

    def __init__(self, sentence: str, weights: Mapping[str, float], most: float) -> None:
        self._most = most or 1.0
        self._starts = [found.start() for found in _WORD.finditer(sentence)]
        places: dict[float, list[int]] = {}  # by weight, the highest first
        for position, word in enumerate(_WORD.findall(plain(sentence)) if weights else ()):
            if (weight := weights.get(_root(stem(word)))) is not None:
                places.setdefault(weight, []).append(position)
        self._places = sorted(places.items(), reverse=True)

    def of(self, span: _Span) -> float:
        """From 0 to 1; the nearest word of each weight decides."""
        middle, length = bisect_left(self._starts, span.start), len(_WORD.findall(span.text))
        near = 0.0
        for weight, positions in self._places:
            if weight <= near:
                break
            place = bisect_left(positions, middle)
            gaps = [middle - positions[place - 1]] if place else []
            gaps += [max(0, positions[place] - middle - length + 1) + 1] if place < len(positions) else []
            near = max(near, *(weight / (1 + max(0, gap - 1) / _NEAR) for gap in gaps))
        return near / self._most


class _Fit:
    """How well the form and context of a span fit the question word."""

    def __init__(self, question: str) -> None:
        self._asked = set(_WORD.findall(plain(question)))

    def of(self, span: _Span) -> float:
        """A bonus for a score, negative for what hardly fits."""
        before = span.sentence[max(0, span.start - _BEFORE) : span.start].rstrip().rpartition(" ")[2].lower()
        if self._asked & {"who", "whom"}:
            place = 0.2 if before == "by" else -0.2 if before in ("in", "at", "of") else 0.0
            return place + (0.2 if " " in span.text else 0.0)
        if self._asked & _ABOUT_PLACES:
            return 0.25 if before in ("in", "at", "near", "to", "from", "of") else 0.0
        return 0.0


def _root(word: str) -> str:
    """The common beginning of related words: director, directed, directs."""
    return word[:5]
