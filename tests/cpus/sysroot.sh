#!/bin/sh
# sysroot.sh FOLDER ARCH PACKAGE...: the Debian packages, and what they depend on, of another architecture, unpacked
# into FOLDER/root for a cross compiler and for qemu-user. apt works on lists of its own in FOLDER, so that nothing
# is installed on this machine or known to its dpkg, and no root is needed. Does nothing where it has been done.
set -eu
folder=$1 arch=$2
shift 2
want="$arch $*"
[ "$(cat "$folder/complete" 2>/dev/null || true)" = "$want" ] && exit 0
command -v apt-get >/dev/null || { echo "$0: needs Debian's apt-get" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/root"
folder=$(cd "$folder" && pwd)

apt() {
  apt-get -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$folder/state" \
    -o Dir::State::status=/dev/null -o Dir::Cache="$folder/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

echo "fetching for $arch: $*"
apt update
apt install -y --download-only --no-install-recommends "$@" >/dev/null
for p in "$folder"/cache/archives/*.deb; do
  dpkg-deb -x "$p" "$folder/root"
done

# OpenBLAS leaves its header and library to update-alternatives, which an unpacked package does not run.
for f in "$folder"/root/usr/include/*/openblas-*/* "$folder"/root/usr/lib/*/openblas-*/libopenblas*; do
  ln -sf "$(basename "$(dirname "$f")")/$(basename "$f")" "$(dirname "$f")/.."
done
rm -rf "$folder/cache" "$folder/state"
echo "$want" >"$folder/complete"
