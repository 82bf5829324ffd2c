#!/usr/bin/env bash
# `make drill`: the long campaign. Kill points and full disks on this machine, then poisons and cuts on a lab of its own.
# HFT_SEED chooses the random instants; it is printed, so that a run can be repeated.
set -euo pipefail
cd "$(dirname "$0")/.."
export HFT_SEED=${HFT_SEED:-$RANDOM} HFT_LAB=${HFT_LAB:-drill}
printf '[drill] HFT_SEED=%s HFT_LAB=%s\n' "$HFT_SEED" "$HFT_LAB"
# A drill that was killed leaves its lab in the state of some fault.
.venv/bin/hft lab down
trap '.venv/bin/hft lab down' EXIT
.venv/bin/pytest -q -n 0 -m drill --timeout=3600 -rA tests
