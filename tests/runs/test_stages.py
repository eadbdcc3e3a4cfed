import json
import shutil
import sys
from dataclasses import asdict, replace

import pytest
from tiny_model import SHAPE, create_adapter

from lumos_rl.core import Module, PreferencePair, StopReason, Task
from lumos_rl.data.rows import preference_pairs
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.errors import ConfigError, DataError, MissingFileError, UnknownNameError
from lumos_rl.language import format_actions
from lumos_rl.metrics import wilson_interval
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.prompts import COMPACT_PROFILE, PromptProfile
from lumos_rl.recipes.collect import collect, collected, describe, make_env
from lumos_rl.recipes.dpo import main as dpo_main
from lumos_rl.recipes.dpo import train_on_pairs
from lumos_rl.recipes.evaluate import Score, metric_scores, score
from lumos_rl.recipes.sft import annotated_rows, base_stage, sft_stage, taught_rows, train_on
from lumos_rl.recipes.sft_then_dpo import control_stage, refine
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.config import DataConfig, ModelConfig, Modules, Refine, RefineConfig, RunConfig
from lumos_rl.runs.folder import EVALUATION, PAIRS, TRAJECTORIES, RunFolder
from lumos_rl.runs.summary import write_summary
from lumos_rl.runs.tasks import resampled, training_tasks
from lumos_rl.runs.tasks import test_tasks as tasks_to_test_on
from lumos_rl.training.settings import DPOSettings, LoraSettings, SFTSettings

SFT = SFTSettings(max_steps=2, batch_size=4, learning_rate=1e-3, max_length=512, save_steps=0)
DPO = DPOSettings(max_steps=2, batch_size=4, learning_rate=1e-3, max_length=512, save_steps=0)
CONFIG = RunConfig(
    data=DataConfig(annotated=4, explore=3, test_tasks=3),
    model=ModelConfig(profile="compact", scratch=replace(SHAPE, context=512), device="cpu"),
    sft=SFT,
    rollout=RolloutConfig(samples=4, temperatures=(1.0,)),
    evaluate=RolloutConfig(samples=2, temperatures=(0.0, 1.0)),
)
CONFIG = replace(
    CONFIG,
    refine=RefineConfig(
        steps=(Refine.RS, Refine.DPO),
        rs=replace(CONFIG.refine.rs, train=SFT),
        dpo=replace(CONFIG.refine.dpo, train=replace(DPO, lora=LoraSettings(rank=2))),
    ),
)


def gold(tasks, solves=lambda request: True):
    """Replies as the gold plan says, or with a wrong last action where `solves` says no."""
    by_text = {task.instruction: task for task in tasks}

    def reply(request):
        first = request.messages[0]["content"].split(": ", 1)[1].split("\n")[0]
        plan, turn = by_text[first].subgoals, len(request.messages) // 2
        if request.module is Module.PLANNER:
            return plan[turn].text if turn < len(plan) else "Stop."
        actions = format_actions(replace(action, result=None) for action in plan[turn].actions)
        last = turn == len(plan) - 1
        return actions if solves(request) or not last else f"R{turn + 1} = Calculator(0 - 7)"

    return reply


def play(run, tasks, config, version, file, solves):
    """Leaves the episodes of a policy in the run folder, as `collect` does; played by a script, without Ray."""
    policy = ScriptedPolicy(gold(tasks, solves), version)
    bare = [replace(task, subgoals=()) for task in tasks]
    for trajectory in run_episodes(make_env, plan_episodes(bare, config), policy, "compact"):
        run.add(file, trajectory)


def explored(config):
    """The tasks to explore, with the plans that the run does not see."""
    return synthetic_tasks("gsm8k", "train", config.data.annotated + config.data.explore)[config.data.annotated :]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder after the stages base and sft, to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    with RunFolder(folder, CONFIG) as run:
        tasks = training_tasks(CONFIG.data, CONFIG.seed)
        sft_stage(run, tasks, base_stage(run, tasks))
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """That run with all test episodes of every version in place, so that nothing is left to be played there."""
    shutil.copytree(trained, tmp_path / "run")
    with RunFolder(tmp_path / "run", CONFIG) as opened:
        for version in ("sft", "rs-1", "rs-2", "dpo-1", "dpo-2"):
            play(opened, tasks_to_test_on(CONFIG.data), CONFIG.evaluate, version, EVALUATION, lambda request: True)
        yield opened


