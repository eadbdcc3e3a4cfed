"""InterCode SQL (Yang et al. 2023): questions about 20 databases, from Spider's dev set (Yu et al. 2018). MIT licence.

One record of the list in `ic_spider_dev.json`; the dump of the databases, `ic_spider_dbs.sql`, is in the same folder:

    {"db": "concert_singer", "query": "How many singers do we have?", "gold": "SELECT count(*) FROM singer",
     "hardness": "easy", "db_tables": {"singer": ["Singer_ID", "Name", …], …}}

becomes `Task("intercode_sql/test/17", "intercode_sql", "How many singers do we have?", answer="SELECT count(*) …",
split="test", meta={"db": "concert_singer", "dump": "/data/ic_spider_dbs.sql", "hardness": "easy"})`. The index of a
task is that of its record, as in other code for this benchmark.

Spider's own folder (`dev.json`, `database/concert_singer/concert_singer.sqlite`) and BIRD's (`dev.json`,
`dev_databases/…`) are read as well; the "dump" of such a task is its SQLite file:

    {"question_id": 0, "db_id": "california_schools", "question": "What is the highest eligible free rate …?",
     "evidence": "Eligible free rate = …", "SQL": "SELECT …", "difficulty": "simple"}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lumos_rl.core import Task
from lumos_rl.data.files import Reader, text_field
from lumos_rl.data.raw import Row
from lumos_rl.envs.sql.sqlite_files import mysql_dump
from lumos_rl.envs.sql.tools.kept import kept, text_bytes
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.task_types import Report

BENCHMARK = "intercode_sql"
BUILT_IN = "synthetic"  # instead of the path of a dump: the databases of the built-in suite
DUMPS = ("ic_spider_dbs.sql", "*spider*.sql", "*.sql")
FOLDERS = ("database", "dev_databases", "train_databases", "databases", "test_database")  # of Spider and BIRD
SUFFIX = ".sqlite"


def task(row: Row, split: str) -> Task:
    """The task of one record, without its dump; the record is InterCode's, Spider's or BIRD's.

    BIRD's `evidence` says what words of the question mean in the database; it is part of the instruction.
    """
    identifier = f"{BENCHMARK}/{split}/{row.index}"
    if not isinstance(row.value, Mapping) or "db_id" not in row.value:
        meta: dict[str, Any] = {"db": text_field(row, "db").lower()}
        meta["hardness"] = str(row.value.get("hardness") or "unknown")
        question, gold = text_field(row, "query").strip(), text_field(row, "gold").strip()
        return Task(identifier, BENCHMARK, question, gold, split, meta=meta)
    meta = {"db": text_field(row, "db_id").lower(), "db_id": row.value["db_id"]}
    meta |= {name: row.value[name] for name in ("difficulty", "question_id") if name in row.value}
    question, gold = text_field(row, "question").strip(), text_field(row, _gold_field(row)).strip()
    evidence = str(row.value.get("evidence") or "").strip()
    return Task(
        identifier, BENCHMARK, f"{question}\nHint: {evidence}" if evidence else question, gold, split, meta=meta
    )


def _gold_field(row: Row) -> str:
    return "SQL" if "SQL" in row.value else "query"


@dataclass(frozen=True, slots=True)
class SpiderReader(Reader):
    """Reads tasks and adds the path of their databases: a dump, or for Spider and BIRD an SQLite file."""

    def paths(self, source: str, split: str) -> list[Path]:
        """The file of tasks and the dump, so that environments share the tasks read from them."""
        if source.startswith("hf:"):
            return []
        tasks = self.find(Path(source), split)
        has_files = any((tasks.parent / folder).is_dir() for folder in FOLDERS)
        return [tasks] if has_files else [tasks, find_dump(tasks, Path(source))]

    def read(self, source: str, split: str, report: Report | None = None) -> Iterator[Task]:
        """The tasks of a file or a folder that also holds the databases.

        Raises:
            ConfigError: The source is on the hub, which has no databases.
            MissingFileError: The tasks or the databases are missing.
            DataError: A record cannot be read, and `report` is None.
        """
        if source.startswith("hf:"):
            raise ConfigError(f"expected a folder with {DUMPS[0]} and the tasks, got {source!r}; clone {self.origin}")
        tasks = self.find(Path(source), split)
        has_files = any((tasks.parent / folder).is_dir() for folder in FOLDERS)
        places = {} if has_files else {"": str(find_dump(tasks, Path(source)))}
        # `super()` without arguments does not work in a dataclass with slots, because its class is created twice.
        for found in Reader.read(self, source, split, report):
            name = str(found.meta.get("db_id", ""))
            if name not in places:
                places[name] = str(find_database(tasks, name) if name else find_dump(tasks, Path(source)))
            meta = {key: value for key, value in found.meta.items() if key != "db_id"}
            yield replace(found, meta={**meta, "dump": places[name]})


def find_dump(tasks: Path, source: Path) -> Path:
    """The dump beside the tasks, or in the folder that was given, e.g. `intercode/data/sql`.

    Raises:
        MissingFileError: There is no dump.
    """
    folders = [tasks.parent, *([source, source / "spider"] if source.is_dir() else [])]
    for folder in folders:
        for pattern in DUMPS:
            if found := sorted(folder.glob(pattern)):
                return found[0].absolute()
    raise MissingFileError(
        f"expected the databases' dump as {DUMPS[0]} in {folders[0].absolute()}; it comes from {ORIGIN}"
    )


def find_database(tasks: Path, name: str) -> Path:
    """The SQLite file of a database, in one of `FOLDERS` beside the tasks.

    Raises:
        MissingFileError: There is no such file.
    """
    for folder in FOLDERS:
        found = tasks.parent / folder / name / f"{name}{SUFFIX}"
        if found.is_file():
            return found.absolute()
    raise MissingFileError(
        f"expected the database {name!r} of {tasks.name} as {name}/{name}{SUFFIX} in one of the folders"
        f" {', '.join(FOLDERS)} of {tasks.parent.absolute()}"
    )


def dump_text(place: str) -> str:
    """The dump at a path, or of the SQLite file at a path; for `BUILT_IN`, that of the built-in suite.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is a broken SQLite file.
    """
    if place == BUILT_IN:
        from lumos_rl.envs.sql.domains import suite_dump

        return suite_dump()
    try:
        changed = Path(place).stat().st_mtime_ns
    except OSError as error:
        raise MissingFileError(f"expected the databases at {place}; InterCode's come from {ORIGIN}") from error
    return _text(place, changed)


@kept(200_000_000, text_bytes)
def _text(place: str, changed: int) -> str:
    return mysql_dump(Path(place)) if place.endswith(SUFFIX) else Path(place).read_text(encoding="utf-8")


ORIGIN = "https://github.com/princeton-nlp/intercode, data/sql (tasks: data/sql/spider; MIT; Spider: CC BY-SA 4.0)"
READER = SpiderReader(
    benchmark=BENCHMARK,
    origin=ORIGIN,
    files={
        "test": (
            *("ic_spider_dev.json", "spider/ic_spider_dev.json", "data/sql/spider/ic_spider_dev.json"),
            *("ic_spider_dev*.json", "*spider*dev*.json", "dev.json"),
        ),
        "train": ("ic_spider_train.json", "*spider*train*.json", "train_spider.json", "train.json"),
    },
    task=task,
)
