"""Iterative self-improvement of open language agents: planner, grounder, execution module.

    >>> from lumos_rl import load_tasks, parse_actions
    >>> load_tasks("svamp", split="test", limit=1)[0].benchmark
    'svamp'
    >>> parse_actions("R1 = Calculator(48 / 2)")
    [Action(outputs=('R1',), tool='Calculator', args='48 / 2', result=None)]

`import lumos_rl.envs` registers the environments; `python -m lumos_rl.recipes.NAME` runs training and rollouts.
"""

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
    "format_actions",
    "from_json",
    "load_tasks",
    "parse_actions",
    "to_json",
]
