"""Real power cuts while transactions are written: a VM loses its memory, its disk keeps what reached it.

Twelve made hosts (the trees of the kill-point harness) lie on the disk of one VM, and on each the agent
writes the ten-step transaction, one after another. The power goes at a seeded instant. After the next boot
every managed file has to be whole, and after the recovery every tree wholly old or wholly new, new wherever
the agent had already answered. The reader shares no code with the agent.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.install.build import build_zipapp
from lab.driver import Lab
from lab.machine import Machine
from lab.spec import specs_of
from tests.support.kill_harness import Trials, lay_out, look, torn

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]
SEED = int(os.environ.get("HFT_SEED", "1"))
TREES = 12
PLACE = "/root/cuts"
APPLY_ALL = """
cd "$1"
for tree in $(seq 0 "$2"); do
  python3 -I -S -B agent.pyz --root "$1/$tree" apply < document.json > /dev/null && echo "$tree"
done
"""
RECOVER_ALL = """
cd "$1"
for tree in $(seq 0 "$2"); do python3 -I -S -B agent.pyz --root "$1/$tree" recover < /dev/null || exit; done
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    lab = Lab.named(os.environ.setdefault("HFT_LAB", "drill"))
    (ops,) = lab.up(specs_of(["ops"]), print)
    yield ops


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    folder = tmp_path_factory.mktemp("cuts")
    build_zipapp(folder / "agent.pyz")
    return Trials(folder / "agent.pyz", folder)


def send_trees(machine: Machine, trials: Trials, folder: Path) -> None:
    """Lay out the old trees, the agent and the document on the VM, all of it on its disk."""
    for tree in range(TREES):
        lay_out(folder / str(tree))
    (folder / "document.json").write_bytes(trials.document)
    (folder / "agent.pyz").write_bytes(trials.agent.read_bytes())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, arcname=".")
    unpack = f"rm -rf {PLACE} && mkdir {PLACE} && tar -C {PLACE} -x && sync"
    machine.succeed(["sh", "-c", unpack], stdin=packed.getvalue(), timeout_s=120)


def fetch_trees(machine: Machine, folder: Path) -> list[dict[str, str]]:
    """What every tree looks like now, read on this side."""
    folder.mkdir()
    argv = [*machine.login.argv(), f"tar -C {PLACE} -c $(seq -s ' ' 0 {TREES - 1})"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=120)
    subprocess.run(["tar", "-C", str(folder), "-x"], input=done.stdout, check=True)
    return [look(folder / str(tree)) for tree in range(TREES)]


def cut_while_writing(machine: Machine, after_s: float) -> set[int]:
    """Start the writers, take the power away; the trees whose transaction was answered before."""
    argv = [*machine.login.argv(), "bash", "-s", PLACE, str(TREES - 1)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        assert writers.stdin and writers.stdout
        writers.stdin.write(APPLY_ALL)
        writers.stdin.close()
        answered = {int(writers.stdout.readline())}  # the first is through: from here on time is random
        time.sleep(after_s)
        machine.power_cycle()
        writers.kill()
        answered |= {int(line) for line in writers.stdout.read().split()}
    return answered


@pytest.mark.parametrize("cut", range(3))
def test_power_cut_while_writing_leaves_every_tree_whole_and_keeps_what_was_answered(
    cut: int, machine: Machine, trials: Trials, tmp_path: Path
) -> None:
    dice = random.Random(f"{SEED}:{cut}")
    send_trees(machine, trials, tmp_path / "sent")
    before = machine.boot_id()
    answered = cut_while_writing(machine, dice.uniform(0.0, 5.0))
    machine.wait_for_boot(after=before)
    for tree, now in enumerate(fetch_trees(machine, tmp_path / "at-once")):
        assert not torn(now, trials.old, trials.new), f"seed {SEED}, cut {cut}, tree {tree}"
    machine.succeed(["bash", "-s", PLACE, str(TREES - 1)], stdin=RECOVER_ALL.encode(), timeout_s=300)
    sides: Counter[str] = Counter()
    for tree, now in enumerate(fetch_trees(machine, tmp_path / "recovered")):
        side = "old" if now == trials.old else "new" if now == trials.new else "mixed"
        assert side != "mixed", f"seed {SEED}, cut {cut}, tree {tree}"
        assert side == "new" or tree not in answered, f"seed {SEED}, cut {cut}: tree {tree} was answered"
        sides[side] += 1
    print(f"seed {SEED}, cut {cut}: {len(answered)} answered before the cut, {dict(sides)}, 0 mixed")
    assert sides["old"] and sides["new"], "the cut came too early or too late to say anything"
