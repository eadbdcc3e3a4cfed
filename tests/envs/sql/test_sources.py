"""Folders as they are distributed: InterCode's clone, Spider's and BIRD's SQLite files; both back ends play them."""

import datetime as dt
import json
import sqlite3
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import lumos_rl.envs  # noqa: F401 (registers the ids)
from lumos_rl.data import load_tasks
from lumos_rl.envs.sql.reader import dump_text
from lumos_rl.envs.sql.tools.dump import read_dump
from lumos_rl.errors import DataError, MissingFileError

DUMP = "CREATE DATABASE `zoo`; USE `zoo`; CREATE TABLE `cats` (`id` int); INSERT INTO `cats` VALUES (1),(2);"
RECORD = {"db": "zoo", "query": "How many?", "gold": "SELECT COUNT(*) FROM cats", "hardness": "easy"}
SCHEMA = """
CREATE TABLE "Keeper" ("Keeper_ID" INTEGER PRIMARY KEY, "Name" varchar(30) NOT NULL, "Hired" DATE, "Seen" DATETIME,
    "Wage" REAL, "Code" TEXT, "Big" BIGINT, "Flag" BOOLEAN);
CREATE TABLE animal (kind TEXT, keeper_id INT, weight NUMERIC, odd INT, note, photo BLOB, born DATE,
    PRIMARY KEY (kind), FOREIGN KEY (keeper_id) REFERENCES "Keeper" ("Keeper_ID"));
CREATE VIEW seen AS SELECT 1;
"""


def clone(folder: Path) -> Path:
    place = folder / "intercode" / "data" / "sql" / "spider"
    place.mkdir(parents=True)
    (place / "ic_spider_dev.json").write_text(json.dumps([RECORD]))
    (place / "ic_spider_dbs.sql").write_text(DUMP)
    other = place.parent / "wikisql"
    other.mkdir()
    (other / "ic_wikisql_dev.sql").write_text("CREATE DATABASE `wrong`;")
    return folder / "intercode"


@pytest.mark.parametrize("part", ["", "data/sql", "data/sql/spider", "data/sql/spider/ic_spider_dev.json"])
def test_every_folder_of_intercodes_clone_is_found(tmp_path: Path, part: str) -> None:
    env = gym.make("lumos_rl/InterCodeSQL-v0", source=clone(tmp_path) / part)
    env.reset(options={"task": 0})
    assert env.step("SELECT COUNT(*) FROM cats")[0] == "[(2,)]"
    assert env.step("submit")[1] == 1.0


def test_a_missing_dump_is_told_with_the_folder(tmp_path: Path) -> None:
    source = clone(tmp_path) / "data" / "sql"
    (source / "spider" / "ic_spider_dbs.sql").unlink()
    with pytest.raises(MissingFileError, match=r"ic_spider_dbs\.sql in .*data/sql/spider"):
        load_tasks("intercode_sql", source)


def database(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.executemany(
        "INSERT INTO Keeper VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (1, "Zoë", "2010-03-04", "2010-03-04 05:06:07", 10, "007", 2**40, 1),
            (2, "O'B\\n", "2011-01-01", None, 2.5, None, 3, 0),
        ],
    )
    connection.executemany(
        "INSERT INTO animal VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            ("cat", 1, 4, 1, "a", b"\x00\xff", "long ago"),
            ("CAT", 2, 4.5, "many", 2, None, "2001-02-03"),  # the same key to MySQL
        ],
    )
    connection.execute("INSERT INTO animal (kind) VALUES (CAST(x'e9' AS TEXT))")
    connection.commit()
    connection.close()
    return path


def spider(folder: Path) -> Path:
    database(folder / "database" / "Zoo_1" / "Zoo_1.sqlite")
    record = {
        "db_id": "Zoo_1",
        "question": "Who?",
        "query": "SELECT Name FROM Keeper WHERE wage > 5",
        "question_toks": [],
    }
    (folder / "dev.json").write_text(json.dumps([record]))
    (folder / "train_spider.json").write_text(json.dumps([{**record, "question": "And who?"}]))
    return folder


def bird(folder: Path) -> Path:
    database(folder / "dev_databases" / "pets" / "pets.sqlite")
    record = {
        "question_id": 7,
        "db_id": "pets",
        "question": "How many well paid keepers?",
        "evidence": "well paid refers to Wage > 5",
        "SQL": "SELECT COUNT(*) FROM keeper WHERE Wage > 5",
        "difficulty": "simple",
    }
    (folder / "dev.json").write_text(json.dumps([record, {**record, "evidence": ""}]))
    return folder


@pytest.fixture(params=["sqlite", "server"])
def backend(request: pytest.FixtureRequest) -> str:
    return "sqlite" if request.param == "sqlite" else str(request.getfixturevalue("sql_server"))


