"""The checks of a deployed engine, on the shipped engine: what passes, and that each fault is named.

One engine is looked at; the faults are either real (another binary, a thread moved, a thread added) or made
in what was read, one fact at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.facts import script_of
from checks.reading import Task
from checks.slot_facts import SlotFacts
from checks.slots import judge_slot
from checks.verdict import Verdict
from tests.support import needs
from tests.support.engine.chain import Chain
from tests.support.engine.slot import HOT, HOUSE, NO_FACTS, Slot, deployed, expected
from tuning.plan.plan import CpuDecision

pytestmark = needs.cpus(2)
Change = Callable[[dict[str, str]], None]


@pytest.fixture(scope="module")
def chain(native: Path) -> Iterator[Chain]:
    with ExitStack() as stack:
        yield Chain(native, stack, slots="a")


@pytest.fixture(scope="module")
def slot(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Slot:
    return deployed(chain, tmp_path_factory.mktemp("slot"))


@pytest.fixture(scope="module")
def looked(slot: Slot) -> SlotFacts:
    return slot.look()


def judged(facts: SlotFacts, **how: Any) -> dict[str, tuple[Verdict, str | None]]:
    """Check without its prefix -> verdict and reason."""
    found = judge_slot(facts, expected(), how.pop("host", NO_FACTS), watched=how.pop("watched", False), **how)
    return {one.check.partition("a.")[2]: (one.verdict, one.reason) for one in found}


def failing(facts: SlotFacts, **how: Any) -> dict[str, str | None]:
    return {
        name: reason for name, (verdict, reason) in judged(facts, **how).items() if verdict is not Verdict.OK
    }


def test_shipped_engine_passes_what_holds_on_one_node(looked: SlotFacts) -> None:
    """No hugepages are reserved here and there is one node: said, not skipped."""
    found = failing(looked)
    assert found.pop("local") == "one_node"
    assert found.pop("huge", "memory_not_huge") == "memory_not_huge"
    if os.geteuid() != 0:  # the limit on locked memory
        found.pop("locked", None)
    assert found == {}


def test_wrong_binary_with_the_right_manifest_is_violated(chain: Chain, slot: Slot, tmp_path: Path) -> None:
    stray = tmp_path / "hft-engine"
    shutil.copy(chain.native / "bin" / "hft-engine", stray)
    with stray.open("ab") as file:
        file.write(b"another build")
    seat, before = chain.seats["a"], slot.pid
    (tmp_path / "engine.json").write_bytes((Path(slot.look().release) / "engine.json").read_bytes())
    try:
        slot.pid = seat.standby(program=stray).pid
        wrong = slot.look()
        assert wrong.digest == Path(wrong.release).name, "the manifest is the right one"
        assert failing(wrong)["program"] == "binary_differs"
    finally:
        program = Path(slot.look().release) / "hft-engine"
        slot.pid = seat.standby(program=program).pid
    assert slot.pid != before
    assert "program" not in failing(slot.look())


def test_binary_replaced_under_its_name_is_judged_by_what_runs(slot: Slot, tmp_path: Path) -> None:
    """The file on disk is changed after the start: the process is the right one, the release is not."""
    program = Path(slot.look().release) / "hft-engine"
    kept = tmp_path / "kept"
    program.rename(kept)
    try:
        program.write_bytes(b"something else")
        found = failing(slot.look())
        assert "program" not in found
        assert found["release"] == "release_differs"
    finally:
        kept.rename(program)


def test_moved_hot_thread_is_misplaced(slot: Slot) -> None:
    tid = next(one.tid for one in slot.look().threads("before").values() if one.comm == "hft-hot")
    os.sched_setaffinity(tid, {HOUSE})
    try:
        assert failing(slot.look())["threads"] == "thread_misplaced"
    finally:
        os.sched_setaffinity(tid, {HOT})
    assert "threads" not in failing(slot.look())


@pytest.mark.parametrize(("cpu", "reason"), [(HOT, "stray_thread"), (HOUSE, "unlisted_thread")])
def test_late_thread_is_caught_where_it_may_run(looked: SlotFacts, cpu: int, reason: str) -> None:
    """A real thread of this process, started late on a CPU, read by the kernel's own files."""
    ready, done = threading.Event(), threading.Event()
    tids: list[int] = []

    def late() -> None:
        os.sched_setaffinity(0, {cpu})
        tids.append(threading.get_native_id())
        ready.set()
        done.wait(30)

    thread = threading.Thread(target=late)
    thread.start()
    ready.wait(30)
    try:
        place = Path(f"/proc/{os.getpid()}/task/{tids[0]}")
        keep = ("Pid", "Cpus_allowed_list", "nonvoluntary_ctxt_switches")
        status = [line for line in (place / "status").read_text().splitlines() if line.split(":")[0] in keep]
        stat = (place / "stat").read_text().strip().replace("(pytest)", "(late)")
    finally:
        done.set()
        thread.join()
    more = {"before.stat": stat, "before.status": "\n".join(status)}
    found = failing(changed(looked, lambda s: s.update({k: f"{s[k]}\n{v}" for k, v in more.items()})))
    assert found["strangers"] == reason


