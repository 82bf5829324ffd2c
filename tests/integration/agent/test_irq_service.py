"""The interrupt service: places by the committed plan, once at its start and again after a link changed."""

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
    """A real rtnetlink announcement: the loopback of a new network namespace goes up, then down."""
    code = (
        "import fcntl, socket, struct, sys, threading, time\n"
        "from agent.host import HostRoot\nfrom agent.verbs import irqs as irq_service\n"
        "def flip(flags):\n"
        "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:\n"
        "        fcntl.ioctl(one, 0x8914, struct.pack('16sh14x', b'lo', flags))\n"
        "def later():\n"
        "    sys.stdin.readline(); flip(1)\n"
        "threading.Thread(target=later, daemon=True).start()\n"
        f"irq_service.irqs(HostRoot(root={host.root!r}), [])\n"
    )
    argv = ["unshare", "--net", sys.executable, "-c", code]
    service = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        await_text(host, "0-1\n")
        time.sleep(0.3)  # the socket listens once the first placement is done
        Path(host.path("/proc/irq/9/smp_affinity_list")).write_text("2-3\n")
        assert service.stdin is not None
        service.stdin.write("up\n")
        service.stdin.flush()
        await_text(host, "0-1\n")
    finally:
        service.kill()
        service.wait()
        if service.stdin is not None:
            service.stdin.close()


def await_text(host: HostRoot, text: str) -> None:
    """Wait until interrupt 9 has this affinity."""
    deadline = time.monotonic() + 15
    while host.read("/proc/irq/9/smp_affinity_list") != text:
        assert time.monotonic() < deadline, "the affinity was not put back"
        time.sleep(0.02)
