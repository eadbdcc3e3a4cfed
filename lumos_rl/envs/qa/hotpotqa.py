r"""HotpotQA (Yang et al. 2018): questions that need two Wikipedia paragraphs. CC BY-SA 4.0.

One record of the list in `hotpot_dev_distractor_v1.json`:

    {"_id": "5a8b57f25542995d1e6f1371", "question": "Were Scott Derrickson and Ed Wood of the same nationality?",
     "answer": "yes", "type": "comparison", "level": "hard",
     "supporting_facts": [["Scott Derrickson", 0], ["Ed Wood", 0]],
     "context": [["Ed Wood (film)", ["Ed Wood is a 1994 American … film …", " The film concerns …"]], …]}

becomes `Task("hotpotqa/dev/5a8b57f2…", "hotpotqa", question, "yes", "dev", meta={"context": …, "supporting_facts": …,
"type": …, "level": …})`. The hub's columns (`{"title": […], "sentences": […]}`), records with nothing but question and
answer, and those of MuSiQue (Trivedi et al. 2022) are read as well; MuSiQue's have `paragraphs` instead of context and
supporting facts, and `answer_aliases`, each of which counts as right:

    {"id": "2hop__42543_20093", "question": "What year did the writer of Crazy Little Thing Called Love die?",
     "answer": "1991", "answer_aliases": [], "answerable": true, "paragraphs": [{"idx": 0, "title": "Freddie Mercury",
     "paragraph_text": "Freddie Mercury was …", "is_supporting": true}, …]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, Row, bad_field, key_field, list_field, text_field
from lumos_rl.envs.qa.tools.titles import split_sentences

_OTHER_NAMES = ("contexts", "ctxs", "passages", "documents", "docs", "articles")  # of paragraphs, in other data sets


def task(row: Row, split: str) -> Task:
    """The task of one record; `meta` holds its context, supporting facts, type and level, as far as present."""
    question, answer = text_field(row, "question").strip(), text_field(row, "answer").strip()
    record = row.value
    meta: dict[str, Any] = {name: record[name] for name in ("type", "level") if isinstance(record.get(name), str)}
    if record.get("context"):
        meta["context"] = _pairs(row, "context", "sentences", list)
    if record.get("supporting_facts"):
        meta["supporting_facts"] = _pairs(row, "supporting_facts", "sent_id", int)
    if record.get("answerable") is False:
        raise bad_field(row, "answerable", "true, because only an answer can be graded", False)
    if "context" not in meta and record.get("paragraphs"):
        meta |= _paragraphs(row)
    if "context" not in meta and (other := next((name for name in _OTHER_NAMES if record.get(name)), None)):
        raise bad_field(row, other, "paragraphs as `context` (HotpotQA) or `paragraphs` (MuSiQue)", record[other])
    if aliases := record.get("answer_aliases"):
        if not isinstance(aliases, list) or not all(isinstance(each, str) for each in aliases):
            raise bad_field(row, "answer_aliases", "a list of texts", aliases)
        meta["answer_aliases"] = list(aliases)
    key = key_field(row, "_id", "id")
    return Task(f"hotpotqa/{split}/{key}", "hotpotqa", question, answer, split, meta=meta)


def _paragraphs(row: Row) -> dict[str, Any]:
    """Context and supporting facts of MuSiQue's paragraphs; the first sentence of a supporting one stands for all."""
    context: list[list[Any]] = []
    supporting: list[list[Any]] = []
    for place, item in enumerate(list_field(row, "paragraphs")):
        part = Row(row.index, f"{row.where}, paragraph {place}", item)
        title = text_field(part, "title").strip()
        context.append([title, split_sentences(text_field(part, "paragraph_text"))])
        is_supporting = item.get("is_supporting", False)
        if not isinstance(is_supporting, bool):
            raise bad_field(part, "is_supporting", "true or false", is_supporting)
        supporting += [[title, 0]] if is_supporting else []
    return {"context": context} | ({"supporting_facts": supporting} if supporting else {})


def _pairs(row: Row, name: str, second: str, kind: type[object]) -> list[list[Any]]:
    """`[[title, sentences], …]`, or the hub's columns of titles and sentences."""
    value: Any = row.value[name]
    if isinstance(value, Mapping):
        titles, others = value.get("title"), value.get(second)
        if not isinstance(titles, list) or not isinstance(others, list) or len(titles) != len(others):
            raise bad_field(row, name, f"columns title and {second} of equal length", value)
        value = list(zip(titles, others, strict=True))
    if not isinstance(value, list):
        raise bad_field(row, name, "a list", value)
    for item in value:
        if not (isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str) and item[0].strip()):
            raise bad_field(row, name, f"pairs of a title and {second}", item)
        parts = item[1] if kind is list else ()
        if not isinstance(item[1], kind) or not all(isinstance(part, str) for part in parts):
            raise bad_field(row, name, f"pairs of a title and {second}", item)
    return [[title, other] for title, other in value]


_DEV = ("hotpot_dev_distractor_v1.json", "hotpot_dev_fullwiki_v1.json", "*dev*.json", "*distractor*.json")
READER = Reader(
    benchmark="hotpotqa",
    origin="https://hotpotqa.github.io (CC BY-SA 4.0), or source='hf:hotpotqa/hotpot_qa'",
    files={
        "train": ("hotpot_train_v1.1.json", "*train*.json"),
        "dev": _DEV,
        "test": _DEV,  # the official test answers are not published; results are reported on dev
    },
    task=task,
    hub_config="distractor",
)
