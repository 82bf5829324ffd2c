"""A copy of this machine's files behind a real sshd on loopback: what is written there is gone with it.

The copy is an overlay in a mount namespace of its own (the machine's files below, memory above), so a test
may let packages, roles and by-hand changes write into /etc as on any Debian. Its systemd is not running: PID
1 is a shell. `folder` of the host is the sshd's; `file` reads and writes inside through /proc/PID/root.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import needs
from tests.support.keys import make_key, public
from tests.support.ports import free_port
from tests.support.sshd import CONFIG, wait_listening

SCRIPT = """\
set -eu
mount -t tmpfs copied "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t tmpfs run run
mkdir run/sshd run/old
mount --rbind /dev dev
pivot_root . run/old
umount -l run/old
"$2" -D -f "$3" -E "$4" &
wait
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedHost:
    """A running one; `inside` is its root directory as this process sees it."""

    port: int
    key: Path
    host_key: str
    inside: Path

    def file(self, path: str) -> Path:
        """The file PATH of the host."""
        return self.inside / path.lstrip("/")


@contextmanager
def copied_host(folder: Path) -> Iterator[CopiedHost]:
    """One whose sshd lets the key in; needs root and namespaces."""
    needs.skip_without("sshd", "ssh-keygen", "unshare", "setpriv", "pivot_root")
    folder.chmod(0o700)
    for name in ("host", "user"):
        make_key(folder / name)
    port, config, mount = free_port(), folder / "sshd_config", folder / "mount"
    mount.mkdir()
    config.write_text(CONFIG.format(port=port, folder=folder))
    words = [str(mount), needs.found("sshd") or "sshd", str(config), str(folder / "sshd.log")]
    unshare = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "--kill-child"]
    argv = ["setpriv", "--pdeathsig", "KILL", *unshare, "sh", "-c", SCRIPT, "sh", *words]
    program = subprocess.Popen(argv)
    try:
        wait_listening(port, program)
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        inside = Path(f"/proc/{children[0]}/root")
        yield CopiedHost(port=port, key=folder / "user", host_key=public(folder / "host"), inside=inside)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
