"""WebShop's files: found, streamed, mended, indexed once on disk, and turned into the same goals everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import ATTRIBUTES, RECORDS, record, write_files

from lumos_rl.data import load_tasks
from lumos_rl.data.convert import main as convert
from lumos_rl.envs.webshop import reader
from lumos_rl.envs.webshop.files import LoadReport, find_files, read_products
from lumos_rl.envs.webshop.reader import CACHE_VARIABLE, folder_manifest, goal_tasks, load_goals, open_catalogue
from lumos_rl.errors import ConfigError, DataError, MissingFileError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


def loaded(folder: Path, **settings: Any) -> tuple[list[str], LoadReport]:
    report = LoadReport()
    return [product.asin for product in read_products(find_files(folder), report, **settings)], report


HUMAN = {
    "B001": [
        {"instruction": "i want a lamp", "instruction_attributes": ["led"], "instruction_options": ["red"]},
        {"instruction": "no attributes", "instruction_attributes": [], "instruction_options": []},
    ]
}


def test_broken_records_are_left_out_or_mended_counted_and_listed(tmp_path: Path) -> None:
    broken = [
        record("B001"),
        record("B001", "again"),
        record("nan"),
        record("TOOLONG12345"),
        record("B002", pricing=None, customization_options=None),
        record("B003", pricing="free", small_description=None, full_description=None),
        {"name": "no asin"},
        "junk",
        record("b004"),
    ]
    asins, report = loaded(write_files(tmp_path, broken))
    assert asins == ["B001", "B002", "B003", "b004"]
    assert (report.read, report.loaded) == (9, 4)
    assert report.problems == {
        "left out: duplicate asin": 1,
        "left out: asin 'nan' or longer than 10 characters": 2,
        "left out: expected an object with an asin": 2,
        "pricing: none; taken as $100.0": 1,
        "customization_options: expected an object": 1,
        "pricing: expected text with '$' and a number": 1,
        "small_description: expected a list or text": 1,
        "full_description: expected text": 1,
        "asin not in upper case: it is found, but cannot be opened": 1,
        "not in the attribute file: no attributes and no synthetic goal": 1,
    }
    assert report.listed[0] == {"record": 1, "asin": "B001", "problem": "left out: duplicate asin"}


def test_bytes_that_are_no_utf8_spoil_their_own_record(tmp_path: Path) -> None:
    folder = write_files(tmp_path)
    items = folder / "items_shuffle.json"
    items.write_bytes(items.read_bytes().replace(b"Running", b"Runn\xffng"))
    asins, report = loaded(folder)
    assert asins == ["B001", "B003"]
    assert report.listed == [{"record": 1, "asin": "B002", "problem": "left out: bytes that are no UTF-8"}]


def test_records_are_counted_off_before_any_is_skipped(tmp_path: Path) -> None:
    folder = write_files(tmp_path, [record("nan"), *RECORDS])
    assert loaded(folder, num_products=2)[0] == ["B001"]


def test_a_large_pretty_printed_file_with_a_byte_order_mark_is_streamed(tmp_path: Path) -> None:
    many = [record(f"B{number:06d}", full_description="数学 é " * 200) for number in range(2000)]
    folder = write_files(tmp_path)
    text = "\ufeff" + json.dumps(many, indent=2, ensure_ascii=False)
    assert len(text.encode()) > 4 << 20
    (folder / "items_shuffle.json").write_text(text, encoding="utf-8")
    asins, report = loaded(folder)
    assert asins == [each["asin"] for each in many]
    assert report.read == 2000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected a JSON list"),
        ('[{"asin": "B001"}, {"asin": ]', "record 1"),
        ('[{"asin": "B001"}', "record 1"),
        ("", "expected a JSON list"),
    ],
)
def test_a_file_that_is_no_list_of_objects_says_where(tmp_path: Path, text: str, message: str) -> None:
    folder = write_files(tmp_path)
    (folder / "items_shuffle.json").write_text(text)
    with pytest.raises(DataError, match=message):
        loaded(folder)


@pytest.mark.parametrize("records", [[], [record("nan"), record("TOOLONG12345")]])
def test_a_file_without_a_single_product_is_refused(tmp_path: Path, records: list[Any]) -> None:
    with pytest.raises(DataError, match="expected products in"):
        open_catalogue(write_files(tmp_path, records))


def test_a_product_without_any_word_can_be_loaded_and_not_found(tmp_path: Path) -> None:
    bare = {"name": "The", "full_description": "", "small_description": [], "customization_options": {}}
    catalogue = open_catalogue(write_files(tmp_path, [record("B001", **bare)]))
    assert len(catalogue.search("the")) == 0
    assert len(catalogue.with_category("home")) == 1


def test_a_wrong_folder_says_which_files_are_expected(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            MissingFileError, match=r"items_shuffle.json or items_shuffle_1000.json.*items_human_ins.json"
        ):
            open_catalogue(folder)
    write_files(tmp_path)
    (tmp_path / "items_ins_v2.json").unlink()
    with pytest.raises(MissingFileError, match=r"expected items_ins_v2\.json"):
        open_catalogue(tmp_path)


def test_the_full_catalogue_comes_before_the_small_one_and_a_file_before_both(tmp_path: Path) -> None:
    write_files(tmp_path, RECORDS[:1], small=True)
    assert len(open_catalogue(tmp_path)) == 1
    write_files(tmp_path)
    assert len(open_catalogue(tmp_path)) == 3
    assert len(open_catalogue(tmp_path / "items_shuffle_1000.json")) == 1


def test_the_index_is_built_once_and_again_when_a_file_changes(tmp_path: Path, cache: Path) -> None:
    folder = write_files(tmp_path)
    first = open_catalogue(folder)
    assert open_catalogue(folder) is first
    assert len(open_catalogue(folder, num_products=2)) == 2
    write_files(folder, RECORDS[:1])
    assert len(open_catalogue(folder)) == 1
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 3


def test_an_index_that_cannot_be_written_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=CACHE_VARIABLE):
        open_catalogue(write_files(tmp_path))


GOALS = """
import sys, pathlib
from lumos_rl.envs.webshop.reader import folder_manifest
tasks, digest = folder_manifest(pathlib.Path(sys.argv[1]), "synthetic")
print(digest, [task.id for task in tasks], [task.meta["goal"]["instruction_text"] for task in tasks])
"""


def test_processes_that_start_at_once_build_one_index_and_get_the_same_goals(tmp_path: Path, cache: Path) -> None:
    folder = write_files(tmp_path)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", GOALS, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    printed = {process.communicate()[0] for process in started}
    assert len(printed) == 1
    assert "webshop/test/0" in printed.pop()
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


def test_goals_are_kept_beside_the_index(tmp_path: Path) -> None:
    catalogue = open_catalogue(write_files(tmp_path, human=HUMAN))
    [goal] = load_goals(catalogue, "human")
    assert goal["goal_options"] == ["red"]
    assert goal["instruction_text"].startswith("i want a lamp, and price lower than ")
    assert len(load_goals(catalogue)) == 4
    assert catalogue.folder is not None
    assert {path.name for path in catalogue.folder.glob("goals-*")} == {"goals-human.jsonl", "goals-synthetic.jsonl"}


def test_unknown_goals_and_a_catalogue_without_any_are_refused(tmp_path: Path) -> None:
    catalogue = open_catalogue(write_files(tmp_path))
    with pytest.raises(ConfigError, match="'synthetic', 'human' or a list"):
        load_goals(catalogue, "mixed")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"items_human_ins.json"):
        load_goals(catalogue, "human")


def test_a_human_file_is_needed_for_human_goals_alone(tmp_path: Path) -> None:
    folder = write_files(tmp_path)
    (folder / "items_human_ins.json").unlink()
    assert len(folder_manifest(folder, "synthetic")[0]) == 4
    with pytest.raises(ConfigError, match=r"items_human_ins\.json"):
        folder_manifest(folder, "human")


def test_human_goals_of_the_full_catalogue_are_split_as_webshop_splits_them(tmp_path: Path) -> None:
    written = {"instruction_attributes": ["led"], "instruction_options": []}
    human = {"B001": [{"instruction": f"lamp {number}", **written} for number in range(1600)]}
    folder = write_files(tmp_path, human=human)
    tasks, _ = folder_manifest(folder, "human")
    assert [task.id for task in (tasks[0], tasks[499], tasks[500], tasks[1499], tasks[1500])] == [
        "webshop/test/0",
        "webshop/test/499",
        "webshop/dev/500",
        "webshop/dev/1499",
        "webshop/train/1500",
    ]
    sizes = {split: len(folder_manifest(folder, "human", split)[0]) for split in ("test", "dev", "train")}
    assert sizes == {"test": 500, "dev": 1000, "train": 100}
    assert len(folder_manifest(folder, "human", "dev", num_products=3)[0]) == 1600  # a reduced catalogue has no splits
    assert len(load_tasks("webshop", f"{folder}#human", "dev")) == 1000


def test_a_source_names_synthetic_or_human_goals(tmp_path: Path) -> None:
    folder = write_files(tmp_path, human=HUMAN)
    assert len(load_tasks("webshop", f"{folder}#synthetic")) == len(load_tasks("webshop", folder)) == 4
    assert len(load_tasks("webshop", f"{folder}#human")) == 1
    with pytest.raises(ConfigError, match="got 'humans'"):
        load_tasks("webshop", f"{folder}#humans")


def test_goals_that_cannot_be_kept_beside_the_index_are_made_anyway(tmp_path: Path) -> None:
    catalogue = open_catalogue(write_files(tmp_path))
    assert catalogue.folder is not None
    (catalogue.folder / f"goals-synthetic.jsonl.{os.getpid()}").mkdir()  # what cannot be written, even by root
    assert len(load_goals(catalogue)) == 4
    assert not (catalogue.folder / "goals-synthetic.jsonl").exists()


def test_a_list_of_goals_belongs_to_its_caller(tmp_path: Path) -> None:
    catalogue = open_catalogue(write_files(tmp_path))
    load_goals(catalogue).clear()
    assert len(load_goals(catalogue)) == 4


def test_tasks_say_where_their_catalogue_is(tmp_path: Path) -> None:
    folder = write_files(tmp_path)
    [task] = load_tasks("webshop", folder, limit=1)
    assert (task.meta["source"], task.meta["num_products"], task.answer) == (str(folder), None, "B001")
    assert goal_tasks([task.meta["goal"]])[0].meta == {"goal": task.meta["goal"]}


def test_goals_are_converted_to_verified_plans(tmp_path: Path) -> None:
    attributes = {
        **ATTRIBUTES,
        "B003": {**ATTRIBUTES["B001"], "instruction": "Find", "instruction_attributes": ["absent"]},
    }
    folder, out = write_files(tmp_path, attributes=attributes), tmp_path / "out"
    assert convert(["--benchmark", "webshop", "--source", str(folder), "--out", str(out)]) == 0
    summary = json.loads((out / "yield.json").read_text())
    assert (summary["read"], summary["kept"]) == (5, 4)
    assert summary["rejected"] == {"no plan earns the whole reward": 1}
    assert "the purchase earns 0.50" in (out / "rejects.jsonl").read_text()
    annotations = [json.loads(line) for line in (out / "annotations.jsonl").read_text().splitlines()]
    assert {task["subgoals"][-1]["actions"][0] for task in annotations} == {"R12 = Click(Buy Now) = 1.0"}


def test_the_command_prints_what_loading_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_files(tmp_path, [*RECORDS, record("nan")])
    assert reader.main([str(folder)]) == 0
    assert "4 records read, 3 products loaded" in capsys.readouterr().out
    assert reader.main([str(tmp_path / "nowhere")]) == 2
    assert "items_shuffle.json" in capsys.readouterr().err
    assert reader.main([]) == 2
