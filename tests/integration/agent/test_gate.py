"""A key that reaches the agent alone, over a real sshd: it tunes and looks, and does nothing else."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from getpass import getuser
from pathlib import Path

import pytest

from agent.host import HostRoot
from agent.install.build import build_zipapp
from agent.narrow import LIST
from agent.transaction.staleness import topology_digest
from agent.verbs import gate
from agent.verbs.gate import AGENT
from hft.verbs.gate import LOOKS
from tests.support import kill_harness as small
from tests.support.sshd import Sshd, running_sshd
from tests.support.transactions import small_host

pytestmark = pytest.mark.long

SCRIPT = "printf 'looked %s\\n' \"$1\""
CONF = "# ours\n\nvm.stat_interval = 120\n"
CONTENTS = {
    "/etc/sysctl.d/90-hft.conf": CONF,
    "/etc/tmpfiles.d/90-hft.conf": "w /sys/kernel/mm/ksm/run - - - - 0\n",
    "/etc/systemd/system/user.slice.d/90-hft.conf": "[Slice]\nAllowedCPUs=0-1\n",
    "/etc/hft/engine/a/config.json": "{}\n",
    "/etc/systemd/system/hft-engine.slice": "[Unit]\nDescription=x\n\n[Slice]\nAllowedCPUs=2\n",
    "/var/lib/hft/plan.json": "{}\n",
}
DIGESTS = [hashlib.sha256(one.encode()).hexdigest() for one in (SCRIPT, *LOOKS)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Path]]:
    """An sshd whose one key is bound to the agent of a host below a directory."""
    folder = tmp_path_factory.mktemp("gate")
    root = folder / "root"
    root.mkdir()
    small_host(root)
    (root / LIST.lstrip("/")).parent.mkdir(parents=True)
    (root / LIST.lstrip("/")).write_text(json.dumps({"schema": 1, "scripts": DIGESTS}))
    build_zipapp(folder / "agent.pyz")
    with running_sshd(folder) as running:
        key = (folder / "user.pub").read_text()
        forced = f"{small.PYTHON} -I -S {folder}/agent.pyz --root {root} gate"
        (folder / "user.pub").write_text(f'restrict,command="{forced}" {key}')
        yield running, root


def ssh(
    server: Sshd, *words: str, stdin: bytes = b"", options: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    known = server.folder / "known"
    known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    argv = ["ssh", "-F", "none", "-i", str(server.folder / "user"), "-p", str(server.port), *options]
    argv += ["-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", f"{getuser()}@127.0.0.1", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60)


def test_the_agents_verbs_are_reached_and_a_transaction_is_applied(server: tuple[Sshd, Path]) -> None:
    running, root = server
    done = ssh(running, *AGENT, "status")
    assert json.loads(done.stdout)["machine_id"] == small.MACHINE_ID, done.stderr
    document = json.loads(small.document(topology_digest(small_host_again(root))))
    for step in document["steps"]:
        if step["kind"] == "file" and step["content"] is not None:
            step["content"] = CONTENTS[step["path"]]
    data = json.dumps(document).encode()
    foreseen = json.loads(ssh(running, *AGENT, "preflight", stdin=data).stdout)
    assert foreseen == {"schema": 1, "refusals": []}
    done = ssh(running, "sudo", "-n", "--", *AGENT, "apply", stdin=data)
    assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "applied"), done.stdout
    assert (root / "etc/sysctl.d/90-hft.conf").read_text() == CONF


def test_content_that_no_plan_renders_is_refused_by_what_it_is(server: tuple[Sshd, Path]) -> None:
    """By the same file, unit and boot that a plan may change: root's own way in would take them."""
    running, root = server
    whole = json.loads(small.document("a" * 64)) | {"txn": "20991121T101500-3f2a9c1c"}
    file = {"kind": "file", "mode": 420, "before": "absent", "why": "w"}
    unit = "[Service]\nExecStart=+/bin/sh\n"
    for path, content in (
        ("/etc/tmpfiles.d/90-hft.conf", "f+ /etc/cron.d/x - - - - x\n"),
        ("/etc/sysctl.d/90-hft.conf", "kernel.core_pattern = |/bin/sh\n"),
        ("/etc/systemd/system/hft-engine-a.service", unit),
        ("/usr/local/lib/hft/ticket.pyz", "import os\n"),
    ):
        step = file | {"path": path, "content": content}
        done = ssh(running, *AGENT, "apply", stdin=json.dumps(whole | {"steps": [step]}).encode())
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["code"]) == (2, "bad_document"), answer
        assert path in answer["message"]
        assert "reaches the agent alone" in answer["message"]
    assert not (root / "usr/local/lib/hft/ticket.pyz").exists()


