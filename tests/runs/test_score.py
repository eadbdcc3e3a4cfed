import pytest

from lumos_rl.core import StopReason, Task
from lumos_rl.metrics import wilson_interval
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.play import describe
from lumos_rl.runs.score import Score, metric_scores, score


def test_a_score_has_an_interval_and_leaves_failures_out():
    plan = plan_episodes([Task("gsm8k/test/0", "gsm8k", "?", "1")], RolloutConfig())[0]
    solved, unsolved = (plan.trajectory("sft", StopReason.ANSWERED, success=success) for success in (True, False))
    broken = plan.trajectory("sft", StopReason.FAILED, failure="worker died")
    truncated = plan.trajectory("sft", StopReason.TURN_LIMIT)  # the model's own fault counts
    found = score([solved, unsolved, broken, truncated, solved, broken])
    assert (found.value, found.n, found.excluded) == (0.5, 4, 2)
    assert found.low == pytest.approx(0.1500, abs=1e-4) and found.high == pytest.approx(
        0.8500, abs=1e-4
    )  # Wilson, 2 of 4
    assert str(found) == "50.0 [15.0, 85.0] n=4 (2 excluded)"
    assert score([broken]) == Score(None, None, None, 0, 1) and str(score([broken])) == "no episodes"
    numbers = describe([solved, unsolved, broken, truncated])
    assert (numbers["episodes"], numbers["failed"], numbers["success"]) == (4, 1, 1 / 3)


def test_each_metric_of_a_benchmark_has_a_mean_with_an_interval():
    plan = plan_episodes([Task("hotpotqa/dev/0", "hotpotqa", "?", "1")], RolloutConfig())[0]
    played = [
        plan.trajectory("sft", StopReason.ANSWERED, metrics={"f1": f1, "em": em}) for f1, em in ((0.5, 0.0), (1, 1))
    ]
    played += [plan.trajectory("sft", StopReason.ANSWERED, metrics={"f1": 0.0})]
    played += [plan.trajectory("sft", StopReason.FAILED, failure="worker died", metrics={"f1": 1.0})]
    found = metric_scores(played)
    assert list(found) == ["em", "f1"]
    assert (found["f1"].value, found["f1"].n, found["f1"].excluded, found["em"].n) == (0.5, 3, 1, 2)
    assert (found["f1"].low, found["f1"].high) == (0.0, 1.0)  # a share is never outside


def test_the_interval_of_a_metric_is_of_its_episodes():
    plan = plan_episodes([Task("mind2web/test/0", "mind2web", "?", "1")], RolloutConfig())[0]
    many = [{"step_acc": value, "steps": 10 * value} for value in (0.4, 0.5, 0.6)]
    found = metric_scores([plan.trajectory("sft", StopReason.ANSWERED, metrics=metrics) for metrics in many])
    half = pytest.approx(1.96 * 0.1 / 3**0.5, rel=1e-4)  # the standard deviation of 0.4, 0.5 and 0.6 is 0.1
    assert found["step_acc"].high - 0.5 == half and 0.5 - found["step_acc"].low == half
    assert found["steps"].high > 6
    either = metric_scores([plan.trajectory("sft", StopReason.ANSWERED, metrics={"em": 0.0})] * 4)["em"]
    assert (either.low, either.high) == wilson_interval(0, 4)  # nobody knows from four episodes that it is never
    alone = metric_scores([plan.trajectory("sft", StopReason.ANSWERED, metrics=many[0])])["step_acc"]
    assert (alone.low, alone.high, str(alone)) == (None, None, "40.0 n=1")