def test_another_process_in_the_engines_group_is_a_stranger(looked: SlotFacts) -> None:
    group = "/hft.slice/hft-engine.slice/hft-engine-a.service"
    task = Task(pid=9, tid=9, comm="gdb", flags=0, last_cpu=HOT, allowed=frozenset({HOT}), cgroup=group)
    found = failing(looked, host=replace(NO_FACTS, tasks=(task,)))
    assert found["strangers"] == "stray_thread"


def changed(facts: SlotFacts, change: Change) -> SlotFacts:
    sections = dict(facts.sections)
    change(sections)
    return SlotFacts(slot="a", sections=sections)


def swap(section: str, old: str, new: str) -> Change:
    def change(sections: dict[str, str]) -> None:
        assert old in sections[section], (section, old)
        sections[section] = sections[section].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "check", "reason"),
    [
        (lambda s: s.pop("exe"), "program", "not_read"),
        (lambda s: s.update(manifest=""), "runs", "engine_stopped"),
        (swap("unit", "MainPID=", "MainPID=0\nx="), "runs", "engine_stopped"),
        (lambda s: s.update(files=s["files"] + "\n./extra"), "release", "release_differs"),
        (lambda s: s.update(files=""), "release", "release_differs"),
        (swap("manifest", '"kill_ms":', '"kill_ms": 9'), "release", "release_differs"),
        (swap("manifest", '"hft-link"', '"hft-lunk"'), "threads", "thread_missing"),
        (lambda s: s.update({"before.stat": ""}), "threads", "not_read"),
        (swap("smaps", " lo ", " "), "locked", "memory_not_locked"),
        (lambda s: s.pop("smaps"), "locked", "not_read"),
        (
            lambda s: s.update(cpus='"cpus":{"hot":[0,1,2,3,4,5,6,7],"admin":[99]}'),
            "threads",
            "thread_misplaced",
        ),
    ],
)
def test_each_fault_is_named(looked: SlotFacts, change: Change, check: str, reason: str) -> None:
    assert failing(changed(looked, change))[check] == reason


def test_another_release_than_was_deployed_is_violated(looked: SlotFacts) -> None:
    assert "release" not in failing(looked, recorded=f"sha256:{looked.digest}")
    assert failing(looked, recorded="sha256:" + "0" * 64)["release"] == "release_differs"


