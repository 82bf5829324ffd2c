"""A host's own record, fetched for next to nothing: the files that `agent status` reads, by one grep.

A Python start costs a target 140 ms of CPU, and an emulated one tens of times that; one grep costs it 3. The
answer is every line behind the path it comes from, so no file can speak for another, and it ends with the
line it began with, so what was cut anywhere is refused. It needs no agent: a host without one shows its boot
id and machine id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agent.grub import HFT_CFG
from agent.host import ENGINE_CGROUP, JOURNAL_DIR, STATE_FILE
from agent.record import Record, status_of
from deploys.errors import DeployError
from deploys.paths import LIB_DIR
from deploys.ssh import Ssh

BOOT_ID, MACHINE_ID = "/proc/sys/kernel/random/boot_id", "/etc/machine-id"
VERSION, CMDLINE = f"{LIB_DIR}/agent.version", "/proc/cmdline"
_EVENTS = f"{ENGINE_CGROUP}/cgroup.events"
_FILES = (MACHINE_ID, CMDLINE, VERSION, STATE_FILE, HFT_CFG, _EVENTS)
GREP = f"grep -asH -e '' -- {BOOT_ID} {' '.join(_FILES)} {JOURNAL_DIR}/[0-9A-Za-z]*/progress {BOOT_ID}"
RECORD_SCRIPT = f"exec {GREP}"  # the whole look is one process


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """What a host says of itself; `status` is None without an agent, `fault` says why it cannot be read."""

    boot_id: str
    machine_id: str
    status: dict[str, Any] | None = None
    fault: str = ""


def status_of_host(ssh: Ssh, timeout_s: float) -> dict[str, Any]:
    """The status document of a host with an agent, by one grep; DeployError when there is none to read."""
    prefix = [] if ssh.user == "root" else ["sudo", "-n"]
    record = parse_record(ssh.name, ssh.run([*prefix, "sh", "-c", RECORD_SCRIPT], timeout_s=timeout_s).stdout)
    if record.status is None:
        raise DeployError(f"{ssh.name}: {record.fault or 'it has no agent'}")
    return record.status


def parse_record(host: str, answer: str) -> HostRecord:
    """Read the output of RECORD_SCRIPT; DeployError for what is not a whole answer of it."""
    found: dict[str, list[str]] = {}
    lines = answer.removesuffix("\n").split("\n")
    first = next((at for at, line in enumerate(lines) if line.startswith(f"{BOOT_ID}:")), len(lines))
    for line in lines[first:]:
        path, _, text = line.partition(":")
        found.setdefault(path, []).append(text)
    ids = found.get(BOOT_ID, [])
    if len(ids) != 2 or ids[0] != ids[1] or lines[-1] != f"{BOOT_ID}:{ids[1]}":
        raise DeployError(f"{host}: its answer was cut or is no record; run: hft snapshot {host}")
    boot_id, machine_id = ids[0].strip(), _text(found, MACHINE_ID).strip()
    if VERSION not in found:
        return HostRecord(boot_id=boot_id, machine_id=machine_id)
    try:
        status = status_of(_record(found, boot_id, machine_id))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        fault = f"its record cannot be read ({type(error).__name__})"
        return HostRecord(boot_id=boot_id, machine_id=machine_id, fault=fault)
    return HostRecord(boot_id=boot_id, machine_id=machine_id, status=status)


def _record(found: dict[str, list[str]], boot_id: str, machine_id: str) -> Record:
    state = json.loads(_text(found, STATE_FILE) or "{}")
    if not isinstance(state, dict):
        raise TypeError(STATE_FILE)
    head, tail = f"{JOURNAL_DIR}/", "/progress"
    journals = {
        path.removeprefix(head).removesuffix(tail): _text(found, path)
        for path in found
        if path.startswith(head) and path.endswith(tail)
    }
    return Record(
        version=_text(found, VERSION).strip(),
        machine_id=machine_id,
        boot_id=boot_id,
        cmdline=_text(found, CMDLINE),
        state=state,
        menu=_text(found, HFT_CFG) if HFT_CFG in found else None,
        journals=tuple(sorted(journals.items())),
        engine_events=_text(found, _EVENTS),
    )


def _text(found: dict[str, list[str]], path: str) -> str:
    return "\n".join(found.get(path, []))
