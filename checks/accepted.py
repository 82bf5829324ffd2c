"""The baselines of a host: what was counted before tuning, after it last, and what a person accepted.

Two counts mean something beside each other only where the same was measured on the same. So a window is kept
with its key: host class, kernel, command line, microcode, plan, and the meter's own source. An accepted
window is what later checks are held to; where any part of the key differs, the two are not compared, and the
finding says which part. A transaction's word and the loader's are no part of the command line's meaning.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

from checks.baseline import Baseline
from checks.counters import Measurement, parse_measurement
from checks.errors import CheckError
from checks.facts import Facts
from checks.meter import NO_LOAD, source_digest
from checks.reading import Cpus, list_of
from checks.verdict import Finding, not_applicable, ok, violated

SCHEMA = 1
MICROCODE = "/sys/devices/system/cpu/cpu0/microcode/version"
CHECK = "effect.accepted_baseline"
WHY = "a host that is disturbed more than when it was accepted has changed, whatever its settings say"
NOT_OURS = ("hft.", "BOOT_IMAGE=")  # differs from boot to boot
# Every row of these budgets is an interrupt of an isolated CPU.
BUDGETS = ("timer_interrupts", "interprocessor_interrupts", "other_interrupts", "device_interrupts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What two windows must have in common to be compared; `line` and `meter` are digests."""

    host_class: str
    kernel: str
    line: str
    microcode: str
    plan_hash: str
    meter: str

    def differs(self, other: Key) -> tuple[str, ...]:
        """The parts that are not the same, in words."""
        names = (one.name for one in fields(self))
        return tuple(name.replace("_", " ") for name in names if getattr(self, name) != getattr(other, name))


def key_of(host_class: str, plan_hash: str, facts: Facts) -> Key:
    """The key of a window that is measured now; CheckError where the command line is not known."""
    line = facts.text("/proc/cmdline")
    if line is None:
        raise CheckError(facts.unknown("/proc/cmdline")[1])
    words = " ".join(word for word in line.split() if not word.startswith(NOT_OURS))
    return Key(
        host_class=host_class,
        kernel=facts.kernel,
        line=hashlib.sha256(words.encode()).hexdigest()[:16],
        microcode=facts.text(MICROCODE) or "none",
        plan_hash=plan_hash,
        meter=source_digest(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One window that was kept: when, with which verdict; who accepted it and why."""

    key: Key
    measurement: Measurement
    at: str
    verdict: str
    by: str = ""
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        head = {"schema": SCHEMA, "key": dataclasses.asdict(self.key), "at": self.at, "verdict": self.verdict}
        return {**head, "by": self.by, "reason": self.reason, "measurement": self.measurement.document}


def kept_of(document: Any) -> Kept:
    """Read one back; CheckError where it is not one."""
    try:
        if repr(document["schema"]) != repr(SCHEMA):  # true is no 1
            raise CheckError(f"a baseline of schema {document['schema']!r}")
        key = Key(**{name: str(value) for name, value in document["key"].items()})
        words = {name: str(document[name]) for name in ("at", "verdict", "by", "reason")}
        measurement = parse_measurement(json.dumps(document["measurement"]), NO_LOAD)
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckError(f"not a baseline: {type(error).__name__} {error}") from error
    return Kept(key=key, measurement=measurement, **words)


def per_second(measured: Measurement, cpus: Cpus) -> float | None:
    """Interrupts of all kinds in a second, over those of these CPUs that were counted; None for none."""
    counted = [measured.cpu(cpu) for cpu in sorted(cpus) if cpu in measured.cpus]
    known = [one for one in counted if one.ticks is not None]
    if not known or not measured.window_s:
        return None
    rows = (one.ticks or 0 for one in known)
    others = (sum(part.values()) for one in known for part in (one.messages, one.others, one.devices))
    return (sum(rows) + sum(others)) / measured.window_s


def as_accepted(
    measured: Measurement, key: Key, accepted: Kept | None, isolated: Cpus, budgets: Baseline
) -> Finding:
    """No more interrupts a second than in the accepted window, and what the budgets of the class allow."""
    if accepted is None:
        return not_applicable(CHECK, "no_baseline", "nobody accepted a window of this host", why=WHY)
    if differs := key.differs(accepted.key):
        said = f"accepted at {accepted.at} with another {', another '.join(differs)}: not compared"
        return not_applicable(CHECK, "no_baseline", said, why=WHY)
    before, now = per_second(accepted.measurement, isolated), per_second(measured, isolated)
    if before is None or now is None:
        said = f"one of the two windows counted none of CPUs {list_of(isolated)}"
        return not_applicable(CHECK, "no_baseline", said, why=WHY)
    spread = sum(budgets.most(name, measured.window_s) for name in BUDGETS) * len(isolated)
    most = before + spread / measured.window_s
    sets = {"expected": f"<= {most:.1f}/s", "observed": f"{now:.1f}/s", "why": WHY}
    said = f"interrupts on CPUs {list_of(isolated)}: {before:.1f}/s when accepted, {now:.1f}/s now"
    if now > most:
        return violated(CHECK, "worse_than_accepted", said, **sets)
    return ok(CHECK, said, **sets)
