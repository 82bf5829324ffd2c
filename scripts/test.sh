#!/usr/bin/env bash
# `make test`: the native build, the fast tests, the long tests of the engine, then the tests that boot VMs.
# All must pass; times are printed.
set -euo pipefail
cd "$(dirname "$0")/.."

timed() {
  local name=$1 started=$SECONDS
  shift
  "$@"
  printf '[test] %s: %d s\n' "$name" "$((SECONDS - started))"
}

timed 'native build' .venv/bin/hft engine build build/engine
timed 'fast part' .venv/bin/pytest -q
timed 'long part of the engine' .venv/bin/pytest -q -m 'engine and not drill' tests
timed 'VM part' .venv/bin/pytest -q -n 0 -m 'vm and not drill' --timeout=1500 -o log_cli=true -o log_cli_level=WARNING tests
