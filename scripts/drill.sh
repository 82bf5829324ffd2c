#!/usr/bin/env bash
# `make drill`: the long campaign. Kill points and full disks on this machine, then poisons and cuts on a lab of its own.
# `make drill-engine`: the engine's: long interleavings, sanitizers, and a site of VMs with venue, gateway and engine.
# `make drill-failover`: the failovers that nobody starts, some hundreds of each fault, and the model of the rule; no lab.
# HFT_SEED chooses the random instants; it is printed, so that a run can be repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
export HFT_SEED=${HFT_SEED:-$RANDOM} HFT_LAB=${HFT_LAB:-drill}
printf '[drill] HFT_SEED=%s HFT_LAB=%s\n' "$HFT_SEED" "$HFT_LAB"
if [ "${1:-}" = failover ]; then
  exec .venv/bin/pytest -q -n 0 -m drill --timeout=7200 -rA -s tests/drill/test_failover_rule.py \
    tests/integration/engine/chain/test_automatic_drill.py
fi
# A drill that was killed leaves its lab in the state of some fault.
.venv/bin/hft lab down
trap '.venv/bin/hft lab down' EXIT
if [ "${1:-}" = engine ]; then tests='drill and engine'; else tests='drill and not engine'; fi
.venv/bin/pytest -q -n 0 -m "$tests" --timeout=3600 -rA tests