def test_memory_on_another_node_is_violated(looked: SlotFacts) -> None:
    """Two nodes are made: the hot CPU's is node 1 and everything lies on node 0."""
    plan = expected()
    cpus = (
        CpuDecision(cpu=HOUSE, node=0, role="housekeeping", why=""),
        CpuDecision(cpu=HOT, node=1, role="engine", why=""),
    )
    two = replace(plan, plan=replace(plan.plan, cpus=cpus))
    far = "7f00 default anon=100 dirty=100 N0=100 kernelpagesize_kB=4"
    huge = "7f01 default file=/anon_hugepage huge dirty=1 N0=1 kernelpagesize_kB=2048"
    library = "7f02 default file=/usr/lib/x.so mapped=9 N0=9 kernelpagesize_kB=4"
    for line, reason in (
        (far, "memory_remote"),
        (far.replace("N0=100", "N0=4 N1=96"), None),
        (far.replace("N0=100", "N0=6 N1=94"), "memory_remote"),
        (f"{far.replace('N0', 'N1')}\n{huge}", "memory_remote"),
        (f"{far.replace('N0', 'N1')}\n{library}", None),
    ):
        facts = changed(looked, lambda s, line=line: s.update(numa=line))  # type: ignore[misc]
        found = {one.check: one.reason for one in judge_slot(facts, two, NO_FACTS, watched=False)}
        assert found["engine.a.local"] == reason, line


def test_hugepages_that_were_asked_for_must_be_used(looked: SlotFacts) -> None:
    used = changed(looked, lambda s: s.update(numa="7f01 default huge dirty=8 N0=8 kernelpagesize_kB=2048"))
    assert "huge" not in failing(used)
    small = changed(looked, lambda s: s.update(numa="7f01 default anon=8 N0=8 kernelpagesize_kB=4"))
    assert failing(small)["huge"] == "memory_not_huge"


def test_interpreter_is_said_and_never_passes(looked: SlotFacts) -> None:
    def interpreted(sections: dict[str, str]) -> None:
        manifest = json.loads(sections["manifest"])
        manifest["exec"]["interpreter"] = ["python3"]
        sections["manifest"] = json.dumps(manifest)

    assert judged(changed(looked, interpreted))["program"] == (Verdict.NOT_APPLICABLE, "interpreted")


def test_watched_window_counts_faults_and_switches_and_wants_a_load(chain: Chain, slot: Slot) -> None:
    idle = judged(slot.look(window_s=0.2), watched=True)
    assert idle["hft-hot.minor_faults"][1] in ("idle_engine", "minor_faults")
    stop = threading.Event()

    def trade() -> None:
        while not stop.is_set():
            chain.trade("B", 1, 900_000)

    feeding = threading.Thread(target=trade)
    feeding.start()
    try:
        busy = slot.look(window_s=1)
    finally:
        stop.set()
        feeding.join()
    page = "engine_feed_messages_total"
    assert (busy.metric("after", page) or 0) > (busy.metric("before", page) or 0)
    found = judged(busy, watched=True)
    # This machine's CPUs are shared with other programs: whether it was disturbed is its own affair.
    assert found["hft-hot.major_faults"][0] is Verdict.OK
    assert found["hft-hot.involuntary_switches"][1] in (None, "involuntary_switches")
    quiet = changed(busy, lambda s: s.update({"after.page": s["before.page"]}))
    assert judged(quiet, watched=True)["hft-hot.major_faults"] == (Verdict.UNVERIFIABLE, "idle_engine")
    gone = changed(busy, lambda s: s.update({"before.stat": ""}))
    assert judged(gone, watched=True)["hft-hot.minor_faults"][1] == "engine_restarted"


@pytest.mark.parametrize(("field", "check"), [(7, "minor_faults"), (9, "major_faults")])
def test_one_fault_in_the_window_is_one_too_many(slot: Slot, field: int, check: str) -> None:
    facts = slot.look(window_s=0.1)

    def fault(sections: dict[str, str]) -> None:
        lines = sections["after.stat"].split("\n")
        at = next(n for n, line in enumerate(lines) if "(hft-hot)" in line)
        head, _, rest = lines[at].rpartition(")")
        words = rest.split()
        words[field] = str(int(words[field]) + 1_000)
        lines[at] = f"{head}) {' '.join(words)}"
        sections["after.stat"] = "\n".join(lines)

    assert judged(changed(facts, fault), watched=True)[f"hft-hot.{check}"] == (Verdict.VIOLATED, check)


def test_script_is_plain_posix_and_ends_with_its_mark() -> None:
    subprocess.run(["sh", "-n"], input=script_of("slots.sh", "@mark"), check=True)
    assert script_of("slots.sh", "@mark").decode().rstrip().endswith("section end")
