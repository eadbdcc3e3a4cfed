import dataclasses
import json
import time

import pytest

from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.prompts import (
    COMPACT_PROFILE,
    INSTRUCT_PROFILE,
    LUMOS_PROFILE,
    PROFILES,
    THINKING_PROFILE,
    PromptProfile,
    extract_answer,
    get_profile,
    profile_from_records,
)


def test_planner_messages_have_the_form_of_the_paper():
    assert LUMOS_PROFILE.planner_first("Add 1 and 2.").endswith(
        "\nTask: Add 1 and 2.; Initial Environment Description: None."
    )
    assert LUMOS_PROFILE.planner_feedback(2, "24") == (
        "The executed result for Subgoal 2 is 24. Should we stop planning?"
    )
    assert LUMOS_PROFILE.planner_feedback(2, "Visit button Search", ["CLICK", "TYPE"]) == (
        "We have already visit button Search. Should we stop planning?"
    )
    assert LUMOS_PROFILE.planner_feedback(2, "Error: no such id", ["CLICK"]).startswith("The executed result for")
    assert COMPACT_PROFILE.planner_feedback(2, "Visit button Search", ["CLICK"]) == "Visit button Search"
    assert LUMOS_PROFILE.plan_turn(1, "Add both.") == "Subgoal 1: Add both."
    assert LUMOS_PROFILE.plan_turn(2, "Add both.") == "No, I will keep planning. Subgoal 2: Add both."


def test_grounder_messages_have_the_form_of_the_paper():
    first = LUMOS_PROFILE.grounder_first("Add 1 and 2.", "Subgoal 1: Add both.", ["Calculator", "Count"])
    assert "Calculator, Count" in first
    assert first.endswith("\n\nTask: Add 1 and 2. \nSubgoal to be grounded: Subgoal 1: Add both.\n")
    assert LUMOS_PROFILE.grounder_next("Subgoal 2: Go.") == "Subgoal to be grounded: Subgoal 2: Go.\n"
    assert LUMOS_PROFILE.grounder_next("Subgoal 2: Go.", ["a", "b"]) == (
        "Subgoal to be grounded: Subgoal 2: Go. The grounding could be based on the following results:"
        " The execution result for Subgoal 1 is a The execution result for Subgoal 2 is b\n"
    )
    assert LUMOS_PROFILE.grounder_onetime("T", ["Subgoal 1: A.", "Subgoal 2: B."], []).endswith(
        " \nSubgoals to be grounded: Subgoal 1: A.; Subgoal 2: B.\n"
    )


@pytest.mark.parametrize(
    ("completion", "line"),
    [
        ("Subgoal 2: Add both.\n\nSubgoal 3: Halve it.", "Subgoal 2: Add both."),
        ("No, I will keep planning. Subgoal 2: Add both.", "Subgoal 2: Add both."),
        ("Subgoal 2: Add both. ", "Subgoal 2: Add both."),
        ("Add both.", "Subgoal 2: Add both."),
        ("Yes, I will stop planning.", None),
        ("yes, i will stop planning. Bye", None),
        ("  ", ""),
    ],
)
def test_a_planner_turn_is_a_subgoal_or_the_end(completion, line):
    assert LUMOS_PROFILE.parse_subgoal(completion, 2) == line


@pytest.mark.parametrize(
    ("completion", "thought", "line"),
    [
        ("Asked: how many. Known: 3 pens. Subgoal 1: Add both.", "Asked: how many. Known: 3 pens.", "Add both."),
        ("Known: 3 pens.\nSubgoal 1: Add both.\nSubgoal 2: Halve it.", "Known: 3 pens.", "Add both."),
        ("Subgoal 1: Add both. Subgoal 1: Halve it.", "", "Add both. Subgoal 1: Halve it."),
        ("Add both.\nSubgoal 2: Halve it.", "", "Add both."),  # the label is that of the next one
        ("Add both.", "", "Add both."),
    ],
)
def test_a_planner_may_think_before_the_label(completion, thought, line):
    for profile in (LUMOS_PROFILE, INSTRUCT_PROFILE, THINKING_PROFILE):
        assert profile.parse_thought(completion, 1) == thought
        assert profile.parse_subgoal(completion, 1) == f"Subgoal 1: {line}"
    assert COMPACT_PROFILE.parse_thought(completion, 1) == ""


def test_only_a_profile_that_thinks_writes_thoughts():
    said = "What is left of 5. Subgoal 2: Subtract 2."
    assert THINKING_PROFILE.plan_turn(2, "Subtract 2.", "What is left of 5.") == said
    assert INSTRUCT_PROFILE.plan_turn(2, "Subtract 2.", "What is left of 5.") == "Subgoal 2: Subtract 2."
    assert THINKING_PROFILE.parse_thought(said, 2) == "What is left of 5."


def test_the_compact_profile_numbers_nothing():
    assert COMPACT_PROFILE.parse_subgoal("Add both.", 2) == "Add both."
    assert COMPACT_PROFILE.parse_subgoal("Stop.", 2) is None


