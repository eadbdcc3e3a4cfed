#!/usr/bin/env bash
# Rollouts over a Ray cluster: training stays on the machine that this is started on, episodes are played everywhere.
#   export RAY_AUTH_MODE=token                   in every shell
#   ray start --head --port 6379                 on the first machine
#   ray start --address FIRST:6379               on every other one; the same environment everywhere
#   recipes/ray_cluster.sh auto                  on the first machine; a run folder that all of them see
# The token of the cluster is the same on all machines, in ~/.ray/auth_token: ray get-auth-token --generate makes one.
set -euo pipefail
export RAY_AUTH_MODE=token
address=${1:-auto}

python -m lumos_rl.recipes.sft_then_dpo tiny --run-dir runs/cluster-0 --ray.address "$address" --ray.workers 16
