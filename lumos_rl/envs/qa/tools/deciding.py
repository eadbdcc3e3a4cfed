"""Answers closed questions by rules: yes or no, and which of two.

>>> decide("Is 22 greater than 5?", []), decide("Is Italy the same as Spain?", [])
(True, False)
>>> years = {"Ann": 1950, "Bo": 1940}
>>> lines = [read_line(f"Question: When was {name} born?; Answer: {year}") for name, year in years.items()]
>>> choose("Who was born earlier, Ann or Bo?", ("Ann", "Bo"), lines)
'Bo'
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lumos_rl.envs.qa.tools.quantity import read_date, read_quantity
from lumos_rl.envs.qa.tools.titles import key_of, plain, split_sentences, suffixless, without_suffix, words
from lumos_rl.metrics import normalize_answer, yes_no
from lumos_rl.prompts import NO_ANSWER

_ANSWERED = re.compile(r"Question: (?P<question>.*); Answer: (?P<answer>.*)", re.DOTALL)
_EVIDENCE = re.compile(
    r"(?:Evidence \d+: )?(?:\[(?P<title>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\] )?(?P<text>.*)", re.DOTALL
)
_AUXILIARY = re.compile(
    r"(?:(?:and|so|then|also|if .*?,|considering .*?,|given .*?,|based on .*?,|according to .*?,) )?"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|would|will|should|must|may|might|isn't|aren't|doesn't|don't)\b",
    re.IGNORECASE,
)
_CAPITAL = r"[A-Z0-9À-ÖØ-Þ\"“][\w'’.&\"”-]*"
_RUN = rf"{_CAPITAL}(?:,? (?:(?:of|the|a|an|de|la|van|von|der|and|for|in|to|&|from) ){{0,2}}{_CAPITAL}| \([^()]*\))*"
_NAMES = re.compile(_RUN)
_OR = re.compile(r",? or (?:the |a )?")
_MORE = "greater|more|larger|higher|bigger|longer|taller|heavier|after|later|exceed\\w*|above|over|most|largest|faster"
_LESS = "less|fewer|smaller|lower|shorter|before|earlier|under|below|lighter|slower|fewest|smallest"
_AT_LEAST = re.compile(r"or equal|at least|at most|no (?:more|less) than|enough")
_EARLY = re.compile(r"\b(?:first|earlier|earliest|older|oldest|before)\b")
_LATE = re.compile(r"\b(?:later|latest|last|younger|youngest|newer|newest|recent|recently|after)\b")
_MUCH = re.compile(rf"\b(?:{_MORE})\b")
_LITTLE = re.compile(rf"\b(?:{_LESS})\b")
_SAME = re.compile(r"\b(?:same|equal|identical|match(?:es)?)\b")
_DIFFERENT = re.compile(r"\b(?:different|differs?|distinct|not the same)\b")
_NEGATION = re.compile(r"\b(?:no|not|never|none|without|n't|cannot|neither|nor|unable|rarely)\b|n't\b")
LONGEST_TITLE = 300  # characters of a title that are read; Wikipedia's have at most 255
_SHARE = 0.5  # of the question's words that the best sentence must contain for a yes


@dataclass(frozen=True, slots=True)
class Line:
    """One line of evidence: a piece with its title, or a question with its earlier answer.

    Attributes:
        title: The piece's title, or the answered question; "" if there is none.
        sentences: The piece's sentences, or the answer.
        answer: The earlier answer; None for a piece.
    """

    title: str
    sentences: tuple[str, ...]
    answer: str | None = None


def read_line(line: str) -> Line:
    """Parses a line that `ParagraphRetrieve` or `QA` wrote."""
    if answered := _ANSWERED.fullmatch(line):
        return Line(answered["question"], (answered["answer"],), answered["answer"])
    found = _EVIDENCE.fullmatch(line)
    assert found is not None, "every part of the pattern is optional"
    return Line(found["title"] or "", tuple(split_sentences(found["text"])))


def verdict(answer: str | None) -> bool | None:
    """The yes or no of an answer; None if it is neither. "No answer", however written, is neither."""
    return None if normalize_answer(answer or "") == NO_ANSWER.lower() else yes_no(answer)


def is_yes_no(question: str) -> bool:
    """Whether the answer to the question is yes or no."""
    return bool(_AUXILIARY.match(question.strip())) and not _alternatives(question)


def _alternatives(text: str) -> list[tuple[str, str]]:
    """Each two names joined by " or " in the text."""
    pairs: list[tuple[str, str]] = []
    start = free = 0  # where the left side may begin; up to where names belong to an earlier pair
    for joint in _OR.finditer(text):
        left = next((run for run in _runs(text, start, joint.start()) if run.end() == joint.start()), None)
        right = _NAMES.match(text, joint.end())
        start = joint.end()
        if left is not None and right is not None and left.start() >= free:
            pairs.append((left[0], right[0]))
            free = right.end()
    return pairs


def _runs(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """The names in a part of the text."""
    return _NAMES.finditer(text, start, end)


def decide(question: str, lines: Sequence[Line]) -> bool | None:
    """Yes or no; None if the lines contain nothing relevant to the question."""
    asked = plain(question)
    said = verdict(lines[-1].answer) if lines else None
    if said is not None and all(line.answer for line in lines):
        return said
    for rule in (_by_quantities, _by_sameness):
        said = rule(question, asked, lines)
        if said is not None:
            return said
    return _by_words(question, asked, lines)


def _by_quantities(question: str, asked: str, lines: Sequence[Line]) -> bool | None:
    much = _MUCH.search(asked)
    sign = much or _LITTLE.search(asked)
    if sign is None:
        return None
    left, right = _side(question[: sign.start()], lines), _side(question[sign.end() :], lines)
    if left is None or right is None:
        return None
    if left == right:
        return bool(_AT_LEAST.search(asked))
    more = left > right
    negated = bool(_NEGATION.search(asked[: sign.start()]))
    return (more if much else not more) != negated


def _side(text: str, lines: Sequence[Line]) -> Fraction | None:
    """The quantity on one side of a comparison, or the one that the lines give for the entity named there."""
    number = read_quantity(text)
    if number is not None:
        return number
    for line in lines:
        name = suffixless(line.title)
        if name and (f" {name} " in f" {key_of(text)} " or (line.answer and _mentioned(text, line.title))):
            sentence = next((part for part in line.sentences if read_date(part) or read_quantity(part)), "")
            return read_date(sentence) or read_quantity(sentence)
    return None


def _mentioned(text: str, question: str) -> bool:
    names = re.findall(_RUN, text)
    return bool(names) and all(key_of(name) in key_of(question) for name in names[-1:])


def _by_sameness(question: str, asked: str, lines: Sequence[Line]) -> bool | None:
    different = _DIFFERENT.search(asked)
    sign = different or _SAME.search(asked)
    if sign is None:
        return None
    answers = [normalize_answer(line.answer) for line in lines if line.answer]
    if len(answers) >= 2:
        equal = answers[-1] == answers[-2]
    else:
        left = re.sub(r"^\s*\w+\s+|\s+(?:the|a|as)\s*$", " ", question[: sign.start()])
        right = re.sub(r"^\s*(?:as|from|than|to|with)?\s+", "", question[sign.end() :])
        pair = [set(words(left)), set(words(right))]
        if not all(pair):
            return None
        equal = bool(pair[0] & pair[1])
    return equal != bool(different)


def _by_words(question: str, asked: str, lines: Sequence[Line]) -> bool | None:
    wanted = set(words(question))
    best, said = 0.0, None
    for line in lines:
        titled = wanted & set(words(line.title[:LONGEST_TITLE]))
        for sentence in line.sentences:
            share = len(titled | wanted & set(words(sentence))) / (len(wanted) or 1)
            if share > best:
                negated = bool(_NEGATION.search(plain(sentence))) != bool(_NEGATION.search(asked))
                best, said = share, (share >= _SHARE) != negated
    return said


def options_of(question: str, lines: Sequence[Line]) -> tuple[str, str] | None:
    """The two names between which a question asks to choose: `…, Ann or Bo?`."""
    if " or " not in question or any(
        _alternatives(line.title[:LONGEST_TITLE]) for line in lines if line.answer is None
    ):
        return None
    asked = f" {key_of(question)} "
    titles = [line.title for line in lines if line.answer is None and f" {suffixless(line.title)} " in asked]
    named = sorted(dict.fromkeys(titles), key=lambda title: asked.find(f" {suffixless(title)} "))
    if len(named) >= 2 and _between(asked, named[0], named[1]):
        return without_suffix(named[0]), without_suffix(named[1])
    found = _alternatives(question)
    return (found[-1][0].strip(" ,"), found[-1][1].strip(" ,?")) if found else None


def _between(asked: str, first: str, second: str) -> bool:
    start, end = asked.find(f" {suffixless(first)} "), asked.find(f" {suffixless(second)} ")
    return start < end and " or " in asked[start : end + 1]


def choose(question: str, options: tuple[str, str], lines: Sequence[Line]) -> str | None:
    """The option that the question asks for; None if the lines do not decide it."""
    last = lines[-1].answer if lines else None
    for option in options:
        if last is not None and normalize_answer(last) == normalize_answer(option):
            return option
    own = [[line for line in lines if _about(option, line)] for option in options]
    asked = plain(question)
    dated = _EARLY.search(asked) or _LATE.search(asked)
    values = [_value(part, asked, bool(dated)) for part in own]
    if values[0] is not None and values[1] is not None and (dated or _MUCH.search(asked) or _LITTLE.search(asked)):
        smaller = bool(_EARLY.search(asked)) if dated else not _MUCH.search(asked)
        return options[(values[0] > values[1]) == smaller] if values[0] != values[1] else options[0]
    wanted = set(words(question)) - set(words(" ".join(options)))
    shares = [max((len(wanted & set(words(" ".join(line.sentences)))) for line in part), default=0) for part in own]
    return options[shares[1] > shares[0]] if any(own) else None


def _about(option: str, line: Line) -> bool:
    return f" {suffixless(option)} " in f" {key_of(line.title)} "


def _value(lines: Sequence[Line], asked: str, dated: bool) -> Fraction | None:
    """The date or number in the lines about one option, from the sentence that shares most words with the question."""
    wanted = set(words(asked))
    sentences = sorted(
        (sentence for line in lines for sentence in line.sentences),
        key=lambda sentence: -len(wanted & set(words(sentence))),
    )
    read = read_date if dated else read_quantity
    return next((value for value in map(read, sentences) if value is not None), None)
