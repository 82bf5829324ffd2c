"""Our reading of systemd's files against its own programs: sysctl in a namespace, tmpfiles below a root."""

from __future__ import annotations

import posixpath
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from checks.boot_writes import UNKNOWN, Write, last_write, sysctl_writes, tmpfiles_writes
from checks.systemd_files import in_order
from tests.cases.machines import CASES, machine
from tests.support import needs
from tests.support.boot_files import ROOTS
from tuning.compliance.overruled import overruled
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import Sysctl, SysfsValue
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

pytestmark = pytest.mark.long

SYSCTL = "/usr/lib/systemd/systemd-sysctl"
KEY, PROC = "vm.dirty_ratio", "/proc/sys/vm/dirty_ratio"
SETTER = "/proc/sys/vm/dirty_bytes"
NAMES = ("10-a.conf", "89-b.conf", "91-c.conf", "Z-d.conf", "99-e.conf", ".hidden.conf", "99-no")
SYSCTL_LINES = (
    f"{KEY} = 71", f"{KEY}=72", "vm/dirty_ratio = 73", f"-{KEY} = 74", f"-{KEY}", f"{KEY} = 90",
    "vm.dirty_rat* = 75", f"# {KEY} = 76", f"  {KEY}   =   77", f"; {KEY} = 78", "vm//dirty_ratio = 79",
    f"{KEY}", "", "vm/./dirty_ratio = 80", "vm/dirty_ratio/ = 81", ".vm.dirty_ratio. = 82",
    "vm..dirty_ratio=83", "--vm.dirty_ratio = 84", "vm.dirty_bytes = 4096", "vm.dirty_byte* = 8192",
    "vm.dirty_bytes = 4096", "-vm.dirty_bytes", "vm.{dirty_,x}byte? = 99", "vm.{dirty_ratio,x} = 85",
    "vm.[^x]irty_ratio = 86", "net/../vm/dirty_ratio = 87", "net/*/../../vm/dirty_ratio = 88",
    "vm.dirty_bytes = 0", "*.dirty_ratio=89", "vm.[[:alpha:]]irty_ratio = 91", "vm.dirty_rati\\o = 92",
    "vm.d{ir{t,x},y}y_byt* = 93", "vm.swappiness=3",
)  # fmt: skip
CPU = "/sys/devices/system/cpu"
TARGETS = {
    "/here/value": ("/here/value",),
    f"{CPU}/cpu2/cpufreq/gov": (f"{CPU}/cpu2/cpufreq/gov", f"{CPU}/cpufreq/policy2/gov"),
    "/proc/sys/vm/swappiness": ("/proc/sys/vm/swappiness",),
}
SHAPES = (
    "w {} - - - - 71", "w! {} - - - - 72", "w {up}/* - - - - 74", "x {}", "w {} - - - -",
    "f+ {} - - - - 75", "# w {} - - - - 76", "w {up}//{leaf} - - - - 77", "w- {} - - - - 78",
    '"w" "{}" - - - - 70', "", "w {} - - - - 90", "w {}/ - - - - 80", "w {up}/./{leaf} - - - - 81",
    "w {up}/../{last}/{leaf} - - - - 82", "w {up}/{{{leaf},x}} - - - - 83", "w {up}/{{{leaf} - - - - 84",
    "w {up}/[^x]{tail} - - - - 85", "w {up}/[[:alpha:]]{tail} - - - - 86", "w* {} - - - - 87",
    "w= {} - - - - 88", "F {} - - - - 89", "f {} - - - - 91", "w {} - - - - \\x37\\x33",
    "w {} - - - - \\x39\\x30", "w~ {} - - - - NzQ=", "w {} 0644 root root 10d 92",
    "w {up}/?{tail}/. - - - - 93", "  w   {}   - - -   -   94  ", 'w "{up}/\\x{hex}{tail}" - - - - 95',
    "e {}", "w {} - - - - %%4", "w {} - - - - -", "w {up}/{{?{tail},x}} - - - - 96",
    "w {up}/{{[{first}]{tail},x}} - - - - 97", "x {up}/*", "w {up}/[{{x]* - - - - 98",
)  # fmt: skip
EXTRA = (
    f"w {CPU}/cpufreq/policy*/gov - - - - 61", f"w {CPU}/cpufreq/policy2/gov - - - - 62",
    f"w {CPU}/cpu?/cpufreq/gov - - - - 63", f"w {CPU}/cpufreq/policy2/gov - - - - 90",
    "w /sys/bus/cpu/devices/cpu2/cpufreq/gov - - - - 64",
    "w /sys/bus/*/devices/cpu*/cpufreq/gov - - - - 65", f"w {CPU}/cpufreq/policy3/gov - - - - 66",
    "w /s*/d*/*/c*/c*/*/gov - - - - 67",
)  # fmt: skip
MADE: Plan = plan(read_topology(machine(CASES["lab-generic"])), ENGINE)


