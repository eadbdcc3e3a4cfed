"""Reads numbers, dates and yes or no in texts, so that `Calculator` can compare answers.

>>> read_quantity("about 1.2 million people"), read_quantity("sixteen"), read_quantity("nothing at all")
(Fraction(1200000, 1), Fraction(16, 1), None)
>>> read_quantity("July 4, 1776") < read_quantity("12 March 1980"), read_date("44 BC")
(True, Fraction(-44, 1))
>>> FactCalculator()("R1 > R2", {"R1": Value.of("five"), "R2": Value.of("3 children")}).text
'yes'

A date is a number of years: 4 July 1776 is 1776 + 185/366. So dates can be compared with each other and with years, and
the difference of two dates is in years.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from lumos_rl.envs.qa.tools.knowledge import Reply
from lumos_rl.errors import ToolError
from lumos_rl.metrics import normalize_answer
from lumos_rl.metrics import yes_no as read_yes_no
from lumos_rl.tools.base import Value, arguments
from lumos_rl.tools.code.code import Code, value_of_text
from lumos_rl.tools.expression import MAX_LENGTH
from lumos_rl.tools.math.calculator import Calculator

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{name}|{name[:3]}\\.?" for name in _MONTHS)
_DATE = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)?\s+)?(?P<month>{_MONTH})"
    r"(?:\s+(?P<day2>\d{1,2})(?:st|nd|rd|th)?\b)?,?\s+(?P<year>\d{1,4})\b(?!\s*(?:,\s*)?\d)|\b(?P<iso>\d{4})-(?P<isomonth>\d{2})-(?P<isoday>\d{2})\b",
    re.IGNORECASE,
)
_BC = re.compile(r"\b(\d{1,4})\s*(?:BCE?|B\.C\.(?:E\.)?)(?!\w)")
_YEAR = re.compile(r"(?<![\d,.$€£])\b(?:1\d{3}|20\d{2})\b(?![,.]?\d|\s*(?:people|inhabitants|km|miles|m\b))")
_DIGITS = r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?|-?\.\d+"
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALED = re.compile(rf"(?<![\w.,])(?P<number>{_DIGITS})(?:\s+(?P<scale>{'|'.join(_SCALES)})\b)?", re.IGNORECASE)
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_UNITS = {word: value for value, word in enumerate(_SMALL)} | {word: 20 + 10 * i for i, word in enumerate(_TENS)}
_WORDS = re.compile(rf"\b(?:(?:{'|'.join([*_UNITS, *_SCALES])})\b[\s-]*(?:and\s+)?)+", re.IGNORECASE)
_COMPARISON = re.compile(r"^(?P<left>.+?)(?P<sign>==|!=|≠|(?<![<>!=])=(?!=))(?P<right>.+)$", re.DOTALL)
_LONGEST = 400  # characters of a number; longer ones are ignored
_LONGEST_ANSWER = 5_000  # characters of a text that may state a number; a result of Code has at most 2,000
_LITERALS = {True: "True", False: "False"}


def read_date(text: str) -> Fraction | None:
    """The first date or year of a text, in years; None if there is none."""
    if bc := _BC.search(text):
        return -Fraction(int(bc[1]))
    if found := _DATE.search(text):
        return _years(found)
    return Fraction(year[0]) if (year := _YEAR.search(text)) else None


def read_quantity(text: str) -> Fraction | None:
    """The date in a text, otherwise its first number in digits or words; None if there is neither."""
    if date := (_BC.search(text) or _DATE.search(text)):
        return read_date(date[0])
    if (found := _SCALED.search(text)) and len(found["number"]) <= _LONGEST:
        return Fraction(found["number"].replace(",", "")) * _SCALES.get((found["scale"] or "").lower(), 1)
    if (spelled := _WORDS.search(text)) and len(spelled[0]) <= _LONGEST:
        return Fraction(_spelled(spelled[0]))
    return None


class FactCode(Code):
    """Code on answers: R3 is the bare answer of a `QA`, converted to a number if it is one."""

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The result of the code; raises as `Code` does."""
        plain = {
            name: value_of_text(value.exact.answer) if isinstance(value.exact, Reply) else value
            for name, value in bindings.items()
        }
        return super().__call__(args, plain)


