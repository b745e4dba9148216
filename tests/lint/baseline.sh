#!/bin/sh
# Code outside the folders of an instruction set must run on any x86-64: its objects, where a build has made
# them, touch no register wider than 128 bits. A dispatcher that needs AVX before it can look for it is the
# classic mistake.
objects=${BUILD:-.build}/obj/src
[ -d "$objects" ] || exit 0
if ! command -v objdump >/dev/null; then
  echo "tests/lint/baseline.sh:1: warning: instruction sets are not checked (objdump is not installed)"
  exit 0
fi
find "$objects" -name '*.o' ! -path '*/kernels/avx*' | sort | while read -r o; do
  objdump -d --no-show-raw-insn "$o" 2>/dev/null | grep -q '%[yz]mm' &&
    echo "$o: uses AVX registers, but is not in an AVX folder"
done
exit 0
