"""Invariants of a tuned host that hold whatever single settings say.

Each is judged from our own reading and the roles of the plan: what the kernel isolates, who may run
where, where interrupts go, how time is read, and whether the *next* boot would still be tuned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from checks.baseline import Baseline
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.reading import Cpus, choice_of, cpus_of_list, cpus_of_mask, list_of, words_of_cmdline
from checks.settings import irqs_outside, kthreads_outside
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated

EVIDENCE = ("/proc/cmdline", "/proc/interrupts")


def topic_findings(expected: Expected, facts: Facts, baseline: Baseline) -> tuple[Finding, ...]:
    """All invariants of one host."""
    isolated, housekeeping = expected.isolated, expected.housekeeping
    judged: list[tuple[str, Callable[[], Finding]]] = [
        *(
            (f"evidence.{path.rpartition('/')[2]}", lambda path=path: evidence(path, facts))
            for path in EVIDENCE
        ),
        ("cpu.isolated", lambda: _kernel_list("isolated", "not_isolated", isolated, facts)),
        ("cpu.nohz_full", lambda: _kernel_list("nohz_full", "not_nohz_full", isolated, facts)),
        ("rcu.offload", lambda: rcu_offload(isolated, facts)),
        ("irq.default", lambda: default_affinity(housekeeping, facts)),
        (
            "irq.routes",
            lambda: irqs_outside("irq.routes", "a hard interrupt stops the engine", isolated, facts),
        ),
        ("tasks.user", lambda: user_tasks(isolated, facts)),
        (
            "tasks.kernel",
            lambda: kthreads_outside("tasks.kernel", "it would preempt the engine", isolated, facts),
        ),
        ("units.irqbalance", lambda: irqbalance(facts)),
        ("time.clocksource", lambda: clocksource(facts, baseline)),
        ("time.stable", lambda: stable_clock(facts)),
        ("memory.thp", lambda: huge_pages_transparent(facts)),
        ("memory.hugepages", lambda: hugepages(expected, facts)),
        ("boot.next", lambda: next_boot(expected, facts)),
    ]
    return tuple(_guarded(check, judge) for check, judge in judged)


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    try:
        return judge()
    except CheckError as error:
        return unverifiable(check, "facts_cut", str(error))


def evidence(path: str, facts: Facts) -> Finding:
    """Is the file the kernel's own? Whoever mounts over it decides what every check believes."""
    check, why = (
        f"evidence.{path.rpartition('/')[2]}",
        "a file lying over /proc makes every other answer worthless",
    )
    if path not in facts.procfs:
        return unverifiable(check, "not_read", f"where {path} comes from is not known", why=why)
    if covered := facts.covered(path):
        return violated(check, "not_procfs", covered, expected="procfs", observed="not procfs", why=why)
    return ok(check, f"{path} is the kernel's own", expected="procfs", observed="procfs", why=why)


def _kernel_list(name: str, reason: str, isolated: Cpus, facts: Facts) -> Finding:
    path, check = f"/sys/devices/system/cpu/{name}", f"cpu.{name}"
    why = {
        "isolated": "the scheduler keeps other tasks away from these CPUs",
        "nohz_full": "the kernel stops the tick there while one task runs",
    }[name]
    text = facts.text(path)
    if text is None:
        if path in facts.absent:
            return not_applicable(check, "kernel_lacks", f"this kernel has no {path}", why=why)
        return unverifiable(check, "not_read", f"{path} is not in the host's answer", why=why)
    seen = frozenset() if text == "(null)" else facts.cpus(path) or frozenset()  # the kernel's word for none
    sets = {"expected": list_of(isolated), "observed": list_of(seen), "why": why}
    if seen != isolated:
        return violated(
            check, reason, f"{name} is {list_of(seen)} and the plan says {list_of(isolated)}", **sets
        )
    return ok(check, f"{name} is {list_of(seen)}", **sets)


def rcu_offload(isolated: Cpus, facts: Facts) -> Finding:
    """Each isolated CPU has its callback threads (rcuop/N, rcuos/N), on housekeeping CPUs only."""
    check, why = "rcu.offload", "callbacks would run in softirqs on the isolated CPU"
    threads = [task for task in facts.tasks if task.kernel and re.match(r"rcuo[a-z]?/\d+", task.comm)]
    owners = frozenset(
        int(task.comm.rpartition("/")[2]) for task in threads if not task.comm.startswith("rcuog")
    )
    # With any rcu_nocbs= the kernel starts threads for every CPU; which it offloads stands in its log alone.
    said = [line.rpartition("CPUs:")[2].strip(" .") for line in facts.log or () if "Offload RCU" in line]
    owners = cpus_of_list(said[0]) if said and said[0] != "(none)" else owners if not said else frozenset()
    sets = {"expected": list_of(isolated), "observed": list_of(owners), "why": why}
    if missing := isolated - owners:
        return violated(check, "rcu_callbacks_here", f"CPUs {list_of(missing)} are not offloaded", **sets)
    if here := [task.name for task in threads if task.allowed & isolated]:
        return violated(
            check, "rcu_callbacks_here", f"{', '.join(here[:8])} may run on isolated CPUs", **sets
        )
    return ok(check, f"CPUs {list_of(isolated)} are offloaded to housekeeping CPUs", **sets)


