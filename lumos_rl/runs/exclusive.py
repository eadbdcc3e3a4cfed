"""Refuses flags that have no effect because other settings exclude them.

refuse_without_effect(["--sft.epochs", "3"], config)    # ConfigError: … --sft.max-steps is 4000 …
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lumos_rl.checks import flag
from lumos_rl.errors import ConfigError
from lumos_rl.policies.bases import SCRATCH
from lumos_rl.runs.config import Engine, RunConfig

ALIASES = {"data": "data.folder", "suites": "data.suites", "iterations": "refine.iterations", "plugin": "plugins"}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A setting under which others have no effect.

    Attributes:
        setting: Its name.
        excludes: Whether a value of it excludes them.
        cure: What to do instead.
    """

    setting: str
    excludes: Callable[[Any], bool]
    cure: str


def _steps(section: str) -> Exclusion:
    name = f"{section}.max_steps"
    return Exclusion(name, lambda value: value is not None, f"give {flag('', name)} None to count epochs")


_SUITES = Exclusion("data.suites", bool, "give either suites or sources; --suites without words takes none")

EXCLUDED: Mapping[str, Exclusion] = {  # a setting, or the beginning of several with a dot → what excludes it
    "sft.epochs": _steps("sft"),
    "refine.rs.train.epochs": _steps("refine.rs.train"),
    "refine.dpo.train.epochs": _steps("refine.dpo.train"),
    "data.train": _SUITES,
    "data.test": _SUITES,
    "model.scratch.": Exclusion("model.base", lambda value: value != SCRATCH, "give --model.base scratch to build one"),
    "model.vllm.": Exclusion("model.engine", lambda value: value != Engine.VLLM, "give --model.engine vllm to use it"),
    "model.openai.": Exclusion(
        "model.engine", lambda value: value != Engine.OPENAI, "give --model.engine openai to use it"
    ),
}


def given(words: Iterable[str]) -> set[str]:
    """Names of the settings that a command line sets, such as {"sft.max_steps"}."""
    flags = {word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")}
    return {ALIASES.get(name, name) for name in flags}


def refuse_without_effect(words: Iterable[str], config: RunConfig) -> None:
    """Refuses what a command line, or a file of settings, sets without effect.

    Args:
        words: The command line, or names of settings with "--" before them.
        config: The settings that came of it, of preset and stored run as well.

    Raises:
        ConfigError: A flag is excluded by another setting.
    """
    for name in sorted(given(words)):
        for beginning, exclusion in EXCLUDED.items():
            if name != beginning and not (beginning.endswith(".") and name.startswith(beginning)):
                continue
            value: Any = config
            for part in exclusion.setting.split("."):
                value = getattr(value, part)
            if exclusion.excludes(value):
                raise ConfigError(
                    f"expected {flag('', name)} with an effect, got it with {flag('', exclusion.setting)}"
                    f" {_shown(value)}, which excludes it; {exclusion.cure}"
                )


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
