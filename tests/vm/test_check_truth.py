"""What others leave on a host, on both kernels: plan and check name it, and the way out they name ends it.

No boot: the next boot is read, not tried. The hosts are tuned by the module before, or here.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.driver import Lab
from tests.support.checkout import ROOT

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]
HFT = str(Path(sys.executable).with_name("hft"))
ENGINES = ("engine-1", "engine-2")
VENDOR = "/etc/sysctl.d/99-vendor.conf"
DROP_IN = "/etc/systemd/system/system.slice.d/99-local.conf"
PLANTED = {
    "persist.vm.swappiness": VENDOR,
    "persist.slice.system.slice": DROP_IN,
    "boot.next": "grub-set-default hft-good",
}


def hft(*words: str, codes: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([HFT, *words], cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode in codes, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done


def on(lab: Lab, name: str, script: str) -> str:
    return lab.machine(name).succeed(["sh", "-c", script])


def findings() -> dict[str, dict[str, dict[str, Any]]]:
    """Host, check, finding: what the files and the running kernel show, no window."""
    document = json.loads(hft("check", "--config-only", "--json", codes=(0, 4, 5)).stdout)
    return {
        one["host"]: {finding["check"]: finding for finding in one["findings"]} for one in document["hosts"]
    }


def settled(name: str) -> dict[str, Any]:
    """How the half undone host stands once its own recovery unit has tried in vain, too."""
    standing: dict[str, Any] = {}
    for _ in range(60):
        done = hft("status", "--json", name, codes=(0, 10))
        (standing,) = json.loads(done.stdout)["hosts"]
        if standing["busy"] is None:
            assert done.returncode == 10, done.stdout
            return dict(standing)
        time.sleep(2)
    raise AssertionError(f"{name} is still at work: {standing}")


@pytest.fixture(scope="module")
def tuned(lab: Lab) -> Iterator[Lab]:
    hft("apply", "--yes", "--drain")
    yield lab


PLANT = f"""
printf 'vm.swappiness = 60\\n' >{VENDOR}
mkdir -p {DROP_IN.rpartition("/")[0]}; printf '[Slice]\\nAllowedCPUs=2\\n' >{DROP_IN}
grub-set-default 'Debian GNU/Linux'
"""
WAY_OUT = f"rm -f {VENDOR} {DROP_IN}; grub-set-default hft-good"  # as the messages say


def test_foreign_files_and_a_saved_entry_are_named_and_their_way_out_ends_them(tuned: Lab) -> None:
    try:
        for name in ENGINES:
            on(tuned, name, PLANT)
        planted = findings()
        refused = hft("apply", "--yes", codes=(2,))
        plan = "".join(hft("plan", "--host", name, codes=(0, 3)).stdout for name in ENGINES)
    finally:
        for name in ENGINES:
            on(tuned, name, WAY_OUT)
    for name in ENGINES:
        for check, said in PLANTED.items():
            found = planted[name][check]
            assert (name, check, found["verdict"]) == (name, check, "violated")
            assert said in found["message"]
    assert VENDOR in refused.stderr
    assert (plan.count(VENDOR) >= len(ENGINES), plan.count(DROP_IN) >= len(ENGINES)) == (True, True)
    hft("apply", "--yes")
    after = findings()
    ends = {(name, check): after[name][check]["verdict"] for name in ENGINES for check in PLANTED}
    assert ends == dict.fromkeys(ends, "ok")


def test_what_the_kernel_holds_is_on_record_and_nothing_is_pending_for_ever(tuned: Lab) -> None:
    for name in ENGINES:
        record = json.loads(on(tuned, name, "cat /run/hft/irqs.json"))
        boot = on(tuned, name, "cat /proc/sys/kernel/random/boot_id").strip().replace("-", "")
        assert record["boot_id"].replace("-", "") == boot
        assert record["held"], "the disk's queues are the kernel's own on these hosts"
        assert {one["error"] for one in record["held"]} <= {"EIO", "EPERM"}
    again = json.loads(hft("apply", "--yes", "--json").stdout)
    assert {one["host"]: one["result"] for one in again["hosts"]} == dict.fromkeys(ENGINES, "no_change")


SYSCTLS, UNIT = "/etc/sysctl.d/90-hft.conf", "irqbalance.service"
MASK = f"/etc/systemd/system/{UNIT}"
# An irqbalance that somebody started again, and a program that takes its mask away as soon as it is there, so
# that the change fails, and makes a file that was changed before unchangeable, so that it cannot be undone.
# It starts no process between mask and end: a starved machine would come too late for the agent's own look.
STUBBORN_PROGRAM = f"""
import fcntl, os, struct, time
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10  # ioctl_iflags(2)
while not os.path.islink({MASK!r}):
    time.sleep(0.002)
held = os.open({SYSCTLS!r}, os.O_RDONLY)
flags = struct.unpack("l", fcntl.ioctl(held, GET_FLAGS, struct.pack("l", 0)))[0]
fcntl.ioctl(held, SET_FLAGS, struct.pack("l", flags | IMMUTABLE))
os.unlink({MASK!r})
"""
STUBBORN = f"""
echo '# changed by hand' >>{SYSCTLS}
rm -f {MASK}
systemctl daemon-reload
systemctl start {UNIT}
systemd-run --unit=stubborn python3 -c {shlex.quote(STUBBORN_PROGRAM)}
"""
FREED = f"systemctl stop stubborn || true; chattr -i {SYSCTLS}"


@pytest.mark.parametrize("name", ENGINES)
def test_a_half_undone_host_is_said_refused_and_mended_by_what_the_message_names(
    tuned: Lab, name: str
) -> None:
    try:
        on(tuned, name, STUBBORN)
        failed = hft("apply", "--yes", "--drain", "--limit", name, codes=(10,))
        standing = settled(name)
        refused = hft("apply", "--yes", "--limit", name, codes=(10,))
        plan = hft("plan", "--host", name, codes=(0, 3))
        found = findings()[name]["agent.transactions"]
    finally:
        on(tuned, name, FREED)
        recovered = hft(
            "recover", name, codes=tuple(range(11))
        )  # whatever failed, the host is whole for others
    assert (standing["transaction"]["phase"], found["reason"]) == ("undoing", "half_undone")
    for said in (failed.stdout, refused.stdout, plan.stderr):
        assert f"hft recover {name}" in said
    assert recovered.returncode == 0, recovered
    hft("apply", "--yes", "--drain", "--limit", name)
    after = findings()[name]
    assert {after[one]["verdict"] for one in ("agent.transactions", f"setting.unit.{UNIT}")} == {"ok"}
