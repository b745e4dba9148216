#!/bin/sh
# Measures against ONNX Runtime, in a Python environment of its own under .build.
#   sh tests/bench/run.sh [bench [--rounds N] [MODEL...]]     speed: bench.py
#   sh tests/bench/run.sh agree FOLDER [MODEL...]             answers on labelled photos: agree.py
#   sh tests/bench/run.sh check [COUNT [FIRST-SEED]]          random networks, and photos: tests/onnx/ort.py
# Needs a build (make) and python3 with venv. BUILD = the build folder (.build).
set -eu
cd "$(dirname "$0")/../.."

wanted='onnxruntime==1.32.0 numpy==2.4.6'
venv=.build/bench
command=bench
case ${1:-} in
  bench | agree | check) command=$1; shift ;;
esac

if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "bench: installing $wanted into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086
  "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: $wanted
  echo "$wanted" >"$venv/installed"
fi
[ "$command" = agree ] || sh models/fetch.sh photos
program=tests/bench/$command.py
[ "$command" = check ] && program=tests/onnx/ort.py
export PYTHONPATH=tests/bench PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$program" "$@"
