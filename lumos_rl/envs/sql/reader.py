"""InterCode SQL (Yang et al. 2023): questions about 20 databases, from Spider's dev set (Yu et al. 2018). MIT licence.

One record of the list in `ic_spider_dev.json`; the dump of the databases, `ic_spider_dbs.sql`, is in the same folder:

    {"db": "concert_singer", "query": "How many singers do we have?", "gold": "SELECT count(*) FROM singer",
     "hardness": "easy", "db_tables": {"singer": ["Singer_ID", "Name", …], …}}

becomes `Task("intercode_sql/test/17", "intercode_sql", "How many singers do we have?", answer="SELECT count(*) …",
split="test", meta={"db": "concert_singer", "dump": "/data/ic_spider_dbs.sql", "hardness": "easy"})`. The index of a
task is that of its record, as in other code for this benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, Row, text_field
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.task_types import Report

BENCHMARK = "intercode_sql"
BUILT_IN = "synthetic"  # instead of the path of a dump: the databases of the built-in suite
DUMPS = ("ic_spider_dbs.sql", "*spider*.sql", "*.sql")


def task(row: Row, split: str) -> Task:
    """The task of one record, without its dump."""
    meta = {"db": text_field(row, "db").lower(), "hardness": str(row.value.get("hardness") or "unknown")}
    question, gold = text_field(row, "query").strip(), text_field(row, "gold").strip()
    return Task(f"{BENCHMARK}/{split}/{row.index}", BENCHMARK, question, gold, split, meta=meta)


@dataclass(frozen=True, slots=True)
class SpiderReader(Reader):
    """Reads tasks and adds the path of their databases' dump."""

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file or a folder that also holds the dump.

        Raises:
            ConfigError: The source is on the hub, which has no dump.
            MissingFileError: The tasks or the dump are missing.
            DataError: A record cannot be read, and `report` is None.
        """
        if source.startswith("hf:"):
            raise ConfigError(f"expected a folder with {DUMPS[0]} and the tasks, got {source!r}; clone {self.origin}")
        dump = str(find_dump(Path(source)))
        # `super()` without arguments does not work in a dataclass with slots, because its class is created twice.
        for found in Reader.read(self, source, split, report):
            yield replace(found, meta={**found.meta, "dump": dump})


def find_dump(source: Path) -> Path:
    """The dump in a folder of tasks, or in the folder of a file of tasks.

    Raises:
        MissingFileError: There is no dump.
    """
    folder = source if source.is_dir() else source.parent
    for pattern in DUMPS:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0].absolute()
    raise MissingFileError(f"expected the databases' dump as {DUMPS[0]} in {folder.absolute()}; it comes from {ORIGIN}")


def dump_text(place: str) -> str:
    """The text of the dump at a path; for `BUILT_IN`, that of the built-in suite.

    Raises:
        MissingFileError: There is no such file.
    """
    if place == BUILT_IN:
        from lumos_rl.envs.sql.domains import suite_dump

        return suite_dump()
    try:
        changed = Path(place).stat().st_mtime_ns
    except OSError as error:
        raise MissingFileError(f"expected the databases' dump at {place}; it comes from {ORIGIN}") from error
    return _text(place, changed)


@lru_cache(maxsize=4)
def _text(place: str, changed: int) -> str:
    return Path(place).read_text(encoding="utf-8")


ORIGIN = "https://github.com/princeton-nlp/intercode, data/sql (tasks: data/sql/spider; MIT; Spider: CC BY-SA 4.0)"
READER = SpiderReader(
    benchmark=BENCHMARK,
    origin=ORIGIN,
    files={
        "test": ("ic_spider_dev.json", "spider/ic_spider_dev.json", "ic_spider_dev*.json", "*spider*dev*.json"),
        "train": ("ic_spider_train.json", "*spider*train*.json"),
    },
    task=task,
)
