"""Registers task types with Gymnasium: after `register_all()`, `gym.make` knows every one."""

from __future__ import annotations

import gymnasium

from lumos_rl import task_types
from lumos_rl.task_types import TaskType


def register_all() -> None:
    """Registers the environment of every known task type."""
    for task_type in task_types.every():
        register(task_type)


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
