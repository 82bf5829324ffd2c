"""A standby that Pulumi's engine makes in the shared lab: real QEMU, real disk, real identity, one boot.

It is created without waiting for its boot and killed in its firmware, so that the boot which is paid for is
that of the mended host: it has to answer with the key that was signed before the kill.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest
import yaml

from lab.driver import Lab
from lab.machine import Machine
from tests.support import needs
from tests.support.hft_here import Said, hft_here
from tests.support.signed import Signers

pytestmark = [pytest.mark.vm, pytest.mark.drill, needs.stacks(), needs.stack_engine()]
pytest.importorskip("pulumi")

SITE = ("--site", "lab-standby")
SHAPE = {"cpus": [2, 2], "memoryMib": [512, 1024], "threadsPerCore": 2, "nicNode": 1}


@pytest.fixture
def signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: Lab) -> Signers:
    """Keys and a state directory of the test's own, in the shared lab."""
    kept = {name: os.environ.get(name) for name in ("HFT_LAB", "HFT_LAB_DIR", "XDG_STATE_HOME")}
    signers = Signers.in_folder(tmp_path, monkeypatch)
    signers.allow(signers.key, sites="lab-standby")
    for name, value in kept.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return signers


def test_a_standby_is_made_killed_named_mended_on_its_disk_read_from_its_inventory_and_destroyed(
    lab: Lab, signers: Signers, capsys: pytest.CaptureFixture[str], boots_kept: Callable[[Machine], None]
) -> None:
    def stack(verb: str, *words: object) -> Said:
        return hft_here(capsys, "stack", verb, "lab", *SITE, *words)

    def settings(*, wait: bool) -> Path:
        path = signers.folder / "settings.yaml"
        wanted = {"lab": lab.name, "wait": wait, **SHAPE}
        path.write_text(yaml.safe_dump({"config": {f"lab:{key}": value for key, value in wanted.items()}}))
        return path

    made = stack("up", "--settings", settings(wait=False), "--yes")
    assert made.code == 0, made
    pid, entry = lab.machine("standby").pid(), lab.entries()["standby"]
    disk = lab.machine("standby").wiring.disk.stat().st_ino
    inventory = signers.folder / "standby.signed.json"
    signed = stack("inventory", "--key", signers.key, "--to", inventory, "--json")
    assert signed.code == 0, signed
    assert json.loads(signed.out)["engine"].startswith("pulumi v3.")

    psutil.Process(pid).kill()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    drift = stack("refresh", "--dry-run")
    assert (drift.code, "update standby" in drift.out) == (3, True), drift
    mended = stack("up", "--settings", settings(wait=True), "--refresh", "--yes")
    assert mended.code == 0, mended

    standby = lab.machine("standby")
    assert standby.pid() not in (None, pid)
    assert standby.wiring.disk.stat().st_ino == disk
    assert lab.entries()["standby"]["machine_id"] == entry["machine_id"]
    assert standby.succeed(["cat", "/etc/machine-id"]).strip() == entry["machine_id"]
    topology = "/sys/devices/system/cpu/cpu2/topology/thread_siblings_list"
    assert standby.succeed(["cat", topology, "/sys/devices/system/node/node1/cpulist"]) == "2-3\n2-3\n"

    checked = hft_here(capsys, "check", "--config-only", "--inventory", inventory, "--json")
    assert checked.code == 5, checked  # it answers with the key that was signed, and nobody has tuned it
    assert [host["host"] for host in json.loads(checked.out)["hosts"]] == ["standby"]
    planned = hft_here(capsys, "plan", "--inventory", inventory)
    assert planned.code == 3, planned

    boots_kept(standby)
    gone = stack("destroy", "--yes")
    assert gone.code == 0, gone
    assert "standby" not in lab.entries()
    assert not (lab.directory / "standby").exists()
    assert not list((signers.folder / "state/stacks").rglob("lab-standby.json"))
    assert [one.name for one in lab.machines()] == ["engine-1", "engine-2"]
