"""Units of unlike engines on unlike machines, as the deploy renders them."""

from __future__ import annotations

from typing import Any

from deploys.slot.placement import place
from deploys.slot.unit import engine_unit
from engine.contract.manifest import Manifest
from tests.support.engine.deploy import manifest_of, plan_of, thread

DIGEST = "sha256:" + "d" * 64


FIFO = [
    thread("rx", "md-rx", "isolated", policy="fifo", priority=50),
    thread("hot", "hot", "isolated", policy="fifo", priority=40),
    thread("admin", "admin"),
]


JAVA = {"interpreter": ["java", "-Xmx2g"], "program": "acme", "arguments": ["--mode", "a b%$"]}


UNITS: dict[str, tuple[Manifest, str, str]] = {
    "lab": (manifest_of(), "lab-rt", "lab-vm"),
    "real-time": (manifest_of(threads=FIFO), "lab-rt", "bare-metal"),
    "java-four-sockets": (manifest_of(exec=JAVA), "four-sockets", "bare-metal"),
    "cloud": (manifest_of(), "cloud-two-cores-smt", "cloud"),
}


def unit(name: str, **changes: Any) -> str:
    manifest, case, host_class = UNITS[name]
    plan = plan_of(case)
    placement = place(manifest, plan, taken={})
    return engine_unit(
        manifest, DIGEST, placement, slot="a", host_class=host_class, plan_hash=plan.plan_hash, **changes
    )
