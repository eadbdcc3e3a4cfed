"""Iterative self-improvement of open language agents: planner, grounder, execution module.

    >>> from lumos_rl import load_tasks, parse_actions
    >>> load_tasks("svamp", split="test", limit=1)[0].benchmark
    'svamp'
    >>> parse_actions("R1 = Calculator(48 / 2)")
    [Action(outputs=('R1',), tool='Calculator', args='48 / 2', result=None)]

`import lumos_rl.envs` registers the environments; `python -m lumos_rl.recipes.NAME` runs training and rollouts.
"""

from typing import TYPE_CHECKING

from lumos_rl.core import (
    Action,
    Formulation,
    Module,
    PreferencePair,
    StopReason,
    Subgoal,
    Task,
    Trajectory,
    Turn,
    from_json,
    to_json,
)
from lumos_rl.data import load_tasks
from lumos_rl.errors import LumosError
from lumos_rl.language import format_actions, parse_actions

__all__ = [
    "Action",
    "Formulation",
    "LumosError",
    "Module",
    "PreferencePair",
    "StopReason",
    "Subgoal",
    "Task",
    "Trajectory",
    "Turn",
    "__version__",
    "format_actions",
    "from_json",
    "load_tasks",
    "parse_actions",
    "to_json",
]

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """The version, looked up when it is asked for: package metadata takes longer to import than all of this."""
        if name != "__version__":
            raise AttributeError(f"module 'lumos_rl' has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("lumos_rl")
        except PackageNotFoundError:  # a copy of the sources that was not installed, as on a worker of a cluster
            return "unknown"
