"""An environment of one tool and a script that plays it, for tests of the loops around them.

The task "Add 2 and 3." with the answer "5" is solved by the step `Add 2 3` and then `Finish()`.
"""

import re

import gymnasium

from lumos_rl.core import Module, Task
from lumos_rl.policies.base import Request
from lumos_rl.rollout.plans import RolloutConfig, plan_episodes


class AddEnv(gymnasium.Env[str, str]):
    """Reward 1 for finishing with the sum; `closed` counts the environments that were closed."""

    closed = 0

    def __init__(self, benchmark="add", max_steps=8):
        self.benchmark, self.max_steps = benchmark, max_steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.task, self.last, self.steps = options["task"], None, 0
        return self.task.instruction, {"instruction": self.task.instruction, "tools": {"Add": "Add a b"}}

    def step(self, text):
        self.steps += 1
        results, error = {}, None
        for line in text.split("\n"):
            if found := re.fullmatch(r"Add (\d+) (\d+)", line):
                self.last = results["R1"] = str(int(found[1]) + int(found[2]))
            elif found := re.fullmatch(r"Finish\((.*)\)", line):
                return self._end(found[1] or self.last)
            else:
                error = f"expected Add or Finish, got {line!r}"
        truncated = self.steps >= self.max_steps
        return str(results), 0.0, False, truncated, {"results": results, "error": error}

    def _end(self, answer):
        success = answer == self.task.answer
        info = {"results": {}, "error": None, "success": success, "answer": answer, "metrics": {"accuracy": success}}
        return "end", float(success), True, False, info

    def close(self):
        type(self).closed += 1


def add_tasks(count):
    return [Task(f"add/test/{n}", "add", f"Add {n} and 3.", str(n + 3)) for n in range(count)]


def add_plans(count, **config):
    return plan_episodes(add_tasks(count), RolloutConfig(**config))


def solve(request: Request) -> str:
    """Solves every task without errors, in whichever formulation the prompt of `LUMOS_PROFILE` asks for."""
    first, last = request.messages[0]["content"], request.messages[-1]["content"]
    a, b = re.search(r"Add (\d+) and (\d+)", first).groups()
    if request.module is Module.GROUNDER:
        return f"Add {a} {b}"
    if "executed result" in last:
        return "Yes, I will stop planning."
    if request.module is Module.PLANNER:
        return "Add both numbers."
    if "one subgoal" in first:
        return f"Add both numbers.\nAdd {a} {b}"
    total = int(a) + int(b)
    return f"I add them. The answer is {total}." if "step by step" in first else f"{total}"
