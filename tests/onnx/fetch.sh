#!/bin/sh
# Fetches the ONNX project's own test vectors: the data folders of the PyPI package onnx, pinned and checked by
# sha256, into .build/onnx-vectors. A no-op when they are there.
set -eu
cd "$(dirname "$0")/../.."

version=1.16.2
sha256=7b98aa9733bd4b781eb931d33b4078ff2837e7d68062460726d6dd011f332bd4
packages=.build/packages
venv=.build/venv
to=.build/onnx-vectors

folders="node simple pytorch-operator pytorch-converted light"
have=$(cat "$to/complete" 2>/dev/null || true)
missing=
for f in $folders; do
  [ "$have" = "$version" ] && [ -d "$to/$f" ] || missing="$missing $f"
done
[ -z "$missing" ] && exit 0
die() { echo "onnx vectors: $*" >&2; exit 1; }
sum() { sha256sum "$1" | cut -d ' ' -f 1; }

command -v python3 >/dev/null || die "python3 is needed to fetch them; install python3 and python3-venv"
mkdir -p "$packages"
wheel=$packages/onnx-$version.pkg
part=$packages/onnx-part.$$
trap 'rm -rf "$part" "$to.part$$"' EXIT
trap 'exit 130' INT TERM
if [ ! -f "$wheel" ] || [ "$(sum "$wheel")" != "$sha256" ]; then
  echo "onnx vectors: downloading onnx $version" >&2
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv" || die "python3 cannot make a virtual environment"
  # One wheel, whatever the Python here is: only its data files are used.
  "$venv/bin/pip" download -q --no-deps --disable-pip-version-check --only-binary=:all: --implementation cp \
    --python-version 3.11 --abi cp311 --platform manylinux_2_17_x86_64 -d "$part" "onnx==$version" ||
    die "cannot download onnx $version from PyPI; is the network there?"
  set -- "$part"/*
  [ "$(sum "$1")" = "$sha256" ] || die "onnx $version has the wrong checksum: $(sum "$1"), pinned is $sha256"
  mv -f "$1" "$wheel"
fi
python3 - "$wheel" "$to.part$$" $missing <<'PYTHON'
import sys, zipfile
prefix = "onnx/backend/test/data/"
folders = tuple(prefix + f + "/" for f in sys.argv[3:])
with zipfile.ZipFile(sys.argv[1]) as z:
    for name in z.namelist():
        if name.startswith(folders):
            z.extract(name, sys.argv[2])
PYTHON
mkdir -p "$to"
for f in $missing; do
  rm -rf "${to:?}/$f"
  mv "$to.part$$/onnx/backend/test/data/$f" "$to/$f"
done
echo "$version" >"$to/complete"
echo "onnx vectors: they are in $to" >&2
