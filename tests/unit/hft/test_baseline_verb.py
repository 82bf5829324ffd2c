"""`hft baseline`: three windows beside each other, and only a proven one becomes the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks import store
from checks.accepted import Kept, Key
from checks.counters import parse_measurement
from checks.meter import NO_LOAD
from hft.cli import run_guarded
from tests.support.checkout import ROOT

METER = (ROOT / "tests" / "unit" / "checks" / "tuned.meter.json").read_text()
KEY = Key(host_class="bare-metal", kernel="6.1", line="l", microcode="m", plan_hash="b" * 64, meter="x")
SITE = """\
name = "colo"
[[hosts]]
name = "e1"
address = "192.0.2.1"
role = "engine"
failure_domain = "a"
profile = "engine"
"""
Hft = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept() -> Kept:
    measurement = parse_measurement(METER, NO_LOAD)
    return Kept(key=KEY, measurement=measurement, at="2026-11-30T10:00:00Z", verdict="ok")


@pytest.fixture
def hft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hft:
    site = tmp_path / "site.toml"
    site.write_text(SITE)
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))

    def run(*words: str) -> tuple[int, str, str]:
        code = run_guarded(["baseline", *words, "--inventory", str(site)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_without_any_window_it_says_so_and_accepts_nothing(hft: Hft) -> None:
    code, out, _ = hft("show")
    assert code == 0 and out.count("none is kept") == 3
    code, _, err = hft("accept", "--yes")
    assert code == 2 and "no window of the tuned host is kept" in err and "hft check" in err


def test_the_last_window_is_accepted_with_who_and_why(hft: Hft, kept: Kept) -> None:
    store.save_window("colo", "e1", "tuned", kept)
    code, out, _ = hft("accept", "--yes", "--reason", "measured twice")
    assert code == 0 and "e1: the window of 2026-11-30T10:00:00Z is accepted, plan bbbbbbbbbbbb" in out
    accepted = store.load_window("colo", "e1", "accepted")
    assert accepted is not None and accepted.reason == "measured twice" and accepted.by
    code, out, _ = hft("show", "--json")
    (one,) = json.loads(out)["hosts"]
    assert one["differs"] == [] and one["accepted"]["cpus"] == [2, 3] and one["untuned"] is None
    assert one["accepted"]["interrupts_per_s"] == one["tuned"]["interrupts_per_s"]


@pytest.mark.parametrize("verdict", ["violated", "unverifiable"])
def test_a_window_that_was_not_proven_is_no_reference(hft: Hft, kept: Kept, verdict: str) -> None:
    store.save_window("colo", "e1", "tuned", replace(kept, verdict=verdict))
    code, _, err = hft("accept", "--yes")
    assert code == 2 and f"was {verdict}, so it is no reference" in err
    assert store.load_window("colo", "e1", "accepted") is None


def test_what_was_accepted_under_another_kernel_is_named(hft: Hft, kept: Kept) -> None:
    store.save_window("colo", "e1", "accepted", kept)
    store.save_window("colo", "e1", "tuned", replace(kept, key=replace(KEY, kernel="6.12", microcode="n")))
    code, out, _ = hft("show")
    assert code == 0 and "e1: accepted with another kernel, another microcode: not compared" in out