def half(request):
    """Half of the episodes are solved."""
    return request.id.endswith(("#0", "#1"))


def never(request):
    return False


def learn(run, solves, versions=("sft",), **changes):
    """Runs the refinement on episodes of which `solves` says which are solved."""
    run.config = replace(CONFIG, refine=replace(CONFIG.refine, **changes))
    for version in versions:
        play(run, explored(CONFIG), CONFIG.rollout, version, TRAJECTORIES, solves)
    return refine(run, training_tasks(CONFIG.data, CONFIG.seed))


def stage(run, name):
    return json.loads((run.path / "stages" / f"{name}.json").read_text())


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


def test_base_and_sft_write_models_with_the_prompts_they_were_trained_with(trained):
    for name in ("base", "sft"):
        folder = trained / "checkpoints" / name
        assert PromptProfile.load(folder) == COMPACT_PROFILE
        HFPolicy.load(folder, device="cpu").close()
    result = json.loads((trained / "stages" / "sft.json").read_text())
    assert (result["steps"], result["rows"], result["left_out"]) == (2, 8, 0)  # planner and grounder of four tasks
    assert 0 < result["supervised"] < 1


def test_an_adapter_of_a_relative_folder_is_found_from_elsewhere(tiny_base, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_base.parent)
    model = replace(CONFIG.model, base=tiny_base.name)
    config = replace(CONFIG, model=model, sft=replace(SFT, lora=LoraSettings(rank=2)))
    with RunFolder(tmp_path / "run", config) as run:
        tasks = training_tasks(config.data, 0)
        sft_stage(run, tasks, base_stage(run, tasks))
    monkeypatch.chdir(tmp_path)
    HFPolicy.load(run.checkpoint("sft"), device="cpu").close()


def test_finished_stages_are_not_repeated(run):
    before = (run.path / "checkpoints" / "sft" / "model.safetensors").stat().st_mtime_ns
    tasks = training_tasks(CONFIG.data, CONFIG.seed)
    assert sft_stage(run, tasks, base_stage(run, tasks))["steps"] == 2
    assert (run.path / "checkpoints" / "sft" / "model.safetensors").stat().st_mtime_ns == before


def test_episodes_that_are_there_are_not_played_again(run):
    tasks = explored(CONFIG)
    play(run, tasks, CONFIG.rollout, "sft", TRAJECTORIES, half)
    size = (run.path / TRAJECTORIES).stat().st_size
    found = collect(run, run.checkpoint("sft"), "sft", tasks, CONFIG.rollout, TRAJECTORIES)
    assert [each.id for each in found] == [plan.id for plan in plan_episodes(tasks, CONFIG.rollout)]
    assert found == collected(run, "sft", tasks, CONFIG.rollout, TRAJECTORIES)
    assert (run.path / TRAJECTORIES).stat().st_size == size
    assert collected(run, "other", tasks, CONFIG.rollout, TRAJECTORIES) == []
    changed = [replace(tasks[0], instruction="Another line of the file."), *tasks[1:]]
    kept = collected(run, "sft", changed, CONFIG.rollout, TRAJECTORIES)
    assert kept == [each for each in found if each.task_id != tasks[0].id]


def test_refinement_learns_successes_then_preferences(run):
    versions, steps = learn(run, half, versions=("sft", "rs-1"))
    assert (versions, steps) == (["rs-1", "dpo-2"], 4)
    assert stage(run, "collect-for-rs-1")["success"] == 0.5
    assert (
        stage(run, "rs-1")["successes"] == 6 and stage(run, "rs-1")["rows"] == 8 + 6
    )  # three tasks, each solved one way
    assert stage(run, "dpo-2")["pairs_by_module"] == {"grounder": 3}  # one pair a task, where the episodes part
    pairs = list(run.read(PreferencePair, PAIRS))
    assert len(pairs) == 3 and all(each.rejected.endswith("Calculator(0 - 7)") for each in pairs)
    assert (run.checkpoint("dpo-2") / "adapter_config.json").is_file()
    for version in versions:
        HFPolicy.load(run.checkpoint(version), device="cpu").close()
    metrics = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert {"sft", "rs-1", "dpo-2", "collect/rs-1", "evaluate/dpo-2"} <= {line["stage"] for line in metrics}


