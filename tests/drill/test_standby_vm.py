"""A standby from nothing, by Pulumi's engine: made, killed, mended on its disk, tuned, proven, killed again.

It is created without waiting for its boot and killed in its firmware, so the first boot is that of the mended
host: it has to answer with the key that was signed before the kill.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest
import yaml

from lab.driver import Lab
from tests.support import needs
from tests.support.commands import BIN
from tests.support.signed import Signers
from tests.support.stacks.canary import processes_with

pytestmark = [
    pytest.mark.vm,
    pytest.mark.drill,
    needs.stacks(),
    needs.stack_engine(),
    pytest.mark.timeout(5400),
]
SITE = "lab-standby"
TOO_BUSY = 9
BOOT_S = 1800.0  # the project's own patience ends sooner


class Stage:
    """A lab of this test's own, and `hft` with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lab = folder, Lab.named("one")
        self.inventory = folder / "standby.signed.json"

    def hft(self, *words: object, codes: tuple[int, ...] = (0,)) -> str:
        argv = [str(BIN / "hft"), *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=2400, check=False)
        print("$ hft", *words, f"-> {done.returncode}", done.stdout[-3000:], done.stderr[-3000:], sep="\n")
        assert done.returncode in codes, (words, done)
        return done.stdout

    def stack(self, verb: str, *words: object, codes: tuple[int, ...] = (0,)) -> str:
        return self.hft("stack", verb, "lab", "--site", SITE, *words, codes=codes)

    def at_host(self, verb: str, *words: object, codes: tuple[int, ...] = (0,)) -> str:
        return self.hft(verb, "--inventory", self.inventory, *words, codes=codes)

    def identity(self) -> tuple[object, ...]:
        entry, disk = self.lab.entries()["standby"], self.lab.machine("standby").wiring.disk
        return entry["machine_id"], entry["uuid"], entry["host_key"], disk.stat().st_ino


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One host for all tests, in this order; HFT_LAB_DIR stays short: a monitor's socket has a short name."""
    folder = tmp_path_factory.mktemp("s")
    with pytest.MonkeyPatch.context() as patch:
        signers = Signers.in_folder(folder, patch)
        signers.allow(signers.key, sites=SITE)
        patch.setenv("HFT_LAB_DIR", str(folder / "l"))
        patch.setenv("HFT_LAB", "one")
        stage = Stage(folder)
        yield stage
        stage.lab.down(print)


def killed(stage: Stage) -> None:
    """Its QEMU is killed, a refresh names it, and `up` brings it back on its disk, as the same machine."""
    before, pid = stage.identity(), stage.lab.machine("standby").pid()
    psutil.Process(pid).kill()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    assert "update standby" in stage.stack("refresh", "--dry-run", codes=(3,))
    stage.stack("up", "--refresh", "--yes")
    assert stage.lab.machine("standby").pid() not in {None, pid}
    assert stage.identity() == before
    stage.lab.machine("standby").wait_for_ssh(timeout_s=BOOT_S)


def judge(stage: Stage) -> None:
    """Configuration and effect, both ok; a machine that was too busy to judge the effect is asked again."""
    for codes in ((0, TOO_BUSY), (0, TOO_BUSY), (0,)):
        said = json.loads(stage.at_host("check", "--json", codes=codes))
        if {row["verdict"] for row in said["hosts"]} == {"ok"}:
            return


def test_a_standby_that_was_killed_is_mended_on_its_disk_and_is_not_yet_proven(stage: Stage) -> None:
    settings = stage.folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({"config": {"lab:lab": "one", "lab:wait": False}}))
    stage.stack("up", "--settings", settings, "--yes")
    stage.stack("inventory", "--key", stage.folder / "signer", "--to", stage.inventory)
    killed(stage)
    nodes = [f"/sys/devices/system/node/node{node}/cpulist" for node in (0, 1)]
    assert stage.lab.machine("standby").succeed(["cat", *nodes]) == "0\n1-3\n"  # the project's default

    assert "no_plan" in stage.at_host("check", "--config-only", codes=(4,))
    plan = stage.folder / "plan.json"
    plan.write_text(stage.at_host("plan", "--host", "standby", "--json", codes=(3,)))
    stage.at_host("check", "--config-only", "--plan", plan, codes=(5,))


def test_it_is_tuned_and_proven_and_still_tuned_after_another_kill(stage: Stage) -> None:
    stage.at_host("apply", "--yes", "--reason", "a standby")
    judge(stage)
    killed(stage)
    stage.at_host("check", "--config-only")
    stage.at_host("plan", "--limit", "standby")


def test_when_it_is_destroyed_no_process_file_or_state_is_left(stage: Stage) -> None:
    assert list(stage.lab.entries()) == ["standby"]
    stage.stack("destroy", "--yes")
    assert not stage.lab.directory.exists()
    assert processes_with(str(stage.folder)) == []
    assert not list((stage.folder / "state/stacks").rglob(f"{SITE}.json"))
