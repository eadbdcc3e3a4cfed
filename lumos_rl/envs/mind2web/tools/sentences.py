r"""Texts about recorded actions, for rankers and for the planner.

    >>> translate_action("[combobox]  Reservation type -> SELECT: Pickup")
    'Select Pickup in the combobox Reservation type'
    >>> feedback(translate_action("[button]  Search -> CLICK"))
    'We have already visit button Search.'
    >>> ranking_query("Find pickup", ["[button]  A -> CLICK", "[button]  B -> CLICK"])
    'task is: Find pickup\nPrevious actions: [button]  A -> CLICK; [button]  B -> CLICK'

MindAct's ranker and the models of Lumos were trained with these forms.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

VERBS: Mapping[str, tuple[str, ...]] = {  # Yin et al. 2023, released evaluation
    "CLICK": ("Visit", "Click", "Find and go into", "Enter"),
    "TYPE": ("Type", "Input", "Put text"),
    "SELECT": ("Select", "Choose", "Pick up"),
}
ARROW = " -> "
_RECORDED = re.compile(r"(?P<element>.*?) -> (?P<op>[A-Z]+)(?::(?P<value>.*))?", re.DOTALL)
PREVIOUS = 3  # earlier actions in a ranker's query; MindAct
TASK_IS, PREVIOUS_ACTIONS = "task is: ", "\nPrevious actions: "


def translate_action(text: str, rng: random.Random | None = None) -> str:
    """A recorded action, one of `action_reprs`, as a sentence.

    Args:
        text: E.g. "[button]  Search -> CLICK".
        rng: Draws one of the verbs; None takes the first.
    """
    element, _, rest = text.partition(ARROW)
    tag = element[element.find("[") + 1 : element.find("]")]
    content = element[element.find("]") + 1 :].strip()
    said = rest.partition(ARROW)[0]
    if "CLICK" in said or "HOVER" in said:
        return f"{_verb('CLICK', rng)} {tag} {content}"
    for op in ("TYPE", "SELECT"):
        if op in said:
            return f"{_verb(op, rng)} {said.split(f'{op}:')[-1].strip()} in the {tag} {content}"
    return f"{said.split(':')[0].strip().lower()} {tag} {content}."


def _verb(op: str, rng: random.Random | None) -> str:
    return rng.choice(VERBS[op]) if rng else VERBS[op][0]


def feedback(sentence: str) -> str:
    """The sentence for the planner after a step."""
    return f"We have already {sentence[:1].lower()}{sentence[1:]}."


def parse_recorded(text: str) -> tuple[str, str, str]:
    """Words of the element, operation and value of a recorded action: ("combobox Size", "SELECT", "Large").

    Any operation except TYPE and SELECT is a click.
    """
    found = _RECORDED.fullmatch(text)
    element, op, value = found.group("element", "op", "value") if found else (text, "CLICK", "")
    words = " ".join(element.replace("[", " ", 1).replace("]", " ", 1).split())
    return (words, op, (value or "").strip()) if op in ("TYPE", "SELECT") else (words, "CLICK", "")


def ranking_query(wanted: str, previous: Sequence[str]) -> str:
    """The query for a ranker.

    Args:
        wanted: The task, or the grounder's query.
        previous: All earlier recorded actions; the last three are included.
    """
    return f"{TASK_IS}{wanted}{PREVIOUS_ACTIONS}{'; '.join(previous[-PREVIOUS:])}"


def grounded_query(op: str, query: str, text: str) -> str:
    """The grounder's query; for a selection, with the wanted option."""
    return f"{query} The option contents should be close to '{text}'." if op == "SELECT" else query


def process_tag(text: str) -> str:
    """The words of an element in a candidate's text, without its tag, its id, and words with a bracket."""
    words = text.split("target: ")[-1].strip().split(" ")[2:]
    return " ".join(word for word in words if "(" not in word and ")" not in word).strip()
