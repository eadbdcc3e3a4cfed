from dataclasses import replace

import pytest

from lumos_rl.core import Action, PairIds, PreferencePair, Subgoal, Task, Trajectory, Turn, from_json, to_json
from lumos_rl.errors import DataError

PLAN = (Subgoal("Add the apples.", (Action(("R1",), "Calculator", "3 + 2", "5"),)),)
TASK = Task("gsm8k/test/0", "gsm8k", "Tom has 3 äpples …", "5", "test", PLAN, {"level": [1, 2]})
TURNS = (
    Turn("planner", "Task: …", "Subgoal 1: Add."),
    Turn("grounder", "Ground: …", "R1 = Calculator(3 + 2)", "R1 = Calculator(3 + 2)", "R1 = 5", completion_ids=(4, 2)),
    Turn("planner", "The result is 5.", "Yes, I will stop planning.", "Finish()", reward=1.0),
)
EPISODE = Trajectory(
    "gsm8k/test/0#1",
    TASK.id,
    "gsm8k",
    "test",
    TASK.instruction,
    "iterative",
    "sft",
    1,
    7,
    0.0,
    TURNS,
    1.0,
    True,
    "5",
    "answered",
)
PAIR = PreferencePair(
    "p", TASK.id, "gsm8k", "planner", 0, ({"role": "user", "content": "Task"},), "good", "bad", 1.0, 0.0
)


SAMPLED = replace(PAIR, ids=PairIds((1, 2), (3,), (4, 5), "abc"))


@pytest.mark.parametrize("record", [TASK, PLAN[0], EPISODE, PAIR, SAMPLED])
def test_json_gives_the_same_record_back(record):
    assert from_json(type(record), to_json(record)) == record


def test_json_line_has_no_newline_and_keeps_letters_readable():
    line = to_json(TASK)
    assert "\n" not in line and "äpples …" in line


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"id": "a", "benchmark": "b", "instruction": "c", "x": 1}'])
def test_a_broken_line_names_the_place(line):
    with pytest.raises(DataError, match=r"tasks\.jsonl:3"):
        from_json(Task, line, where="tasks.jsonl:3")


def test_conversation_holds_one_module_and_ends_at_the_asked_turn():
    assert EPISODE.conversation("grounder") == [
        {"role": "user", "content": "Ground: …"},
        {"role": "assistant", "content": "R1 = Calculator(3 + 2)"},
    ]
    assert EPISODE.conversation("planner", before=2) == [
        {"role": "user", "content": "Task: …"},
        {"role": "assistant", "content": "Subgoal 1: Add."},
        {"role": "user", "content": "The result is 5."},
    ]