def default_affinity(housekeeping: Cpus, facts: Facts) -> Finding:
    """Interrupts requested from now on land on housekeeping CPUs."""
    check, why = "irq.default", "a driver that is loaded or reset later gets its interrupts by this mask"
    text = facts.text("/proc/irq/default_smp_affinity")
    if text is None:
        return unverifiable(check, "not_read", "the default mask is not known", why=why)
    seen = cpus_of_mask(text) & facts.online
    sets = {"expected": list_of(housekeeping), "observed": list_of(seen), "why": why}
    if not seen or not seen <= housekeeping:
        return violated(check, "default_irq_affinity", f"the default mask is CPUs {list_of(seen)}", **sets)
    return ok(check, f"the default mask is CPUs {list_of(seen)}", **sets)


def user_tasks(isolated: Cpus, facts: Facts) -> Finding:
    """No task outside the engine slice may run on an isolated CPU."""
    check, why = "tasks.user", "a second runnable task brings the tick back and takes time from the engine"
    user = [task for task in facts.tasks if not task.kernel]
    if not user:
        return unverifiable(check, "not_read", "no task is visible", why=why)
    wrong = [task for task in user if not task.engine and task.allowed & isolated]
    if wrong:
        names = ", ".join(f"{task.name} on {list_of(task.allowed)}" for task in wrong[:8])
        message = f"{len(wrong)} of {len(user)} tasks may run there: {names}"
        return violated(check, "task_on_isolated", message, expected="0", observed=str(len(wrong)), why=why)
    return ok(check, f"{len(user)} tasks, none may run there", expected="0", observed="0", why=why)


def irqbalance(facts: Facts) -> Finding:
    """irqbalance is not running; it would move interrupts back."""
    check, why = "units.irqbalance", "it re-routes interrupts every ten seconds and knows nothing of the plan"
    running = [task.name for task in facts.tasks if task.comm == "irqbalance" and not task.kernel]
    state = facts.units.get("irqbalance.service", {}).get("ActiveState")
    if running or state in ("active", "activating"):
        message = f"irqbalance runs: {', '.join(running) or state}"
        return violated(check, "irqbalance_running", message, expected="inactive", observed="active", why=why)
    if state is None or not facts.tasks:
        return unverifiable(check, "not_read", "the state of irqbalance is not known", why=why)
    return ok(check, "irqbalance does not run", expected="inactive", observed=state, why=why)


def clocksource(facts: Facts, baseline: Baseline) -> Finding:
    """Time is read without a system call on hardware that can."""
    check, why = "time.clocksource", "every timestamp of the engine pays for a slow clock"
    accepted = baseline.any_of("clocksource")
    seen = facts.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not accepted:
        return not_applicable(
            check, "emulated", f"{baseline.host_class}: the clock is {seen or 'unknown'}", why=why
        )
    if seen is None:
        return unverifiable(check, "not_read", "the clock source is not known", why=why)
    sets = {"expected": " or ".join(accepted), "observed": seen, "why": why}
    if seen not in accepted:
        return violated(check, "clocksource_differs", f"the clock source is {seen}", **sets)
    return ok(check, f"the clock source is {seen}", **sets)


def stable_clock(facts: Facts) -> Finding:
    """The kernel trusts its scheduler clock; if not it keeps the tick on every CPU until the next boot."""
    check, why = "time.stable", "with an unstable clock nohz_full does nothing (no_hz.rst), whatever it reads"
    if facts.log is None:
        return unverifiable(check, "not_readable", "the kernel's log cannot be read", why=why)
    said = next((line for line in facts.log if "sched_clock: Marking unstable" in line), None)
    if said is not None:
        return violated(check, "clock_unstable", f"the kernel said: {said.strip()}", why=why)
    return ok(check, "the kernel trusts its clock", why=why)


def huge_pages_transparent(facts: Facts) -> Finding:
    """Transparent hugepages are off where the kernel has them."""
    check, why = "memory.thp", "khugepaged and page splits interrupt every CPU that maps the memory"
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    seen = facts.text(path)
    if seen is None and path in facts.absent:
        return not_applicable(check, "kernel_lacks", "this kernel has no transparent hugepages", why=why)
    if seen is None:
        return unverifiable(check, "not_read", f"{path} is not in the host's answer", why=why)
    sets = {"expected": "never", "observed": choice_of(seen), "why": why}
    if choice_of(seen) != "never":
        return violated(check, "value_differs", f"transparent hugepages are {choice_of(seen)}", **sets)
    return ok(check, "transparent hugepages are off", **sets)