def test_plans_that_were_found_are_learned_with_other_numbers_too(run):
    found = [replace(task, id=f"{task.id}#0") for task in explored(CONFIG)]
    expected = annotated_rows(CONFIG, resampled(found, 2, CONFIG.data, CONFIG.seed))
    assert expected
    learn(run, half, steps=(Refine.RS,), rs=replace(CONFIG.refine.rs, resample=2))
    assert stage(run, "rs-1")["copies"] == len(expected)
    assert stage(run, "rs-1")["rows"] == 8 + 6 + len(expected)
    learn(run, never, ("rs-1",), steps=(Refine.RS, Refine.RS), rs=replace(CONFIG.refine.rs, resample=2))
    assert stage(run, "rs-2")["copies"] == 0


def test_what_a_benchmark_is_learned_from_can_be_said_for_it_alone(run):
    steps = {"steps": (Refine.RS, Refine.DPO)}
    rs = replace(CONFIG.refine.rs, min_rewards=("gsm8k=0", "webshop=1"))
    dpo = replace(CONFIG.refine.dpo, min_margins=("gsm8k=1.5",))
    assert learn(run, half, versions=("sft", "rs-1"), rs=rs, dpo=dpo, **steps)[0] == ["rs-1"]
    assert stage(run, "rs-1")["successes"] == 12  # the failed episode of every task as well
    assert "no preference pairs" in stage(run, "dpo-2")["skipped"]  # none is so far apart


def test_the_control_takes_as_many_steps_as_the_refinement(run):
    control_stage(run, training_tasks(CONFIG.data, CONFIG.seed), 3)
    assert stage(run, "control")["steps"] == 3


def test_a_step_without_pairs_is_skipped_and_the_policy_stays(run, caplog):
    versions, steps = learn(run, never, steps=(Refine.DPO, Refine.RS))
    assert (versions, steps) == (["rs-2"], 2)  # on the annotated tasks alone
    assert "dpo-1 is skipped: no preference pairs" in caplog.text
    assert stage(run, "dpo-1") == {
        "skipped": "no preference pairs: the episodes of sft on one task earned about the same"
    }
    assert not run.checkpoint("dpo-1").exists() and not (run.path / "stages" / "evaluate-dpo-1.json").exists()


def test_a_step_without_successes_is_skipped(run, caplog):
    versions, steps = learn(run, never, steps=(Refine.RS,), rs=replace(CONFIG.refine.rs, annotated=False))
    assert (versions, steps) == ([], 0)
    assert "rs-1 is skipped: no episode of sft earned 1.0" in caplog.text
    summary = write_summary(run, versions, 1.0)
    assert "| rs-1 (skipped: no episode of sft earned 1.0 without an error) |" in summary


def test_a_step_after_a_skipped_one_tries_its_own_tasks(run):
    rs = replace(CONFIG.refine.rs, tasks=2, annotated=False)
    dpo = replace(CONFIG.refine.dpo, tasks=1, samples=2)
    fails = {task.id for task in explored(CONFIG)[:2]}  # those of rejection sampling

    def solves(request):
        return not any(task in request.id for task in fails) and request.id.endswith("#0")

    assert learn(run, solves, steps=(Refine.RS, Refine.DPO), rs=rs, dpo=dpo) == (["dpo-2"], 2)
    assert "skipped" in stage(run, "rs-1") and stage(run, "collect-for-rs-1")["tasks"] == 2
    assert (stage(run, "collect-for-dpo-2")["episodes"], stage(run, "dpo-2")["pairs"]) == (2, 1)
    assert refine(run, training_tasks(CONFIG.data, CONFIG.seed)) == (["dpo-2"], 2)


def test_a_skipped_step_stays_skipped_when_the_run_is_gone_on_with(run):
    first = learn(run, never, steps=(Refine.DPO,))
    assert first == ([], 0) == refine(run, training_tasks(CONFIG.data, CONFIG.seed))


def test_separate_modules_are_trained_each_on_its_own_rows(tmp_path):
    config = replace(CONFIG, model=replace(CONFIG.model, modules=Modules.SEPARATE))
    config = replace(config, sft=replace(SFT, lora=LoraSettings(rank=2)))
    with RunFolder(tmp_path / "run", config) as run:
        tasks = training_tasks(config.data, config.seed)
        report = sft_stage(run, tasks, base_stage(run, tasks))
        assert (report["planner_steps"], report["grounder_steps"], report["rows"]) == (2, 2, 8)
        assert report["planner_tokens"] != report["grounder_tokens"]
        for name in ("planner", "grounder"):
            assert (run.checkpoint("sft") / name / "adapter_config.json").is_file()
        assert PromptProfile.load(run.checkpoint("sft")) == COMPACT_PROFILE
        again = train_on(run, "rs-1", run.checkpoint("sft"), annotated_rows(config, tasks.annotated), SFT)
        assert (again["planner_steps"], again["grounder_steps"]) == (2, 2)
        write_summary(run, [], 1.0)
    policy = HFPolicy.load(tmp_path / "run" / "checkpoints" / "rs-1", device="cpu")
    assert len({id(model) for model in policy._models.values()}) == 1  # two adapters on one base
    policy.close()


