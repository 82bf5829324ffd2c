"""The benchmark's target: an own sshd on loopback in front of a made host, gone when the benchmark is.

A benchmark of tools that change hosts needs a host that may be changed. A VM would do, but an emulated one
is slower than any tool and a figure from it says nothing of bare metal; the machine itself must not be
touched. So the target is a set of namespaces (target.sh): its own root file system in memory, its own
process tree, a made /sys and /proc of a NUMA server, and a real sshd. All tools pay real TCP, real SSH, real
forks and real file system calls.

Everything is tied to the life of this process: the namespaces end with their first process, that one is
killed when `unshare` dies (--kill-child), and `unshare` gets SIGKILL from the kernel when the benchmark is
gone for whatever reason (prctl(2), PR_SET_PDEATHSIG, set by setpriv). Mounts die with their namespace.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]  # it carries no types

from bench.errors import BenchError, UnableError
from tests.support.fake_host import SCRATCH, MadeHost

NAME = "bench-1"
START_TIMEOUT_S = 20.0
_SCRIPT = Path(__file__).with_name("target.sh")
_SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/ssh/host_key
AuthorizedKeysFile /root/.ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
PrintMotd no
LogLevel ERROR
Subsystem sftp internal-sftp
"""
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    # "*" is no password and not locked: sshd without PAM refuses an account whose field starts with "!".
    "etc/shadow": "root:*:20000:0:99999:7:::\nsshd:!:20000::::::\nnobody:*:20000:0:99999:7:::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/hosts": f"127.0.0.1 localhost {NAME}\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How to reach the target; `pid` is the process outside the namespaces that carries them."""

    address: str
    port: int
    key: Path
    host_key: str
    known_hosts: Path
    pid: int
    folder: Path

    def run(self, command: str, *, stdin: str = "", timeout_s: float = 20.0) -> str:
        """Run one shell command on the target and return what it printed."""
        argv = ["ssh", "-F", "none", "-p", str(self.port), "-i", str(self.key), "-l", "root"]
        argv += ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"]
        argv += ["-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "LogLevel=ERROR"]
        done = subprocess.run(
            [*argv, "--", self.address, command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise BenchError(f"the target refused `{command}`: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def cpu_s(self) -> float:
        """CPU seconds that ended sessions have used on the target: what its sshd has reaped so far."""
        return _reaped_cpu_s(self.pid)


@contextmanager
def open_target(made: MadeHost) -> Iterator[Target]:
    """A running target in front of `made`; needs root, because it mounts."""
    _require()
    folder = Path(tempfile.mkdtemp(prefix="hft-bench-", dir=SCRATCH))
    child: subprocess.Popen[bytes] | None = None
    try:
        port = _free_port()
        _stage(folder, made, port)
        with (folder / "sshd.log").open("wb") as log:
            child = subprocess.Popen(_argv(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        target = _target(folder, port, child.pid)
        _wait_until_up(target, child)
        yield target
    finally:
        if child is not None:
            child.kill()
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def end_like_interrupt() -> None:
    """Let SIGTERM end this process as Ctrl-C does, through every clean-up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _require() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise UnableError(
            "the target on loopback is made of mount and PID namespaces, so it needs root on Linux; "
            "run it as root, or time the rest: python -m bench --only planner --only doctor"
        )
    missing = [tool for tool in ("unshare", "setpriv", "pivot_root", "ssh", "ssh-keygen") if not _which(tool)]
    if not _which("sshd"):
        missing.append("sshd (package openssh-server)")
    if missing:
        raise UnableError(f"these programs are missing: {', '.join(missing)}; hint: make setup")


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _argv(folder: Path) -> list[str]:
    sshd = _which("sshd")
    assert sshd is not None  # _require() has looked
    namespaces = ["--mount", "--pid", "--ipc", "--uts", "--propagation", "private", "--fork", "--kill-child"]
    script = ["sh", str(_SCRIPT), str(folder), sshd]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "--", *script]


def _stage(folder: Path, made: MadeHost, port: int) -> None:
    """Write what target.sh builds the root from: accounts, keys, sshd_config and the made host's files."""
    tree = folder / "tree"
    (folder / "root").mkdir()
    for name in ("etc/ssh", "boot", "proc", "sys", "root/.ssh", "usr/lib/systemd/system"):
        (tree / name).mkdir(parents=True)
    for name, text in _ACCOUNTS.items():
        (tree / name).write_text(text)
    (tree / "etc/shadow").chmod(0o600)
    (tree / "etc/ssh/sshd_config").write_text(_SSHD_CONFIG.format(port=port))
    _keygen(tree / "etc/ssh/host_key", "bench host")
    _keygen(folder / "key", "bench client")
    (tree / "root/.ssh/authorized_keys").write_bytes((folder / "key.pub").read_bytes())
    (tree / "root/.ssh").chmod(0o700)
    host_key = _public(tree / "etc/ssh/host_key.pub")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n{NAME} {host_key}\n")
    shutil.copyfile(_SCRIPT.with_name("systemctl.sh"), folder / "systemctl.sh")
    made.write(tree)


def _keygen(path: Path, comment: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _public(path: Path) -> str:
    return " ".join(path.read_text().split()[:2])


def _free_port() -> int:
    # Given to sshd a moment later; should another program take it first, the pinned host key gives it away.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _target(folder: Path, port: int, pid: int) -> Target:
    return Target(
        address="127.0.0.1",
        port=port,
        key=folder / "key",
        host_key=_public(folder / "tree/etc/ssh/host_key.pub"),
        known_hosts=folder / "known_hosts",
        pid=pid,
        folder=folder,
    )


def _wait_until_up(target: Target, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        log = (target.folder / "sshd.log").read_text(errors="replace").strip()
        if child.poll() is not None:
            raise BenchError(
                f"the target ended while starting (exit {child.returncode}): {log[-400:] or 'no word'}"
            )
        try:
            with socket.create_connection((target.address, target.port), timeout=1):
                break
        except OSError as error:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"the target's sshd did not answer in {START_TIMEOUT_S:.0f} s: {log}"
                ) from error
            time.sleep(0.05)
    seen = target.run("cat /etc/machine-id").strip()
    if seen != (target.folder / "tree/etc/machine-id").read_text().strip():
        raise BenchError(f"what answers on port {target.port} is not the target: its machine-id is {seen}")


def _reaped_cpu_s(pid: int) -> float:
    """CPU seconds of PID and all below it, with what each has reaped."""
    total_s = 0.0
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile; its parent has its time
                total_s += sum(one.cpu_times()[:4])  # own user and system, then those of reaped children
    return total_s
