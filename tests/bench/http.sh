#!/bin/sh
# Numbers of the HTTP server: what a request costs, what overload, slow clients, reloads and a killed replica do. One
# table; fails when a goal is missed. Loopback only; everything that is started here is ended here.
#   sh tests/bench/http.sh [--quick] [saturation|large|overload|slow|mixed|reload|replica|proxy|cold|memory ...]
# Needs a build with .build/bench-http_load and -http_infer (make bench-http makes all), the models, python3 with venv,
# wrk and nginx. BUILD = the build folder (.build).
set -eu
cd "$(dirname "$0")/../.."

venv=.build/bench-http-venv
wanted='fastapi==0.121.3 uvicorn==0.38.0 python-multipart==0.0.20 pillow==12.0.0 onnxruntime==1.32.0 numpy==2.4.6'
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "bench-http: installing $wanted into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086
  "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: $wanted
  echo "$wanted" >"$venv/installed"
fi
sh models/fetch.sh photos
export PYTHONPATH=tests/bench PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" tests/bench/http_main.py "$@"