class FactCalculator(Calculator):
    """Arithmetic and comparisons of numbers with units, number words, dates, and yes or no in texts."""

    usage = "Calculator(R3 > R6): arithmetic and comparisons of numbers, dates, answers and yes or no"
    schema = arguments(expression="Arithmetic or a comparison of results, such as R3 > R6.")

    def __call__(self, args: str, bindings: Mapping[str, Value]) -> Value:
        """The value of the expression; a comparison gives "yes" or "no".

        Raises:
            ToolError: It has no value.
        """
        numbers = {name: _as_number(value) if name in args else value for name, value in bindings.items()}
        try:
            value = super().__call__(_literals(args) if len(args) <= MAX_LENGTH else args, numbers)
        except ToolError:
            same = _same_text(args, bindings)
            if same is None:
                raise
            value = Value.of(same)
        if isinstance(value.exact, bool):
            return Value(value.exact, "yes" if value.exact else "no")
        if _mentions_date(args, bindings) and isinstance(value.exact, Fraction) and value.exact.denominator > 1:
            return Value.of(Decimal(round(value.exact * 100)).scaleb(-2))  # a difference of dates, in years
        return value


def _as_number(value: Value) -> Value:
    """The value as a number or bool, if its text states one."""
    text = answer_text(value)
    if not isinstance(text, str) or len(text) > _LONGEST_ANSWER:
        return value
    truth = read_yes_no(text) if normalize_answer(text) in ("yes", "no", "true", "false") else None
    if truth is not None:
        return Value.of(truth)
    number = read_quantity(text)
    return value if number is None else Value.of(number)


def answer_text(value: Value) -> object:
    """The bare answer of a result of `QA`; the exact object of any other value."""
    return value.exact.answer if isinstance(value.exact, Reply) else value.exact


def _literals(args: str) -> str:
    """The expression with dates, number words and yes or no in the notation of the calculator."""
    args = _BC.sub(lambda found: f"(-{found[1]})", args)
    args = _DATE.sub(lambda found: f"({_years(found)})", args)
    args = re.sub(r"\b(yes|no)\b", lambda found: _LITERALS[found[1].lower() == "yes"], args, flags=re.IGNORECASE)
    args = _SCALED.sub(lambda found: f"({read_quantity(found[0])})" if found["scale"] else found[0], args)
    return _WORDS.sub(lambda found: f"{_spelled(found[0])} ", args)


def _mentions_date(args: str, bindings: Mapping[str, Value]) -> bool:
    texts = [args, *(str(answer_text(value)) for name, value in bindings.items() if re.search(rf"\b{name}\b", args))]
    return any(_DATE.search(text[:_LONGEST_ANSWER]) for text in texts)


def _same_text(args: str, bindings: Mapping[str, Value]) -> bool | None:
    """Whether the two sides of `R3 = R6` are the same answer; None if this is not such a comparison."""
    found = _COMPARISON.match(args) if len(args) <= MAX_LENGTH else None
    if found is None:
        return None
    sides = []
    for side in (found["left"].strip().strip("\"'"), found["right"].strip().strip("\"'")):
        text = str(answer_text(bindings[side])) if side in bindings else side
        if not normalize_answer(text) or (side not in bindings and re.fullmatch(r"R\d+", side)):
            return None
        sides.append(normalize_answer(text))
    return (sides[0] == sides[1]) == (found["sign"] in ("=", "=="))


def _years(found: re.Match[str]) -> Fraction:
    if found["iso"]:
        year, month, day = int(found["iso"]), int(found["isomonth"]), int(found["isoday"])
    else:
        name = found["month"].lower().rstrip(".")[:3]
        month = next(number for number, full in enumerate(_MONTHS, 1) if full.startswith(name))
        year, day = int(found["year"]), int(found["day"] or found["day2"] or 1)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    days = sum(lengths[: max(0, min(month, 12) - 1)]) + max(1, min(day, 31)) - 1
    return year + Fraction(days, sum(lengths))


def _spelled(text: str) -> int:
    """`two hundred and five thousand` as 205000."""
    total = group = 0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _UNITS:
            group += _UNITS[word]
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in _SCALES:
            total, group = total + (group or 1) * _SCALES[word], 0
    return total + group
