from collections import Counter
from dataclasses import replace

import pytest

from lumos_rl.core import Formulation, PairIds, Task, Trajectory, Transcript, Turn
from lumos_rl.data.rows import annotation_rows, balanced, count_by_module, preference_pairs, success_rows
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.prompts import COMPACT_PROFILE


def episode(turns, reward, sample=0, task="t", failure=None):
    """A trajectory of turns: p is a planner's and g a grounder's; one with ! has an error, one with … was cut."""
    names = {"p": "planner", "g": "grounder"}
    made = tuple(
        Turn(
            names[text[0]],
            f"prompt {index}",
            text,
            error="bad" if text.endswith("!") else None,
            finish_reason="length" if text.endswith("…") else "stop",
        )
        for index, text in enumerate(turns)
    )
    return Trajectory(
        id=f"{task}#{sample}",
        task_id=task,
        benchmark="gsm8k",
        split="train",
        instruction="…",
        formulation="iterative",
        policy="sft",
        sample=sample,
        seed=0,
        temperature=1.0,
        turns=made,
        reward=reward,
        success=reward == 1.0,
        answer=None,
        stop_reason="failed" if failure else "answered",
        failure=failure,
    )


def test_annotations_give_a_row_per_module():
    tasks = synthetic_tasks("gsm8k", "train", 3)
    rows = annotation_rows([*tasks, Task("x", "gsm8k", "no plan")], Formulation.ITERATIVE, COMPACT_PROFILE)
    assert count_by_module(rows) == {"planner": 3, "grounder": 3}
    assert rows[0].messages[0]["content"] == f"Plan: {tasks[0].instruction}"
    assert rows[0].messages[-1] == {"role": "assistant", "content": "Stop."}


def test_only_clean_successes_are_learned_and_each_once():
    played = [
        episode(["p1", "g1"], 1.0, 0),
        episode(["p1", "g1"], 1.0, 1),  # the same again
        episode(["p1", "g2"], 0.0, 2),
        episode(["p1", "g3!"], 1.0, 3),  # solved, but with an error on the way
        episode(["p2", "g2"], 1.0, 4, failure="worker died"),
        episode(["p3", "g3"], 1.0, 5),
    ]
    rows = success_rows(played)
    assert [row.id for row in rows] == ["t#0", "t#0", "t#5", "t#5"]
    assert [row.id for row in success_rows(played, max_per_task=1)] == ["t#0", "t#0"]
    assert len(success_rows(played, allow_errors=True)) == 6


def test_a_cut_turn_is_never_learned_as_a_success(caplog):
    played = [
        episode(["p1", "g1…"], 1.0, 0),
        episode(["p1", "g2!"], 1.0, 1),
        episode(["p1", "g3"], 1.0, 2),
        episode(["p1", "g3"], 1.0, 3),
    ]
    with caplog.at_level("INFO"):
        assert [row.id for row in success_rows(played)] == ["t#2", "t#2"]
    assert (
        "3 of 4 successful episodes are not learned (75 %): 1 with a turn that was cut, 1 with an error, 1 the same as"
        " others" in caplog.text
    )
    assert [row.id for row in success_rows(played, allow_errors=True)] == ["t#1", "t#1", "t#2", "t#2"]


@pytest.mark.parametrize("spoiled", ["g1…", "g1!"])
def test_a_turn_that_was_cut_or_an_error_is_never_chosen(spoiled, caplog):
    worse = [episode(["p1", "g2"], 0.0, 1), episode(["p1", "g3"], 0.5, 2)]
    with caplog.at_level("INFO"):
        (pair,) = preference_pairs([episode(["p1", spoiled], 1.0, 0), *worse])
    assert (pair.chosen, pair.rejected) == ("g3", "g2")  # the best of the turns that are whole
    assert "1 of 2 pairs are not learned (50 %): 1 whose better turn was cut or had an error" in caplog.text
    assert preference_pairs([episode(["p1", spoiled], 1.0, 0), worse[0]]) == []
    (pair,) = preference_pairs([episode(["p1", "g0"], 1.0, 0), episode(["p1", spoiled], 0.0, 1)])
    assert (pair.chosen, pair.rejected) == ("g0", spoiled)  # it may well be the worse one


def test_one_right_step_of_several_is_no_success():
    played = [replace(episode([f"p{n}", f"g{n}"], n + 1.0, sample=n), best_reward=3.0) for n in (1, 2)]
    assert [row.messages[1]["content"] for row in success_rows(played)] == ["p2", "g2"]
    assert len(success_rows(played, min_reward=0.5)) == 4
    assert not preference_pairs(played, min_margin=0.5) and len(preference_pairs(played, min_margin=0.3)) == 1


def test_a_margin_is_met_in_spite_of_rounding_and_never_by_equals():
    assert 1.0 - 0.8 < 0.2
    assert len(preference_pairs([episode(["p1"], 1.0, 0), episode(["p2"], 0.8, 1)], min_margin=0.2)) == 1
    assert not preference_pairs([episode(["p1"], 1.0, 0), episode(["p2"], 1.0, 1)], min_margin=0.0)


