"""`hft inventory sign`, `verify` and `ansible`, as a person and a program use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hft import run_log
from inventory.envelope import body_of
from inventory.generation import last_used
from inventory.load import load_site
from tests.support import needs
from tests.support.keys import make_key
from tests.support.signed import Signers, envelope, host, site_table

pytestmark = needs.programs("ssh-keygen")


@pytest.fixture
def signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
    return Signers.in_folder(tmp_path, monkeypatch)


@pytest.fixture
def source(signers: Signers) -> Path:
    path = signers.folder / "rack.json"
    path.write_text(json.dumps(site_table()))
    return path


def test_what_was_signed_is_read_by_every_verb(
    hft: Callable[..., Any], signers: Signers, source: Path
) -> None:
    said = hft(
        "inventory", "sign", source, "--key", signers.key, "--engine", "pulumi v3.274.1", "--stack", "prod"
    )
    assert (said.code, said.err) == (0, "")
    target = source.with_name("rack.signed.json")
    assert "generation 1, 3 host(s), of stack prod by pulumi v3.274.1" in said.out
    assert load_site(target) == load_site(source)
    lines = run_log.read("rack").lines
    assert [line["event"] for line in lines] == ["opened", "closed"]
    assert lines[1]["message"].startswith("generation 1, sha256 ")


def test_each_signing_is_a_new_generation(hft: Callable[..., Any], signers: Signers, source: Path) -> None:
    for generation in (1, 2, 3):
        said = hft("inventory", "sign", source, "--key", signers.key, "--json")
        assert json.loads(said.out)["generation"] == generation
    again = hft("inventory", "sign", source.with_name("rack.signed.json"), "--key", signers.key, "--json")
    assert (json.loads(again.out)["generation"], json.loads(again.out)["path"][-16:]) == (
        4,
        "rack.signed.json",
    )
    used = last_used("rack")
    assert used is not None
    assert used.generation == 4


def test_a_generation_that_was_passed_is_refused(
    hft: Callable[..., Any], signers: Signers, source: Path
) -> None:
    sign = ("inventory", "sign", source, "--key", signers.key)
    assert hft(*sign, "--generation", 5).code == 0
    said = hft(*sign, "--generation", 5)
    assert (said.code, said.err) == (
        2,
        "hft: --generation 5: site rack has come to 5 here; hint: 6 or more\n",
    )


@pytest.mark.parametrize("content", ["{}", "mine", "of another site"])
def test_what_is_no_inventory_of_this_site_is_not_overwritten(
    hft: Callable[..., Any], signers: Signers, source: Path, content: str
) -> None:
    target = source.with_name("rack.signed.json")
    if content == "of another site":
        signers.allow(signers.key, sites="*")
        body = body_of(envelope()) | {"site": site_table(name="other")}
        content = signers.signed(body, name="other").read_text()
    target.write_text(content)
    said = hft("inventory", "sign", source, "--key", signers.key)
    assert (said.code, said.err.count("\n"), "not overwritten" in said.err) == (2, 1, True)
    assert target.read_text() == content


def test_a_host_that_is_not_enrolled_is_not_signed(
    hft: Callable[..., Any], signers: Signers, source: Path
) -> None:
    source.write_text(json.dumps(site_table(hosts=[host(0), host(1, identity=None)])))
    said = hft("inventory", "sign", source, "--key", signers.key)
    assert (said.code, "'e1' has no identity; hint: enrol it" in said.err) == (2, True)
    assert not source.with_name("rack.signed.json").exists()


def test_a_key_that_is_none_is_one_sentence(hft: Callable[..., Any], signers: Signers, source: Path) -> None:
    said = hft("inventory", "sign", source, "--key", source)
    assert (said.code, said.err.count("\n"), "cannot sign with" in said.err) == (2, 1, True)
    assert not source.with_name("rack.signed.json").exists()


def test_the_name_has_to_say_that_it_is_signed(
    hft: Callable[..., Any], signers: Signers, source: Path
) -> None:
    said = hft("inventory", "sign", source, "--key", signers.key, "--to", source)
    assert said.code == 2
    assert json.loads(source.read_text()) == site_table(), "the source is whole"
    assert "ends in .signed.json" in hft("inventory", "verify", source).err


def test_verify_says_what_a_file_is_and_keeps_nothing(hft: Callable[..., Any], signers: Signers) -> None:
    path = signers.write(7)
    said = hft("inventory", "verify", path)
    assert (said.code, f"{path}: site rack, generation 7, 3 host(s)" in said.out) == (0, True)
    assert last_used("rack") is None
    found = json.loads(hft("inventory", "verify", path, "--json").out)
    assert found["signer"].startswith("SHA256:")
    assert found["hosts"] == ["e0", "e1", "e2"]


def test_verify_refuses_as_the_verbs_do(hft: Callable[..., Any], signers: Signers) -> None:
    path = signers.write()
    signers.allow(make_key(signers.folder / "another"))
    said, listed = hft("inventory", "verify", path), hft("host", "list", "--inventory", path)
    assert (said.code, said.err) == (listed.code, listed.err)
    assert said.code == 2
    assert "may not sign" in said.err
    assert said.err.count("\n") == 1


def test_nothing_is_enrolled_into_a_signed_file(hft: Callable[..., Any], signers: Signers) -> None:
    path = signers.write()
    before = path.read_bytes()
    said = hft("host", "enrol", "e1", "--fingerprint", "SHA256:" + "A" * 43, "--inventory", path)
    assert (said.code, "signed, so nothing is added to it" in said.err) == (2, True)
    assert (path.read_bytes(), list(signers.folder.glob("*.enrolled.json"))) == (before, [])


def test_ansible_gets_files_that_are_written_whole(hft: Callable[..., Any], signers: Signers) -> None:
    folder = signers.folder / "run" / "inventory"
    said = hft("inventory", "ansible", "--inventory", signers.write(), "--to", folder)
    assert said.code == 0, said.err
    assert sorted(path.name for path in folder.iterdir()) == ["hosts.json", "known_hosts"]
    options = json.loads((folder / "hosts.json").read_text())["all"]["hosts"]["e0"]["ansible_ssh_common_args"]
    assert str(folder / "known_hosts") in options


@pytest.mark.parametrize("verb", ["sign", "verify", "ansible"])
def test_help_has_examples(hft: Callable[..., Any], verb: str) -> None:
    said = hft("inventory", verb, "--help")
    assert said.code == 0
    assert "Examples:" in said.out
