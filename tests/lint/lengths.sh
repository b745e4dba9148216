#!/bin/sh
# Lengths, as warnings: functions over 80 lines (150 in src/kernels), .c files over 500, headers over 120. Tables
# of expected values in tests may be as long as they are.
. "$(dirname "$0")/lib.sh"

list_c src include tests | grep -v '^tests/.*\.inc$' | while read -r f; do
  awk -v file="$f" -v most="$(case $f in *.h) echo 120 ;; *) echo 500 ;; esac)" '
    END { if (NR > most) printf "%s:1: warning: %d lines; at most %d are wanted\n", file, NR, most }' "$f"
done

# Universal Ctags knows where functions end.
if ctags --version 2>/dev/null | grep -q Universal; then
  list_c src tests | ctags -L - -f - --languages=C --map-C=+.h.inc --c-kinds=f --fields=ne 2>/dev/null | awk -F '\t' '
    {
      line = last = 0
      for (i = 4; i <= NF; i++) {
        if ($i ~ /^line:/) line = substr($i, 6)
        if ($i ~ /^end:/) last = substr($i, 5)
      }
      most = $2 ~ /^src\/kernels\// ? 150 : 80
      n = last - line + 1
      if (last && n > most) printf "%s:%d: warning: %s has %d lines; at most %d are wanted\n", $2, line, $1, n, most
    }'
else
  echo "tests/lint/lengths.sh:1: warning: lengths of functions are not checked (universal-ctags is not installed)"
fi
