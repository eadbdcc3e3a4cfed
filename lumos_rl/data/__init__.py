"""Tasks by benchmark name, from the built-in suites, from the benchmarks' own files, or from the Hugging Face hub.

>>> tasks = load_tasks("gsm8k", split="test", limit=1)                    # the built-in suite
>>> tasks[0].id
'gsm8k/test/synthetic-0'
>>> load_tasks("gsm8k", "grade_school_math/data", split="train")          # a folder as distributed  # doctest: +SKIP
>>> load_tasks("svamp", "SVAMP.json")                                     # a file                   # doctest: +SKIP
>>> load_tasks("gsm8k", "hf:openai/gsm8k")                                # through `datasets`       # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lumos_rl.core import Task
from lumos_rl.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from lumos_rl.data.files import Reader, Report

READERS: Mapping[str, str] = {  # benchmark → the module with its READER
    "gsm8k": "lumos_rl.envs.math.gsm8k",
    "hotpotqa": "lumos_rl.envs.qa.hotpotqa",
    "intercode_sql": "lumos_rl.envs.sql.reader",
    "mawps": "lumos_rl.envs.math.mawps",
    "mind2web": "lumos_rl.envs.mind2web.reader",
    "strategyqa": "lumos_rl.envs.qa.strategyqa",
    "svamp": "lumos_rl.envs.math.svamp",
    "webshop": "lumos_rl.envs.webshop.reader",
}


def load_tasks(
    benchmark: str,
    source: str | Path = "synthetic",
    split: str = "test",
    limit: int | None = None,
    report: Report | None = None,
) -> list[Task]:
    """Tasks of one split, in the source's order.

    Args:
        benchmark: A key of `READERS`; "synthetic" sources know the benchmarks of the built-in suites.
        source: "synthetic", a file, a folder as the benchmark distributes it, or "hf:NAME" or "hf:NAME:CONFIG".
        split: Which file of a folder, which split of a hub data set; part of the ids.
        limit: How many tasks; None takes all.
        report: Called with id and error of each record that cannot be read, which is then left out; None raises.

    Raises:
        UnknownNameError: Unknown benchmark or split; the known ones are listed.
        MissingFileError: No such file; says where it was looked for and where it comes from.
        MissingExtraError: A hub source without `datasets` installed.
        DataError: A record cannot be read, and `report` is None.
    """
    if limit is not None and limit < 0:
        raise ConfigError(f"expected limit >= 0 or None, got {limit}")
    if str(source) == "synthetic":
        from lumos_rl.data.synthetic import synthetic_tasks

        return synthetic_tasks(benchmark, split, limit)
    return list(islice(iterate_tasks(get_reader(benchmark), str(source), split, report), limit))


def iterate_tasks(reader: Reader, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
    """The same for a known reader and any source but "synthetic", one task at a time."""
    return reader.read(source, split, report)


def get_reader(benchmark: str) -> Reader:
    """The reader of a benchmark.

    Raises:
        UnknownNameError: No such benchmark; the known ones are listed.
    """
    if benchmark not in READERS:
        raise UnknownNameError("benchmark", benchmark, READERS)
    reader: Reader = import_module(READERS[benchmark]).READER
    return reader
