"""Kernel command line: isolation, tick, RCU, interrupts, clock, watchdog, C-states. Applied by a trial boot.

The isolation lists all come from one CpuSet, and `irqaffinity` is its exact complement among the usable CPUs.
`isolcpus` keeps its `domain` flag, because only a CPU outside every scheduling domain is exempt from load
balancing, and gets `managed_irq`, because managed interrupts obey nothing else. Arguments that trade
security for speed (`mitigations=`) are refused until an approval can be recorded.
"""

from __future__ import annotations

from tuning.plan.builder import PlanBuilder, kernel_arg
from tuning.plan.io_mode import iommu_of, runs_realtime
from tuning.plan.refusal import Code

NO_HZ = "Documentation/timers/no_hz.rst"
POLLING_HOUSEKEEPING_MIN = 8
PATIENCE_MS = 1000
RT_THREAD_PRIORITY = 11


def plan_kernel(builder: PlanBuilder) -> None:
    """The whole command line except memory."""
    _isolation(builder)
    _clock(builder)
    _watchdog(builder)
    _idle_states(builder)
    _rcu(builder)
    _bus(builder)
    _iommu(builder)
    builder.refuse(
        "cmdline.mitigations",
        Code.SECURITY,
        "disabling CPU mitigations trades security for speed; that needs a recorded approval, which does"
        " not exist yet, so the kernel's default stays",
    )


def _isolation(builder: PlanBuilder) -> None:
    isolated = builder.partition.cpus_of("poll", "engine", "spare").list_text()
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp").list_text()
    managed = builder.fits("cmdline.isolcpus.managed_irq")
    builder.add_if_built(
        kernel_arg(
            "isolcpus",
            f"managed_irq,domain,{isolated}" if managed else f"domain,{isolated}",
            why="removes hot CPUs from load balancing"
            + (" and keeps managed interrupts off them" if managed else ""),
            risk="threads there are never load-balanced: each must be pinned to one CPU",
        ),
        "CPU_ISOLATION",
    )
    builder.add_if_built(
        kernel_arg(
            "nohz_full",
            isolated,
            why="stops the timer tick on a hot CPU that runs one task, and keeps unbound timers off it",
            risk="kernel entry and exit cost more there; a second runnable task restarts the tick",
            source=NO_HZ,
        ),
        "NO_HZ_FULL",
    )
    builder.add_if_built(
        kernel_arg(
            "rcu_nocbs",
            isolated,
            why="offloads RCU callbacks from hot CPUs to rcuo kthreads, which run on housekeeping CPUs",
            risk="housekeeping CPUs run those callbacks",
        ),
        "RCU_NOCB_CPU",
    )
    builder.add(
        kernel_arg(
            "irqaffinity",
            housekeeping,
            why="interrupts default to housekeeping CPUs, the exact complement of the isolated ones",
            risk="none known; managed interrupts are still placed by the kernel",
        )
    )
    builder.add(
        kernel_arg(
            "skew_tick",
            "1",
            why="ticks of housekeeping CPUs are staggered, so that they do not contend for the same locks",
            risk="slightly more power",
        )
    )


def _clock(builder: PlanBuilder) -> None:
    topology = builder.topology
    if not builder.fits("cmdline.tsc"):
        return
    if topology.has_invariant_tsc is None:
        reason = "the CPU's flags are not known; marking an unstable TSC reliable would corrupt timekeeping"
        builder.refuse("cmdline.tsc", Code.NOT_APPLICABLE_ABSENT, reason)
    elif topology.has_invariant_tsc:
        builder.add(
            kernel_arg(
                "tsc",
                "reliable",
                why="the TSC is invariant: no clocksource watchdog needs to check it on every CPU",
                risk="wrong time if the TSC turns out to be unstable",
            )
        )
    elif builder.fits("cmdline.tsc.nowatchdog"):
        builder.add(
            kernel_arg(
                "tsc",
                "nowatchdog",
                why="the clocksource watchdog would arm a timer on every CPU in turn, isolated ones too; one"
                " late comparison on a busy machine would restart the tick on all of them",
                risk="a TSC that drifts later is detected only by PTP or NTP",
            )
        )


def _watchdog(builder: PlanBuilder) -> None:
    builder.add(
        kernel_arg(
            "nmi_watchdog",
            "0",
            why="no periodic NMI on hot CPUs; the soft-lockup watchdog still covers housekeeping CPUs",
            risk="only the hardware watchdog detects a hard lockup",
            source="Documentation/admin-guide/lockup-watchdogs.rst",
        )
    )


