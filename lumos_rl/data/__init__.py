"""Tasks by benchmark name, from the built-in suites, from the benchmarks' own files, or from the Hugging Face hub.

>>> tasks = load_tasks("gsm8k", split="test", limit=1)                    # the built-in suite
>>> tasks[0].id
'gsm8k/test/synthetic-0'
>>> load_tasks("gsm8k", "grade_school_math/data", split="train")          # a folder as distributed  # doctest: +SKIP
>>> load_tasks("svamp", "SVAMP.json")                                     # a file                   # doctest: +SKIP
>>> load_tasks("gsm8k", "hf:openai/gsm8k")                                # through `datasets`       # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.files import default_split
from lumos_rl.data.shared import Unreadable, file_tasks
from lumos_rl.errors import ConfigError
from lumos_rl.task_types import Report


def load_tasks(
    benchmark: str,
    source: str | Path = "synthetic",
    split: str | None = None,
    limit: int | None = None,
    report: Report | None = None,
) -> list[Task]:
    """Tasks of one split, in the source's order.

    Args:
        benchmark: Name of a task type; "synthetic" needs one with a built-in suite.
        source: "synthetic", a file, a folder as the benchmark distributes it, or "hf:NAME" or "hf:NAME:CONFIG".
        split: Which file of a folder, or split of a hub data set or suite; part of the ids. None takes the split in the
            name of a file, otherwise "test".
        limit: How many tasks; None takes all.
        report: Called with id and error of each unreadable record, which is then skipped; None raises the error.

    Raises:
        UnknownNameError: Unknown benchmark or split; the known ones are listed.
        MissingFileError: No such file; says where it was expected and where it comes from.
        MissingExtraError: A hub source without `datasets` installed.
        DataError: A record cannot be read, and `report` is None.
    """
    if limit is not None and limit < 0:
        raise ConfigError(f"expected limit >= 0 or None, got {limit}")
    if str(source) == "synthetic":
        from lumos_rl.data.synthetic import synthetic_tasks

        return synthetic_tasks(benchmark, "test" if split is None else split, limit)
    reader = task_types.get(benchmark).get_reader()
    tasks: list[Task] = []
    if limit == 0:
        return tasks
    for item in file_tasks(reader, str(source), split or default_split(str(source), list(reader.files))):
        if isinstance(item, Unreadable):
            if report is None:
                raise item.error
            report(item.key, item.error)
            continue
        tasks.append(item)
        if len(tasks) == limit:
            break
    return tasks
