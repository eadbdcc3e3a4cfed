"""Math word problems: the seven tools of the math execution module, graded by the number in the answer.

env = gym.make("lumos_rl/GSM8K-v0", source="grade_school_math/data")
env.reset(options={"task": "gsm8k/test/0"})
env.step("R1 = Calculator(16 - 3 - 4); R2 = Calculator(R1 * 2); Finish(R2)")  # reward 1.0: the answer is 18
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lumos_rl.core import Task
from lumos_rl.envs.base import Grade, LumosEnv
from lumos_rl.metrics import numeric_match
from lumos_rl.tools.base import Tool
from lumos_rl.tools.code.code import check_sandbox
from lumos_rl.tools.math import math_tools


class MathEnv(LumosEnv):
    """GSM8K and SVAMP: a word problem whose answer is one number."""

    def __init__(self, benchmark: str, *, sandbox: str = "auto", **settings: Any) -> None:
        """Checks the sandbox and loads the tasks.

        Args:
            benchmark: "gsm8k" or "svamp"; fixed by the environment's id.
            sandbox: "auto" or "required", as for `lumos_rl.tools.code.code.Code`.
            **settings: As for `LumosEnv`.

        Raises:
            ConfigError: `sandbox` is "required" on a machine that cannot confine Code; or a setting is invalid.
        """
        check_sandbox(sandbox)
        super().__init__(benchmark, **settings)
        self.sandbox = sandbox

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """Calculator, SetEquation, SolveEquation, SolveInequality, Count, Define and Code."""
        return math_tools(self.sandbox)

    def grade(self, task: Task, answer: str | None) -> Grade:
        """Reward 1 if the answer is the gold number, in any notation (`lumos_rl.metrics.numeric_match`)."""
        correct = answer is not None and task.answer is not None and numeric_match(answer, task.answer)
        return Grade(float(correct), correct, {"accuracy": float(correct)})
