"""What a host must offer before an engine is put there. Pure; all refusals at once, a sentence each.

Sources: the x86-64 psABI's microarchitecture levels (x86-64-ABI, section 3.1.1) in the names of
/proc/cpuinfo, and RTS 6 (EU 2017/589) article 8 for the limits that are set before a deploy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from deploys.slot.slot_state import Seen
from engine.contract.levels import Level
from engine.contract.limits import Limits
from engine.contract.manifest import Manifest
from tuning.plan.memory import planned_pools
from tuning.plan.plan import Plan

_V2 = ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")
_V3 = ("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave")
_V4 = ("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
CPU_FLAGS: Mapping[str, tuple[str, ...]] = {
    "any": (),
    "x86-64": (),
    "x86-64-v2": _V2,
    "x86-64-v3": _V2 + _V3,
    "x86-64-v4": _V2 + _V3 + _V4,
}
# Inventory role -> the level it asks for; a host of another role runs no engine.
LEVEL_OF_ROLE: Mapping[str, Level] = {"engine": Level.TRADING, "standby": Level.REPLICATED}
_MIB_KIB = 1024


def refusals(manifest: Manifest, role: str, plan: Plan, seen: Seen) -> tuple[str, ...]:
    """Why this engine must not be put on this host; empty when it may."""
    return (
        *_level(manifest, role),
        *_cpu(manifest, seen),
        *_libc(manifest, seen),
        *_programs(manifest, seen),
        *_memory(manifest, plan, seen),
    )


def _level(manifest: Manifest, role: str) -> Iterator[str]:
    needed = LEVEL_OF_ROLE.get(role)
    if needed is None:
        yield f"role {role} runs no engine; it takes {' or '.join(LEVEL_OF_ROLE)}"
    elif needed not in manifest.level.includes:
        yield f"role {role} needs level {needed} and the engine declares {manifest.level}"


def _cpu(manifest: Manifest, seen: Seen) -> Iterator[str]:
    wanted = manifest.compat.cpu
    if wanted != "any" and seen.machine != "x86_64":
        yield f"the engine is built for {wanted} and the host is {seen.machine}"
        return
    missing = [flag for flag in CPU_FLAGS[wanted] if flag not in seen.cpu_flags]
    if missing:
        yield f"the engine needs a CPU of {wanted} and this one lacks {', '.join(missing)}"


def _libc(manifest: Manifest, seen: Seen) -> Iterator[str]:
    wanted = manifest.compat.libc
    if wanted == "none":
        return
    if seen.libc is None or _version(seen.libc) < _version(wanted):
        yield f"the engine needs libc {wanted} and the host has {seen.libc or 'none of GNU'}"


def _programs(manifest: Manifest, seen: Seen) -> Iterator[str]:
    interpreter = manifest.exec.interpreter[:1]
    if interpreter and not seen.programs.get(interpreter[0]):
        yield f"the engine is started by {interpreter[0]} and the host has no such program"


def _memory(manifest: Manifest, plan: Plan, seen: Seen) -> Iterator[str]:
    """Beside what the other slots have: two releases stay warm next to each other."""
    needs = manifest.memory
    unknown = sorted(name for name, one in seen.others.items() if one.memory is None)
    if unknown and (needs.hugepages_2m or needs.hugepages_1g or needs.locked_bytes):
        yield f"what slot {' and '.join(unknown)} keeps of the memory is not known: its manifest is not there"
    pools = planned_pools(plan.settings)
    for size_kib, name, count in (
        (2 * _MIB_KIB, "hugepages_2m", needs.hugepages_2m),
        (_MIB_KIB * _MIB_KIB, "hugepages_1g", needs.hugepages_1g),
    ):
        beside = _kept(seen, name)
        if count and count + beside > pools.get(size_kib, 0):
            size = f"{size_kib // _MIB_KIB} MiB"
            yield (
                f"the engine wants {count} hugepages of {size}{_whose(seen, name)} and the plan has "
                f"{pools.get(size_kib, 0)}"
            )
    locked, half = needs.locked_bytes + _kept(seen, "locked_bytes"), seen.memory_kib * 1024 // 2
    if needs.locked_bytes and locked > half:
        whose = _whose(seen, "locked_bytes", 20) or ","
        yield (
            f"the engine locks {needs.locked_bytes >> 20} MiB{whose} more than half of the host's "
            f"{seen.memory_kib >> 10} MiB"
        )


def _kept(seen: Seen, name: str) -> int:
    return sum(one.memory[name] for one in seen.others.values() if one.memory is not None)


def _whose(seen: Seen, name: str, shift: int = 0) -> str:
    """`, beside 64 of slot b`; nothing where no other slot has any."""
    had = [
        f"{one.memory[name] >> shift} of slot {slot}"
        for slot, one in sorted(seen.others.items())
        if one.memory is not None and one.memory[name]
    ]
    return f", beside {' and '.join(had)}," if had else ""


def shared_feeds(feeds: Sequence[tuple[str, int]], seen: Seen) -> tuple[str, ...]:
    """Unicast feed lines that another slot has: a datagram there reaches one of two sockets, not both.

    A multicast group is delivered to every socket that joined it (ip(7), IP_ADD_MEMBERSHIP).
    """
    return tuple(
        f"feed {group}:{port} is slot {slot}'s, and a datagram reaches one socket alone: take another port"
        for slot, one in sorted(seen.others.items())
        for group, port in feeds
        if (group, port) in one.feeds and not ipaddress.ip_address(group).is_multicast
    )


def too_loose(manifest: Manifest, limits: Limits) -> tuple[str, ...]:
    """Where signed limits allow more than the release was approved for."""
    before, after = manifest.pre_deploy_limits, limits.engine
    pairs = (
        ("instruments", len(after.symbols), before.instruments_max),
        ("order_notional_max_e4", after.order_notional_max_e4, before.order_value_max_e4),
        ("position_max", after.position_max, before.position_max),
    )
    return tuple(
        f"the limits allow {name} {given} and the release was approved for {most} (RTS 6 article 8)"
        for name, given, most in pairs
        if given > most
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
