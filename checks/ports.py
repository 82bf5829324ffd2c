"""Ports: what the operator named, and what has a role, by the host's own word.

A named port is there, is driven, has a link, is interrupted on its own NUMA node, and has a clock where it is
the one for PTP. The queues of a device that has cores of its own are served by those, and the clock daemons
run on the core that is theirs. Which interrupts are a device's is read from sysfs (msi_irqs, irq; of a virtio
device its parent's), where a device is comes from its uevent: never from what a driver calls its queues.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence

from checks.bonds import bond_findings
from checks.errors import CheckError
from checks.facts import Facts
from checks.held import held_interrupts
from checks.reading import Cpus, cpus_of_list, list_of
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from inventory.model import PtpEntry
from inventory.port_entry import PortEntry
from tuning.plan.setting import IrqPlacement, NicParameter, SliceCpus

NET = "/sys/class/net/"
WHY = "what trades has to be where the plan put its cores"


def port_findings(ports: Sequence[PortEntry], ptp: PtpEntry | None, facts: Facts) -> tuple[Finding, ...]:
    """Every finding of every port that the inventory names; none where it names none."""
    named = [(one.use, one.word) for one in ports if not one.bond] + ([("ptp", ptp.port)] if ptp else [])
    bonds = (found for one in ports if one.bond for found in bond_findings(one, facts))
    return (*(found for use, word in named for found in _port(use, word, facts)), *bonds)


def _port(role: str, word: str, facts: Facts) -> Iterator[Finding]:
    head = f"port.{role}.{word}"
    device = device_of(word, facts)
    if device is None:
        known = {part.partition("/")[0] for part in facts.under(NET, "/operstate")}
        if not known or ":" in word:  # by its address it may be driven from user space, without a device here
            said = (
                "no network device of this host has that address" if known else "no device is in the answer"
            )
            yield unverifiable(head, "not_read", said, expected=word, why=WHY)
        else:
            said = f"this host has no network device {word}, only {', '.join(sorted(known))}"
            yield violated(head, "port_absent", said, expected=word, why=WHY)
        return
    judged: list[tuple[str, Callable[[str], Finding]]] = [
        ("driver", lambda check: _driver(check, device, facts)),
        ("link", lambda check: _link(check, device, facts)),
    ]
    if role != "management":
        judged.append(("interrupts", lambda check: _near(check, device, facts)))
    if role == "ptp":
        judged.append(("clock", lambda check: _clock(check, device, facts)))
    for what, judge in judged:
        try:
            yield judge(f"{head}.{what}")
        except CheckError as error:
            yield unverifiable(f"{head}.{what}", "facts_cut", str(error), why=WHY)


def device_of(word: str, facts: Facts) -> str | None:
    """The network device with this name, PCI address or MAC address; None when none, or several, has it."""
    wanted = word.lower()
    found = [
        name
        for name in {part.partition("/")[0] for part in facts.under(NET, "/operstate")}
        if name == word
        or _uevent(name, facts).get("PCI_SLOT_NAME", "").lower() == wanted
        or (f"{NET}{name}/device/uevent" in facts.files and facts.text(f"{NET}{name}/address") == wanted)
    ]
    return found[0] if len(found) == 1 else None


def _uevent(device: str, facts: Facts) -> dict[str, str]:
    path = f"{NET}{device}/device/uevent"
    text = "" if facts.covered(path) else facts.files.get(path, "")
    return dict(line.partition("=")[::2] for line in text.splitlines())


def _driver(check: str, device: str, facts: Facts) -> Finding:
    driver = _uevent(device, facts).get("DRIVER")
    if not driver:
        return unverifiable(check, "not_read", f"the driver of {device} is not known", why=WHY)
    return ok(check, f"{device} is driven by {driver}", observed=driver, why=WHY)


def _link(check: str, device: str, facts: Facts) -> Finding:
    state, carrier = facts.text(f"{NET}{device}/operstate"), facts.text(f"{NET}{device}/carrier")
    if carrier == "1" or (carrier is None and state == "up"):
        return ok(check, f"{device} has a link", expected="up", observed=state or "", why=WHY)
    if carrier is None and state in (None, "unknown"):
        return unverifiable(check, "not_read", f"whether {device} has a link is not known", why=WHY)
    return violated(
        check, "port_no_link", f"{device} has no link ({state})", expected="up", observed=state or "", why=WHY
    )


def _clock(check: str, device: str, facts: Facts) -> Finding:
    clocks = facts.under(f"{NET}{device}/device/ptp/", "/clock_name")
    if not clocks:
        return violated(check, "port_no_clock", f"{device} shows no hardware clock (PHC)", why=WHY)
    return ok(check, f"{device} has the clock {', '.join(sorted(clocks))}", why=WHY)


def _near(check: str, device: str, facts: Facts) -> Finding:
    """Every interrupt of a port is served on the port's own node."""
    text = facts.text(f"{NET}{device}/device/numa_node") or facts.text(f"{NET}{device}/device/../numa_node")
    if text is None or not text.isdecimal():
        return unverifiable(check, "not_read", f"the NUMA node of {device} is not known", why=WHY)
    here = facts.cpus(f"/sys/devices/system/node/node{text}/cpulist")
    if not here:
        return unverifiable(check, "not_read", f"the CPUs of NUMA node {text} are not known", why=WHY)
    return _served(check, device, here, f"on NUMA node {text}", WHY, facts)


