"""`hft clock`: a plan from what was captured, a look that is kept, evidence that tells who touched it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.clock.evidence import EVENT
from hft import run_log
from hft.cli import run_guarded
from hft.verbs.clock_check import VERB, keep, record
from tests.cases.machines import CASES, machine

PTP = 'ptp = { port = "enp134s0f0", role = "client", domain = 24, watch = ["192.0.2.9"] }'
SITE = """\
name = "colo"
[[hosts]]
name = "e1"
address = "192.0.2.1"
role = "engine"
failure_domain = "a"
profile = "engine"
"""
CASE = "two-sockets-nic-on-node-1"
Hft = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hft:
    site, seen = tmp_path / "site.toml", tmp_path / "e1.json"
    site.write_text(SITE + PTP + "\n")
    seen.write_text(machine(CASES[CASE]).to_json())
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))

    def run(*words: str, ptp: str = PTP) -> tuple[int, str, str]:
        site.write_text(SITE + ptp + "\n")
        code = run_guarded(["clock", *words, "--inventory", str(site)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def look(at_s: int, **more: Any) -> dict[str, Any]:
    """A line as a look writes it."""
    at = f"2026-12-01T10:{at_s // 60:02}:{at_s % 60:02}+00:00"
    good = {
        "event": EVENT,
        "host": "e1",
        "at": at,
        "at_utc_ns": (1_796_119_200 + at_s) * 1_000_000_000,
        "error_ns": 2575,
        "granularity_ns": 1,
        "grandmaster": "caa764.fffe.466cc5",
        "is_traceable": True,
        "time_verdict": "ok",
    }
    return {**good, **more}


def test_a_plan_pins_the_daemons_to_the_cpu_beside_the_port(hft: Hft, tmp_path: Path) -> None:
    code, out, err = hft("plan", "e1", "--snapshot", str(tmp_path / "e1.json"), "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["writer"] == "hft-phc2sys.service"
    cpus = {one["unit"]: one["cpus"] for one in plan["daemons"]}
    assert cpus["hft-ptp4l.service"] == cpus["hft-phc2sys.service"] is not None
    assert cpus["hft-clock-watch.service"] is None
    assert (
        f"AllowedCPUs={cpus['hft-ptp4l.service']}\n" in plan["files"]["/etc/systemd/system/hft-ptp4l.service"]
    )
    folder = tmp_path / "out"
    code, out, _ = hft("plan", "e1", "--snapshot", str(tmp_path / "e1.json"), "--to", str(folder))
    assert code == 0 and "client in domain 24" in out and "may set the system clock" in out
    written = folder / "etc/linuxptp/hft-ptp4l.conf"
    assert written.read_text() == plan["files"]["/etc/linuxptp/hft-ptp4l.conf"]
    assert "domainNumber 24\n" in written.read_text()


@pytest.mark.parametrize(
    ("ptp", "said"),
    [
        ("", "e1: has no part in PTP"),
        ('ptp = { port = "enp134s0f0" }', "names the port enp134s0f0 and no role"),
        (PTP.replace("enp134s0f0", "ens9"), "which this host does not have"),
        (PTP.replace("enp134s0f0", "eno1"), "shows no hardware clock"),
    ],
)
def test_a_clock_that_cannot_be_is_refused_with_the_next_step(
    hft: Hft, tmp_path: Path, ptp: str, said: str
) -> None:
    code, _, err = hft("plan", "e1", "--snapshot", str(tmp_path / "e1.json"), ptp=ptp)
    assert code == 2 and said in err and "hint" in err


def test_a_check_says_where_there_is_nothing_to_check_and_who_is_not_enrolled(hft: Hft) -> None:
    code, _, err = hft("check", ptp="")
    assert code == 2 and "e1: no part in PTP" in err
    code, out, _ = hft("check")
    assert code == 4 and "not_enrolled" in out


def test_evidence_sums_up_and_one_look_beyond_the_limit_is_violated(hft: Hft) -> None:
    code, out, _ = hft("evidence", "e1")
    assert code == 4 and "nobody looked" in out
    for at_s in (0, 60, 120):
        keep("colo", look(at_s))
    code, out, _ = hft("evidence", "e1", "--json")
    span = json.loads(out)["span"]
    assert code == 0 and (span["looks"], span["within"], span["gap_s"]) == (3, 3, 60.0)
    keep("colo", look(180, error_ns=150_000, time_verdict="violated"))
    code, out, _ = hft("evidence", "e1")
    assert code == 5 and "beyond it 1" in out and "150.000 us" in out
    assert hft("evidence", "e1", "--until", "2026-12-01T10:03:00")[0] == 0
    assert hft("evidence", "e1", "--since", "2026-12-02")[0] == 4


def test_evidence_that_was_changed_cut_or_rewritten_is_violated(hft: Hft) -> None:
    with run_log.recorded("colo", VERB, hosts=["e1"], is_look=True) as run:
        for at_s in (0, 60):
            run.ended("e1", verdict="ok", digest=keep("colo", look(at_s)))
    path = record("colo", "e1")
    whole = path.read_bytes()
    assert hft("evidence", "e1")[0] == 0
    path.write_bytes(whole.replace(b'"error_ns":2575', b'"error_ns":2574', 1))
    code, out, _ = hft("evidence", "e1")
    assert code == 5 and "changed" in out
    path.write_bytes(whole.splitlines(keepends=True)[0])
    code, out, _ = hft("evidence", "e1")
    assert code == 5 and "cut off or rewritten" in out
