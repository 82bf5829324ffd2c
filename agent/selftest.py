"""`selftest`: parse, transaction, refusal, cut and recovery, in a directory of its own. Says ok, or what is
not.

It is run once after an install, with the interpreter and the file system of this very host, before the host
trusts the agent with anything.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent import journal as journals
from agent import parsing, recovery, transaction
from agent.actors import Before
from agent.casting import actors_of
from agent.errors import RefusedError
from agent.host import Host
from agent.transaction import Moment

MACHINE_ID = "0" * 31 + "1"
AT = "2026-01-01T00:00:00Z"


class SelftestError(Exception):
    """What does not work on this host."""


def selftest(host: Host, argv: Sequence[str]) -> int:
    """Verb `selftest`."""
    del host, argv
    try:
        with tempfile.TemporaryDirectory(prefix="hft-selftest-") as directory:
            root = Host(root=directory)
            lay_out(root)
            refuses_nonsense()
            applies(root)
            recovers(root)
    except Exception as error:  # whatever it is, this host must not trust the agent
        print(json.dumps({"schema": 1, "result": "failed", "message": f"{type(error).__name__}: {error}"}))
        return 1
    print(
        json.dumps(
            {"schema": 1, "result": "ok", "message": "parse, transaction, journal and recovery work here"}
        )
    )
    return 0


def lay_out(host: Host) -> None:
    """A small host below a directory."""
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


def document(txn: str, content: str, value: str) -> dict[str, Any]:
    """A document of every kind of step that a directory can show."""
    return {
        "schema": 1,
        "txn": txn,
        "host": "selftest",
        "machine_id": MACHINE_ID,
        "plan_hash": "1" * 64,
        "topology_digest": "2" * 64,
        "steps": [
            {
                "kind": "file",
                "path": "/etc/sysctl.d/90-hft.conf",
                "content": content,
                "mode": 420,
                "why": "test",
            },
            {"kind": "file", "path": "/etc/hft/new.conf", "content": content, "mode": 384, "why": "test"},
            {
                "kind": "value",
                "path": "/proc/sys/vm/stat_interval",
                "value": value,
                "compare": "text",
                "why": "test",
            },
            {"kind": "irqs", "cpus": "0-1", "why": "test"},
        ],
        "boot": None,
    }


def moment() -> Moment:
    """Nobody supervises, and the machine is as planned."""
    return Moment(
        at=AT, committed={"plan_hash": "1" * 64, "txn": "t", "at": AT}, supervise=none, check_fresh=none
    )


def none() -> None:
    """Nothing to do."""


def expect(claim: str, holds: bool) -> None:
    """Fail with the claim that does not hold."""
    if not holds:
        raise SelftestError(claim)


def refuses_nonsense() -> None:
    """A path outside of the allowed places is refused."""
    raw = document("20260101T000000-00000000", "x\n", "2")
    raw["steps"][0]["path"] = "/etc/hft/../shadow"
    try:
        parsing.parse(json.dumps(raw).encode())
    except RefusedError:
        return
    raise SelftestError("a document that walks out of its place is refused")


def applies(host: Host) -> None:
    """A transaction does what it says, and a second one finds nothing to do."""
    for txn, result in (("20260101T000000-00000001", "applied"), ("20260101T000000-00000002", "no_change")):
        raw = json.dumps(document(txn, "new\n", "120")).encode()
        outcome = transaction.run(host, parsing.parse(raw), moment())
        expect(f"{result}, not {outcome.result}: {outcome.message}", outcome.result == result)
    expect("the file is new", host.read("/etc/sysctl.d/90-hft.conf") == "new\n")
    expect("the value is new", host.read("/proc/sys/vm/stat_interval") == "120\n")
    expect("the interrupt is placed", host.read("/proc/irq/7/smp_affinity_list") == "0-1\n")


def recovers(host: Host) -> None:
    """A transaction that was cut off after half of its steps is undone."""
    cut = parsing.parse(json.dumps(document("20260101T000000-00000003", "cut\n", "999")).encode())
    actors = actors_of(host, cut)
    befores: list[Before] = [actor.observe() for actor in actors]
    journal = journals.create(host, cut, befores, AT, None)
    transaction.prepare(journal, actors)
    for actor in actors[:2]:
        actor.act()
    outcomes = recovery.recover_all(host, AT)
    expect("one transaction is undone", [one.txn for one in outcomes] == [cut.txn])
    expect("the file is as before", host.read("/etc/sysctl.d/90-hft.conf") == "new\n")
    expect("nothing is left beside it", os.listdir(host.path("/etc/sysctl.d")) == ["90-hft.conf"])  # noqa: PTH208
    expect("the second recovery finds nothing", recovery.recover_all(host, AT) == [])
