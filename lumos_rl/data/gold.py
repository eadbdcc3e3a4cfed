"""Gold plans as planner and grounder write them.

numbered_plan(task)[0]     # ("Find the pens in the boxes.", (Action(("R1",), "Calculator", "4 * 12", "48"),))
written(actions)           # "R1 = Calculator(4 * 12)"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lumos_rl.core import Action, Task
from lumos_rl.language import format_actions


def numbered_plan(task: Task) -> list[tuple[str, tuple[Action, ...]]]:
    """Subgoal texts with their actions; the name `Output` becomes the next free R."""
    names = [name for subgoal in task.subgoals for action in subgoal.actions for name in action.outputs]
    following = 1 + max((int(name[1:]) for name in names if re.fullmatch(r"R\d+", name)), default=0)
    return [
        (subgoal.text, tuple(_renamed(action, f"R{following}") for action in subgoal.actions))
        for subgoal in task.subgoals
    ]


def _renamed(action: Action, name: str) -> Action:
    outputs = tuple(name if output == "Output" else output for output in action.outputs)
    return replace(action, outputs=outputs, args=re.sub(r"\bOutput\b", name, action.args))


def written(actions: Sequence[Action]) -> str:
    """Actions as the grounder writes them: without results."""
    return format_actions(replace(action, result=None) for action in actions)
