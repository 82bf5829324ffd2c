"""One look at a host, for the deploy of an engine: what the host is, what the slot holds, what is running.

It only reads. The answer is one JSON object; what is absent is null. Digests are computed here, over the
bytes themselves: a name proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.host import places, store
from engine.ticket.process import file_sha256

_PATIENCE_S = 20
_STATUS_TIMEOUT_S = 5.0
_STATUS_BYTES_MAX = 1 << 16
_TEXT_BYTES_MAX = 4 << 20


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """The answer; ASKED names slot, digest, files, units and programs."""
    slot, digest = str(asked["slot"]), str(asked["digest"])
    return {
        "schema": 1,
        "machine_id": text("/etc/machine-id"),
        "agent_version": text("/usr/local/lib/hft/agent.version"),
        "plan": text("/var/lib/hft/plan.json"),
        "state": text("/var/lib/hft/state.json"),
        "journals": names("/var/lib/hft/journal"),
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
        "texts": {path: whole(path) for path in asked["texts"]},
        "other_slots": other_slots(slot),
        "units": {name: unit(name) for name in [places.unit_of(slot), *asked["units"], *instances(asked)]},
        "status": status(f"{places.run_dir(slot)}/admin.sock"),
        "ticket_key": text(f"{places.TICKET_KEY}.pub"),
    }


def text(path: str) -> str | None:
    """A small file, stripped; None when it cannot be read."""
    found = whole(path)
    return None if found is None else found.strip()


def whole(path: str) -> str | None:
    """A small regular file as it is; None when it cannot be read, or is no such file.

    Never waited for: a FIFO that somebody put there has no reader's end, and a link leads to another's file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:  # noqa: PTH123  # a descriptor, not a path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = stream.read(_TEXT_BYTES_MAX + 1)
    except OSError:
        return None
    return data.decode("utf-8", errors="replace") if len(data) <= _TEXT_BYTES_MAX else None


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
    """The target of a symbolic link."""
    try:
        return str(Path(path).readlink())
    except OSError:
        return None


def cpu_flags() -> list[str]:
    """The features of the first CPU; the kernel does not start CPUs with fewer."""
    lines = (text("/proc/cpuinfo") or "").splitlines()
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])


def libc() -> str | None:
    """The version of glibc; None on a host without it."""
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


def other_slots(slot: str) -> dict[str, dict[str, Any]]:
    """What other slots have taken: CPUs and feeds of their configurations, memory of their releases."""
    found = {}
    for name in names(places.ETC):
        with suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads(Path(places.config_of(name)).read_bytes())
            if name != slot:
                feeds = [{"group": one["group"], "port": one["port"]} for one in document["feeds"]]
                found[name] = {"cpus": document["cpus"], "feeds": feeds, "memory": memory_of(name)}
    return found


def memory_of(slot: str) -> dict[str, int] | None:
    """What the release in a slot asks for; None when its manifest cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        memory = json.loads(Path(f"{places.SLOTS}/{slot}/engine.json").read_bytes())["memory"]
        return {name: int(memory[name]) for name in ("hugepages_2m", "hugepages_1g", "locked_bytes")}
    return None


def unit(name: str) -> dict[str, Any]:
    """Whether a unit is enabled and running, and the hash of its main process's executable."""
    said = run("systemctl", "show", "--property=MainPID", "--value", name).strip()
    pid = int(said) if said.isdigit() else 0
    return {
        "active": run("systemctl", "is-active", name).strip() in {"active", "activating", "reloading"},
        "enabled": run("systemctl", "is-enabled", name).strip() == "enabled",
        "exe": sha256(f"/proc/{pid}/exe") if pid else None,
    }


def instances(asked: dict[str, Any]) -> set[str]:
    """Units of the named template that are enabled or running."""
    prefix = str(asked["standins"])
    wants = "/etc/systemd/system/multi-user.target.wants"
    groups = "/sys/fs/cgroup/hft.slice/hft-engine.slice"
    return {name for folder in (wants, groups) for name in names(folder) if name.startswith(prefix)}


def status(path: str) -> dict[str, Any] | None:
    """The running engine's own status; None when nothing answers in time, however slowly it drips."""
    deadline, answer = time.monotonic() + _STATUS_TIMEOUT_S, bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(_STATUS_TIMEOUT_S)
            peer.connect(path)
            peer.sendall(b'{"verb":"status"}\n')
            while not answer.endswith(b"\n") and len(answer) <= _STATUS_BYTES_MAX:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                peer.settimeout(left)
                piece = peer.recv(4096)
                if not piece:
                    return None
                answer += piece
        found = json.loads(answer)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def run(*argv: str) -> str:
    """What a program printed, whatever its exit code."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
