"""`hft stack` on the real engine, with hosts of a lab in which only QEMU is a stand-in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import needs
from tests.support.hft_here import Said, hft_here
from tests.support.signed import Signers
from tests.support.small_lab import small_lab

pytestmark = [
    pytest.mark.engine,
    needs.stacks(),
    needs.stack_engine(),
    pytest.mark.timeout(600),
]
pytest.importorskip("pulumi")

from inventory.load import load_site  # noqa: E402
from lab.driver import Lab  # noqa: E402
from stacks.runner.leftovers import leftovers  # noqa: E402
from stacks.runner.tools import HOST, find_tools  # noqa: E402
from tests.support.stacks.soak import pids_of  # noqa: E402

SITE = ("--site", "lab-unit")


class Stage:
    """A lab, settings for it, and `hft stack` with that site."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.lab, self._capsys = folder, Lab.named("unit"), capsys
        self.root = folder / "state/stacks/lab-unit"

    def hft(self, *words: object) -> Said:
        return hft_here(self._capsys, *words)

    def stack(self, verb: str, *words: object) -> Said:
        return self.hft("stack", verb, "lab", *SITE, *words)

    def settings(self, **given: Any) -> Path:
        path = self.folder / "settings.yaml"
        config = {"lab": "unit", "wait": False, **given}
        path.write_text(yaml.safe_dump({"config": {f"lab:{key}": value for key, value in config.items()}}))
        return path

    def up(self, **given: Any) -> Said:
        return self.stack("up", "--settings", self.settings(**given), "--yes")

    def sign(self, *words: object) -> Said:
        key = self.folder / "signer"
        return self.stack("inventory", "--key", key, "--to", self.signed, *words)

    @property
    def signed(self) -> Path:
        return self.folder / "site.signed.json"

    def identity(self, name: str = "standby") -> tuple[Any, ...]:
        entry = self.lab.entries()[name]
        disk = self.lab.machine(name).wiring.disk
        return entry["machine_id"], entry["uuid"], entry["host_key"], disk.stat().st_ino


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    Signers.in_folder(tmp_path, monkeypatch).allow(tmp_path / "signer", sites="lab-unit")
    small_lab(tmp_path, monkeypatch)
    monkeypatch.setenv("HFT_LAB", "unit")
    stage = Stage(tmp_path, capsys)
    yield stage
    stage.lab.down(print)