def _idle_states(builder: PlanBuilder) -> None:
    topology = builder.topology
    keys = {"processor.max_cstate": "1", "intel_idle.max_cstate": "1"}
    if topology.cpu_vendor != "GenuineIntel":
        keys.pop("intel_idle.max_cstate")
    for name, value in keys.items():
        if topology.is_virtual:
            reason = "a virtual machine does not choose the C-states of its CPUs"
            builder.refuse(f"cmdline.{name}", Code.NOT_APPLICABLE_VIRTUAL, reason)
        elif builder.profile.power == "as-is":
            builder.refuse(
                f"cmdline.{name}", Code.NOT_APPLICABLE_PROFILE, "power as-is leaves idle states alone"
            )
        else:
            builder.add(
                kernel_arg(
                    name,
                    value,
                    why="no CPU enters an idle state that takes tens of microseconds to leave",
                    risk="more power and heat, lower turbo frequencies",
                    source="Documentation/admin-guide/pm/cpuidle.rst",
                )
            )


def _rcu(builder: PlanBuilder) -> None:
    """Grace periods without interrupts to every CPU, and RCU's threads where they may run."""
    if runs_realtime(builder.profile, builder.topology):
        builder.add(
            kernel_arg(
                "rcutree.kthread_prio",
                str(RT_THREAD_PRIORITY),
                why="rcuc and rcub of PREEMPT_RT run before a spinning thread of low priority: a grace period"
                " ends, and memory is freed",
                risk=f"they preempt a thread below FIFO {RT_THREAD_PRIORITY} for microseconds",
            )
        )
        reason = "PREEMPT_RT has normal grace periods after boot by itself"
        builder.refuse("cmdline.rcupdate.rcu_normal_after_boot", Code.NOT_APPLICABLE_KERNEL, reason)
    else:
        builder.add(
            kernel_arg(
                "rcupdate.rcu_normal_after_boot",
                "1",
                why="an expedited grace period interrupts every CPU, hot ones too",
                risk="what waits for a grace period waits longer: unloading a module, removing a device",
            )
        )
        reason = "rcuc threads exist on PREEMPT_RT kernels only"
        builder.refuse("cmdline.rcutree.kthread_prio", Code.NOT_APPLICABLE_KERNEL, reason)
    builder.add(
        kernel_arg(
            "rcutree.nohz_full_patience_delay",
            str(PATIENCE_MS),
            why="RCU waits a second before it wakes a hot CPU that made a system call at the wrong time",
            risk="grace periods take longer, so freed memory comes back later",
        )
    )
    house = builder.partition.cpus_of("housekeeping")
    if len(house) < POLLING_HOUSEKEEPING_MIN:
        reason = f"polling takes its share of {len(house)} CPUs; it pays from {POLLING_HOUSEKEEPING_MIN}"
        builder.refuse("cmdline.rcu_nocb_poll", Code.NOT_PLANNED, reason)
        return
    builder.add(
        kernel_arg(
            "rcu_nocb_poll",
            "",
            why="rcuo threads look for callbacks by themselves, so a hot CPU never has to wake one",
            risk="those threads wake at every tick of a housekeeping CPU",
        )
    )


def _bus(builder: PlanBuilder) -> None:
    """Links of PCIe devices stay awake; the kernel takes this where firmware gave it the links to manage."""
    key = "cmdline.pcie_aspm.policy"
    if builder.topology.is_virtual:
        reason = "the links of a virtual machine's devices are the hypervisor's"
        builder.refuse(key, Code.NOT_APPLICABLE_VIRTUAL, reason)
    elif builder.profile.power == "as-is":
        builder.refuse(key, Code.NOT_APPLICABLE_PROFILE, "power as-is leaves the links alone")
    else:
        builder.add(
            kernel_arg(
                "pcie_aspm.policy",
                "performance",
                why="a network card's link is never asleep when a frame comes",
                risk="more power and heat",
                source="Documentation/admin-guide/kernel-parameters.txt; PCI Express Base Specification 5.4",
            )
        )


def _iommu(builder: PlanBuilder) -> None:
    """By the I/O modes: confine ports driven from user space, let the kernel's through, or switch it off."""
    wanted, source = iommu_of(builder.modes, builder.topology), "Documentation/driver-api/vfio.rst"
    if wanted == "off":
        builder.add(
            kernel_arg(
                "iommu",
                "off",
                why="Onload registers its buffers with the card: no translation stands between",
                risk="every device can reach all memory, and no port can be given to vfio",
                source="Onload User Guide UG1586",
            )
        )
        return
    # AMD's is on wherever firmware offers it; Intel's needs the argument without INTEL_IOMMU_DEFAULT_ON.
    if wanted == "vfio" and builder.topology.cpu_vendor != "AuthenticAMD":
        builder.add(
            kernel_arg(
                "intel_iommu",
                "on",
                why="a port driven from user space can DMA only into memory of its own process",
                risk="a device may fail to start if the firmware's DMA remapping tables are broken",
                source=source,
            )
        )
    builder.add(
        kernel_arg(
            "iommu",
            "pt",
            why="DMA of devices that the kernel drives is not translated, so it costs no time in the IOMMU",
            risk="those devices can reach all memory, as without an IOMMU",
            source="Documentation/admin-guide/kernel-parameters.txt",
        )
    )
