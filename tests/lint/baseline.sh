#!/bin/sh
# Code outside the folders of an instruction set must run on any x86-64: its objects, where a build has made them,
# hold no instruction that came later, and those of a folder none that came after it. A dispatcher that needs AVX
# before it can look for it is the classic mistake. (tzcnt may stand: older processors take it for bsf.)
objects=${BUILD:-.build}/obj/src
[ -d "$objects" ] || exit 0
if ! command -v objdump >/dev/null; then
  echo "tests/lint/baseline.sh:1: warning: instruction sets are not checked (objdump is not installed)"
  exit 0
fi

sse3='addsubp[sd]|h(add|sub)p[sd]|lddqu|movddup|movs[hl]dup'
ssse3='pshufb|palignr|pabs[bwd]|ph(add|sub)(w|d|sw)|pmaddubsw|pmulhrsw|psign[bwd]'
sse41='p?blendv?(p[sd]|b|w|)|dpp[sd]|extractps|insertps|mpsadbw|packusdw|pcmpeqq|p(ext|ins)r[bdq]|phminposuw|ptest'
sse41="$sse41|pm(ax|in)(sb|sd|ud|uw)|pmov[sz]x[bwd][wdq]|pmuldq|pmulld|round[ps][sd]"
sse42='pcmpgtq|pcmp[ei]str[im]|crc32[bwlq]?|popcnt[wlq]?'
bmi='lzcnt[wlq]?|andn[lq]?|bextr[lq]?|bls(i|r|msk)[lq]?|bzhi[lq]?|mulx[lq]?|pdep[lq]?|pext[lq]?|rorx[lq]?|s(ar|hl|hr)x[lq]?'
other='movbe[wlq]?|aes[a-z0-9]+|pclmul[a-z]+|sha(1|256)[a-z0-9]+|rdrand[lq]?|v[a-z0-9]+'
field=$(printf '[^\t]*\t') # of a line: address, bytes, instruction
later="^$field$field($sse3|$ssse3|$sse41|$sse42|$bmi|$other)([[:space:]]|$)"
avx512="^${field}62 " # the byte that every AVX-512 instruction begins with, and no other
bf16="^$field${field}v(dpbf16ps|cvtne2?ps)"

# none OBJECT PATTERN TEXT: says so where an instruction of the object fits the pattern.
none() {
  found=$(objdump -dw "$1" 2>/dev/null | grep -Em1 -- "$2" | cut -f 3 | cut -d ' ' -f 1)
  [ -z "$found" ] || echo "$1: uses $found, $3"
}

find "$objects" -name '*.o' | sort | while read -r o; do
  case $o in
    */kernels/avx512bf16/*) ;;
    */kernels/avx512/*) none "$o" "$bf16" "which plain AVX-512 has not" ;;
    */kernels/avx2/*) none "$o" "$avx512" "which AVX2 has not" ;;
    *) none "$o" "$later" "but is not in the folder of an instruction set" ;;
  esac
done
exit 0
