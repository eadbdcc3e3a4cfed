"""Makes the sentences of plans from the sentences of a worked solution, without its results.

>>> line = "Weng earns 12/60 = $<<12/60=0.2>>0.2 per minute."
>>> ask(line, equations(line), set())
'Weng earns how much per minute?'
>>> line = "He ate 32 slices because 2 x 16 = <<2*16=32>>32"
>>> ask(line, equations(line), set())
'He ate how many slices?'
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from lumos_rl.envs.math.equations import NUMBER, Equation, equations, spell, stated_value

__all__ = ["ask", "ask_for_unknown", "equations"]

_MARK = re.compile(r"<<[^<>]*>>")
_ANY_NUMBER = re.compile(rf"(?P<currency>[$£€]\s?)?(?<![\w.])(?P<number>{NUMBER})(?P<percent>\s?%)?")
_QUESTION_WORD = r"(?:how many|how much|what percentage)"
_ASKED = re.compile(_QUESTION_WORD, re.IGNORECASE)
# A last clause that only explains or repeats the question of the sentence, as in `because how much`.
_TAIL = re.compile(
    rf"(?:\s*(?P<colon>[:=])|\s+(?:because|since|as|so))\s*\(?{_QUESTION_WORD}(?:\s[\w./%]+){{0,3}}\W*$", re.I
)
_NO_NOUN = frozenset(
    "a after all altogether an and are as at away back because before but by during each every extra for from"
    " given had has have if in into is it left less long more of off old on or out over per remaining since so"
    " than that the then there this to together total until was were when where which while will with would".split()
)
_FILLERS = frozenset("finally first hence next now second so that then therefore thus".split())
_ORDERS = {"-": "Subtract {1} from {0}", "*": "Multiply {0} by {1}", "/": "Divide {0} by {1}"}


def ask(
    line: str, found: Sequence[Equation], given: Collection[Fraction], known: Mapping[Fraction, str] | None = None
) -> str:
    """The line as a question, or as an instruction if little but a calculation is left of it.

    Args:
        line: A line of a worked solution.
        found: Its equations, whose results are hidden.
        given: Numbers of the task, which are not hidden.
        known: Words for the results of earlier subgoals, for sentences that name operands.
    """
    hidden = {stated_value(equation.stated) for equation in found} - set(given)
    pieces, position = [], 0
    for equation in sorted(found, key=lambda equation: equation.start):
        start = len(line[: equation.start].rstrip().rstrip("$£€("))
        if start < position:
            continue
        before = line[position:start]
        pieces += [_hide(before, hidden), " ", _question_word(line[start : equation.end], line[equation.end :])]
        position = equation.end
    rest = re.sub(r"^(?=\w)", " ", re.sub(r"^\s?%|^\)", "", line[position:]))
    text = _MARK.sub("", "".join(pieces) + _hide(rest, hidden))
    names = {value: name for value, name in (known or {}).items() if value not in given}
    return _finish(_cut_tail(text), found, names)


def ask_for_unknown(letter: str, lines: Sequence[str]) -> str:
    """The sentence for solving an equation; it says what the unknown is, if a line defines it.

    >>> ask_for_unknown("x", ['Let x be the price of a necklace.', "3x = 12"])
    'Set up an equation for x, the price of a necklace, and solve it.'
    """
    quoted = rf"[\"“']?{letter}[\"”']?"
    patterns = (
        rf"\b[Ll]et\s+{quoted}\s*(?:be|represent|stand for|denote|equal|=)\s+(?:equal to\s+)?(?P<what>[^.,;:=\d]+)",
        rf"\b[Ll]et\s+(?P<what>[^.,;:=\d]+?)\s+(?:be|equal)\s+(?:represented by |equal to |called )?{quoted}(?!\w)",
        rf"^\W*{quoted}\s*=\s*(?P<what>[A-Za-z][a-z'’]+[^.,;:=\d]*)",
    )
    for line in lines:
        for pattern in patterns:
            what = re.search(pattern, _MARK.sub("", line))
            if what:
                return f"Set up an equation for {letter}, {what['what'].strip()}, and solve it."
    return f"Set up an equation for {letter} and solve it."


def _question_word(calculation: str, rest: str) -> str:
    if re.match(r"\s?%", rest) or calculation.rstrip().endswith("%"):
        return "what percentage"
    if re.search(r"[$£€]", calculation):
        return "how much"
    noun = re.match(r"\s*(?:more |fewer |extra |additional )?([^\W\d]+)", rest)
    return "how many" if noun and noun[1].lower() not in _NO_NOUN else "how much"


def _hide(text: str, hidden: Collection[Fraction | None]) -> str:
    """The text with every hidden number replaced by a question word."""

    def asked(found: re.Match[str]) -> str:
        if stated_value(found["number"].replace(",", "")) not in hidden:
            return found[0]
        return _question_word(found[0], text[found.end() :])

    return _ANY_NUMBER.sub(asked, text)


def _cut_tail(text: str) -> str:
    """The text without a last clause that only repeats the question: `He ate how many slices because how much`."""
    tail = _TAIL.search(text)
    if tail and (tail["colon"] == ":" or _ASKED.search(text[: tail.start()])):
        return text[: tail.start()]
    return text


def _finish(text: str, found: Sequence[Equation], known: Mapping[Fraction, str]) -> str:
    """The sentence with a capital and a final mark; a sentence that says too little also names the operation."""
    text = re.sub(r"\s+", " ", text).replace(" ,", ",").replace("; ", ", ").strip(" .,;:=?!-")
    said = [word for word in re.findall(r"\w+", _ASKED.sub("", text).lower()) if word not in _FILLERS]
    if found and ("=" in text or len(said) < 3):
        order = _order(found[0].terms, known)
        return f"{order}: {text[0].lower()}{text[1:]}?" if said and "=" not in text else f"{order}."
    return f"{text[:1].upper()}{text[1:]}{'?' if _ASKED.search(text) else '.'}"


def _order(terms: Sequence[str], known: Mapping[Fraction, str]) -> str:
    """`Multiply 5 by the result of Subgoal 1`, for a line with little but a calculation."""
    spoken = [known.get(value, term) if (value := stated_value(term)) is not None else term for term in terms]
    operands, operators = spoken[::2], set(spoken[1::2])
    if operators == {"+"}:
        return f"Add {', '.join(operands[:-1])} and {operands[-1]}"
    if len(terms) != 3 or spoken[1] not in _ORDERS:
        return f"Work out {spell(spoken)}"
    return _ORDERS[spoken[1]].format(*operands)
