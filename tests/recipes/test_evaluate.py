"""Tests of a policy by the recipe `evaluate`."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from small_run import adds, play, prose, stops

from lumos_rl.core import Module
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, MissingFileError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.recipes.evaluate import EvaluateConfig, dry_run, main, opened, with_target
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import DataConfig, EvaluateSettings, RunConfig
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import parse
from lumos_rl.runs.policies import source_hash
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on


def test_the_first_word_of_evaluate_says_what_is_tested(tmp_path, monkeypatch):
    (tmp_path / "run" / "stages").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    run, model = str(tmp_path / "run"), str(tmp_path / "model")
    assert with_target([run, "--policy", "rs-1"]) == ["--run-dir", run, "--policy", "rs-1"]
    assert with_target([model, "--run-dir", run]) == ["defaults", "--checkpoint", model, "--run-dir", run]
    own = ["--run-dir", "runs/evaluate-org-name"]
    assert with_target(["org/name"]) == ["defaults", "--checkpoint", "org/name", *own]
    assert with_target(["gpt", "--model.engine", "openai"])[:3] == ["defaults", "--checkpoint", "gpt"]
    own = ["--run-dir", "runs/evaluate-my.agent-reply", "--model.engine", "script"]
    assert with_target(["my.agent:reply"]) == ["defaults", "--checkpoint", "my.agent:reply", *own]
    hub = with_target(["my.agent:reply", "--benchmarks", "gsm8k=hf:openai/gsm8k"])
    assert hub[hub.index("--model.engine") + 1] == "script"
    assert "script" not in with_target(["gpt:4", "--model.engine=openai"])
    (tmp_path / "run" / "config.json").write_text("{}")  # it has settings to go on with
    assert with_target([model, "--run-dir", run]) == ["--checkpoint", model, "--run-dir", run]
    assert with_target(["--checkpoint", model]) == ["defaults", "--checkpoint", model]
    assert with_target([f"--run-dir={run}", f"--checkpoint={model}"]) == [f"--run-dir={run}", f"--checkpoint={model}"]
    assert "script" not in with_target(["qwen2.5:7b", "--model.engine", "openai"])
    (tmp_path / "model:1").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "script" not in with_target(["model:1"])
    assert with_target(["svamp", "--policy", "sft"]) == ["svamp", "--policy", "sft"]
    assert with_target(["--policy", "sft"]) == ["--policy", "sft"] and with_target([]) == []
    with pytest.raises(MissingFileError, match=r"svamp.*got 'tinny'"):
        with_target(["tinny"])


def test_other_benchmarks_than_the_runs_stand_beside_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = {"question": "What is 1 + 1?", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"}
    (tmp_path / "test.jsonl").write_text(json.dumps(record) + "\n")
    config = RunConfig(data=DataConfig(test_tasks=2), evaluate=EvaluateSettings(samples=2, temperatures=(0.0, 1.0)))
    data = replace(config.data, test=("gsm8k=test.jsonl", "svamp=synthetic"))
    with RunFolder(tmp_path / "run", config) as run:
        folder = run.path / "benchmarks" / "gsm8k=test.jsonl-svamp=synthetic"
        with RunFolder(folder, replace(config, data=data)) as other:
            play(other, tasks_to_test_on(data), config.test_rollout, "model", adds)
        main(Job(config), run, EvaluateConfig(config, checkpoint="model", benchmarks=("gsm8k=test.jsonl, svamp",)))
    said = capsys.readouterr().out
    assert "gsm8k=test.jsonl  model  greedy   100.0" in said and "svamp=synthetic  model  greedy   0.0" in said
    assert "Of 2 tasks, two policies that differ by 50.0 points are told apart" in said
    assert said.count("Agent Lumos") == 1 and "55.4" in said  # of a built-in suite it has no figures


def test_tasks_of_unseen_templates_have_their_own_line(tmp_path, capsys):
    data = DataConfig(suites="qa", test_split=("test", "unseen"), test_tasks=2)
    config = RunConfig(data=data)
    with RunFolder(tmp_path / "run", config) as run:
        play(run, tasks_to_test_on(data), config.test_rollout, "model", adds)
        main(Job(config), run, EvaluateConfig(config, checkpoint="model"))
    said = capsys.readouterr().out
    for name in ("hotpotqa", "strategyqa"):
        assert said.count(f"{name}=synthetic  model  greedy   ") == 1
        assert said.count(f"{name}=synthetic unseen  model  greedy   ") == 1


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """`asked("--data.test-tasks", "5")` evaluates a function; returns the number of episodes that were played."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evaluated_agent.py").write_text("def reply(request):\n    return 'Stop.'\n")
    played = []

    def collect(self, plans, policy, make_env, profile, concurrency, what, tool_threads):
        played.extend(plan.seed for plan in plans)
        version = f"evaluated_agent-reply-{source_hash('evaluated_agent:reply')}"
        return run_episodes(make_env, plans, ScriptedPolicy(adds, version), "compact")

    monkeypatch.setattr("lumos_rl.rollout.ray_workers.RayWorkers.collect", collect)

    def evaluate(*argv):
        played.clear()
        config = parse("About.", EvaluateConfig, with_target(["evaluated_agent:reply", *argv]))
        with RunFolder(config.run.folder, opened(config)) as run:
            main(Job(config.run), run, config)
        return len(played)

    return evaluate


