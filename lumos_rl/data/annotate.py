"""Turns a benchmark's own solution into a verified gold plan: `annotate(task)` returns the new task or a `Reject`.

>>> from lumos_rl.core import Task
>>> task = Task("svamp/test/0", "svamp", "Dan had 4 dollars and spent 3. How many are left?", "1",
...             meta={"equation": "( 4.0 - 3.0 )", "question": "How many are left?"})
>>> annotate(task).subgoals[0].actions[0].args
'4 - 3'
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lumos_rl import task_types
from lumos_rl.core import Task
from lumos_rl.errors import DataError, InfrastructureError
from lumos_rl.task_types import Reject

log = logging.getLogger(__name__)

MALFORMED, OUTAGE = "malformed record", "infrastructure failure"


def annotate(task: Task) -> Task | Reject:
    """The task with a plan derived from its solution and verified by execution, or why there is none.

    A task that already has a plan is returned unchanged.

    Raises:
        UnknownNameError: This benchmark has no annotator; the benchmarks with one are listed.
        ImportError: The annotator needs a package that is not installed.
    """
    if task.subgoals:
        return task
    annotator = task_types.get(task.benchmark).get_annotator()
    try:
        return annotator(task)
    except DataError as error:
        return Reject(task.id, MALFORMED, str(error))
    except ImportError:
        raise
    except InfrastructureError as error:
        return Reject(task.id, OUTAGE, str(error))
    except Exception as error:  # whatever the content of one record makes the rules raise: it ends nothing else
        log.warning("%s: the rules stopped", task.id, exc_info=True)
        return Reject(task.id, MALFORMED, f"{type(error).__name__}: {str(error)[:200]}")


def resample(task: Task, n: int, seed: int) -> Sequence[Task]:
    """Up to `n` tasks with the plan of an annotated task and other numbers; none where its type has no such rules.

    A task whose content stops the rules gets none, with a warning.
    """
    resampler = task_types.get(task.benchmark).get_resampler()
    try:
        return resampler(task, n, seed) if resampler is not None and n else ()
    except ImportError:
        raise
    except Exception as error:  # noqa: BLE001 (as above)
        log.warning("%s: no copies with other numbers, because of %r", task.id, error)
        return ()
