"""Comparisons of policies, on episodes whose scores are written down here."""

import json

import pytest

from lumos_rl.core import StopReason, Task, to_json
from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.compare import Measure, compared, side
from lumos_rl.runs.tables import comparison_table, policies_table


def write(folder, seed, scores, split="test", benchmark="gsm8k", temperature=0.0):
    """Adds episodes to a run: for each policy, a text with 1 for each task that it solves and 0 for the others."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"seed": seed}))
    with (folder / "evaluation.jsonl").open("a") as file:
        for policy, solved in scores.items():
            for number, mark in enumerate(solved):
                task = Task(f"{benchmark}/{split}/{number}", benchmark, f"Problem {number}", "1", split)
                (plan,) = plan_episodes([task], RolloutConfig(temperatures=(temperature,)))
                good = mark == "1"
                episode = plan.trajectory(policy, StopReason.ANSWERED, success=good, reward=float(good))
                file.write(to_json(episode) + "\n")


@pytest.fixture
def seeds(tmp_path):
    """Two runs: rs-1 gains 3 and 1 of ten tasks over the control."""
    write(tmp_path / "tiny-0", 0, {"sft": "1" * 4 + "0" * 6, "rs-1": "1" * 8 + "00", "control": "1" * 5 + "0" * 5})
    write(tmp_path / "tiny-1", 1, {"sft": "1" * 3 + "0" * 7, "rs-1": "1" * 6 + "0" * 4, "control": "1" * 5 + "0" * 5})
    return tmp_path


def test_seeds_are_paired_and_tasks_too(seeds):
    found = compared(side(f"{seeds}/tiny-*:rs-1"), side(f"{seeds}/tiny-*:control"), Measure())
    (only,) = found.rows
    assert (only.name, only.first, only.second) == ("gsm8k", pytest.approx(0.7), pytest.approx(0.5))
    assert (only.difference.value, only.difference.seeds, only.difference.tasks) == (pytest.approx(0.2), 2, 10)
    assert (found.left_out, found.unpaired) == (0, ())
    # seeds: 0.3 and 0.1, variance of their mean (0.01 + 0.01) / 2 / 2 = 0.01 with the correction for two;
    # tasks: means 0.5 twice, 1 once, 0 else: variance (2 * 0.25 + 1) / 10 - 0.04 = 0.11, of a mean of ten 0.011
    assert only.difference.error == pytest.approx((0.01 + 0.011) ** 0.5, rel=0.15)
    assert compared(side(f"{seeds}/tiny-*:rs-1"), side(f"{seeds}/tiny-*:control"), Measure()) == found


def test_one_run_against_itself(seeds):
    found = compared(side(f"{seeds}/tiny-0:rs-1"), side(f"{seeds}/tiny-0:sft"), Measure())
    assert found.rows[0].difference.value == pytest.approx(0.4)
    # four of ten tasks gained: Binomial(10, 0.4) / 10 has the quantiles 0.1 and 0.7
    assert (found.rows[0].difference.low, found.rows[0].difference.high) == pytest.approx((0.1, 0.7))
    text = comparison_table("a", "b", found, Measure())
    assert "| gsm8k | 80.0 | 40.0 | 40.0 [10.0, 70.0] | 10 | 43." in text
    assert "One seed: the interval is over tasks alone" in text


def test_a_single_run_is_compared_with_every_seed(seeds):
    write(seeds / "other", 9, {"model": "0" * 10})
    found = compared(side(f"{seeds}/tiny-*:sft"), side(f"{seeds}/other:model"), Measure())
    assert (found.rows[0].difference.value, found.rows[0].difference.seeds) == (pytest.approx(0.35), 2)


def test_tasks_that_not_all_have_are_counted(seeds):
    write(seeds / "short", 0, {"model": "111111"})
    found = compared(side(f"{seeds}/short:model"), side(f"{seeds}/tiny-0:rs-1"), Measure())
    assert (found.rows[0].difference.tasks, found.left_out) == (6, 4)
    assert "4 tasks are left out" in comparison_table("a", "b", found, Measure())


def test_every_benchmark_and_split_has_a_row(seeds):
    write(seeds / "tiny-0", 0, {"rs-1": "1111", "control": "0000"}, split="unseen")
    write(seeds / "tiny-0", 0, {"rs-1": "11", "control": "01"}, benchmark="webshop")
    found = compared(side(f"{seeds}/tiny-0:rs-1"), side(f"{seeds}/tiny-0:control"), Measure())
    shown = {each.name: (round(each.difference.value, 3), each.difference.tasks) for each in found.rows}
    # all: (0.3 * 10 + 0.5 * 2) / 12, without those of unseen templates
    assert shown == {"gsm8k": (0.3, 10), "gsm8k unseen": (1.0, 4), "webshop": (0.5, 2), "all": (0.333, 12)}


def test_a_table_says_which_policy_had_examples(seeds):
    write(seeds / "tiny-0", 0, {"base": "0" * 10})
    (seeds / "tiny-0" / "stages").mkdir()
    (seeds / "tiny-0" / "stages" / "evaluate-base.json").write_text(json.dumps({"examples": {"gsm8k": 2}}))
    text = policies_table([f"{seeds}/tiny-*"], "control", Measure())
    assert "| base, 2 examples | -50.0 " in text and "| sft | " in text


def test_a_table_has_all_benchmarks_together_too(seeds):
    write(seeds / "tiny-0", 0, {"rs-1": "11", "control": "01"}, benchmark="webshop")
    text = policies_table([f"{seeds}/tiny-0"], "control", Measure())
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## gsm8k", "## webshop", "## all"]
    assert "| control |  | 50.0 | 50.0 [25.4, 74.6] |" in text.partition("## all")[2]  # 6 of 12


def test_sampled_episodes_are_a_measure_of_their_own(seeds):
    write(seeds / "tiny-0", 0, {"rs-1": "1", "control": "0"}, temperature=1.0)
    pair = side(f"{seeds}/tiny-0:rs-1"), side(f"{seeds}/tiny-0:control")
    # the later try of a sample stands for it: its greedy one is no longer there
    assert compared(*pair, Measure("sampled")).rows[0].difference.tasks == 1
    assert compared(*pair, Measure("greedy", "reward")).rows[0].difference.tasks == 9
    with pytest.raises(UnknownNameError, match=r"kind of episode 'greed'; did you mean 'greedy'"):
        Measure("greed")
    with pytest.raises(ConfigError, match="got none with f1 of greedy episodes"):
        compared(*pair, Measure("greedy", "f1"))


def test_what_is_not_there_is_told(seeds):
    with pytest.raises(UnknownNameError, match=r"policy in .*tiny-0 'rs-7'.*Known: .*control"):
        side(f"{seeds}/tiny-0:rs-7")
    with pytest.raises(MissingFileError, match=r"at .*small-\*, got none; runs there are .*tiny-0, .*tiny-1"):
        side(f"{seeds}/small-*:sft")
    with pytest.raises(ConfigError, match=r"expected RUN:POLICY, such as runs/tiny-0:rs-2, got 'runs'"):
        side("runs")
    write(seeds / "new", 0, {"model": "11"}, split="dev")
    with pytest.raises(ConfigError, match="tasks that all were tested on, got none"):
        compared(side(f"{seeds}/new:model"), side(f"{seeds}/tiny-0:sft"), Measure())


def test_runs_that_cannot_be_paired_are_told(seeds):
    write(seeds / "tiny-2", 2, {"sft": "1" * 10})
    found = compared(side(f"{seeds}/tiny-*:sft"), side(f"{seeds}/tiny-[01]:control"), Measure())
    assert found.unpaired == (seeds / "tiny-2",) and found.rows[0].difference.seeds == 2
    write(seeds / "twin-0", 7, {"sft": "1" * 10})
    write(seeds / "twin-1", 7, {"sft": "1" * 10})
    with pytest.raises(ConfigError, match=r"one run per seed, got several of one seed: .*twin-0, .*twin-1"):
        compared(side(f"{seeds}/twin-*:sft"), side(f"{seeds}/tiny-[01]:control"), Measure())
    write(seeds / "twin-1", 8, {"sft": "1" * 10})
    with pytest.raises(ConfigError, match=r"runs of the same seeds, got \[7, 8\] of sft and \[0, 1\] of control"):
        compared(side(f"{seeds}/twin-*:sft"), side(f"{seeds}/tiny-[01]:control"), Measure())


def test_a_table_has_differences_to_the_control_first(seeds):
    (seeds / "tiny-0" / "stages").mkdir()
    (seeds / "tiny-0" / "stages" / "overlap.json").write_text('{"gsm8k": [3, 10]}')
    lines = policies_table([f"{seeds}/tiny-*"], "control", Measure()).splitlines()
    assert "| policy | minus control | mean | seed 0 | seed 1 |" in lines
    assert f"**{seeds}/tiny-0: 3 of these 10 test tasks were learned: the scores show what was memorised.**" in lines
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert [line.split(" | ")[0] for line in rows] == ["| sft", "| control", "| rs-1"]
    assert rows[1] == "| control |  | 50.0 | 50.0 [23.7, 76.3] | 50.0 [23.7, 76.3] |"
    assert rows[2].startswith("| rs-1 | 20.0 [") and "| 70.0 | 80.0 [49.0, 94.3] | 60.0 [31.3, 83.2] |" in rows[2]
    with pytest.raises(UnknownNameError, match="'dpo-9'"):
        policies_table([f"{seeds}/tiny-*"], "dpo-9", Measure())
