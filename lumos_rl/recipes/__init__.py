"""Runnable recipes: `python -m lumos_rl.recipes.NAME`, with NAME of sft, collect, dpo, evaluate, sft_then_dpo, replay."""
