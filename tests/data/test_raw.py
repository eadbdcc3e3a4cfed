"""Files as people have them: compressed, in other encodings, in a form that holds no records."""

import gzip
import json

import pytest

from lumos_rl.core import Task
from lumos_rl.data import load_tasks, shared
from lumos_rl.data.files import Reader, default_split, read_rows, text_field
from lumos_rl.data.kept import Kept
from lumos_rl.data.shared import Drawn, file_tasks
from lumos_rl.errors import DataError

GSM8K = {"question": "Tom had 3 apples and ate 1. How many are left?", "answer": "3-1 = <<3-1=2>>2 left.\n#### 2"}
LINE = json.dumps(GSM8K)
FORMS = "a JSON list of records, JSON lines (one record per line) or CSV with a header"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINE.encode()),
        ("a.jsonl", f"\r\n{LINE}\r\n".encode()),
        ("a.jsonl", b"\xef\xbb\xbf" + LINE.encode()),
        ("a.json", json.dumps([GSM8K], indent=2).replace("\n", "\r\n").encode()),
        ("a.jsonl.gz", gzip.compress(LINE.encode(), mtime=0)),
        ("a.csv", b'question,answer\r\n"Tom had 3 apples and ate 1. How many are left?","3-1 = 2 left. #### 2"\r\n'),
        ("a.csv.gz", gzip.compress(b"\xef\xbb\xbfquestion,answer\nHow many are left?,#### 2\n", mtime=0)),
    ],
)
def test_one_record_is_read_from_every_kind_of_file(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    (task,) = load_tasks("gsm8k", tmp_path / name)
    assert task.instruction.endswith("How many are left?") and task.answer == "2"


def failure(tmp_path, data, name="a.json", benchmark="gsm8k"):
    """What reading says, once, although unreadable records would be reported."""
    (tmp_path / name).write_bytes(data)
    reported = []
    with pytest.raises(DataError) as caught:
        load_tasks(benchmark, tmp_path / name, report=lambda key, error: reported.append(error))
    assert not reported
    return str(caught.value)


@pytest.mark.parametrize("indent", [2, 0])
def test_an_object_around_the_records_is_one_error_that_says_where_they_are(tmp_path, indent):
    data = json.dumps({"name": "mine", "examples": [GSM8K] * 5}, indent=indent).encode()
    assert failure(tmp_path, data) == (
        f"a.json: expected {FORMS}, got one JSON object with the keys 'name', 'examples'; save its list 'examples' as a"
        " file"
    )


def test_an_object_in_one_line_is_one_error_too(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"name": "mine", "examples": [GSM8K] * 5}))
    reported = []
    assert load_tasks("gsm8k", tmp_path / "a.json", report=lambda key, error: reported.append(str(error))) == []
    (said,) = reported
    assert said.endswith(f"a file is {FORMS}; save its list 'examples' as a file")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>\n<body>\n</body>\n", f"a.json:1: expected {FORMS}, got '<html>' ("),
        (b"PAR1\x00\x15\n\x00\x01\n", f"a.json:1: expected {FORMS}, got 'PAR1\\x00\\x15' ("),
        (b"\n5\n", f"a.json: expected {FORMS}, got 5"),
        (b'"text"', f"a.json: expected {FORMS}, got 'text'"),
        ("[]".encode("utf-16"), "a.json: expected UTF-8, got UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`"),
    ],
)
def test_what_is_no_file_of_records_is_one_error(tmp_path, data, said):
    assert failure(tmp_path, data).startswith(said)


