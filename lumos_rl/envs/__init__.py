"""Environments, registered with Gymnasium when this package is imported; nothing else is loaded until one is made.

import gymnasium as gym, lumos_rl.envs
env = gym.make("lumos_rl/GSM8K-v0")                                  # the built-in suite
env = gym.make("lumos_rl/SVAMP-v0", source="SVAMP.json", limit=100)  # the benchmark's own file
"""

from gymnasium import register


def _register(name: str, env: str, benchmark: str) -> None:
    register(
        id=f"lumos_rl/{name}",
        entry_point=f"lumos_rl.envs.{env}",
        kwargs={"benchmark": benchmark},
        # LumosEnv enforces the order of calls itself, with its own error.
        order_enforce=False,
        # The contract test runs `check_env`. The checker that `make` would wrap around an environment fails, in
        # Gymnasium 1.4, at the first good call after one that raised, e.g. for a mistyped task.
        disable_env_checker=True,
    )


_register("GSM8K-v0", "math:MathEnv", "gsm8k")
_register("SVAMP-v0", "math:MathEnv", "svamp")
_register("HotpotQA-v0", "qa:QAEnv", "hotpotqa")
_register("StrategyQA-v0", "qa:QAEnv", "strategyqa")
_register("WebShop-v0", "webshop:WebShopEnv", "webshop")
_register("Mind2Web-v0", "mind2web:Mind2WebEnv", "mind2web")
_register("InterCodeSQL-v0", "sql:SqlEnv", "intercode_sql")
