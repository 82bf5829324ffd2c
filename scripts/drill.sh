#!/usr/bin/env bash
# `make drill`: the long campaign. Kill points and full disks on this machine, then poisons and cuts on a lab of its own.
# `make drill-engine`: the engine's: long interleavings, sanitizers, and a site of VMs with venue, gateway and engine.
# HFT_SEED chooses the random instants; it is printed, so that a run can be repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
export HFT_SEED=${HFT_SEED:-$RANDOM} HFT_LAB=${HFT_LAB:-drill}
printf '[drill] HFT_SEED=%s HFT_LAB=%s\n' "$HFT_SEED" "$HFT_LAB"
# A drill that was killed leaves its lab in the state of some fault.
.venv/bin/hft lab down
trap '.venv/bin/hft lab down' EXIT
if [ "${1:-}" = engine ]; then tests='drill and engine'; else tests='drill and not engine'; fi
.venv/bin/pytest -q -n 0 -m "$tests" --timeout=3600 -rA tests
