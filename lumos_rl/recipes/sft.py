"""Fine-tunes planner and grounder on annotated tasks: `python -m lumos_rl.recipes.sft --help`.

python -m lumos_rl.recipes.sft --run-dir runs/tiny-0      # the stages base and sft of that run, and nothing else
"""

from __future__ import annotations

from lumos_rl.runs.config import RunConfig
from lumos_rl.runs.folder import RunFolder
from lumos_rl.runs.job import Job
from lumos_rl.runs.launch import launch
from lumos_rl.runs.overlap import OVERLAP
from lumos_rl.runs.planned import planned
from lumos_rl.runs.stages import base_stage, sft_stage


def main(job: Job, run: RunFolder, config: RunConfig) -> None:
    """Runs the stages base and sft.

    Raises:
        ConfigError: As `Job.check_trainable`.
    """
    job.check_trainable()
    run.follow([each for each in planned(job) if each.name in (OVERLAP, "base", "sft")])
    if job.overlap:
        run.stage(OVERLAP, lambda: job.overlap)
    base = base_stage(run, config.model, job.profile, job.base_texts(), config.seed)
    result = sft_stage(run, job.learner(run), base, job.taught_rows, config.sft, config.preview)
    print(f"{run.checkpoint('sft')}: {result['rows']} rows, loss {result.get('loss', float('nan')):.3f}")


if __name__ == "__main__":
    launch(__doc__, RunConfig, main)
