#!/usr/bin/env bash
# The embedded default, stage by stage: a model from scratch on a laptop's CPU, 15 minutes, no downloads.
# Everything lands in runs/tiny-0; given again after Ctrl-C, it goes on with what is missing.
set -euo pipefail
run=(--run-dir "${1:-runs/tiny-0}")

# What it will do, and whether it can.
python -m lumos_rl.recipes.sft_then_dpo tiny "${run[@]}" --dry-run

# 150 annotated tasks teach planner and grounder; 1,600 others, of which only the answer is known, improve them.
python -m lumos_rl.recipes.sft_then_dpo tiny "${run[@]}"

# Every stored episode is played again: no observation and no reward may differ.
python -m lumos_rl.recipes.replay "${run[1]}"

# What the last policy gains over the control, task by task; with more seeds: "runs/tiny-*:dpo-3" "runs/tiny-*:control".
python -m lumos_rl.recipes.compare "${run[1]}:dpo-3" "${run[1]}:control"

# The last policy on problems of another kind, which it has never seen.
python -m lumos_rl.recipes.evaluate "${run[1]}" --policy dpo-3 --benchmarks svamp
