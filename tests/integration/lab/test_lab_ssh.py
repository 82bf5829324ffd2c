"""The lab's way to a VM is that of every host, and differs from it only where it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.ssh import OF_A_LAB, Login, run
from tests.support import needs
from tests.support.sshd import running_sshd
from transport.options import STRICT


def options(login: Login) -> dict[str, str]:
    argv = login.argv()
    return dict(argv[at + 1].split("=", 1) for at, word in enumerate(argv) if word == "-o")


def test_every_strict_option_is_there_but_those_that_are_named(tmp_path: Path) -> None:
    found = options(Login(port=1, key=tmp_path / "key", known_hosts=tmp_path / "known hosts"))
    assert {key for key, value in STRICT.items() if found.get(key) != value} <= OF_A_LAB.keys()
    assert found["UserKnownHostsFile"] == f'"{tmp_path}/known hosts"'


@needs.root("sshd lets root in")
@pytest.mark.parametrize("name", ["known_hosts", "known hosts", "100%h"])
def test_a_vm_is_reached_with_its_own_key_and_no_other(name: str, tmp_path: Path) -> None:
    with running_sshd(tmp_path) as server:
        known = tmp_path / name
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        login = Login(port=server.port, key=tmp_path / "user", known_hosts=known)
        done = run(login, ["printf", "%s\\n", "a b", "$(id)"], stdin=b"", timeout_s=20)
        assert (done.returncode, done.stdout) == (0, "a b\n$(id)\n"), done.stderr
        known.write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {'A' * 68}\n")
        assert run(login, ["true"], stdin=b"", timeout_s=20).returncode == 255
