#!/usr/bin/env bash
# Runs Apache httpd with mod_dav on 127.0.0.1:PORT in the foreground, storing under DIR.
set -euo pipefail
dir=${1:?usage: apache-webdav.sh DIR PORT} port=${2:?usage: apache-webdav.sh DIR PORT}
case $dir in /*) ;; *) echo "apache-webdav.sh: DIR must be absolute" >&2; exit 2 ;; esac

modules=/usr/lib/apache2/modules
mkdir -p "$dir/root" "$dir/state"
owner=
if [ "$(id -u)" = 0 ]; then # httpd refuses to serve as root
  chown -R www-data:www-data "$dir/root" "$dir/state"
  owner=$'User www-data\nGroup www-data'
fi

cat >"$dir/httpd.conf" <<CONF
ServerRoot "$dir"
ServerName localhost
Listen 127.0.0.1:$port
PidFile "$dir/httpd.pid"
ErrorLog "$dir/error.log"
DefaultRuntimeDir "$dir/state"
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dav_module $modules/mod_dav.so
LoadModule dav_fs_module $modules/mod_dav_fs.so
$owner
DavLockDB "$dir/state/lock"
DocumentRoot "$dir/root"
FileETag INode MTime Size
KeepAlive On
MaxKeepAliveRequests 0
<Directory "$dir/root">
  Dav On
  Require all granted
</Directory>
CONF
exec apache2 -f "$dir/httpd.conf" -DFOREGROUND
