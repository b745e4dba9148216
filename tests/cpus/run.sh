#!/bin/sh
# The program and the unit tests on an emulated processor without AVX2 (make check-nehalem, check-arm64). BUILD has
# what is tested, EMULATOR runs it, HOST is the same program for this machine. Needs models and photos.
set -eu
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$tmp"' EXIT
photo=.build/photos/astronaut.png
# A core type that the environment forces on OpenBLAS is one of this machine, not of the emulated one.
unset OPENBLAS_CORETYPE
export GH_TEST_EMULATOR="$EMULATOR" GH_TEST_LEVEL=ref CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-40}"

fail() {
  echo "$1" >&2
  exit 1
}

# same WHAT A B: two JSON answers with the same labels and boxes, and scores within 1e-6 of each other.
same() {
  for f in "$2" "$3"; do
    sed 's/,*"\(time_ms\|request_id\)".*//; s/[][{}:,]/\n&\n/g' "$f" | grep -v '^$' >"$f.parts"
  done
  [ "$(wc -l <"$2.parts")" -gt 20 ] || fail "$1: no answer, but $(cat "$2")"
  paste -d '\t' "$2.parts" "$3.parts" | awk -F '\t' -v what="$1" '
    $1 ~ /^-?[0-9.]+(e-?[0-9]+)?$/ && $2 ~ /^-?[0-9.]+(e-?[0-9]+)?$/ {
      d = $1 < $2 ? $2 - $1 : $1 - $2
      if (d > most) most = d
      next
    }
    $1 != $2 { other = 1 }
    END { if (other || most > 1.01e-6) exit 1; printf "%s: as on this machine, largest difference %g\n", what, most }' ||
    fail "$1: $(cat "$2") is not $(cat "$3")"
}

echo "== $EMULATOR"
$EMULATOR "$BUILD/gharial" version | tee "$tmp/version"
grep -q '^processor *ref,' "$tmp/version" || fail "the emulated processor has more than the plain kernels need"

for model in efficientnet-lite0 objects; do
  $EMULATOR "$BUILD/gharial" predict --model $model --json $photo >"$tmp/there.json"
  GHARIAL_CPU=ref "$HOST" predict --model $model --json $photo >"$tmp/here.json"
  same "predict $model" "$tmp/there.json" "$tmp/here.json"
done

# One model, since each answers a picture of its own before the server is ready.
mkdir "$tmp/models"
cp -R models/efficientnet-lite0 "$tmp/models/"
$EMULATOR "$BUILD/gharial" serve --listen unix:"$tmp/socket" --models "$tmp/models" --deadline-ms 300000 \
  >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 120); do
  curl -fs --unix-socket "$tmp/socket" http://localhost/readyz >/dev/null && break
  sleep 1
done
GHARIAL_CPU=ref "$HOST" predict --model efficientnet-lite0 --json $photo | sed 's/"file":"[^"]*",//' >"$tmp/here.json"
curl -s --unix-socket "$tmp/socket" --data-binary @$photo http://localhost/classify >"$tmp/there.json"
same "POST /classify" "$tmp/there.json" "$tmp/here.json"
kill -TERM "$server"
wait "$server" || fail "the server did not end with 0: $(cat "$tmp/log")"
server=

echo "== $BUILD/unit"
$EMULATOR "$BUILD/unit" "$@" 2>"$BUILD/unit.log" || { tail -n 40 "$BUILD/unit.log"; exit 1; }
