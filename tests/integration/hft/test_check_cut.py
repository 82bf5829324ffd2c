"""An interrupted `hft check` loses no verdict that it has, and says of whom it has none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hft.conftest import pinned
from tests.support.checkout import ROOT

SOON_S = 30.0
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"


def on_record(state: Path) -> list[dict[str, Any]]:
    record = state / "runs" / "loop.jsonl"
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_judged_is_told_reported_and_on_record(
    loopback: Any, state: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """One host is dark, which is known at once; the other one takes the connection and never answers."""
    identity = {"host_keys": [OTHER_KEY], "machine_id": "1" * 32}
    dark = {"name": "dark", "address": "127.0.0.1", "ssh_port": 1, "role": "engine", "failure_domain": "a"}
    loopback.extra.append(dark | {"profile": "engine", "identity": identity})
    host = pinned(loopback)
    (host.folder / "hang").touch()
    reports = ["--json", "--junit", str(tmp_path / "j.xml"), "--html", str(tmp_path / "p.html")]
    argv = [sys.executable, "-m", "hft", "check", "--config-only", "--inventory", str(host.inventory)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(
        [*argv, *reports], cwd=ROOT, env={**os.environ, "HFT_STATE": str(state)}, **pipes
    )
    try:
        until = time.monotonic() + SOON_S
        while time.monotonic() < until and child.poll() is None:
            if any(line["event"] == "host" for line in on_record(state)):
                break
            time.sleep(0.1)
    finally:
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
    hosts = [(line["host"], line["facts"]["verdict"]) for line in on_record(state) if line["event"] == "host"]
    assert hosts == [("dark", "unreachable")], err
    assert json.loads((state / "checks" / "loop" / "dark.json").read_text())["verdict"] == "unreachable"
    if number is signal.SIGKILL:
        return
    assert (child.returncode, "hft: interrupted" in err, "Traceback" in err) == (130, True, False), err
    closed = on_record(state)[-1]
    assert (closed["exit_code"], list(closed["hosts"])) == (130, ["dark"])
    assert closed["message"] == "interrupted; not judged: e1"
    document = json.loads(out)
    assert document["exit_code"] == 130
    seen = {
        one["host"]: (one["verdict"], [found["message"] for found in one["findings"]])
        for one in document["hosts"]
    }
    assert seen["dark"] == ("unreachable", [])
    assert seen["e1"][0] == "unverifiable"
    assert "not judged" in seen["e1"][1][0]
    assert not (state / "checks" / "loop" / "e1.json").exists(), "an older verdict stays"
    suites = {suite.get("name"): suite for suite in ET.parse(tmp_path / "j.xml").getroot()}
    assert {name: suite.get("errors") for name, suite in suites.items()} == {"dark": "1", "e1": "1"}
    assert all(name in (tmp_path / "p.html").read_text() for name in ("dark", "e1"))
