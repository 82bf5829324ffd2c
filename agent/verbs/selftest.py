"""`selftest`: parsing, transaction, refusal, interruption, recovery, in a temporary directory. Reports ok, or
what failed.

It runs once after an install, with this host's own interpreter and file system, before the agent may change
anything.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent import parsing
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.transaction import journal as journals
from agent.transaction import recovery, transaction
from agent.transaction.step_file import digest
from agent.transaction.step_handler import Before
from agent.transaction.step_handlers import actors_of
from agent.transaction.transaction import Moment

MACHINE_ID = "0" * 31 + "1"
AT = "2026-01-01T00:00:00Z"
UNTOUCHED = (digest(b"old\n"), "absent", "1")
NEW = digest(b"# new\n")


class SelftestError(Exception):
    """A claim that does not hold on this host."""


def selftest(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `selftest`."""
    del host, argv
    try:
        with tempfile.TemporaryDirectory(prefix="hft-selftest-") as directory:
            root = HostRoot(root=directory)
            lay_out(root)
            refuses_nonsense()
            applies(root)
            recovers(root)
    except Exception as error:  # whatever it is, the agent must not be used on this host
        print(json.dumps({"schema": 1, "result": "failed", "message": f"{type(error).__name__}: {error}"}))
        return 1
    print(
        json.dumps(
            {"schema": 1, "result": "ok", "message": "parse, transaction, journal and recovery work here"}
        )
    )
    return 0


def lay_out(host: HostRoot) -> None:
    """A minimal host below a directory."""
    for path, text in {
        "/etc/machine-id": MACHINE_ID,
        "/etc/sysctl.d/90-hft.conf": "old\n",
        "/proc/sys/vm/stat_interval": "1\n",
        "/proc/irq/7/smp_affinity_list": "0-3\n",
        "/proc/irq/default_smp_affinity": "f\n",
    }.items():
        place = Path(host.path(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def document(txn: str, content: str, value: str, saw: tuple[str, str, str]) -> dict[str, Any]:
    """A document with every kind of step that works below a directory; SAW is what is there before it."""
    conf, config, interval = saw
    files = (("/etc/sysctl.d/90-hft.conf", 0o644, conf), ("/etc/hft/engine/a/config.json", 0o600, config))
    steps: list[dict[str, Any]] = [
        {"kind": "file", "path": path, "content": content, "mode": mode, "before": before, "why": "test"}
        for path, mode, before in files
    ]
    interval_step = {"kind": "value", "path": "/proc/sys/vm/stat_interval", "value": value, "compare": "text"}
    steps.append({**interval_step, "before": interval, "why": "test"})
    steps.append({"kind": "irqs", "cpus": "0-1", "why": "test"})
    head = {"schema": 1, "txn": txn, "host": "selftest", "machine_id": MACHINE_ID, "plan_hash": "1" * 64}
    return {**head, "topology_digest": "2" * 64, "steps": steps, "boot": None}


def moment() -> Moment:
    """No supervisor, and the topology is as planned."""
    return Moment(
        at=AT, committed={"plan_hash": "1" * 64, "txn": "t", "at": AT}, supervise=none, check_fresh=none
    )


def none() -> None:
    """Nothing to do."""


def expect(claim: str, holds: bool) -> None:
    """Fail with CLAIM unless it holds."""
    if not holds:
        raise SelftestError(claim)


def refuses_nonsense() -> None:
    """A path outside the allowed directories is refused."""
    raw = document("20260101T000000-00000000", "# x\n", "2", UNTOUCHED)
    raw["steps"][0]["path"] = "/etc/hft/../shadow"
    try:
        parsing.parse(json.dumps(raw).encode())
    except RefusedError:
        return
    raise SelftestError("a document with a path outside the allowed directories is refused")


def applies(host: HostRoot) -> None:
    """A transaction makes its changes, and a second one finds nothing to do."""
    for txn, result in (("20260101T000000-00000001", "applied"), ("20260101T000000-00000002", "no_change")):
        raw = json.dumps(document(txn, "# new\n", "120", UNTOUCHED)).encode()
        outcome = transaction.run(host, parsing.parse(raw), moment())
        expect(f"{result}, not {outcome.result}: {outcome.message}", outcome.result == result)
    expect("the file is new", host.read("/etc/sysctl.d/90-hft.conf") == "# new\n")
    expect("the value is new", host.read("/proc/sys/vm/stat_interval") == "120\n")
    expect("the interrupt is placed", host.read("/proc/irq/7/smp_affinity_list") == "0-1\n")


def recovers(host: HostRoot) -> None:
    """A transaction interrupted after half of its steps is undone."""
    cut = parsing.parse(
        json.dumps(document("20260101T000000-00000003", "# cut\n", "999", (NEW, NEW, "120"))).encode()
    )
    actors = actors_of(host, cut)
    befores: list[Before] = [actor.observe() for actor in actors]
    journal = journals.create(host, cut, befores, AT, None)
    transaction.prepare(journal, actors)
    for actor in actors[:2]:
        actor.act()
    outcomes = recovery.recover_all(host, AT)
    expect("one transaction is undone", [one.txn for one in outcomes] == [cut.txn])
    expect("the file is as before", host.read("/etc/sysctl.d/90-hft.conf") == "# new\n")
    expect("nothing is left beside it", os.listdir(host.path("/etc/sysctl.d")) == ["90-hft.conf"])  # noqa: PTH208
    expect("the second recovery finds nothing", recovery.recover_all(host, AT) == [])
