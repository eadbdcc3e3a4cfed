from dataclasses import replace

import pytest

from lumos_rl.core import StopReason, Task, Turn
from lumos_rl.metrics import share_interval
from lumos_rl.rollout.loop import CUT
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.play import describe
from lumos_rl.runs.score import Score, actions, benchmark_of, metric_scores, part, score, scores_of


def plan_of(number, benchmark="gsm8k", split="test"):
    return plan_episodes([Task(f"{benchmark}/{split}/{number}", benchmark, "?", "1", split)], RolloutConfig())[0]


def test_a_score_has_an_interval_and_leaves_failures_out():
    first, second, third, fourth = (plan_of(number) for number in range(4))
    solved, unsolved = (
        plan.trajectory("sft", StopReason.ANSWERED, success=success)
        for plan, success in ((first, True), (second, False))
    )
    broken = first.trajectory("sft", StopReason.FAILED, failure="worker died")
    truncated = third.trajectory("sft", StopReason.TURN_LIMIT)  # the model's own fault counts
    again = fourth.trajectory("sft", StopReason.ANSWERED, success=True)
    found = score([solved, unsolved, broken, truncated, again, broken])
    assert (found.value, found.n, found.excluded, found.tasks) == (0.5, 4, 2, 4)
    assert found.low == pytest.approx(0.1500, abs=1e-4) and found.high == pytest.approx(
        0.8500, abs=1e-4
    )  # Wilson, 2 of 4
    assert str(found) == "50.0 [15.0, 85.0] n=4 (2 excluded)"
    assert score([broken]) == Score(None, None, None, 0, 1, 0) and str(score([broken])) == "no episodes"
    numbers = describe([solved, unsolved, broken, truncated])
    assert (numbers["episodes"], numbers["failed"], numbers["success"]) == (4, 1, 1 / 3)


def test_episodes_of_one_task_are_no_further_tasks():
    half = [
        plan_of(number).trajectory("sft", StopReason.ANSWERED, success=number < 25)
        for number in range(50)
        for _ in range(8)
    ]
    assert str(score(half)) == "50.0 [36.6, 63.4] n=400 of 50 tasks"
    assert str(score(half[:200])) == "100.0 [86.7, 100.0] n=200 of 25 tasks"  # Wilson, 25 of 25
    (em,) = metric_scores([replace(each, metrics={"em": float(each.success)}) for each in half]).values()
    assert str(em) == "50.0 [36.6, 63.4] n=400 of 50 tasks"


def test_tasks_of_unseen_templates_are_scored_apart():
    parts = [part(plan_of(0, split=split).trajectory("sft", StopReason.ANSWERED)) for split in ("test", "unseen")]
    assert parts == ["gsm8k", "gsm8k unseen"]
    assert [*map(benchmark_of, parts)] == ["gsm8k", "gsm8k"]


def test_each_metric_of_a_benchmark_has_a_mean_with_an_interval():
    values = enumerate(((0.5, 0.0), (1, 1)))
    played = [
        plan_of(number, "hotpotqa").trajectory("sft", StopReason.ANSWERED, metrics={"f1": f1, "em": em})
        for number, (f1, em) in values
    ]
    plan = plan_of(2, "hotpotqa")
    played += [plan.trajectory("sft", StopReason.ANSWERED, metrics={"f1": 0.0})]
    played += [plan.trajectory("sft", StopReason.FAILED, failure="worker died", metrics={"f1": 1.0})]
    found = metric_scores(played)
    assert list(found) == ["em", "f1"]
    assert (found["f1"].value, found["f1"].n, found["f1"].excluded, found["em"].n) == (0.5, 3, 1, 2)
    low, high = share_interval([[0.5], [1.0], [0.0]])
    assert (found["f1"].low, found["f1"].high) == (low, high) and 0 < low < high < 1


def test_turns_that_are_actions_are_counted_apart_from_those_that_a_tool_refused():
    plan = plan_of(0)

    def played(*turns, **rest):
        told = ({"malformed": malformed, "error": error} for malformed, error in turns)
        made = tuple(Turn("grounder", "?", "!", **each) for each in told)
        return plan.trajectory("sft", rest.pop("reason", StopReason.ANSWERED), turns=made, **rest)

    mine = played((None, None), (False, None), (True, "cannot be read"), (False, "division by zero"), (False, CUT))
    broken = played((True, "cannot be read"), reason=StopReason.FAILED, failure="worker died")
    found = actions([mine, broken])
    assert (found.turns, found.valid, found.refused) == (4, 0.75, 0.25)  # the planner's turn is none of them
    assert str(found) == "75.0% of 4 turns; 25.0% ended in an error of a tool"
    without = [broken, replace(mine, formulation="cot")]  # there, the agent writes the actions
    assert str(actions(without)) == "no turns"
    assert scores_of([mine])["actions"] == {"turns": 4, "valid": 0.75, "refused": 0.25}


def test_the_interval_of_a_count_is_of_its_tasks():
    many = [{"steps": 10 * value} for value in (0.4, 0.5, 0.6)]
    plans = [plan_of(number, "mind2web") for number in range(3)]
    episodes = [
        plan.trajectory("sft", StopReason.ANSWERED, metrics=each) for plan, each in zip(plans, many, strict=True)
    ]
    half = pytest.approx(1.96 * 1 / 3**0.5, rel=1e-4)  # the standard deviation of 4, 5 and 6 is 1
    for found in (metric_scores(episodes)["steps"], metric_scores(episodes * 2)["steps"]):
        assert found.high - 5 == half and 5 - found.low == half
    alone = metric_scores(episodes[:1] * 3)["steps"]
    assert (alone.low, alone.high, alone.text(1, 1)) == (None, None, "4.0 n=3 of 1 tasks")
