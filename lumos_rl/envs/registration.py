"""Registers task types with Gymnasium: after `register_all()`, `gym.make` knows every one."""

from __future__ import annotations

import logging

import gymnasium

from lumos_rl import task_types
from lumos_rl.errors import ConfigError
from lumos_rl.task_types import TaskType

log = logging.getLogger(__name__)


def register_all() -> None:
    """Registers the environment of every known task type; a broken package is skipped with a warning."""
    for name in task_types.names():
        try:
            register(task_types.get(name))
        except ConfigError as error:  # one broken package must not disable the others
            log.warning("task type %s is left out: %s", name, error)


def register(task_type: TaskType) -> None:
    """Registers the environment of a task type, unless it has none or is registered already."""
    if task_type.env is None or task_type.env_id in gymnasium.registry:
        return
    gymnasium.register(
        id=task_type.env_id,
        entry_point=task_type.env,
        kwargs={"benchmark": task_type.name},
        # LumosEnv enforces the order of calls itself, with its own error.
        order_enforce=False,
        # The contract test runs `check_env`. In Gymnasium 1.4, the checker that `make` wraps around an environment
        # fails at the first valid call after one that raised, e.g. for a mistyped task.
        disable_env_checker=True,
    )
