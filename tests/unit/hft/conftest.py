"""Run `hft` in this process; a loopback host behind a real sshd whose identity and agent a test may write."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from agent import grub
from agent.grub import HFT_CFG
from agent.host import ENGINE_CGROUP, JOURNAL_DIR, STATE_FILE
from deploys.record import BOOT_ID, CMDLINE, MACHINE_ID, VERSION
from hft.cli import run_guarded
from inventory.identity import fingerprint

SSHD = "/usr/sbin/sshd"
MACHINE = "0123456789abcdef0123456789abcdef"
TXN = "20261121T100000-00000001"
BOOT = "5b1fe3c8-6d8b-4f3c-9c4e-9c0b7d4f0001"
# What a host keeps of itself -> where the loopback host keeps it.
PLACES = {
    MACHINE_ID: "machine-id",
    BOOT_ID: "boot_id",
    CMDLINE: "cmdline",
    VERSION: "agent.version",
    STATE_FILE: "state.json",
    HFT_CFG: "hft.cfg",
    JOURNAL_DIR: "journal",
    ENGINE_CGROUP: "cgroup",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one `hft` command printed and returned."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own, and no lab."""
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HFT_LAB_DIR", str(tmp_path / "no-lab"))
    return tmp_path / "state"


@pytest.fixture
def hft(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `hft ARGUMENTS...` as the console script does, without starting an interpreter."""

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = int(run_guarded([str(word) for word in arguments]))
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    return run


@dataclass(slots=True, kw_only=True)
class LoopbackHost:
    """A host on loopback: sshd is real, the files it shows under /etc and /proc are the test's."""

    folder: Path
    port: int
    public_key: str
    inventory: Path
    extra: list[dict[str, Any]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)

    def machine_id(self, value: str) -> None:
        (self.folder / "machine-id").write_text(value + "\n")

    def has_record(self, state: object, journals: Mapping[str, str] | None = None) -> None:
        """Give the host an agent, a committed boot entry and a record; text stands as it is in state.json."""
        (self.folder / "agent.version").write_text("1\n")
        (self.folder / "state.json").write_text(
            (state if isinstance(state, str) else json.dumps(state)) + "\n"
        )
        good = grub.Entry(txn=TXN, release="6.1.0", args=("quiet",))
        menu = grub.Menu(fs_uuid="1-2", directory="", base=(), good=good)
        (self.folder / "hft.cfg").write_text(grub.render(menu))
        (self.folder / "cmdline").write_text(f"quiet hft.good={TXN}\n")
        for txn, progress in (journals or {}).items():
            (self.folder / "journal" / txn).mkdir(parents=True)
            (self.folder / "journal" / txn / "progress").write_text(progress)

    def write_inventory(self, **changes: Any) -> Path:
        host = {
            "name": "e1",
            "address": "127.0.0.1",
            "ssh_port": self.port,
            "user": getuser(),
            "ssh_key": str(self.folder / "user"),
            "role": "engine",
            "failure_domain": "a",
        }
        site = {"name": "loop", "status_deadline_s": 10.0, "hosts": [host | changes, *self.extra]}
        self.inventory.write_text(json.dumps(site))
        return self.inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One sshd for the whole session; each test gets the directory its forced command looks into."""

    folder: Path
    port: int
    public_key: str


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not Path(SSHD).exists():
        pytest.skip(f"{SSHD} is not installed")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    folder = tmp_path_factory.mktemp("loopback")
    for name in ("host", "user"):
        make_key(folder / name)
    port = free_port()
    (folder / "forced.sh").write_text(forced_command(folder))
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPermitRootLogin yes\n"
        f"PasswordAuthentication no\nMaxStartups 100\nForceCommand sh {folder}/forced.sh\n"
    )
    daemon = subprocess.Popen([SSHD, "-D", "-f", str(config), "-E", str(folder / "sshd.log")])
    try:
        wait_listening(port, daemon)
        yield Server(folder=folder, port=port, public_key=(folder / "host.pub").read_text().strip())
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)


def forced_command(folder: Path) -> str:
    """The remote command runs as sent, only that it finds the test's files where a host has its own."""
    there = "".join(f"s|{old}|{folder}/now/{new}|g;" for old, new in PLACES.items())
    back = "".join(f"s|^{folder}/now/{new}|{old}|;" for old, new in PLACES.items())
    return (
        f"[ ! -e {folder}/now/hang ] || sleep 30\n"
        f'sh -c "$(printf %s "$SSH_ORIGINAL_COMMAND" | sed -e {shlex.quote(there)})" | '
        f"sed -e {shlex.quote(back)}\n"
    )


@pytest.fixture
def loopback(server: Server, tmp_path: Path) -> LoopbackHost:
    """The loopback host, fresh: no agent, a machine-id and a boot id."""
    now = server.folder / "now"
    now.mkdir(exist_ok=True)
    for leftover in now.iterdir():
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    for name in ("user", "host"):
        (now / name).symlink_to(server.folder / name)
    (now / "boot_id").write_text(BOOT + "\n")
    host = LoopbackHost(
        folder=now, port=server.port, public_key=server.public_key, inventory=tmp_path / "site.json"
    )
    host.machine_id(MACHINE)
    host.write_inventory()
    return host


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_listening(port: int, daemon: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert daemon.poll() is None, "sshd ended at once"
        time.sleep(0.05)
    pytest.fail("sshd did not listen within 5 s")
