"""The environments of a run, which are made inside the workers.

make_env("intercode_sql", {"intercode_sql": {"backend": "mysql://root@127.0.0.1:3307"}})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym

from lumos_rl import task_types
from lumos_rl.envs import registration
from lumos_rl.errors import ConfigError
from lumos_rl.rollout.loop import Env


def make_env(
    benchmark: str, options: Mapping[str, Mapping[str, Any]] | None = None, plugins: Sequence[str] = ()
) -> Env:
    """The environment of a benchmark, for tasks that are given at reset.

    Args:
        benchmark: Name of a task type.
        options: Options of its constructor, by benchmark.
        plugins: Modules with further task types, which a worker has not imported yet.

    Raises:
        ConfigError: It has no such option.
        UnknownNameError: No such task type.
    """
    task_types.load_plugins(plugins)
    task_type = task_types.get(benchmark)
    registration.register(task_type)
    given = {**task_type.play_options, **(options or {}).get(benchmark, {})}
    try:
        return gym.make(task_type.env_id, limit=1, **given)
    except TypeError as error:
        raise ConfigError(
            f"expected options of {task_type.env_id}, got {given}: {error}; its card names them"
        ) from error
