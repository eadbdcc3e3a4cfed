"""Gold plans for WebShop goals: the plan of `plans`, kept if it earns the full reward in the goal's own catalogue.

annotated(task)   # the task with its subgoals, or Reject("webshop/test/3", "no plan earns the whole reward", "…")
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path

from lumos_rl.core import Task
from lumos_rl.envs.webshop.plans import gold_plan
from lumos_rl.envs.webshop.reader import open_catalogue
from lumos_rl.envs.webshop.suite import suite_catalogue
from lumos_rl.envs.webshop.tools.session import Shop
from lumos_rl.task_types import Reject


def annotated(task: Task) -> Task | Reject:
    """The task with its plan, or the reason why there is none."""
    shop = _shop(task.meta.get("source"), task.meta.get("num_products"))
    subgoals, reason = gold_plan(shop, dict(task.meta["goal"]))
    if reason:
        return Reject(task.id, "no plan earns the whole reward", reason)
    return dataclasses.replace(task, subgoals=subgoals)


@lru_cache(maxsize=2)
def _shop(source: str | None, num_products: int | None) -> Shop:
    """The shop that a task was read from; without a source it is the built-in shop."""
    return Shop(suite_catalogue(num_products) if source is None else open_catalogue(Path(source), num_products))
