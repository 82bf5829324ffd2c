"""The deployed engines of a host: which bytes run, where threads and memory are, and what disturbs them.

Only observed: no test load runs on a CPU of the engine. The expectation is taken from the plan's roles and
the release's manifest, each parsed here; what the deploy wrote is evidence, not the yardstick.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts, script_of
from checks.link import Connection
from checks.reading import Cpus, list_of
from checks.slot_facts import SlotFacts, Thread, parse_slots
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated

UNITS = ("/etc/systemd/system/hft-engine-", ".service")
LOAD = "engine_feed_messages_total"
REMOTE_SHARE_MOST = 0.05  # of anonymous and shared pages; the private pages of a shared library do not count
SCRIPT_TIMEOUT_S = 120.0
NOT_MEMORY = ("[vsyscall]", "[vvar]", "[vdso]")


def deployed(facts: Facts) -> tuple[str, ...]:
    """The slots whose unit file is on the host."""
    return tuple(sorted(facts.under(*UNITS)))


def slot_findings(
    link: Connection, expected: Expected, facts: Facts, *, window_s: float, recorded: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Every check of every deployed engine, in one round trip; none where none is deployed."""
    slots = deployed(facts)
    if not slots:
        return ()
    mark = f"@{secrets.token_hex(8)}"
    argv = ["sh", "-s", "--", f"{window_s:g}", *slots]
    try:
        text = link.run(argv, stdin=script_of("slots.sh", mark), timeout_s=SCRIPT_TIMEOUT_S + 2 * window_s)
        seen = parse_slots(text, mark)
    except CheckError as error:
        return tuple(unverifiable(f"engine.{slot}", "facts_cut", str(error)) for slot in slots)
    found: list[Finding] = []
    for slot in slots:
        one = seen.get(slot, SlotFacts(slot=slot, sections={}))
        try:
            found += judge_slot(one, expected, facts, watched=window_s > 0, recorded=recorded.get(slot))
        except Exception as error:  # whatever one engine makes of its files, the others are judged
            said = f"{type(error).__name__}: {str(error)[:200]}"
            found.append(unverifiable(f"engine.{slot}", "facts_cut", said))
    return tuple(found)


def judge_slot(
    slot: SlotFacts, expected: Expected, facts: Facts, *, watched: bool, recorded: str | None = None
) -> list[Finding]:
    """The findings of one slot."""
    name = f"engine.{slot.slot}"
    if problem := _not_read(slot):
        return [unverifiable(f"{name}.runs", "not_read", problem)]
    if slot.pid == 0 or slot.manifest is None:
        said = f"hft-engine-{slot.slot}.service is {slot.unit.get('ActiveState', 'unknown')}"
        if slot.manifest is None:
            said = f"no manifest in {slot.release or 'the release of its slot'}"
        why = "an engine that is not running, or has no manifest, cannot be the approved one"
        return [violated(f"{name}.runs", "engine_stopped", said, expected="active", why=why)]
    judges: list[tuple[str, Callable[[str], Finding]]] = [
        (f"{name}.program", lambda check: program(check, slot)),
        (f"{name}.release", lambda check: release(check, slot, recorded)),
        (f"{name}.threads", lambda check: threads(check, slot, expected)),
        (f"{name}.strangers", lambda check: strangers(check, slot, expected, facts)),
        (f"{name}.locked", lambda check: locked(check, slot)),
        (f"{name}.huge", lambda check: huge(check, slot)),
        (f"{name}.local", lambda check: local(check, slot, expected)),
    ]
    found = [_guarded(check, judge) for check, judge in judges]
    return [*found, *undisturbed(name, slot)] if watched else found


def _not_read(slot: SlotFacts) -> str | None:
    """What has to be known before anything is judged, and is not."""
    if not {"MainPID", "ActiveState"} <= slot.unit.keys():
        return f"the state of hft-engine-{slot.slot}.service is not known"
    text = slot.sections.get("manifest")
    if text is None or (text.strip() and slot.manifest is None):
        return f"the manifest in {slot.release or 'the release of its slot'} cannot be read"
    return None


def _guarded(check: str, judge: Callable[[str], Finding]) -> Finding:
    try:
        return judge(check)
    except (CheckError, KeyError, TypeError, ValueError, AttributeError) as error:
        return unverifiable(check, "facts_cut", f"{type(error).__name__}: {str(error)[:200]}")


