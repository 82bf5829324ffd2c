"""The meter from here: built once on the controller, carried to a host, run, removed; its answer as values.

Nothing is left behind: the program lies in a private directory that the same remote shell removes on the
way out, and runs as a transient systemd unit with an end (RuntimeMaxSec), so a lost connection cannot
leave a busy loop.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.errors import CheckError
from checks.reading import Cpus, list_of

SOURCES = ("meter.c", "meter_base.h", "meter_proc.h")
FLAGS = ("-std=c11", "-static", "-O2", "-pthread", "-s", "-Wall", "-Wextra", "-Werror")
ENGINE_CGROUP = "/sys/fs/cgroup/hft.slice/hft-engine.slice"
NO_GUARD = "/nonexistent"
WINDOWS_MOST = 6

# $1 digest, $2 longest run in seconds, then the meter's. /run is noexec on Debian, /tmp on hardened hosts.
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
    """Which CPUs are spun on, only watched, or used as the control; and which the engine must not come to.

    Of the watched CPUs, those of `wake` carry a stand-in that works only when it is told to.
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
        """The longest that the whole run may take on the host."""
        return int(self.window_max_s + self.settle_s) + 60

    @property
    def window_max_s(self) -> float:
        """How long to look where the control gets too little time, as on an emulated machine under load."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the meter saw: one window on one host. `document` is its whole answer, for the report."""

    document: Mapping[str, Any]
    load: Load

    @property
    def window_s(self) -> float:
        """How long the counters were apart."""
        return float(self.document.get("window_ns", 0)) / 1e9

    @property
    def aborted(self) -> bool:
        """An engine task came, the load was ended."""
        return bool(self.document.get("aborted"))

    def foreign_files(self) -> tuple[str, ...]:
        """Counter files that are not the kernel's own."""
        return tuple(path for path, seen in self.document.get("evidence", {}).items() if seen != "procfs")

    def row(self, name: str, cpu: int) -> int:
        """The delta of one line of /proc/interrupts on one CPU; a line the machine has not is 0."""
        rows = (row for row in self.document.get("interrupts", ()) if row["id"] == name)
        return sum(int(row["delta"].get(str(cpu), 0)) for row in rows)

    def devices(self, cpu: int) -> dict[str, int]:
        """Device interrupts that this CPU served -> how many."""
        return {
            f"{row['id']} {row['name']}".strip(): int(row["delta"][str(cpu)])
            for row in self.document.get("interrupts", ())
            if row["device"] and row["delta"].get(str(cpu))
        }

    def softirqs(self, cpu: int) -> dict[str, int]:
        """Softirqs that this CPU ran -> how many."""
        return {
            row["id"]: int(row["delta"][str(cpu)])
            for row in self.document.get("softirqs", ())
            if row["delta"].get(str(cpu))
        }

    def thread(self, cpu: int) -> Mapping[str, Any] | None:
        """Our own thread on this CPU."""
        return next((one for one in self.document.get("cpus", ()) if one["cpu"] == cpu), None)

    def tasks(self, cpu: int) -> tuple[Mapping[str, Any], ...]:
        """Other tasks that ran on this CPU."""
        return tuple(one for one in self.document.get("tasks", ()) if one["cpu"] == cpu)

    def steal_percent(self, cpu: int) -> float:
        """Share of the window that the hypervisor took (clock ticks of 10 ms)."""
        ticks = int(self.document.get("steal_ticks", {}).get(str(cpu), 0))
        return ticks / self.window_s if self.window_s else 0.0


def parse_measurement(text: str, load: Load) -> Measurement:
    """The meter's document; CheckError with its sentence when it measured nothing."""
    try:
        document = json.loads(text)
        complete = document["schema"] == 1 and ("error" in document or "evidence" in document)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(f"the meter's answer is cut or no JSON: {text[-120:]!r}") from error
    if not complete:
        raise CheckError("the meter's answer has an unknown form")
    if "error" in document:
        raise CheckError(f"meter: {document['error']}")
    return Measurement(document=document, load=load)


def source_digest() -> str:
    """Identifies the meter: its sources, and how they are compiled."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for name in SOURCES:
        digest.update(importlib.resources.files("checks").joinpath(name).read_bytes())
    return digest.hexdigest()[:16]


def build_meter(cache: Path) -> Path:
    """The static program, compiled once per source; two processes may build it at the same time."""
    program = cache / f"meter-{source_digest()}"
    if program.is_file():
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CheckError("no C compiler here to build the meter; install gcc and libc6-dev")
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = str(importlib.resources.files("checks").joinpath(SOURCES[0]))
    fd, scratch = tempfile.mkstemp(prefix="meter-", dir=cache)
    os.close(fd)
    try:
        argv = [compiler, *FLAGS, "-o", scratch, source]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise CheckError(f"the meter does not compile: {done.stderr.strip()[:300]}")
        Path(scratch).chmod(0o700)
        Path(scratch).replace(program)
    finally:
        Path(scratch).unlink(missing_ok=True)
    return program
