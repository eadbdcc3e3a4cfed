"""A benchmark's own solution as a verified gold plan: `annotate(task)` gives the task with its plan, or a `Reject`.

>>> from lumos_rl.core import Task
>>> task = Task("svamp/test/0", "svamp", "Dan had 4 dollars and spent 3. How many are left?", "1",
...             meta={"equation": "( 4.0 - 3.0 )", "question": "How many are left?"})
>>> annotate(task).subgoals[0].actions[0].args
'4 - 3'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lumos_rl.core import Task
from lumos_rl.envs.math import annotate_equation, annotate_gsm8k
from lumos_rl.envs.math.plan_builder import Reject, verified
from lumos_rl.envs.mind2web import annotate as annotate_mind2web
from lumos_rl.envs.qa import annotate_hotpotqa, annotate_strategyqa
from lumos_rl.envs.sql import annotate as annotate_sql
from lumos_rl.envs.webshop import annotate as annotate_webshop
from lumos_rl.errors import UnknownNameError

ANNOTATORS: Mapping[str, Callable[[Task], Task | Reject]] = {  # each verifies its plans by running them
    "gsm8k": lambda task: verified(task, annotate_gsm8k.plans(task)),
    "hotpotqa": annotate_hotpotqa.annotated,
    "intercode_sql": annotate_sql.annotated,
    "mawps": lambda task: verified(task, annotate_equation.plans(task)),
    "mind2web": annotate_mind2web.annotated,
    "strategyqa": annotate_strategyqa.annotated,
    "svamp": lambda task: verified(task, annotate_equation.plans(task)),
    "webshop": annotate_webshop.annotated,
}


def annotate(task: Task) -> Task | Reject:
    """The task with a plan that reads out of its solution and was verified by running it, or why there is none.

    A task that has a plan already is returned as it is.

    Raises:
        UnknownNameError: This benchmark has no annotations by rule; those that have are listed.
        DataError: The task's solution or equation cannot be read.
    """
    if task.subgoals:
        return task
    if task.benchmark not in ANNOTATORS:
        raise UnknownNameError("benchmark with annotations by rule", task.benchmark, ANNOTATORS)
    return ANNOTATORS[task.benchmark](task)
