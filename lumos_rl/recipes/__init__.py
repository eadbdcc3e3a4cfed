"""Runnable recipes: `lumos-rl NAME` or `python -m lumos_rl.recipes.NAME`; `lumos-rl` alone lists them."""