def test_what_was_played_stays_and_only_the_rest_is_played(asked, capsys):
    assert asked("--data.test-tasks", "5") == 5
    assert "greedy   0.0" in capsys.readouterr().out
    assert asked("--data.test-tasks", "12") == 7
    assert "n=12" in capsys.readouterr().out
    assert asked("--data.test-tasks", "5") == 0
    assert "n=5" in capsys.readouterr().out
    assert asked("--data.test-tasks", "5", "--evaluate.samples", "2", "--evaluate.temperatures", "0", "1") == 5
    assert asked("--data.test-tasks", "4", "--benchmarks", "svamp") == 4
    assert asked("--data.test-tasks", "6", "--benchmarks", "svamp") == 2
    with pytest.raises(ConfigError, match=r"rollout\.max_subgoals: 8 there, 3 now"):
        asked("--data.test-tasks", "5", "--rollout.max-subgoals", "3")


def test_examples_are_given_wherever_a_policy_is_only_evaluated(asked, caplog):
    with caplog.at_level("INFO"):
        assert asked("--data.test-tasks", "3") == 3
        assert asked("--data.test-tasks", "3", "--data.examples", "2") == 3  # with other prompts: other episodes
        assert asked("--data.test-tasks", "3", "--data.examples", "2") == 0
        assert asked("--benchmarks", "svamp,strategyqa", "--data.test-tasks", "1", "--data.examples", "1") == 2
    assert "1 example before each episode of strategyqa, from strategyqa=synthetic" in caplog.text
    assert "2 examples before each episode of gsm8k" in caplog.text


@pytest.mark.parametrize(("reply", "share"), [(adds, "100.0%"), (prose, "0.0%")])
@pytest.mark.parametrize("benchmark", ["gsm8k", "intercode_sql", "webshop"])
def test_the_share_of_turns_that_are_actions_is_told(tmp_path, capsys, reply, share, benchmark):
    """`adds` writes actions: calls of a tool of math, and there alone of one that is known."""
    config = RunConfig(data=DataConfig(test=(f"{benchmark}=synthetic",), test_tasks=2))
    known = reply if benchmark == "gsm8k" or reply is prose else queries
    with RunFolder(tmp_path / "run", config) as run:
        play(run, tasks_to_test_on(config.data), config.test_rollout, "model", known)
        main(Job(config), run, EvaluateConfig(config, checkpoint="model"))
    said = capsys.readouterr().out
    assert re.search(rf"valid actions +{share} of \d+ turns; (0|100)\.0% ended in an error of a tool", said)


def queries(request):
    """Plans a thing and grounds it with a call that some tool takes; none that does anything."""
    if request.module is Module.PLANNER:
        return adds(request)
    return "R1 = ListTables()" if "ListTables" in request.messages[0]["content"] else "R1 = Search(desk lamp)"


