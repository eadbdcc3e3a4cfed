"""MAWPS + ASDiv-A as SVAMP's authors prepared them for training: short word problems with number slots. MIT licence.

One record, a row of `train.csv` (without the columns that are not used):

    Question  Conner has number0 dollars in his bank account . Every month he spends number1 dollars . …
    Numbers   25000.0 1500.0 8.0
    Equation  - number0 * number1 number2
    Answer    13000.0

becomes `Task("mawps/train/3", "mawps", "Conner has 25000 dollars in his bank account. …", answer="13000",
split="train", meta={"equation": "- 25000 * 1500 8", "question": "How much money …"})`: slots filled, and spaces before
punctuation removed.
"""

from __future__ import annotations

import re
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, bad_field, number_field, short_number, text_field
from lumos_rl.data.raw import Row

_SLOT = re.compile(r"number(\d+)")


def task(row: Row, split: str) -> Task:
    """The task of one record, as `slotted_task` reads it."""
    return slotted_task(row, split, "mawps")


def slotted_task(row: Row, split: str, benchmark: str) -> Task:
    """The task of a record with number slots, of MAWPS + ASDiv-A or of a fold of SVAMP's cross-validation.

    `meta` holds its prefix equation, numbers filled in, its question sentence, and the equation's own "constants".
    """
    text, equation = text_field(row, "Question"), text_field(row, "Equation")
    try:
        numbers = [short_number(number) for number in text_field(row, "Numbers").split()]
    except ValueError as error:
        raise bad_field(row, "Numbers", "numbers with spaces between them", row.value["Numbers"]) from error
    missing = [slot for slot in _SLOT.findall(f"{text} {equation}") if int(slot) >= len(numbers)]
    if missing:
        raise bad_field(row, "Numbers", f"a number for slot number{missing[0]}", row.value["Numbers"])
    question = row.value.get("Ques")
    meta: dict[str, Any] = {
        "equation": _fill(equation.strip(), numbers),
        "question": _tidy(_fill(question, numbers)) if isinstance(question, str) else "",
    }
    constants = re.findall(r"(?<!\S)[\d.]+", equation)
    if constants:
        meta["constants"] = [short_number(number) for number in constants]
    answer = number_field(row, "Answer")
    return Task(f"{benchmark}/{split}/{row.index}", benchmark, _tidy(_fill(text, numbers)), answer, split, meta=meta)


def _fill(text: str, numbers: list[str]) -> str:
    return _SLOT.sub(lambda slot: numbers[int(slot[1])], text)


def _tidy(text: str) -> str:
    """Text as people write it: "Amy 's 5 books , sold ." gives "Amy's 5 books, sold."."""
    text = re.sub(r" +([.,?!;:%])(?=\s|$)", r"\1", re.sub(r"\s+", " ", text.strip()))
    return re.sub(
        r"(?<=\w) - (?=[a-z])", "-", re.sub(r"(?<=\w) (?='(?:s|t|re|ll|ve|d)\b)", "", text.replace("’ ", "'"))
    )


FOLD_FILES = {  # of the SVAMP repository, or of one of its cross-validation folds, e.g. data/cv_asdiv-a/fold0
    split: (f"{split}.csv", f"mawps-asdiv-a_svamp/{split}.csv", f"data/mawps-asdiv-a_svamp/{split}.csv")
    for split in ("train", "dev")
}
READER = Reader(
    benchmark="mawps",
    origin="https://github.com/arkilpatel/SVAMP, data/mawps-asdiv-a_svamp (MIT)",
    files=FOLD_FILES,
    task=task,
)
