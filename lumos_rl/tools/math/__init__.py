"""The tools of the math execution module.

>>> list(math_tools())
['Calculator', 'SetEquation', 'SolveEquation', 'SolveInequality', 'Count', 'Define', 'Code']
"""

from __future__ import annotations

from lumos_rl.tools.base import Tool, ToolSpec
from lumos_rl.tools.code.code import Code
from lumos_rl.tools.math.algebra import Count, Define, SetEquation, SolveEquation
from lumos_rl.tools.math.calculator import Calculator
from lumos_rl.tools.math.inequality import SolveInequality

_CLASSES = (Calculator, SetEquation, SolveEquation, SolveInequality, Count, Define, Code)
SPECS = tuple(map(ToolSpec.of, _CLASSES))


def math_tools(sandbox: str = "auto") -> dict[str, Tool]:
    """Tool name → tool, in the order shown to the model; `sandbox` as for `Code`."""
    return {tool.__name__: Code(sandbox=sandbox) if tool is Code else tool() for tool in _CLASSES}
