"""The enrolment file beside the inventory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inventory.enrolment import Enrolled, check_enrolled, enrolment_path, read_enrolled, write_enrolled
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Identity

KEY_A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
KEY_B = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZl"


def entry(key: str, machine_id: str) -> Enrolled:
    identity = Identity(host_keys=(key,), machine_id=machine_id)
    return Enrolled(identity=identity, at="2026-11-21T10:15:00+00:00", by="alice@ops1")


@pytest.fixture
def site(tmp_path: Path, good: dict[str, Any]) -> Path:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(good))
    return path


def test_enrolled_identity_comes_back_with_the_site(site: Path) -> None:
    path = write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    assert path == site.with_name("site.enrolled.json")
    loaded = load_site(site)
    assert (loaded.host("e1").host_keys[0], loaded.host("e1").machine_id) == (KEY_A, "1" * 32)
    assert loaded.host("e2").identity is None


def test_second_host_leaves_the_first_and_nothing_else_behind(site: Path) -> None:
    write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    write_enrolled(site, "e2", entry(KEY_B, "2" * 32))
    assert sorted(read_enrolled(site)) == ["e1", "e2"]
    assert sorted(p.name for p in site.parent.iterdir()) == ["site.enrolled.json", "site.json"]


def test_two_inventories_in_one_directory_do_not_share_enrolments(site: Path) -> None:
    other = site.with_name("other.json")
    other.write_text(site.read_text())
    write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    assert load_site(other).host("e1").identity is None


@pytest.mark.parametrize("twin", [entry(KEY_A, "2" * 32), entry(KEY_B, "1" * 32)])
def test_clone_of_an_enrolled_machine_is_refused_before_it_is_written(site: Path, twin: Enrolled) -> None:
    write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    with pytest.raises(InventoryError, match=r"two hosts with the same (host key|machine id)"):
        check_enrolled(load_site(site), site, "e2", twin)


def test_machine_moved_to_another_name_is_refused_on_load(site: Path) -> None:
    write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    write_enrolled(site, "e2", entry(KEY_A, "2" * 32))
    with pytest.raises(InventoryError, match=r"enrolled\.json: two hosts with the same host key"):
        load_site(site)


def test_host_that_left_the_inventory_may_stay_enrolled(site: Path) -> None:
    write_enrolled(site, "gone", entry(KEY_A, "1" * 32))
    assert len(load_site(site).hosts) == 3


def test_identity_written_twice_and_differently_is_refused(site: Path, good: dict[str, Any]) -> None:
    good["hosts"][0]["identity"] = {"host_keys": [KEY_B], "machine_id": "3" * 32}
    site.write_text(json.dumps(good))
    write_enrolled(site, "e1", entry(KEY_A, "1" * 32))
    with pytest.raises(InventoryError, match="'e1' has an identity here and a different one in"):
        load_site(site)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"schema":2,"hosts":{}}',
        '{"schema":1,"hosts":{"e1":{}}}',
        '{"schema":1,"hosts":{"e1":3},"x":1}',
        "[" * 100_000,
    ],
)
def test_damaged_enrolment_file_is_one_sentence(site: Path, text: str) -> None:
    enrolment_path(site).write_text(text)
    with pytest.raises(InventoryError, match=r"site\.enrolled\.json: not an enrolment file: .*hint"):
        load_site(site)


def test_directory_that_cannot_be_written_is_one_sentence(site: Path) -> None:
    with pytest.raises(InventoryError, match="cannot be written"):
        write_enrolled(site.parent / "nowhere" / "site.json", "e1", entry(KEY_A, "1" * 32))
