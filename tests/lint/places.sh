#!/bin/sh
# The project builds anywhere: its sources, models and container files name no host of a package registry (the
# user's package manager knows its own) and no path of one machine.
. "$(dirname "$0")/lib.sh"

list_files src include models docker api Makefile Dockerfile | while read -r f; do
  grep -Iq . "$f" || continue
  awk -v file="$f" '
    {
      text = tolower($0)
      if (match(text, /(pypi\.org|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|rubygems\.org|crates\.io|proxy\.golang\.org|deb\.debian\.org|anaconda\.org|huggingface\.co|repo\.maven\.apache\.org|docker\.io|ghcr\.io|quay\.io|gcr\.io)/))
        printf "%s:%d: names a package registry: %s\n", file, NR, substr(text, RSTART, RLENGTH)
      if (match(text, /(^|[^a-z0-9_.\/-])\/(work|tmp|home|root)\//))
        printf "%s:%d: names a path of one machine: %s\n", file, NR, substr(text, RSTART, RLENGTH)
    }' "$f"
done