def device_interrupts(setting: IrqPlacement, wanted: Cpus, facts: Facts) -> Finding:
    """The queues of a device are served by the cores that have this role."""
    return _served(
        f"setting.{setting.key}",
        setting.device,
        wanted,
        f"by CPUs {list_of(wanted)}",
        setting.why,
        facts,
    )


def _served(  # noqa: PLR0913, PLR0917  # the parts of one finding
    check: str, device: str, wanted: Cpus, where: str, why: str, facts: Facts
) -> Finding:
    if not facts.interrupts:
        return unverifiable(check, *facts.unknown("/proc/interrupts"), why=why)
    ours = sorted(interrupts_of(device, facts) & facts.interrupts.keys())
    held, wrong, unknown = held_interrupts(facts), [], []
    for irq in ours:
        text = facts.text(f"/proc/irq/{irq}/effective_affinity_list") or facts.text(
            f"/proc/irq/{irq}/smp_affinity_list"
        )
        if not text:
            unknown.append(str(irq))
        elif (seen := cpus_of_list(text)) - wanted and irq not in held.why:
            wrong.append(f"{irq} on CPU {list_of(seen)}")
    if wrong:
        said = f"{len(wrong)} interrupts of {device} are not served {where}: {'; '.join(wrong[:8])}"
        return violated(check, "irq_elsewhere", said, expected=list_of(wanted), why=why)
    if unknown:
        said = f"where interrupts {', '.join(unknown[:8])} of {device} are served is not known"
        return unverifiable(check, "not_read", said, expected=list_of(wanted), why=why)
    said = (
        f"{len(ours)} interrupts of {device}, all served {where}"
        if ours
        else f"{device} has no interrupt now"
    )
    return ok(check, said, expected=list_of(wanted), why=why)


# The driver has no such parameter: nothing that could be set.
LACKS = frozenset({"EOPNOTSUPP", "ENODATA"})


def nic_parameter(setting: NicParameter, facts: Facts) -> Finding:
    """The driver of the port itself says the planned value."""
    check, what = f"setting.{setting.key}", f"{setting.knob} of {setting.device}"
    seen = facts.nics.get((setting.device, setting.knob))
    sets = {"expected": setting.value, "observed": seen or "", "why": setting.why}
    if seen is None:
        said = f"{what} is not in the host's answer: without Python 3 there is none"
        return unverifiable(check, "not_read", said, **sets)
    number, _, more = seen.partition(" ")
    if seen in LACKS or (more == "fixed" and number != setting.value):
        said = f"the driver has no {what} ({seen})"
        return not_applicable(check, "driver_lacks", said, why=setting.why)
    if number in errno.errorcode.values():
        return unverifiable(check, "not_readable", f"{what}: {seen}", **sets)
    wanted = setting.value
    if setting.is_capped and more.isdecimal():
        wanted = str(min(int(wanted), int(more)))
    if not _is_as_planned(setting.knob, wanted, number):
        said = f"{what} is {number}; the plan wants {setting.value}"
        return violated(check, "value_differs", said, **sets)
    return ok(check, f"{what} is {number}", **sets)


def _is_as_planned(knob: str, wanted: str, seen: str) -> bool:
    """Numbers alike; of words each, in any order; of a key the planned bytes, repeated to its length."""
    if knob == "rss.key":
        return bool(seen) and (wanted * (len(seen) // len(wanted) + 1))[: len(seen)] == seen
    return sorted(seen.split(",")) == sorted(wanted.split(" "))


def interrupts_of(device: str, facts: Facts) -> frozenset[int]:
    """The interrupts of a network device."""
    base, line = f"{NET}{device}/device", facts.text(f"{NET}{device}/device/irq")
    places = [f"{base}/msi_irqs/", *([] if line else [f"{base}/../msi_irqs/"])]
    for place in places:
        found = [path.removeprefix(place) for path in facts.files if path.startswith(place)]
        if found:
            return frozenset(int(name) for name in found if name.isdecimal())
    return frozenset([int(line)] if line and line.isdecimal() and int(line) else [])


def clock_daemon(setting: SliceCpus, wanted: Cpus, facts: Facts) -> Finding:
    """Every task of a clock daemon runs on the core of the role `ptp`; of a template every instance."""
    check, (stem, at, _) = f"setting.{setting.key}", setting.slice.partition("@")
    names = f"{stem}@" if at else setting.slice

    def is_ours(group: str) -> bool:
        parts = group.split("/")
        return any(part.startswith(names) if at else part == names for part in parts)

    tasks = [task for task in facts.tasks if is_ours(task.cgroup)]
    if facts.tasks_doubt:
        return unverifiable(check, "not_read", facts.tasks_doubt, expected=list_of(wanted), why=setting.why)
    wrong = [f"{task.name} on CPUs {list_of(task.allowed)}" for task in tasks if task.allowed - wanted]
    if wrong:
        said = f"{setting.slice}: {'; '.join(wrong[:8])}; the plan wants {list_of(wanted)}"
        return violated(check, "slice_cpus_differ", said, expected=list_of(wanted), why=setting.why)
    said = (
        f"{len(tasks)} tasks of {setting.slice} on CPUs {list_of(wanted)}" if tasks else "it does not run now"
    )
    return ok(check, said, expected=list_of(wanted), why=setting.why)
