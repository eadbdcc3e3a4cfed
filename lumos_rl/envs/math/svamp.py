"""SVAMP (Patel et al. 2021): short word problems that vary wording, order and irrelevant numbers. MIT licence.

One record of the list in `SVAMP.json`:

    {"ID": "chal-1", "Body": "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars on each pack",
     "Question": "How much do you have to pay to buy each pack?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0,
     "Type": "Subtraction"}

becomes `Task("svamp/test/chal-1", "svamp", "Each pack … on each pack, how much do you have to pay to buy each pack?",
answer="51", split="test", meta={"equation": "( 76.0 - 25.0 )", "question": "How much do …", "type": "Subtraction"})`.

The splits "train" and "dev" are those of a cross-validation fold, a folder with `train.csv` and `dev.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, number_field, text_field
from lumos_rl.data.raw import Row
from lumos_rl.envs.math.mawps import FOLD_FILES, slotted_task


def task(row: Row, split: str) -> Task:
    """The task of one record; `meta` holds its infix equation, its question sentence and its type.

    A record with number slots, as in the folds, is read as `lumos_rl.envs.math.mawps` reads it.
    """
    if isinstance(row.value, Mapping) and "Numbers" in row.value:
        return slotted_task(row, split, "svamp")
    body, question = text_field(row, "Body").strip(), text_field(row, "Question").strip()
    meta = {"equation": text_field(row, "Equation").strip(), "question": question, "type": text_field(row, "Type")}
    answer = number_field(row, "Answer")
    key = text_field(row, "ID")
    return Task(f"svamp/{split}/{key}", "svamp", join_question(body, question), answer, split, meta=meta)


def join_question(body: str, question: str) -> str:
    """Body and question as one text; a body without a final mark is continued after a comma."""
    if body.endswith((".", "!", "?")):
        return f"{body} {question}"
    return f"{body.rstrip(',')}, {question[:1].lower()}{question[1:]}"


READER = Reader(
    benchmark="svamp",
    origin="https://github.com/arkilpatel/SVAMP (MIT), or source='hf:ChilleD/SVAMP'",
    files={"test": ("SVAMP.json", "data/SVAMP.json", "SVAMP*.json", "test.json"), **FOLD_FILES},
    task=task,
)
