#!/usr/bin/env bash
# Set up this checkout: Debian packages, a virtual environment from the lock file, an editable install.
# Safe to run again: every step is skipped when what it would do is already there.
#
#   scripts/setup.sh          what the bundle and its lab need: an ops host installs nothing else
#   scripts/setup.sh dev      also the tools of a checkout: tests, linters, what the benches compare with
#   scripts/setup.sh engine   also what builds and judges the native engine
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-}
lists=(scripts/packages.txt lab/packages.txt)
[ -z "$kind" ] || lists+=(scripts/packages-monitoring.txt)
[ "$kind" != engine ] || lists+=(scripts/packages-engine.txt)
locks=(requirements.lock)
[ -z "$kind" ] || locks+=(requirements-dev.lock)

step() { printf '[setup %3ds] %s\n' "$SECONDS" "$*" >&2; }

missing_packages() {
  local name
  # shellcheck disable=SC2013 # words on purpose: a line may be empty
  for name in $(sed 's/#.*//' "${lists[@]}"); do
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
  done
}

# Programs that tests start themselves: their packages' services must not run on this machine. A unit that
# somebody has here already is left as it is.
mask_services() {
  local unit
  for unit in prometheus prometheus-alertmanager prometheus-node-exporter; do
    if [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$unit" 2>/dev/null)" != installed ] &&
      [ ! -e "/etc/systemd/system/$unit.service" ]; then
      mkdir -p /etc/systemd/system
      ln -s /dev/null "/etc/systemd/system/$unit.service"
    fi
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "setup: these Debian packages are missing and need root: ${missing[*]}" >&2
    echo "setup: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 2
  fi
  step "installing ${#missing[@]} Debian packages"
  export DEBIAN_FRONTEND=noninteractive
  [ -z "$kind" ] || mask_services
  apt-get -o DPkg::Lock::Timeout=120 update -qq
  apt-get -o DPkg::Lock::Timeout=120 install -qq --yes --no-install-recommends "${missing[@]}" >.setup/apt.log 2>&1 ||
    { tail -n 20 .setup/apt.log >&2; exit 1; }
}

install_python() {
  local want whole lock has args=()
  want=$(cat "${locks[@]}" pyproject.toml | sha256sum | cut -d' ' -f1)
  whole=$(cat requirements.lock requirements-dev.lock pyproject.toml | sha256sum | cut -d' ' -f1)
  has=$(cat .setup/python 2>/dev/null) || has=
  # What a checkout has is more than what runs: then there is nothing to do for either.
  { [ "$has" = "$want" ] || [ "$has" = "$whole" ]; } && .venv/bin/python -c 'import hft, pyinfra' 2>/dev/null && return 0
  for lock in "${locks[@]}"; do args+=(--requirement "$lock"); done
  step "installing the locked Python packages into .venv"
  [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes "${args[@]}"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  printf '%s' "$want" >.setup/python
}

mkdir -p .setup
install_packages
install_python
step "ready"
