"""The meter: built once on the controller, copied to a host, run, removed (its answer: counters.py).

Nothing is left behind: the program is in a private directory that the same remote shell removes on exit, and
runs as a transient systemd unit with a time limit (RuntimeMaxSec), so a lost connection cannot leave a busy
loop behind.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from checks.errors import CheckError
from checks.reading import Cpus, list_of
from transport.ours import is_ours

SOURCES = ("meter.c", "meter_base.h", "meter_proc.h")
FLAGS = ("-std=c11", "-static", "-O2", "-pthread", "-s", "-Wall", "-Wextra", "-Werror")
ENGINE_CGROUP = "/sys/fs/cgroup/hft.slice/hft-engine.slice"
NO_GUARD = "/nonexistent"
WINDOWS_MOST = 6

# $1 digest, $2 longest run in seconds, then the meter's arguments. /run is noexec on Debian, and /tmp on
# hardened hosts.
REMOTE_SCRIPT = r"""
umask 077
digest=$1 limit=$2
shift 2
for base in /var/tmp /tmp /var/lib /root; do
    dir=$(mktemp -d "$base/hft-check.XXXXXXXX" 2>/dev/null) || continue
    trap 'rm -rf "$dir"' EXIT
    trap 'exit 91' HUP INT TERM
    [ -n "$loaded" ] || cat > "$dir/meter"
    [ -n "$loaded" ] && mv "$loaded/meter" "$dir/meter" && rm -rf "$loaded"
    loaded=$dir
    chmod 700 "$dir/meter"
    "$dir/meter" --version > /dev/null 2>&1 && break
done
[ "$(sha256sum < "$dir/meter" | cut -c1-64)" = "$digest" ] || { echo 'meter arrived damaged' >&2; exit 92; }
if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
    systemd-run --quiet --pipe --wait --collect --slice=hft-check.slice --property=RuntimeMaxSec="$limit" \
        --property=LimitMEMLOCK=infinity -- "$dir/meter" "$@"
else
    "$dir/meter" "$@"
fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Which CPUs are loaded, only observed, or used as the control; and which no engine task may enter.

    Of the observed CPUs, those in `wake` run a stand-in that spins only on request.
    """

    spin: Cpus
    observe: Cpus
    control: int
    coordinator: Cpus
    guard: Cpus
    window_s: float
    wake: Cpus = frozenset()
    settle_s: float = 3.0
    control_min: int = 0
    engine_cgroup: str = ENGINE_CGROUP

    @property
    def limit_s(self) -> int:
        """The longest the whole run may take on the host."""
        return int(self.window_max_s + self.settle_s) + 60

    @property
    def window_max_s(self) -> float:
        """The window where the control gets too little CPU time, as on an emulated machine under load."""
        return WINDOWS_MOST * self.window_s

    def arguments(self) -> tuple[str, ...]:
        """The meter's command line."""
        words = ["--control", str(self.control), "--coordinator", list_of(self.coordinator)]
        words += [
            "--window-ms",
            str(int(self.window_s * 1000)),
            "--settle-ms",
            str(int(self.settle_s * 1000)),
        ]
        words += [
            "--window-max-ms",
            str(int(self.window_max_s * 1000)),
            "--control-min",
            str(self.control_min),
        ]
        words += ["--engine-cgroup", self.engine_cgroup]
        for name in ("spin", "observe", "guard", "wake"):
            cpus: Cpus = getattr(self, name)
            words += [f"--{name}", list_of(cpus)] if cpus else []
        return tuple(words)


# What no load is: for a window that is only read back.
NO_LOAD = Load(
    spin=frozenset(), observe=frozenset(), control=0, coordinator=frozenset(), guard=frozenset(), window_s=0
)


def source_digest() -> str:
    """Identifies the meter: its sources, and how they are compiled."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for name in SOURCES:
        digest.update(importlib.resources.files("checks").joinpath(name).read_bytes())
    return digest.hexdigest()[:16]


def build_meter(cache: Path) -> Path:
    """The static program, compiled once per source digest; two processes may build it concurrently.

    It runs as root on every host, so a kept one is taken only when it is what was built: bytes, owner, mode.
    """
    program = cache / f"meter-{source_digest()}"
    if not is_ours(cache) or not is_ours(program) or _recorded(program) != _sha256(program):
        _build(cache, program)
    return program


def _recorded(program: Path) -> str:
    record = program.with_suffix(".sha256")
    return record.read_text(encoding="ascii", errors="replace").strip() if is_ours(record) else ""


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _build(cache: Path, program: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CheckError("no C compiler on this machine to build the meter; install gcc and libc6-dev")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not is_ours(cache):
        raise CheckError(f"{cache}: others may write there, and the meter runs as root on hosts; remove it")
    source = str(importlib.resources.files("checks").joinpath(SOURCES[0]))
    with tempfile.TemporaryDirectory(prefix="meter-", dir=cache) as folder:
        made, record = Path(folder, "meter"), Path(folder, "sha256")
        argv = [compiler, *FLAGS, "-o", str(made), source]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise CheckError(f"the meter does not compile: {done.stderr.strip()[:300]}")
        made.chmod(0o700)
        record.write_text(f"{_sha256(made)}\n", encoding="ascii")
        record.chmod(0o600)
        made.replace(program)
        record.replace(program.with_suffix(".sha256"))
