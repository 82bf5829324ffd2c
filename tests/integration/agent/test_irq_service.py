"""The interrupt service: places by the committed plan, at its start, after what it hears, and in sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.host import HostRoot
from agent.verbs import irqs as irq_service
from tests.support import kill_harness as small
from tests.support import needs
from tests.support.checkout import ROOT


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    small.lay_out(tmp_path)
    settings = [{"kind": "sysctl", "value": "1"}, {"kind": "irq_placement", "cpus": "0-1", "value": "0-1"}]
    (tmp_path / "var/lib/hft/plan.json").write_text(json.dumps({"schema": 1, "settings": settings}))
    return HostRoot(root=str(tmp_path))


def test_interrupts_outside_of_the_planned_cpus_are_moved_and_the_others_left(host: HostRoot) -> None:
    assert irq_service.place_once(host) == "3 affinities set to CPUs 0-1"
    assert host.read("/proc/irq/9/smp_affinity_list") == "0-1\n"
    assert irq_service.place_once(host) == ""


@pytest.mark.parametrize(
    "plan", [None, "{", "[]", '{"settings":[]}', '{"settings":[{"kind":"irq_placement","cpus":"x"}]}']
)
def test_without_a_plan_nothing_is_moved(host: HostRoot, plan: str | None) -> None:
    place = Path(host.path("/var/lib/hft/plan.json"))
    place.unlink() if plan is None else place.write_text(plan)
    assert irq_service.place_once(host) == ""
    assert host.read("/proc/irq/9/smp_affinity_list") == "2-3\n"


@needs.root("a link in a network namespace of its own")
def test_a_link_that_comes_up_puts_the_affinities_back(host: HostRoot) -> None:
    """A real rtnetlink announcement: the loopback of a new network namespace goes up; no sweep helps."""
    put_back_after(
        host, "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))", sweep_s=600
    )


@needs.root("a link in a network namespace of its own")
@needs.programs("ip", "unshare")
def test_changed_channels_put_the_affinities_back_although_no_link_changed(host: HostRoot) -> None:
    """A real notification of ethtool's monitor: `ethtool -L` of a veth pair; no sweep helps."""
    change = (
        "generic = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16); generic.bind((0, 0))\n"
        "    family = dict(ev.attributes(ev.ask_family(generic, 'ethtool')[20:]))[1]\n"
        "    device = ev.attribute(1 | 0x8000, ev.attribute(2, b'v0\\0'))\n"
        "    two = ev.attribute(6, struct.pack('=I', 2))\n"
        "    generic.send(ev.request(struct.unpack('=H', family)[0], 18, 4, device, two))"
    )
    pair = "link add v0 numrxqueues 4 numtxqueues 4 type veth peer name v1"
    argv = [needs.found("ip") or "ip", *pair.split()]
    put_back_after(host, change, sweep_s=600, first=f"subprocess.run({argv!r}, check=True)")


@needs.root("a network namespace of its own")
def test_what_nobody_tells_of_is_put_back_by_the_sweep_within_five_seconds(host: HostRoot) -> None:
    assert put_back_after(host, "pass", sweep_s=irq_service.SWEEP_S) < 5.5


@needs.root("a network namespace of its own")
def test_without_sweep_and_event_it_stays_wrong(host: HostRoot) -> None:
    """The control of the three before."""
    with pytest.raises(AssertionError, match="not put back"):
        put_back_after(host, "pass", sweep_s=600, patience_s=2)


def put_back_after(
    host: HostRoot, change: str, *, sweep_s: float, first: str = "pass", patience_s: float = 15
) -> float:
    """Seconds until the service has put an affinity back; CHANGE follows, in a network of its own."""
    code = (
        "import fcntl, socket, struct, subprocess, sys, threading\n"
        "from agent.host import HostRoot\n"
        "from agent import netlink as ev\n"
        "from agent.verbs import irqs as irq_service\n"
        f"irq_service.SWEEP_S = {sweep_s}\n"
        f"{first}\n"
        "def later():\n"
        f"    sys.stdin.readline()\n    {change}\n"
        "threading.Thread(target=later, daemon=True).start()\n"
        f"irq_service.irqs(HostRoot(root={host.root!r}), [])\n"
    )
    argv = ["unshare", "--net", sys.executable, "-c", code]
    service = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        await_text(host, "0-1\n", 15)
        time.sleep(0.5)  # the sockets listen once the first placement is done
        Path(host.path("/proc/irq/9/smp_affinity_list")).write_text("2-3\n")
        began = time.monotonic()
        assert service.stdin is not None
        service.stdin.write("now\n")
        service.stdin.flush()
        await_text(host, "0-1\n", patience_s)
        return time.monotonic() - began
    finally:
        service.kill()
        service.wait()
        if service.stdin is not None:
            service.stdin.close()


def await_text(host: HostRoot, text: str, patience_s: float) -> None:
    """Wait until interrupt 9 has this affinity."""
    deadline = time.monotonic() + patience_s
    while host.read("/proc/irq/9/smp_affinity_list") != text:
        assert time.monotonic() < deadline, "the affinity was not put back"
        time.sleep(0.02)
