"""Where interrupts go: every one in use, and by default every new one.

Two files say where an interrupt may fire: the affinity that was asked for, and the effective one, which is
where it is delivered now. Both are judged. What fires elsewhere only by luck is moved at the next chance: a
CPU goes offline, a link comes up. Some kernels and controllers show no effective one.
"""

from __future__ import annotations

from checks.facts import Facts
from checks.held import Held, held_interrupts
from checks.reading import Cpus, cpus_of_list, cpus_of_mask, list_of
from checks.verdict import Finding, ok, unverifiable, violated


def irqs_outside(check: str, why: str, isolated: Cpus, facts: Facts) -> Finding:
    """No interrupt in use is, or may be, routed to an isolated CPU, except one that nobody can move."""
    if covered := facts.covered("/proc/interrupts"):
        return unverifiable(check, "not_procfs", covered, why=why)
    names, routed = facts.interrupts, routes(facts)
    handlers = facts.under("/sys/kernel/irq/", "/actions")
    unseen = sorted(int(n) for n, said in handlers.items() if said and n.isdigit() and int(n) not in names)
    unknown = sorted(names.keys() - routed.keys())
    if not names or unknown:
        said = f"the affinity of interrupts ({unknown or 'all'}) is not known"
        return unverifiable(check, *_unknown(unknown, said, facts), why=why)
    if unseen:
        said = f"interrupts {unseen} have a handler, but are not in /proc/interrupts"
        return unverifiable(check, "not_read", said, why=why)
    held = held_interrupts(facts)
    there = sorted(irq for irq, cpus in routed.items() if irq in names and cpus & isolated)
    wrong = [irq for irq in there if irq not in held.why]
    if wrong and held.unknown:
        said = f"whether interrupts {wrong} can be moved is not known: {held.unknown}"
        return unverifiable(check, "not_read", said, why=why)
    if wrong:
        told = "; ".join(_told(irq, names[irq], routed[irq], held) for irq in wrong[:8])
        message = f"{len(wrong)} interrupts may fire on isolated CPUs: {told}"
        return violated(check, "irq_on_isolated", message, expected="none", observed=str(len(wrong)), why=why)
    said = f"{len(names)} interrupts, none may fire on an isolated CPU"
    if there:
        told = ", ".join(f"{irq} ({held.why[irq]})" for irq in there)
        said += f", except those that cannot be moved: {told}"
    return ok(check, said, expected="none", why=why)


def routes(facts: Facts) -> dict[int, Cpus]:
    """Interrupt -> the CPUs where it may fire: asked for or effective."""
    found: dict[int, Cpus] = {}
    for name in ("smp_affinity_list", "effective_affinity_list"):
        for number, cpus in facts.under("/proc/irq/", f"/{name}").items():
            if number.isdigit():
                found[int(number)] = found.get(int(number), frozenset()) | cpus_of_list(cpus)
    return {irq: cpus for irq, cpus in found.items() if cpus}


def _told(irq: int, name: str, cpus: Cpus, held: Held) -> str:
    error = held.refused_now.get(irq)
    said = f"{irq} ({name}) -> CPU {list_of(cpus)}"
    return f"{said}, no room elsewhere: {error}" if error else said


def _unknown(irqs: list[int], said: str, facts: Facts) -> tuple[str, str]:
    cover = facts.covered(f"/proc/irq/{irqs[0]}/smp_affinity_list") if irqs else None
    return ("not_procfs", cover) if cover else ("not_read", said)


def default_affinity(housekeeping: Cpus, facts: Facts) -> Finding:
    """Interrupts requested from now on land on housekeeping CPUs."""
    check, why = "irq.default", "a driver that is loaded or reset later gets its interrupts by this mask"
    path = "/proc/irq/default_smp_affinity"
    text = facts.text(path)
    if text is None or not facts.online:
        said = facts.unknown(path) if text is None else ("not_read", "which CPUs are online is not known")
        return unverifiable(check, *said, why=why)
    seen = cpus_of_mask(text) & facts.online
    sets = {"expected": list_of(housekeeping), "observed": list_of(seen), "why": why}
    if not seen or not seen <= housekeeping:
        return violated(check, "default_irq_affinity", f"the default mask is CPUs {list_of(seen)}", **sets)
    return ok(check, f"the default mask is CPUs {list_of(seen)}", **sets)
