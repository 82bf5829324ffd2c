"""The default inventory: the lab's state file as a site, and the sentence when there is no lab."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inventory.enrolment import Enrolled, write_enrolled
from inventory.errors import InventoryError
from inventory.load import DEFAULT, load_site
from inventory.model import Identity

KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZl",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZm",
]


def vm(number: int, role: str) -> dict[str, Any]:
    return {
        "address": "127.0.0.1",
        "ssh_port": 40022 + number,
        "user": "root",
        "host_key": KEYS[number],
        "machine_id": f"{number}" * 32,
        "macs": [f"52:54:00:00:00:0{number}"],
        "kernel": "rt",
        "role": role,
        "failure_domain": f"rack-{number}",
        "pid": 123,
        "console": "/tmp/console",  # a path in a document, never opened
    }


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state file of a lab named `test`, up with three VMs."""
    monkeypatch.setenv("HFT_LAB_DIR", str(tmp_path))
    monkeypatch.setenv("HFT_LAB", "test")
    hosts = {"engine-1": vm(0, "engine"), "engine-2": vm(1, "engine"), "ops": vm(2, "ops")}
    path = tmp_path / "test" / "state.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"schema": 1, "name": "test", "ssh_key": "/keys/id", "hosts": hosts}))
    return path


def test_lab_is_a_site_of_enrolled_hosts(state: Path) -> None:
    site = load_site()
    assert site.name == "lab-test"
    engine = site.host("engine-1")
    assert (engine.ssh_port, engine.user, engine.ssh_key, engine.power) == (40022, "root", "/keys/id", "lab")
    assert (engine.host_key, engine.machine_id, engine.profile) == (KEYS[0], "0" * 32, "engine")
    assert [host.canary for host in site.hosts] == [True, False, False]
    assert site.host("ops").profile is None
    assert site.trial_of(engine).confirm_gap_s == 10
    assert site.status_deadline_s > 2, "an ssh call alone takes 1.5 s under emulation"


def test_two_labs_are_two_sites(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = state.parent.parent / "other" / "state.json"
    other.parent.mkdir()
    other.write_text(json.dumps(json.loads(state.read_text()) | {"name": "other"}))
    monkeypatch.setenv("HFT_LAB", "other")
    assert load_site().name == "lab-other", "the site lock goes by this name"


def test_lab_that_is_down_says_how_to_start_it(state: Path) -> None:
    state.unlink()
    with pytest.raises(InventoryError, match=r"lab 'test' is not up .*hint: hft lab up"):
        load_site()


def test_plain_import_reads_nothing_until_the_site_is_asked_for(state: Path) -> None:
    state.unlink()
    module = importlib.import_module("inventory.lab")
    with pytest.raises(InventoryError, match="not up"):
        _ = module.SITE
    assert not hasattr(module, "nonsense")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema":2}', '{"schema":1,"hosts":[]}', '{"schema":1,"name":"x","hosts":{}}']
)
def test_damaged_state_is_one_sentence(state: Path, text: str) -> None:
    state.write_text(text)
    with pytest.raises(InventoryError, match=r"state\.json"):
        load_site()


@pytest.mark.parametrize("key", ["address", "ssh_port", "user", "host_key", "machine_id", "role"])
def test_state_without_a_key_names_the_host_and_the_key(state: Path, key: str) -> None:
    document = json.loads(state.read_text())
    del document["hosts"]["engine-2"][key]
    state.write_text(json.dumps(document))
    with pytest.raises(InventoryError, match="engine-2"):
        load_site()


@pytest.mark.parametrize("name", ["../up", "a b", "-x", "a\nb"])
def test_lab_name_cannot_leave_its_directory(state: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HFT_LAB", name)
    with pytest.raises(InventoryError, match="HFT_LAB: lab name"):
        load_site()


def pyinfra(*argv: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "pyinfra"
    return subprocess.run([str(program), *argv], capture_output=True, text=True, check=False, timeout=60)


def test_stock_pyinfra_reads_the_same_hosts_and_groups(state: Path) -> None:
    done = pyinfra(str(DEFAULT), "debug-inventory", "--json")
    assert done.returncode == 0, done.stderr
    for host in load_site().hosts:
        assert host.name in done.stdout
        assert str(host.host_key) in done.stdout
    assert "domain_rack-1" in done.stdout


def test_stock_pyinfra_gets_the_identities_enrolled_beside_an_inventory(tmp_path: Path) -> None:
    path = tmp_path / "rack.py"
    shutil.copy(DEFAULT.with_name("colo.py"), path)
    identity = Identity(host_keys=(KEYS[0],), machine_id="1" * 32)
    write_enrolled(path, "engine-2", Enrolled(identity=identity, at="2026-11-21", by="alice@ops1"))
    done = pyinfra(str(path), "debug-inventory", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(KEYS[0]) == 1


def test_stock_pyinfra_gets_the_sentence_and_no_traceback_when_the_lab_is_down(state: Path) -> None:
    state.unlink()
    done = pyinfra(str(DEFAULT), "debug-inventory")
    assert done.returncode != 0
    assert "hft: lab 'test' is not up" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