def shaped(target: str) -> tuple[str, ...]:
    up, _, leaf = target.rpartition("/")
    parts = {"up": up, "last": up.rpartition("/")[2], "leaf": leaf, "first": leaf[0], "tail": leaf[1:]}
    return tuple(one.format(target, hex=f"{ord(leaf[0]):02x}", **parts) for one in SHAPES)


def trees(folder: str, ours: str, lines: tuple[str, ...], seed: int, count: int) -> list[dict[str, str]]:
    """Ours, and a few foreign files in random folders: names, order and lines that are easily misread."""
    dice, found = random.Random(seed), []
    for root in ROOTS:  # the cases of the book first: one before, one after, in each folder
        found += [{f"{root}/{folder}/{name}": f"{lines[0]}\n"} for name in ("10-a.conf", "99-e.conf")]
    for _ in range(count):
        chosen = [(dice.choice(ROOTS), dice.choice(NAMES)) for _ in range(dice.randint(1, 4))]
        found.append(
            {
                f"{root}/{folder}/{name}": "".join(
                    f"{dice.choice(lines)}\n" for _ in range(dice.randint(0, 2))
                )
                for root, name in chosen
            }
        )
    return [{f"/etc/{folder}/90-hft.conf": f"{ours}\n", **one} for one in found]


def lay(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def foreign(setting: Sysctl | SysfsValue, files: dict[str, str]) -> str | None:
    """The file that the planner's reading says would win over ours."""
    texts = {path: text for path, text in files.items() if text}
    hidden = {path: "/dev/null" for path, text in files.items() if not text}
    made = replace(MADE, settings=(setting,))
    found = overruled(made, Snapshot(dict(texts), hidden))
    return found[0].path if found else None


def sysctl(key: str = KEY) -> Sysctl:
    return Sysctl(key=key, value="90", mode="safe", risk="r", source="s", why="w")


def held(writes: list[Write], real: str | None, theirs: str | None, files: dict[str, str]) -> bool:
    """Compare both readings with what was really written last (None: nothing); whether it was decided.

    A reading may doubt, but none ever says that ours wins where it does not.
    """
    last = last_write(writes)
    behind = writes[writes.index(last) + 1 :] if last is not None else writes
    doubts = {one.value for one in behind} - {last.value if last else None}
    unread = {one.value for one in writes if (one.value or "").startswith(UNKNOWN)}
    if not doubts and not unread:
        assert (last.value if last else None) == real, repr((files, writes))
    if real not in ("90", None):
        assert theirs is not None, (files, real)
        assert doubts or unread or (last is not None and last.value != "90"), (files, writes)
    elif not doubts and not unread and real == "90" and not any(path.startswith("/run/") for path in files):
        assert theirs is None, repr(files)
    return not doubts and not unread


IN_NAMESPACE = """\
set -e
for dir in etc run usr/local/lib usr/lib; do mkdir -p /$dir/sysctl.d; done
mount --bind "$1/sys" /proc/sys
mount -t tmpfs none /run
for dir in etc run usr/local/lib usr/lib; do mkdir -p /$dir/sysctl.d; mount -t tmpfs none /$dir/sysctl.d; done
for tree in "$1"/[0-9]*; do
  for dir in etc run usr/local/lib usr/lib; do
    rm -f /$dir/sysctl.d/* /$dir/sysctl.d/.h*
    [ -d "$tree/$dir/sysctl.d" ] && cp -r "$tree/$dir/sysctl.d/." /$dir/sysctl.d/
  done
  echo "case ${tree##*/}"
  SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console PROGRAM 2>&1 | grep "^Setting" || true
done
""".replace("PROGRAM", SYSCTL)


def real_sysctls(root: Path) -> dict[int, str | None]:
    """For each tree, what PROC holds after the last write, of it or of what sets it, too."""
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_NAMESPACE, "sh", str(root)]
    done = subprocess.run(argv, text=True, capture_output=True, check=True, timeout=120)
    found: dict[int, str | None] = {}
    number = -1
    for line in done.stdout.splitlines():
        if line.startswith("case "):
            number = int(line.split()[1])
            found[number] = None
        elif written := re.fullmatch(r"Setting '([^']*)' to '([^']*)'", line):
            path = posixpath.normpath(written[1])
            if path == PROC:
                found[number] = written[2]
            elif path == SETTER and written[2] != "0":
                found[number] = f"vm.dirty_bytes = {written[2]}"
    return found


