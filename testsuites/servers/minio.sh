#!/usr/bin/env bash
# Runs minio on 127.0.0.1:PORT in the foreground, storing under DIR. BERTH_MINIO is the program. With CERTS, a folder with public.crt and
# private.key, it speaks TLS.
set -euo pipefail
dir=${1:?usage: minio.sh DIR PORT} port=${2:?usage: minio.sh DIR PORT}
case $dir in /*) ;; *) echo "minio.sh: DIR must be absolute" >&2; exit 2 ;; esac

mkdir -p "$dir/data"
export MINIO_ROOT_USER=${ACCESS_KEY:?} MINIO_ROOT_PASSWORD=${SECRET_KEY:?} MINIO_BROWSER=off MINIO_UPDATE=off HOME=$dir
exec "${BERTH_MINIO:-minio}" server --address "127.0.0.1:$port" --quiet ${CERTS:+--certs-dir "$CERTS"} "$dir/data"
