"""Settings of the engines that write turns. Nothing heavy is imported here: flags are read before any engine is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lumos_rl.checks import at_least, between, check
from lumos_rl.errors import ConfigError


def template_parts(entries: Sequence[str]) -> tuple[str | None, dict[str, Any]]:
    """Reads the setting `model.chat_template`, such as `("chatml", "enable_thinking=false")`.

    Args:
        entries: The name or file of a template, if another than the tokenizer's own is used, and its arguments as
            KEY=VALUE, whose value may be JSON.

    Returns:
        The name or file, or None; and the arguments.

    Raises:
        ConfigError: Two templates, or an argument whose name no template can read.
    """
    named = [entry for entry in entries if "=" not in entry]
    if len(named) > 1 or "" in named:
        raise ConfigError(f"expected one name or file as --model.chat-template, and KEY=VALUE after it, got {named}")
    arguments: dict[str, Any] = {}
    for name, _, value in (entry.partition("=") for entry in entries if "=" in entry):
        if not name.isidentifier() or name in ("messages", "add_generation_prompt", "strftime_now"):
            raise ConfigError(f"expected an argument of a chat template as KEY=VALUE, got {name}={value}")
        try:
            arguments[name] = json.loads(value)
        except ValueError:
            arguments[name] = value
    return (named[0] if named else None), arguments


@dataclass(frozen=True, slots=True)
class VLLMSettings:
    """One vLLM engine.

    Attributes:
        gpu_memory: Share of each GPU's memory for weights and cache; the rest is left to training.
        context: Longest conversation, tokens; None takes all that the model has.
        in_turn: Whether a planner and a grounder that are full models share one engine, one after the other, instead
            of having one each: half the memory, and the time to load weights between their turns.
    """

    gpu_memory: float = 0.85
    context: int | None = None
    in_turn: bool = False

    def __post_init__(self) -> None:
        context = at_least(1, none="None to take all that the model has")
        check(self, "model.vllm", gpu_memory=between(0, 1, without=(0,)), context=context)


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """An endpoint that speaks OpenAI's protocol: `vllm serve`, or a hosted model, whose key OPENAI_API_KEY holds.

    Attributes:
        url: Base address, with its version: http://localhost:8000/v1.
        models: Name of the model there, or PLANNER=NAME and GROUNDER=NAME for one each; none takes the only one there.
        tokenizer: Folder or hub name of its tokenizer. With it, prompts are sent as token ids and sampled ids come back
            (`vllm serve` does that); with None, both are text.
        concurrency: Most requests under way at once, of all workers together.
    """

    url: str = "http://localhost:8000/v1"
    models: tuple[str, ...] = ()
    tokenizer: str | None = None
    concurrency: int = 64

    def __post_init__(self) -> None:
        check(self, "model.openai", concurrency=at_least(1))
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"expected --model.openai.url as http://HOST/v1 or https://HOST/v1, got {self.url!r}")