def program(check: str, slot: SlotFacts) -> Finding:
    """The running bytes are those of the manifest; names prove nothing."""
    why = "a wrong binary next to the right manifest would trade under its name"
    manifest = slot.manifest or {}
    listed = {str(entry["path"]): str(entry["sha256"]) for entry in manifest["files"]}
    exec_ = manifest["exec"]
    if slot.exe is None:
        return unverifiable(
            check, "not_read", f"the executable of process {slot.pid} cannot be read", why=why
        )
    path, digest = slot.exe
    if exec_.get("interpreter"):
        message = f"process {slot.pid} is an interpreter ({path}); which script it runs cannot be verified"
        return not_applicable(check, "interpreted", message, why=why)
    wanted = listed[exec_["program"]]
    sets = {"expected": wanted, "observed": digest, "why": why}
    if digest != wanted:
        return violated(check, "binary_differs", f"process {slot.pid} runs {path}, {digest[:12]}", **sets)
    return ok(check, f"process {slot.pid} runs the program of the manifest, {digest[:12]}", **sets)


def release(check: str, slot: SlotFacts, recorded: str | None) -> Finding:
    """The directory holds exactly what its manifest lists, and is the release that was deployed."""
    why = "the digest covers every byte of the release, and approval is given to a digest"
    digest, listed = slot.digest or "", {}
    if "files" not in slot.sections:
        return unverifiable(check, "not_read", f"the files of {slot.release} cannot be read", why=why)
    for entry in (slot.manifest or {})["files"]:
        listed[str(entry["path"])] = str(entry["sha256"])
    wrong = sorted(
        path for path in listed.keys() | slot.files.keys() if listed.get(path) != slot.files.get(path)
    )
    sets = {"expected": (recorded or digest).removeprefix("sha256:"), "observed": digest, "why": why}
    place = slot.release.rpartition("/")[2]
    if wrong:
        return violated(check, "release_differs", f"{slot.release}: {', '.join(wrong[:4])}", **sets)
    if place != digest:
        return violated(check, "release_differs", f"{slot.release} holds {digest[:12]}", **sets)
    if recorded is not None and recorded.removeprefix("sha256:") != digest:
        message = f"slot {slot.slot} holds {digest[:12]}, but {recorded[7:19]} was deployed"
        return violated(check, "release_differs", message, **sets)
    exe = slot.exe[0] if slot.exe else ""
    if exe.startswith("/opt/hft/releases/") and not exe.startswith(f"{slot.release}/"):
        return violated(
            check, "release_differs", f"the slot holds {digest[:12]}, but {exe} is running", **sets
        )
    return ok(check, f"{len(listed)} files match {digest[:12]}", **sets)


def threads(check: str, slot: SlotFacts, expected: Expected) -> Finding:
    """Each listed thread exists and is pinned as plan and manifest say."""
    why = "a hot thread that shares its CPU, or runs on a housekeeping CPU, is slower on every message"
    present: dict[str, list[Thread]] = {}
    for one in slot.threads("before").values():
        present.setdefault(one.comm, []).append(one)
    if not present:
        return unverifiable(check, "not_read", "no thread could be read", why=why)
    listed = (slot.manifest or {})["threads"]
    there = slot.count("before")
    if there is None or len(slot.threads("before")) < there:
        return unverifiable(check, "not_read", "not all of its threads were read", why=why)
    if missing := [str(row["name"]) for row in listed if row["name"] not in present]:
        return violated(check, "thread_missing", f"not running: {', '.join(missing)}", why=why)
    wrong = [
        text
        for row in listed
        for one in present[row["name"]]
        for text in _misplaced(row, one, slot, expected)
    ]
    hot = [one.allowed for row in listed if row["wants"] == "isolated" for one in present[row["name"]]]
    if len(frozenset().union(*hot, frozenset())) < sum(map(len, hot)):
        wrong.append(f"hot threads share CPUs {', '.join(map(list_of, hot))}")
    if wrong:
        return violated(check, "thread_misplaced", "; ".join(wrong), why=why)
    said = ", ".join(f"{row['name']} on {list_of(present[row['name']][0].allowed)}" for row in listed)
    return ok(check, said, expected=list_of(expected.isolated), observed=said, why=why)


