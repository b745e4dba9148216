#!/bin/sh
# A library's header appears in one .c file where it can, so that the library can be replaced there. For
# libmicrohttpd it must: nothing else may know which HTTP library serves.
. "$(dirname "$0")/lib.sh"

files=$(list_c src)
[ -n "$files" ] || exit 0
# shellcheck disable=SC2086
awk '
  /^[ \t]*#[ \t]*include[ \t]*</ {
    name = $0
    sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
    library = ""
    if (name ~ /^microhttpd/) library = "libmicrohttpd"
    if (name ~ /^(jpeglib|jerror|turbojpeg)/) library = "libjpeg"
    if (name ~ /^spng/) library = "libspng"
    if (name ~ /^webp\//) library = "libwebp"
    if (name ~ /^(cblas|f77blas|openblas)/) library = "OpenBLAS"
    if (name ~ /^(xxhash|xxh3)/) library = "libxxhash"
    if (name ~ /^expat/) library = "expat"
    if (library == "") next
    if (library == "libmicrohttpd" && FILENAME != "src/http/server.c")
      printf "%s:%d: only src/http/server.c may include %s\n", FILENAME, FNR, name
    if (!(library in first)) first[library] = FILENAME
    else if (first[library] != FILENAME)
      printf "%s:%d: warning: %s is included in %s already\n", FILENAME, FNR, library, first[library]
  }' $files
