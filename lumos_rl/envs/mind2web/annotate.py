"""Gold plans from Mind2Web's recorded actions, kept if the lexical ranker finds every element that is on its page.

annotated(task)   # the task with its subgoals, or Reject("mind2web/train/6c7a…", "a query finds another element", "…")
"""

from __future__ import annotations

import dataclasses
from functools import partial

from lumos_rl.core import Task
from lumos_rl.envs.mind2web.suite import gold_plan
from lumos_rl.language import format_actions
from lumos_rl.task_types import Reject


def annotated(task: Task) -> Task | Reject:
    """The task with its plan, or the reason why there is none.

    Raises:
        DataError: A step cannot be read.
    """
    from lumos_rl.envs.mind2web.reader import load_page  # here, because only this benchmark needs lxml
    from lumos_rl.envs.mind2web.tools.actions import web_tools
    from lumos_rl.envs.mind2web.tools.ranking import LexicalRanker
    from lumos_rl.envs.mind2web.tools.session import Session
    from lumos_rl.tools.base import Executor

    reprs = task.meta["reprs"]
    subgoals = gold_plan(task.id, reprs)
    pages = partial(load_page, task)
    session = Session(task.id, task.instruction, reprs, pages, LexicalRanker(), 1, with_page=False)
    executor = Executor(web_tools(session))
    for index, subgoal in enumerate(subgoals):
        try:
            format_actions(subgoal.actions)
        except ValueError as error:
            return Reject(task.id, "no action can be written", f"{reprs[index]!r}: {error}")
        reachable = session.page.positives
        executor.run(subgoal.actions)
        if reachable and not session.predictions[-1].score.success:
            return Reject(task.id, "a query finds another element", f"step {index}, {reprs[index]!r}")
    return dataclasses.replace(task, subgoals=subgoals)
