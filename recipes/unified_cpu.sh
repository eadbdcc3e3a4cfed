#!/usr/bin/env bash
# One planner and one grounder for math, questions, a shop, web sites and databases, from scratch on a CPU.
set -euo pipefail

# The annotations as a data set of their own, to look at or to train something else on.
python -m lumos_rl.data.unified --out runs/unified-annotations --tasks 150

# All suites in one run, half an hour on 2 cores; SUMMARY.md has a table for each, with swapped modules as well.
python -m lumos_rl.recipes.sft_then_dpo unified

# The same without databases, then tested on them with two examples in the prompt: a task type it has not learned.
python -m lumos_rl.recipes.sft_then_dpo unified --run-dir runs/without-sql --suites math,qa,webshop,mind2web \
    --data.held-out sql --data.examples 2
