r"""StrategyQA (Geva et al. 2021): yes-or-no questions with implicit reasoning steps. MIT licence.

One record of the list in `train.json`:

    {"qid": "2bc9c4f9c19c167187f2", "term": "Genghis Khan", "description": "founder … of the Mongol Empire",
     "question": "Are more people today related to Genghis Khan than Julius Caesar?", "answer": true,
     "facts": ["Julius Caesar had three children.", …],
     "decomposition": ["How many kids did Julius Caesar have?", …, "Is #2 greater than #1?"],
     "evidence": [[[["Caesarion-2", "Julia (daughter of Caesar)-1"]], …, ["operation"]], …]}

becomes `Task("strategyqa/train/2bc9…", "strategyqa", question, "yes", "train", meta={"term": …, "facts": …,
"decomposition": …, "evidence": …})`. A record may also be only `{"question": "Is ice cold?", "answer": true}`, as in
the file that Lumos released; its id is then its position.

Train and dev are separate files and separate splits. The evaluation file released with Lumos combines train and dev, so
a model trained on train has seen most of it: train on train only, and report dev only.
"""

from __future__ import annotations

from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, Row, bad_field, key_field, list_field, text_field


def task(row: Row, split: str) -> Task:
    """The task of one record; `meta` holds its term, description, facts, decomposition and evidence, if present."""
    question, key = text_field(row, "question").strip(), key_field(row, "qid", "id", "_id")
    answer = row.value.get("answer")
    if not isinstance(answer, bool):
        raise bad_field(row, "answer", "true or false", answer)
    meta: dict[str, Any] = {}
    for name in ("term", "description"):  # both may be empty
        if isinstance(row.value.get(name), str):
            meta[name] = row.value[name].strip()
    for name in ("facts", "decomposition"):
        if name in row.value:
            meta[name] = _texts(row, name)
    if "evidence" in row.value:
        meta["evidence"] = list_field(row, "evidence")
        if not all(
            isinstance(steps, list) and all(isinstance(mark, list) for mark in steps) for steps in meta["evidence"]
        ):
            raise bad_field(row, "evidence", "a list of steps for each annotator, each a list", meta["evidence"])
    return Task(f"strategyqa/{split}/{key}", "strategyqa", question, "yes" if answer else "no", split, meta=meta)


def _texts(row: Row, name: str) -> list[str]:
    values = list_field(row, name)
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise bad_field(row, name, "a list of texts", values)
    return [value.strip() for value in values]


def evidence_titles(step: object) -> list[str]:
    """Titles of an annotator's paragraphs for a step: `[["Caesarion-2"]]` gives `["Caesarion"]`."""
    if isinstance(step, str):
        title, _, number = step.rpartition("-")
        return [title] if number.isdigit() else []  # else "operation" or "no_evidence"
    return [title for part in step for title in evidence_titles(part)] if isinstance(step, list) else []


_DEV = ("dev.json", "data/strategyqa/dev.json", "*dev*.json")
READER = Reader(
    benchmark="strategyqa",
    origin="https://github.com/eladsegal/strategyqa, data/strategyqa (MIT)",
    files={
        "train": ("train.json", "strategyqa_train.json", "data/strategyqa/train.json"),
        "dev": _DEV,
        "test": _DEV,  # the official test answers are not published; results are reported on dev
    },
    task=task,
)
