"""docs/settings.md from the master table and the plans of made machines: text that no one types twice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import get_args

from tests.cases.machines import CASES, Machine, grid, machine
from tests.support.checkout import ROOT
from tuning.plan.master_table import GROUPS, TABLE, State, Tunable
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Flow, IoMode, Port, Ports, Power
from tuning.plan.setting import Setting
from tuning.plan.validity import VALID, Validity
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

HEAD = (ROOT / "tests" / "cases" / "settings-head.txt").read_text()


def bare_metal(*, vendor: str = "GenuineIntel", nics: int = 1) -> Machine:
    """A large server with everything that a plan can touch."""
    spots = grid(sockets=2, cores_per_node=12, threads=2, interleaved=True)
    ports = {f"ens{index}f0": 1 for index in range(1, nics + 1)}
    return Machine(spots=spots, nics=ports, clocks=frozenset({"ens1f0"}), vendor=vendor)


def hosts() -> Iterator[Snapshot]:
    """Hosts that between them have every setting: by vendor, kernel, clock and age."""
    for vendor in ("GenuineIntel", "AuthenticAMD"):
        yield machine(bare_metal(vendor=vendor))
    yield machine(CASES["lab-rt"])
    base = machine(bare_metal())
    units = {f"/lib/systemd/system/{one}": "[Unit]\n" for one in ("fwupd-refresh.timer", "chrony.service")}
    isolated = plan(read_topology(base), ENGINE).isolated
    server = {f"/sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime": "50000000\n" for cpu in isolated}
    yield _on(base, "6.12.9-amd64", {**units, **server})
    yield _on(base, "6.12.9-amd64", {})
    yield _on(base, "5.10.0-9-amd64", {})


def _on(base: Snapshot, release: str, files: dict[str, str]) -> Snapshot:
    kernel = {"/proc/sys/kernel/osrelease": f"{release}\n", "/proc/version": f"Linux version {release} #1\n"}
    return Snapshot({**base.files, **kernel, **files}, base.links)


@cache
def plans() -> tuple[tuple[Snapshot, Plan], ...]:
    """Their plans in every I/O mode and power that they can have."""
    return tuple(_plans())


def _plans() -> Iterator[tuple[Snapshot, Plan]]:
    for seen in hosts():
        topology = read_topology(seen)
        port = Port(word=topology.nics[-1].name, use="orders")
        flows = (Flow(proto="udp", address="239.1.1.1", port=26400, queue=1),)
        port = replace(port, queues=4, rx_ring=2048, tx_ring=512, pause="off", flows=flows)
        ports = Ports(ports=(port,))
        has_pages = topology.kernel_at_least(5, 16) and not topology.is_virtual
        for mode in get_args(IoMode):
            if mode == "kernel_busy_poll" and topology.is_realtime:
                continue
            for power in get_args(Power):
                pages = 1 if has_pages else 0
                profile = replace(ENGINE, io_mode=mode, power=power, pages_1gib=pages, swap="off")
                yield seen, plan(topology, profile, ports)
    seen, ports = bonded()
    yield seen, plan(read_topology(seen), replace(ENGINE, io_mode="kernel_interrupt"), ports)


def bonded() -> tuple[Snapshot, Ports]:
    """A server whose two ports are members of a bond."""
    base = machine(bare_metal(nics=2))
    folder = "/sys/class/net/bond0/bonding"
    bond = {f"{folder}/{name}": "0\n" for name in ("miimon", "num_grat_arp", "arp_interval")}
    above = {f"/sys/class/net/ens{number}f0/master": "../bond0" for number in (1, 2)}
    seen = Snapshot({**base.files, **bond, f"{folder}/mode": "active-backup 1\n"}, {**base.links, **above})
    return seen, Ports(ports=(Port(word="bond0", use="orders", bond="active-backup"),))


def stem_of(key: str) -> str:
    """The row's key of a setting's."""
    return key if key in VALID else next(one for one in VALID if one.endswith("*") and fnmatchcase(key, one))


@cache
def planned() -> dict[str, Setting]:
    """The first setting of each stem."""
    found: dict[str, Setting] = {}
    for _, made in plans():
        for setting in made.settings:
            found.setdefault(stem_of(setting.key), setting)
    return found


def page() -> str:
    """The whole page."""
    first = planned()
    parts = [HEAD, _counts()]
    for title, rows in GROUPS:
        parts.append(
            f"## {title}\n\n| tunable | state | key | kernels | when | effect check, or why | risk | source |"
        )
        parts.append("|---|---|---|---|---|---|---|---|")
        parts += [_row(row, first.get(row.key)) for row in rows]
        parts.append("")
    return "\n".join(parts)


def _counts() -> str:
    states = [row.state for row in TABLE]
    said = ", ".join(f"{states.count(state)} {state}" for state in get_args(State))
    return "\n".join(textwrap.wrap(f"{len(TABLE)} rows: {said}.", 120)) + "\n"


def _row(row: Tunable, setting: Setting | None) -> str:
    key = f"`{row.key}`" if row.key else ""
    text = f"`{row.code.value}`" if row.code else row.text
    if row.state == "effect":
        text = ", ".join(f"`{name}`" for name in row.text.split(", "))
    if row.state not in ("effect", "read-back"):
        return f"| {row.name} | {row.state} | {key} | | | {text} | | |"
    valid = VALID[row.key]
    mode, risk, source = (setting.mode, setting.risk, setting.source) if setting else ("boot", "", "")
    return f"| {row.name} | {row.state} | {key} | {_kernels(valid)} | {mode} | {text} | {risk} | {source} |"


def _kernels(valid: Validity) -> str:
    words = [f"from {_release(valid.since)}"] if valid.since else []
    words += [f"before {_release(valid.until)}"] if valid.until else []
    words += [" ".join(valid.architectures)] if valid.architectures else []
    return ", ".join(words) or "all"


def _release(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
