"""The rendered units before systemd's own verifier."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploys.slot.unit import ticket_unit
from tests.support import needs
from tests.support.engine.units import UNITS, unit

TOOL = "systemd-analyze"
pytestmark = needs.programs(TOOL)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_every_line(name: str, tmp_path: Path) -> None:
    """systemd-analyze(1) `verify` names unknown keys and bad values; the programs are put where it looks."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    release = f"/opt/hft/releases/{'d' * 64}/acme"
    text = unit(name).replace(release, str(program)).replace("ExecStart=java", f"ExecStart={program}")
    (tmp_path / "hft-engine-a.service").write_text(text)
    (tmp_path / "hft-ticket.service").write_text(ticket_unit())
    (tmp_path / "hft-engine.slice").write_text("[Slice]\nAllowedCPUs=0-3\n")
    paths = [str(tmp_path / one) for one in ("hft-engine-a.service", "hft-ticket.service")]
    done = subprocess.run(
        [TOOL, "verify", "--man=no", "--recursive-errors=no", *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "hft-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_the_verifier_would_notice_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "hft-engine-a.service"
    path.write_text("[Service]\nExecStart=/bin/true\nAllowedCPUs=x\nNoSuchKey=1\n")
    done = subprocess.run(
        [TOOL, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    assert "NoSuchKey" in done.stderr
    assert "AllowedCPUs" in done.stderr or "cpu" in done.stderr.lower()
