"""`hft audit`: real records, real signatures, each end with its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.ticket.signing import allowed_signer
from hft import run_log
from tests.integration.hft.conftest import pinned
from tests.support.hft_here import hft_here, own_state
from tests.support.keys import make_key


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of two runs."""
    own_state(tmp_path, monkeypatch)
    for number in range(2):
        with run_log.recorded("ny4", "apply", hosts=["a"], reason=f"run {number}"):
            pass
    return run_log.records_path("ny4")


def keyed(tmp_path: Path, name: str) -> tuple[Path, Path]:
    """A key and the file that allows it."""
    key, signers = make_key(tmp_path / name), tmp_path / f"{name}.signers"
    signers.write_text(allowed_signer("audit", key.with_suffix(".pub"), "hft-audit"))
    return key, signers


def test_a_sealed_record_is_intact_until_its_end_is_cut_off(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, signers = keyed(tmp_path, "audit")
    heads = tmp_path / "heads.jsonl"
    heads.write_text(hft_here(capsys, "audit", "seal", "ny4", "--key", key).out)
    words = ("audit", "verify", "ny4", "--heads", heads, "--signers", signers)
    assert hft_here(capsys, *words).code == 0
    with run_log.recorded("ny4", "apply", hosts=["a"]):
        pass
    found = hft_here(capsys, *words, "--json")
    assert found.code == 0 and json.loads(found.out)["unsealed"] == 2
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:3]))
    cut = hft_here(capsys, *words, "--json")
    assert (cut.code, [one["code"] for one in json.loads(cut.out)["problems"]]) == (5, ["cut"])
    assert hft_here(capsys, "audit", "verify", "ny4").code == 4, "a chain alone cannot tell"


def test_a_changed_line_is_named_and_not_sealed(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, _ = keyed(tmp_path, "audit")
    record.write_bytes(record.read_bytes().replace(b"run 1", b"run 7"))
    found = hft_here(capsys, "audit", "verify", "ny4")
    assert found.code == 5 and "line 3" in found.out
    assert hft_here(capsys, "audit", "seal", "ny4", "--key", key).code == 5


def test_a_head_of_another_key_and_one_that_was_changed_are_not_believed(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, signers = keyed(tmp_path, "audit")
    _, others = keyed(tmp_path, "other")
    heads = tmp_path / "heads.jsonl"
    said = hft_here(capsys, "audit", "seal", "ny4", "--key", key).out
    heads.write_text(said)
    assert hft_here(capsys, "audit", "verify", "ny4", "--heads", heads, "--signers", others).code == 5
    heads.write_text(said.replace('"count":4', '"count":3'))
    assert hft_here(capsys, "audit", "verify", "ny4", "--heads", heads, "--signers", signers).code == 5
    heads.write_text("{}\n")
    assert hft_here(capsys, "audit", "verify", "ny4", "--heads", heads, "--signers", signers).code == 2
    assert hft_here(capsys, "audit", "verify", "ny4", "--heads", heads).code == 2
    assert hft_here(capsys, "audit", "verify", "../ny4").code == 2
    assert hft_here(capsys, "audit", "seal", "ny4", "--key", tmp_path / "gone").code == 2


def test_a_site_without_a_record_is_not_sealed(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, _ = keyed(tmp_path, "audit")
    said = hft_here(capsys, "audit", "seal", "nu4", "--key", key)
    assert (said.code, said.out) == (2, "") and "no run record" in said.err


def test_heads_are_copied_to_hosts_and_a_record_that_is_cut_off_contradicts_them(
    tmp_path: Path, loopback: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_state(tmp_path, monkeypatch)
    key, signers = keyed(tmp_path, "audit")
    inventory = pinned(loopback).inventory
    seal = ("audit", "seal", "loop", "--key", key, "--copy", "--inventory", inventory)
    for number in range(2):
        with run_log.recorded("loop", "apply", hosts=["a"], reason=f"run {number}"):
            pass
        sealed = hft_here(capsys, *seal)
        assert (sealed.code, "e1: appended" in sealed.err) == (0, True), sealed
    kept = (loopback.folder / "heads.jsonl").read_text().splitlines()
    assert [json.loads(one)["count"] for one in kept] == [2, 4], "nothing is replaced"
    words = ("audit", "verify", "loop", "--copies", "--signers", signers, "--inventory", inventory)
    assert hft_here(capsys, *words).code == 0
    record = run_log.records_path("loop")
    record.write_bytes(b"".join(record.read_bytes().splitlines(keepends=True)[:2]))
    assert hft_here(capsys, *words).code == 5
    (loopback.folder / "refuses").write_text("no such host")
    dark = hft_here(capsys, *words)
    assert dark.code == 4 and "cannot be read" in dark.err
    assert hft_here(capsys, *seal).code == 7
    assert "not loop2" in hft_here(capsys, "audit", "seal", "loop2", *seal[3:]).err
