"""Interrupts that nobody can move: what the kernel says, and what the agent recorded; never a name.

Whose an interrupt is cannot be told by what its driver calls it. The kernel shows it in three places: the
affinity of one that it places itself cannot be written from 6.12 on (mode of smp_affinity_list in
kernel/irq/proc.c); a private interrupt of an ARM CPU has a hardware number of 16 to 31 (GIC architecture:
PPI), and one of RISC-V is of the CPU's own controller; and it answers a write with an error. The agent, which
writes, keeps those answers of this boot in one record; an entry speaks of the handlers that it names, because
a number may be given anew. Without anything to record there is no file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from checks.errors import CheckError
from checks.facts import Facts

RECORD = "/run/hft/irqs.json"
# EIO, from 6.12 EPERM, of some chips EINVAL or EOPNOTSUPP: the affinity is the kernel's own. Anything else
# (ENOSPC: no free vector) was a refusal of that moment, and the interrupt is where it must not be.
FIXED = frozenset({"EIO", "EPERM", "EACCES", "EINVAL", "EOPNOTSUPP"})
_PRIVATE = re.compile(r"GIC\S* +(1[6-9]|2[0-9]|3[01]) |RISC-V INTC ")
_FILE = re.compile(r"/proc/irq/([0-9]+)/smp_affinity_list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Which interrupts cannot be moved, each with who says so; which found no room; `unknown`: no record."""

    why: dict[int, str]
    refused_now: dict[int, str]
    unknown: str | None = None


def held_interrupts(facts: Facts) -> Held:
    """Read what kernel and agent say; CheckError when the record is there and is none."""
    names, why = facts.interrupts, {}
    if not names:
        return Held(why={}, refused_now={}, unknown=facts.unknown("/proc/interrupts")[1])
    for path in facts.readonly:
        if (match := _FILE.fullmatch(path)) and not facts.covered(path):
            why[int(match[1])] = "the kernel"
    why |= {irq: "the kernel" for irq, name in names.items() if _PRIVATE.match(name)}
    text, refused = facts.text(RECORD), {}
    if text is None:
        unknown = None if facts.is_absent(RECORD) else facts.unknown(RECORD)[1]
        return Held(why=why, refused_now={}, unknown=unknown)
    document = _document(text)
    if document["boot_id"] != facts.boot_id:
        return Held(why=why, refused_now={}, unknown=f"{RECORD} is of another boot")
    for one in document["held"]:
        irq, error = one["irq"], str(one["error"])
        if irq not in names or not same_handlers(names[irq], one["actions"]):
            continue
        if error in FIXED:
            why.setdefault(irq, error)
        else:
            refused[irq] = error
    return Held(why=why, refused_now=refused)


def same_handlers(name: str, actions: str | None) -> bool:
    """Whether a row of /proc/interrupts names exactly these handlers (/sys/kernel/irq/N/actions)."""
    if actions is None:  # a kernel that does not show them
        return True
    row, wanted = name.replace(", ", ","), actions.strip().replace(", ", ",")
    return bool(wanted) and (row == wanted or row.endswith(f" {wanted}"))


def _document(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
        if repr(found["schema"]) != "1" or not isinstance(found["boot_id"], str):
            raise CheckError(f"{RECORD}: unknown schema")
        for one in found["held"]:
            if type(one["irq"]) is not int or not isinstance(one["actions"], str | None):
                raise CheckError(f"{RECORD}: not an interrupt: {str(one)[:60]}")
            _ = one["error"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckError(f"{RECORD}: {type(error).__name__}") from error
    return found
