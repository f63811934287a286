# To be sourced by a test in this folder: starts `ccms up` on free ports with a
# data folder of its own, and ends it when the test ends. It leaves
#   ccms       the program
#   data       its data folder, with run.json and demo-firm.json in it
#   field      prints a member of a flat JSON file: field FILE NAME
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
ccms=$work/ccms data=$work/data

field() { sed -n 's/.*"'"$2"'":"\([^"]*\)".*/\1/p' "$1"; }

down() {
  if [ -n "${up:-}" ]; then
    kill "$up" 2>/dev/null || true
    wait "$up" || true
  fi
  rm -rf "$work"
}
trap down EXIT

(cd "$root" && go build -o "$ccms" ./cmd/ccms)
"$ccms" up --data "$data" --eureka.addr 127.0.0.1:0 --login.addr 127.0.0.1:0 \
  --creditcard.addr 127.0.0.1:0 --portal.addr 127.0.0.1:0 >"$work/log" 2>&1 &
up=$!
for _ in $(seq 300); do
  [ -e "$data/run.json" ] && break
  kill -0 "$up" 2>/dev/null || break
  sleep 0.1
done
if [ ! -e "$data/run.json" ]; then
  echo "ccms up did not become ready:"
  cat "$work/log"
  exit 1
fi
