#!/usr/bin/env bash
# Runs versitygw on 127.0.0.1:PORT in the foreground, storing under DIR. BERTH_VERSITYGW is the program.
set -euo pipefail
dir=${1:?usage: versitygw.sh DIR PORT} port=${2:?usage: versitygw.sh DIR PORT}
case $dir in /*) ;; *) echo "versitygw.sh: DIR must be absolute" >&2; exit 2 ;; esac

mkdir -p "$dir/data" "$dir/iam"
export ROOT_ACCESS_KEY=${ACCESS_KEY:?} ROOT_SECRET_KEY=${SECRET_KEY:?}
# Without a folder for accounts an unknown key is answered with 404.
exec "${BERTH_VERSITYGW:-versitygw}" --port "127.0.0.1:$port" --quiet --health /health --iam-dir "$dir/iam" posix "$dir/data"
