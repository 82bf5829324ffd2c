"""A file that something is mounted over is not known, whatever it says."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from checks.baseline import Baseline
from checks.expected import Expected
from checks.facts import Facts
from checks.mounts import ON_DISK
from checks.verdict import Verdict, worst
from tests.support.host_edits import (
    edit,
    everything,
    mounted,
)


def test_a_file_of_the_kernel_is_covered_by_any_mount_on_the_way_to_it(tuned: Facts) -> None:
    paths = {path for path in {*tuned.files, *tuned.absent} if path.startswith(("/proc/", "/sys/"))}
    assert len(paths) > 100
    assert not [path for path in paths if tuned.covered(path)]
    for path in paths:
        words = path.split("/")
        for end in range(3, len(words) + 1):
            assert mounted("/".join(words[:end]))(tuned).covered(path), (path, end)
        assert not mounted(f"{path}x")(tuned).covered(path), "a longer name is another file"
        base = "/sys/fs/cgroup" if path.startswith("/sys/fs/cgroup") else f"/{words[1]}"
        assert edit("/proc/self/mountinfo", f" {base} ", " /elsewhere ")(tuned).covered(path)


def test_no_finding_passes_on_a_covered_file(tuned: Facts, expected: Expected, lab_class: Baseline) -> None:
    """Of every kind of file one; what is covered is not known, which is no violation either."""
    paths = sorted({path for path in {*tuned.files, *tuned.absent} if path.startswith(("/proc/", "/sys/"))})
    kinds = {re.sub(r"\d+", "N", path): path for path in paths} | {
        "/proc/N": "/proc/1",
        "/sys": "/sys/devices",
    }
    for point in kinds.values():
        found = everything(mounted(point)(tuned), expected, lab_class)
        assert worst(found.values()) in {Verdict.UNVERIFIABLE, Verdict.VIOLATED}, point
        assert {one.reason for one in found.values() if one.verdict is Verdict.VIOLATED} <= {"not_procfs"}


FOREIGN = (
    "fuse.sshfs",
    "fuse.lxcfs",
    "fuseblk",
    "overlay",
    "tmpfs",
    "ramfs",
    "nfs4",
    "9p",
    "virtiofs",
    "squashfs",
    "new",
)


@pytest.mark.parametrize("path", ["/boot/grub/grub.cfg", "/etc/sysctl.d/99-x.conf", "/var/lib/hft/plan.json"])
def test_only_a_file_system_of_a_disk_holds_what_outlives_a_boot(path: str, tuned: Facts) -> None:
    folder = path.rpartition("/")[0]
    for kind in FOREIGN:
        assert over(folder, kind, tuned).covered(path), kind
    for kind in ON_DISK:
        assert not over(folder, kind, tuned).covered(path), kind


def over(point: str, kind: str, facts: Facts) -> Facts:
    line = f"99 26 0:77 / {point} rw - {kind} x rw\n"
    table = facts.files["/proc/self/mountinfo"]
    return replace(facts, files={**facts.files, "/proc/self/mountinfo": f"{table.rstrip()}\n{line}"})
