#!/bin/sh
# Plain text: no carriage returns, no blanks at the end of a line, a line feed at the end of the file, no tabs
# but in Makefiles, no invisible Unicode. Inputs of tests are data, not text.
. "$(dirname "$0")/lib.sh"

list_files . | grep -v '^tests/data/\|^tests/fuzz/c[a-z]*/' | while read -r f; do
  [ -s "$f" ] || continue
  grep -Iq . "$f" || continue # a binary file
  case $f in Makefile | */Makefile | *.mk) tabs=1 ;; *) tabs=0 ;; esac
  LC_ALL=C awk -v file="$f" -v tabs="$tabs" '
    /\r/ { printf "%s:%d: carriage return\n", file, NR; next }
    /[ \t]$/ { printf "%s:%d: blanks at the end of the line\n", file, NR }
    /\t/ && !tabs { printf "%s:%d: tab\n", file, NR }
    /\342\200[\213-\217\252-\256]|\342\201[\240-\251]|\357\273\277/ {
      printf "%s:%d: invisible Unicode character\n", file, NR
    }' "$f"
  [ "$(tail -c 1 "$f" | od -An -tx1 | tr -d ' ')" = 0a ] || echo "$f:1: no line feed at the end of the file"
done
