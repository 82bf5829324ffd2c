"""What a host must offer before an engine is put there. Pure; all refusals at once, a sentence each.

Sources: the x86-64 psABI's microarchitecture levels (x86-64-ABI, section 3.1.1) in the names of
/proc/cpuinfo, and RTS 6 (EU 2017/589) article 8 for the limits that are set before a deploy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    pools = planned_pools(plan.settings)
    wanted = {2 * _MIB_KIB: manifest.memory.hugepages_2m, _MIB_KIB * _MIB_KIB: manifest.memory.hugepages_1g}
    for size_kib, count in wanted.items():
        if count > pools.get(size_kib, 0):
            size = f"{size_kib // _MIB_KIB} MiB"
            yield f"the engine wants {count} hugepages of {size} and the plan has {pools.get(size_kib, 0)}"
    if manifest.memory.locked_bytes > seen.memory_kib * 1024 // 2:
        locked, there = manifest.memory.locked_bytes >> 20, seen.memory_kib >> 10
        yield f"the engine locks {locked} MiB, more than half of the host's {there} MiB"


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
