"""Pure scorers, one per benchmark metric.

    >>> numeric_match("$1,250.00", "1250"), numeric_match("3/4", "0.75"), numeric_match("0.333", "1/3")
    (True, True, False)
    >>> token_f1("the Eiffel Tower in Paris", "Eiffel Tower")
    0.6666666666666666
    >>> yes_no("No, nobody knows.")
    False

A scorer takes the agent's answer and the gold answer. Any agent answer gets a score, never an error; a gold answer that
the metric cannot read raises `DataError`.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from lumos_rl.errors import DataError

# One number: grouped or plain digits or a leading dot, then an exponent, or a denominator (with a whole part: mixed).
_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-−–]\s*|(?:minus|negative)\s+)?(?:[$€£¥]\s*)?(?P<minus>[-−–])?(?:(?P<whole>\d+)\s+(?=\d+\s*/\s*\d))?"
    rf"(?P<value>{_UNSIGNED})(?P<exponent>[eE][-+]?\d{{1,3}}(?![\w.]))?(?:\s*/\s*(?P<denominator>{_UNSIGNED}))?",
    re.IGNORECASE,
)
_LONGEST = 400  # characters; longer answers are not read as numbers
_FLOAT_DIGITS = 6  # decimals from which a number is read as a rounded float
_FLOAT_TOLERANCE = Fraction(1, 10**6)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_YES_NO = re.compile(r"(?<![\w'’])(?:(yes|(?<!not )true)|(no|(?<!not )false))(?![\w'’])", re.IGNORECASE)


def numeric_match(prediction: str | float | Fraction | None, gold: str | float | Fraction) -> bool:
    """Whether two answers are the same number.

    Source: the exact comparison of final answers in github.com/openai/grade-school-math (`is_correct`), on numbers
    instead of text, and the relative tolerance for float golds of github.com/arkilpatel/SVAMP.

    An answer is read as a number with any unit and any words around it: `18.0`, `1,250`, `$5`, `3/4`, `1 1/2`, `2e3`,
    `72 clips`, `$70,000, in all`, `minus 3`. A percent
    sign is a unit too, because these benchmarks write percentages plainly: `50%` is 50, not 0.5. An answer with two
    numbers matches nothing. Equality is exact, with one exception: a number written with six decimals or more is a
    rounded float (SVAMP and ASDiv write 1/3 as 0.3333333333333333) and equals any number within a relative 1e-6 of it.

    Raises:
        DataError: The gold answer holds no number.
    """
    expected = _read_number(str(gold))
    if expected is None:
        raise DataError(f"expected one number as gold answer, got {str(gold)[:60]!r}")
    got = None if prediction is None else _read_number(str(prediction))
    if got is None:
        return False
    if got[0] == expected[0]:
        return True
    if max(got[1], expected[1]) < _FLOAT_DIGITS:
        return False
    return abs(got[0] - expected[0]) <= _FLOAT_TOLERANCE * max(abs(expected[0]), Fraction(1, 1000))


def parse_number(text: str) -> Fraction | None:
    """The one number that `text` holds, as `numeric_match` reads it; None when there is none, or more than one."""
    number = _read_number(text)
    return number[0] if number else None


def _read_number(text: str) -> tuple[Fraction, int] | None:
    """The number and how many decimals it was written with."""
    if len(text) > _LONGEST:
        return None
    found = _NUMBER.search(text)
    if not found or re.search(r"\d", text[: found.start()] + text[found.end() :]):
        return None
    digits = found["value"].replace(",", "").rstrip(".") + (found["exponent"] or "")
    value = Fraction(digits)
    if found["denominator"]:
        denominator = Fraction(found["denominator"].replace(",", "").rstrip("."))
        if denominator == 0:
            return None
        value /= denominator
    value += int(found["whole"] or 0)
    decimals = 0 if found["denominator"] else len(digits.partition(".")[2])
    return (-value if found["sign"] or found["minus"] else value), decimals


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and articles, with single spaces (HotpotQA's order of steps)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str | None, gold: str) -> bool:
    """Whether two answers are equal once normalised.

    Source: `exact_match_score` of github.com/hotpotqa/hotpot, hotpot_evaluate_v1.py.
    """
    return prediction is not None and normalize_answer(prediction) == normalize_answer(gold)


def token_f1(prediction: str | None, gold: str) -> float:
    """Harmonic mean of token precision and recall, between 0 and 1; 0 where only one side is yes, no or noanswer.

    Source: `f1_score` of github.com/hotpotqa/hotpot, hotpot_evaluate_v1.py.
    """
    if prediction is None:
        return 0.0
    got, expected = normalize_answer(prediction), normalize_answer(gold)
    if got != expected and not {"yes", "no", "noanswer"}.isdisjoint((got, expected)):
        return 0.0
    got_tokens, expected_tokens = got.split(), expected.split()
    common = sum((Counter(got_tokens) & Counter(expected_tokens)).values())
    return 2 * common / (len(got_tokens) + len(expected_tokens)) if common else 0.0


def yes_no(text: str | None) -> bool | None:
    """The yes or no (or true or false) that an answer says; None when it says neither or both.

    If the answer opens with such a word, that word decides. `north` does not count as `no`, nor `not true` as `true`.
    """
    found = list(_YES_NO.finditer(text or ""))
    if not found:
        return None
    opens = not re.search(r"\w", (text or "")[: found[0].start()])
    said = {bool(match[1]) for match in (found[:1] if opens else found)}
    return said.pop() if len(said) == 1 else None


def yes_no_match(prediction: str | None, gold: str | bool) -> bool:
    """Whether the answer says the gold yes or no.

    Source: accuracy on the boolean `answer` field, github.com/eladsegal/strategyqa.

    Raises:
        DataError: The gold answer is neither.
    """
    expected = yes_no(str(gold))
    if expected is None:
        raise DataError(f"expected yes, no, true or false as gold answer, got {str(gold)[:60]!r}")
    return yes_no(prediction) is expected


def row_iou(rows: Sequence[object] | None, gold: Sequence[object]) -> float:
    """Intersection over union of two lists of rows, as multisets of `str(row)`; 1 where both are empty.

    Source: reward of InterCode SQL, github.com/princeton-nlp/intercode, intercode/envs/sql/sql_env.py, first version.

    Args:
        rows: The rows to grade; None (an error, or a statement without rows) scores 0.
        gold: The expected rows.
    """
    if rows is None:
        return 0.0
    got, expected = Counter(map(str, rows)), Counter(map(str, gold))
    union = (got | expected).total()
    return (got & expected).total() / union if union else 1.0


def row_iou_kendall(rows: Sequence[object] | None, gold: Sequence[object]) -> float:
    """`row_iou` scaled by how far the order of the common rows agrees, rounded to two places; it can be negative.

    Source: as `row_iou`, the release's newest version. Its tau compares rows as texts, not by rank, and pairs the
    common rows of both lists by position. Where tau is undefined (one common row, or all alike), the score is unscaled.
    """
    score = row_iou(rows, gold)
    if not rows or not gold or not score:
        return score
    common = Counter(map(str, rows)) & Counter(map(str, gold))
    tau = kendall_tau(_common_rows(rows, common), _common_rows(gold, common))
    return score if tau is None else round(tau * score, 2)


def _common_rows(rows: Sequence[object], common: Counter[str]) -> list[str]:
    """The rows that both lists have, in this list's order, each as often as both have it."""
    left, found = Counter(common), []
    for text in map(str, rows):
        if left[text] > 0:
            left[text] -= 1
            found.append(text)
    return found


def kendall_tau(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Kendall's tau-b of two sequences paired by position, as `scipy.stats.kendalltau` gives it; None for its NaN."""
    pairs = sorted(zip(first, second, strict=True))
    total = len(pairs) * (len(pairs) - 1) // 2
    ties_first, ties_second, ties_both = (_tied(Counter(values)) for values in (first, second, pairs))
    if total in (ties_first, ties_second):
        return None
    discordant = _inversions([pair[1] for pair in pairs])
    agreement = total - ties_first - ties_second + ties_both - 2 * discordant
    tau = agreement / math.sqrt(total - ties_first) / math.sqrt(total - ties_second)
    return max(-1.0, min(1.0, tau))


def _tied(counts: Counter[Any]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())


def _inversions(values: list[str]) -> int:
    """Number of pairs in descending order, by merge sort; `values` is sorted in place."""
    if len(values) < 2:
        return 0
    middle = len(values) // 2
    left, right = values[:middle], values[middle:]
    count = _inversions(left) + _inversions(right)
    place = 0
    for value in left:  # both halves are sorted now
        while place < len(right) and right[place] < value:
            place += 1
        count += place
    values[:] = sorted(left + right)
    return count
