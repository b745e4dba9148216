#!/bin/sh
# Who may include whom: the table of the design's section on folders. Each line: a folder of src, then the
# folders that its files may include besides their own; gharial.h may be included everywhere but in itself.
# The lines stand in order: each names folders above it only, so that there are no circles. A folder whose rooms
# have lines, as train, holds its files in these rooms only, and a room includes what its own line says.
# A header parts.h or NAME_parts.h is private to its folder, and to tests.
. "$(dirname "$0")/lib.sh"

table='
base:
kernels: base
engine: kernels base
image: kernels base
tasks: engine image base
import: engine base
train: tasks engine image kernels base
train/metrics: base
train/data: train/metrics tasks engine image base
train/augment: train/metrics tasks base
train/products: kernels base
train/tape: train/products engine base
train/heads: train/products engine base
train/nets: tasks engine base
train/features: train/nets train/data tasks base
train/report: train/data train/metrics tasks image base
train/learn: train/report train/tape base
train/output: tasks base
train/evaluate: train/data tasks base
train/classify: train/output train/learn train/report train/features train/nets train/heads train/augment train/data train/metrics tasks engine image base
train/segment: train/evaluate train/output train/learn train/report train/nets train/augment train/data tasks engine base
train/localize: train/evaluate train/output train/learn train/report train/nets train/augment train/data engine base
http: tasks image base
web:
cli: base kernels engine image tasks import train http web
'

echo "$table" | awk -F: '
  NF > 1 {
    n = split($2, others, " ")
    for (i = 1; i <= n; i++)
      if (!(others[i] in above))
        print "tests/lint/includes.sh:1: the line of " $1 " names " others[i] ", which does not stand above it"
    above[$1] = 1
  }'

list_c src include tests | while read -r f; do
  awk -v file="$f" -v table="$table" '
    # The line of the table that a path below src falls under: its room, or else its folder.
    function folder(path,  part) {
      split(path, part, "/")
      return (part[1] "/" part[2]) in known ? part[1] "/" part[2] : part[1]
    }
    function fault(text) { printf "%s:%d: %s\n", file, NR, text }
    BEGIN {
      n = split(table, lines, "\n")
      for (i = 1; i <= n; i++)
        if (split(lines[i], half, ":") > 1) {
          known[half[1]] = 1
          if (split(half[1], part, "/") > 1) rooms[part[1]] = 1
          m = split(half[2], others, " ")
          for (j = 1; j <= m; j++) may[half[1], others[j]] = 1
        }
      split(file, part, "/")
      top = part[1] == "src" ? part[2] : ""
      below = file; sub(/^src\//, "", below)
      from = top == "" ? "" : folder(below)
      if (top != "" && !(top in known))
        printf "%s:1: the folder src/%s is not in the table of includes\n", file, top
      if (from in rooms)
        printf "%s:1: files of src/%s stand in its rooms, the table of includes has them\n", file, from
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
      name = $0
      sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
      if (name == "gharial.h") {
        if (part[1] == "include") fault("gharial.h includes itself")
        next
      }
      if (part[1] == "include") {
        fault("the public header includes " name "; it may include nothing of ours")
        next
      }
      if (name !~ /\// || name ~ /^\./) {
        fault("\"" name "\" names no folder; write \"folder/" name "\"")
        next
      }
      if (top == "") next
      dir = name; sub(/\/[^\/]*$/, "", dir)
      if (name ~ /[\/_]parts\.h$/ && below !~ "^" dir "/[^/]*$") fault("src/" name " is private to its folder")
      to = name
      if (from ~ /\//) to = folder(to)
      else sub(/\/.*/, "", to)
      if (to != from && !((from, to) in may)) fault("src/" from " may not include " name)
    }' "$f"
done
