import json
from pathlib import Path

import pytest

from lumos_rl.data import load_tasks
from lumos_rl.data.files import Row, answer_number, number_field, read_rows, rows_from_hub, short_number
from lumos_rl.errors import ConfigError, DataError, MissingExtraError, MissingFileError, UnknownNameError

GSM8K = {"question": "Tom had 3 äpples and ate 1. How many are left?", "answer": "3-1 = <<3-1=2>>2 left.\n#### 2"}
SVAMP = {
    "ID": "chal-1",
    "Body": "Each pack costs 76 dollars. If there is a discount of 25 dollars on each pack",
    "Question": "How much is each pack?",
    "Equation": "( 76.0 - 25.0 )",
    "Answer": 51.0,
    "Type": "Subtraction",
}
MAWPS_HEADER = "Question,Numbers,Equation,Answer,group_nums,Body,Ques\n"
MAWPS_ROW = (
    '"Amy \'s 2 bags hold number0 nuts , and she eats number1 . How many are left ?",25.0 1.50,- number0 number1,23.5,'
    '"[1, 2]",Amy \'s bags,How many are left ?\n'
)


def write(path: Path, *lines: object) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_gsm8k_record_becomes_a_task(tmp_path):
    (task,) = load_tasks("gsm8k", write(tmp_path / "train.jsonl", GSM8K), split="train")
    assert (task.id, task.benchmark, task.split, task.answer) == ("gsm8k/train/0", "gsm8k", "train", "2")
    assert task.instruction == GSM8K["question"]
    assert task.meta == {"solution": "3-1 = <<3-1=2>>2 left."}


def test_the_answer_loses_its_thousands_separators(tmp_path):
    record = {**GSM8K, "answer": "… #### $5\n#### 1,080 "}
    assert load_tasks("gsm8k", write(tmp_path / "a.jsonl", record))[0].answer == "1080"


def test_a_svamp_record_becomes_a_task_of_one_sentence(tmp_path):
    path = tmp_path / "SVAMP.json"
    path.write_text(json.dumps([SVAMP, {**SVAMP, "ID": "chal-2", "Body": "A pack costs 76."}], indent=1))
    first, second = load_tasks("svamp", path)
    assert first.id == "svamp/test/chal-1" and first.answer == "51"
    assert first.instruction.endswith("If there is a discount of 25 dollars on each pack, how much is each pack?")
    assert second.instruction == "A pack costs 76. How much is each pack?"
    assert first.meta["equation"] == "( 76.0 - 25.0 )"


