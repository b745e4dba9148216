#!/bin/sh
# Who may include whom: the table of the design's section on folders. Each line: a folder of src, then the
# folders that its files may include besides their own; gharial.h may be included everywhere but in itself.
. "$(dirname "$0")/lib.sh"

table='
base:
kernels: base
engine: kernels base
image: kernels base
tasks: engine image base
import: engine base
train: tasks engine image kernels base
http: tasks image base
web:
cli: base kernels engine image tasks import train http web
'

list_c src include tests | while read -r f; do
  awk -v file="$f" -v table="$table" '
    BEGIN {
      n = split(table, lines, "\n")
      for (i = 1; i <= n; i++)
        if (split(lines[i], half, ":") > 1) {
          known[half[1]] = 1
          m = split(half[2], to, " ")
          for (j = 1; j <= m; j++) may[half[1], to[j]] = 1
        }
      split(file, part, "/")
      from = part[1] == "src" ? part[2] : ""
      if (part[1] == "src" && !(from in known))
        printf "%s:1: the folder src/%s is not in the table of includes\n", file, from
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      name = $0
      sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
      if (name == "gharial.h") {
        if (part[1] == "include") printf "%s:%d: gharial.h includes itself\n", file, NR
        next
      }
      if (part[1] == "include") {
        printf "%s:%d: the public header includes %s; it may include nothing of ours\n", file, NR, name
        next
      }
      if (name !~ /\// || name ~ /^\./) {
        printf "%s:%d: \"%s\" names no folder; write \"folder/%s\"\n", file, NR, name, name
        next
      }
      to_folder = name; sub(/\/.*/, "", to_folder)
      if (part[1] == "tests" || to_folder == from || (from, to_folder) in may) next
      printf "%s:%d: src/%s may not include %s\n", file, NR, from, name
    }' "$f"
done
