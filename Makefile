# Every target does its own set-up; `make demo` and `make test` work on a bare Debian 12 that has make, git and certificates.
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: help setup setup-dev setup-engine setup-stacks setup-wall demo test docs engine bench drill drill-engine drill-failover fuzz lint mutants clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## system packages, locked Python packages, editable install in .venv (safe to run again)
	@bash scripts/setup.sh

setup-dev:  ## setup, and the tools of a checkout: tests, linters, what the benches compare with
	@bash scripts/setup.sh dev

setup-engine:  ## setup-dev, and what builds and judges the native engine
	@bash scripts/setup.sh engine

setup-stacks:  ## setup, and Pulumi: its Python packages, its engine built from Go modules (6 minutes, once)
	@bash scripts/setup.sh stacks

setup-wall:  ## setup, and uPlot from its npm package, for the page that `hft monitoring deploy` installs
	@bash scripts/setup.sh wall

demo: setup  ## the whole loop on the lab: untuned, tuned, proven, poisoned three times, back (KEEP=1 leaves the lab up)
	@.venv/bin/hft demo $(if $(KEEP),--keep)

test: setup-engine setup-stacks  ## native build, fast tests, long tests (engine, stacks, real programs), monitoring's daemons, then what needs VMs (one shared lab)
	@bash scripts/test.sh

engine: setup-engine  ## the native engine, gateway and venue, release build, and the engine's artifact in build/engine; built twice, one digest
	@.venv/bin/hft engine build build/engine --verify

bench: setup-engine  ## ratios side by side: hft, pyinfra, ansible-core; the planner on 1,024 CPUs; the engine beside a relay
	@$(PY) -m bench
	@$(PY) -m bench.engine

docs: setup-dev  ## the documents as a site in build/docs, with every command's page: nothing in it is fetched from elsewhere
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet && echo "to read it, with search: python3 -m http.server -d build/docs 8000, then http://localhost:8000"

mutants: setup-dev  ## a seeded sample of wrong programs of tuning, checks, agent and rollout against the fast tests (SEED=1 COUNT=160)
	@$(PY) -m tests.support.mutation_run --seed $(or $(SEED),1) --count $(or $(COUNT),160)

drill: setup-dev  ## the long seeded campaign: kill points, full disks, power cuts, the poisons that panic= cannot save
	@bash scripts/drill.sh

drill-engine: setup-engine  ## the engine's long campaign: interleavings, sanitizers, a site of VMs that trades
	@bash scripts/drill.sh engine

drill-failover: setup-engine  ## failovers that nobody starts: 300 deaths, freezes and cuts of the holder, the freezes with the fence off, the model
	@bash scripts/drill.sh failover

fuzz: setup-engine  ## 10 million seeded inputs into every decoder and into arbitration with its book (sanitizers on)
	@bash scripts/fuzz.sh

lint: setup-dev  ## ruff, mypy, arrows of imports and includes, clang-format, shellcheck, sizes, packages, paths (all of it runs inside pytest too), after a table of the rooms
	@$(PY) -m tests.support.house
	@.venv/bin/pytest -q tests/tidy

clean:  ## remove what setup made inside this folder
	rm -rf .venv .setup build
