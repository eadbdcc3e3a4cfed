#!/usr/bin/env bash
# Downloads WebShop's files into a folder: small (1,000 products, 5 MB) or all (1.18 million products, 5 GB).
#
#     envs/webshop/get_files.sh small webshop/data
#
# They are the ones that WebShop's own setup.sh fetches, on Google Drive; gdown (pip install gdown) does the rest.
set -euo pipefail
size=${1:?"expected small or all"} folder=${2:?"expected a folder to download into"}
command -v gdown >/dev/null || { echo "gdown is not installed; run: pip install gdown" >&2; exit 1; }

case $size in
    small) files=(items_shuffle_1000.json=1EgHdxQ_YxqIQlvvq5iKlCrkEKR6-j0Ib items_ins_v2_1000.json=1IduG0xl544V_A_jv3tHXC0kyFi7PnyBu) ;;
    all) files=(items_shuffle.json=1A2whVgOO0euk5O13n2iYDM0bQRkkRduB items_ins_v2.json=1s2j6NgHljiZzQNL3veZaAiyW_qDEgBNi) ;;
    *) echo "expected small or all, got $size" >&2; exit 1 ;;
esac

mkdir -p "$folder"
for file in "${files[@]}" items_human_ins.json=14Kb5SPBk_jfdLZ_CDBNitW98QLDlKR5O; do
    gdown "https://drive.google.com/uc?id=${file#*=}" -O "$folder/${file%%=*}"
done
