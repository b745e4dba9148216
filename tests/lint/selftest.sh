#!/bin/sh
# Tests the lint itself: a clean tree passes, and each kind of fault, put into it alone, is found and named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
export BUILD=.build
failures=0

clean_tree() {
  rm -rf "${tree:?}"/* "$tree/.build"
  mkdir -p "$tree"/src/base "$tree"/src/kernels/ref "$tree"/src/tasks "$tree"/src/http "$tree"/src/cli "$tree"/src/image \
    "$tree"/src/train/learn "$tree"/include "$tree"/tests/unit "$tree"/models "$tree"/docker
  cd "$tree"
  echo '#include "gharial.h"' >src/base/a.h
  printf '#include "base/a.h"\n#include "kernels/ref/b.h"\n' >src/kernels/ref/b.c
  printf '#include "tasks/t.h"\n#include "engine/net.h"\n' >src/tasks/t.c
  echo '#include <microhttpd.h>' >src/http/server.c
  printf '#include "http/app.h"\n#include "train/classify/fit.h"\n' >src/cli/main.c
  printf '#include "train/learn/learn.h"\n#include "train/tape/tape.h"\n#include "base/a.h"\n' >src/train/learn/a.c
  printf '#include "http/app.h"\n#include "unit/suites.h"\n' >tests/unit/t.c
  echo '#include <stddef.h>' >include/gharial.h
  printf 'all:\n\techo done\n' >Makefile
}

# expect TEXT [warning]: the lint names TEXT, and fails unless it is a warning.
expect() {
  status=0
  out=$(sh "$here/run.sh") || status=$?
  want=1
  [ "${2:-}" = warning ] && want=0
  if [ "$status" != "$want" ] || ! printf '%s\n' "$out" | grep -qF -- "$1"; then
    echo "lint selftest: expected status $want and \"$1\", got status $status and:"
    printf '%s\n' "$out"
    failures=$((failures + 1))
  fi
  clean_tree
}

clean_tree
expect 'lint: 0 errors' warning

echo '#include "engine/net.h"' >src/base/a.c && expect 'src/base/a.c:1: src/base may not include engine/net.h'
echo '#include "http/app.h"' >src/tasks/x.c && expect 'src/tasks may not include http/app.h'
echo '#include "kernels/kernels.h"' >src/tasks/x.c && expect 'src/tasks may not include kernels/kernels.h'
echo '#include "tasks/run.h"' >src/kernels/ref/x.h && expect 'src/kernels may not include tasks/run.h'
printf '\n  #  include "cli/cli.h"\n' >src/http/x.c && expect 'src/http/x.c:2: src/http may not include cli/cli.h'
echo '#include "a.h"' >src/base/a.c && expect '"a.h" names no folder'
echo '#include "../base/a.h"' >src/base/a.c && expect '"../base/a.h" names no folder'
mkdir src/extra && echo 'int x;' >src/extra/x.c && expect 'src/extra is not in the table'
echo 'int x;' >src/train/x.c && expect 'files of src/train stand in its rooms'
mkdir src/train/extra && echo 'int x;' >src/train/extra/x.c && expect 'files of src/train stand in its rooms'
echo '#include "train/classify/fit.h"' >src/train/learn/x.c && expect 'src/train/learn may not include train/classify/fit.h'
echo '#include "engine/net.h"' >src/train/learn/x.c && expect 'src/train/learn may not include engine/net.h'
echo '#include "train/tape/parts.h"' >src/train/learn/x.c && expect 'src/train/tape/parts.h is private to its folder'
echo '#include "engine/plan_parts.h"' >src/tasks/x.c && expect 'src/engine/plan_parts.h is private to its folder'
echo '#include "train/learn/learn.h"' >src/tasks/x.c && expect 'src/tasks may not include train/learn/learn.h'
echo '#include "base/a.h"' >include/gharial.h && expect 'may include nothing of ours'

echo '#include <microhttpd.h>' >src/http/x.c && expect 'only src/http/server.c may include microhttpd.h'
echo '#include <spng.h>' | tee src/image/a.c >src/image/b.c && expect 'libspng is included in src/image/a.c already' warning

awk 'BEGIN { for (i = 0; i < 501; i++) print "int x" i ";" }' >src/base/long.c && expect '501 lines' warning
awk 'BEGIN { for (i = 0; i < 121; i++) print "extern int x" i ";" }' >src/base/long.h && expect '121 lines' warning
if ctags --version 2>/dev/null | grep -q Universal; then
  long='BEGIN { print "void f(void)\n{"; for (i = 0; i < n; i++) print "    g();"; print "}" }'
  awk -v n=90 "$long" >src/base/x.c && expect 'f has 93 lines; at most 80' warning
  awk -v n=160 "$long" >src/kernels/x.c && expect 'f has 163 lines; at most 150' warning
fi

printf '\tint x;\n' >src/base/x.c && expect 'src/base/x.c:1: tab'
printf 'int x; \n' >src/base/x.c && expect 'blanks at the end'
printf 'all:\n\techo done \n' >Makefile && expect 'Makefile:2: blanks at the end'
printf 'int x;\r\n' >src/base/x.c && expect 'carriage return'
printf 'int x;' >src/base/x.c && expect 'no line feed'
printf 'int x; // \342\200\213\n' >src/base/x.c && expect 'invisible Unicode'

# The forbidden words are put together here, so that this file passes its own test.
echo "curl https://py""pi.org/simple" >models/fetch.sh && expect 'models/fetch.sh:1: names a package registry'
echo "FROM doc""ker.io/library/debian" >Dockerfile && expect 'Dockerfile:1: names a package registry'
echo "char *p = \"/wo""rk/main/models\";" >src/base/x.c && expect 'names a path of one machine'
echo "volume: /tm""p/models" >docker/compose.yaml && expect 'names a path of one machine'

# object FOLDER INSTRUCTION: compiles one instruction to where a build puts that folder's objects.
object() {
  mkdir -p ".build/obj/src/$1"
  echo "void f(void); void f(void) { __asm__ volatile(\"$2\"); }" >.build/x.c
  cc -c -o ".build/obj/src/$1/x.o" .build/x.c
}

if command -v objdump >/dev/null && [ "$(uname -m)" = x86_64 ] && command -v cc >/dev/null; then
  object kernels/avx2 'vaddps %ymm0, %ymm1, %ymm2'
  object base 'addps %xmm0, %xmm1'
  expect 'lint: 0 errors' warning
  object base 'vaddps %zmm0, %zmm1, %zmm2'
  expect '.build/obj/src/base/x.o: uses vaddps'
  object kernels 'vaddps %ymm0, %ymm1, %ymm2'
  expect '.build/obj/src/kernels/x.o: uses vaddps'
  object kernels/ref 'vfmadd231ss %xmm0, %xmm1, %xmm2'
  expect '.build/obj/src/kernels/ref/x.o: uses vfmadd231ss'
  object tasks 'popcnt %eax, %eax'
  expect '.build/obj/src/tasks/x.o: uses popcnt'
  object tasks 'pshufb %xmm0, %xmm1'
  expect '.build/obj/src/tasks/x.o: uses pshufb'
  object kernels/avx2 'vaddps %ymm16, %ymm1, %ymm2'
  expect '.build/obj/src/kernels/avx2/x.o: uses vaddps, which AVX2 has not'
  object kernels/avx512 'vdpbf16ps %zmm0, %zmm1, %zmm2'
  expect '.build/obj/src/kernels/avx512/x.o: uses vdpbf16ps'
fi

[ "$failures" = 0 ] || exit 1
echo "lint selftest: every fault was found"