def test_a_mawps_record_gets_its_numbers_filled_in(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(MAWPS_HEADER + MAWPS_ROW)
    (task,) = load_tasks("mawps", tmp_path, split="train")
    assert task.instruction == "Amy's 2 bags hold 25 nuts, and she eats 1.5. How many are left?"
    assert (task.id, task.answer, task.meta["equation"]) == ("mawps/train/0", "23.5", "- 25 1.5")


@pytest.mark.parametrize(
    ("benchmark", "split", "name", "text"),
    [
        ("gsm8k", "test", "test.jsonl", json.dumps(GSM8K)),
        ("gsm8k", "test", "test_first660.jsonl", json.dumps(GSM8K)),
        ("gsm8k", "train", "grade_school_math/data/train.jsonl", json.dumps(GSM8K)),
        ("svamp", "test", "data/SVAMP.json", json.dumps([SVAMP])),
        ("mawps", "train", "data/mawps-asdiv-a_svamp/train.csv", MAWPS_HEADER + MAWPS_ROW),
    ],
)
def test_a_folder_as_distributed_is_searched_for_the_split(tmp_path, benchmark, split, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert len(load_tasks(benchmark, tmp_path, split)) == 1


def test_limit_takes_the_first(tmp_path):
    path = write(tmp_path / "a.jsonl", GSM8K, GSM8K, GSM8K)
    assert [task.id for task in load_tasks("gsm8k", path, limit=2)] == ["gsm8k/test/0", "gsm8k/test/1"]
    assert load_tasks("gsm8k", path, limit=0) == []
    with pytest.raises(ConfigError, match="limit"):
        load_tasks("gsm8k", path, limit=-1)


def test_blank_lines_byte_order_mark_and_windows_newlines_do_no_harm(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GSM8K).encode() + b"\r\n\r\n  \n" + json.dumps(GSM8K).encode())
    assert [task.id for task in load_tasks("gsm8k", path)] == ["gsm8k/test/0", "gsm8k/test/1"]


BROKEN = {
    "no JSON": ('{"question": ', r"a\.jsonl:2: expected one JSON object, got '\{\"question\": '"),
    "no object": ("[1, 2]", r"a\.jsonl:2: expected an object with a field 'question', got \[1, 2\]"),
    "no field": ({"question": "q"}, r"a\.jsonl:2: field 'answer': expected, got only \['question'\]"),
    "wrong type": ({"question": 5, "answer": "#### 2"}, r"a\.jsonl:2: field 'question': expected text, got 5"),
    "blank": ({"question": " ", "answer": "#### 2"}, r"a\.jsonl:2: field 'question': expected text, got ' '"),
    "no number": ({"question": "q", "answer": "x #### two"}, r"a\.jsonl:2: field 'answer': expected .*####.*, got"),
    "no mark": ({"question": "q", "answer": "2"}, r"a\.jsonl:2: field 'answer': expected .*####.*, got '2'"),
    "infinite": ({"question": "q", "answer": "#### inf"}, r"a\.jsonl:2: field 'answer'"),
    "lone surrogate": ('{"question": "\\ud800", "answer": "#### 2"}', r"a\.jsonl:2: expected UTF-8 text"),
    "lone surrogate inside": (
        '{"question": "q", "answer": "#### 2", "notes": [{"a": "\\ud800"}]}',
        r"a\.jsonl:2: expected UTF-8 text",
    ),
    "deep": ("[" * 100_000, r"a\.jsonl:2: expected one JSON object"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_malformed_record_is_named_with_file_line_field_expected_and_got(tmp_path, kind):
    line, message = BROKEN[kind]
    path = write(tmp_path / "a.jsonl", GSM8K, line, GSM8K)
    with pytest.raises(DataError, match=message):
        load_tasks("gsm8k", path)


@pytest.mark.parametrize("kind", BROKEN)
def test_reading_goes_on_behind_a_malformed_record_where_it_is_reported(tmp_path, kind):
    reported = []
    path = write(tmp_path / "a.jsonl", GSM8K, BROKEN[kind][0], GSM8K)
    tasks = load_tasks("gsm8k", path, report=lambda key, error: reported.append((key, str(error))))
    assert [task.id for task in tasks] == ["gsm8k/test/0", "gsm8k/test/2"]
    assert len(reported) == 1 and "a.jsonl:2" in reported[0][1]


def test_bytes_that_are_no_utf8_spoil_their_record_only(tmp_path):
    path = tmp_path / "a.jsonl"
    good = json.dumps(GSM8K).encode()
    path.write_bytes(good + b"\n" + good.replace(b"Tom", b"T\xff\xfem") + b"\n" + good)
    reported = []
    assert len(load_tasks("gsm8k", path, report=lambda key, error: reported.append(str(error)))) == 2
    cure = "save the file as UTF-8, e.g. with `iconv -f WINDOWS-1252 -t UTF-8`, or remove the record"
    assert reported == [f"a.jsonl:2: expected UTF-8 text, got the byte 0xff after 'T'; {cure}"]


def test_a_broken_list_says_that_its_rest_was_not_read(tmp_path):
    path = tmp_path / "SVAMP.json"
    path.write_text(f"[\n{json.dumps(SVAMP)},\n{{oops}},\n{json.dumps(SVAMP)}]")
    reported = []
    assert len(load_tasks("svamp", path, report=lambda key, error: reported.append(str(error)))) == 1
    assert len(reported) == 1 and "SVAMP.json:3" in reported[0] and "rest of the file was not read" in reported[0]


def test_an_id_that_occurs_twice_is_named_with_both_places(tmp_path):
    path = tmp_path / "SVAMP.json"
    path.write_text(json.dumps([SVAMP, SVAMP], indent=1))
    with pytest.raises(
        DataError, match=r"SVAMP\.json:10: expected a new id, got 'svamp/test/chal-1', which SVAMP\.json:2 has"
    ):
        load_tasks("svamp", path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (MAWPS_ROW.replace("25.0 1.50", "25.0"), "field 'Numbers': expected a number for slot number1, got '25.0'"),
        (MAWPS_ROW.replace("25.0 1.50", "x"), "field 'Numbers': expected numbers with spaces between them, got 'x'"),
        (MAWPS_ROW.replace(",23.5,", ",many,"), "field 'Answer': expected a number, got 'many'"),
        ("only one\n", "field 'Equation': expected text, got None"),
    ],
)
def test_a_malformed_mawps_row_is_named(tmp_path, row, message):
    path = tmp_path / "train.csv"
    path.write_text(MAWPS_HEADER + row)
    with pytest.raises(DataError) as caught:
        load_tasks("mawps", path, split="train")
    assert str(caught.value) == f"train.csv:2: {message}"


@pytest.mark.parametrize("answer", [True, None, [5], float("nan"), "1_000", ""])
def test_what_is_no_number_is_no_answer(answer):
    with pytest.raises(DataError, match="field 'Answer': expected a number, got"):
        number_field(Row(0, "a.json:1", {"Answer": answer}), "Answer")


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("51.0", "51"),
        ("1,250.50", "1250.5"),
        ("-3", "-3"),
        ("0.0", "0"),
        ("100", "100"),
        ("1e-3", "0.001"),
        (".5", ".5"),
        ("1e-7", "0.0000001"),
        ("1.25E+3", "1250"),
        ("-0.0", "0"),
        ("12345678901234567890.10", "12345678901234567890.1"),
    ],
)
def test_numbers_are_written_shortly(text, short):
    assert short_number(text) == short