@pytest.fixture(params=["built by make setup-stacks", "of PATH"])
def whose(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose engine runs: a Pulumi that is installed has its own language host and comes first."""
    whose = str(request.param)
    if whose == "of PATH" and find_tools().found != whose:
        pytest.skip(
            "no Pulumi with a language host of its own is on PATH, so the engine built here runs alone"
        )
    if whose != "of PATH":
        places = os.environ["PATH"].split(os.pathsep)
        others = [place for place in places if not (Path(place) / HOST).exists()]
        monkeypatch.setenv("PATH", os.pathsep.join(others))
    return whose


def test_a_standby_is_made_from_nothing_named_when_it_is_off_mended_on_its_disk_and_destroyed(
    stage: Stage, whose: str
) -> None:
    shown = stage.stack("preview", "--settings", stage.settings())
    assert f", {whose} (" in shown.err, shown
    assert (shown.code, stage.lab.directory.exists()) == (3, False), shown
    assert "create standby (pulumi-python:dynamic/hft:LabHost)" in shown.out
    made = stage.up()
    assert made.code == 0, made
    machine, before = stage.lab.machine("standby"), stage.identity()
    assert machine.is_running()
    again = stage.stack("up", "--yes")
    assert (again.code, again.out.splitlines()[0]) == (0, "nothing is to change"), again
    assert leftovers(stage.root) == ()  # the VM is nobody's child and carries no mark of a run
    assert stage.sign("--json").code == 0
    (host,) = load_site(stage.signed).hosts
    assert host.identity is not None
    assert (host.name, host.role, host.profile, host.power) == ("standby", "standby", "engine", "lab")
    assert (host.machine_id, host.identity.dmi_uuid, host.host_keys[0]) == before[:3]

    machine.crash()
    drift = stage.stack("refresh", "--dry-run")
    assert (drift.code, "update standby" in drift.out) == (3, True), drift
    mended = stage.stack("up", "--refresh", "--yes")
    assert mended.code == 0, mended
    assert "update standby" in mended.out
    assert stage.lab.machine("standby").is_running()
    assert stage.identity() == before
    signed = stage.sign()
    assert (signed.code, "new machine" in signed.out) == (0, False), signed
    assert "generation 2, 1 host(s), of stack organization/lab/lab-unit by pulumi v3." in signed.out

    wider = stage.up(cpus=[2, 4], threadsPerCore=2)
    assert wider.code == 0, wider
    pid = stage.lab.machine("standby").pid()
    assert "6,sockets=3,cores=1,threads=2" in Path(f"/proc/{pid}/cmdline").read_text()
    assert stage.identity() == before

    gone = stage.stack("destroy", "--yes")
    assert gone.code == 0, gone
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_text()
    assert not stage.lab.directory.exists()
    assert [path.name for path in stage.root.rglob("lab-unit.json")] == []


@pytest.mark.drill
def test_a_host_whose_disk_is_gone_is_another_machine_and_wants_an_approval(stage: Stage) -> None:
    assert stage.up().code == 0
    assert stage.sign().code == 0
    before = stage.identity()
    stage.lab.machine("standby").crash()
    stage.lab.machine("standby").wiring.disk.unlink()
    assert stage.stack("refresh").code == 0
    refused = stage.stack("up", "--yes")
    assert refused.code == 2, refused
    assert "standby would be deleted or replaced, and --yes does not cover that" in refused.err
    plan = stage.folder / "plan.json"
    shown = stage.stack("preview", "--save", plan)
    digest = shown.out.split()[-1]
    assert stage.stack("up", "--plan", plan, "--approve", digest, "--yes").code == 0
    after = stage.identity()
    assert not set(after[:3]) & set(before[:3])
    assert list(stage.lab.entries()) == ["standby"]
    assert f"standby: a new machine, {after[0][:8]} where {before[0][:8]} was" in stage.sign().out
    stage.lab.machine("standby").crash()
    stage.lab.machine("standby").wiring.disk.unlink()
    assert stage.stack("refresh").code == 0
    again = stage.stack("up", "--plan", plan, "--approve", digest, "--yes")
    assert again.code == 2, again
    assert f"plan {digest} was approved for one run, and has had it" in again.err


@pytest.mark.drill
def test_a_host_that_somebody_made_by_hand_is_refused_and_left_alone(stage: Stage) -> None:
    assert stage.hft("lab", "add", "standby", "--no-wait").code == 0
    before = stage.identity()
    failed = stage.up()
    assert failed.code == 10, failed
    assert "standby: is there in lab unit, made by hand; hint: another name" in failed.err
    assert "Traceback" not in failed.err
    assert stage.sign().code == 10  # nothing is signed after a run that did not end well
    assert not stage.signed.exists()
    assert stage.stack("recover", "--yes").code == 0
    assert stage.identity() == before
    assert stage.lab.machine("standby").is_running()


@pytest.mark.drill
def test_hosts_of_one_stack_are_made_at_once_and_one_that_is_taken_away_goes_alone(stage: Stage) -> None:
    assert stage.up(hosts=["one", "two", "three"]).code == 0
    assert {machine.name for machine in stage.lab.machines() if machine.is_running()} == {
        "one",
        "two",
        "three",
    }
    one = stage.identity("one")
    plan = stage.folder / "plan.json"
    fewer = stage.settings(hosts=["one", "two"])
    digest = stage.stack("preview", "--settings", fewer, "--save", plan).out.split()[-1]
    assert stage.stack("up", "--plan", plan, "--approve", digest, "--yes").code == 0
    assert sorted(stage.lab.entries()) == ["one", "two"]
    assert stage.identity("one") == one


def test_what_no_host_can_be_is_refused_before_anything_is_made(stage: Stage) -> None:
    refused = stage.up(threadsPerCore=2)
    assert refused.code == 2, refused
    assert "NUMA node 0 has 1 CPUs, which is not a number of whole cores of 2 threads" in refused.err
    assert not stage.lab.directory.exists()


@pytest.mark.drill
@pytest.mark.parametrize("moment", ["owner", "qemu.pid"])
def test_a_creation_that_was_killed_is_settled_and_there_is_one_machine(stage: Stage, moment: str) -> None:
    ended = threading.Event()

    def kill() -> None:
        while not ended.is_set() and not (stage.lab.directory / "standby" / moment).exists():
            time.sleep(0.002)
        for pid in pids_of(stage.root, "engine"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    cut = stage.up()
    ended.set()
    killer.join()
    assert cut.code == 10, cut
    assert stage.stack("up", "--yes").code in (8, 10)
    recovered = stage.stack("recover", "--yes", "--json")
    assert recovered.code == 0, recovered
    assert stage.lab.half_made("stack lab-unit") == ()
    assert stage.stack("up", "--yes").code == 0
    assert (
        json.loads(stage.stack("outputs", "--json").out)["outputs"]["site"]["hosts"][0]["name"] == "standby"
    )
    assert list(stage.lab.entries()) == ["standby"]
    assert stage.lab.machine("standby").is_running()
    assert stage.stack("destroy", "--yes").code == 0
    assert not stage.lab.directory.exists()
    assert leftovers(stage.root) == ()