def test_what_a_run_learned_is_no_test_of_it(run, tmp_path, capsys, monkeypatch):
    """The run of `small_run.CONFIG` has learned the first tasks of the built-in suite; here a file asks them."""
    learned = synthetic_tasks("gsm8k", "train", 2)
    lines = [{"question": task.instruction.upper(), "answer": f"#### {task.answer}"} for task in learned]
    lines.append({"question": "What is 1 + 1?", "answer": "#### 2"})
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = f"gsm8k={tmp_path}/test.jsonl"
    config = replace(run.config, data=replace(run.config.data, test_tasks=None))
    with pytest.raises(ConfigError, match=r"2 of 3 test tasks are learned too"):
        main(Job(config), run, EvaluateConfig(config, policy="sft", benchmarks=(source,)))
    allowed = replace(config, data=replace(config.data, allow_overlap=True))
    data = replace(allowed.data, test=(source,))
    (folder,) = (run.path / "benchmarks").iterdir()
    with RunFolder(folder, replace(allowed, data=data)) as other:
        play(other, tasks_to_test_on(data), config.test_rollout, "sft", stops)
    main(Job(allowed), run, EvaluateConfig(allowed, policy="sft", benchmarks=(source,)))
    assert "2 of these 3 test tasks were learned: the scores show what was memorised." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--benchmarks gsm8k --data.test gsm8k=FILE", "--benchmarks or --data.test, got both"),
        ("--benchmarks gsm8k --suites math", "--benchmarks or --data.suites, got both"),
        ("org/model --checkpoint other", "got 'org/model' and --checkpoint"),
        ("run --run-dir other", "got 'run' and --run-dir; 'run' is a run: --policy says which"),
    ],
)
def test_flags_that_exclude_each_other_are_refused(tmp_path, monkeypatch, words, said):
    (tmp_path / "run" / "stages").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(said)):
        with_target(words.split())


def test_the_name_of_a_policy_is_for_runs():
    config = parse("About.", EvaluateConfig, with_target(["org/model", "--policy", "rs-1"]))
    with pytest.raises(ConfigError, match=r"the folder of a run with --policy rs-1, got 'org/model', which is none"):
        opened(config)
    with pytest.raises(ConfigError, match=r"the folder of a run"):
        dry_run(Job(config.run), config)


def test_a_policy_that_is_no_runs_is_tested_as_lumos_was_and_on_all_tasks():
    config = parse("About.", EvaluateConfig, with_target(["org/model", "--benchmarks", "gsm8k"])).run
    assert config.test_rollout == RolloutConfig() and config.rollout.max_new_tokens == 512
    assert (config.model.profile, config.data.test_tasks) == ("lumos", None)


def test_a_model_is_not_asked_twice_for_the_same(tmp_path):
    config = RunConfig(evaluate=EvaluateSettings(samples=2))
    said = r"at most one greedy episode per task.*got 2 in the 2 samples of evaluate"
    with RunFolder(tmp_path / "run", config) as run, pytest.raises(ConfigError, match=said):
        main(Job(config), run, EvaluateConfig(config, checkpoint="org/model"))


def test_a_dry_run_is_of_the_test_alone(tmp_path, tiny_base, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def said(*argv):
        config = parse("About.", EvaluateConfig, with_target([*argv]))
        return dry_run(Job(config.run), config)

    short = ("--model.profile", "compact", "--evaluate.samples", "1")  # the model reads 128 tokens
    told = said(str(tiny_base), "--benchmarks", "gsm8k", "--data.test-tasks", "3", *short)
    assert "3 from gsm8k=synthetic" in told and f"model: folder {tiny_base}" in told and "training" not in told
    assert (
        told.partition("Stages\n")[2].splitlines()[0].strip()
        == "evaluate: 3 tasks x 1 iterative episodes at temperature 0.0"
    )
    with pytest.raises(ConfigError, match=r"1 checks failed: model: expected .*config\.json in empty"):
        Path("empty").mkdir()
        said("empty/")
    with pytest.raises(ConfigError, match=r"1 checks failed: settings: expected at most one greedy"):
        said("gpt", "--model.engine", "openai", "--evaluate.samples", "2")
    with pytest.raises(ConfigError, match=r"1 checks failed: function: .*No module named 'nobodys'"):
        said("nobodys:reply")
    with pytest.raises(MissingFileError, match=r"a trained model in .*rs-7"):
        said("--policy", "rs-7")
    assert not Path("runs").exists()


def test_a_folder_that_is_not_there_is_not_taken_for_a_name_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = EvaluateConfig(run=RunConfig(run_dir=str(tmp_path / "run")), checkpoint="./gpt2")
    with RunFolder(tmp_path / "run", config.run) as run, pytest.raises(MissingFileError, match=r"folder \./gpt2: not"):
        main(Job(config.run), run, config)
