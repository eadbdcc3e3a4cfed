"""The stages of the main job in their order, with about how much each trains or plays, for `RunFolder.follow`.

planned(job)[1]      # Planned("sft", Kind.TRAIN, 32000)
"""

from __future__ import annotations

from collections.abc import Iterator

from lumos_rl.core import Formulation
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import BASE, CONTROL, SWAP, Modules
from lumos_rl.runs.job import Job
from lumos_rl.runs.overlap import OVERLAP
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.schedule import Kind, Planned
from lumos_rl.runs.stages import swapped
from lumos_rl.runs.steps import RefineStep
from lumos_rl.training.settings import DPOSettings, SFTSettings

OF_A_PAIR = 8 / 3  # rows of SFT that take as long: two conversations, and a third more for the reference


def planned(job: Job) -> list[Planned]:
    """All stages, if none of the refinement is skipped."""
    config = job.config
    found = [Planned(OVERLAP, Kind.OTHER)] if job.overlap else []
    found += [Planned("base", Kind.OTHER)] if config.model.base == SCRATCH else []
    found.append(Planned("sft", Kind.TRAIN, _rows(job, config.sft, len(job.taught_rows))))
    found += [_test(job, name) for name in (["base"] if BASE in config.evaluate.also else []) + ["sft"]]
    for step in job.steps:
        found += [Planned(step.collecting, Kind.PLAY, _episodes(len(step.explore), step.rollout))]
        found += [Planned(step.version, Kind.TRAIN, _learned(job, step)), _test(job, step.version)]
    return [*found, *_beside(job)]


def _beside(job: Job) -> Iterator[Planned]:
    """The stages after the refinement."""
    config, versions = job.config, [step.version for step in job.steps]
    if config.data.validation_tasks:
        size = len(job.validation_tasks)
        yield from (Planned(f"validate-{name}", Kind.PLAY, size) for name in ("sft", *versions))
        yield Planned("best", Kind.OTHER)
    two_modules = config.rollout.formulation in (Formulation.ITERATIVE, Formulation.ONETIME)
    if SWAP in config.evaluate.also and versions and two_modules:
        yield from (_test(job, swapped(*pair)) for pair in (("sft", versions[-1]), (versions[-1], "sft")))
    if CONTROL in config.evaluate.also and versions:
        yield Planned("control", Kind.TRAIN, sum(_learned(job, step) for step in job.steps))
        yield _test(job, "control")


def _test(job: Job, version: str) -> Planned:
    return Planned(f"evaluate-{version}", Kind.PLAY, _episodes(len(job.test_tasks), job.config.test_rollout))


def _episodes(tasks: int, rollout: RolloutConfig) -> int:
    return tasks * rollout.samples


def _learned(job: Job, step: RefineStep) -> float:
    """Rows that a step learns; without a number of steps, as many as its episodes can give."""
    config = job.config
    if step.kind == Refine.RS:
        most = 2 * len(step.explore) * config.refine.rs.max_per_task  # of planner and grounder
        return _rows(job, config.rs_training, most + (len(job.taught_rows) if config.refine.rs.annotated else 0))
    return OF_A_PAIR * _rows(job, config.dpo_training, len(step.explore) * config.refine.dpo.max_per_task)


def _rows(job: Job, settings: SFTSettings | DPOSettings, available: int) -> float:
    if settings.max_steps is None:
        return settings.epochs * available
    models = len(Modules) if job.config.model.modules == Modules.SEPARATE else 1
    return float(models * settings.max_steps * settings.batch_size * settings.gradient_accumulation)
