"""A file that something is mounted over is not known, whatever it says."""

from __future__ import annotations

import re

from checks.baseline import Baseline
from checks.expected import Expected
from checks.facts import Facts
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