def small_host_again(root: Path) -> HostRoot:
    return HostRoot(root=str(root))


def test_what_the_border_refuses_is_refused_here_too(server: tuple[Sshd, Path]) -> None:
    running, root = server
    whole = json.loads(small.document("a" * 64)) | {"txn": "20991121T101500-3f2a9c1b"}
    step = {"kind": "file", "path": "/etc/systemd/system/any.service", "content": "x", "mode": 420}
    whole["steps"] = [step | {"before": "absent", "why": "w"}]
    done = ssh(running, *AGENT, "apply", stdin=json.dumps(whole).encode())
    assert (done.returncode, json.loads(done.stdout)["code"]) == (2, "bad_document")
    assert not (root / "etc/systemd/system/any.service").exists()


def test_a_listed_look_runs_from_the_command_line_and_from_standard_input(server: tuple[Sshd, Path]) -> None:
    running, _ = server
    assert ssh(running, f"sh -c {shlex.quote(SCRIPT)}").stdout == b"looked \n"
    assert ssh(running, "sh -s -- /", stdin=SCRIPT.encode()).stdout == b"looked /\n"
    assert ssh(running, "sudo -n -- sh -s -- 2.5", stdin=SCRIPT.encode()).stdout == b"looked 2.5\n"


BAD_VERBS = ("irqs", "gate", "remove", "status; id", "status $(id)", "--root / status")
REFUSED = (
    *(
        "id",
        "sh",
        "sh -c id",
        "bash -c 'id'",
        "sh -s -- / ; id",
        "scp -t /etc",
        "internal-sftp",
        "cat /etc/shadow",
    ),
    *(
        f"{' '.join(AGENT)} {words}"
        for words in ("irqs", "gate", "remove", "status; id", "status $(id)", "--root / status")
    ),
    *(f"{' '.join(AGENT)} apply /etc/passwd", f"{' '.join(AGENT)}", "sudo -n -- id", "sudo -n id", "'"),
    *("/usr/bin/python3 -c 'print(1)'", "/usr/bin/python3 -I -S /tmp/agent.pyz status", "sh -c 'printf x' y"),
)


@pytest.mark.parametrize("command", REFUSED)
def test_anything_else_is_refused(server: tuple[Sshd, Path], command: str) -> None:
    done = ssh(server[0], command, stdin=b"id\n")
    assert (done.returncode, done.stdout) == (gate.REFUSED, b""), done.stderr
    assert b"this key reaches the agent alone" in done.stderr


@pytest.mark.parametrize("script", [SCRIPT + "\nid", "id", "", SCRIPT + " "])
def test_a_script_that_is_not_listed_is_refused(server: tuple[Sshd, Path], script: str) -> None:
    done = ssh(server[0], "sh -s -- /", stdin=script.encode())
    assert (done.returncode, done.stdout) == (gate.REFUSED, b"")
    assert ssh(server[0], "sh -s -- $(id)", stdin=SCRIPT.encode()).returncode == gate.REFUSED


def test_no_shell_no_terminal_no_forwarding(server: tuple[Sshd, Path]) -> None:
    assert ssh(server[0]).returncode == gate.REFUSED
    done = ssh(server[0], options=["-W", "127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"])
    assert done.returncode == 255


def test_a_host_without_a_list_lets_no_script_through() -> None:
    assert gate.decide(f"sh -c {shlex.quote(SCRIPT)}", frozenset()) is None
    assert gate.decide("sh -c ''", frozenset({hashlib.sha256(b"").hexdigest()})) is None
    assert gate.decide(" ".join((*AGENT, "revert")), frozenset()) == gate.Allowed(verb=("revert",))