def hugepages(expected: Expected, facts: Facts) -> Finding:
    """Each node has the hugepages that the command line of the plan gives it."""
    check, why = "memory.hugepages", "a pool on the wrong node makes every access of the engine remote"
    args = [
        (raw["name"], str(raw["value"])) for _, raw in expected.settings if raw.get("kind") == "kernel_arg"
    ]
    wanted = _pages_wanted(args)
    if not wanted:
        return not_applicable(check, "not_in_plan", "the plan reserves no hugepages at boot", why=why)
    seen = {
        key.replace("/hugepages/hugepages-", " ").removesuffix("kB"): int(text)
        for key, text in facts.under("/sys/devices/system/node/node", "/nr_hugepages").items()
    }
    if not seen:
        return unverifiable(check, "not_read", "the hugepages of the nodes are not known", why=why)
    wrong = []
    for (size_kb, node), count in wanted.items():
        total = sum(
            n
            for key, n in seen.items()
            if key.split(" ")[1] == str(size_kb) and node in (None, key.split()[0])
        )
        if total != count:
            wrong.append(
                f"{total} instead of {count} of {size_kb} kB on {f'node {node}' if node else 'all nodes'}"
            )
    if wrong:
        return violated(check, "hugepages_differ", "; ".join(wrong), why=why)
    return ok(check, f"{sum(wanted.values())} pages where the plan wants them", why=why)


def _pages_wanted(args: list[tuple[str, str]]) -> dict[tuple[int, str | None], int]:
    """(size in kB, node or None for all) -> pages; `hugepages=` counts pages of the size named before it."""
    units = {"k": 1, "m": 1024, "g": 1024 * 1024}
    size_kb, wanted = 2048, {}
    for name, value in args:
        if name in ("hugepagesz", "default_hugepagesz"):
            size_kb = int(value[:-1]) * units[value[-1].lower()]
        elif name == "hugepages":
            for part in value.split(","):
                node, colon, count = part.rpartition(":")
                wanted[(size_kb, node if colon else None)] = int(count)
    return wanted


def next_boot(expected: Expected, facts: Facts) -> Finding:
    """The boot menu's known-good entry still carries the committed arguments, and its kernel is there."""
    check, why = "boot.next", "a kernel update or update-grub must not untune the next boot in silence"
    menu, ours = facts.files.get("/boot/grub/grub.cfg"), facts.files.get("/boot/grub/hft.cfg")
    wanted = [arg for setting, arg in expected.settings if arg.get("kind") == "kernel_arg"]
    if not wanted:
        return not_applicable(check, "not_in_plan", "the plan changes nothing at boot", why=why)
    if menu is None or ours is None:
        gone = [path for path in ("/boot/grub/grub.cfg", "/boot/grub/hft.cfg") if path in facts.absent]
        if gone:
            return violated(
                check, "next_boot_untuned", f"{' and '.join(gone)} is gone; run: hft apply", why=why
            )
        return unverifiable(check, "not_read", "the boot menu cannot be read", why=why)
    if problem := _menu_problem(menu, ours, wanted, facts):
        return violated(check, "next_boot_untuned", f"{problem}; run: hft apply", why=why)
    return ok(check, "the known-good boot entry carries the committed arguments", why=why)


def _menu_problem(menu: str, ours: str, wanted: Sequence[Mapping[str, Any]], facts: Facts) -> str | None:
    names_ours, first_entry = (
        menu.find("hft.cfg"),
        re.search(r"^\s*(menuentry|submenu)\b", menu, re.MULTILINE),
    )
    if names_ours < 0:
        return "grub.cfg no longer reads hft.cfg (was update-grub run without /etc/grub.d/09_hft?)"
    if first_entry and first_entry.start() < names_ours:
        return "another menu entry stands before ours in grub.cfg"
    entry = re.search(r"^menuentry[^\n]*\bhft-good\b.*?^\}", ours, re.MULTILINE | re.DOTALL)
    line = re.search(r"^\s*linux\s+(\S+)\s*(.*)$", entry[0], re.MULTILINE) if entry else None
    if line is None:
        return "hft.cfg has no entry hft-good that boots a kernel"
    if line[1].rpartition("/")[2] not in facts.boot:
        return f"the kernel {line[1]} of the entry hft-good is gone"
    there = words_of_cmdline(line[2].replace("'", ""))  # GRUB's quotes around each word
    missing = [arg for arg in wanted if (arg["name"].replace("-", "_"), arg["value"]) not in there]
    if missing:
        return f"the entry hft-good lacks {' '.join(str(arg['name']) for arg in missing)}"
    return None