@pytest.mark.parametrize("text", ["", "1/2", "1,2", "1_000", "nan", "inf", "1e999", "1e-999999999", "5 kg", "1" * 500])
def test_what_is_no_number_is_not_made_one(text):
    with pytest.raises(ValueError, match="expected"):
        short_number(text)


@pytest.mark.parametrize(("text", "gold"), [("0.50", "0.5"), (" 1/2", "1/2"), ("1 1/2", "1 1/2"), ("$5", "$5")])
def test_an_answer_that_is_no_decimal_stays_as_it_is_written(text, gold):
    assert answer_number(text) == gold


@pytest.mark.parametrize("text", ["1/0", "many", "3 or 4", ""])
def test_an_answer_without_one_number_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        answer_number(text)


def test_an_unknown_benchmark_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"did you mean 'gsm8k'.*Known: gsm8k, hotpotqa, "):
        load_tasks("gsm8", "somewhere")


def test_an_unknown_split_of_a_folder_lists_the_known_ones(tmp_path):
    with pytest.raises(UnknownNameError, match=r"split of gsm8k.*Known: test, train"):
        load_tasks("gsm8k", tmp_path, split="dev")


def test_a_missing_file_says_where_it_was_looked_for_and_where_it_comes_from(tmp_path):
    with pytest.raises(MissingFileError, match=r"no_such.jsonl.*github\.com/openai"):
        load_tasks("gsm8k", tmp_path / "no_such.jsonl")
    (tmp_path / "readme.txt").touch()
    with pytest.raises(MissingFileError, match=r"test\.jsonl or .*got readme\.txt.*github\.com/openai"):
        load_tasks("gsm8k", tmp_path)
    with pytest.raises(MissingFileError, match="expected a file"):
        list(read_rows(tmp_path / "no_such.jsonl"))


def test_a_hub_data_set_gives_the_same_tasks_as_its_file(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    path = write(folder / "test.jsonl", GSM8K, GSM8K)
    write(folder / "train.jsonl", GSM8K)
    assert load_tasks("gsm8k", f"hf:{folder}:default", split="test") == load_tasks("gsm8k", path)


def test_a_hub_data_set_that_cannot_be_loaded_says_what_was_asked(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingFileError, match=r"expected to load hf:.*nothing, split 'test'"):
        list(rows_from_hub(str(tmp_path / "nothing"), "test"))


def test_a_hub_source_without_datasets_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[train\]'"):
        load_tasks("gsm8k", "hf:openai/gsm8k")
