"""What the candidate must show before it may be confirmed: its arguments are in effect, and they work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.boot import boot, grubenv
from agent.boot.states import Trial
from agent.health import tick_probe as spin
from agent.host import HostRoot
from tuning.cpuset import CPU_DIR, CpuSet

ISOLCPUS_FLAGS = frozenset({"nohz", "domain", "managed_irq"})
WINDOWS_MAX = 3  # a service that starts late disturbs one window; missing isolation shows in every window


def config_fault(host: HostRoot, trial: Trial) -> str | None:
    """Why this boot differs from what was staged, None when it does not."""
    cmdline = host.cmdline()
    absent = [word for word in trial.args if word not in cmdline]
    if absent:
        return f"the kernel did not get {absent[0]}"
    release = (host.read("/proc/sys/kernel/osrelease") or "").strip()
    if release != trial.release:
        return f"Linux {release} is running, but {trial.release} was staged"
    if grubenv.load(host).get("next_entry"):
        return "GRUB did not clear its one-shot entry: every boot would start the candidate"
    for name, path in (("isolcpus", "isolated"), ("nohz_full", "nohz_full")):
        fault = _set_fault(host, cmdline, name, f"{CPU_DIR}/{path}")
        if fault:
            return fault
    return None


def _set_fault(host: HostRoot, cmdline: tuple[str, ...], name: str, path: str) -> str | None:
    value = next((word.partition("=")[2] for word in cmdline if word.startswith(f"{name}=")), None)
    wanted = None if value is None else isolated_set(value)
    if wanted is None:
        return None
    text = (host.read(path) or "").strip()
    try:
        found = CpuSet.parse_list(text)
    except ValueError:  # "(null)": a kernel without the feature
        return f"{path} reads {text!r}, {name}={value} has no effect"
    return None if found == wanted else f"{path} reads {text!r}, {name} asks for {wanted.list_text()}"


def isolated_set(value: str) -> CpuSet | None:
    """The CPUs of an isolcpus= or nohz_full= value; None when its flags leave the scheduler domains alone."""
    words = value.split(",")
    flags = [word for word in words if word in ISOLCPUS_FLAGS]
    if flags and "domain" not in flags:
        return None
    return CpuSet.parse_list(",".join(word for word in words if word not in ISOLCPUS_FLAGS))


def effect_fault(
    host: HostRoot,
    effect: Mapping[str, Any] | None,
    measure: Callable[[HostRoot, CpuSet, float], tuple[Mapping[int, spin.Counts], bool]] = spin.measure,
) -> str | None:
    """Why isolation does not work, None when it does. A CPU that runs the engine is only observed."""
    if effect is None:
        return None
    isolated = CpuSet.parse_list(effect["cpus"])
    window_s = float(effect["window_s"])
    online = CpuSet.parse_list(host.read(f"{CPU_DIR}/online") or "0")
    housekeeping = online - isolated - CpuSet.parse_list((host.read(f"{CPU_DIR}/isolated") or "").strip())
    if not housekeeping or not isolated <= online:
        return f"CPUs {isolated.list_text()} are to be measured, but only {online.list_text()} are online"
    control = housekeeping.last()
    load = CpuSet.of([control]) if boot.engine_active(host) else isolated | CpuSet.of([control])
    fault: str | None = "not measured"
    for _ in range(WINDOWS_MAX):
        counts, whole = measure(host, load, window_s)
        fault = spin.judge(counts, isolated, control, window_s, effect["timer_interrupts_max"])
        if not whole:
            fault = f"a busy loop could not be pinned to one of the CPUs {load.list_text()}"
        if fault is None:
            break
    return fault
