"""A host's answers as they are recorded, and each as the verb that asks for it reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deploys.agent_client.call import read_json, read_outcome
from deploys.agent_client.record import BOOT_ID, MACHINE_ID, VERSION, parse_record
from deploys.errors import RefusedError
from deploys.slot.slot_state import parse_seen
from deploys.slot.undeploy import decide_removal
from deploys.tune.host_state import parse_observed
from hft.host_status import read_answer
from tests.support.engine.deploy import ADDRESSES, host_of, plan_of
from tests.support.engine.deploy import MACHINE_ID as MACHINE
from transport.answer import Completed

TXN = "20261121T101500-3f2a9c1b"
STATE: dict[str, Any] = {
    "schema": 1,
    "committed": {"txn": TXN, "plan_hash": "0" * 64, "at": "x"},
    "trial": {"txn": TXN, "state": "armed", "reason": "r", "closed": False},
    "last_rollback": {"txn": TXN, "reason": "r", "brought_back_by": "grub"},
    "last_recovery": None,
}


def look() -> dict[str, Any]:
    """A whole answer of engine/host/look.py."""
    made = plan_of()
    return {
        "schema": 1,
        "machine_id": MACHINE,
        "agent_version": "0",
        "plan": made.to_json(),
        "state": json.dumps({"committed": {"plan_hash": made.plan_hash}, "trial": None}),
        "cmdline": "ro",
        "realtime": None,
        "version": "Linux version 6.1",
        "machine": "x86_64",
        "cpu_flags": ["cx16", "popcnt"],
        "libc": "2.36",
        "memory_kib": 1_500_000,
        "addresses": [
            {"interface": one.interface, "address": one.address, "prefix": one.prefix} for one in ADDRESSES
        ],
        "programs": {"python3": "/usr/bin/python3"},
        "files": {"/etc/hft/engine/a/config.json": "0" * 64},
        "release": "absent",
        "releases": ["0" * 64],
        "link": None,
        "texts": {"/etc/hft/engine/a/config.json": "{}", "/etc/hft/ticket.json": '{"slots":{}}'},
        "other_slots": {
            "b": {
                "cpus": {"hot": [3]},
                "feeds": [{"group": "239.0.0.1", "port": 26_477}],
                "memory": {"hugepages_2m": 0, "hugepages_1g": 0, "locked_bytes": 1 << 20},
            }
        },
        "units": {"hft-engine-a.service": {"active": True, "enabled": True, "exe": "0" * 64}},
        "status": {"state": "STANDBY", "open_orders": 0, "artifact_digest": "sha256:" + "0" * 64},
        "ticket_key": "ssh-ed25519 AAAA x",
    }


def looked(document: Any) -> None:
    """As `hft engine deploy` and `remove` read it."""
    answer = Completed(returncode=0, stdout=json.dumps(document), stderr="")
    seen = parse_seen("engine-1", read_json("engine-1", answer))
    with suppress(RefusedError):
        decide_removal(host_of(), "b", seen, drain=False)


def outcome() -> dict[str, Any]:
    return {"schema": 1, "result": "applied", "message": "m", "txn": TXN, "code": None, "ticket_key": "k"}


def said(stdout: str) -> Completed:
    return Completed(returncode=0, stdout=stdout, stderr="")


def ended(document: Any) -> None:
    read_outcome("engine-1", Completed(returncode=0, stdout=json.dumps(document), stderr="said"))


def record(state: str) -> str:
    lines = [f"{BOOT_ID}:b", f"{MACHINE_ID}:{MACHINE}", f"{VERSION}:1", f"/var/lib/hft/state.json:{state}"]
    return "\n".join([*lines, f"{BOOT_ID}:b"]) + "\n"


def status(document: Any) -> None:
    """As `hft status` reads it; what it shows can be written as JSON."""
    text = json.dumps(document)
    parse_record("engine-1", said(record(text)))
    standing = read_answer(host_of(), said(record(text)), None)
    assert standing.reachable
    json.dumps(standing.trial), json.dumps(standing.rollback), json.dumps(standing.transaction)
    assert all(
        isinstance(word, str | bool)
        for table in (standing.trial, standing.rollback)
        if table
        for word in table.values()
    )
    assert standing.unfinished is None or standing.unfinished.isprintable()


def observed(document: Any) -> None:
    """As `hft apply` reads it."""
    text = json.dumps(document)
    files = f"./var/lib/hft/state.json\0{text}\0./var/lib/hft/plan.json\0{text}\0"
    head = f"hft-capture 1\0=absent\0=links\0=files\0{files}=cpuinfo\0\0=lines\0\0=end\0000\0\n"
    seen = parse_observed("engine-1", said(f"{head}1\n\nhft-engine 1\nend\n"))
    assert isinstance(seen.open_trial, str | None)
    assert isinstance(seen.staged_plan, str | None)


ANSWERS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "look": (look, looked),
    "outcome": (outcome, ended),
    "status": (lambda: STATE, status),
    "apply": (lambda: STATE, observed),
}
