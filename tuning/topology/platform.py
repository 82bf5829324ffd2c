"""Kernel and platform of a snapshot: version, real-time, virtual, clock, and which knobs exist."""

from __future__ import annotations

import re
from typing import TypedDict

from tuning.snapshot.capture import CONFIG_SYMBOLS, KNOB_PATHS
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source

_VIRTUAL_VENDORS = ("QEMU", "VMware", "innotek", "Xen", "Microsoft Corporation", "Bochs", "KVM", "OpenStack")


class Platform(TypedDict):
    """The platform fields of a Topology."""

    architecture: str | None
    kernel_release: str | None
    is_realtime: bool | None
    is_virtual: bool | None
    cpu_vendor: str | None
    has_invariant_tsc: bool | None
    idle_driver: str | None


def read_platform(source: Source) -> Platform:
    """What kernel this is and what it runs on."""
    cpuinfo = _cpuinfo(source)
    return Platform(
        architecture=_architecture(source, cpuinfo),
        kernel_release=source.word("/proc/sys/kernel/osrelease") or _release_of_version(source),
        is_realtime=_is_realtime(source),
        is_virtual=_is_virtual(source, cpuinfo),
        cpu_vendor=cpuinfo.get("vendor_id"),
        has_invariant_tsc={"constant_tsc", "nonstop_tsc"} <= set(cpuinfo["flags"].split())
        if "flags" in cpuinfo
        else None,
        idle_driver=source.word("/sys/devices/system/cpu/cpuidle/current_driver"),
    )


def known_knobs(snapshot: Snapshot) -> dict[str, bool]:
    """For each path that a setting may touch: True when it exists, False when it is known to be absent."""
    return {path: snapshot.files[path] is not None for path in KNOB_PATHS if snapshot.is_known(path)}


def kernel_symbols(snapshot: Snapshot) -> dict[str, bool]:
    """Symbols of the kernel's configuration, where it was captured; a symbol it does not mention is off."""
    release = snapshot.text("/proc/sys/kernel/osrelease")
    text = snapshot.text(f"/boot/config-{release}")
    if text is None:
        return {}
    return {name: bool(re.search(rf"^CONFIG_{name}=[ym]", text, re.MULTILINE)) for name in CONFIG_SYMBOLS}


def _cpuinfo(source: Source) -> dict[str, str]:
    """The first CPU's fields."""
    found: dict[str, str] = {}
    for line in (source.snapshot.text("/proc/cpuinfo") or "").splitlines():
        name, colon, value = line.partition(":")
        if not colon and found:
            break
        found.setdefault(name.strip(), value.strip())
    return found


def _architecture(source: Source, cpuinfo: dict[str, str]) -> str | None:
    """What the kernel says (from 6.1), else told by the first CPU's lines; None for any other than these."""
    marks = {"flags": "x86_64", "CPU implementer": "aarch64", "# processors": "s390x", "isa": "riscv64"}
    guessed = next((name for mark, name in marks.items() if mark in cpuinfo), None)
    if guessed == "aarch64" and cpuinfo.get("CPU architecture", "8") not in ("8", "9", "AArch64"):
        guessed = None  # 32-bit ARM prints the same lines, with 7 or less
    if guessed is None and cpuinfo.get("cpu", "").upper().startswith("POWER"):
        guessed = "ppc64"
    return source.word("/proc/sys/kernel/arch") or guessed


def _release_of_version(source: Source) -> str | None:
    words = (source.word("/proc/version") or "").split()
    return words[2] if words[:2] == ["Linux", "version"] and len(words) > 2 else None


def runs_preempt_rt(flag: str | None, version: str | None) -> bool:
    """By /sys/kernel/realtime, which only patched kernels have, or by what /proc/version says."""
    return flag == "1" or any(mark in (version or "") for mark in ("PREEMPT_RT", "PREEMPT RT"))


def _is_realtime(source: Source) -> bool | None:
    version = source.word("/proc/version")
    if runs_preempt_rt(source.word("/sys/kernel/realtime"), version):
        return True
    return False if version is not None or source.snapshot.is_absent("/sys/kernel/realtime") else None


def _is_virtual(source: Source, cpuinfo: dict[str, str]) -> bool | None:
    if source.word("/sys/hypervisor/type"):
        return True
    if "flags" in cpuinfo:
        return "hypervisor" in cpuinfo["flags"].split()
    vendor = source.word("/sys/class/dmi/id/sys_vendor")
    return None if vendor is None else vendor.startswith(_VIRTUAL_VENDORS)
