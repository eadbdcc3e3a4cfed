"""The seven math tools as an environment offers them."""

import subprocess
import sys

from lumos_rl.tools.base import Tool
from lumos_rl.tools.math import math_tools


def test_the_seven_tools_in_order_each_with_a_usage_line() -> None:
    tools = math_tools()
    assert list(tools) == [
        "Calculator",
        "SetEquation",
        "SolveEquation",
        "SolveInequality",
        "Count",
        "Define",
        "Code",
    ]
    for name, tool in tools.items():
        assert isinstance(tool, Tool)
        assert tool.usage.startswith(f"{name}(")
        assert "\n" not in tool.usage


def test_importing_the_tools_is_light() -> None:
    code = "import sys, lumos_rl.tools.math; print({'sympy', 'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
