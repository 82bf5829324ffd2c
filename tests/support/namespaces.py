"""Two hosts as network namespaces of this machine, with a cable for each of two LANs between them.

Everything is private and goes with the block: names carry the process id, programs are ours by pid.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LANS = {"A": ("lan-a", "10.77.1"), "B": ("lan-b", "10.77.2")}
NUMBERS = {"engine": 11, "ops": 13}


@dataclass(slots=True, kw_only=True)
class Namespace:
    """One host: a network of its own, the machine's files."""

    name: str
    space: str
    folder: str
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 120) -> str:
        """Run a command in it."""
        done = subprocess.run(
            [*within(self.space), *argv],
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"{self.name}: {argv[0]} exited {done.returncode}: {done.stderr.decode()[-400:]}"
            )
        return done.stdout.decode()

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a program in it; what it says goes to a file."""
        with Path(self.folder, f"{name}.log").open("wb") as log:
            command = [*within(self.space), *argv]
            self.programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def crash(self, name: str) -> list[str]:
        """SIGKILL to the program of that name; its command line."""
        (program,) = (one for one in self.programs if name in str(one.args))
        program.kill()
        program.wait()
        self.programs.remove(program)
        words = [str(word) for word in program.args]  # type: ignore[union-attr]
        return words[len(within(self.space)) :]

    def stop(self) -> None:
        """End what runs in it."""
        for program in self.programs:
            program.kill()
            program.wait()


@contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Namespace, Namespace]]:
    """`ops` and `engine`, each with an address on both LANs."""
    with ExitStack() as stack:
        hosts = [_host(stack, name, folder) for name in ("ops", "engine")]
        for card, net in LANS.values():
            near, far = (host.space for host in hosts)
            ip("link", "add", card, "netns", near, "type", "veth", "peer", "name", card, "netns", far)
            for host in hosts:
                address = f"{net}.{NUMBERS[host.name]}/24"
                ip("address", "add", address, "dev", card, space=host.space)
                ip("link", "set", card, "up", space=host.space)
        yield hosts[0], hosts[1]


def _host(stack: ExitStack, name: str, folder: Path) -> Namespace:
    space = f"hft-{os.getpid()}-{name}"
    ip("netns", "add", space)
    stack.callback(ip, "netns", "delete", space)
    place = folder / name
    place.mkdir()
    host = Namespace(name=name, space=space, folder=str(place))
    stack.callback(host.stop)
    ip("link", "set", "lo", "up", space=space)
    return host


def within(space: str) -> list[str]:
    """The words before a command that runs in SPACE: nsenter(1), because `ip netns exec` and `ip -n` remount
    things and fail where / is no mount point, as in a chroot."""
    return ["nsenter", f"--net=/run/netns/{space}"]


def ip(*words: str, space: str = "") -> None:
    """iproute2, in SPACE if one is named; it must succeed."""
    subprocess.run([*(within(space) if space else []), "ip", *words], check=True, capture_output=True)


def are_possible() -> bool:
    """Whether this process may make network namespaces and cables."""
    probe = f"hft-{os.getpid()}-probe"
    try:
        ip("netns", "add", probe)
        ip("netns", "delete", probe)
    except (OSError, subprocess.CalledProcessError):
        return False
    return os.geteuid() == 0
