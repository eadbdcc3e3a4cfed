import random
import string

import pytest

from lumos_rl.core import Trajectory
from lumos_rl.envs.mind2web.metrics import (
    exact_web_step,
    lumos_step,
    lumos_step_sr,
    operation_f1,
    operation_text,
    reachable,
    recall_at,
    split_scores,
    web_scores,
    web_step,
)


@pytest.mark.parametrize(
    ("prediction", "gold", "score"),
    [
        ("CLICK ", "CLICK ", 1.0),
        ("CLICK", "CLICK ", 1.0),
        ("TYPE New York", "TYPE York New New", 1.0),
        ("TYPE New York", "TYPE York", 0.8),  # 2 of 3 words, 2 of 2
        ("TYPE new York", "TYPE New York", 2 / 3),
        ("CLICK ", "TYPE Boston", 0.0),
        ("CLICK ", "CLICK & , () .", 1.0),  # parts of string.punctuation are dropped, "()" too
        ("! ? ()", "", 1.0),
        (None, "CLICK ", 0.0),
        ("", "", 1.0),
        (None, ", .", 1.0),
        ("TYPE a.", "TYPE a", 0.5),  # "a." is another word
    ],
)
def test_operations_are_compared_as_sets_of_words(prediction, gold, score):
    assert operation_f1(prediction, gold) == pytest.approx(score, abs=1e-12)


def test_a_word_is_dropped_where_it_is_a_part_of_the_punctuation():
    assert operation_f1("TYPE #$%", "TYPE") == 1.0  # "#$%" stands in string.punctuation
    assert operation_f1("TYPE %#", "TYPE") == pytest.approx(2 / 3)  # "%#" does not


def test_a_click_has_no_value():
    assert (operation_text("CLICK", "x"), operation_text("TYPE", "x y")) == ("CLICK ", "TYPE x y")


def test_a_step_needs_element_and_operation():
    right = web_step("t", "3", "TYPE b a", ["2", "3"], "TYPE a b")
    assert (right.element, right.operation_f1, right.success) == (1.0, 1.0, True)
    assert not web_step("t", "4", "TYPE a b", ["2", "3"], "TYPE a b").success
    assert not web_step("t", "3", "TYPE a", ["2", "3"], "TYPE a b").success


def test_a_step_where_no_element_was_chosen_counts_0_on_everything():
    step = web_step("t", None, "CLICK ", ["2", "3"], "CLICK ")
    assert (step.element, step.operation_f1, step.success) == (0.0, 0.0, False)


def test_a_step_without_a_right_element_counts_0_on_everything():
    step = web_step("t", "3", "CLICK ", [], "CLICK ")
    assert (step.element, step.operation_f1, step.success) == (0.0, 0.0, False)


def test_right_elements_beyond_the_best_50_cannot_be_chosen():
    ranked = [{"backend_node_id": key, "rank": rank} for key, rank in (("1", 49), ("2", 50), ("3", 0))]
    assert reachable([*ranked, {"backend_node_id": 4}]) == ["1", "3", "4"]
    assert reachable(ranked, top_k=1) == ["3"]


def test_micro_averages_over_steps_and_macro_over_tasks():
    good, bad = ("3", "CLICK "), ("4", "TYPE x")
    # task a: three right steps; task b: one step with neither
    steps = [web_step("a", *good, ["3"], "CLICK ")] * 3 + [web_step("b", *bad, ["3"], "CLICK ")]
    assert web_scores(steps) == {
        "element_acc": 0.75,
        "action_f1": 0.75,
        "step_acc": 0.75,
        "marco_element_acc": 0.5,
        "marco_action_f1": 0.5,
        "marco_step_acc": 0.5,
        "task_success": 0.5,
    }
    assert set(web_scores([]).values()) == {0.0}


def test_a_task_succeeds_when_all_its_steps_do():
    steps = [web_step("a", "3", "CLICK ", ["3"], "CLICK "), web_step("a", "3", "CLICK ", [], "CLICK ")]
    assert web_scores(steps)["task_success"] == 0.0


def test_random_rows_equal_the_definition():
    rng = random.Random(0)
    words = ["CLICK", "TYPE", "a", "b", "New", "new", ",", "()", "x,", "&"]
    for _ in range(300):
        first, second = (" ".join(rng.choices(words, k=rng.randrange(6))) for _ in range(2))
        got, expected = ({word for word in text.split() if word not in string.punctuation} for text in (first, second))
        true = len(got & expected)
        precision, recall = (true / len(found) if found else 0.0 for found in (got, expected))
        wanted = 2 * precision * recall / (precision + recall) if precision + recall else float(got == expected)
        assert operation_f1(first, second) == pytest.approx(wanted, abs=1e-12)


def test_synapse_compares_to_the_letter_and_with_the_first_right_element():
    assert exact_web_step("3", "TYPE", "a b", "3", ("TYPE", "a b"))
    assert not exact_web_step("3", "TYPE", "b a", "3", ("TYPE", "a b"))
    assert not exact_web_step("4", "TYPE", "a b", "3", ("TYPE", "a b"))
    assert not exact_web_step(None, "CLICK", "", None, ("CLICK", ""))


def test_lumos_counts_equal_looks_and_any_case():
    assert lumos_step("a\nb", "a b", ("TYPE", "BOSTON"), ("TYPE", "Boston"))
    assert lumos_step("a", "a", ("CLICK", "x"), ("CLICK", ""))
    assert not lumos_step("a", "b", ("CLICK", ""), ("CLICK", ""))
    assert not lumos_step("a", "a", ("SELECT", "1"), ("TYPE", "1"))
    assert not lumos_step("a", "a", ("SELECT", "1"), ("SELECT", "2"))


def test_lumos_averages_over_the_first_15_steps_of_each_task():
    assert lumos_step_sr([[True] * 15 + [False] * 5, [False] * 5]) == 0.75
    assert lumos_step_sr([]) == 0.0


def episode(split, failure=None, counts=(), **metrics):
    common = {"formulation": "iterative", "policy": "p", "sample": 0, "seed": 0, "temperature": 0.0, "turns": ()}
    ended = {"reward": 0.0, "success": False, "answer": None, "stop_reason": "ended"}
    return Trajectory(
        "t#0", "t", "mind2web", split, "…", **common, **ended, metrics=metrics, failure=failure, counts=dict(counts)
    )


def test_episodes_are_pooled_by_split():
    same = {"element_acc": 1.0, "action_f1": 0.5, "task_success": 0.0}
    played = [
        episode("test_task", **same, step_acc=1.0, lumos_step_sr=1.0, counts={"steps": 3.0, "lumos_steps": 1.0}),
        episode("test_task", **same, step_acc=0.0, steps=1.0, lumos_step_sr=0.0, lumos_steps=3.0),  # as stored earlier
        episode("test_domain", **same, step_acc=0.25, counts={"steps": 4.0}),
        episode("test_domain", failure="worker died"),
    ]
    scores = split_scores(played)
    assert (scores["test_task"]["step_acc"], scores["test_task"]["marco_step_acc"]) == (0.75, 0.5)
    assert (scores["test_task"]["action_f1"], scores["test_task"]["lumos_step_sr"]) == (0.5, 0.25)
    assert (scores["test_domain"]["step_acc"], scores["test_domain"]["lumos_step_sr"]) == (0.25, 0.0)


def test_recall_counts_a_missing_element_as_a_miss():
    assert [recall_at([0, 4, 9, None], k) for k in (1, 5, 10)] == [0.25, 0.5, 0.75]
