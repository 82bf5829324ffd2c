#!/usr/bin/env bash
# `make test`: the native build, the fast tests, the long tests (engine, stacks, real programs for seconds),
# those of monitoring's real daemons, then the tests that boot VMs.
# All must pass; a part that fails does not hide what the next would have said. Times are printed.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=()

part() {
  local name=$1 started=$SECONDS
  shift
  "$@" || failed+=("$name")
  printf '[test] %s: %d s\n' "$name" "$((SECONDS - started))"
}

part 'native build' .venv/bin/hft engine build build/engine
part 'fast part' .venv/bin/pytest -q --durations=8 --durations-min=5
part 'long part' .venv/bin/pytest -q --durations=12 --durations-min=5 -m '(engine or long) and not drill' tests
part 'services part' .venv/bin/pytest -q --durations=8 --durations-min=5 -m 'services and not drill' tests
part 'VM part' .venv/bin/pytest -q -n 0 --durations=12 --durations-min=5 -m 'vm and not drill' --timeout=1500 -o log_cli=true -o log_cli_level=WARNING tests
if [ ${#failed[@]} -gt 0 ]; then
  printf '[test] FAILED: %s\n' "${failed[@]}"
  exit 1
fi
printf '[test] all passed in %d s\n' "$SECONDS"
