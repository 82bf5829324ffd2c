"""One host more, and one less: adopted, refused, kept, removed; everything real but QEMU."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest

from hft.cli import run_guarded
from lab import driver
from lab.driver import Lab
from lab.errors import LabBusyError, LabUsageError
from lab.image import Kernel
from lab.lock import held
from lab.machine import Machine
from lab.spec import HostRole, VmSpec, nodes_of
from tests.support.checkout import ROOT
from tests.support.small_lab import small_lab

OWNER = "stack lab-unit"
STANDBY = VmSpec(
    name="standby",
    number=21,
    kernel=Kernel.GENERIC,
    role=HostRole.STANDBY,
    failure_domain="rack-s",
    nodes=nodes_of([(2, 512), (2, 1024)]),
    nic_node=1,
    threads_per_core=2,
)
SPARE = replace(STANDBY, name="spare", number=22)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    small_lab(tmp_path, monkeypatch)
    monkeypatch.setenv("HFT_LAB", "unit")
    found = Lab.named("unit")
    yield found
    found.down(print)


def add(lab: Lab, spec: VmSpec = STANDBY, owner: str = OWNER) -> Machine:
    return lab.add(spec, print, owner=owner, wait=False)


def runs(pid: int | None) -> bool:
    """Whether a process does; one that has ended may wait for its parent to look."""
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def what_it_is(lab: Lab, name: str = "standby") -> tuple[object, ...]:
    """What makes it this machine: identity, and the very disk with what is on it."""
    disk = lab.machine(name).wiring.disk
    entry = lab.entries()[name]
    content = hashlib.sha256(disk.read_bytes()).hexdigest()
    return entry["machine_id"], entry["uuid"], entry["host_key"], disk.stat().st_ino, content


def test_a_host_that_is_there_is_adopted_with_its_process_its_disk_and_its_identity(lab: Lab) -> None:
    made = add(lab)
    before, pid = what_it_is(lab), made.pid()
    assert pid is not None
    assert (add(lab).pid(), what_it_is(lab)) == (pid, before)


def test_a_host_whose_qemu_was_killed_comes_back_on_its_disk_with_its_identity(lab: Lab) -> None:
    pid, before = add(lab).pid(), what_it_is(lab)
    lab.machine("standby").crash()
    assert not lab.machine("standby").is_running()
    again = add(lab)
    assert again.is_running()
    assert again.pid() != pid
    assert what_it_is(lab) == before
    assert again.boots() == 2


@pytest.mark.parametrize(
    ("spec", "owner", "said"),
    [
        (
            STANDBY,
            "",
            f"standby: is there in lab unit, made by {OWNER}; hint: another name, or hft lab remove",
        ),
        (
            replace(STANDBY, threads_per_core=1),
            OWNER,
            "is there in lab unit as another machine .*2 threads per",
        ),
        (replace(STANDBY, number=30), OWNER, "as another machine .*number 21.*, not number 30"),
        (replace(SPARE, number=21), OWNER, "spare: number 21 is that of standby in lab unit"),
        (replace(SPARE, nic_node=7), OWNER, "spare: its NICs are on NUMA node 7"),
    ],
)
def test_a_host_that_is_another_machine_or_anothers_is_refused_and_stays(
    lab: Lab, spec: VmSpec, owner: str, said: str
) -> None:
    add(lab)
    before, names = what_it_is(lab), list(lab.entries())
    with pytest.raises(LabUsageError, match=said):
        add(lab, spec, owner)
    assert (what_it_is(lab), list(lab.entries())) == (before, names)
    assert lab.machine("standby").is_running()


def test_removing_a_host_leaves_nothing_of_it_and_the_others(lab: Lab) -> None:
    pid = add(lab).pid()
    assert runs(pid)
    add(lab, SPARE)
    assert lab.remove("standby", print)
    assert not runs(pid)
    assert list(lab.entries()) == ["spare"]
    assert not (lab.directory / "standby").exists()
    assert lab.machine("spare").is_running()
    assert not lab.remove("standby", print)  # told twice
    assert lab.remove("spare", print)
    assert not lab.directory.exists()
    assert not lab.remove("spare", print)
    assert not lab.directory.exists()


def test_a_machine_that_took_the_name_meanwhile_is_left_alone(lab: Lab) -> None:
    add(lab)
    assert not lab.remove("standby", print, uuid="11111111-1111-1111-1111-111111111111")
    assert lab.machine("standby").is_running()


def test_a_new_disk_is_a_new_machine(lab: Lab) -> None:
    add(lab)
    before = what_it_is(lab)
    lab.remove("standby", print)
    add(lab)
    assert not set(what_it_is(lab)[:3]) & set(before[:3])


def test_a_creation_that_was_cut_off_is_named_by_its_owner_and_made_anew(lab: Lab) -> None:
    add(lab, SPARE)
    cut = lab.directory / "standby"
    cut.mkdir()
    (cut / "owner").write_text(OWNER)
    (cut / "disk.qcow2").write_text("half")
    assert lab.half_made(OWNER) == ("standby",)
    assert lab.half_made("") == ()
    assert lab.remove("standby", print)
    assert lab.half_made(OWNER) == ()
    cut.mkdir()
    assert add(lab).is_running()
    assert lab.half_made(OWNER) == ()


def test_hosts_that_are_added_at_once_are_all_there_and_one_name_is_one_machine(lab: Lab) -> None:
    wanted = [STANDBY, SPARE, STANDBY, replace(SPARE, name="third", number=23)]
    with ThreadPoolExecutor(len(wanted)) as pool:
        machines = list(pool.map(lambda spec: add(lab, spec), wanted))
    assert machines[0].pid() == machines[2].pid()
    assert len({machine.pid() for machine in machines}) == len(lab.entries()) == 3


def test_another_shape_is_that_of_the_next_power_on_and_the_machine_is_the_same(lab: Lab) -> None:
    add(lab)
    before, wider = what_it_is(lab), replace(STANDBY, nodes=nodes_of([(2, 512), (4, 1024)]))
    lab.reshape(wider, print)
    assert lab.machine("standby").spec == wider
    lab.machine("standby").power_cycle()
    pid = lab.machine("standby").pid()
    assert "6,sockets=3,cores=1,threads=2" in Path(f"/proc/{pid}/cmdline").read_text()
    assert what_it_is(lab) == before
    with pytest.raises(LabUsageError, match="its disk is that of number 21 with the generic kernel"):
        lab.reshape(replace(wider, number=30), print)


def test_a_host_that_was_added_is_powered_on_by_its_name_and_belongs_to_the_whole(lab: Lab) -> None:
    add(lab)
    assert lab.specs(["standby"]) == (STANDBY,)
    assert [spec.name for spec in lab.specs([])] == ["engine-1", "engine-2", "ops", "standby"]
    with pytest.raises(LabUsageError, match="no lab host is called spare"):
        lab.specs(["spare"])


def test_the_verbs_add_show_and_remove(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lab", "add", "standby", "--node", "2:512", "--node", "2:1024", "--threads", "2", "--no-wait"]
    for _ in "ab":  # the second one adopts
        assert run_guarded(words) == 0
        assert "standby: power is on, number 21, generic kernel, standby of rack-s" in capsys.readouterr().out
    assert run_guarded(["lab", "add", "other", "--no-wait"]) == 0
    assert lab.machine("other").spec.number == 22
    assert run_guarded(["lab", "add", "standby", "--no-wait"]) == 2
    assert "as another machine" in capsys.readouterr().err
    assert run_guarded(["lab", "add", "third", "--node", "2"]) == 2
    assert "write CPUS:MIB" in capsys.readouterr().err
    assert run_guarded(["lab", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hosts"]["standby"]["owner"] == ""
    for name in ("standby", "other"):
        assert run_guarded(["lab", "remove", name]) == 0
    assert run_guarded(["lab", "remove", "standby"]) == 0
    assert "standby: was not in lab unit" in capsys.readouterr().out
    assert not lab.directory.exists()


HOLD = """
import sys, time
from pathlib import Path
from lab.lock import held
with held(Path(sys.argv[1]), "up of engine-1", print):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", HOLD, str(lab.directory)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_who_waits_in_vain_is_told_whom_for(
    lab: Lab,
    holder: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(driver, "WAIT_S", 0.3)
    whom = f"lab unit is being changed by another command \\(pid {holder.pid}, up of engine-1\\)"
    with pytest.raises(LabBusyError, match=f"{whom} and was not free within 0 s; hint: wait"):
        lab.down(print)
    assert run_guarded(["lab", "remove", "standby"]) == 8
    assert f"is being changed (pid {holder.pid}, up of engine-1): waiting for it" in capsys.readouterr().err


def test_a_lock_ends_with_its_holder(lab: Lab, holder: subprocess.Popen[str]) -> None:
    said: list[str] = []
    threading.Timer(0.3, holder.kill).start()
    with held(lab.directory, "test", said.append, wait_s=30):
        assert holder.poll() is not None or holder.wait(timeout=10) is not None
    assert len(said) == 1


def test_who_waited_while_the_lab_went_down_holds_the_lock_of_the_next_one(lab: Lab) -> None:
    order: list[str] = []

    def wait() -> None:
        with held(lab.directory, "second", lambda _: order.append("waits"), wait_s=30):
            order.append("second holds")
            with pytest.raises(LabBusyError), held(lab.directory, "third", lambda _: None, wait_s=0.3):
                order.append("third holds")

    waiter = threading.Thread(target=wait)
    with held(lab.directory, "first", print):
        waiter.start()
        while "waits" not in order:
            time.sleep(0.01)
        (lab.directory / "lock").unlink()
        lab.directory.rmdir()
    waiter.join(timeout=30)
    assert order == ["waits", "second holds"]
