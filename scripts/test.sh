#!/usr/bin/env bash
# `make test`: the fast tests, the long tests of the engine, then the tests that boot VMs. All must pass; times are printed.
set -euo pipefail
cd "$(dirname "$0")/.."
started=$SECONDS
.venv/bin/pytest -q
printf '[test] fast part: %d s\n' "$((SECONDS - started))"
started=$SECONDS
.venv/bin/pytest -q -m 'engine and not drill' tests
printf '[test] mutants and whole runs of the engine: %d s\n' "$((SECONDS - started))"
started=$SECONDS
.venv/bin/pytest -q -m 'vm and not drill' --timeout=1500 -o log_cli=true -o log_cli_level=WARNING tests
printf '[test] VM part: %d s\n' "$((SECONDS - started))"
