"""What a dry run finds out about a model: whether it is there, whether prompts fit it, and whether it can be trained.

model_line("smollm2", config)       # "folder smollm2, 49152 tokens in its vocabulary, turns end with <|im_end|>, …"
context_line(job, "smollm2", {})    # "at most 412 tokens before the first turn (gsm8k, grounder), of 8192"
memory_text(config, lambda: 190)    # "sft takes 0.8 GiB for weights and optimizer, 5.2 GiB with rows of 190 tokens; …"
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lumos_rl.core import Task
from lumos_rl.errors import ConfigError, LumosError, MissingFileError
from lumos_rl.policies.bases import SCRATCH, located
from lumos_rl.policies.layout import Layout, rounding
from lumos_rl.policies.settings import template_parts
from lumos_rl.runs.config import Engine, RunConfig
from lumos_rl.runs.estimate import planned_dpo, run_shape, shortened
from lumos_rl.runs.job import Job
from lumos_rl.runs.memory import KNOWN, memory_line, training_bytes
from lumos_rl.runs.prompt_lengths import longest_prompt, prompt_line
from lumos_rl.runs.refine_settings import Refine
from lumos_rl.training.settings import DPOSettings, SFTSettings

OUT_OF_REACH = "is on the hub, which cannot be reached from here: its tokenizer and chat template were not looked at"


class NotLookedUpError(Exception):
    """What could not be looked at from here, though a run may go well elsewhere."""


def base_line(config: RunConfig) -> str:
    """What the base model of a run is; errors as for `model_line`."""
    base = config.model.base
    return f"built here, {config.model.scratch}" if base == SCRATCH else model_line(base, config)


def model_line(where: str, config: RunConfig) -> str:
    """What a model is. Of one on the hub, a few small files are fetched; a GGUF file is dequantised.

    Raises:
        LumosError: It is not there, or cannot be used.
        NotLookedUpError: It is of `KNOWN`, and the hub is out of reach.
    """
    from lumos_rl.policies.checkpoints import load_tokenizer

    layout = Layout.of(where)
    for part in {*layout.bases.values(), *layout.adapters.values()}:
        folder = Path(part)
        if folder.is_dir() and not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
            raise ConfigError(f"expected config.json or adapter_config.json in {folder}, got a folder without them")
    try:
        tokenizer = load_tokenizer(layout.first, config.model.chat_template)
    except MissingFileError as error:
        if where in KNOWN:
            weights = KNOWN[where].weights / 1e9
            raise NotLookedUpError(f"{where} {OUT_OF_REACH}; {weights:.1f} billion weights by its config") from error
        raise
    kind = "folder" if Path(located(where)).is_dir() else "hub model"
    told = [f"{kind} {where}", f"{len(tokenizer)} tokens in its vocabulary", f"turns end with {tokenizer.eos_token}"]
    return ", ".join(filter(None, [*told, _without_template(layout.first, config), rounding(located(where))]))


def _without_template(where: str, config: RunConfig) -> str:
    """What to say of a tokenizer that has no chat template of its own; "" if it has, or one was named."""
    from lumos_rl.policies.checkpoints import has_template

    if template_parts(config.model.chat_template)[0] is not None or has_template(where):
        return ""
    return "no chat template of its own, so it gets Lumos's (--model.chat-template names another: chatml, or a file)"


def context_line(job: Job, where: str, examples: Callable[[], Mapping[str, Sequence[Task]]]) -> str:
    """Whether the first prompts of test episodes fit into what a model reads.

    Raises:
        ConfigError: They do not.
        NotLookedUpError: Model or test tasks are not there.

    Args:
        job: The run.
        where: The model.
        examples: Gives the annotated tasks that episodes start with, by benchmark.
    """
    from lumos_rl.policies.checkpoints import load_config, load_tokenizer

    model = job.config.model
    try:
        layout = Layout.of(where)
        tokenizer = load_tokenizer(layout.first, model.chat_template)
        context = min(load_config(base).max_position_embeddings for base in layout.models)
        longest = longest_prompt(job, examples(), tokenizer)
    except LumosError as error:
        raise NotLookedUpError("it is not known without the model and the test tasks") from error
    if model.engine == Engine.VLLM:
        context = min(context, model.vllm.context or context)
    return prompt_line(longest, context, job.config.test_rollout)


def memory_text(config: RunConfig, longest: Callable[[], int]) -> str:
    """What the stage that takes most memory takes, and what there is; errors as for `memory.check_memory`.

    Args:
        config: The run.
        longest: Gives the tokens of the longest conversation; if it cannot, rows may be as long as they are allowed to.
    """
    try:
        shape = run_shape(config.model)
    except LumosError as error:
        raise NotLookedUpError("it is not known without the model") from error
    stages: dict[str, SFTSettings | DPOSettings] = {"sft": config.sft}
    stages |= {"dpo": planned_dpo(config)} if Refine.DPO in config.refine.steps else {}
    with contextlib.suppress(LumosError):
        tokens = longest()
        stages = {name: shortened(settings, tokens) for name, settings in stages.items()}
    name = max(stages, key=lambda stage: training_bytes(shape, stages[stage]))
    return f"{name} takes {memory_line(shape, stages[name])[0]}"
