"""What a planner may think before a subgoal: the problem's own words, and no result."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from lumos_rl.agent import Act, Ask, Outcome, play
from lumos_rl.core import Formulation, Module, Subgoal, Task
from lumos_rl.data.annotate import annotate
from lumos_rl.data.annotations import annotation_record, read_annotations
from lumos_rl.data.conversations import conversations
from lumos_rl.data.gold import written
from lumos_rl.envs.math.given import given_numbers
from lumos_rl.envs.math.resample import resample
from lumos_rl.envs.math.thoughts import Spoken, related, spoken, stated
from lumos_rl.prompts import INSTRUCT_PROFILE, THINKING_PROFILE
from lumos_rl.records import well_formed

POTS = "There are 10 gardens with 544 pots in each garden. Each pot has 32 flowers in it. How many flowers are there?"


def equation(text, prefix, gold):
    return annotate(Task("mawps/train/0", "mawps", text, gold, "train", meta={"equation": prefix, "question": ""}))


def test_a_plan_thinks_in_the_words_of_the_problem_before_it_names_an_operation():
    task = equation(POTS, "* * 544 10 32", "174080")
    assert [subgoal.thought for subgoal in task.subgoals] == [
        "Asked: how many flowers are there. Known: there are 10 gardens with 544 pots in each garden; each pot has 32"
        " flowers in it. For each of the 10 gardens: the 544 pots.",
        "For each of the result of Subgoal 1: the 32 flowers.",
    ]
    assert task.subgoals[0].text == "Multiply the 544 pots by the 10 gardens."


@pytest.mark.parametrize(
    ("problem", "thought"),
    [
        (
            "Mrs. Hilt has 5 pens, and Dr. Lee, who came late, has twice as many. If each costs $2, what do they cost?",
            "Asked: what do they cost. Known: Mrs. Hilt has 5 pens; has twice as many; each costs $2.",
        ),
        (
            "How many packs can you buy with 132 dollars if 12 dollars is the price of a pack?",
            "Asked: how many packs can you buy with 132 dollars. Known: 12 dollars is the price of a pack.",
        ),
        ("Tom has some pens. How many?", "Asked: how many."),
        ("Calculate 3 plus 4", "Asked: calculate 3 plus 4."),
        ("", "Asked: ."),
    ],
)
def test_what_is_asked_and_known_is_quoted(problem, thought):
    assert stated(problem) == thought


def test_a_long_clause_is_quoted_around_its_number():
    long = "on the other hand the very old man with the long grey beard saw 40 cows of his own on the hill there today"
    assert stated(f"{long}. How many?") == (
        "Asked: how many. Known: with the long grey beard saw 40 cows of his own on the hill."
    )


@pytest.mark.parametrize(
    ("sign", "left", "right", "question", "relation"),
    [
        ("+", "the 3 pens", "the 4 pens", "How many in all?", "All of the 3 pens and the 4 pens."),
        ("+", "the 3 pens", "4", "How many at first?", "As it was before: the 3 pens, and 4 with it."),
        ("-", "the 9 pens", "4", "How many are left?", "What is left of the 9 pens without 4."),
        ("-", "the 9 pens", "4", "How many more than Ann?", "How far the 9 pens and 4 are apart."),
        ("-", "the 9 pens", "4", "How many are red?", "The part of the 9 pens that is not 4."),
        ("/", "the 9 pens", "the 3 boys", "How many each?", "The 9 pens in as many equal parts as the 3 boys."),
    ],
)
def test_a_relation_follows_from_operation_and_question(sign, left, right, question, relation):
    assert related(sign, Spoken(left), Spoken(right), f"Tom has pens. {question}") == relation


@pytest.mark.parametrize(
    ("text", "is_rate", "compares"),
    [
        ("He has 5 boxes and each box holds # pens.", True, False),
        ("He ran 20 miles at # miles per hour.", True, False),
        ("He ran # miles at 2 miles per hour.", False, False),
        ("He has # fewer pens than Ann.", False, True),
        ("There are # pens in the box. Each costs a dollar.", False, False),
    ],
)
def test_an_operand_may_be_a_rate_or_a_comparison(text, is_rate, compares):
    start = text.index("#")
    assert spoken("7", text.replace("#", "7"), start, start + 1) == Spoken("7", is_rate, compares)


def test_gsm8k_keeps_its_own_sentences_behind_what_is_known():
    solution = "Each box has 4*2=<<4*2=8>>8 pens.\nFive have 8*5=<<8*5=40>>40 pens."
    text = "A box has 4 rows of 2 pens. How many pens are in 5 boxes?"
    task = annotate(Task("gsm8k/train/0", "gsm8k", text, "40", "train", meta={"solution": solution}))
    assert task.subgoals[0].thought == "Asked: how many pens are in 5 boxes. Known: a box has 4 rows of 2 pens."
    assert [subgoal.text for subgoal in task.subgoals] == ["Each box has how many pens?", "Five have how many pens?"]
    assert [subgoal.thought for subgoal in task.subgoals[1:]] == [""]


def turns(task, profile, module):
    return [each["content"] for each in conversations(task, profile=profile)[module] if each["role"] == "assistant"]


def test_thoughts_are_learned_by_a_planner_that_thinks_and_never_reach_the_grounder():
    task = equation(POTS, "* * 544 10 32", "174080")
    first, second, stop = turns(task, THINKING_PROFILE, Module.PLANNER)
    assert first == f"{task.subgoals[0].thought} Subgoal 1: {task.subgoals[0].text}"
    assert second == f"{task.subgoals[1].thought} Subgoal 2: {task.subgoals[1].text}" and stop == THINKING_PROFILE.stop
    assert turns(task, INSTRUCT_PROFILE, Module.PLANNER)[0] == f"Subgoal 1: {task.subgoals[0].text}"
    read = [each["content"] for each in conversations(task, profile=THINKING_PROFILE)[Module.GROUNDER]]
    assert not [text for text in read if "Known: " in text]
    solver = conversations(task, Formulation.INTEGRATED, THINKING_PROFILE)[Module.SOLVER]
    assert [each["content"].count("\n") for each in solver if each["role"] == "assistant"] == [1, 1, 0]


def test_an_episode_of_a_thinking_planner_is_played_like_its_conversation():
    task = equation(POTS, "* * 544 10 32", "174080")
    episode = play(Formulation.ITERATIVE, task.instruction, (), THINKING_PROFILE)
    step = next(episode)
    for index, subgoal in enumerate(task.subgoals, 1):
        assert isinstance(step, Ask) and step.module == Module.PLANNER
        step = episode.send(THINKING_PROFILE.plan_turn(index, subgoal.text, subgoal.thought))
        assert f"Subgoal {index}: {subgoal.text}" in step.prompt and "Known: " not in step.prompt
        step = episode.send(written(subgoal.actions))
        assert isinstance(step, Act)
        step = episode.send(Outcome(subgoal.actions[-1].result, None, False))
    assert episode.send(THINKING_PROFILE.stop) == Act("Finish()")


def test_copies_with_other_numbers_think_of_their_own():
    task = equation(POTS, "* * 544 10 32", "174080")
    for copy in resample(task, 5):
        assert given_numbers(copy.subgoals[0].thought) == given_numbers(copy.instruction) != given_numbers(POTS)
        assert Fraction(544) not in given_numbers(copy.subgoals[0].thought)


def test_thoughts_are_stored_with_annotations(tmp_path):

    task = equation(POTS, "* * 544 10 32", "174080")
    path = tmp_path / "annotations.jsonl"
    bare = replace(task, id="mawps/train/1", subgoals=tuple(replace(each, thought="") for each in task.subgoals))
    path.write_text("".join(json.dumps(well_formed(annotation_record(each))) + "\n" for each in (task, bare)))
    assert [each.subgoals for each in read_annotations(path)] == [task.subgoals, bare.subgoals]
    assert '"thought"' not in path.read_text().splitlines()[1]
    assert Subgoal("Add.").thought == ""