def _misplaced(row: Mapping[str, Any], one: Thread, slot: SlotFacts, expected: Expected) -> Iterator[str]:
    hot = row["wants"] == "isolated"
    place = expected.isolated if hot else expected.housekeeping
    if not one.allowed or not one.allowed <= place or (hot and len(one.allowed) != 1):
        wanted = f"one CPU of {list_of(place)}" if hot else list_of(place)
        yield f"{one.comm}[{one.tid}] may run on {list_of(one.allowed)}; the plan wants {wanted}"
    elif one.last_cpu not in one.allowed:
        yield f"{one.comm}[{one.tid}] runs on {one.last_cpu}, but may only run on {list_of(one.allowed)}"
    elif (told := slot.cpus.get(str(row["role"]))) and not one.allowed <= told:
        yield f"{one.comm}[{one.tid}] may run on {list_of(one.allowed)}, but was told {list_of(told)}"


def strangers(check: str, slot: SlotFacts, expected: Expected, facts: Facts) -> Finding:
    """Only listed threads are in the engine's cgroup, above all on isolated CPUs.

    A thread inherits the affinity of the thread that created it: from a hot one, the hot CPU.
    """
    why = "a second runnable thread on a hot CPU restarts the tick and takes CPU time from the engine"
    listed = {str(row["name"]) for row in (slot.manifest or {})["threads"]}
    ours = slot.threads("before") | slot.threads("after")
    others = [(t.comm, t.tid, t.allowed) for t in ours.values() if t.comm not in listed]
    unit = f"/hft-engine-{slot.slot}.service"
    inside = (t for t in facts.tasks if t.cgroup.endswith(unit) and t.pid != slot.pid)
    others += [(t.comm, t.tid, t.allowed) for t in inside if t.tid not in ours]
    names: dict[str, int] = {}
    for one in slot.threads("before").values():
        names[one.comm] = names.get(one.comm, 0) + 1
    others += [
        (one.comm, one.tid, one.allowed)
        for one in slot.threads("before").values()
        if one.comm in listed and names[one.comm] > 1 and one.tid != slot.pid
    ]
    on: Cpus = expected.isolated
    if hot := [f"{comm}[{tid}] on {list_of(cpus & on)}" for comm, tid, cpus in others if cpus & on]:
        return violated(check, "stray_thread", f"not in the manifest: {', '.join(hot[:8])}", why=why)
    if others:
        said = ", ".join(f"{comm}[{tid}] on {list_of(cpus)}" for comm, tid, cpus in others[:8])
        return violated(check, "unlisted_thread", f"not in the manifest: {said}", why=why)
    return ok(check, f"{len(ours)} threads, all of them listed", why=why)


def locked(check: str, slot: SlotFacts) -> Finding:
    """Every resident page of the process is locked (or huge, which is never swapped)."""
    why = "a reclaimed page costs a fault, perhaps a disk read, at the worst moment"
    if not slot.mappings:
        return unverifiable(check, "not_read", "its mappings cannot be read", why=why)
    held = [one for one in slot.mappings if one.rss_kib and not one.where.endswith(NOT_MEMORY)]
    loose = [one for one in held if not one.flags & {"lo", "ht"}]
    total, free = sum(one.rss_kib for one in held), sum(one.rss_kib for one in loose)
    sets = {"expected": "0 KiB", "observed": f"{free} KiB", "why": why}
    if loose:
        names = ", ".join(one.where.split()[-1] for one in loose[:4])
        return violated(check, "memory_not_locked", f"{free} of {total} KiB are not locked: {names}", **sets)
    return ok(check, f"{total} KiB resident, all locked", **sets)


def huge(check: str, slot: SlotFacts) -> Finding:
    """An engine that requests hugepages uses some."""
    why = "in small pages the book costs a page-table walk for almost every order lookup"
    memory = (slot.manifest or {})["memory"]
    wanted = int(memory["hugepages_2m"]) + int(memory["hugepages_1g"])
    if not wanted:
        return not_applicable(check, "not_in_manifest", "the manifest wants no hugepages", why=why)
    if not slot.pages:
        return unverifiable(check, "not_read", "its memory by node cannot be read", why=why)
    seen = sum(sum(nodes.values()) for kind, _, nodes in slot.pages if kind == "huge")
    sets = {"expected": f">= 1, reserved {wanted}", "observed": str(seen), "why": why}
    if not seen:
        return violated(check, "memory_not_huge", f"it requested {wanted} hugepages and uses none", **sets)
    return ok(check, f"{seen} hugepages in use", **sets)


