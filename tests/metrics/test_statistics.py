"""Intervals of scores and of their differences, with values worked out by hand."""

import pytest

from lumos_rl.metrics import (
    detectable_difference,
    mean_interval,
    paired_difference,
    share_interval,
    wilson_interval,
)
from lumos_rl.metrics.statistics import effective_size


def test_wilson_interval_of_8_in_10():
    # z = 1.959964: centre (0.8 + 0.19207) / 1.38415 = 0.71674
    # half width 1.959964 / 1.38415 * sqrt(0.016 + 0.0096037) = 0.22658
    assert wilson_interval(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-4)


def test_wilson_interval_at_the_edges():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 10) == (0.0, pytest.approx(0.27753, abs=1e-4))
    assert wilson_interval(10, 10) == (pytest.approx(0.72247, abs=1e-4), 1.0)
    assert wilson_interval(5, 10, confidence=0.5)[0] > wilson_interval(5, 10)[0]


@pytest.mark.parametrize(("successes", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 95)])
def test_wilson_interval_refuses_what_cannot_be(successes, n, confidence):
    with pytest.raises(ValueError, match="expected"):
        wilson_interval(successes, n, confidence)


def test_equal_episodes_of_a_task_count_once():
    half = [[1.0] * 8] * 25 + [[0.0] * 8] * 25
    assert effective_size(half) == pytest.approx(50)
    assert share_interval(half) == pytest.approx((0.366, 0.634), abs=5e-4)
    assert share_interval(half) == pytest.approx(wilson_interval(25, 50))


@pytest.mark.parametrize("solved", [0, 1, 55, 100])
def test_one_episode_per_task_gives_wilsons_interval(solved):
    by_task = [[1.0]] * solved + [[0.0]] * (100 - solved)
    assert share_interval(by_task) == pytest.approx(wilson_interval(solved, 100))


def test_none_and_all_leave_room():
    assert share_interval([[0.0] * 8] * 50) == pytest.approx(wilson_interval(0, 50))
    assert share_interval([[1.0] * 8] * 50) == pytest.approx(wilson_interval(50, 50))
    low, high = share_interval([[0.5]] * 300)
    assert 0 < high - low < 0.02
    assert share_interval([]) == (0.0, 1.0)


def test_one_success_says_little_about_how_alike_episodes_are():
    none, one = ([[0.0] * 8] * 49 + [[first] + [0.0] * 7] for first in (0.0, 1.0))
    # beside a task of 8 successes and one of none: mean 9 / 416, squares 7.827**2 + 0.827**2 + 50 * 0.173**2 = 63.44
    # 400 / 416 * (9 / 416) * (407 / 416) / (63.44 / 416**2) = 55.5
    assert effective_size(one) == pytest.approx(55.5, abs=0.1)
    assert share_interval(one)[1] == pytest.approx(share_interval(none)[1], abs=0.005)


def test_episodes_of_a_task_that_differ_count_more_than_once():
    unlike = [[1.0, 0.0]] * 50
    assert effective_size(unlike) == 100  # and never more than there are
    mixed = [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]] * 25
    assert 100 < effective_size(mixed) <= 200


def test_a_reward_may_be_negative():
    assert share_interval([[-1.0], [1.0]], bounds=(-1.0, 1.0)) == pytest.approx(
        tuple(2 * end - 1 for end in wilson_interval(1, 2))
    )
    with pytest.raises(ValueError, match="values from"):
        share_interval([[2.0]])


def test_mean_interval_is_the_normal_one_over_tasks():
    # mean 0.5, deviation sqrt(0.5 / 3) = 0.408248, standard error 0.204124, times 1.959964 = 0.400076
    alone = [[0.0], [0.5], [0.5], [1.0]]
    assert mean_interval(alone) == pytest.approx((0.099924, 0.900076), abs=1e-5)
    assert mean_interval([values * 8 for values in alone]) == pytest.approx((0.099924, 0.900076), abs=1e-5)
    assert mean_interval([[0.3, 0.4]]) is None


def test_a_paired_difference_has_an_interval_over_tasks():
    # ten of 100 tasks are gained and none is lost: Binomial(100, 0.1) / 100 has the quantiles 0.05 and 0.16
    first, second = [[1.0] * 40 + [0.0] * 60], [[1.0] * 30 + [0.0] * 70]
    found = paired_difference(first, second)
    assert (found.value, found.tasks, found.seeds) == (pytest.approx(0.1), 100, 1)
    assert (found.low, found.high) == (pytest.approx(0.05, abs=0.011), pytest.approx(0.16, abs=0.011))
    assert found.error == pytest.approx(0.03, abs=0.001)  # sqrt(0.1 * 0.9 / 100)
    assert found.detectable() == pytest.approx(2.8016 * found.error, rel=1e-3)
    assert found.significant and found == paired_difference(first, second)


def test_seeds_that_disagree_leave_the_sign_open():
    # both seeds alike: only tasks vary; one for and one against: any mean from -1 to 1 may be drawn
    alike = paired_difference([[1.0] * 5 + [0.0] * 5] * 2, [[0.0] * 10] * 2)
    assert (alike.value, alike.seeds) == (0.5, 2) and alike.low > 0.1
    against = paired_difference([[1.0] * 10, [0.0] * 10], [[0.0] * 10, [1.0] * 10])
    assert (against.value, against.low, against.high) == (0.0, -1.0, 1.0) and not against.significant


def test_seeds_add_their_own_variance():
    # two seeds, 0.4 and 0.6 on every task: variance of a mean of two, 0.01 / 2, times 2 / (2 - 1) as they are few
    found = paired_difference([[0.4] * 50, [0.6] * 50], [[0.0] * 50] * 2)
    assert found.value == pytest.approx(0.5) and found.error == pytest.approx(0.1, abs=0.002)


def test_no_disagreement_in_few_tasks_is_no_certainty():
    found = paired_difference([[1.0, 0.0]], [[1.0, 0.0]])
    assert (found.low, found.high) == pytest.approx((-0.65762, 0.65762), abs=1e-4)  # Wilson, 0 of 2


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError, match="per seed and task"):
        paired_difference([[1.0]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="per seed and task"):
        paired_difference([], [])


def test_the_smallest_difference_that_tasks_can_show():
    # sqrt(0.5) * (1.959964 * sqrt(300) + 0.841621 * sqrt(300 - 3.133132)) / 300.708327
    assert detectable_difference(300) == pytest.approx(0.113925, abs=1e-5)
    assert detectable_difference(50) == pytest.approx(0.273603, abs=1e-5)
    assert detectable_difference(300, discordance=0.1) == pytest.approx(0.050949, abs=1e-5)
    assert detectable_difference(3) == 0.5  # not even the largest that is possible
    assert detectable_difference(300, power=0.5) < detectable_difference(300) < detectable_difference(300, power=0.9)
    with pytest.raises(ValueError, match="discordance"):
        detectable_difference(300, discordance=0.0)
