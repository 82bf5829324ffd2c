"""Identity as this machine tells it, and fingerprints as ssh-keygen prints them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inventory.identity import (
    READ_SCRIPT,
    fingerprint,
    parse_identity,
)
from tests.support.commands import output
from tests.support.keys import make_key

KEY_A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"


def test_read_script_reads_this_machine_without_tools() -> None:
    done = subprocess.run(
        ["sh", "-c", READ_SCRIPT], env={"PATH": "/bin:/usr/bin"}, capture_output=True, text=True, check=True
    )
    machine_id = Path("/etc/machine-id").read_text().strip() if Path("/etc/machine-id").exists() else ""
    if not machine_id:
        pytest.skip("this machine has no machine-id")
    assert parse_identity(done.stdout, (KEY_A,), "here").machine_id == machine_id


def test_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key").with_suffix(".pub")
    printed = output("ssh-keygen", "-l", "-f", public)
    assert fingerprint(public.read_text()) == printed.split()[1]
