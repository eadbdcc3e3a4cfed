"""SVAMP (Patel et al. 2021): short word problems that vary wording, order and irrelevant numbers. MIT licence.

One record of the list in `SVAMP.json`:

    {"ID": "chal-1", "Body": "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars on each pack",
     "Question": "How much do you have to pay to buy each pack?", "Equation": "( 76.0 - 25.0 )", "Answer": 51.0,
     "Type": "Subtraction"}

becomes `Task("svamp/test/chal-1", "svamp", "Each pack … on each pack, how much do you have to pay to buy each pack?",
answer="51", split="test", meta={"equation": "( 76.0 - 25.0 )", "question": "How much do …", "type": "Subtraction"})`.
"""

from __future__ import annotations

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, number_field, text_field
from lumos_rl.data.raw import Row


def task(row: Row, split: str) -> Task:
    """The task of one record; `meta` holds its infix equation, its question sentence and its type."""
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
    files={"test": ("SVAMP.json", "data/SVAMP.json", "SVAMP*.json", "test.json")},
    task=task,
)
