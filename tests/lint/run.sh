#!/bin/sh
# Runs every lint on the tree in the current folder. Warnings are shown; anything else fails.
here=$(dirname "$0")
findings=$(for lint in includes libraries lengths text places baseline; do
  sh "$here/$lint.sh" || echo "$here/$lint.sh:1: did not run to its end"
done)
[ -z "$findings" ] || printf '%s\n' "$findings"
errors=$(printf '%s\n' "$findings" | grep -v ': warning: ' | grep -c .)
echo "lint: $errors errors, $(printf '%s\n' "$findings" | grep -c ': warning: ') warnings"
[ "$errors" = 0 ]
