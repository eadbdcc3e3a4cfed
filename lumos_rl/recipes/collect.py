"""Plays episodes with a trained policy and keeps every trajectory: `python -m lumos_rl.recipes.collect --help`.

    python -m lumos_rl.recipes.collect --run-dir runs/tiny-0 --policy sft

reads `checkpoints/sft`, plays the run's training tasks on Ray, all of them and as often as `rollout.samples` says, and
adds the episodes to `trajectories.jsonl`. Episodes that are there already are not played again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

import gymnasium as gym
import tyro
from tqdm import tqdm

from lumos_rl.core import StopReason, Task, Trajectory
from lumos_rl.errors import ConfigError, InfrastructureError, UnknownNameError
from lumos_rl.policies.base import Policy, Request, ScriptedPolicy
from lumos_rl.policies.layout import Layout
from lumos_rl.policies.serving import Serving
from lumos_rl.prompts import PROFILE_FILE, PromptProfile
from lumos_rl.rollout.loop import Env
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes
from lumos_rl.runs.chats import profile_of
from lumos_rl.runs.config import ENVS, DataConfig, Engine, ModelConfig, RunConfig
from lumos_rl.runs.folder import TRAJECTORIES, RunFolder, require_checkpoint
from lumos_rl.runs.launch import launch
from lumos_rl.runs.tasks import training_tasks

log = logging.getLogger(__name__)


def collect(
    run: RunFolder,
    checkpoint: Path,
    version: str,
    tasks: Sequence[Task],
    rollout: RolloutConfig,
    file: str,
    examples: Mapping[str, Sequence[Task]] | None = None,
) -> list[Trajectory]:
    """Plays what is not played yet and returns all episodes of this policy on these tasks.

    Args:
        run: Where episodes are kept.
        checkpoint: The policy's folder.
        version: The policy's name; with a plan's id it tells episodes apart.
        tasks: Tasks of one or more benchmarks.
        rollout: How they are played.
        file: The run's file that keeps them.
        examples: By benchmark, annotated tasks that its episodes start with; None for none.

    Returns:
        One trajectory per plan, in the order of the plans. Those that failed for the machinery's sake are among them.

    Raises:
        InfrastructureError: More than half of them failed so; the others are kept.
    """
    found = {trajectory.id: trajectory for trajectory in collected(run, version, tasks, rollout, file)}
    plans = plan_episodes(tasks, rollout, examples)
    missing = [plan for plan in plans if plan.id not in found or found[plan.id].stop_reason == StopReason.FAILED]
    # What a model was trained with, it is asked with.
    spoken = PromptProfile.load(checkpoint) if (checkpoint / PROFILE_FILE).is_file() else None
    profile = spoken or profile_of(run.config)
    played = run.workers.collect(
        missing,
        policy_of(checkpoint, version, run.config),
        functools.partial(make_env, options=env_options(run.config.data)),
        profile,
        rollout.concurrency,
        f"{'+'.join(sorted({plan.task.benchmark for plan in missing}))} {version}",
        rollout.tool_threads,
    )
    for trajectory in _shown(played, len(missing), f"episodes of {version}"):
        run.add(file, trajectory)
        found[trajectory.id] = trajectory
    failed = [found[plan.id] for plan in plans if found[plan.id].failure is not None]
    if 2 * len(failed) > len(plans):
        raise InfrastructureError(
            f"expected episodes of {version}, got {len(failed)} of {len(plans)} that the machinery failed; the last:"
            f" {failed[-1].failure}. Mend it and start again: the others are kept, and these are played anew"
        )
    return [found[plan.id] for plan in plans]


def collected(
    run: RunFolder, version: str, tasks: Sequence[Task], rollout: RolloutConfig, file: str
) -> list[Trajectory]:
    """What `collect` has left in the run folder, in the order of the plans; nothing is played."""
    kept = {each.id: each for each in run.read(Trajectory, file) if each.policy == version}  # the last try is kept
    found = [(plan.task, kept[plan.id]) for plan in plan_episodes(tasks, rollout) if plan.id in kept]
    return [episode for task, episode in found if episode.instruction == task.instruction]  # its file may be another


def policy_of(checkpoint: Path, version: str, config: RunConfig) -> Callable[[], Policy] | Serving:
    """How rollout workers come by the policy of a checkpoint: each makes its own, or all share what engines serve.

    Raises:
        ConfigError: An endpoint shall play a checkpoint that was trained here, or there is no such function.
    """
    model, where = config.model, str(checkpoint)
    if model.engine == Engine.HF:
        return functools.partial(make_policy, where, version, model)
    if model.engine == Engine.OPENAI:
        if checkpoint.is_dir():
            raise ConfigError(
                f"expected the name of a model at {model.openai.url}, got the checkpoint {where}, which an endpoint"
                " does not load; use --model.engine hf or vllm, or evaluate --checkpoint NAME"
            )
        return functools.partial(make_endpoint_policy, where, version, model)
    if model.engine == Engine.SCRIPT:
        scripted_reply(where)  # a mistake is told here rather than in every worker
        return functools.partial(make_scripted_policy, where, version)
    trained = config.sft, config.refine.rs.train, config.refine.dpo.train
    rank = model.vllm.max_rank or max(settings.lora.rank for settings in trained)
    model = replace(model, vllm=replace(model.vllm, max_rank=rank))
    make = functools.partial(make_vllm_policy, where, version, model, config.ray.gpus_per_engine)
    return Serving(version, make, functools.partial(update_vllm_policy, where, version))


def make_policy(checkpoint: str, version: str, model: ModelConfig) -> Policy:
    """The policy of a checkpoint with Transformers; called inside the worker that uses it."""
    from lumos_rl.policies.hf import HFPolicy

    return HFPolicy.load(checkpoint, version, model.generate_batch, model.device, model.dtype)


def make_vllm_policy(checkpoint: str, version: str, model: ModelConfig, gpus: int) -> Policy:
    """The same with vLLM; called inside the engine's process."""
    from lumos_rl.policies.vllm import VLLMPolicy

    return VLLMPolicy.load(
        checkpoint, version, model.generate_batch, model.device, model.dtype, model.vllm, max(1, gpus)
    )


