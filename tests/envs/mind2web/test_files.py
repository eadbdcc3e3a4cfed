"""Mind2Web's files, streamed; and records that cannot be read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lumos_rl.core import Task, from_json, to_json
from lumos_rl.data import load_tasks
from lumos_rl.data.annotate import annotate
from lumos_rl.data.annotations import read_annotations
from lumos_rl.data.cache import CACHE_VARIABLE
from lumos_rl.data.convert import Settings, convert
from lumos_rl.data.convert import write as write_conversion
from lumos_rl.envs.mind2web import files as mind2web_files
from lumos_rl.envs.mind2web.files import index_file, read_json, scan
from lumos_rl.envs.mind2web.reader import READER, load_action, load_page, read_step
from lumos_rl.envs.mind2web.suite import main, suite_record, web_stream
from lumos_rl.errors import DataError, MissingFileError, UnknownNameError
from lumos_rl.task_types import Reject


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def action(uid: str, **changes: Any) -> dict[str, Any]:
    page = '<html backend_node_id="1"><a backend_node_id="2"><text>Go “on” \\ {[</text></a></html>'
    return {
        "action_uid": uid,
        "raw_html": page,
        "cleaned_html": page,
        "operation": {"op": "CLICK", "original_op": "HOVER", "value": "x"},
        "pos_candidates": [{"backend_node_id": "2", "attributes": '{"class": "a]}"}'}],
        "neg_candidates": [],
        **changes,
    }


def record(key: str, steps: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "annotation_id": key,
        "website": "shop",
        "domain": "Shopping",
        "subdomain": "General",
        "confirmed_task": f'Buy "{key}" – {{now}}',
        "action_reprs": ["[link]  Go -> CLICK"] * steps,
        "actions": [action(f"{key}{number}") for number in range(steps)],
        **changes,
    }


def write(folder: Path, name: str, records: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(records if isinstance(records, str) else json.dumps(records), encoding="utf-8")
    return path


def test_the_files_of_a_split_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        write(tmp_path, f"train/train_{number}.json", [record(f"a{number}")])
    write(tmp_path, "test_domain/test_domain_0.json", [record("d")])
    assert [task.id for task in load_tasks("mind2web", tmp_path, "train")] == [
        f"mind2web/train/a{number}" for number in (0, 2, 10)
    ]
    [task] = load_tasks("mind2web", tmp_path, "test_domain")
    assert (task.split, task.instruction, task.meta["website"]) == ("test_domain", 'Buy "d" – {now}', "shop")
    assert [one.id for one in load_tasks("mind2web", tmp_path / "train" / "train_2.json", "train")] == [
        "mind2web/train/a2"
    ]


@pytest.mark.parametrize("folder", ["data/train", "train", "."])
def test_the_layouts_of_the_dataset_are_found(tmp_path: Path, folder: str) -> None:
    write(tmp_path, f"{folder}/train_0.json", [record("a")])
    assert len(load_tasks("mind2web", tmp_path, "train")) == 1


def test_a_task_holds_no_page_and_its_steps_are_read_from_the_file(tmp_path: Path) -> None:
    records = [record("a"), record("b", 3)]
    write(tmp_path, "train/train_0.json", json.dumps(records, indent=2, ensure_ascii=False))
    tasks = load_tasks("mind2web", tmp_path, "train")
    assert len(to_json(tasks[1])) < 1_000
    for index in range(3):
        assert load_action(tasks[1], index) == records[1]["actions"][index]
    page = load_page(from_json(Task, to_json(tasks[1])), 2)
    assert page.text("2") == "ancestors: /html\ntarget: (a id=0Go “on” \\ {[)"
    assert (page.step.op, page.step.value, page.positives) == ("CLICK", "", ("2",))
    assert load_page(tasks[1], 2) is load_page(tasks[1], 2)
    with pytest.raises(DataError, match="step from 0 to 2"):
        load_page(tasks[1], 3)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 22])
@pytest.mark.parametrize("indent", [None, 1])
def test_steps_are_found_however_the_file_is_cut_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(mind2web_files, "CHUNK", chunk)
    tricky = record("a", 1, website="actions", note={"actions": [{"x": []}]}, other=["actions", ["{", "]"]])
    records = [tricky, record("b", 2), {**record("c", 0), "empty": {}}]
    path = write(tmp_path, "x.json", json.dumps(records, indent=indent))
    entries = list(scan(path))
    assert [entry.error for entry in entries] == ["", "", ""]
    for entry, wanted in zip(entries, records, strict=True):
        assert {**entry.fields, "actions": [read_json(path, span) for span in entry.actions]} == wanted


def test_json_lines_are_read_as_well(tmp_path: Path) -> None:
    path = write(tmp_path, "x.json", "\n".join(json.dumps(record(key)) for key in "ab"))
    assert [entry.fields["annotation_id"] for entry in scan(path)] == ["a", "b"]


def test_the_index_is_kept_until_the_file_changes_and_then_replaced(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path, "x.json", [record("a")])
    first = index_file(path)
    [kept] = cache.iterdir()
    mind2web_files._indexes.clear()
    assert index_file(path) == first
    write(tmp_path, "x.json", [record("a"), record("b")])
    assert len(index_file(path)) == 2
    assert len(list(cache.iterdir())) == 1 and not kept.is_file()
    index_file(write(tmp_path, "y.json", [record("a")]))
    assert len(list(cache.iterdir())) == 2


def test_an_interrupted_index_leaves_no_file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mind2web_files.json, "dumps", lambda value: 1 / 0)
    path = tmp_path / "x.json"
    path.write_text('[{"annotation_id": "a", "actions": []}]')
    with pytest.raises(ZeroDivisionError):
        index_file(path)
    assert list(cache.iterdir()) == []


def test_a_string_over_many_chunks_is_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mind2web_files, "CHUNK", 64)
    read = []
    finditer = mind2web_files._TOKEN.finditer

    class Counting:
        def finditer(self, data: bytes) -> Any:
            read.append(len(data))
            return finditer(data)

    monkeypatch.setattr(mind2web_files, "_TOKEN", Counting())
    path = tmp_path / "x.json"
    path.write_text(json.dumps([record("a", note="x" * 100_000)]))
    assert [entry.error for entry in scan(path)] == [""]
    assert sum(read) < 5 * path.stat().st_size


def test_an_index_that_cannot_be_kept_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(write(tmp_path, "a file", "x")))
    assert len(index_file(write(tmp_path, "x.json", [record("a")]))) == 1


BROKEN = [
    ({"confirmed_task": " "}, "confirmed_task"),
    ({"annotation_id": None}, "annotation_id"),
    ({"action_reprs": ["one"]}, "2 texts"),
    ({"action_reprs": [1, 2]}, "2 texts"),
    ({"actions": [], "action_reprs": []}, "at least one"),
    ({"actions": {}}, "'actions': expected a list"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_broken_record_says_what_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write(tmp_path, "train/train_0.json", [record("a"), record("b", **changes), record("c")])
    with pytest.raises(DataError, match=message):
        load_tasks("mind2web", tmp_path, "train")
    problems: list[str] = []
    tasks = load_tasks("mind2web", tmp_path, "train", report=lambda key, error: problems.append(str(error)))
    assert [task.id[-1] for task in tasks] == ["a", "c"]
    assert len(problems) == 1 and "train_0.json, task 1" in problems[0]


def test_a_file_that_ends_early_says_where(tmp_path: Path) -> None:
    text = json.dumps([record("a"), record("b")])
    write(tmp_path, "train/train_0.json", text[:-40])
    with pytest.raises(DataError, match=r"train_0.json, byte \d+: expected the end of a record"):
        load_tasks("mind2web", tmp_path, "train")
    write(tmp_path, "train/train_0.json", text.replace('"website"', "website"))
    problems: list[str] = []
    assert load_tasks("mind2web", tmp_path, "train", report=lambda key, error: problems.append(key)) == []
    assert len(problems) == 2


@pytest.mark.parametrize("text", ["", "version https://git-lfs.github.com/spec/v1 oid sha256:…", "[[1, 2]]", '["a"]'])
def test_a_file_without_tasks_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, "train/train_0.json", [record("a")])
    write(tmp_path, "train/train_1.json", text)
    with pytest.raises(DataError, match=r"train_1.json, byte 0: expected a list of tasks, got"):
        load_tasks("mind2web", tmp_path, "train")
    write(tmp_path, "train/train_1.json", " [ ]\n")
    assert len(load_tasks("mind2web", tmp_path, "train")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cleaned_html": ""}, "cleaned_html"),
        ({"operation": None}, "operation"),
        ({"operation": {"op": "DRAG"}}, "one of CLICK"),
        ({"pos_candidates": [{"tag": "a"}]}, "backend_node_id"),
        ({"neg_candidates": None}, "neg_candidates"),
    ],
)
def test_a_broken_step_says_what_is_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_step(action("u", **changes), "x", "task a, step 0")


@pytest.mark.parametrize("op", ["CLICK", "HOVER", "ENTER"])
def test_hover_and_enter_are_clicks(op: str) -> None:
    step = read_step(action("u", operation={"op": op, "value": "x"}), "x", "here")
    assert (step.op, step.value) == ("CLICK", "")
    assert read_step(action("u", operation={"op": "type", "value": "x"}), "x", "here").value == "x"


def test_what_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="test_website"):
        load_tasks("mind2web", tmp_path, "test")
    with pytest.raises(MissingFileError, match=r"train/train_\*.json"):
        load_tasks("mind2web", tmp_path, "train")
    with pytest.raises(MissingFileError, match="osunlp/Mind2Web"):
        load_tasks("mind2web", tmp_path / "nothing", "train")


def test_a_task_can_be_given_whole() -> None:
    from lumos_rl.data.files import Row

    task = READER.task(Row(0, "here", record("a")), "train")
    assert load_page(task, 1).candidates == ("2",)
    with pytest.raises(DataError, match="meta\\['actions'\\]"):
        load_action(Task("mind2web/test/x", "mind2web", "x"), 0)


def test_a_written_suite_reads_back_and_its_plans_are_verified(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--train", "6", "--test", "2"]) == 0
    tasks = load_tasks("mind2web", tmp_path, "train")
    assert len(tasks) == 6 and len(load_tasks("mind2web", tmp_path, "test_domain")) == 2
    for task, made in zip(tasks, web_stream("mind2web", "train", sum(map(ord, "train"))), strict=False):
        assert task.instruction == made.instruction
        assert load_action(task, 0) == suite_record(made)["actions"][0]
        found = annotate(task)
        assert isinstance(found, Task)
        assert [part.actions[0].args for part in found.subgoals] == [part.actions[0].args for part in made.subgoals]


def test_converted_plans_read_back(tmp_path: Path) -> None:
    main([str(tmp_path / "suite"), "--train", "3", "--test", "1"])
    settings = Settings("mind2web", str(tmp_path / "suite"), tmp_path / "out", "train")
    settings.out.mkdir()
    conversion = convert(settings)
    write_conversion(conversion, settings)
    assert read_annotations(settings.out / "annotations.jsonl") == conversion.kept
    assert len(conversion.kept) == 3


def test_a_plan_whose_query_finds_another_element_is_rejected() -> None:
    from lumos_rl.data.files import Row

    page = '<html backend_node_id="1"><a backend_node_id="2">x</a><a backend_node_id="3"><text>Go</text></a></html>'
    wrong = action("u", cleaned_html=page, neg_candidates=[{"backend_node_id": "3"}])
    task = READER.task(Row(0, "here", record("a", 1, actions=[wrong])), "train")
    found = annotate(task)
    assert isinstance(found, Reject) and found.reason == "a query finds another element"
    lost = {**wrong, "pos_candidates": []}
    assert isinstance(annotate(READER.task(Row(0, "here", record("a", 1, actions=[lost])), "train")), Task)


MEMORY = """
import sys, resource
from pathlib import Path
from lumos_rl.envs.mind2web.files import scan
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in scan(Path(sys.argv[1])))
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)
"""


def test_a_file_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    big = json.dumps(record("a", 2, pad="y" * 10_000_000))
    with path.open("w") as file:
        file.write("[" + ", ".join([big] * 8) + "]")
    assert path.stat().st_size > 80_000_000
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    count, megabytes = map(int, done.stdout.split())
    assert count == 8
    assert megabytes < 60