def test_a_truncated_archive_is_one_error(tmp_path):
    whole = gzip.compress((LINE + "\n").encode() * 50)
    for data in (whole[:-9], whole[: len(whole) // 2], LINE.encode()):
        assert failure(tmp_path, data, "a.jsonl.gz").startswith("a.jsonl.gz: expected a whole gzip file, got: ")


def test_an_empty_file_has_no_tasks(tmp_path):
    for name, data in (("a.jsonl", b""), ("b.json", b"\n \r\n"), ("c.csv", b""), ("d.gz", gzip.compress(b"", mtime=0))):
        (tmp_path / name).write_bytes(data)
        assert load_tasks("gsm8k", tmp_path / name) == []


@pytest.mark.parametrize("place", ["inside", "outside", "name"])
def test_a_byte_that_is_no_utf8_is_told_with_file_line_and_cure(tmp_path, place):
    bad = {"inside": b'{"question": "caf\xe9", "answer": "#### 2"}', "outside": b'{"question": \xe9}'}
    bad["name"] = b'{"question": "q", "answer": "#### 2", "caf\xe9": [[1]]}'
    (tmp_path / "a.jsonl").write_bytes(LINE.encode() + b"\n" + bad[place] + b"\n" + LINE.encode())
    reported = []
    assert len(load_tasks("gsm8k", tmp_path / "a.jsonl", report=lambda key, error: reported.append(str(error)))) == 2
    (said,) = reported
    assert said.startswith("a.jsonl:2: expected UTF-8 text, got the byte 0xe9 after ")
    assert said.endswith("save the file as UTF-8, e.g. with `iconv -f WINDOWS-1252 -t UTF-8`, or remove the record")


def reader(task) -> Reader:
    return Reader("mine", "a file", {"train": ("train.jsonl",), "test": ("test.jsonl",)}, task)


def test_whatever_a_record_makes_a_reader_raise_is_the_error_of_that_record(tmp_path):
    def task(row, split):
        if row.index == 1:
            raise ZeroDivisionError("by its content")
        return Task(f"mine/{split}/{row.index}", "mine", text_field(row, "question"))

    (tmp_path / "a.jsonl").write_text(f"{LINE}\n{LINE}\n{LINE}\n")
    reported = []
    found = list(reader(task).read(str(tmp_path / "a.jsonl"), "test", lambda key, error: reported.append(str(error))))
    assert [each.id for each in found] == ["mine/test/0", "mine/test/2"]
    assert reported == ["a.jsonl:2: the record cannot be read: ZeroDivisionError: by its content"]
    with pytest.raises(DataError, match="ZeroDivisionError"):
        list(reader(task).read(str(tmp_path / "a.jsonl"), "test"))


def test_a_record_nested_deeply_is_read_or_refused_alone(tmp_path):
    deep = '{"question": "q", "answer": "#### 2", "notes": ' + "[" * 900 + "]" * 900 + "}"
    (tmp_path / "a.jsonl").write_text(f"{LINE}\n{deep}\n{LINE}\n")
    reported = []
    tasks = load_tasks("gsm8k", tmp_path / "a.jsonl", report=lambda key, error: reported.append(error))
    assert [task.id[-1] for task in tasks if task.instruction == GSM8K["question"]] == ["0", "2"]
    assert len(tasks) + len(reported) == 3


def test_a_file_is_read_once_for_all_who_ask_and_again_when_it_changed(tmp_path):
    read = []

    def task(row, split):
        read.append(row.index)
        return Task(f"mine/{split}/{row.index}", "mine", text_field(row, "question"))

    own, path = reader(task), tmp_path / "a.jsonl"
    path.write_text(f"{LINE}\n{LINE}\n{LINE}\n")
    first = file_tasks(own, str(path), "test")
    assert first.first(2) == list(first)[:2] and read == [0, 1, 2]
    again = list(file_tasks(own, str(path), "test"))
    assert all(one is other for one, other in zip(first, again, strict=True)) and read == [0, 1, 2]
    path.write_text(f"{LINE}\n" * 4)
    assert len(list(file_tasks(own, str(path), "test"))) == 4 and len(read) == 7


def test_a_source_that_failed_is_read_again(tmp_path):
    broken = [True]

    class Failing(Reader):
        def paths(self, source, split):
            return [self.find(tmp_path / "a.jsonl", split)]

        def read(self, source, split, report=None):
            yield from Reader.read(self, source, split, report)
            if broken:
                raise DataError("something beside this file is missing")

    own = Failing("mine", "a file", {"test": ("a.jsonl",)}, lambda row, split: Task(f"mine/{row.index}", "mine", "q"))
    (tmp_path / "a.jsonl").write_text(f"{LINE}\n{LINE}\n")
    for _ in range(2):
        with pytest.raises(DataError, match="beside this file"):
            list(file_tasks(own, str(tmp_path), "test"))
    broken.clear()
    assert len(list(file_tasks(own, str(tmp_path), "test"))) == 2


def test_a_limit_reads_no_more_records_than_it_needs(tmp_path):
    read = []
    own = reader(lambda row, split: read.append(row.index) or Task(f"mine/{row.index}", "mine", "q"))
    (tmp_path / "a.jsonl").write_text(f"{LINE}\n" * 9)
    assert len(file_tasks(own, str(tmp_path / "a.jsonl"), "test").first(2)) == 2
    assert read == [0, 1]


def test_the_files_that_are_kept_are_bounded_by_their_bytes(tmp_path, monkeypatch):
    kept = Kept(2 * (len(LINE) + 1))
    monkeypatch.setattr(shared, "_kept", kept)
    own = reader(lambda row, split: Task(f"mine/{row.index}", "mine", "q"))
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text(LINE + "\n")
        file_tasks(own, str(tmp_path / f"{name}.jsonl"), "test")
    assert [key[-1][0][-7:] for key in kept.keys] == ["b.jsonl", "c.jsonl"]
    (tmp_path / "large.jsonl").write_text((LINE + "\n") * 9)
    file_tasks(own, str(tmp_path / "large.jsonl"), "test")
    assert len(kept.keys) == 1 and kept.bytes == 9 * (len(LINE) + 1)  # the last one, so that its environments share it


def test_a_stream_that_fails_fails_for_everyone_who_gets_there():
    def stream():
        yield 1
        raise DataError("broken behind the first")

    drawn = Drawn(stream())
    assert drawn.first(1) == [1]
    for _ in range(2):
        with pytest.raises(DataError, match="behind the first"):
            list(drawn)
    assert drawn.first(1) == [1]


@pytest.mark.parametrize(
    ("source", "split"),
    [("train.jsonl", "train"), ("mine.jsonl", "test"), ("data/SVAMP_test.json", "test"), ("dev.json.gz", "dev")],
)
def test_the_split_of_a_file_is_that_in_its_name_otherwise_test(tmp_path, source, split):
    assert default_split(source, ["train", "test"]) == split
    assert default_split(str(tmp_path), ["train", "test"]) == default_split("hf:org/train-set", ["test"]) == "test"


def test_lines_are_numbered_as_an_editor_does(tmp_path):
    (tmp_path / "a.jsonl").write_text(f"\n{LINE}\n\n{LINE}")
    assert [row.where for row in read_rows(tmp_path / "a.jsonl")] == ["a.jsonl:2", "a.jsonl:4"]