def test_a_onetime_plan_splits_at_its_labels_only():
    plan = "Subgoal 1: Add a; then b.; Subgoal 2: Halve it."
    assert LUMOS_PROFILE.split_subgoals(plan) == ["Subgoal 1: Add a; then b.", "Subgoal 2: Halve it."]
    assert LUMOS_PROFILE.split_subgoals("Subgoal 1: A.;\n \nSubgoal 2: B.\n\n Subgoal 3: C; D.") == [
        "Subgoal 1: A.",
        "Subgoal 2: B.",
        "Subgoal 3: C; D.",
    ]
    assert COMPACT_PROFILE.split_subgoals("Add.; Halve.") == ["Add.", "Halve."]


@pytest.mark.parametrize("piece", ["\n", "; ", ";", " ", " \n", "Subgoal 1: ", "\nSubgoal 1: "])
def test_plans_of_any_text_are_read_in_little_time(piece):
    began, text = time.process_time(), "a" + piece * (300_000 // len(piece)) + "b"
    LUMOS_PROFILE.split_subgoals(text)
    COMPACT_PROFILE.split_subgoals(text)
    LUMOS_PROFILE.parse_subgoal(text, 1)
    assert time.process_time() - began < 5  # in the square of the text, it takes minutes


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_what_a_plan_turn_says_is_read_back(profile):
    for index in (1, 2, 9):
        written = profile.plan_turn(index, "Add both.")
        assert profile.parse_subgoal(written, index) == profile.subgoal_line(index, "Add both.")
    assert profile.parse_subgoal(profile.stop, 3) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("2 + 2 is 4. The answer is 4.", "4"),
        ("The answer is: yes", "yes"),
        ("First 12, then 1,250", "1,250"),
        ("I do not know\nmaybe", "maybe"),
        ("", ""),
    ],
)
def test_the_answer_in_a_chain_of_thought(text, answer):
    assert extract_answer(text) == answer


def test_a_saved_profile_comes_back_and_its_hash_tells_changes(tmp_path):
    LUMOS_PROFILE.save(tmp_path)
    assert PromptProfile.load(tmp_path) == LUMOS_PROFILE == get_profile(str(tmp_path))
    assert dataclasses.replace(LUMOS_PROFILE, stop="Enough.").hash != LUMOS_PROFILE.hash


def test_a_profile_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"prompt_profile\.json"):
        PromptProfile.load(tmp_path)
    with pytest.raises(UnknownNameError, match="compact, instruct, lumos"):
        get_profile("nope")


def test_a_profile_is_read_off_annotated_conversations():
    planner = [[{"role": "user", "content": "Please plan.\nTask: A; Initial Environment Description: None."}]]
    grounder = [[{"role": "user", "content": "Use X.\n\nTask: A \nSubgoal to be grounded: B\n"}]]
    profile = profile_from_records(planner, grounder, "released")
    assert profile.planner_first("A") == planner[0][0]["content"]
    assert profile.grounder_first("A", "B") == grounder[0][0]["content"]


def test_a_system_message_of_annotations_is_part_of_their_profile():
    planner, grounder = (
        [[{"role": "system", "content": f"You {who}."}, {"role": "user", "content": "Go. Task: A"}]]
        for who in ("plan", "ground")
    )
    profile = profile_from_records(planner, grounder, "mine")
    assert (profile.planner_system, profile.grounder_system) == ("You plan.", "You ground.")
    assert profile.planner_before == "Go. Task: "


def test_a_profile_of_before_there_were_system_messages_is_read_and_keeps_its_hash(tmp_path):
    fields = json.loads(json.dumps(dataclasses.asdict(LUMOS_PROFILE)))
    older = {name: text for name, text in fields.items() if not name.endswith("_system")}
    assert len(fields) - len(older) == 4
    (tmp_path / "prompt_profile.json").write_text(json.dumps(older))
    assert PromptProfile.load(tmp_path) == LUMOS_PROFILE
    assert (LUMOS_PROFILE.hash, COMPACT_PROFILE.hash) == ("43a253be17ed", "fc1f36de962b")  # as checkpoints have them
    assert dataclasses.replace(LUMOS_PROFILE, grounder_system="You ground.").hash != LUMOS_PROFILE.hash


@pytest.mark.parametrize("system", ["planner_system", "grounder_system", "onetime_system", "integrated_system"])
def test_the_profile_for_instructed_models_says_what_a_reply_looks_like(system):
    text = getattr(INSTRUCT_PROFILE, system)
    assert text.startswith("{system_prompt}\n\n")
    assert ("Subgoal 1: " in text) == (system in ("planner_system", "onetime_system"))
    assert (f'"{INSTRUCT_PROFILE.stop}"' in text) == (system in ("planner_system", "integrated_system"))


def test_mixed_instructions_are_refused():
    records = [[{"role": "user", "content": f"{word} Task: A"}] for word in ("One", "Two")]
    with pytest.raises(ConfigError, match="got 2 for the planner"):
        profile_from_records(records, records[:1], "mixed.jsonl")
