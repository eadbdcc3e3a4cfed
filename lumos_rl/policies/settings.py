"""Settings of the engines that write turns. Nothing heavy is imported here: flags are read before any engine is."""

from __future__ import annotations

from dataclasses import dataclass

from lumos_rl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class VLLMSettings:
    """One vLLM engine.

    Attributes:
        gpu_memory: Share of each GPU's memory for weights and cache; the rest is left to training.
        cpu_cache_gb: Memory of the cache where there is no GPU, GiB.
        max_rank: Largest rank of an adapter it shall take, later ones included; 0 takes the largest of the first ones.
        context: Longest conversation, tokens; 0 takes all that the model has.
        in_turn: Whether a planner and a grounder that are full models share one engine, one after the other, instead
            of having one each: half the memory, and the time to load weights between their turns.
    """

    gpu_memory: float = 0.85
    cpu_cache_gb: int = 1
    max_rank: int = 0
    context: int = 0
    in_turn: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.gpu_memory <= 1 or self.cpu_cache_gb < 1 or min(self.max_rank, self.context) < 0:
            raise ConfigError(
                f"expected 0 < gpu_memory <= 1, cpu_cache_gb >= 1, max_rank >= 0 and context >= 0, got {self}"
            )


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """An endpoint that speaks OpenAI's protocol: `vllm serve`, or a hosted model.

    Attributes:
        url: Base address, with its version: http://localhost:8000/v1.
        models: Name of the model there, or PLANNER=NAME and GROUNDER=NAME for one each; none takes the only one there.
        tokenizer: Folder or hub name of its tokenizer. With it, prompts are sent as token ids and sampled ids come back
            (`vllm serve` does that); without it, both are text.
        api_key_env: Environment variable that holds the key; a local server needs none.
        timeout_s: Longest wait for an answer.
        retries: How often a request is repeated that was refused for the moment, timed out or broke.
        concurrency: Most requests under way at once.
    """

    url: str = "http://localhost:8000/v1"
    models: tuple[str, ...] = ()
    tokenizer: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    timeout_s: float = 120.0
    retries: int = 5
    concurrency: int = 64

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.retries < 0 or self.concurrency < 1:
            raise ConfigError(f"expected timeout_s above 0, retries >= 0 and concurrency >= 1, got {self}")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"expected url as http://HOST:PORT/v1 or https://HOST/v1, got {self.url!r}")