@pytest.mark.parametrize("make", [spider, bird])
def test_sqlite_files_are_played_on_both_back_ends(make: Any, backend: str, tmp_path: Path) -> None:
    env = gym.make("lumos_rl/InterCodeSQL-v0", source=make(tmp_path), backend=backend)
    try:
        env.reset(options={"task": 0})
        assert env.step("SHOW TABLES")[0] == "[('animal',), ('keeper',)]"
        assert env.step("SELECT name, hired, seen, wage, code, big FROM keeper ORDER BY keeper_id")[4]["rows"] == (
            ("Zoë", dt.date(2010, 3, 4), dt.datetime(2010, 3, 4, 5, 6, 7), 10.0, "007", 2**40),
            ("O'B\\n", dt.date(2011, 1, 1), None, 2.5, None, 3),
        )
        assert env.step("SELECT COUNT(*) FROM animal WHERE kind = 'Cat'")[0] == "[(2,)]"
        assert env.step("SELECT odd, note, photo, born FROM animal WHERE weight < 4.2")[4]["rows"] == (
            ("1", "a", "00ff", "long ago"),
        )
        assert env.step("SELECT COUNT(*) FROM animal WHERE kind = 'é'")[0] == "[(1,)]"
        task = env.unwrapped.tasks[0]  # type: ignore[attr-defined]
        env.step(task.answer)
        assert env.step("submit")[1] == 1.0
    finally:
        env.close()


def test_types_are_those_in_which_all_values_fit(tmp_path: Path) -> None:
    found = read_dump(dump_text(str(database(tmp_path / "zoo" / "zoo.sqlite")))).catalog
    keeper, animal = found.find("zoo", "keeper"), found.find("zoo", "animal")
    assert keeper is not None and animal is not None
    assert {column.name: column.declared for column in keeper.columns} == {
        "Keeper_ID": "int", "Name": "varchar(30)", "Hired": "date", "Seen": "datetime", "Wage": "double",
        "Code": "text", "Big": "bigint", "Flag": "int",
    }  # fmt: skip
    assert [column.declared for column in animal.columns] == ["text", "int", "double", "text", "text", "text", "text"]
    assert (keeper.primary_key, animal.primary_key, animal.indexed) == (("Keeper_ID",), (), ("keeper_id",))
    assert [column.nullable for column in keeper.columns] == [False, False, True, True, True, True, True, True]


def test_the_evidence_of_bird_is_where_the_agent_sees_it(tmp_path: Path) -> None:
    first, second = load_tasks("intercode_sql", bird(tmp_path))
    assert first.instruction == "How many well paid keepers?\nHint: well paid refers to Wage > 5"
    assert second.instruction == "How many well paid keepers?"
    place = str(tmp_path / "dev_databases" / "pets" / "pets.sqlite")
    assert first.meta == {"db": "pets", "difficulty": "simple", "question_id": 7, "dump": place}


def test_spiders_training_set_is_its_split(tmp_path: Path) -> None:
    [task] = load_tasks("intercode_sql", spider(tmp_path), split="train")
    assert (task.id, task.instruction, task.meta["db"]) == ("intercode_sql/train/0", "And who?", "zoo_1")


def test_the_file_of_the_user_is_only_read(tmp_path: Path) -> None:
    source = bird(tmp_path)
    place = source / "dev_databases" / "pets" / "pets.sqlite"
    before = place.read_bytes()
    place.chmod(0o444)
    place.parent.chmod(0o555)
    try:
        env = gym.make("lumos_rl/InterCodeSQL-v0", source=source)
        env.reset(options={"task": 0})
        env.step("DELETE FROM keeper")
        env.step("submit")
        assert place.read_bytes() == before
        assert [path.name for path in place.parent.iterdir()] == ["pets.sqlite"]
    finally:
        place.parent.chmod(0o755)


def test_a_broken_or_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    source = bird(tmp_path)
    place = source / "dev_databases" / "pets" / "pets.sqlite"
    place.write_bytes(place.read_bytes()[:5000] + b"\xff" * 5000)
    with pytest.raises(DataError, match=r"pets\.sqlite: expected an SQLite database that can be read, got: "):
        gym.make("lumos_rl/InterCodeSQL-v0", source=source).reset(options={"task": 0})
    place.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(DataError, match="file is not a database"):
        gym.make("lumos_rl/InterCodeSQL-v0", source=source).reset(options={"task": 0})
    other = bird(tmp_path / "other")
    (other / "dev_databases" / "pets" / "pets.sqlite").unlink()
    with pytest.raises(MissingFileError, match=r"the database 'pets' of dev\.json as pets/pets\.sqlite in one of"):
        gym.make("lumos_rl/InterCodeSQL-v0", source=other)
