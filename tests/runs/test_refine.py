"""Self-improvement on episodes that a script has played."""

import json
from dataclasses import replace

from small_run import CONFIG, explore_gold, explored, half, never, play_gold, stage

from lumos_rl.core import Module, PreferencePair, Trajectory
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.language import format_actions
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.policies.hf import HFPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import SEED, RolloutConfig, derive_seed, exploration_seed, plan_episodes
from lumos_rl.runs import refine as refinement
from lumos_rl.runs.config import DataConfig, ModelConfig, Modules, RunConfig
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.folder import EVALUATION, PAIRS, TRAJECTORIES, RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.learn import Learner
from lumos_rl.runs.refine import collect_stage, refine
from lumos_rl.runs.refine_settings import Refine, RefineConfig, RejectionConfig
from lumos_rl.runs.summary import write_summary


def learn(run, solves, versions=("sft",), **changes):
    """Runs the refinement on episodes of which `solves` says which are solved."""
    run.config = replace(CONFIG, refine=replace(CONFIG.refine, **changes))
    for version in versions:
        explore_gold(run, run.config, version, solves)
    return refine(Job(run.config), run)


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


def test_every_step_policy_and_run_explores_with_noise_of_its_own(run):
    seeds = {
        (run_seed, step, policy): exploration_seed(run_seed, step, policy)
        for run_seed in (0, 1)
        for step in ("rs-1", "rs-2", "dpo-3")
        for policy in ("sft", "rs-1")
    }
    assert len({*seeds.values()}) == len(seeds) and SEED not in seeds.values()
    learn(run, half, versions=("sft", "rs-1"))
    played = list(run.read(Trajectory, TRAJECTORIES))
    own = {episode.seed for episode in played if episode.policy == "sft"}
    assert len(own) == 2 * 3 * 4  # two steps that play three tasks four times: none draws as another does
    tested = [episode for episode in run.read(Trajectory, EVALUATION) if episode.task_id == "gsm8k/test/synthetic-0"]
    assert {(each.sample, each.seed) for each in tested} == {
        (sample, derive_seed(0, "gsm8k/test/synthetic-0", sample)) for sample in range(2)
    }  # of every policy, in every run


def test_a_step_that_was_stopped_continues_with_its_own_episodes(run, monkeypatch):
    step, player = Job(CONFIG).steps[0], Job(CONFIG).player(run)
    own = exploration_seed(7, "rs-1", "sft")
    play_gold(run, explored(CONFIG), step.rollout, "sft", TRAJECTORIES, half, own)
    asked = []
    monkeypatch.setattr(type(run.workers), "collect", lambda self, plans, *rest: asked.extend(plans) or iter(()))
    kept = collect_stage(run, player, "sft", step, 7)()
    assert not asked and [each.seed for each in kept] == [
        plan.seed for plan in plan_episodes(step.explore, step.rollout, seed=own)
    ]


def test_plans_that_were_found_are_learned_with_other_numbers_too(run):
    found = [replace(task, id=f"{task.id}#0") for task in explored(CONFIG)]
    job = Job(CONFIG)
    expected = job.annotated_rows(job.resampled(found, 2))
    assert expected
    learn(run, half, steps=(Refine.RS,), rs=replace(CONFIG.refine.rs, resample=2))
    assert stage(run, "rs-1")["copies"] == len(expected)
    assert stage(run, "rs-1")["rows"] == 8 + 6 + len(expected)
    learn(run, never, ("rs-1",), steps=(Refine.RS, Refine.RS), rs=replace(CONFIG.refine.rs, resample=2))
    assert stage(run, "rs-2")["copies"] == 0


def test_what_a_benchmark_is_learned_from_can_be_said_for_it_alone(run):
    steps = {"steps": (Refine.RS, Refine.DPO)}
    rs = replace(CONFIG.refine.rs, min_reward=("gsm8k=0", "webshop=1"))
    dpo = replace(CONFIG.refine.dpo, min_margin=("gsm8k=1.5",))
    assert learn(run, half, versions=("sft", "rs-1"), rs=rs, dpo=dpo, **steps)[0] == ["rs-1"]
    assert stage(run, "rs-1")["successes"] == 12  # the failed episode of every task as well
    assert "no preference pairs" in stage(run, "dpo-2")["skipped"]  # none is so far apart


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
    assert refine(Job(run.config), run) == (["dpo-2"], 2)


def test_a_skipped_step_stays_skipped_when_the_run_is_gone_on_with(run):
    first = learn(run, never, steps=(Refine.DPO,))
    assert first == ([], 0) == refine(Job(run.config), run)


def test_episodes_that_succeeded_are_learned_with_other_names_too(tmp_path):
    """What rejection sampling hands to training, of shop episodes played as the gold plans say."""
    tasks = synthetic_tasks("webshop", "train", 4)
    plans = {task.instruction: task.subgoals for task in tasks}

    def reply(request):
        instruction = request.messages[0]["content"].split(": ", 1)[1].split("\n")[0]
        plan, turn = plans[instruction], len(request.messages) // 2
        if request.module is Module.PLANNER:
            return plan[turn].text if turn < len(plan) else "Stop."
        return format_actions(replace(action, result=None) for action in plan[turn].actions)

    bare = [replace(task, subgoals=()) for task in tasks]
    played = list(run_episodes(make_env, plan_episodes(bare, RolloutConfig()), ScriptedPolicy(reply), "compact"))
    assert all(trajectory.success for trajectory in played)
    learned = []

    class Recorded(Learner):
        def sft(self, stage, start, rows, settings):
            learned.extend(rows)
            return {}

    data = DataConfig(suites="math,webshop,sql", annotated=10, explore=0, test_tasks=20, validation_tasks=5, rename=2)
    settings = RefineConfig(rs=RejectionConfig(rename=2, annotated=False))
    job = Job(RunConfig(data=data, model=ModelConfig(profile="compact"), refine=settings))
    with RunFolder(tmp_path, job.config) as run:
        learner = Recorded(run, Modules.SHARED, 0, job.profile)
        result = refinement._learn_successes(job, learner, "rs-1", "sft", played)
    assert result == {"successes": 8, "copies": len(learned) - 8}
    copies = [row for row in learned if "~" in row.id]
    assert len(learned) - len(copies) == 2 * 4  # planner and grounder of each task
    assert 0 < len(copies) <= 2 * 2 * 4
