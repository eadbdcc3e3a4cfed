#!/usr/bin/env bash
# A MariaDB server of one's own, apart from any that the machine runs: on 127.0.0.1, its data in a folder.
#
#   envs/sql/mariadb.sh install            install Debian's package, where that is possible
#   envs/sql/mariadb.sh start DIR [PORT]   start it on DIR (made if it is not there); prints the address for `backend`
#   envs/sql/mariadb.sh stop DIR           stop it; the data stay
#
# The server has one user, root, without a password: keep it on the loopback address.
set -euo pipefail

command=${1:-help}
dir=${2:-}

find_server() {
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mariadbd
}

case $command in
install)
    if find_server >/dev/null; then
        exit 0
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # No service is started: the package's own server would be one for the whole machine.
        policy=/usr/sbin/policy-rc.d
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && trap 'rm -f $policy' EXIT; }
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mariadb-server; } \
            >/dev/null 2>&1 || { echo "mariadb-server could not be installed with apt-get" >&2; exit 1; }
    else
        echo "mariadb-server is not installed, and installing it needs root and apt-get" >&2
        exit 1
    fi
    ;;
start)
    [ -n "$dir" ] || { sed -n '2,8p' "$0" >&2; exit 2; }
    port=${3:-3307}
    server=$(find_server) || { echo "mariadbd is not installed; run: envs/sql/mariadb.sh install" >&2; exit 1; }
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    user=$(id -un)
    if [ ! -d "$dir/data/mysql" ]; then
        mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal \
            --skip-test-db --user="$user" >"$dir/install.log" 2>&1 || { tail -5 "$dir/install.log" >&2; exit 1; }
    fi
    "$server" --no-defaults --datadir="$dir/data" --socket="$dir/s.sock" --pid-file="$dir/server.pid" \
        --bind-address=127.0.0.1 --port="$port" --lower-case-table-names=1 --user="$user" \
        --max-connections=500 --max-allowed-packet=4M </dev/null >"$dir/server.log" 2>&1 &
    pid=$!
    echo "$pid" >"$dir/pid"
    for _ in $(seq 300); do
        grep -q "ready for connections" "$dir/server.log" && { echo "mysql://root@127.0.0.1:$port"; exit 0; }
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -5 "$dir/server.log" >&2
    exit 1
    ;;
stop)
    [ -f "$dir/pid" ] || exit 0
    pid=$(cat "$dir/pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true # a statement would not end; the data survive that as well
    rm -f "$dir/pid"
    ;;
*)
    sed -n '2,8p' "$0"
    ;;
esac
