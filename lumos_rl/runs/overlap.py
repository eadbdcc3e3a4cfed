"""Sees to it that a run learns none of the tasks that it is tested on.

    refuse_overlap(training, tested, config)         # ConfigError: expected test tasks that are not learned, got …
    refuse_chats(chats, tested, config)              # the same for stored conversations

Tasks are compared by `lumos_rl.data.overlap`. With `data.allow_overlap` it is only said, here and in every table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from lumos_rl.core import Task
from lumos_rl.data.overlap import HeldOut, Key, key
from lumos_rl.data.rows import ChatRow
from lumos_rl.errors import ConfigError
from lumos_rl.runs.config import DataConfig
from lumos_rl.runs.lines import read_result
from lumos_rl.runs.score import part

log = logging.getLogger(__name__)

OVERLAP = "overlap"  # name of the stage that holds how many of the test tasks were learned
SHOWN = 3  # examples in a message


def refuse_overlap(learned: Iterable[Task], tested: Sequence[Task], config: DataConfig, use: str = "learned") -> None:
    """Refuses tasks to learn from that are test tasks, unless `data.allow_overlap` is set.

    Args:
        learned: Tasks to learn from, or to choose the policy by.
        tested: The test tasks.
        config: Settings of the data.
        use: What is done with the first, as a word.

    Raises:
        ConfigError: Some are.
    """
    known: dict[Key, Task] = {}
    for task in learned:
        known.setdefault(key(task), task)
    found = [task for task in tested if key(task) in known]
    examples = [f"{task.instruction[:80]!r} ({known[key(task)].id} is {task.id})" for task in found[:SHOWN]]
    _refuse(len(found), len(tested), examples, config, use)


def refuse_chats(rows: Sequence[ChatRow], tested: Sequence[Task], config: DataConfig) -> None:
    """The same for stored conversations, whose prompts hold the words of their task.

    A test task whose words alone do not make it the same (`TaskType.place`) is not looked for, as prompts do not say
    where it takes place.
    """
    found = {each: row.id for each, row in _in_chats(rows, tested)}
    same = [task for task in tested if key(task) in found]
    examples = [f"{task.instruction[:80]!r} ({found[key(task)]} has {task.id})" for task in same[:SHOWN]]
    _refuse(len(same), len(tested), examples, config, "learned")


def learned_by_part(
    learned: Iterable[Task], rows: Sequence[ChatRow], tested: Sequence[Task]
) -> dict[str, tuple[int, int]]:
    """Part of the scores → how many of its test tasks are learned, and of how many; without those of none."""
    known = {key(task) for task in learned} | {each for each, _ in _in_chats(rows, tested)}
    found: dict[str, tuple[int, int]] = {}
    for task in tested:
        count, total = found.get(part(task), (0, 0))
        found[part(task)] = count + (key(task) in known), total + 1
    return {name: counts for name, counts in found.items() if counts[0]}


def learned_in(run: Path) -> dict[str, Sequence[int]]:
    """What the stage `OVERLAP` of a run holds, which says how many test tasks of each part were learned; {} without."""
    path = run / "stages" / f"{OVERLAP}.json"
    return read_result(path) if path.is_file() else {}


def learned(counts: Sequence[int]) -> str:
    """What a table says of a part whose tasks are learned.

    >>> learned((20, 20))
    '20 of these 20 test tasks were learned: the scores show what was memorised.'
    """
    return f"{counts[0]} of these {counts[1]} test tasks were learned: the scores show what was memorised."


def _in_chats(rows: Sequence[ChatRow], tested: Sequence[Task]) -> list[tuple[Key, ChatRow]]:
    if not rows:
        return []
    held_out = HeldOut(task for task in tested if not key(task)[1])
    texts = ((message["content"], row) for row in rows for message in row.messages if message["role"] == "user")
    return [(each, row) for text, row in texts if (each := held_out.in_text(text)) is not None]


def _refuse(count: int, of: int, examples: Sequence[str], config: DataConfig, use: str) -> None:
    if not count:
        return
    said = f"{count} of {of} test tasks are {use} too, the same but for case, spaces and punctuation: "
    if config.allow_overlap:
        log.warning("%s%s", said, ", ".join(examples))
        return
    raise ConfigError(
        f"expected test tasks that are not {use}, got overlapping sources: {said}{', '.join(examples)}; take them out"
        " of the training data, test on others, or give --data.allow-overlap, which every table of scores then says"
    )
