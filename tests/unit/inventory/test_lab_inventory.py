"""The default inventory: the lab's state file as a site, and the sentence when there is no lab."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import pytest

from inventory import lab
from inventory.errors import InventoryError
from inventory.load import load_site
from tests.support.lab_state import KEYS, write_state


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state file of a lab named `test`, up with three VMs."""
    return write_state(tmp_path, monkeypatch)


def test_lab_is_a_site_of_enrolled_hosts(state: Path) -> None:
    site = load_site()
    assert site.name == "lab-test"
    engine = site.host("engine-1")
    assert (engine.ssh_port, engine.user, engine.ssh_key, engine.power) == (40022, "root", "/keys/id", "lab")
    assert (engine.host_keys[0], engine.machine_id, engine.profile) == (KEYS[0], "0" * 32, "engine")
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
    with pytest.raises(InventoryError, match="HFT_LAB: name"):
        load_site()


def test_no_constant_of_the_module_is_a_group_of_hosts_to_pyinfra() -> None:
    tree = ast.parse(Path(lab.__file__).read_text())
    names = [
        getattr(target, "id", "")
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.List | ast.Tuple)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    assert names == []
