"""The text that tells an agent what it may do on a benchmark: the task, the syntax of actions, the tools, one episode.

>>> print(system_prompt(task_types.get("svamp")))                                              # doctest: +ELLIPSIS
Solve a word problem. The answer is one number.
Act by calling tools: R1 = Tool(arguments). …
<BLANKLINE>
Tools:
Calculator(expression): exact arithmetic and comparisons; R1, R2 ... stand for earlier results
…

It depends on the task type's record alone, so it is the same in training, in every episode and on every machine:
environments give it as `info["system_prompt"]`, and prompt profiles with a system message begin with it. The episode is
a training task of the built-in suite with its gold plan; a task type without a suite has none.
"""

from __future__ import annotations

import re

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.data.gold import numbered_plan, written
from lumos_rl.data.synthetic import synthetic_tasks
from lumos_rl.task_types import TaskType
from lumos_rl.tools.finish import FINISH, Finish

TRIED = 8  # training tasks of which the one with the shortest text is shown
MAX_RESULT = 100  # characters of a result in the episode
SYNTAX = (
    "Act by calling tools: R1 = Tool(arguments). Results are called R1, R2, ...; later actions use them by name."
    ' Several actions at once are separated by "; ".'
)
_USED = re.compile(r"\bR\d+\b")

_known: dict[str, tuple[TaskType, str]] = {}  # by name


def system_prompt(kind: TaskType) -> str:
    """What an agent is told about a task type; made once for each.

    Args:
        kind: The task type. One that another environment grades has the text of that one.
    """
    found = _known.get(kind.name)
    if found is None or found[0] is not kind:
        own = kind if kind.grader == kind.name else task_types.get(kind.grader)
        found = _known[kind.name] = kind, _text(own)
    return found[1]


def _text(kind: TaskType) -> str:
    head = "\n".join(filter(None, (kind.about, SYNTAX, kind.own_syntax)))
    usages = [*(spec.usage for spec in kind.tool_specs()), *([Finish.usage] if kind.finishes else [])]
    parts = [head, "\n".join(["Tools:", *usages])]
    if kind.suite is not None:
        shown = [_episode(task, kind) for task in synthetic_tasks(kind.name, "train", TRIED) if _is_worked(task)]
        using = [text for text in shown if _USED.search(text.partition("\nSubgoal 2: ")[2])]  # that use a result
        parts += [f"Example:\n{min(using or shown, key=len)}"] if shown else []
    return "\n\n".join(parts)


def _is_worked(task: Task) -> bool:
    """Whether its plan has actions throughout, and a result of each."""
    plan = [subgoal.actions for subgoal in task.subgoals]
    return bool(plan) and all(plan) and all(action.result for actions in plan for action in actions)


def _episode(task: Task, kind: TaskType) -> str:
    lines, name = [f"Task: {task.instruction}"], ""
    for number, (text, actions) in enumerate(numbered_plan(task), 1):
        name, result = actions[-1].outputs[-1], str(actions[-1].result)
        short = result if len(result) <= MAX_RESULT else f"{result[:MAX_RESULT]} …"
        lines += [f"Subgoal {number}: {text}", written(actions), f"Result: {name} = {short}"]
    return "\n".join([*lines, f"{FINISH}({name})"] if kind.finishes else lines)