@needs.namespaces()
@pytest.mark.skipif(not Path(SYSCTL).exists(), reason=f"not installed: {SYSCTL}")
def test_sysctls_are_won_as_systemd_sysctl_decides(tmp_path: Path) -> None:
    cases = trees("sysctl.d", f"{KEY} = 90", SYSCTL_LINES, seed=1, count=400)
    for number, files in enumerate(cases):
        lay(tmp_path / f"{number:03}", files)
    values = ("vm/dirty_ratio", "vm/dirty_bytes", "vm/swappiness", "net/ipv4/x")
    lay(tmp_path / "sys", dict.fromkeys(values, "0"))
    real = real_sysctls(tmp_path)
    assert len(real) == len(cases)
    decided = sum(
        held(sysctl_writes(files, (PROC,)), real[number], foreign(sysctl(), files), files)
        for number, files in enumerate(cases)
    )
    assert decided > len(cases) * 0.6


@needs.programs("systemd-tmpfiles")
def test_an_appending_line_keeps_ours_out_as_well(tmp_path: Path) -> None:
    target = "/here/value"
    files = {
        "/etc/tmpfiles.d/90-hft.conf": f"w {target} - - - - 90\n",
        "/run/tmpfiles.d/10-a.conf": f"w+ {target} - - - - 73\n",
    }
    lay(tmp_path, {**files, target: "64"})
    subprocess.run(
        ["systemd-tmpfiles", f"--root={tmp_path}", "--create", "--boot"], capture_output=True, check=False
    )
    assert (tmp_path / target.lstrip("/")).read_text() == "6473"
    winner = last_write(tmpfiles_writes(files, (target,)))
    assert winner is not None
    assert winner.value == "73"


@needs.programs("systemd-tmpfiles")
@pytest.mark.parametrize("target", TARGETS)
def test_values_are_won_as_systemd_tmpfiles_decides(target: str, tmp_path: Path) -> None:
    setting: Sysctl | SysfsValue = SysfsValue(
        key="k", path=target, value="90", mode="safe", risk="r", source="s", why="w"
    )
    is_sysctl = target.startswith("/proc/")
    ours = "# nothing" if is_sysctl else f"w {target} - - - - 90"
    lines = shaped(target)
    if "cpufreq" in target:  # systemd 252 lists no folder behind a link; others may
        lines = (*EXTRA, *(one for one in lines if not re.search(r"[*?\[]", one)))
    cases = trees("tmpfiles.d", ours, lines, seed=2, count=150)
    decided = 0
    for number, files in enumerate(cases):
        root = tmp_path / str(number)
        lay(
            root,
            {**files, "/here/value": "0", "/proc/sys/vm/swappiness": "0", f"{CPU}/cpufreq/policy2/gov": "0"},
        )
        lay(root, {f"{CPU}/cpufreq/policy3/gov": "0", f"{CPU}/cpu2/online": "1"})
        (root / CPU.lstrip("/") / "cpu2/cpufreq").symlink_to("../cpufreq/policy2")
        (root / "sys/bus/cpu/devices").mkdir(parents=True)
        (root / "sys/bus/cpu/devices/cpu2").symlink_to("../../../devices/system/cpu/cpu2")
        place = root / target.lstrip("/")
        place.write_text("")
        argv = ["systemd-tmpfiles", f"--root={root}", "--create", "--remove", "--boot"]
        subprocess.run(argv, capture_output=True, check=False, timeout=60)
        real = last_of(place.read_text())
        theirs = foreign(sysctl("vm.swappiness") if is_sysctl else setting, files)
        decided += held(tmpfiles_writes(files, TARGETS[target]), real, theirs, files)
    assert decided > len(cases) * 0.6


def last_of(text: str) -> str | None:
    """What was written last, by two characters: `w` does not empty a plain file before it writes."""
    return text[:2] or None


@needs.programs("systemd-analyze")
@pytest.mark.parametrize("folder", ["systemd/system.conf.d", "sysctl.d", "tmpfiles.d"])
def test_files_are_read_in_systemds_own_order(folder: str, tmp_path: Path) -> None:
    """`cat-config` prints the files that count, in order; for system.conf the main file comes first."""
    asked = folder.removesuffix(".d") if "/" in folder else folder
    for seed in range(12):
        root = tmp_path / str(seed)
        files = trees(folder, "# ours", ("# a", "# b"), seed=seed, count=1)[-1]
        lay(root, {"/etc/systemd/system.conf": "# main\n", **files})
        done = subprocess.run(
            ["systemd-analyze", f"--root={root}", "cat-config", asked],
            text=True,
            capture_output=True,
            check=True,
        )
        shown = re.findall(rf"^# {re.escape(str(root))}(/\S+)$", done.stdout, re.MULTILINE)
        assert [path for path in shown if path != "/etc/systemd/system.conf"] == in_order(files, folder)
