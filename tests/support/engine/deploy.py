"""What the tests of the engine's deploy share: plans of made machines, manifests, signed limits, a look."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from deploys.slot.slot_changes import Asked
from deploys.slot.slot_state import Address, Seen, Unit
from engine.contract.manifest import Manifest
from engine.independent.package import manifest as stub_manifest
from engine.ticket.limits import sign_limits
from inventory.model import Host
from tests.cases.machines import CASES, machine
from tests.support.engine.tickets import Keys, make_keys
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.topology.reader import read_topology

MACHINE_ID = "0" * 31 + "1"
LAB = "lab-rt"  # CPU 0 housekeeping, 1 irq, 2 poll, 3 engine; 32 hugepages on node 1
LIMITS: dict[str, Any] = {
    "contract": "1.0.0",
    "serial": 3,
    "not_after_utc_ns": 2**62,
    "engine": {
        "symbols": ["AAPL"],
        "order_quantity_max": 100,
        "order_notional_max_e4": 10**9,
        "gross_notional_max_e4": 10**10,
        "collar_bps": 100,
        "position_max": 1000,
        "messages_per_second_max": 100,
        "open_orders_max": 10,
        "duplicate_window_ms": 0,
        "daily_loss_max_e4": 10**9,
        "repeated_executions_max": 10,
    },
    "gateway": {
        "orders_per_s_max": 1000,
        "order_quantity_max_shares": 100,
        "order_notional_max_e4": 10**9,
        "symbols": ["AAPL"],
    },
}
TRADE: dict[str, Any] = {
    "egress": "live",
    "venue_profile": "ouch5-2023-05",
    "feeds": [
        {"line": "A", "group": "239.1.1.1", "port": 26400, "interface": "10.77.1.0/24"},
        {"line": "B", "group": "239.1.1.2", "port": 26401, "interface": "lan-b"},
    ],
    "gateway": {"host": "10.77.1.13", "port": 5000, "user": "ENG1", "password": "secret"},
    "strategy": {"name": "none"},
}
ADDRESSES = (
    Address(interface="lo", address="127.0.0.1", prefix=8),
    Address(interface="lan-a", address="10.77.1.11", prefix=24),
    Address(interface="lan-b", address="10.77.2.11", prefix=24),
)


def plan_of(case: str = LAB) -> Plan:
    """The plan of a recorded or made machine."""
    return plan(read_topology(machine(CASES[case])), ENGINE)


def thread(name: str, role: str, wants: str = "housekeeping", **more: Any) -> dict[str, Any]:
    """One row of `threads`."""
    return {"name": name, "role": role, "wants": wants, **more}


def manifest_of(**changes: Any) -> Manifest:
    """A manifest in the shape of a native engine's; CHANGES replace its parts."""
    document = {
        **stub_manifest("a" * 64, None),
        "identity": {"name": "acme", "version": "1.2.3", "build": "b"},
        "exec": {"interpreter": [], "program": "acme", "arguments": []},
        "files": [{"path": "acme", "sha256": "a" * 64, "executable": True}],
        "threads": [
            thread("hot", "hot", "isolated"),
            thread("journal", "journal"),
            thread("admin", "admin"),
        ],
        **changes,
    }
    return Manifest.model_validate_json(json.dumps(document))


def host_of(**changes: Any) -> Host:
    """An enrolled host of the lab."""
    body = {
        "name": "engine-1",
        "address": "127.0.0.1",
        "role": "engine",
        "host_class": "lab-vm",
        "failure_domain": "rack-a",
        "profile": "engine",
        "identity": {"host_keys": ["ssh-ed25519 AAAA"], "machine_id": MACHINE_ID},
    }
    return Host.model_validate({**body, **changes})


def seen_of(case: str = LAB, **changes: Any) -> Seen:
    """A look at a tuned host that runs no engine yet."""
    made = plan_of(case)
    fresh = Seen(
        machine_id=MACHINE_ID,
        agent_version="0",
        plan=made,
        committed_hash=made.plan_hash,
        open_trial=None,
        is_trial_boot=False,
        is_realtime=False,
        machine="x86_64",
        cpu_flags=frozenset(("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")),
        libc="2.36",
        memory_kib=1_500_000,
        addresses=ADDRESSES,
        programs={"python3": "/usr/bin/python3"},
        files={},
        texts={},
        release="absent",
        releases=(),
        link=None,
        others={},
        units={},
        status=None,
        ticket_key=None,
    )
    return replace(fresh, **changes)


def running(asked: Asked, **changes: Any) -> dict[str, Unit]:
    """Units of a host on which the slot runs."""
    unit = Unit(active=True, enabled=True, exe=asked.package.program_sha256)
    return {asked.unit: replace(unit, **changes), "hft-ticket.service": replace(unit, exe=None)}


@cache
def authority() -> Keys:
    """One authority for all limits of a run: a slot that trusts one key takes no other."""
    return make_keys(Path(tempfile.mkdtemp(prefix="hft-test-keys-")), "engine-1")


def write_limits(folder: Path, **changes: Any) -> Path:
    """Limits in FOLDER, signed by the authority of this run."""
    folder.mkdir(parents=True, exist_ok=True)
    sign_limits({**LIMITS, **changes}, folder / "limits.json", authority().authority)
    return folder / "limits.json"


def signers() -> Path:
    """Who may sign limits: the authority of this run."""
    return authority().authority_signers


def signers_sha256() -> str:
    """What an inventory names of them."""
    return hashlib.sha256(signers().read_bytes()).hexdigest()
