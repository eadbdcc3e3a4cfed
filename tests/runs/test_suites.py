"""Several suites in one run: what is learned, tested and shown as examples, and how the best policy is chosen."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from tiny_model import SHAPE
from tiny_shop import record, write_files

from lumos_rl.core import Module
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, MissingFileError, UnknownNameError
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.policies.layout import combine
from lumos_rl.recipes.collect import env_options, make_env
from lumos_rl.recipes.evaluate import EvaluateConfig, evaluate_stage, validate_stage, with_target
from lumos_rl.recipes.evaluate import main as evaluate_main
from lumos_rl.recipes.sft import annotated_rows
from lumos_rl.recipes.sft_then_dpo import best_stage, swap_stage
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig, PreferenceConfig, RejectionConfig, RunConfig
from lumos_rl.runs.folder import EVALUATION, RunFolder
from lumos_rl.runs.summary import write_summary
from lumos_rl.runs.tasks import (
    TASK_TYPES,
    train_sources,
    training_tasks,
    validation_tasks,
)
from lumos_rl.runs.tasks import test_examples as examples_of
from lumos_rl.runs.tasks import test_sources as sources_tested
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on
from lumos_rl.training.scratch import create_scratch_model

MIXED = DataConfig(suites="math,sql", annotated=3, explore=2, test_tasks=2)
CONFIG = RunConfig(data=MIXED, evaluate=RolloutConfig(samples=2, temperatures=(0.0, 1.0)))


def play(run, tasks, rollout, version, reply, examples=None):
    """Leaves the episodes of a scripted policy in the run folder, as `collect` does, without Ray."""
    policy = ScriptedPolicy(reply, version)
    for trajectory in run_episodes(make_env, plan_episodes(tasks, rollout, examples), policy, "lumos"):
        run.add(EVALUATION, trajectory)


def stops(request):
    return "Yes, I will stop planning."


def adds(request):
    """A planner that asks for one thing and a grounder that adds; on math alone it does something."""
    if request.module is Module.PLANNER:
        return "Subgoal 1: Add." if len(request.messages) == 1 else "Yes, I will stop planning."
    return "R1 = Calculator(1 + 1)"


def test_task_types_stand_for_their_built_in_suites():
    assert train_sources(DataConfig(suites="math, qa")) == (
        "gsm8k=synthetic",
        "hotpotqa=synthetic",
        "strategyqa=synthetic",
    )
    assert train_sources(DataConfig()) == sources_tested(DataConfig()) == ("gsm8k=synthetic",)
    with pytest.raises(UnknownNameError, match=r"task type.*maths.*math"):
        train_sources(DataConfig(suites="maths"))


def test_every_task_type_gives_tasks_to_learn_and_to_be_tested_on():
    config = DataConfig(suites=",".join(TASK_TYPES), annotated=2, explore=1, test_tasks=1)
    tasks = training_tasks(config, seed=0)
    suites = [benchmark for found in TASK_TYPES.values() for benchmark in found]
    assert [task.benchmark for task in tasks.annotated] == [name for name in suites for _ in range(2)]
    assert [task.benchmark for task in tasks.explore] == suites
    assert all(task.subgoals for task in tasks.annotated) and not any(task.subgoals for task in tasks.explore)
    assert [task.benchmark for task in tasks_to_test_on(config)] == suites


def test_an_unseen_suite_is_tested_and_not_learned():
    config = DataConfig(suites="math", unseen="sql", annotated=2, explore=1, test_tasks=1, examples=2)
    assert {task.benchmark for task in training_tasks(config, 0).annotated} == {"gsm8k"}
    assert [task.benchmark for task in tasks_to_test_on(config)] == ["gsm8k", "intercode_sql"]
    assert list(examples_of(config)) == ["intercode_sql"]
    assert examples_of(config)["intercode_sql"] == synthetic_tasks("intercode_sql", "train", 2)
    assert examples_of(replace(config, examples=0)) == {}


def test_examples_are_turns_before_the_episodes_own():
    examples = synthetic_tasks("gsm8k", "train", 2)
    task = replace(synthetic_tasks("gsm8k", "test", 1)[0], subgoals=())
    asked = []

    def reply(request):
        asked.append(request)
        return adds(replace(request, messages=request.messages[-1:])) if len(asked) < 3 else stops(request)

    plans = plan_episodes([task], RolloutConfig(), {"gsm8k": examples})
    (trajectory,) = run_episodes(make_env, plans, ScriptedPolicy(reply))
    planner, grounder = asked[0].messages, asked[1].messages
    assert examples[0].instruction in planner[0]["content"] and planner[1]["role"] == "assistant"
    assert task.instruction in planner[-1]["content"] and task.instruction in grounder[-1]["content"]
    turns = [len(example.subgoals) for example in examples]
    assert len(planner) == sum(2 * count + 2 for count in turns) + 1  # each subgoal, and the decision to stop
    assert len(grounder) == sum(2 * count for count in turns) + 1
    assert examples[1].subgoals[0].actions[0].args in grounder[-3]["content"] + grounder[2 * turns[0] + 1]["content"]
    assert trajectory.conversation("planner")[0]["content"] == planner[-1]["content"]  # what is learned has none


def test_scores_of_several_benchmarks_stand_apart(tmp_path):
    with RunFolder(tmp_path / "run", CONFIG) as run:
        play(run, tasks_to_test_on(MIXED), CONFIG.evaluate, "sft", adds)
        result = evaluate_stage(run, "sft", tmp_path)
        text = write_summary(run, [], 1.0)
    assert set(result["benchmarks"]) == {"gsm8k", "intercode_sql"}
    assert result["greedy"]["n"] == 4 and result["benchmarks"]["gsm8k"]["greedy"]["n"] == 2
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["evaluate/sft/gsm8k", "evaluate/sft/intercode_sql"]
    assert lines[0].keys() == {"stage", "step", "greedy", "sampled"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["benchmarks"]["intercode_sql"]["sft"]["greedy"]["n"] == 2
    assert "## gsm8k" in text and "## intercode_sql" in text and "## Stages" in text


@pytest.mark.parametrize("suites", ["", "qa,webshop"])
def test_a_summary_has_what_each_benchmark_reports_beside_success(tmp_path, suites):
    data = DataConfig(suites=suites, test=("webshop=synthetic",), test_tasks=2)
    with RunFolder(tmp_path / "run", RunConfig(data=data)) as run:
        play(run, tasks_to_test_on(data), run.config.evaluate, "sft", stops)
        result = evaluate_stage(run, "sft", tmp_path)
        text = write_summary(run, [], 1.0)
    shop = text.partition("## webshop")[2].partition("##")[0]
    score = result.get("benchmarks", {"webshop": result})["webshop"]["metrics"]["greedy"]["score"]["value"]
    assert "| policy | greedy | sampled | score |" in shop
    assert f"| sft | 0.0 [0.0, 65.8] n=2 | no episodes | {100 * score:.1f} |" in shop
    assert ("| policy | greedy | sampled | em | f1 |" in text) == bool(suites)


def test_the_best_policy_is_chosen_on_validation_tasks(tmp_path):
    data = DataConfig(validation_tasks=3)
    greedy = RolloutConfig(temperatures=(0.0,))
    tasks = validation_tasks(data)
    assert [task.split for task in tasks] == ["dev"] * 3
    gold = {task.instruction: task for task in synthetic_tasks("gsm8k", "dev", 3)}

    def solves(request):
        (task,) = (gold[text] for text in gold if text in request.messages[0]["content"])
        if request.module is Module.PLANNER:
            return "Subgoal 1: Answer." if len(request.messages) == 1 else "Yes, I will stop planning."
        return f"R1 = Calculator({task.answer})"

    with RunFolder(tmp_path / "run", RunConfig(data=data, evaluate=RolloutConfig(samples=2))) as run:
        for version, reply in (("sft", stops), ("rs-1", solves), ("dpo-2", solves)):
            run.checkpoint(version).mkdir(parents=True)
            play(run, tasks, greedy, version, reply)
        assert validate_stage(run, "rs-1", tmp_path)["success"] == 1
        best_stage(run, ["sft", "rs-1", "dpo-2"])
        assert run.checkpoint("best").resolve() == run.checkpoint("rs-1")
        play(run, tasks_to_test_on(data), run.config.evaluate, "sft", stops)
        evaluate_stage(run, "sft", tmp_path)
        assert "Chosen on validation tasks: rs-1." in write_summary(run, ["rs-1", "dpo-2"], 1.0)


def test_validation_tasks_of_a_file_are_not_learned(tmp_path):
    records = [
        {"question": f"What is {n} + 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"}
        for n in range(6)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    data = DataConfig(train=(f"gsm8k={path}",), annotated=0, explore=0, validation_tasks=2)
    learned = {task.id for task in training_tasks(data, 0).explore}
    chosen_by = {task.id for task in validation_tasks(data)}
    assert len(learned) == 4 and len(chosen_by) == 2 and not learned & chosen_by


def test_more_validation_tasks_than_a_file_has_are_refused(tmp_path):
    lines = [
        json.dumps({"question": f"What is 1 + {n}?", "answer": f"<<1+{n}={n + 1}>>\n#### {n + 1}"}) for n in range(4)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    config = DataConfig(train=("gsm8k=train.jsonl",), folder=str(tmp_path), annotated=0, explore=0)
    assert len(training_tasks(replace(config, validation_tasks=3), 0).explore) == 1
    with pytest.raises(ConfigError, match=r"more than data\.validation_tasks=4 .* in gsm8k=train\.jsonl, got 4"):
        training_tasks(replace(config, validation_tasks=4), 0)


@pytest.mark.parametrize(
    "data",
    [
        DataConfig(test=("gsm8k=synthetic", "gsm8k=test.jsonl")),
        DataConfig(test=("svamp=synthetic", "mawps=dev.csv")),
        DataConfig(suites="math,sql", unseen="sql"),
    ],
)
def test_two_test_sources_of_one_benchmark_are_refused(data):
    with pytest.raises(ConfigError, match=r"several of (gsm8k|svamp|intercode_sql), whose scores would mix"):
        tasks_to_test_on(data)


def test_training_data_of_a_benchmark_is_tested_on_in_its_environment(tmp_path):
    (tmp_path / "dev.csv").write_text("Question,Numbers,Equation,Answer\nTom has number0 nuts .,3,number0,3.0\n")
    (task,) = tasks_to_test_on(DataConfig(test=("mawps=dev.csv",), folder=str(tmp_path), test_split="dev"))
    assert task.benchmark == "svamp"


def test_what_is_tested_of_a_source_without_splits_is_not_learned(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMOS_RL_CACHE", str(tmp_path / "cache"))
    write_files(tmp_path)
    source = (f"webshop={tmp_path}",)
    data = DataConfig(train=source, test=source, annotated=0, explore=0, test_tasks=2)
    every = [task.id for task in tasks_to_test_on(replace(data, test_tasks=0))]
    assert [task.id for task in tasks_to_test_on(data)] == every[:2]
    assert [task.id for task in training_tasks(data, 0).explore] == every[2:]
    with_validation = replace(data, validation_tasks=1)
    assert [task.id for task in validation_tasks(with_validation)] == every[-1:]
    assert [task.id for task in training_tasks(with_validation, 0).explore] == every[2:-1]
    other = tmp_path / "other"
    other.mkdir()
    wanted = {"attributes": ["soft"], "instruction_attributes": ["soft"]}
    chairs = {f"C{number}": wanted | {"instruction": f"Find me chair {number}"} for number in range(3)}
    write_files(other, [record(asin) for asin in chairs], chairs)
    elsewhere = replace(data, train=(f"webshop={other}",))
    assert len(training_tasks(elsewhere, 0).explore) == 3  # with the same ids, and other tasks
    with pytest.raises(ConfigError, match="got 0 that the run is not tested on"):
        training_tasks(replace(data, test_tasks=0), 0)


def test_one_file_to_learn_and_to_be_tested_on_is_told(tmp_path, caplog):
    (tmp_path / "all.jsonl").write_text(json.dumps({"question": "What is 1 + 1?", "answer": "<<1+1=2>>\n#### 2"}))
    training_tasks(DataConfig(str(tmp_path), train=("gsm8k=all.jsonl",), test=("gsm8k=synthetic",)), 0)
    assert not [message for message in caplog.messages if "by heart" in message]
    training_tasks(DataConfig(str(tmp_path), train=("gsm8k=all.jsonl",), test=("gsm8k=all.jsonl",)), 0)
    assert "all.jsonl is learned and tested: its scores say what was learned by heart" in caplog.text


def test_dev_is_not_for_choosing_and_for_testing():
    with pytest.raises(ConfigError, match="test-split test"):
        DataConfig(test_split="dev", validation_tasks=10)


def test_modules_of_two_checkpoints_make_a_third(tmp_path):
    first = tmp_path / "first"
    for seed, name in enumerate(("old", "new")):
        create_scratch_model(["Plan: add 1 and 2", "R1 = Calculator(1 + 2)"], first / name, SHAPE, seed)
    for _ in range(2):  # made again, it is the same
        combine(first / "mixed", {Module.PLANNER: first / "old", Module.GROUNDER: first / "new"})
    moved = first.rename(tmp_path / "moved")
    assert HFPolicy.load(moved / "mixed").version == "mixed"
    assert (moved / "mixed" / "planner").resolve() == moved / "old"
    assert (moved / "mixed" / "grounder").resolve() == moved / "new"


def test_swapped_modules_are_tested_both_ways(tmp_path):
    config = replace(CONFIG, data=DataConfig(test_tasks=1))
    with RunFolder(tmp_path / "run", config) as run:
        for version in ("sft", "rs-1", "sft+rs-1", "rs-1+sft"):
            run.checkpoint(version).mkdir(parents=True)
            play(run, tasks_to_test_on(config.data), config.evaluate, version, stops)
        evaluate_stage(run, "sft", tmp_path)
        swap_stage(run, "sft", "rs-1")
        assert (run.checkpoint("rs-1+sft") / "planner").resolve() == run.checkpoint("rs-1")
        assert (run.checkpoint("rs-1+sft") / "grounder").resolve() == run.checkpoint("sft")
        text = write_summary(run, ["rs-1"], 1.0)
    assert "| sft+rs-1 | 0.0" in text and "| rs-1+sft | 0.0" in text


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
    config = replace(CONFIG, data=DataConfig(test_tasks=2))
    data = replace(config.data, test=("gsm8k=test.jsonl", "svamp=synthetic"))
    with RunFolder(tmp_path / "run", config) as run:
        folder = run.path / "benchmarks" / "gsm8k=test.jsonl-svamp=synthetic"
        with RunFolder(folder, replace(config, data=data)) as other:
            play(other, tasks_to_test_on(data), config.evaluate, "model", adds)
        evaluate_main(EvaluateConfig(config, checkpoint="model", benchmarks="gsm8k=test.jsonl, svamp"), run)
    said = capsys.readouterr().out
    assert "gsm8k=test.jsonl  model  greedy   100.0" in said and "svamp=synthetic  model  greedy   0.0" in said
    assert said.count("Agent Lumos") == 1 and "55.4" in said  # of a built-in suite it has no figures


def test_weights_say_how_often_annotations_are_learned():
    config = replace(
        CONFIG, data=DataConfig(suites="math,sql", annotated=40, explore=1, weights=("intercode_sql=2.5",))
    )
    rows = annotated_rows(config, training_tasks(config.data, 0).annotated)
    counts = {name: sum(row.benchmark == name for row in rows) for name in ("gsm8k", "intercode_sql")}
    assert counts["gsm8k"] == 80 and 160 < counts["intercode_sql"] < 240
    times = Counter((row.id, row.module) for row in rows if row.benchmark == "intercode_sql")
    assert set(times.values()) == {2, 3}
    none = replace(config, data=replace(config.data, weights=("gsm8k=0",)))
    assert {row.benchmark for row in annotated_rows(none, training_tasks(none.data, 0).annotated)} == {"intercode_sql"}
    assert rows == annotated_rows(config, training_tasks(config.data, 0).annotated)


@pytest.mark.parametrize(
    ("entry", "said"),
    [("gsm8k=much", "BENCHMARK=NUMBER"), ("gsm8k=-1", "NUMBER"), ("gsm8k=nan", "from 0 to"), ("maths=1", "maths")],
)
@pytest.mark.parametrize(
    ("settings", "name"),
    [(DataConfig, "weights"), (RejectionConfig, "min_rewards"), (PreferenceConfig, "min_margins")],
)
def test_numbers_of_benchmarks_that_are_none_are_refused(settings, name, entry, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        settings(**{name: (entry,)})


def test_a_share_is_at_most_all():
    assert RejectionConfig(min_rewards=("webshop=1",)) and PreferenceConfig(min_margins=("intercode_sql=1.5",))
    with pytest.raises(ConfigError, match="from 0 to 1, got 'webshop=75'"):
        RejectionConfig(min_rewards=("webshop=75",))
    with pytest.raises(ConfigError, match="from 0 to 2, got 'webshop=20'"):
        PreferenceConfig(min_margins=("webshop=20",))


def test_options_of_environments_are_given_by_name():
    config = DataConfig(env=("svamp.max_steps=2", "intercode_sql.backend=sqlite", "svamp.render_mode=ansi"))
    options = env_options(config)
    assert options == {"svamp": {"max_steps": 2, "render_mode": "ansi"}, "intercode_sql": {"backend": "sqlite"}}
    env = make_env("svamp", options)
    env.reset(options={"task": synthetic_tasks("svamp", "test", 1)[0]})
    assert [env.step("R1 = Calculator(1)")[3] for _ in range(2)] == [False, True]
    with pytest.raises(ConfigError, match=r"colour.*its card"):
        make_env("svamp", {"svamp": {"colour": "red"}})


@pytest.mark.parametrize(
    ("entry", "said"), [("svamp=2", "OPTION=VALUE"), ("svamp.a b=2", "OPTION"), ("maths.a=1", "maths")]
)
def test_options_that_are_none_are_refused(entry, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        env_options(DataConfig(env=(entry,)))
