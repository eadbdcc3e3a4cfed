"""A run small enough to be trained within a test, and scripts that play its episodes.

Its tasks to explore are `explored(CONFIG)`; `play_gold` leaves episodes in a run folder, without Ray.
"""

import json
from dataclasses import replace

from tiny_model import SHAPE

from lumos_rl.core import Module
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.language import format_actions
from lumos_rl.policies.base import ScriptedPolicy
from lumos_rl.rollout.loop import run_episodes
from lumos_rl.rollout.plans import SEED, RolloutConfig, exploration_seed, plan_episodes
from lumos_rl.runs.config import DataConfig, EvaluateSettings, ModelConfig, RunConfig
from lumos_rl.runs.environments import make_env
from lumos_rl.runs.folder import EVALUATION, TRAJECTORIES
from lumos_rl.runs.job import Job
from lumos_rl.runs.refine_settings import PreferenceTraining, Refine, RefineConfig, RejectionTraining
from lumos_rl.runs.stages import base_stage, evaluate_stage, sft_stage, validate_stage
from lumos_rl.training.settings import SFTSettings

SFT = SFTSettings(max_steps=2, batch_size=4, learning_rate=1e-3, max_length=512, save_steps=None)
DPO = PreferenceTraining(max_steps=2, batch_size=4, learning_rate=1e-3)
CONFIG = RunConfig(
    data=DataConfig(annotated=4, explore=3, test_tasks=3),
    model=ModelConfig(profile="compact", scratch=replace(SHAPE, context=512)),
    sft=SFT,
    rollout=RolloutConfig(samples=4, temperatures=(1.0,)),
    evaluate=EvaluateSettings(samples=2, temperatures=(0.0, 1.0)),
)
CONFIG = replace(
    CONFIG,
    refine=RefineConfig(
        steps=(Refine.RS, Refine.DPO),
        rs=replace(CONFIG.refine.rs, train=RejectionTraining(max_steps=2)),
        dpo=replace(CONFIG.refine.dpo, train=replace(DPO, lora_rank=2)),
    ),
)


def explored(config):
    """The tasks to explore, with the plans that the run does not see."""
    return synthetic_tasks("gsm8k", "train", config.data.annotated + config.data.explore)[config.data.annotated :]


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


def always(request):
    return True


def half(request):
    """Half of the episodes are solved."""
    return request.id.endswith(("#0", "#1"))


def never(request):
    return False


def stops(request):
    return "Yes, I will stop planning."


def prose(request):
    """A grounder that writes no actions."""
    return "The answer is: 1" if request.module is Module.GROUNDER else "Subgoal 1: Add."


def adds(request):
    """A planner that asks for one thing and a grounder that adds; on math alone it does something."""
    if request.module is Module.PLANNER:
        return "Subgoal 1: Add." if len(request.messages) == 1 else "Yes, I will stop planning."
    return "R1 = Calculator(1 + 1)"


def play(run, tasks, rollout, version, reply, file=EVALUATION, seed=SEED):
    """Leaves the episodes of a scripted policy in the run folder, as `Player.play` does, without Ray."""
    policy, profile = ScriptedPolicy(reply, version), run.config.model.profile
    for trajectory in run_episodes(make_env, plan_episodes(tasks, rollout, seed=seed), policy, profile):
        run.add(file, trajectory)


def play_gold(run, tasks, rollout, version, file, solves, seed=SEED):
    """Leaves episodes that follow the gold plans in the run folder; `solves` says which of them to the end."""
    play(run, [replace(task, subgoals=()) for task in tasks], rollout, version, gold(tasks, solves), file, seed)


def explore_gold(run, config, version, solves):
    """Leaves those that each step of the refinement plays with a policy, were it its turn."""
    for step in Job(config).steps:
        own = {task.id for task in step.explore}
        tasks = [task for task in explored(config) if task.id in own]
        seed = exploration_seed(config.seed, step.version, version)
        play_gold(run, tasks, step.rollout, version, TRAJECTORIES, solves, seed)


def stage(run, name):
    """What a finished stage came to."""
    return json.loads((run.path / "stages" / f"{name}.json").read_text())


def fine_tune(run):
    """The stages base and sft of a run, as its recipes have them."""
    job, config = Job(run.config), run.config
    base = base_stage(run, config.model, job.profile, job.base_texts(), config.seed)
    return sft_stage(run, job.learner(run), base, job.taught_rows, config.sft, config.preview)


def evaluate(run, version, checkpoint):
    """Tests a policy on the run's test tasks, as its recipes do."""
    job, settings = Job(run.config), run.config.test_rollout
    return evaluate_stage(run, job.player(run), version, checkpoint, job.test_tasks, settings, job.examples(version))


def validate(run, version, checkpoint):
    """The same with its validation tasks."""
    job = Job(run.config)
    return validate_stage(run, job.player(run), version, checkpoint, job.validation_tasks, run.config.test_rollout)