@pytest.fixture
def separate(tiny_base, tmp_path):
    """A run with a model for each module, and pairs of the grounder only."""
    run = RunFolder(tmp_path / "run", replace(CONFIG, model=replace(CONFIG.model, modules=Modules.SEPARATE)))
    for seed, name in enumerate(("planner", "grounder")):
        create_adapter(tiny_base, run.checkpoint("sft") / name, seed)
    tasks = explored(CONFIG)[:1]
    play(run, tasks, CONFIG.rollout, "sft", TRAJECTORIES, half)
    return run, preference_pairs(collected(run, "sft", tasks, CONFIG.rollout, TRAJECTORIES))


def test_a_module_that_was_trained_is_not_trained_again(separate, monkeypatch):
    run, pairs = separate
    rows = annotated_rows(CONFIG, training_tasks(CONFIG.data, 0).annotated)
    both = [replace(pair, module=module, id=f"{module}-{pair.id}") for pair in pairs for module in Module]
    for stage, train, learn in (
        ("rs-1", "lumos_rl.training.sft.train_sft", lambda: train_on(run, "rs-1", run.checkpoint("sft"), rows, SFT)),
        ("dpo-1", "lumos_rl.training.dpo.train_dpo", lambda: train_on_pairs(run, "dpo-1", run.checkpoint("sft"), both)),
    ):
        trained, module, name = [], *train.rpartition(".")[::2]
        real = getattr(sys.modules[module], name)

        def once(start, wanted, out, *rest, real=real, trained=trained, **options):
            trained.append(out.name)
            if trained == ["planner", "grounder"]:
                raise KeyboardInterrupt
            return real(start, wanted, out, *rest, **options)

        monkeypatch.setattr(train, once)
        with pytest.raises(KeyboardInterrupt):
            learn()
        report = learn()
        assert trained == ["planner", "grounder", "grounder"]
        assert (report["planner_steps"], report["grounder_steps"]) == (2, 2)
        HFPolicy.load(run.checkpoint(stage), device="cpu").close()


def test_conversations_of_one_module_alone_train_nothing(separate):
    run, _ = separate
    rows = [row for row in annotated_rows(CONFIG, training_tasks(CONFIG.data, 0).annotated) if row.module == "planner"]
    with pytest.raises(DataError, match="of the grounder to learn, got none in 4 rows"):
        train_on(run, "rs-1", run.checkpoint("sft"), rows, SFT)
    assert not run.checkpoint("rs-1").exists()


def test_a_module_without_pairs_stays_as_it_is(separate):
    run, pairs = separate
    report = train_on_pairs(run, "dpo-1", run.checkpoint("sft"), pairs)
    assert (report["planner_steps"], report["grounder_steps"], report["pairs_by_module"]) == (0, 2, {"grounder": 1})

    def weights(stage, module):
        return (run.checkpoint(stage) / module / "adapter_model.safetensors").read_bytes()

    assert weights("dpo-1", "planner") == weights("sft", "planner")
    assert weights("dpo-1", "grounder") != weights("sft", "grounder")
    HFPolicy.load(run.checkpoint("dpo-1"), device="cpu").close()


def test_no_pairs_at_all_are_an_error_where_nothing_else_is_asked_for(separate):
    run, _ = separate
    with pytest.raises(DataError, match="got 0 pairs"):
        train_on_pairs(run, "dpo-1", run.checkpoint("sft"), [])


def test_preferences_need_a_policy_and_its_episodes(run):
    from lumos_rl.recipes.dpo import DPORecipeConfig

    with pytest.raises(MissingFileError, match=r"expected a trained model in .*rs-9"):
        dpo_main(DPORecipeConfig(CONFIG, "rs-9"), run)
    with pytest.raises(DataError, match=r"expected episodes of 'sft'.*lumos_rl\.recipes\.collect --run-dir"):
        dpo_main(DPORecipeConfig(CONFIG, "sft"), run)


