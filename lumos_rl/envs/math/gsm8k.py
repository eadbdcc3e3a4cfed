r"""GSM8K (Cobbe et al. 2021): grade-school word problems with a worked solution. MIT licence.

One record, a line of `train.jsonl`:

    {"question": "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. …",
     "answer": "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nNatalia sold 48+24 = <<48+24=72>>72 clips …\n#### 72"}

becomes `Task("gsm8k/train/0", "gsm8k", question, answer="72", split="train", meta={"solution": "Natalia sold …"})`.
"""

from __future__ import annotations

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, answer_number, bad_field, text_field
from lumos_rl.data.raw import Row


def task(row: Row, split: str) -> Task:
    """The task of one record; `meta["solution"]` holds the worked solution without the final `#### answer`."""
    question, answer = text_field(row, "question"), text_field(row, "answer")
    solution, mark, gold = answer.rpartition("####")
    try:
        gold = answer_number(gold)
    except ValueError as error:
        raise bad_field(row, "answer", "a solution that ends with '#### ' and a number", answer[-40:]) from error
    if not mark:
        raise bad_field(row, "answer", "a solution that ends with '#### ' and a number", answer[-40:])
    return Task(
        f"gsm8k/{split}/{row.index}", "gsm8k", question.strip(), gold, split, meta={"solution": solution.strip()}
    )


READER = Reader(
    benchmark="gsm8k",
    origin="https://github.com/openai/grade-school-math, grade_school_math/data (MIT), or source='hf:openai/gsm8k'",
    files={
        split: (f"{split}.jsonl", f"grade_school_math/data/{split}.jsonl", f"{split}*.jsonl")
        for split in ("train", "test")
    },
    task=task,
    hub_config="main",
)
