"""Every verb works on a host whose root logs in with a shell that is none of POSIX.

sshd hands each command to it, so whatever a verb sends has to mean the same to all of them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.target import NAME, Target
from engine.independent import package as stub
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.commands import BIN
from tests.support.made_target import made_target

ODD_SHELL = Path(__file__).parents[3] / "support" / "odd_shell.py"
SHELL = "/usr/local/bin/login-shell"

pytestmark = [pytest.mark.long, needs.namespaces()]


@pytest.fixture(params=["odd", "tcsh"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A made server whose root logs in with that shell."""
    if request.param != "odd":
        needs.skip_without(request.param)
    program = "#!/usr/bin/python3 -IS\n" + ODD_SHELL.read_text()
    if request.param != "odd":
        program = f'#!/bin/sh\nexec {needs.found(request.param)} "$@"\n'
    with made_target(tmp_path) as target:
        target.run(
            f"cat >{SHELL} && chmod 755 {SHELL} && sed -i s#/root:/bin/bash#/root:{SHELL}# /etc/passwd",
            stdin=program,
        )
        yield target


def test_every_verb_works_whatever_the_login_shell(target: Target, tmp_path: Path) -> None:
    artifact = str(stub.write(tmp_path / "artifact"))

    def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        inventory = str(tmp_path / "inv.py")
        argv = [*words, "--inventory", inventory] if name == "hft" else [inventory, *words]
        return subprocess.run(
            [BIN / name, *argv],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "HFT_STATE": str(tmp_path / "state"), "HFT_LAB_DIR": str(tmp_path)},
            cwd=tmp_path,
        )

    for line, code in {
        "status": 0,
        "status --plan": 0,
        f"plan --host {NAME}": 3,
        "apply --dry-run": 3,
        "apply --yes": 0,
    }.items():
        done = run("hft", *line.split())
        assert done.returncode == code, (line, done.stdout, done.stderr)
    deploy = run("hft", "engine", "deploy", artifact, "--dry-run")
    assert "slot a has no limits yet" in deploy.stderr, (deploy.stdout, deploy.stderr)
    check = run("hft", "check", "--config-only")
    assert check.returncode in {0, 5}, check.stdout + check.stderr
    stock = run("pyinfra", str(ROOT / "deploys/site.py"), "--dry")
    assert stock.returncode == 0, stock.stderr
    gone = run("hft", "revert", NAME, "--yes", "--drain")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert run("hft", "remove", NAME, "--yes").returncode == 0
