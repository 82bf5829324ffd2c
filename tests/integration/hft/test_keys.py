"""One way to a host: a key that lets `ssh` in lets every verb in, wherever the operator keeps it.

ssh(1) looks for its default keys in the home directory of the account (getpwuid(3)), not in $HOME, so each
command runs in a mount namespace of its own, where that is the test's folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.target import NAME, Target
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.commands import BIN, Done, output
from tests.support.fake_host import MACHINE_ID
from tests.support.keys import make_key
from tests.support.made_target import host_of, inventory_file, made_target

pytestmark = [pytest.mark.long, needs.namespaces(), needs.programs("ssh-agent", "ssh-add", "ssh-keygen")]
AT_HOME = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
PRIVATE = ("unshare", "--mount", "--propagation", "private", "sh", "-c", AT_HOME, "sh")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A made server, booted as planned."""
    with made_target(tmp_path_factory.mktemp("made")) as target:
        yield target


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody with a home directory, and an ssh-agent or none."""

    home: Path
    inventory: Path
    agent: Path | None = None

    def run(self, name: str, *words: str) -> Done:
        """A console script as this operator starts it."""
        place = [str(self.inventory)] if name == "pyinfra" else []
        after = ["--inventory", str(self.inventory)] if name == "hft" else []
        environment = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
        environment |= {"HFT_STATE": str(self.home / "state"), "HFT_LAB_DIR": str(self.home)}
        if self.agent is not None:
            environment["SSH_AUTH_SOCK"] = str(self.agent)
        return subprocess.run(
            [*PRIVATE, self.home, pwd.getpwuid(os.getuid()).pw_dir, BIN / name, *place, *words, *after],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
            cwd=self.home,
        )


def operator(folder: Path, target: Target, *, agent: Path | None = None, **way: str) -> Operator:
    """An operator with an empty home, and an inventory with this WAY to the target."""
    home = folder / "home"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    identity = {"host_keys": [target.host_key], "machine_id": MACHINE_ID}
    host = host_of(name=NAME, identity=identity, address=target.address, ssh_port=target.port, **way)
    return Operator(home=home, inventory=inventory_file(folder, host), agent=agent)


@contextmanager
def ssh_agent(folder: Path, *keys: Path) -> Iterator[Path]:
    """The socket of an agent that holds KEYS, in their order."""
    socket = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"SSH_AUTH_SOCK="), "it says where it listens"
        for key in keys:
            output("env", f"SSH_AUTH_SOCK={socket}", "ssh-add", "-q", key)
        yield socket
    finally:
        process.terminate()
        process.wait(timeout=10)


def every_verb_works(who: Operator, target: Target) -> None:
    """Each road to a host: the looks, the checks, hft's changes and plain pyinfra's."""
    target.run("echo 61 >/proc/sys/vm/swappiness")
    for line, codes in {
        "status": {0},
        f"plan --host {NAME}": {0, 3},
        "apply --dry-run": {3},
        "check --config-only": {4, 5},
        "apply --yes": {0},
    }.items():
        done = who.run("hft", *line.split())
        assert done.returncode in codes, (line, done.stdout, done.stderr)
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"
    stock = who.run("pyinfra", str(ROOT / "deploys/site.py"), "--dry")
    assert stock.returncode == 0, stock.stderr


def test_a_key_at_its_default_place_lets_every_verb_in(target: Target, tmp_path: Path) -> None:
    who = operator(tmp_path, target)
    assert who.run("hft", "status").returncode == 7, "nobody is let in without a key"
    shutil.copy(target.key, who.home / ".ssh/id_ed25519")
    every_verb_works(who, target)


def test_an_encrypted_key_that_an_agent_holds_lets_every_verb_in(target: Target, tmp_path: Path) -> None:
    """Beside more keys than sshd lets anybody try: `ssh_key` says which of the agent's it is."""
    others = [make_key(tmp_path / f"other-{number}") for number in range(7)]
    locked = tmp_path / "locked"
    shutil.copy(target.key, locked)
    output("ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", locked)
    with ssh_agent(tmp_path, *others, target.key) as agent:
        every_verb_works(operator(tmp_path, target, agent=agent, ssh_key=str(locked)), target)


def test_an_agent_alone_lets_every_verb_in(target: Target, tmp_path: Path) -> None:
    with ssh_agent(tmp_path, target.key) as agent:
        every_verb_works(operator(tmp_path, target, agent=agent), target)
