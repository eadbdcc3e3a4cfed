#!/usr/bin/env bash
# SVAMP from scratch, trained on MAWPS + ASDiv-A as Patel et al. 2021 train, on a CPU.
#   recipes/svamp.sh FOLDER     FOLDER holds mawps_asdiv/train.csv and svamp/*.json (see envs/math/README.md)
set -euo pipefail
data=${1:?expected the folder with mawps_asdiv/ and svamp/}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # batches of 8 are too small for more

# What rules make of the training set, and which records they reject.
python -m lumos_rl.data.convert --benchmark mawps --source "$data/mawps_asdiv/train.csv" --out runs/svamp-annotations

# SFT on them and on copies with other numbers, names and things; then episodes of its own.
python -m lumos_rl.recipes.sft_then_dpo svamp --data "$data"
