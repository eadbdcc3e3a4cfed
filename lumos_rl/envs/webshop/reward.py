"""WebShop's scoring functions, with the names and signatures of the original.

    from lumos_rl.envs.webshop.reward import get_reward
    get_reward(purchased, goal, price=35.0, options={"color": "red"})     # 1.0

Products and goals are mappings with the original's keys; see `lumos_rl.envs.webshop.tools.reward`.
"""

from __future__ import annotations

from lumos_rl.envs.webshop.tools.colours import normalize_color
from lumos_rl.envs.webshop.tools.reward import get_attribute_reward, get_option_reward, get_reward, get_type_reward

__all__ = ["get_attribute_reward", "get_option_reward", "get_reward", "get_type_reward", "normalize_color"]
