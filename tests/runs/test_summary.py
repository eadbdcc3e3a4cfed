import json
from dataclasses import asdict, replace

import pytest
from small_run import CONFIG, adds, evaluate, explore_gold, half, play, prose, stops

from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import plan_episodes
from lumos_rl.runs.config import DataConfig, RunConfig
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.folder import EVALUATION, RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.refine import refine
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.score import Score
from lumos_rl.runs.summary import write_summary
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on


def test_a_summary_names_scores_stages_and_versions(run):
    run.config = replace(CONFIG, refine=replace(CONFIG.refine, steps=(Refine.RS,)))
    explore_gold(run, run.config, "sft", half)
    versions, _ = refine(Job(run.config), run)
    text = write_summary(run, versions, 90.0, Job(run.config).training.counts)
    assert "Of 3 tasks, two policies that differ by 50.0 points are told apart" in text
    assert text == (run.path / "SUMMARY.md").read_text()
    assert "Success on gsm8k=synthetic (test) in percent" in text and "1.5 minutes" in text
    assert "Training tasks: 4 annotated (0 rejected), 3 to explore, none of them annotated." in text
    assert "| rs-1 | 100.0 [43.9, 100.0] n=3 | 100.0 [43.9, 100.0] n=3 |" in text
    rows = [line.split(" | ")[0] for line in text.partition("| stage |")[2].splitlines()[2:]]
    assert rows == ["| base", "| sft", "| collect-for-rs-1", "| rs-1"]  # as they ended
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["packages"]["torch"].startswith("2.") and summary["seed"] == 0
    assert summary["training"] == {"annotated": 4, "rejected": 0, "explored": 3, "explored_annotated": 0}
    assert summary["scores"] == {
        "rs-1": {
            kind: asdict(Score(1.0, pytest.approx(0.4385, abs=1e-4), 1.0, 3, 0, 3)) for kind in ("greedy", "sampled")
        }
    }


@pytest.mark.parametrize("suites", ["", "qa,webshop"])
def test_a_summary_has_what_each_benchmark_reports_beside_success(tmp_path, suites):
    data = DataConfig(suites=suites, test=("webshop=synthetic",), test_tasks=2)
    with RunFolder(tmp_path / "run", RunConfig(data=data)) as run:
        play(run, tasks_to_test_on(data), run.config.test_rollout, "sft", stops)
        result = evaluate(run, "sft", tmp_path)
        text = write_summary(run, [], 1.0)
    shop = text.partition("## webshop")[2].partition("##")[0]
    score = result.get("benchmarks", {"webshop": result})["webshop"]["metrics"]["greedy"]["score"]["value"]
    assert "| policy | greedy | score |" in shop  # no column for sampled episodes, as there are none
    assert f"| sft | 0.0 [0.0, 65.8] n=2 | {100 * score:.1f} |" in shop
    assert ("| policy | greedy | em | f1 |" in text) == bool(suites)


def test_a_summary_says_which_turns_were_actions_and_which_policies_had_examples(tmp_path):
    data = DataConfig(test=("gsm8k=synthetic",), test_tasks=2, examples=1)
    with RunFolder(tmp_path / "run", RunConfig(data=data)) as run:
        examples = Job(run.config).examples("base")
        for version, reply, shown in (("base", prose, examples), ("sft", adds, None)):
            plans = plan_episodes(tasks_to_test_on(data), run.config.test_rollout, shown)
            for trajectory in run_episodes(make_env, plans, ScriptedPolicy(reply, version), "lumos"):
                run.add(EVALUATION, trajectory)
            evaluate(run, version, tmp_path)
        text = write_summary(run, [], 1.0)
    assert "| policy | greedy | valid actions |" in text
    assert "| base, 1 example | 0.0 [0.0, 65.8] n=2 | 0.0 |" in text
    assert "| sft | 0.0 [0.0, 65.8] n=2 | 100.0 |" in text


def test_a_summary_has_a_table_for_tasks_of_unseen_templates(tmp_path):
    data = DataConfig(suites="strategyqa", test_split=("test", "unseen"), test_tasks=2)
    with RunFolder(tmp_path / "run", RunConfig(data=data)) as run:
        play(run, tasks_to_test_on(data), run.config.test_rollout, "sft", stops)
        result = evaluate(run, "sft", tmp_path)
        text = write_summary(run, [], 1.0)
        summary = json.loads((run.path / "summary.json").read_text())
    assert "## strategyqa\n" in text and "## strategyqa unseen\n" in text and "(test, unseen)" in text
    assert [*summary["benchmarks"]] == ["strategyqa", "strategyqa unseen"]
    assert result["greedy"]["n"] == 2 and result["episodes"] == 4  # the first numbers are not of unseen templates


def test_a_summary_says_how_many_test_tasks_were_learned(tmp_path):
    data = DataConfig(suites="strategyqa", test_tasks=2, allow_overlap=True)
    with RunFolder(tmp_path / "run", RunConfig(data=data)) as run:
        play(run, tasks_to_test_on(data), run.config.test_rollout, "sft", stops)
        evaluate(run, "sft", tmp_path)
        run.stage("overlap", lambda: {"strategyqa": (1, 2)})
        text = write_summary(run, [], 1.0)
        assert json.loads((run.path / "summary.json").read_text())["stages"]["overlap"] == {"strategyqa": [1, 2]}
    assert "**1 of these 2 test tasks were learned: the scores show what was memorised.**" in text
    assert "| overlap" not in text
