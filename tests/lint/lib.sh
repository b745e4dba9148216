# Shared by the lint scripts: run from the root of the tree that is checked, they print one finding a line as
# "file:line: text", with "warning:" where it does not count as an error. Needs only a POSIX shell and awk.

# Files of the tree that git knows or would take up; without git, all but build output.
list_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard -- "$@" | sort -u | while read -r f; do
      [ -f "$f" ] && echo "$f"
    done
  else
    find "$@" -type f ! -path './.git/*' ! -path './.build/*' 2>/dev/null | sed 's|^\./||' | sort
  fi
}

# The same, C sources, headers and what they take in.
list_c() {
  list_files "$@" | grep '\.\([ch]\|inc\)$'
}
