#!/usr/bin/env bash
# Opens the shop in a browser for people: the built-in one, or a folder with WebShop's files.
#
#     envs/webshop/start.sh
#     envs/webshop/start.sh --source webshop/data --goals human --trajectories runs/tiny-0/evaluation.jsonl
#
# --help lists the rest. The site listens on this machine alone; Ctrl-C ends it.
set -euo pipefail
exec "${PYTHON:-python}" -m lumos_rl.envs.webshop.site "$@"