def update_vllm_policy(checkpoint: str, version: str, policy: Any) -> None:
    """Has a policy of vLLM go on with another checkpoint."""
    policy.update(checkpoint, version)


def make_endpoint_policy(name: str, version: str, model: ModelConfig) -> Policy:
    """A model of an endpoint; called inside the worker that uses it."""
    from lumos_rl.policies.openai import OpenAIPolicy

    return OpenAIPolicy(model.openai if model.openai.models else replace(model.openai, models=(name,)), version)


def make_scripted_policy(name: str, version: str) -> Policy:
    """A function as a policy; called inside the worker that uses it. A mistake in it ends the rollout."""
    reply = scripted_reply(name)

    def text_of(request: Request) -> str:
        try:
            text = reply(request)
        except (InfrastructureError, ConnectionError, TimeoutError):  # of what it asks; the episode fails alone
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise ConfigError(
                f"{name} failed at a turn of the {request.module}, {place.filename}:{place.lineno}:"
                f" {type(error).__name__}: {error}"
            ) from error
        if not isinstance(text, str):
            raise ConfigError(f"expected text from {name}, got {type(text).__name__} at a turn of the {request.module}")
        return text

    return ScriptedPolicy(text_of, version)


def scripted_reply(name: str) -> Callable[[Request], object]:
    """The function that MODULE:FUNCTION names: it is given a `Request` and returns the text of that turn.

    Raises:
        ConfigError: Nothing that can be called is there under this name.
    """
    module, _, function = name.partition(":")
    try:
        reply = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"expected a policy as MODULE:FUNCTION, importable from {Path.cwd()}, got {name!r}: {error}"
        ) from error
    if not callable(reply):
        raise ConfigError(f"expected a function as {name}, got {type(reply).__name__}")
    return cast("Callable[[Request], object]", reply)


def source_hash(name: str) -> str:
    """Eight hexadecimal digits of what stands in the module of MODULE:FUNCTION; errors as for `scripted_reply`."""
    scripted_reply(name)
    return hashlib.sha256(inspect.getsource(sys.modules[name.partition(":")[0]]).encode()).hexdigest()[:8]


