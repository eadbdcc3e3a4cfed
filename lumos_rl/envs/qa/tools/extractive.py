"""The built-in reader: answers from the evidence by rules. It is fast, needs no model, and is weaker than one.

    >>> from lumos_rl.prompts import reading_prompt
    >>> reader = ExtractiveReader()
    >>> reader(reading_prompt("Who directed Glen or Glenda?", ["[Glen or Glenda] It is a film directed by Ed Wood."]))
    'Ed Wood'
    >>> reader(reading_prompt("Who directed Glen or Glenda?", ["[Oslo] Oslo is a city."]))
    'No answer'

It reads the prompt of any reader (`lumos_rl.prompts.reading_prompt`), finds the sentences that share words with the
question, and in them the span that fits the question word: a date for "when", a number for "how many", a name for
"who". Yes-or-no questions and choices between two are left to `deciding`. The file envs/qa/README.md of the repository
has its scores.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lumos_rl.envs.qa.tools.deciding import Line, choose, decide, is_yes_no, options_of, read_line
from lumos_rl.envs.qa.tools.titles import key_of, plain, stem, words
from lumos_rl.prompts import NO_ANSWER, parse_reading

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
    sentences = [(line, sentence) for line in lines if line.answer != NO_ANSWER for sentence in line.sentences]
    bags = [set(map(_root, words(f"{line.title} {sentence}"))) for line, sentence in sentences]
    weights = {  # in the question's order: another order of summation may differ in the last bit and change a tie
        root: math.log(1 + (len(bags) + 1) / (1 + sum(root in bag for bag in bags))) for root in map(_root, asked)
    }
    total = sum(weights.values()) or 1.0
    best: tuple[float, str] | None = None
    for (line, sentence), bag in zip(sentences, bags, strict=True):
        share = sum(weight for root, weight in weights.items() if root in bag) / total
        if share <= 0.15:
            continue
        for span in _spans(question, "" if line.answer else line.title, sentence):
            score = share + 0.5 * _nearness(span, weights, line.title) + _fit(question, span)
            if best is None or score > best[0]:
                best = score, span.text
    return best[1] if best else None


def _spans(question: str, title: str, sentence: str) -> Iterator[_Span]:
    """The spans of a sentence, and its title, that could answer this kind of question."""
    asked = plain(question)
    own = f" {key_of(question)} "
    if re.search(r"\b(?:what|which) year\b", asked):
        patterns = [_YEAR]
    elif re.search(r"\bwhen\b|\b(?:what|which) (?:date|day|decade|century)\b|\bdate\b", asked):
        patterns = [_DATE]
    elif re.search(
        r"\bhow (?:many|much|old|long|far|tall|high|large|big|heavy|often)\b|\bnumber of\b|\bpopulation\b", asked
    ):
        patterns = [_NUMBER]
    elif re.search(r"\b(?:occupation|profession|kind|type|genre|nationality)\b|\bwhat (?:is|was) \S+( \S+)?\?", asked):
        patterns = [_KIND_OF, _NAME]
    else:
        patterns = [_NAME, _QUOTED]
    for pattern in patterns:
        for found in pattern.finditer(sentence):
            text = found[1] if pattern.groups else found[0]
            yield from _trimmed(text, found.start(), sentence, own, pattern is _NAME)
    if title and patterns[0] is _NAME and f" {key_of(title)} " not in own:
        yield _Span(re.sub(r"\s*\([^()]*\)$", "", title), 0, sentence)


def _trimmed(text: str, start: int, sentence: str, own: str, is_name: bool) -> Iterator[_Span]:
    """The span without opening words that do not belong to a name; nothing if the question already contains it."""
    text = text.strip(" .,'’")
    while is_name and text.partition(" ")[0] in _NO_NAMES:
        start, text = start + len(text.partition(" ")[0]) + 1, text.partition(" ")[2]
    if text and f" {key_of(text)} " not in own and not (is_name and text.isdigit()):
        yield _Span(text, start, sentence)


def _nearness(span: _Span, weights: dict[str, float], title: str) -> float:
    """How close the span is to words of the question, except those in the sentence's title."""
    subject = set(map(_root, words(title)))
    middle = len(re.findall(r"\w+", span.sentence[: span.start]))
    length = len(re.findall(r"\w+", span.text))
    near = 0.0
    for position, word in enumerate(re.findall(r"\w+", plain(span.sentence))):
        root = _root(stem(word))
        if root in weights and root not in subject:
            gap = middle - position if position < middle else max(0, position - middle - length + 1) + 1
            near = max(near, weights[root] / (1 + max(0, gap - 1) / _NEAR))
    return near / (max(weights.values(), default=1.0) or 1.0)


def _fit(question: str, span: _Span) -> float:
    """How well the form and context of a span fit the question word."""
    before = span.sentence[: span.start].rstrip().rpartition(" ")[2].lower()
    asked = set(re.findall(r"\w+", plain(question)))
    if "who" in asked or "whom" in asked:
        place = 0.2 if before == "by" else -0.2 if before in ("in", "at", "of") else 0.0
        return place + (0.2 if " " in span.text else 0.0)
    if asked & _ABOUT_PLACES:
        return 0.25 if before in ("in", "at", "near", "to", "from", "of") else 0.0
    return 0.0


def _root(word: str) -> str:
    """The common beginning of related words: director, directed, directs."""
    return word[:5]
