#!/usr/bin/env bash
# The table of real benchmarks, one benchmark at a time: SmolLM2-135M-Instruct learns a benchmark's own training data.
#   make smollm2
#   DATA=FOLDER recipes/real_table.sh BENCHMARK [SEED] [FLAGS]     svamp gsm8k strategyqa hotpotqa intercode_sql all
# FOLDER holds the folders mawps_asdiv (train.csv), svamp, gsm8k, strategyqa, hotpotqa (a distractor file) and
# intercode_spider (ic_spider_dev*.json, ic_spider_dbs.sql), each as its benchmark distributes it; see envs/*/README.md.
# FLAGS change settings; on a machine with a GPU: --model.engine vllm --ray.gpus-per-engine 1 --ray.gpus-per-worker 0
# Given again after a stop, it goes on with what is missing.
set -euo pipefail
benchmark=${1:?expected a benchmark: svamp, gsm8k, strategyqa, hotpotqa, intercode_sql or all}
seed=${2:-0}
data=${DATA:?expected the folder with the benchmarks\' folders, as DATA=FOLDER}
folder=runs/real-$benchmark-$seed

# HotpotQA and InterCode SQL come as one file without a training split: it is learned and tested, and so divided, by
# question and by database.
hotpotqa=hotpotqa=$(cd "$data" && ls hotpotqa/*distractor*.json 2>/dev/null | head -n 1 || true)
spider=intercode_sql=$(cd "$data" && ls intercode_spider/ic_spider_dev*.json 2>/dev/null | head -n 1 || true)

# SFT learns the plans of --data.annotated tasks, and the refinement explores others, of which it knows the answer alone.
case $benchmark in
svamp) own=(--data.train mawps=mawps_asdiv --data.test svamp=svamp
    --data.annotated 2000 --data.explore None --rollout.max-subgoals 4 --rollout.max-new-tokens 160) ;;
gsm8k) own=(--data.train gsm8k=gsm8k --data.test gsm8k=gsm8k
    --data.annotated 4000 --data.explore 1000 --rollout.max-subgoals 9 --rollout.max-new-tokens 256) ;;
strategyqa) own=(--data.train strategyqa=strategyqa --data.test strategyqa=strategyqa
    --data.annotated 1000 --data.explore 500 --rollout.max-subgoals 7 --sft.max-length 2048) ;;
hotpotqa) own=(--data.train "$hotpotqa" --data.test "$hotpotqa" --data.test-tasks 60
    --data.annotated 70 --data.explore None --rollout.max-subgoals 4 --sft.max-length 2048) ;;
intercode_sql) own=(--data.train "$spider" --data.test "$spider" --data.test-tasks 150
    --data.annotated 200 --data.explore None --rollout.max-subgoals 7 --sft.max-length 2048) ;;
all) own=(--data.train mawps=mawps_asdiv gsm8k=gsm8k strategyqa=strategyqa "$hotpotqa" "$spider"
    --data.test svamp=svamp gsm8k=gsm8k strategyqa=strategyqa "$hotpotqa" "$spider" --data.test-tasks 100
    --data.annotated 500 --data.explore 150
    --rollout.max-subgoals 9 --rollout.max-new-tokens 256 --sft.max-length 2048) ;;
*) echo "expected svamp, gsm8k, strategyqa, hotpotqa, intercode_sql or all, got $benchmark" >&2 && exit 2 ;;
esac
# The prompts are short: what a system message says, SFT teaches, and its rows would be three times as long.
run=(pretrained --model.base "${BASE:-smollm2}" --model.profile thinking --data "$data" "${own[@]}" --data.examples 2
    --seed "$seed" --run-dir "$folder" "${@:3}")

# What it will do, about how long, and whether it can: how many tasks are annotated, explored and tested.
python -m lumos_rl.recipes.sft_then_dpo "${run[@]}" --dry-run
[ -z "${DRY_RUN:-}" ] || exit 0

# Row "SFT": planner and grounder, one model, learn the annotated tasks.
python -m lumos_rl.recipes.sft "${run[@]}"
python -m lumos_rl.recipes.evaluate "$folder" --policy sft

# The other rows, each tested when it is there: base with two examples before each episode; + rejection sampling, on
# the policy's own episodes that succeeded; + preferences, on pairs of turns; control, SFT for as many steps more.
python -m lumos_rl.recipes.sft_then_dpo "${run[@]}"

# What the refinement gains over the control, task by task, with an interval; with more seeds: "runs/real-NAME-*:rs-1".
python -m lumos_rl.recipes.compare "$folder:rs-1" "$folder:control"
python -m lumos_rl.recipes.compare "$folder:dpo-2" "$folder:control"
