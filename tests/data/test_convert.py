import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lumos_rl import task_types
from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.data.annotations import annotation_record, read_annotations
from lumos_rl.data.convert import Settings, convert, main, split_of
from lumos_rl.data.files import Reader, text_field
from lumos_rl.errors import DataError, InfrastructureError, UnknownNameError
from lumos_rl.language import parse_actions
from lumos_rl.prompts import LUMOS_PROFILE, PromptProfile
from lumos_rl.task_types import Reject, TaskType
from lumos_rl.tools.base import Executor
from lumos_rl.tools.math import math_tools

GOOD = {
    "question": "Tom had 9 hats, sold 3 and bought 4. How many?",
    "answer": "9-3=<<9-3=6>>6.\n6+4=<<6+4=10>>10\n#### 10",
}
WRONG = {"question": "Tom had 9 hats.", "answer": "9-3=<<9-3=6>>6.\n#### 7"}
MALFORMED = {"question": "Tom had 9 hats.", "answer": 7}
FILES = ["planner", "grounder", "planner_onetime", "grounder_onetime", "annotations", "rejects"]


def write_source(path: Path, *records: object) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def converted(tmp_path):
    source = write_source(tmp_path / "train.jsonl", GOOD, WRONG, MALFORMED, GOOD)
    assert main(["--benchmark", "gsm8k", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def test_all_files_are_written_and_nothing_else(converted):
    assert {path.name for path in converted.iterdir()} == {
        *(f"{name}.jsonl" for name in FILES),
        "yield.json",
        "prompt_profile.json",
    }
    assert PromptProfile.load(converted) == LUMOS_PROFILE


def test_the_yield_counts_by_reason_and_is_printed(converted, capsys):
    assert json.loads((converted / "yield.json").read_text()) == {
        "read": 4,
        "kept": 2,
        "rejected": {"the result is not the gold answer": 1, "malformed record": 1},
        "yield": 0.5,
        "resampled": 0,
    }


def test_rejects_say_why(converted):
    rejects = {reject["id"]: reject["reason"] for reject in read(converted / "rejects.jsonl")}
    assert rejects == {
        "gsm8k/train/1": "the result is not the gold answer: expected 7, got 6",
        "gsm8k/train/2": "malformed record: train.jsonl:3: field 'answer': expected text, got 7",
    }


@pytest.mark.parametrize(
    "answer",
    [
        "Each pays n * 1/2 = $<<n*1/2=0.5n>>$0.5n\nso n=$40\n#### 40",
        f"So 1+{'1' * 5000} = {'1' * 5000}\n#### 7",
        "It is <<=>> <<1/0=>> <<2x=4>> x = 1/0\n#### 7",
    ],
)
def test_no_record_ends_a_conversion(tmp_path, answer):
    source = write_source(tmp_path / "train.jsonl", GOOD, {"question": "Why?", "answer": answer}, GOOD)
    result = convert(Settings("gsm8k", str(source), tmp_path, resample=1))
    assert [task.id for task in result.kept] == ["gsm8k/train/0", "gsm8k/train/2"]
    assert [reject.id for reject in result.rejects] == ["gsm8k/train/1"]


def test_plan_and_ground_records_have_the_same_ids_in_the_same_order(converted):
    for name in FILES[:4]:
        assert [record["id"] for record in read(converted / f"{name}.jsonl")] == ["gsm8k/train/0", "gsm8k/train/3"]


def test_iterative_conversations_have_the_form_of_the_paper(converted):
    planner, grounder = (read(converted / f"{name}.jsonl")[0] for name in ("planner", "grounder"))
    assert planner["dataset"] == grounder["dataset"] == "gsm8k"
    assert [message["role"] for message in planner["messages"]] == ["user", "assistant"] * 3
    texts = [message["content"] for message in planner["messages"]]
    assert texts[0].endswith("\nTask: " + GOOD["question"] + "; Initial Environment Description: None.")
    assert texts[1:] == [
        "Subgoal 1: Subtract 3 from 9.",
        "The executed result for Subgoal 1 is 6. Should we stop planning?",
        "No, I will keep planning. Subgoal 2: Add the result of Subgoal 1 and 4.",
        "The executed result for Subgoal 2 is 10. Should we stop planning?",
        "Yes, I will stop planning.",
    ]
    texts = [message["content"] for message in grounder["messages"]]
    assert "Calculator" in texts[0]
    assert texts[0].endswith(f"Task: {GOOD['question']} \nSubgoal to be grounded: Subgoal 1: Subtract 3 from 9.\n")
    assert texts[1:] == [
        "R1 = Calculator(9 - 3)",
        "Subgoal to be grounded: Subgoal 2: Add the result of Subgoal 1 and 4.\n",
        "R2 = Calculator(R1 + 4)",
    ]


def test_onetime_conversations_have_the_form_of_the_paper(converted):
    planner, grounder = (read(converted / f"{name}_onetime.jsonl")[0]["messages"] for name in ("planner", "grounder"))
    assert planner[1]["content"] == "Subgoal 1: Subtract 3 from 9.; Subgoal 2: Add the result of Subgoal 1 and 4."
    assert "Subgoals to be grounded: Subgoal 1: Subtract 3 from 9.; Subgoal 2: " in grounder[0]["content"]
    assert grounder[1]["content"] == "R1 = Calculator(9 - 3); R2 = Calculator(R1 + 4)"


def test_the_written_actions_give_the_gold_answer(converted):
    for record in read(converted / "annotations.jsonl"):
        executor = Executor(math_tools())
        for subgoal in record["subgoals"]:
            assert executor.run(parse_actions("; ".join(subgoal["actions"]))).error is None
        assert executor.last.text == record["gold"] == "10"


def test_annotations_are_read_back_as_they_were(converted):
    tasks = read_annotations(converted / "annotations.jsonl")
    assert [annotation_record(task) for task in tasks] == read(converted / "annotations.jsonl")
    assert isinstance(tasks[0], Task) and tasks[0].subgoals[1].actions[0].result == "10"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subgoals": 5}, "field 'subgoals': expected a list, got 5"),
        ({"subgoals": [{"text": "A.", "actions": ["R1 = "]}]}, "in subgoals: field 'actions': expected actions"),
        ({"gold": 5}, "field 'gold': expected text, got 5"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, converted, change, message):
    record = {**read(converted / "annotations.jsonl")[0], **change}
    with pytest.raises(DataError) as caught:
        read_annotations(write_source(tmp_path / "a.jsonl", record))
    assert message in str(caught.value) and "a.jsonl:1" in str(caught.value)


@pytest.mark.parametrize(("formulation", "names"), [("iterative", FILES[:2]), ("onetime", FILES[2:4])])
def test_one_formulation_alone(tmp_path, formulation, names):
    source = write_source(tmp_path / "train.jsonl", GOOD)
    out = tmp_path / "out"
    assert main(["--benchmark=gsm8k", f"--source={source}", f"--out={out}", f"--formulation={formulation}"]) == 0
    assert {path.stem for path in out.glob("*er*.jsonl")} == set(names)


def test_resampled_tasks_are_added_to_every_file(tmp_path):
    source = write_source(tmp_path / "train.jsonl", GOOD)
    out = tmp_path / "out"
    assert main(["--benchmark=gsm8k", f"--source={source}", f"--out={out}", "--resample=2", "--seed=1"]) == 0
    ids = ["gsm8k/train/0", "gsm8k/train/0~1", "gsm8k/train/0~2"]
    assert all([record["id"] for record in read(out / f"{name}.jsonl")] == ids for name in FILES[:5])
    assert json.loads((out / "yield.json").read_text())["resampled"] == 2


def test_a_run_replaces_the_files_of_an_earlier_one(tmp_path):
    out = tmp_path / "out"
    for records in ([GOOD, GOOD], [GOOD]):
        source = write_source(tmp_path / "train.jsonl", *records)
        main(["--benchmark=gsm8k", f"--source={source}", f"--out={out}"])
    assert len(read(out / "planner.jsonl")) == 1 and not list(out.glob("*.partial"))


def test_nothing_kept_is_a_failure(tmp_path):
    source = write_source(tmp_path / "train.jsonl", WRONG)
    assert main(["--benchmark=gsm8k", f"--source={source}", f"--out={tmp_path / 'out'}"]) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"benchmark": "gsm"}, "did you mean 'gsm8k'? Known: gsm8k, hotpotqa, "),
        ({"source": "nowhere"}, "expected a file or folder at"),
        ({"profile": "lumo"}, "unknown prompt profile 'lumo'; did you mean 'lumos'?"),
        ({"limit": "-1"}, "expected --resample and --limit >= 0"),
        ({"out": "train.jsonl/out"}, "give another --out"),
    ],
)
def test_a_setting_that_cannot_work_is_said_at_once(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    write_source(tmp_path / "train.jsonl", GOOD)
    flags = {"benchmark": "gsm8k", "source": "train.jsonl", "out": "out", **flags}
    assert main([text for name, value in flags.items() for text in (f"--{name}", value)]) == 2
    assert message in capsys.readouterr().err


def test_a_misspelt_flag_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--benchmark", "gsm8k", "--source", "x", "--out", str(tmp_path), "--resampel", "2"])
    assert caught.value.code == 2
    assert "--resample" in capsys.readouterr().err


def test_the_split_is_read_off_the_file_name():
    assert split_of("data/SVAMP_test.json", ["train", "test"]) == "test"
    assert split_of("data/train.jsonl", ["test"]) == "train"
    assert split_of("some/folder", ["train", "test"]) == "train"
    assert split_of("hf:org/test-set", ["train", "test"]) == "train"


def test_an_unknown_benchmark_raises_in_python(tmp_path):
    with pytest.raises(UnknownNameError):
        convert(Settings("gsm", "x", tmp_path))


def test_the_command_explains_its_flags():
    command = [sys.executable, "-m", "lumos_rl.data.convert", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(flag in shown for flag in ("--benchmark", "--source", "--out", "--resample", "--formulation", "--limit"))


BREAKING = [
    ZeroDivisionError("1/0"),
    AttributeError("'NoneType' object has no attribute 'text'"),
    AssertionError(),
    RecursionError("too deep"),
    KeyError("x"),
    OverflowError("int too large"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    MemoryError(),
    OSError("disk"),
]


def plan_of(task):
    action = Action(("R1",), "Calculator", "1 + 1", "2")
    return replace(task, subgoals=(Subgoal("Add.", (action,)),))


def mine(monkeypatch, annotator, resampler=None, task=None):
    """A task type of three records, known for one test."""

    def read(row, split):
        return Task(f"mine/{split}/{row.index}", "mine", text_field(row, "question"), "2", split)

    reader = Reader("mine", "a file", {"train": ("train.jsonl",)}, task or read)
    own = TaskType("mine", "mine/Mine-v0", (), (), reader=reader, annotator=annotator, resampler=resampler)
    monkeypatch.setattr(task_types, "_added", {"mine": own})


def convert_mine(tmp_path, *flags):
    source = write_source(tmp_path / "train.jsonl", *({"question": f"Q{index}?"} for index in range(3)))
    out = tmp_path / "out"
    assert main(["--benchmark=mine", f"--source={source}", f"--out={out}", *flags]) == 0
    return out


def rejects_of(out):
    return {reject["id"]: reject["reason"] for reject in read(out / "rejects.jsonl")}


@pytest.mark.parametrize("error", BREAKING, ids=lambda error: type(error).__name__)
def test_whatever_one_record_raises_is_one_reject(tmp_path, monkeypatch, error):
    def annotator(task):
        if task.id == "mine/train/1":
            raise error
        return plan_of(task)

    mine(monkeypatch, annotator)
    out = convert_mine(tmp_path)
    assert [row["id"] for row in read(out / "planner.jsonl")] == ["mine/train/0", "mine/train/2"]
    assert list(rejects_of(out)) == ["mine/train/1"]
    assert type(error).__name__ in rejects_of(out)["mine/train/1"]


def test_an_outage_is_a_reject_of_its_own_kind(tmp_path, monkeypatch):
    def annotator(task):
        if task.id == "mine/train/0":
            raise InfrastructureError("no server")
        return plan_of(task)

    mine(monkeypatch, annotator)
    assert rejects_of(convert_mine(tmp_path)) == {"mine/train/0": "infrastructure failure: no server"}


@pytest.mark.parametrize(
    "change",
    [
        lambda task: replace(task, subgoals=(Subgoal("Add.", (Action(("R" + "9" * 5_000,), "Count", "1"),)),)),
        lambda task: replace(task, subgoals=(Subgoal("Add.", ()),)),
        lambda task: replace(task, meta={"numbers": {1, 2}}),
    ],
    ids=["endless name", "no action", "no JSON"],
)
def test_a_plan_that_cannot_be_written_is_one_reject(tmp_path, monkeypatch, change):
    mine(monkeypatch, lambda task: change(plan_of(task)) if task.id == "mine/train/1" else plan_of(task))
    out = convert_mine(tmp_path)
    for name in FILES[:5]:
        assert [row["id"] for row in read(out / f"{name}.jsonl")] == ["mine/train/0", "mine/train/2"]
    assert rejects_of(out)["mine/train/1"].startswith("the plan cannot be written: ")
    assert json.loads((out / "yield.json").read_text())["read"] == 3


def test_a_failing_copy_leaves_its_task(tmp_path, monkeypatch):
    def resampler(task, n, seed):
        if task.id == "mine/train/1":
            raise AttributeError("by its content")
        return [replace(task, id=f"{task.id}~1")]

    mine(monkeypatch, plan_of, resampler)
    ids = [row["id"] for row in read(convert_mine(tmp_path, "--resample=1") / "annotations.jsonl")]
    assert ids == [f"mine/train/{index}" for index in range(3)] + ["mine/train/0~1", "mine/train/2~1"]


def test_a_source_that_fails_in_the_middle_leaves_what_was_read(tmp_path, monkeypatch):
    class Failing(Reader):
        def read(self, source, split, report=None):
            for index, task in enumerate(Reader.read(self, source, split, report)):
                if index == 2:
                    raise OSError("the disk does not answer")
                yield task

    mine(monkeypatch, plan_of)
    own = task_types.get("mine")
    failing = Failing("mine", "a file", own.reader.files, own.reader.task)
    monkeypatch.setattr(task_types, "_added", {"mine": replace(own, reader=failing)})
    out = convert_mine(tmp_path)
    assert [row["id"] for row in read(out / "planner.jsonl")] == ["mine/train/0", "mine/train/1"]
    [reason] = rejects_of(out).values()
    assert reason == "the rest could not be read: OSError: the disk does not answer"


def test_half_characters_do_not_end_the_writing(tmp_path, monkeypatch):
    mine(monkeypatch, lambda task: Reject(task.id, "no \ud800 plan") if task.id[-1] == "0" else plan_of(task))
    assert rejects_of(convert_mine(tmp_path)) == {"mine/train/0": "no � plan"}


def test_a_file_that_holds_no_records_is_said_and_nothing_is_written(tmp_path, capsys):
    source = tmp_path / "train.json"
    source.write_text(json.dumps({"name": "mine", "examples": [GOOD]}, indent=1))
    assert main(["--benchmark=gsm8k", f"--source={source}", f"--out={tmp_path / 'out'}"]) == 2
    assert "got one JSON object with the keys 'name', 'examples'" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
