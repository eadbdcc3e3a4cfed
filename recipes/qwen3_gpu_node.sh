#!/usr/bin/env bash
# Lumos on Qwen3 4B, on one node with 8 GPUs of 80 GB. Written for such a node; it has not been run on one yet.
set -euo pipefail

# Base model and data come from the Hugging Face hub. This looks at all of it and trains nothing.
data=(--data.train gsm8k=hf:openai/gsm8k --data.test gsm8k=hf:openai/gsm8k)
python -m lumos_rl.recipes.sft_then_dpo qwen3-4b "${data[@]}" --dry-run

# LoRA adapters of planner and grounder; rollouts on 7 engines of vLLM that take each new adapter while they run,
# and the eighth GPU left to training.
python -m lumos_rl.recipes.sft_then_dpo qwen3-4b "${data[@]}" --model.engine vllm --ray.engines 7 --ray.gpus-per-engine 1 \
    --ray.workers 8 --ray.gpus-per-worker 0 --track wandb

python -m lumos_rl.recipes.evaluate runs/qwen3-4b-0 --policy dpo-2 --benchmarks svamp=hf:ChilleD/SVAMP
