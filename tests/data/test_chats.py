import json
from pathlib import Path

import pytest

from lumos_rl.core import Formulation, Module
from lumos_rl.data.chats import chats_profile, read_chats
from lumos_rl.data.conversations import conversations
from lumos_rl.data.rows import annotation_rows
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, DataError, MissingFileError
from lumos_rl.prompts import INSTRUCT_PROFILE, LUMOS_PROFILE

PLAN, GROUND = "Plan in subgoals, please.\nTask: ", "Ground it. Actions: Calculator, Code.\n\nTask: "


def released(folder):
    """Files as Agent Lumos released them, with other fixed sentences than ours."""
    files = {}
    for module, instruction, ours in (
        (Module.PLANNER, PLAN, LUMOS_PROFILE.planner_before),
        (Module.GROUNDER, GROUND, LUMOS_PROFILE.grounder_before.replace("{tools}", "Calculator")),
    ):
        lines = []
        for number, task in enumerate(synthetic_tasks("gsm8k", "train", 3)):
            messages = conversations(task, Formulation.ITERATIVE, LUMOS_PROFILE, ("Calculator",))[module]
            first = messages[0]["content"]
            assert first.startswith(ours)
            messages[0]["content"] = instruction + first.removeprefix(ours)
            lines.append(json.dumps({"dataset": "gsm8k", "id": f"gsm8k_{number}", "messages": messages}))
        files[module] = folder / f"{module}.jsonl"
        files[module].write_text("\n".join(lines) + "\n")
    return files


def test_released_annotations_become_rows_and_a_profile(tmp_path):
    files = released(tmp_path)
    rows = [row for module, path in files.items() for row in read_chats(path, module.value)]
    assert [(row.id, row.benchmark, row.module) for row in rows[2:4]] == [
        ("gsm8k_2", "gsm8k", "planner"),
        ("gsm8k_0", "gsm8k", "grounder"),
    ]
    assert rows[0].messages[0]["content"].startswith(PLAN) and rows[0].messages[1]["role"] == "assistant"
    profile = chats_profile(rows, "maths")
    assert profile.planner_before == PLAN and profile.grounder_before == GROUND
    task = synthetic_tasks("gsm8k", "train", 1)[0]
    again = conversations(task, Formulation.ITERATIVE, profile)
    assert tuple(again[Module.PLANNER]) == rows[0].messages and tuple(again[Module.GROUNDER]) == rows[3].messages


def test_a_profile_needs_both_modules(tmp_path):
    rows = read_chats(released(tmp_path)[Module.PLANNER], "planner")
    with pytest.raises(ConfigError, match="none of grounder"):
        chats_profile(rows, "maths")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"dataset": "gsm8k", "id": "1", "messages": []}, "got \\[\\]"),
        ({"dataset": "gsm8k", "id": "1"}, "'messages'"),
        ({"id": "1", "messages": [{"role": "user", "content": "a"}]}, "'dataset'"),
        ({"dataset": "gsm8k", "messages": [{"role": "assistant", "content": "a"}]}, "the user first"),
        ({"dataset": "gsm8k", "messages": [{"role": "system", "content": "a"}]}, "the user first"),
        ({"dataset": "gsm8k", "messages": [{"role": "user", "content": 3}]}, '"role" and "content"'),
    ],
)
def test_a_record_that_is_no_conversation_is_named(tmp_path, record, said):
    path = tmp_path / "plan.jsonl"
    path.write_text(json.dumps(record) + "\n")
    with pytest.raises(DataError, match=rf"plan.jsonl:1: .*{said}"):
        read_chats(path, "planner")


def test_a_conversation_may_begin_with_a_system_message(tmp_path):
    (task,) = synthetic_tasks("gsm8k", "train", 1)
    (written,) = annotation_rows([task], Formulation.ITERATIVE, INSTRUCT_PROFILE)[:1]
    record = {"dataset": "gsm8k", "id": task.id, "messages": written.messages}
    (tmp_path / "planner.jsonl").write_text(json.dumps(record) + "\n")
    assert read_chats(tmp_path / "planner.jsonl", "planner") == [written]


def test_the_module_is_given_or_told(tmp_path):
    path = tmp_path / "train.jsonl"
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path.write_text(json.dumps({"dataset": "svamp", "id": 7, "module": "grounder", "messages": messages}) + "\n")
    (row,) = read_chats(path)
    assert (row.id, row.module) == ("7", "grounder")
    with pytest.raises(DataError, match="planer"):
        read_chats(path, "planer")
    with pytest.raises(MissingFileError):
        read_chats(Path("nowhere.jsonl"), "planner")
