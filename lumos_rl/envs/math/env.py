"""Math word problems: the seven tools of the math execution module, graded by the number in the answer.

env = gym.make("lumos_rl/GSM8K-v0", source="grade_school_math/data")
env.reset(options={"task": "gsm8k/test/0"})
env.step("R1 = Calculator(16 - 3 - 4); R2 = Calculator(R1 * 2); Finish(R2)")  # reward 1.0: the answer is 18
"""

from __future__ import annotations

from collections.abc import Mapping

from lumos_rl.core import Task
from lumos_rl.envs.base import Grade, LumosEnv
from lumos_rl.metrics import numeric_match
from lumos_rl.tools.base import Tool
from lumos_rl.tools.math import math_tools


class MathEnv(LumosEnv):
    """GSM8K and SVAMP: a word problem whose answer is one number."""

    def tools(self, task: Task) -> Mapping[str, Tool]:
        """Calculator, SetEquation, SolveEquation, SolveInequality, Count, Define and Code."""
        return math_tools()

    def grade(self, task: Task, answer: str | None) -> Grade:
        """Reward 1 if the answer is the gold number, in any notation (`lumos_rl.metrics.numeric_match`)."""
        correct = answer is not None and task.answer is not None and numeric_match(answer, task.answer)
        return Grade(float(correct), correct, {"accuracy": float(correct)})