def test_a_benchmark_may_have_its_own_least_reward_and_margin():
    played = [
        replace(trajectory, benchmark=name, task_id=name)
        for name in ("webshop", "gsm8k")
        for trajectory in (episode(["p1"], 0.6, 0), episode(["p2"], 0.3, 1))
    ]
    assert not success_rows(played, 1.0)
    assert [row.benchmark for row in success_rows(played, 1.0, min_rewards={"webshop": 0.5})] == ["webshop"]
    assert [row.benchmark for row in success_rows(played, 0.5, min_rewards={"webshop": 0.7})] == ["gsm8k"]
    assert not preference_pairs(played, 0.5)
    assert [pair.benchmark for pair in preference_pairs(played, 0.5, min_margins={"gsm8k": 0.2})] == ["gsm8k"]
    assert [pair.benchmark for pair in preference_pairs(played, 0.2, min_margins={"gsm8k": 0.5})] == ["webshop"]


def test_a_pair_is_credited_to_the_module_where_episodes_part():
    (pair,) = preference_pairs([episode(["p1", "g1", "p2"], 1.0, 0), episode(["p1", "g9", "p2"], 0.0, 1)])
    assert (pair.module, pair.turn, pair.chosen, pair.rejected) == ("grounder", 1, "g1", "g9")
    assert pair.prompt == ({"role": "user", "content": "prompt 1"},)
    (pair,) = preference_pairs([episode(["p1", "g1", "p2"], 1.0, 0), episode(["p1", "g1", "p3"], 0.0, 1)])
    assert (pair.module, pair.turn) == ("planner", 2)
    assert [message["content"] for message in pair.prompt] == ["prompt 0", "p1", "prompt 2"]


def test_a_turn_is_worth_the_mean_reward_of_the_episodes_that_took_it():
    played = [episode(["p1"], 1.0, 0), episode(["p1"], 0.0, 1), episode(["p1"], 0.0, 2), episode(["p2"], 1.0, 3)]
    (pair,) = preference_pairs(played)
    assert (pair.chosen, pair.rejected) == ("p2", "p1")
    assert pair.chosen_reward == 1.0
    assert abs(pair.rejected_reward - 1 / 3) < 1e-12
    assert preference_pairs(played, min_margin=0.7) == []


def test_equal_rewards_other_tasks_and_failures_give_no_pair():
    assert preference_pairs([episode(["p1"], 1.0, 0), episode(["p2"], 1.0, 1)]) == []
    assert preference_pairs([episode(["p1"], 1.0, 0), episode(["p2"], 0.0, 0, task="u")]) == []
    assert preference_pairs([episode(["p1"], 1.0, 0), episode(["p2"], 0.0, 1, failure="died")]) == []


def test_the_pairs_of_a_task_are_limited_and_drawn_by_seed():
    played = [episode(["p0"], 1.0, 0), *(episode([f"p{index}"], 0.0, index) for index in range(1, 9))]
    pairs = preference_pairs(played, max_per_task=3)
    assert len(pairs) == 3
    assert preference_pairs(played, max_per_task=3) == pairs
    assert preference_pairs(reversed(played), max_per_task=3)[0].chosen == "p0"


def sampled(trajectory, spelling):
    """The same episode with token ids: prompt 1, the turn as `spelling` says."""
    turns = tuple(replace(turn, prompt_ids=(1,), completion_ids=spelling[turn.completion]) for turn in trajectory.turns)
    return replace(trajectory, turns=turns, tokenizer="abc")


def test_rows_and_pairs_hold_the_ids_that_were_sampled():
    good = sampled(episode(["p1", "g1", "p2"], 1.0, 0), {"p1": (5, 0), "g1": (6, 0), "p2": (7, 0)})
    bad = sampled(episode(["p1", "g1", "p3"], 0.0, 1), {"p1": (8, 9, 0), "g1": (6, 0), "p3": (4, 0)})
    planner, _ = success_rows([good])
    assert planner.transcript == Transcript((1, 5, 0, 1, 7, 0), (False, True, True, False, True, True), "abc")
    (pair,) = preference_pairs([good, bad])  # both wrote p1, though with other tokens: they part at the third turn
    assert pair.ids == PairIds((1, 5, 0, 1), (7, 0), (4, 0), "abc")
    assert preference_pairs([good, replace(bad, tokenizer="other")])[0].ids is None


def test_balanced_rows_have_every_benchmark_as_often():
    tasks = [*synthetic_tasks("gsm8k", "train", 3), *synthetic_tasks("hotpotqa", "train", 12)]
    rows = annotation_rows(tasks, Formulation.ITERATIVE, COMPACT_PROFILE)
    learned = balanced(rows, 0)
    assert Counter(row.benchmark for row in learned) == {"gsm8k": 24, "hotpotqa": 24}
    assert {row.id for row in learned} == {task.id for task in tasks}
    assert balanced([], 0) == []