def weights_hash(checkpoint: Path) -> str:
    """Eight hexadecimal digits that change with a checkpoint's weights, as sizes and times of its files tell."""
    layout = Layout.of(checkpoint)
    folders = [Path(folder) for folder in (*layout.bases.values(), *layout.adapters.values())]
    files = sorted(file for folder in folders for kind in ("*.safetensors", "*.bin") for file in folder.glob(kind))
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:8]


def make_env(benchmark: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Env:
    """The environment of a benchmark, for tasks that are given at reset.

    Args:
        benchmark: A key of `ENVS`.
        options: Options of its constructor, by benchmark.

    Raises:
        ConfigError: It takes no such option.
    """
    # planner and grounder read results, never a page
    settings: dict[str, Any] = {"observation": "feedback"} if benchmark == "mind2web" else {}
    given = {**settings, **(options or {}).get(benchmark, {})}
    try:
        return gym.make(f"lumos_rl.envs:{ENVS[benchmark]}", limit=1, **given)  # in a worker, nothing else imports ids
    except TypeError as error:
        raise ConfigError(
            f"expected options of {ENVS[benchmark]}, got {given}: {error}; its card names them"
        ) from error


def env_options(config: DataConfig) -> dict[str, dict[str, Any]]:
    """The options of environments that `data.env` names, by benchmark.

    Raises:
        ConfigError: An entry is not BENCHMARK.OPTION=VALUE.
        UnknownNameError: No such benchmark.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in config.env:
        name, given, value = entry.partition("=")
        benchmark, dot, option = name.partition(".")
        if not (given and dot and option.isidentifier()):
            raise ConfigError(f"expected an option as BENCHMARK.OPTION=VALUE, got {entry!r}")
        if benchmark not in ENVS:
            raise UnknownNameError("benchmark", benchmark, ENVS)
        try:
            found.setdefault(benchmark, {})[option] = json.loads(value)
        except ValueError:
            found.setdefault(benchmark, {})[option] = value
    return found


def _shown(trajectories: Iterator[Trajectory], total: int, what: str) -> Iterator[Trajectory]:
    """Passes trajectories on, with a progress bar of how many are solved."""
    solved = played = 0
    with tqdm(trajectories, total=total, desc=what, unit="episode", mininterval=2, leave=False) as bar:
        for trajectory in bar:
            played += 1
            solved += trajectory.success
            bar.set_postfix_str(f"{solved / played:.0%} solved", refresh=False)
            yield trajectory


def describe(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """What a rollout came to, in numbers."""
    scored = [trajectory for trajectory in trajectories if trajectory.failure is None]
    turns = [turn for trajectory in scored for turn in trajectory.turns]
    return {
        "episodes": len(trajectories),
        "failed": len(trajectories) - len(scored),
        "success": sum(trajectory.success for trajectory in scored) / max(1, len(scored)),
        "tasks": len({trajectory.task_id for trajectory in scored}),
        "tasks_solved": len({trajectory.task_id for trajectory in scored if trajectory.success}),
        "turns": len(turns),
        "invalid_turns": sum(turn.error is not None for turn in turns) / max(1, len(turns)),
        "generated_tokens": sum(turn.completion_tokens for turn in turns),
    }


@dataclass(frozen=True, slots=True)
class CollectConfig:
    """Which policy plays.

    Attributes:
        run: The run.
        policy: Name of the stage whose checkpoint plays.
    """

    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    policy: str = "sft"


def main(config: CollectConfig, run: RunFolder) -> None:
    """Collects episodes of one policy of a run."""
    checkpoint = require_checkpoint(run.checkpoint(config.policy))
    tasks = training_tasks(config.run.data, config.run.seed).explore
    found = collect(run, checkpoint, config.policy, tasks, config.run.rollout, TRAJECTORIES)
    for name, value in describe(found).items():
        print(f"{name:18} {value:.4g}" if isinstance(value, float) else f"{name:18} {value}")


if __name__ == "__main__":
    launch(__doc__, CollectConfig, main)
