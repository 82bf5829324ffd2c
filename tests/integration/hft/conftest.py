"""Run `hft` in this process; a loopback host behind a real sshd whose identity and agent a test may write."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from agent.boot import grub
from agent.paths import ENGINE_CGROUP, HFT_CFG, JOURNAL_DIR, LOCK_FILE, STATE_FILE
from deploys.agent_client.record import BOOT_ID, CMDLINE, MACHINE_ID, VERSION
from hft.head_copies import HEADS_FILE
from inventory import here
from inventory.identity import fingerprint
from lab.process import own_mounts
from tests.support.checkout import ROOT
from tests.support.commands import output
from tests.support.hft_here import Said, hft_here, own_state
from tests.support.sshd import Sshd, running_sshd
from transport import ssh

MACHINE = "0123456789abcdef0123456789abcdef"
TXN = "20261121T100000-00000001"
BOOT = "5b1fe3c8-6d8b-4f3c-9c4e-9c0b7d4f0001"
OWN_MACHINE_ID = os.geteuid() == 0
# What a host keeps of itself -> where the loopback host keeps it.
PLACES = {
    MACHINE_ID: "machine-id",
    BOOT_ID: "boot_id",
    CMDLINE: "cmdline",
    VERSION: "agent.version",
    STATE_FILE: "state.json",
    LOCK_FILE: "lock",
    HFT_CFG: "hft.cfg",
    JOURNAL_DIR: "journal",
    ENGINE_CGROUP: "cgroup",
    HEADS_FILE: "heads.jsonl",
}

# Without root a capture reads this machine's own machine-id, not the loopback host's.
HERE = MACHINE if OWN_MACHINE_ID or not Path(MACHINE_ID).exists() else Path(MACHINE_ID).read_text().strip()
LOOKS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "plan": ("plan", "--host", "e1"),
    "snapshot": ("snapshot", "e1"),
    "dry-run": ("apply", "--dry-run"),
    "apply": ("apply", "--yes"),
    "revert": ("revert", "e1", "--yes"),
    "recover": ("recover", "e1"),
    "check": ("check", "--config-only"),
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own, and no lab."""
    return own_state(tmp_path, monkeypatch)


@pytest.fixture
def hft(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `hft ARGUMENTS...` as the console script does, without starting an interpreter."""

    return functools.partial(hft_here, capsys)


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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for the whole session; each test gets the directory its forced command looks into."""
    folder = tmp_path_factory.mktemp("loopback")
    (folder / "forced.sh").write_text(forced_command(folder))
    (folder / "entry.sh").write_text(with_its_machine_id(folder))
    with running_sshd(folder, f"ForceCommand sh {folder}/entry.sh\n") as running:
        yield running


def forced_command(folder: Path) -> str:
    """The remote command runs as sent, only that it finds the test's files where a host has its own.

    So does a script on its standard input. A file `motd` is printed before it, `refuses` (and then it fails)
    or `says` instead of it; `hang` and `slow_s` are waited for first.
    """
    there = "".join(f"s|{old}|{folder}/now/{new}|g;" for old, new in PLACES.items())
    back = "".join(f"s|^{folder}/now/{new}|{old}|;" for old, new in PLACES.items())
    return (
        f"[ ! -e {folder}/now/hang ] || sleep 30\n"
        f'[ ! -e {folder}/now/slow_s ] || sleep "$(cat {folder}/now/slow_s)"\n'
        f"[ ! -e {folder}/now/motd ] || cat {folder}/now/motd\n"
        f"[ ! -e {folder}/now/refuses ] || {{ cat {folder}/now/refuses >&2; exit 1; }}\n"
        f"[ ! -e {folder}/now/says ] || {{ cat >/dev/null; exec cat {folder}/now/says; }}\n"
        f"there() {{ sed -e {shlex.quote(there)}; }}\n"
        'there | sh -c "$(printf %s "$SSH_ORIGINAL_COMMAND" | there)" | '
        f"sed -e {shlex.quote(back)}\n"
    )


def with_its_machine_id(folder: Path) -> str:
    """Where this is root, the forced command runs with the host's machine-id in the place of this machine's.

    A capture reads /etc as it stands. A machine that was never booted has an empty machine-id or none: a copy
    of its /etc has the file then.
    """
    if not OWN_MACHINE_ID:
        return f"exec sh {folder}/forced.sh\n"
    etc = Path(MACHINE_ID).parent
    if not Path(MACHINE_ID).exists():
        shutil.copytree(etc, folder / "etc", symlinks=True)
        (folder / "etc" / Path(MACHINE_ID).name).touch()
    bound = f"mount --bind {folder}/now/machine-id {MACHINE_ID} && exec sh {folder}/forced.sh"
    if (folder / "etc").exists():
        bound = f"mount --bind {folder}/etc {etc} && {bound}"
    return f"exec {shlex.join(own_mounts())} sh -c {shlex.quote(bound)}\n"


@pytest.fixture
def loopback(server: Sshd, tmp_path: Path) -> LoopbackHost:
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
        folder=now, port=server.port, public_key=server.host_key, inventory=tmp_path / "site.json"
    )
    host.machine_id(MACHINE)
    host.write_inventory()
    return host


@pytest.fixture
def without_ssh(loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback host is this machine: what sshd would start is started here, without a login."""
    (tmp_path / "machine-id").write_text(f"{HERE}\n")
    script = tmp_path / "here.sh"
    script.write_text(f"SSH_ORIGINAL_COMMAND=$1 exec sh {loopback.folder.parent}/entry.sh\n")
    monkeypatch.setattr(here, "MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(ssh, "_HERE", ("sh", str(script)))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    output(sys.executable, "-m", "pip", "wheel", ROOT, *offline, "-w", folder, timeout_s=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and nothing else of ours."""
    target = tmp_path_factory.mktemp("installed")
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check")
    output(sys.executable, "-m", "pip", "install", *offline, "--target", target, wheel, timeout_s=120)
    return target


def pinned(loopback: Any, *first: str, **changes: Any) -> Any:
    """The loopback host, enrolled in its inventory; FIRST are host keys beside its own."""
    key = " ".join(loopback.public_key.split()[:2])
    identity = {"host_keys": [*first, key], "machine_id": HERE}
    loopback.machine_id(HERE)
    loopback.write_inventory(profile="engine", identity=identity, **changes)
    return loopback
