"""The main job: SFT on annotated tasks, then self-improvement by the policy's own episodes, tested after every stage.

    python -m lumos_rl.recipes.sft_then_dpo                       # embedded default: a laptop's CPU, no downloads
    python -m lumos_rl.recipes.sft_then_dpo --help                # the settings that matter most
    python -m lumos_rl.recipes.sft_then_dpo --dry-run             # what would be done, and whether it can be

Stages: base, sft, then the steps of the refinement (each collects episodes with the current policy and learns from
them, by rejection sampling or DPO). Optional: the choice of the best policy on validation tasks, tests of swapped
modules, and a control, which is SFT for as many further optimizer steps. A step whose episodes hold nothing to learn is
skipped with a warning, and the policy stays. A run that was killed continues when the same command is given again.
"""

from __future__ import annotations

import time
from pathlib import Path

from lumos_rl.core import Formulation
from lumos_rl.runs.config import BASE, CONTROL, SWAP, RunConfig
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import launch
from lumos_rl.runs.overlap import OVERLAP
from lumos_rl.runs.planned import planned
from lumos_rl.runs.refine import refine
from lumos_rl.runs.stages import base_stage, best_stage, control_stage, evaluate_stage, sft_stage, swap
from lumos_rl.runs.summary import write_summary


def main(job: Job, run: RunFolder, config: RunConfig) -> None:
    """Runs every stage that is not finished, and writes the summary.

    Raises:
        ConfigError: As `Job.check_trainable`.
    """
    job.check_trainable()
    began = time.monotonic()
    run.follow(planned(job))
    if job.overlap:
        run.stage(OVERLAP, lambda: job.overlap)
    player, learner = job.player(run), job.learner(run)

    def test(version: str, checkpoint: Path) -> None:
        examples = job.examples(version)
        evaluate_stage(run, player, version, checkpoint, job.test_tasks, config.test_rollout, examples)

    base = base_stage(run, config.model, job.profile, job.base_texts(), config.seed)
    sft_stage(run, learner, base, job.taught_rows, config.sft, config.preview)
    if BASE in config.evaluate.also:
        test("base", Path(base))
    test("sft", run.checkpoint("sft"))
    versions, steps = refine(job, run)
    if config.data.validation_tasks:
        best_stage(run, player, ["sft", *versions], job.validation_tasks, config.test_rollout)
    two_modules = config.rollout.formulation in (Formulation.ITERATIVE, Formulation.ONETIME)
    if SWAP in config.evaluate.also and versions and two_modules:
        for planner, grounder in (("sft", versions[-1]), (versions[-1], "sft")):
            mixed = swap(run, planner, grounder, job.profile)
            test(mixed, run.checkpoint(mixed))
    if CONTROL in config.evaluate.also and steps:
        control_stage(run, learner, job.taught_rows, config.rs_training, steps)
        test("control", run.checkpoint("control"))
    print(write_summary(run, versions, time.monotonic() - began, job.training.counts))


if __name__ == "__main__":
    launch(__doc__, RunConfig, main)
