"""The tools of the math execution module.

>>> sorted(math_tools())
['Calculator']
"""

from __future__ import annotations

from lumos_rl.tools.base import Tool
from lumos_rl.tools.calculator import Calculator


def math_tools() -> dict[str, Tool]:
    """Tool name → tool, in the order they are shown to the model."""
    return {"Calculator": Calculator()}
