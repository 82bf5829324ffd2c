"""Clocks in network namespaces of this machine: real ptp4l and chronyd, and nothing that may set its clock.

All namespaces share the kernel's one clock, so a daemon that steered would steer this machine. None may: each
runs without CAP_SYS_TIME, which the kernel asks of whoever sets a clock (capabilities(7)), and ptp4l is told
to run free. What the clients measure is therefore 0 but for the stamps' noise, until somebody lies.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from checks.clock.facts import ClockFacts, parse_facts
from checks.clock.look import argv, script
from deploys.clock.files import clock_files
from tests.support.namespaces import ip, within
from tuning.clock.files import Places
from tuning.clock.plan import PTP4L, WATCH, plan_clock
from tuning.clock.wish import ClockWish

# Without the right to set a clock, whatever the program does.
UNARMED = ("setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time", "--")
FAST = {
    **{"logAnnounceInterval": "-2", "logSyncInterval": "-3", "logMinDelayReqInterval": "-3"},
    **{"free_running": "1", "tx_timestamp_timeout": "50"},
}
PROGRAMS = ("ptp4l", "pmc", "chronyd", "chronyc", "setpriv", "nsenter", "ip")


@dataclass(slots=True, kw_only=True)
class ClockHost:
    """One namespace with one port, and its daemons by name."""

    name: str
    space: str
    address: str
    folder: Path
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """Where its sockets are; chronyd wants a folder of its own."""
        return Places(run_dir=str(self.folder), chrony_dir=str(self.folder / "chrony"))

    def start(self, name: str, command: Sequence[str]) -> None:
        """Run a daemon; what it says goes to a file."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.programs[name] = subprocess.Popen(
                [*within(self.space), *UNARMED, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        """End a daemon at once."""
        program = self.programs.pop(name)
        program.kill()
        program.wait()

    def ptp(self, wish: ClockWish, **more: str) -> None:
        """ptp4l by the planned file; MORE and the pace come on the command line, which wins (ptp4l(8))."""
        files = {
            file.path: file.content for file in clock_files(plan_clock(self.name, wish, None, self.places))
        }
        daemon = plan_clock(self.name, wish, None, self.places).daemon(PTP4L)
        assert daemon is not None and daemon.config is not None
        path = self.folder / "ptp4l.conf"
        path.write_bytes(files[daemon.config.path])
        words = [f"--{key}={value}" for key, value in {**FAST, **more}.items()]
        self.start("ptp4l", ["ptp4l", "-m", "-f", str(path), *words])

    def watchdog(self, wish: ClockWish) -> None:
        """The watchdog by its planned file, asking faster; as root, whose folder it is."""
        plan = plan_clock(self.name, wish, None, self.places)
        daemon = plan.daemon(WATCH)
        assert daemon is not None and daemon.config is not None
        text = next(file.content for file in clock_files(plan) if file.path == daemon.config.path).decode()
        path = self.folder / "watch.conf"
        path.write_text(text.replace("minpoll 2 maxpoll 4", "minpoll -2 maxpoll 0"))
        words = list(daemon.argv[1:])
        words[words.index("-f") + 1] = str(path)
        self.start("watch", ["chronyd", "-u", "root", *words])

    def ntp_server(self) -> None:
        """A server whose time is this machine's own: it says that it is a source and follows nobody."""
        (self.folder / "chrony").mkdir(mode=0o700, exist_ok=True)
        path = self.folder / "server.conf"
        place = self.folder / "chrony"
        path.write_text(
            f"local stratum 1\nallow\ncmdport 0\npidfile {place}/server.pid\n"
            f"bindcmdaddress {place}/server.sock\n"
        )
        self.start("server", ["chronyd", "-u", "root", "-d", "-x", "-f", str(path)])

    def look(self, domain: int, samples: int = 2) -> ClockFacts:
        """What the check's own script reads of this host."""
        mark = f"@{secrets.token_hex(8)}"
        words = argv(
            domain, samples, ptp4l=self.places.ptp4l_socket, watch=self.places.chronyd_socket("watch")
        )
        done = subprocess.run(
            [*within(self.space), *words], input=script(mark), capture_output=True, timeout=60, check=True
        )
        return parse_facts(done.stdout.decode(), mark)

    def log(self, name: str) -> str:
        """What a daemon said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def may_set_a_clock(self) -> list[str]:
        """Its daemons that hold CAP_SYS_TIME, by the kernel's word."""
        found = []
        for name, program in self.programs.items():
            status = Path(f"/proc/{program.pid}/status").read_text()
            rights = next(line for line in status.splitlines() if line.startswith("CapEff:"))
            if int(rights.split()[1], 16) >> 25 & 1:
                found.append(name)
        return found


@contextmanager
def clock_hosts(folder: Path, names: Sequence[str]) -> Iterator[list[ClockHost]]:
    """Namespaces of these names, each with a port `p0`, on one bridge in a namespace of its own."""
    with ExitStack() as stack:
        switch = _space(stack, "switch")
        ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0", space=switch)
        ip("link", "set", "br0", "up", space=switch)
        hosts = []
        for number, name in enumerate(names, start=1):
            space, address = _space(stack, name), f"10.78.1.{number}"
            ip("link", "add", "p0", "netns", space, "type", "veth", "peer", "name", name, "netns", switch)
            ip("link", "set", name, "master", "br0", "up", space=switch)
            ip("address", "add", f"{address}/24", "dev", "p0", space=space)
            ip("link", "set", "p0", "up", space=space)
            place = folder / name
            place.mkdir()
            host = ClockHost(name=name, space=space, address=address, folder=place)
            (place / "chrony").mkdir(mode=0o700)
            stack.callback(_stop, host)
            hosts.append(host)
        yield hosts


def _space(stack: ExitStack, name: str) -> str:
    space = f"hft-{os.getpid()}-{name}"
    ip("netns", "add", space)
    stack.callback(ip, "netns", "delete", space)
    ip("link", "set", "lo", "up", space=space)
    return space


def _stop(host: ClockHost) -> None:
    for name in list(host.programs):
        host.kill(name)


def until(
    look: Callable[[], ClockFacts], holds: Callable[[ClockFacts], bool], timeout_s: float
) -> ClockFacts:
    """Look until it HOLDS; the last look otherwise, which the test then judges."""
    end = time.monotonic() + timeout_s
    seen = look()
    while not holds(seen) and time.monotonic() < end:
        time.sleep(0.2)
        seen = look()
    return seen
