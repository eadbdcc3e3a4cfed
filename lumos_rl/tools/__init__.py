"""The execution module: tools that run actions and bind their results. No models, no Gymnasium.

>>> from lumos_rl import parse_actions
>>> from lumos_rl.tools.base import Executor
>>> from lumos_rl.tools.math import math_tools
>>> Executor(math_tools()).run(parse_actions("R1 = Calculator(48 / 2); R2 = Calculator(48 + R1)")).results
{'R1': '24', 'R2': '72'}
"""
