"""`hft init`, `hft host list`, `hft host enrol`, `hft host acknowledge` over a real sshd."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hft import run_log
from inventory.enrolment import enrolment_path, read_enrolled
from inventory.load import load_site

OTHER = "SHA256:" + "A" * 43


@pytest.mark.parametrize(("form", "name"), [("python", "inventory.py"), ("toml", "inventory.toml")])
def test_init_writes_an_inventory_that_loads(
    hft: Callable[..., Any], tmp_path: Path, form: str, name: str
) -> None:
    said = hft("init", tmp_path / "a" / "b", "--format", form)
    assert said.code == 0
    assert len(load_site(tmp_path / "a" / "b" / name).hosts) == 4
    assert hft("host", "list", "--inventory", tmp_path / "a" / "b" / name).code == 0


def test_init_never_overwrites(hft: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text("mine")
    said = hft("init", tmp_path)
    assert (said.code, "already there" in said.err) == (2, True)
    assert (tmp_path / "inventory.py").read_text() == "mine"


def test_init_into_a_file_is_one_sentence(hft: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = hft("init", tmp_path / "file")
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_list_as_json_is_what_the_inventory_says(hft: Callable[..., Any], loopback: Any) -> None:
    said = hft("host", "list", "--inventory", loopback.inventory, "--json")
    assert [host["name"] for host in json.loads(said.out)["hosts"]] == ["e1"]


def test_enrol_records_key_and_machine_and_the_host_is_then_itself(
    hft: Callable[..., Any], loopback: Any
) -> None:
    said = hft(
        "host", "enrol", "e1", "--fingerprint", loopback.fingerprint, "--inventory", loopback.inventory
    )
    assert said.code == 0, said.err
    entry = read_enrolled(loopback.inventory)["e1"]
    assert entry.identity.machine_id == "0123456789abcdef0123456789abcdef"
    assert entry.identity.host_keys == (" ".join(loopback.public_key.split()[:2]),)
    assert entry.by == run_log.operator()
    assert load_site(loopback.inventory).host("e1").identity == entry.identity
    assert [line["event"] for line in run_log.read("loop").lines] == ["opened", "closed"]


def test_enrol_refuses_a_key_nobody_vouched_for(hft: Callable[..., Any], loopback: Any) -> None:
    said = hft("host", "enrol", "e1", "--fingerprint", OTHER, "--inventory", loopback.inventory)
    assert said.code == 2
    assert loopback.fingerprint in said.err
    assert not enrolment_path(loopback.inventory).exists()
    assert run_log.read("loop").lines[-1]["exit_code"] == 2


def test_reimaged_host_is_refused_until_enrolled_again(hft: Callable[..., Any], loopback: Any) -> None:
    enrol = ("host", "enrol", "e1", "--fingerprint", loopback.fingerprint, "--inventory", loopback.inventory)
    assert hft(*enrol).code == 0
    loopback.machine_id("f" * 32)
    said = hft("status", "--inventory", loopback.inventory)
    assert (said.code, "not the enrolled machine" in said.out) == (2, True)
    again = hft(*enrol)
    assert "machine-id is " + "f" * 32 in again.out
    assert hft("status", "--inventory", loopback.inventory).code == 0


def test_machine_already_known_under_another_name_is_refused(hft: Callable[..., Any], loopback: Any) -> None:
    enrol = ("--fingerprint", loopback.fingerprint, "--inventory", loopback.inventory)
    assert hft("host", "enrol", "e1", *enrol).code == 0
    twin = json.loads(loopback.inventory.read_text())["hosts"][0]
    loopback.extra.append(twin | {"name": "e2", "address": "localhost"})
    loopback.write_inventory()
    before = enrolment_path(loopback.inventory).read_bytes()
    said = hft("host", "enrol", "e2", *enrol)
    assert (said.code, "two hosts with the same machine id" in said.err) == (2, True)
    assert enrolment_path(loopback.inventory).read_bytes() == before


def test_host_that_is_not_there_is_unreachable(hft: Callable[..., Any], loopback: Any) -> None:
    loopback.write_inventory(ssh_port=1)
    said = hft("host", "enrol", "e1", "--fingerprint", OTHER, "--inventory", loopback.inventory)
    asking, refused = said.err.splitlines()
    assert (said.code, "asking" in asking, "nothing was recorded" in refused) == (7, True, True)


def test_lab_hosts_are_not_enrolled_by_hand(hft: Callable[..., Any]) -> None:
    said = hft("host", "enrol", "engine-1", "--fingerprint", OTHER)
    assert (said.code, "enrolled by the lab itself" in said.err) == (2, True)


def test_identity_written_in_the_inventory_is_changed_there(hft: Callable[..., Any], loopback: Any) -> None:
    key = " ".join(loopback.public_key.split()[:2])
    loopback.write_inventory(identity={"host_keys": [key], "machine_id": "1" * 32})
    said = hft("host", "enrol", "e1", "--fingerprint", OTHER, "--inventory", loopback.inventory)
    assert (said.code, "is written in this file" in said.err) == (2, True)


@pytest.mark.parametrize("verb", ["init", "host", "status"])
def test_help_has_examples(hft: Callable[..., Any], verb: str) -> None:
    commands = [[verb]] if verb != "host" else [["host", v] for v in ("enrol", "list", "acknowledge")]
    for command in commands:
        said = hft(*command, "--help")
        assert said.code == 0
        assert "Examples:" in said.out
