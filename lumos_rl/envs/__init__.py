"""Environments, registered with Gymnasium when this package is imported; nothing else is loaded until one is made.

import gymnasium as gym, lumos_rl.envs
env = gym.make("lumos_rl/GSM8K-v0")                                  # the built-in suite
env = gym.make("lumos_rl/SVAMP-v0", source="SVAMP.json", limit=100)  # the benchmark's own file
"""

from lumos_rl.envs.registration import register_all

register_all()