def test_a_summary_names_scores_stages_and_versions(run):
    versions, _ = learn(run, half, steps=(Refine.RS,))
    text = write_summary(run, versions, 90.0)
    assert text == (run.path / "SUMMARY.md").read_text()
    assert "Success on gsm8k=synthetic (test) in percent" in text and "1.5 minutes" in text
    assert "| rs-1 | 100.0 [43.9, 100.0] n=3 | 100.0 [43.9, 100.0] n=3 |" in text
    rows = [line.split(" | ")[0] for line in text.partition("| stage |")[2].splitlines()[2:]]
    assert rows == ["| base", "| sft", "| collect-for-rs-1", "| rs-1"]  # as they ended
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["packages"]["torch"].startswith("2.") and summary["seed"] == 0
    assert summary["scores"] == {
        "rs-1": {kind: asdict(Score(1.0, pytest.approx(0.4385, abs=1e-4), 1.0, 3, 0)) for kind in ("greedy", "sampled")}
    }


def test_training_tasks_of_a_synthetic_source_are_not_explored_twice():
    tasks = training_tasks(CONFIG.data, 0)
    assert (len(tasks.annotated), len(tasks.explore), tasks.rejected) == (4, 3, 0)
    assert all(task.subgoals for task in tasks.annotated) and not any(task.subgoals for task in tasks.explore)
    assert not {task.id for task in tasks.annotated} & {task.id for task in tasks.explore}
    assert [task.split for task in tasks_to_test_on(CONFIG.data)] == ["test"] * 3


def test_copies_with_new_numbers_are_no_test_problems():
    config = DataConfig(annotated=60, resample=12, explore=0)
    kinds = {task.id: task.meta["kind"] for task in synthetic_tasks("gsm8k", "train", 60)}

    def key(task):  # a copy's id is that of its task with ~ and its number
        return kinds.get(task.id.partition("~")[0]) or task.meta["kind"], [
            a.args for s in task.subgoals for a in s.actions
        ]

    copies = [task for task in training_tasks(config, 0).annotated if "~" in task.id]
    tested = [key(task) for split in ("dev", "test") for task in synthetic_tasks("gsm8k", split)]
    assert len(copies) > 600
    assert not [task.id for task in copies if key(task) in tested]


def test_copies_are_no_validation_problems_of_what_is_learned(monkeypatch):
    chosen_by = synthetic_tasks("gsm8k", "dev", 320)
    monkeypatch.setattr("lumos_rl.runs.tasks.resample", lambda task, copies, seed: [task])
    config = DataConfig(test=("svamp=SVAMP.json",), validation_tasks=320)
    assert resampled(chosen_by, 1, config, 0) == []
    assert resampled(chosen_by, 1, replace(config, train=("gsm8k=train.jsonl",)), 0) == chosen_by


def test_all_of_a_suite_without_end_cannot_be_learned():
    config = replace(CONFIG, data=DataConfig(annotated=0, explore=2))
    with pytest.raises(DataError, match=r"in gsm8k=synthetic or data\.chats, got none with data\.annotated=0"):
        taught_rows(config, training_tasks(config.data, 0))


def test_training_tasks_of_a_file_are_annotated_and_explored(tmp_path):
    good = {"question": "Tom has 3 pens and gets 2. How many?", "answer": "He has 3+2=<<3+2=5>>5.\n#### 5"}
    odd = {"question": "How many?", "answer": "Nobody knows.\n#### 5"}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (good, odd)))
    tasks = training_tasks(DataConfig(folder=str(tmp_path), train=("gsm8k=train.jsonl",), explore=0, annotated=0), 0)
    assert (len(tasks.annotated), len(tasks.explore), tasks.rejected) == (1, 2, 1)
    assert annotated_rows(CONFIG, tasks.annotated)[1].messages[-1]["content"] == "R1 = Calculator(3 + 2)"


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("gsm8k", ConfigError, "BENCHMARK=WHERE, e.g. gsm8k=synthetic, got 'gsm8k'"),
        ("gsm8q=synthetic", UnknownNameError, "Known: gsm8k, hotpotqa, "),
        ("gsm8k=nowhere.jsonl", MissingFileError, "nowhere.jsonl"),
    ],
)
def test_a_source_that_cannot_be_read_says_what_was_expected(source, error, says):
    with pytest.raises(error, match=says):
        training_tasks(DataConfig(train=(source,)), 0)
