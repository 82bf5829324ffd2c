"""I/O modes: how frames reach the engine, and what each way asks of the kernel and of its knobs.

An interrupt-driven socket, a socket whose reader polls the device, an AF_XDP socket, a port driven from user
space (DPDK) and a stack that replaces the kernel's (Onload) want different things, some of them opposite. So
a mode is one row of a table, and no knob is decided anywhere else. Sources: Documentation/networking/napi.rst
(busy polling, deferred interrupts), Documentation/networking/af_xdp.rst, Documentation/driver-api/vfio.rst,
Onload User Guide UG1586 (IOMMU, spinning).

Rings: a reader that sleeps lets a burst wait, so its ring is deep; one that polls is there at once, and a
shallow ring stays in the cache. An AF_XDP socket fills its ring from its own frames, as many as it has.

A PREEMPT_RT kernel has no busy polling of sockets (NET_RX_BUSY_POLL depends on !PREEMPT_RT), and a port that
vfio hands to user space needs the IOMMU that Onload wants off: both are refused, not half planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuning.errors import PlanError
from tuning.plan.ports import NamedPorts
from tuning.plan.profile import IoMode, Profile
from tuning.plan.refusal import Code
from tuning.topology.topology import Topology

Iommu = Literal["pass_through", "vfio", "off"]
# Of the CPUs of irq cores each its queue; of the threads that poll each its queue; one queue for one socket.
Queues = Literal["irq", "poll", "one"]
# Without the IOMMU no interrupt is remapped, and an interrupt names a CPU in eight bits (Intel SDM 11.11).
CPUS_WITHOUT_REMAPPING = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRow:
    """What one mode asks for: times in microseconds and nanoseconds as the kernel's files take them.

    `napi_defer` and `gro_flush_ns` None: the kernel does not drive the port, or another stack sets them.
    `rx_usecs`: how long the device waits with an interrupt; None where no driver of the kernel is asked.
    `queues`: by whom a port's queues are read, so how many it has, unless a person says; None: the driver's
    own. `rx_ring`: descriptors of a queue, at most the driver's maximum. `kernel` `generic`: not PREEMPT_RT.
    `is_merged`: frames of one flow are handed over as one, received and sent; None: nobody asks the kernel.
    """

    iommu: Iommu
    timer_migration: bool
    busy_poll_us: int = 0
    napi_defer: int | None = None
    gro_flush_ns: int | None = None
    rx_usecs: int | None = None
    queues: Queues | None = None
    rx_ring: int | None = None
    kernel: Literal["any", "generic"] = "any"
    is_merged: bool | None = None
    is_jitted: bool = False
    why: str


MODES: Mapping[IoMode, ModeRow] = {
    "kernel_interrupt": ModeRow(
        iommu="pass_through",
        timer_migration=True,
        napi_defer=0,
        gro_flush_ns=0,
        rx_usecs=0,
        queues="irq",
        rx_ring=4096,
        is_merged=True,
        why="sockets, woken by the device's interrupt",
    ),
    "kernel_busy_poll": ModeRow(
        iommu="pass_through",
        timer_migration=True,
        busy_poll_us=50,
        napi_defer=2,
        gro_flush_ns=200_000,
        rx_usecs=0,
        queues="poll",
        rx_ring=1024,
        kernel="generic",
        is_merged=False,
        why="sockets, whose readers poll the device before they sleep",
    ),
    "af_xdp": ModeRow(
        iommu="pass_through",
        timer_migration=True,
        is_jitted=True,
        napi_defer=2,
        gro_flush_ns=200_000,
        rx_usecs=0,
        queues="one",
        rx_ring=2048,
        is_merged=False,
        why="an XDP program hands frames of one queue to a ring in user space",
    ),
    "dpdk": ModeRow(
        iommu="vfio", timer_migration=False, why="the whole port is driven from user space, behind the IOMMU"
    ),
    "onload": ModeRow(
        iommu="off",
        timer_migration=False,
        rx_usecs=60,
        why="the vendor's stack in user space replaces the kernel's",
    ),
}


def mode_of(profile: Profile, topology: Topology) -> IoMode:
    """The profile's mode; without one, busy polling where the kernel has it and interrupts where not."""
    if profile.io_mode is not None:
        return profile.io_mode
    return "kernel_interrupt" if runs_realtime(profile, topology) else "kernel_busy_poll"


def modes_of(profile: Profile, topology: Topology, named: NamedPorts) -> frozenset[IoMode]:
    """The modes of a host: each trading port's own, or the profile's; without any, the profile's."""
    usual = mode_of(profile, topology)
    return frozenset(named.mode_of(nic) or usual for nic in named.trading) or frozenset({usual})


def runs_realtime(profile: Profile, topology: Topology) -> bool:
    """Whether the planned kernel is a PREEMPT_RT one: by the name the profile gives, else the running one."""
    if profile.kernel_release is not None:
        return "-rt-" in f"{profile.kernel_release}-"
    return topology.is_realtime is True


def refuse_contradictions(profile: Profile, topology: Topology, modes: frozenset[IoMode]) -> None:
    """PlanError where the modes of a host exclude its kernel, or each other."""
    generic = sorted(mode for mode in modes if MODES[mode].kernel == "generic")
    if generic and runs_realtime(profile, topology):
        kernel = profile.kernel_release or topology.kernel_release
        raise PlanError(
            Code.IO_MODE_CONTRADICTS,
            f"io_mode {generic[0]} on the PREEMPT_RT kernel {kernel}, which has no busy polling of"
            " sockets; hint: kernel_interrupt, or a generic kernel (kernel_release of the profile)",
        )
    if {"dpdk", "onload"} <= modes:
        raise PlanError(
            Code.IO_MODE_CONTRADICTS,
            "io_mode dpdk needs the IOMMU for vfio, and onload wants it off; hint: one of the two on a host",
        )


def iommu_of(modes: frozenset[IoMode], topology: Topology) -> Iommu:
    """What becomes of the IOMMU on a host with these modes; it stays where its interrupts need remapping."""
    wanted = {MODES[mode].iommu for mode in modes}
    if "vfio" in wanted:
        return "vfio"
    if "off" in wanted and topology.online.last() < CPUS_WITHOUT_REMAPPING:
        return "off"
    return "pass_through"