def local(check: str, slot: SlotFacts, expected: Expected) -> Finding:
    """Memory is on the NUMA node of the hot CPUs."""
    why = "every access to remote memory crosses the socket interconnect"
    nodes = {one.cpu: one.node for one in expected.plan.cpus}
    known = {node for node in nodes.values() if node >= 0}
    hot = {
        cpu
        for row in (slot.manifest or {})["threads"]
        if row["wants"] == "isolated"
        for cpu in slot.cpus[row["role"]]
    }
    here = {nodes[cpu] for cpu in hot if cpu in nodes}
    if len(known) < 2 or not here:
        return not_applicable(check, "one_node", "the host has a single NUMA node with memory", why=why)
    if not slot.pages:
        return unverifiable(check, "not_read", "its memory by node cannot be read", why=why)
    total = {kind: _kib(slot, kind, known | here) for kind in ("huge", "anon", "shared")}
    away = {kind: _kib(slot, kind, known - here) for kind in total}
    own = sum(total.values()) - total["huge"]
    far = sum(away.values()) - away["huge"]
    said = (
        f"not on node {list_of(here)}: {away['huge']} of {total['huge']} KiB huge, {far} of {own} KiB other"
    )
    sets = {"expected": f"node {list_of(here)}", "observed": said, "why": why}
    if away["huge"] or far > own * REMOTE_SHARE_MOST:
        return violated(check, "memory_remote", said, **sets)
    return ok(check, said, **sets)


def _kib(slot: SlotFacts, kind: str, nodes: set[int]) -> int:
    return sum(
        size * count
        for one, size, by in slot.pages
        if one == kind
        for node, count in by.items()
        if node in nodes
    )


def undisturbed(name: str, slot: SlotFacts) -> list[Finding]:
    """No hot thread faulted or was preempted while market data came in."""
    before, after = slot.threads("before"), slot.threads("after")
    hot = {str(row["name"]) for row in (slot.manifest or {})["threads"] if row["wants"] == "isolated"}
    messages = _load(slot)
    found: list[Finding] = []
    for one in sorted((t for t in after.values() if t.comm in hot), key=lambda t: t.comm):
        was = before.get(one.tid)
        for check, reason, why in _COUNTED:
            title = f"{name}.{one.comm}.{check}"
            if was is None:
                found.append(
                    unverifiable(title, "engine_restarted", f"{one.comm} is a different thread now", why=why)
                )
                continue
            seen = _delta(check, was, one)
            if seen < 0:  # counters of one thread only rise
                found.append(
                    unverifiable(title, "engine_restarted", f"{one.comm} is another thread", why=why)
                )
                continue
            sets = {"expected": "0", "observed": str(seen), "why": why}
            counted = f"{seen} {check.replace('_', ' ')}, {messages or 0} messages"
            said = f"{one.comm} on CPU {one.last_cpu}: {counted}"
            if seen:
                found.append(violated(title, reason, said, **sets))
            elif not messages:
                found.append(unverifiable(title, "idle_engine", f"{said}: no market data came in", **sets))
            else:
                found.append(ok(title, said, **sets))
    if not found:
        found.append(unverifiable(f"{name}.hot", "not_read", "no hot thread could be read after the window"))
    return found


_COUNTED = (
    ("minor_faults", "minor_faults", "each costs a kernel entry and exit, and a page-table walk"),
    ("major_faults", "major_faults", "the thread waited for a disk"),
    ("involuntary_switches", "involuntary_switches", "another task ran on the hot CPU"),
)


def _delta(check: str, was: Thread, now: Thread) -> int:
    if check == "minor_faults":
        return now.minor_faults - was.minor_faults
    if check == "major_faults":
        return now.major_faults - was.major_faults
    return now.involuntary - was.involuntary


def _load(slot: SlotFacts) -> int | None:
    """Messages received between the two readings, from the engine's metrics page."""
    first, last = slot.metric("before", LOAD), slot.metric("after", LOAD)
    return None if first is None or last is None else last - first
