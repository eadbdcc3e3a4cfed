"""The policies of a run, in the form in which rollout workers get them.

make = policy_of(Path("runs/tiny-0/checkpoints/sft"), "sft", ModelConfig(), max_rank=16, gpus=0)
policy = make()     # inside a worker
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lumos_rl.errors import ConfigError, InfrastructureError
from lumos_rl.policies.base import Policy, Request, ScriptedPolicy
from lumos_rl.policies.layout import Layout
from lumos_rl.policies.serving import Serving, Weightless
from lumos_rl.runs.config import Engine, ModelConfig
from lumos_rl.runs.engine_choice import chosen

Factory = Callable[[], Policy] | Serving | Weightless


def policy_of(checkpoint: Path, version: str, model: ModelConfig, max_rank: int | None, gpus: int) -> Factory:
    """How rollout workers get the policy of a checkpoint: each makes its own, or all share what engines serve.

    Args:
        checkpoint: Its folder; for the engines openai and script, the model's name or MODULE:FUNCTION.
        version: Its name.
        model: Settings of engine and model.
        max_rank: Largest adapter rank that the run trains, for engines that need it at their start; None for none.
        gpus: GPUs of a shared engine; 0 where it is left to the cluster.

    Raises:
        ConfigError: The engine is an endpoint but the checkpoint a folder, or there is no such function.
    """
    where = str(checkpoint)
    if model.engine == Engine.AUTO:  # of settings that no command line has read
        model = replace(model, engine=chosen(model.base)[0])
    if model.engine == Engine.HF:
        return functools.partial(make_policy, where, version, model)
    if model.engine == Engine.OPENAI:
        if checkpoint.is_dir():
            raise ConfigError(
                f"expected the name of a model at {model.openai.url}, got the checkpoint {where}, which an endpoint"
                " does not load; use --model.engine hf or vllm, or evaluate --checkpoint NAME"
            )
        return Weightless(functools.partial(make_endpoint_policy, where, version, model), model.openai.concurrency)
    if model.engine == Engine.SCRIPT:
        scripted_reply(where)  # so that a mistake fails here, not in every worker
        return Weightless(functools.partial(make_scripted_policy, where, version))
    make = functools.partial(make_vllm_policy, where, version, model, gpus, max_rank)
    return Serving(version, make, functools.partial(update_vllm_policy, where, version, model.chat_template))


def make_policy(checkpoint: str, version: str, model: ModelConfig) -> Policy:
    """The policy of a checkpoint with Transformers; called inside the worker that uses it."""
    from lumos_rl.policies.hf import HFPolicy

    batch, dtype, template = model.generate_batch, model.dtype, model.chat_template
    return HFPolicy.load(checkpoint, version, batch, dtype=dtype, chat_template=template)


def make_vllm_policy(checkpoint: str, version: str, model: ModelConfig, gpus: int, max_rank: int | None) -> Policy:
    """The same with vLLM; called inside the engine's process."""
    from lumos_rl.policies.vllm import VLLMPolicy

    return VLLMPolicy.load(
        checkpoint,
        version,
        model.generate_batch,
        dtype=model.dtype,
        settings=model.vllm,
        gpus=max(1, gpus),
        max_rank=max_rank,
        chat_template=model.chat_template,
    )


def update_vllm_policy(checkpoint: str, version: str, chat_template: Sequence[str], policy: Any) -> None:
    """Switches a vLLM policy to another checkpoint."""
    policy.update(checkpoint, version, chat_template)


def make_endpoint_policy(name: str, version: str, model: ModelConfig, requests: int | None = None) -> Policy:
    """A model of an endpoint; called inside the worker that uses it.

    Args:
        name: The model's name there.
        version: Stored on trajectories.
        model: Settings.
        requests: Most requests of this worker under way at once; None takes those of all workers.
    """
    from lumos_rl.policies.openai import OpenAIPolicy

    concurrency = model.openai.concurrency if requests is None else requests
    settings = replace(model.openai, models=model.openai.models or (name,), concurrency=concurrency)
    return OpenAIPolicy(settings, version, model.chat_template)


def make_scripted_policy(name: str, version: str, requests: int | None = None) -> Policy:
    """A function as a policy; called inside the worker that uses it. An error of the function ends the rollout."""
    reply = scripted_reply(name)

    def text_of(request: Request) -> str:
        try:
            text = reply(request)
        except (InfrastructureError, ConnectionError, TimeoutError):  # of a service it uses: only this episode fails
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
    """The function named MODULE:FUNCTION, which maps a `Request` to the text of its turn.

    Raises:
        ConfigError: There is no such function.
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
    """Eight hex digits that change with the source of the module in MODULE:FUNCTION; errors as for `scripted_reply`."""
    scripted_reply(name)
    return hashlib.sha256(inspect.getsource(sys.modules[name.partition(":")[0]]).encode()).hexdigest()[:8]


def weights_hash(checkpoint: Path) -> str:
    """Eight hex digits that change with a checkpoint's weights, judged by size and time of its files."""
    layout = Layout.of(checkpoint)
    folders = [Path(folder) for folder in (*layout.bases.values(), *layout.adapters.values())]
    files = sorted(file for folder in folders for kind in ("*.safetensors", "*.bin") for file in folder.glob(kind))
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()[:8]
