#!/bin/sh
# Measures against other runtimes, in Python environments of its own under .build.
#   sh tests/bench/run.sh [bench [--rounds N] [MODEL...]]     speed beside ONNX Runtime: bench.py
#   sh tests/bench/run.sh nets [--rounds N] [NETWORK...]      three networks beside all runtimes there are: nets.py
#   sh tests/bench/run.sh heads [heads.py's options]          training of heads beside scikit-learn: heads.py
#   sh tests/bench/run.sh train [--rounds N] [--steps N] [NETWORK...]   training steps beside PyTorch: train.py
#   sh tests/bench/run.sh agree FOLDER [MODEL...]             answers on labelled photos: agree.py
#   sh tests/bench/run.sh check [COUNT [FIRST-SEED]]          random networks, and photos: tests/onnx/ort.py
# Needs a build (make) and python3 with venv. BUILD = the build folder (.build).
set -eu
cd "$(dirname "$0")/../.."

venv=.build/bench
wanted='onnxruntime==1.32.0 numpy==2.4.6'
optional=
flags=
command=bench
case ${1:-} in
  bench | agree | check) command=$1; shift ;;
  nets)
    command=$1
    shift
    venv=.build/bench-nets-venv
    optional='openvino==2026.4.1 MNN==3.6.1'
    ;;
  heads)
    command=$1
    shift
    venv=.build/bench-heads-venv
    wanted='scikit-learn==1.5.2 numpy==2.1.3 onnxruntime==1.32.0 onnx==1.16.2 pillow==11.3.0'
    ;;
  train) # its wheel alone: none of the packages for graphics cards that it asks for
    command=$1
    shift
    venv=.build/bench-train-venv
    wanted='torch==2.15.0 numpy==2.4.6 filelock fsspec jinja2 networkx sympy mpmath markupsafe typing_extensions'
    flags=--no-deps
    ;;
esac

if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "bench: installing $wanted into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  # shellcheck disable=SC2086
  "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: $flags $wanted
  for peer in $optional; do
    "$venv/bin/pip" install -q --disable-pip-version-check --only-binary=:all: "$peer" ||
      echo "bench: $peer is not to be had here; measuring without it" >&2
  done
  echo "$wanted" >"$venv/installed"
fi
case $command in bench | check) sh models/fetch.sh photos ;; esac
program=tests/bench/$command.py
[ "$command" = check ] && program=tests/onnx/ort.py
export PYTHONPATH=tests/bench PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" "$program" "$@"
