"""One look at a host, as far as the deploy of an engine asks: what it is, what the slot holds, what runs.

It reads and asks, and changes nothing. The answer is one JSON object; what is not there is null. Digests are
taken here, of the very bytes: a name proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.host import places, store
from engine.ticket.process import file_sha256

_PATIENCE_S = 20
_STATUS_TIMEOUT_S = 5.0


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """The answer; ASKED names slot, digest, files, units and programs."""
    slot, digest = str(asked["slot"]), str(asked["digest"])
    return {
        "schema": 1,
        "machine_id": text("/etc/machine-id"),
        "agent_version": text("/usr/local/lib/hft/agent.version"),
        "plan": text("/var/lib/hft/plan.json"),
        "state": text("/var/lib/hft/state.json"),
        "cmdline": text("/proc/cmdline"),
        "realtime": text("/sys/kernel/realtime"),
        "version": text("/proc/version"),
        "machine": os.uname().machine,
        "cpu_flags": cpu_flags(),
        "libc": libc(),
        "memory_kib": memory_kib(),
        "addresses": addresses(),
        "programs": {name: shutil.which(name) for name in asked["programs"]},
        "files": {path: sha256(path) for path in asked["files"]},
        "release": store.standing(Path(places.release_dir(digest)), digest),
        "releases": sorted(name for name in names(places.RELEASES) if not name.startswith(".")),
        "link": link(f"{places.SLOTS}/{slot}"),
        "texts": {path: text(path) for path in asked["texts"]},
        "other_slots": other_slots(slot),
        "units": {name: unit(name) for name in [places.unit_of(slot), *asked["units"], *instances(asked)]},
        "status": status(f"{places.run_dir(slot)}/admin.sock"),
        "ticket_key": text(f"{places.TICKET_KEY}.pub"),
    }


def text(path: str) -> str | None:
    """A small file, stripped; None when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def sha256(path: str) -> str:
    """Of a file's bytes, or `absent`."""
    try:
        return file_sha256(Path(path))
    except OSError:
        return "absent"


def names(directory: str) -> list[str]:
    """What a directory holds."""
    try:
        return [path.name for path in Path(directory).iterdir()]
    except OSError:
        return []


def link(path: str) -> str | None:
    """Where a symbolic link leads."""
    try:
        return str(Path(path).readlink())
    except OSError:
        return None


def cpu_flags() -> list[str]:
    """What the first CPU can do; the kernel refuses to start CPUs that can do less."""
    lines = (text("/proc/cpuinfo") or "").splitlines()
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])


def libc() -> str | None:
    """Version of the C library that programs here get; None where there is none of GNU's."""
    with suppress(ValueError, OSError):
        said = os.confstr("CS_GNU_LIBC_VERSION")
        return said.split()[-1] if said else None
    return None


def memory_kib() -> int:
    """All memory of the host."""
    lines = (text("/proc/meminfo") or "").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("MemTotal")), 0)


def addresses() -> list[dict[str, Any]]:
    """Every IPv4 address: interface, address, prefix length."""
    said = run("ip", "-json", "-4", "address", "show")
    try:
        links = json.loads(said) if said else []
        return [
            {"interface": one["ifname"], "address": info["local"], "prefix": info["prefixlen"]}
            for one in links
            for info in one.get("addr_info", [])
            if "local" in info
        ]
    except (ValueError, KeyError, TypeError):
        return []


def other_slots(slot: str) -> dict[str, dict[str, list[int]]]:
    """The CPUs that the other slots were given."""
    found = {}
    for name in names(places.ETC):
        with suppress(OSError, ValueError, KeyError):
            document = json.loads(Path(places.config_of(name)).read_bytes())
            if name != slot:
                found[name] = document["cpus"]
    return found


def unit(name: str) -> dict[str, Any]:
    """Whether a unit is enabled and runs, and the hash of what runs as its main process."""
    said = run("systemctl", "show", "--property=MainPID", "--value", name).strip()
    pid = int(said) if said.isdigit() else 0
    return {
        "active": run("systemctl", "is-active", name).strip() in {"active", "activating", "reloading"},
        "enabled": run("systemctl", "is-enabled", name).strip() == "enabled",
        "exe": sha256(f"/proc/{pid}/exe") if pid else None,
    }


def instances(asked: dict[str, Any]) -> set[str]:
    """Units of the named template that are enabled or run."""
    prefix = str(asked["standins"])
    wants = "/etc/systemd/system/multi-user.target.wants"
    groups = "/sys/fs/cgroup/hft.slice/hft-engine.slice"
    return {name for folder in (wants, groups) for name in names(folder) if name.startswith(prefix)}


def status(path: str) -> dict[str, Any] | None:
    """What the running engine says of itself; None when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(_STATUS_TIMEOUT_S)
            peer.connect(path)
            peer.sendall(b'{"verb":"status"}\n')
            with peer.makefile("rb") as lines:
                answer = json.loads(lines.readline(1 << 16))
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def run(*argv: str) -> str:
    """What a program printed, whatever its exit code."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
