"""What a forge shows beside a change: each finding once, escaped as the forge says, at its host's line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks.suite import HostResult
from checks.verdict import ok, unverifiable, violated
from hft import forges
from hft.verbs import check as verb
from inventory.model import Host
from tests.support.hft_here import hft_here

TEXT = 'name = "rack"\n[[hosts]]\nname = "e1"\n[[hosts]]\nname = \'e2\'\n'
BAD = violated("cmdline", "arg_missing", "nohz_full is\nnot there, 100%: a,b")
RESULTS = (
    HostResult(host="e1", started_at="2026-12-01T03:00:00+00:00", findings=(ok("x", "fine"), BAD)),
    HostResult(
        host="e2",
        started_at="2026-12-01T03:00:00+00:00",
        findings=(unverifiable("run", "not_read", "no time"),),
    ),
    HostResult(host="e3", started_at="2026-12-01T03:00:00+00:00", unreachable="no answer"),
)


def test_github_gets_a_command_for_each_finding() -> None:
    found = forges.annotations_of(RESULTS, "a,b:c.toml", TEXT)
    first, second, third = forges.github(found)
    assert first == (
        "::error file=a%2Cb%3Ac.toml,line=3,title=e1%3A arg_missing (cmdline)"
        "::nohz_full is%0Anot there, 100%25: a,b"
    )
    assert second.startswith("::warning file=a%2Cb%3Ac.toml,line=5,title=e2%3A not_read (run)::")
    assert third == "::error file=a%2Cb%3Ac.toml,line=1,title=e3%3A unreachable (reachable)::no answer"


def test_gitlab_gets_a_report_whose_fingerprints_stay() -> None:
    found = forges.annotations_of(RESULTS, "site.toml", TEXT)
    report = json.loads(forges.gitlab(found))
    assert [(one["check_name"], one["severity"], one["location"]["lines"]["begin"]) for one in report] == [
        ("arg_missing", "critical", 3),
        ("not_read", "major", 5),
        ("unreachable", "critical", 1),
    ]
    moved = json.loads(forges.gitlab(forges.annotations_of(RESULTS, "site.toml", "\n" + TEXT)))
    assert [one["fingerprint"] for one in moved] == [one["fingerprint"] for one in report]
    assert len({one["fingerprint"] for one in report}) == 3


def test_a_check_writes_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = [
        {
            "name": f"e{n}",
            "address": f"192.0.2.{n}",
            "role": "engine",
            "failure_domain": "a",
            "profile": "engine",
        }
        for n in (1, 2, 3)
    ]
    site = tmp_path / "site.json"
    site.write_text(json.dumps({"name": "rack", "hosts": hosts}))

    def judged(_site: Any, _hosts: list[Host], _how: Any, _say: Any, came: Any) -> Any:
        for one in RESULTS:
            came(one)
        return RESULTS

    monkeypatch.setattr(verb, "check_hosts", judged)
    report = tmp_path / "quality.json"
    said = hft_here(capsys, "check", "--inventory", site, "--github", "--gitlab", report)
    assert said.code == 5, said
    assert said.err.count("::error file=") == 2
    assert len(json.loads(report.read_text())) == 3
    assert "::error" not in said.out
