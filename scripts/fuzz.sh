#!/usr/bin/env bash
# Fuzz every decoder and the arbitration with its book: scripts/fuzz.sh [EXECUTIONS] [SEED]
#
# EXECUTIONS (default 10,000,000) is the sum over all targets; the target with state gets a tenth, since one of
# its inputs is a whole trading day. Each target prints its executions and the message types it reached. A crash,
# a leak, undefined behaviour or a broken promise ends it with the input that did it. The same seed on the same
# corpus does the same; HFT_FUZZ_CORPUS= (empty) starts from the seeds alone, otherwise what was found stays.
# HFT_FUZZ_BUILD names a folder with the targets already built.
set -euo pipefail
cd "$(dirname "$0")/.."

executions=${1:-10000000}
seed=${2:-$RANDOM}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hft
build=${HFT_FUZZ_BUILD:-}
corpus=${HFT_FUZZ_CORPUS-$cache/fuzz}
log=$(mktemp)
trap 'rm -rf "$log" ${scratch:-}' EXIT

step() { printf '[fuzz %3ds] %s\n' "$SECONDS" "$*" >&2; }

if [ -z "$build" ]; then
  step "building the targets with clang, AddressSanitizer and UndefinedBehaviorSanitizer"
  build=$(.venv/bin/python -c 'from engine.toolchain.build import FUZZ, build; print(build(FUZZ))' 2>"$log") ||
    { tail -n 40 "$log" >&2; exit 1; }
fi

if [ -z "$corpus" ]; then
  scratch=$(mktemp -d)
  corpus=$scratch/corpus
fi
seeds=$(mktemp -d)
scratch="${scratch:-} $seeds"
"$build/fuzz/fuzz_seeds" "$seeds"

run() {
  local target=$1 runs=$2
  mkdir -p "$corpus/$target" "$corpus/crashes"
  step "$target: $runs executions, seed $seed"
  "$build/fuzz/fuzz_$target" -runs="$runs" -seed="$seed" -max_len=512 -verbosity=0 -print_final_stats=0 \
    -artifact_prefix="$corpus/crashes/$target-" "$corpus/$target" "$seeds/$target" >"$log" 2>&1 ||
    { tail -n 60 "$log" >&2; step "$target failed; its input is in $corpus/crashes"; exit 1; }
  grep '^fuzz ' "$log"
}

share=$((executions * 9 / 40))
for target in itch mold soup ouch; do run "$target" "$share"; done
run feed $((executions - 4 * share))
