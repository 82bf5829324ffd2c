"""Our reading of systemd's files against its own programs: sysctl in a namespace, tmpfiles below a root."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from checks.systemd_files import in_order, sysctl_winner, tmpfiles_winner
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

SYSCTL = "/usr/lib/systemd/systemd-sysctl"
KEY, PROC = "net.ipv4.ip_default_ttl", "/proc/sys/net/ipv4/ip_default_ttl"
TARGET = "/here/value"
NAMES = ("10-a.conf", "89-b.conf", "91-c.conf", "Z-d.conf", "99-e.conf", ".hidden.conf", "99-no")
SYSCTL_LINES = (
    f"{KEY} = 71", f"{KEY}=72", "net/ipv4/ip_default_ttl = 73", f"-{KEY} = 74", f"-{KEY}",
    "net.ipv4.ip_default* = 75", f"# {KEY} = 76", f"  {KEY}   =   77", f"; {KEY} = 78",
    "net//ipv4/ip_default_ttl = 79", f"{KEY}", "",
)  # fmt: skip
TMPFILES_LINES = (
    f"w {TARGET} - - - - 71", f"w! {TARGET} - - - - 72", "w /here/* - - - - 74",
    f"x {TARGET}", f"w {TARGET} - - - -", f"f+ {TARGET} - - - - 75", f"# w {TARGET} - - - - 76",
    "w /here//value - - - - 77", f"w- {TARGET} - - - - 78", "w /*/value - - - - 79",
    f'"w" "{TARGET}" - - - - 70', "",
)  # fmt: skip
MADE: Plan = plan(read_topology(machine(CASES["lab-generic"])), ENGINE)


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


IN_NAMESPACE = """\
set -e
for dir in etc run usr/local/lib usr/lib; do mkdir -p /$dir/sysctl.d; done
mount -t tmpfs none /run
for dir in etc run usr/local/lib usr/lib; do mkdir -p /$dir/sysctl.d; mount -t tmpfs none /$dir/sysctl.d; done
for tree in "$1"/*; do
  for dir in etc run usr/local/lib usr/lib; do
    rm -f /$dir/sysctl.d/* /$dir/sysctl.d/.h*
    [ -d "$tree/$dir/sysctl.d" ] && cp -r "$tree/$dir/sysctl.d/." /$dir/sysctl.d/
  done
  echo 64 > PROC
  SYSCTL > /dev/null 2>&1 || true
  echo "${tree##*/} $(cat PROC)"
done
""".replace("PROC", PROC).replace("SYSCTL", SYSCTL)


@needs.namespaces()
@pytest.mark.skipif(not Path(SYSCTL).exists(), reason=f"not installed: {SYSCTL}")
def test_sysctls_are_won_as_systemd_sysctl_decides(tmp_path: Path) -> None:
    cases = trees("sysctl.d", f"{KEY} = 90", SYSCTL_LINES, seed=1, count=120)
    for number, files in enumerate(cases):
        lay(tmp_path / f"{number:03}", files)
    argv = [
        "unshare",
        "--mount",
        "--net",
        "--propagation",
        "private",
        "sh",
        "-c",
        IN_NAMESPACE,
        "sh",
        str(tmp_path),
    ]
    done = subprocess.run(argv, text=True, capture_output=True, check=True, timeout=120)
    real = dict(line.split() for line in done.stdout.splitlines())
    assert len(real) == len(cases)
    setting = Sysctl(key=KEY, value="90", mode="safe", risk="r", source="s", why="w")
    for number, files in enumerate(cases):
        wanted = real[f"{number:03}"]
        winner = sysctl_winner(files, KEY)
        assert winner is not None
        assert (winner.value if winner.value is not None else "64") == wanted, files
        assert (foreign(setting, files) is None) == (wanted == "90"), files


@needs.programs("systemd-tmpfiles")
def test_an_appending_line_keeps_ours_out_as_well(tmp_path: Path) -> None:
    files = {
        "/etc/tmpfiles.d/90-hft.conf": f"w {TARGET} - - - - 90\n",
        "/run/tmpfiles.d/10-a.conf": f"w+ {TARGET} - - - - 73\n",
    }
    lay(tmp_path, {**files, TARGET: "64"})
    subprocess.run(
        ["systemd-tmpfiles", f"--root={tmp_path}", "--create", "--boot"], capture_output=True, check=False
    )
    assert (tmp_path / TARGET.lstrip("/")).read_text() == "6473"
    winner = tmpfiles_winner(files, TARGET)
    assert winner is not None
    assert winner.value == "73"


@needs.programs("systemd-tmpfiles")
def test_values_are_won_as_systemd_tmpfiles_decides(tmp_path: Path) -> None:
    setting = SysfsValue(key="k", path=TARGET, value="90", mode="safe", risk="r", source="s", why="w")
    for number, files in enumerate(
        trees("tmpfiles.d", f"w {TARGET} - - - - 90", TMPFILES_LINES, seed=2, count=60)
    ):
        root = tmp_path / str(number)
        lay(root, {**files, TARGET: "64"})
        argv = ["systemd-tmpfiles", f"--root={root}", "--create", "--remove", "--boot"]
        subprocess.run(argv, capture_output=True, check=False, timeout=60)
        real = (root / TARGET.lstrip("/")).read_text()
        winner = tmpfiles_winner(files, TARGET)
        assert winner is not None
        if winner.value is None:
            assert real != "90", files
        else:
            assert winner.value == real, files
        assert (foreign(setting, files) is None) == (real == "90"), files


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
