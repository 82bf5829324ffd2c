"""Network ports that a person named for trading: how long their interrupts wait for a reader that polls.

With deferred interrupts (napi_defer_hard_irqs, gro_flush_timeout) the device stays silent while a thread
polls it, and a timer is the safety net; without a polling reader the same two would only delay frames. So
they follow the I/O mode of each port, and only of ports that were named: a guess must not slow down a port,
and the way to the host is never changed. A driver that is loaded again forgets them; hft-irqs writes them
again.
Source: Documentation/networking/napi.rst, Documentation/networking/af_xdp.rst.
"""

from __future__ import annotations

import re

from tuning.plan.builder import PlanBuilder
from tuning.plan.io_mode import MODES, mode_of
from tuning.plan.refusal import Code
from tuning.plan.setting import SysfsValue
from tuning.topology.topology import Nic

NAPI = "Documentation/networking/napi.rst"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@+-]+")


def plan_nics(builder: PlanBuilder) -> None:
    """Deferred interrupts of every named trading port that the kernel drives."""
    named = builder.partition.named
    driven = {nic.name for nic in builder.topology.nics if not nic.name.startswith("pci-")}
    for nic in (*named.trading, *named.of("replication")):
        if nic.name not in driven:
            reason = "no network device of the kernel stands for this port, as one that DPDK drives"
            builder.refuse(f"nic.napi_defer.{nic.name}", Code.NOT_APPLICABLE_ABSENT, reason)
        elif not PLAIN_NAME.fullmatch(nic.name):
            reason = "the device's name has characters that no setting may hold"
            builder.refuse("nic.napi_defer", Code.NOT_PLANNED, reason)
        else:
            _deferred(builder, nic)


def _deferred(builder: PlanBuilder, nic: Nic) -> None:
    mode = builder.partition.named.mode_of(nic) or mode_of(builder.profile, builder.topology)
    row = MODES[mode]
    knobs = (
        ("napi_defer", "napi_defer_hard_irqs", row.napi_defer),
        ("gro_flush", "gro_flush_timeout", row.gro_flush_ns),
    )
    for key, name, value in knobs:
        if value is None:
            reason = f"with I/O mode {mode} the kernel's own receive path does not serve {nic.name}"
            builder.refuse(f"nic.{key}.{nic.name}", Code.NOT_APPLICABLE_PROFILE, reason)
            continue
        builder.add(
            SysfsValue(
                key=f"nic.{key}.{nic.name}",
                path=f"/sys/class/net/{nic.name}/{name}",
                value=str(value),
                mode="safe",
                why=f"{nic.name} stays silent while a thread polls it"
                if value
                else f"no thread polls {nic.name}, so no frame of it waits for one",
                risk="frames wait up to 200 us for a thread that stopped polling" if value else "none known",
                source=NAPI,
            )
        )
