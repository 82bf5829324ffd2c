"""Rows of /proc/interrupts and /proc/softirqs: what each one counts, and which a kernel always prints.

Every row of a CPU is judged. A row is the tick, a device, a message of another CPU or the kernel, or
something else; one is left out only if it stands in EXCUSED, with the reason. A row that a kernel of this
architecture always prints and that is absent was not counted as zero: then nothing is known. Sources:
arch/x86/kernel/irq.c (arch_show_interrupts), arch/arm64/kernel/smp.c (ipi_types), kernel/softirq.c
(softirq_to_name).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

# Per-CPU timers that are numbered interrupts: the last word of their row; x86 and POWER print LOC instead.
TICKS = frozenset({"arch_timer", "riscv-timer"})
X86_TICK = "LOC"

# What another CPU, or the CPU's own kernel, sends; with the usual cause.
MESSAGES = {
    "RES": "a wake-up sent to this CPU",
    "CAL": "a function call from another CPU: static key, module, tracing, membarrier",
    "TLB": "TLB shootdown: another thread of the same process unmapped memory",
    "IWI": "deferred kernel work: perf, printk, RCU",
    "NMI": "watchdog or perf",
}
EXCUSED = {
    "ERR": "counted for the whole machine, not for a CPU",
    "MIS": "counted for the whole machine, not for a CPU",
    "Err": "counted for the whole machine, not for a CPU",
}
SOFTIRQS = frozenset(
    {"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"}
)
_X86 = frozenset({*MESSAGES, "SPU", "PMI", "TRM", "MCE"})
_IPI = re.compile(r"IPI\d+")
_IPI_ALWAYS = ("Rescheduling interrupts", "Function call interrupts")


def is_tick(row: str, name: str) -> bool:
    """Whether this row counts the tick of each CPU."""
    return row == X86_TICK or name.rpartition(" ")[2] in TICKS


def is_message(row: str) -> bool:
    """Whether another CPU or the kernel itself causes this row."""
    return row in MESSAGES or _IPI.fullmatch(row) is not None


def cause_of(row: str, name: str) -> str:
    """The usual cause of a row, for display: ours, else the kernel's own words for it."""
    return MESSAGES.get(row, name)


def missing(interrupts: Iterable[tuple[str, str]], softirqs: Collection[str]) -> tuple[str, ...]:
    """What a kernel always prints and these tables lack: (row, name) of /proc/interrupts, softirqs."""
    rows = list(interrupts)
    there, names = {row for row, _ in rows}, {name for row, name in rows if _IPI.fullmatch(row)}
    lacks = [] if any(is_tick(row, name) for row, name in rows) else ["the tick (LOC, arch_timer)"]
    if there & _X86:
        lacks += sorted(MESSAGES.keys() - there)
    else:
        lacks += [name for name in _IPI_ALWAYS if name not in names]
    return (*lacks, *sorted(SOFTIRQS - set(softirqs)))
