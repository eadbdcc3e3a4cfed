"""Turns a benchmark's own solution into a verified gold plan: `annotate(task)` returns the new task or a `Reject`.

>>> from lumos_rl.core import Task
>>> task = Task("svamp/test/0", "svamp", "Dan had 4 dollars and spent 3. How many are left?", "1",
...             meta={"equation": "( 4.0 - 3.0 )", "question": "How many are left?"})
>>> annotate(task).subgoals[0].actions[0].args
'4 - 3'
"""

from __future__ import annotations

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.task_types import Reject


def annotate(task: Task) -> Task | Reject:
    """The task with a plan derived from its solution and verified by execution, or why there is none.

    A task that already has a plan is returned unchanged.

    Raises:
        UnknownNameError: This benchmark has no annotator; the benchmarks with one are listed.
        DataError: The task's solution or equation cannot be read.
    """
    return task if task.subgoals else task_types.get(task.benchmark).get_annotator()(task)
