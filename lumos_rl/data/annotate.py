"""A benchmark's own solution as a verified gold plan: `annotate(task)` gives the task with its plan, or a `Reject`.

>>> from lumos_rl.core import Task
>>> task = Task("svamp/test/0", "svamp", "Dan had 4 dollars and spent 3. How many are left?", "1",
...             meta={"equation": "( 4.0 - 3.0 )", "question": "How many are left?"})
>>> annotate(task).subgoals[0].actions[0].args
'4 - 3'
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lumos_rl.core import Task
from lumos_rl.data import annotate_equation, annotate_gsm8k
from lumos_rl.data.plan_builder import Plan, Reject, verified
from lumos_rl.errors import UnknownNameError

ANNOTATORS: Mapping[str, Callable[[Task], Iterable[Plan]]] = {
    "gsm8k": annotate_gsm8k.plans,
    "mawps": annotate_equation.plans,
    "svamp": annotate_equation.plans,
}


def annotate(task: Task) -> Task | Reject:
    """The task with the first plan that reads out of its solution and gives the gold answer when run.

    A task that has a plan already is returned as it is.

    Raises:
        UnknownNameError: This benchmark has no annotations by rule; those that have are listed.
        DataError: The task's solution or equation cannot be read.
    """
    if task.subgoals:
        return task
    if task.benchmark not in ANNOTATORS:
        raise UnknownNameError("benchmark with annotations by rule", task.benchmark, ANNOTATORS)
    return verified(task, ANNOTATORS[task.benchmark](task))
