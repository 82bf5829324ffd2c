"""Kernel command line: isolation, tick, RCU, interrupts, clock, watchdog, C-states. Applied by a trial boot.

The isolation lists all come from one CpuSet, and `irqaffinity` is its exact complement among the usable CPUs.
`isolcpus` keeps its `domain` flag, because only a CPU without scheduling domain is never balanced onto, and
gets `managed_irq`, because interrupts that the kernel manages itself obey nothing else. Arguments that trade
safety for speed (`mitigations=`) are refused until an approval can be recorded.
"""

from __future__ import annotations

from tuning.refusal import Code
from tuning.wishes import Wishes, kernel_arg

NO_HZ = "Documentation/timers/no_hz.rst"


def wish_kernel(wishes: Wishes) -> None:
    """Everything of the command line but memory."""
    _isolation(wishes)
    _clock(wishes)
    _watchdog(wishes)
    _idle_states(wishes)
    if wishes.profile.io_mode == "dpdk":
        _iommu(wishes)
    wishes.refuse(
        "cmdline.mitigations",
        Code.SECURITY,
        "switching CPU mitigations off trades security for speed; that needs a recorded approval, which does"
        " not exist yet, so the kernel's default stays",
    )


def _isolation(wishes: Wishes) -> None:
    isolated = wishes.partition.cpus_of("poll", "engine", "spare").list_text()
    housekeeping = wishes.partition.cpus_of("housekeeping", "irq", "ptp").list_text()
    wishes.add_if_built(
        kernel_arg(
            "isolcpus",
            f"managed_irq,domain,{isolated}",
            why="takes hot CPUs out of load balancing and keeps managed interrupts off them",
            risk="threads put there are never balanced: each must be pinned to one CPU",
        ),
        "CPU_ISOLATION",
    )
    wishes.add_if_built(
        kernel_arg(
            "nohz_full",
            isolated,
            why="stops the timer tick on a hot CPU that runs one task, and keeps unbound timers off it",
            risk="system calls and interrupts cost more there; a second runnable task brings the tick back",
            source=NO_HZ,
        ),
        "NO_HZ_FULL",
    )
    wishes.add_if_built(
        kernel_arg(
            "rcu_nocbs",
            isolated,
            why="moves RCU callbacks from hot CPUs to threads that run on housekeeping CPUs",
            risk="housekeeping CPUs carry those callbacks",
        ),
        "RCU_NOCB_CPU",
    )
    wishes.add(
        kernel_arg(
            "irqaffinity",
            housekeeping,
            why="new interrupts start on housekeeping CPUs: the exact complement of the isolated ones",
            risk="none known; drivers may still choose for managed interrupts",
        )
    )
    wishes.add(
        kernel_arg(
            "skew_tick",
            "1",
            why="housekeeping CPUs take their ticks at different moments and do not meet on one lock",
            risk="slightly more power",
        )
    )


def _clock(wishes: Wishes) -> None:
    topology = wishes.topology
    if topology.architecture not in ("x86_64", None):
        reason = f"{topology.architecture} has no TSC"
        wishes.refuse("cmdline.tsc", Code.NOT_APPLICABLE_ARCHITECTURE, reason)
    elif topology.has_invariant_tsc is None:
        reason = "the CPU's flags are not known; a wrong word about the TSC gives wrong time"
        wishes.refuse("cmdline.tsc", Code.NOT_APPLICABLE_ABSENT, reason)
    elif topology.has_invariant_tsc:
        wishes.add(
            kernel_arg(
                "tsc",
                "reliable",
                why="the TSC is invariant: no watchdog timer needs to check it on every CPU",
                risk="wrong time if the firmware's TSC is bad after all",
            )
        )
    else:
        wishes.add(
            kernel_arg(
                "tsc",
                "nowatchdog",
                why="the clocksource watchdog would arm a timer on every CPU in turn, isolated ones too; one"
                " late comparison on a busy machine would bring the tick back on all of them",
                risk="a TSC that begins to drift later is seen only by PTP or NTP",
            )
        )


def _watchdog(wishes: Wishes) -> None:
    if wishes.topology.architecture not in ("x86_64", None):
        reason = f"the hard-lockup watchdog by NMI is not used on {wishes.topology.architecture}"
        wishes.refuse("cmdline.nmi_watchdog", Code.NOT_APPLICABLE_ARCHITECTURE, reason)
        return
    if wishes.topology.architecture is None:
        wishes.unproven.append("cmdline.nmi_watchdog")
    wishes.add(
        kernel_arg(
            "nmi_watchdog",
            "0",
            why="no periodic NMI on hot CPUs; the soft watchdog goes on watching housekeeping CPUs",
            risk="a hard lockup is found by the hardware watchdog only",
            source="Documentation/admin-guide/lockup-watchdogs.rst",
        )
    )


def _idle_states(wishes: Wishes) -> None:
    topology = wishes.topology
    keys = {"processor.max_cstate": "1", "intel_idle.max_cstate": "1"}
    if topology.cpu_vendor != "GenuineIntel":
        keys.pop("intel_idle.max_cstate")
    refusal = _no_idle_limit(wishes)
    for name, value in keys.items():
        if refusal:
            wishes.refuse(f"cmdline.{name}", *refusal)
        else:
            if topology.architecture is None:
                wishes.unproven.append(f"cmdline.{name}")
            wishes.add(
                kernel_arg(
                    name,
                    value,
                    why="no CPU sleeps so deep that waking it costs tens of microseconds",
                    risk="more power and heat, lower turbo frequencies",
                    source="Documentation/admin-guide/pm/cpuidle.rst",
                )
            )


def _no_idle_limit(wishes: Wishes) -> tuple[Code, str] | None:
    topology = wishes.topology
    if topology.architecture not in ("x86_64", None):
        return Code.NOT_APPLICABLE_ARCHITECTURE, f"{topology.architecture} limits idle states in other ways"
    if topology.is_virtual:
        return Code.NOT_APPLICABLE_VIRTUAL, "a virtual machine does not choose the C-states of its CPUs"
    return None


def _iommu(wishes: Wishes) -> None:
    """Ports in user space: the IOMMU holds them to their process; the kernel's own devices pass it by."""
    topology = wishes.topology
    if topology.architecture not in ("x86_64", None):
        reason = f"{topology.architecture} switches its IOMMU on in firmware"
        wishes.refuse("cmdline.iommu", Code.NOT_APPLICABLE_ARCHITECTURE, reason)
        return
    if topology.architecture is None:
        wishes.unproven.append("cmdline.iommu")
    # AMD's is on where firmware offers it; Intel's waits to be asked on kernels built without DEFAULT_ON.
    if topology.cpu_vendor != "AuthenticAMD":
        wishes.add(
            kernel_arg(
                "intel_iommu",
                "on",
                why="a port driven from user space reaches only the memory of its own process",
                risk="a device with broken DMA remapping tables in firmware may fail to start",
                source="Documentation/driver-api/vfio.rst",
            )
        )
    wishes.add(
        kernel_arg(
            "iommu",
            "pt",
            why="devices that the kernel drives are not translated, so they lose no time to the IOMMU",
            risk="those devices can reach all memory, as without an IOMMU",
            source="Documentation/admin-guide/kernel-parameters.txt",
        )
    )
