"""Environments, registered with Gymnasium when this package is imported; nothing else is loaded until one is made.

import gymnasium as gym, lumos_rl.envs
env = gym.make("lumos_rl/GSM8K-v0")                                  # the built-in suite
env = gym.make("lumos_rl/SVAMP-v0", source="SVAMP.json", limit=100)  # the benchmark's own file
"""

from gymnasium import register

# `order_enforce` off: `LumosEnv` says itself, in its own words, when it is used before `reset`.
_MATH = "lumos_rl.envs.math:MathEnv"
register("lumos_rl/GSM8K-v0", entry_point=_MATH, kwargs={"benchmark": "gsm8k"}, order_enforce=False)
register("lumos_rl/SVAMP-v0", entry_point=_MATH, kwargs={"benchmark": "svamp"}, order_enforce=False)
