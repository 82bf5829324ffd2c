"""Whatever stands in the places that a look reads, the look ends: pipes, devices, folders, dangling links."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.facts import parse_facts, script_of
from deploys.agent_client.record import RECORD_SCRIPT
from deploys.tune.host_state import OBSERVE_SCRIPT
from hft.host_status import SCRIPT_WITH_PLAN
from hft.verbs.gate import LOOKS
from tests.support import needs
from tuning.snapshot.capture import CAPTURE_SCRIPT

pytestmark = [needs.namespaces(), needs.programs("mount")]
# Folders in which a look reads whatever lies there, and names that it asks for.
PLACES: dict[str, tuple[str, ...]] = {
    "/etc": (
        *("machine-id", "os-release", "sysctl.d/90-hft.conf", "sysctl.d/99-x.conf", "tmpfiles.d/10-x.conf"),
        *("default/grub", "default/grub.d/99-x.cfg", "systemd/system.conf", "systemd/system.conf.d/x.conf"),
        *("systemd/system/hft-engine-a.service", "systemd/system/system.slice.d/x.conf"),
    ),
    "/boot": ("grub/grub.cfg", "grub/hft.cfg", "grub/grubenv", "grub/custom.cfg", "config-@"),
    "/var/lib": (
        *("hft/plan.json", "hft/state.json", "hft/lock"),
        "hft/journal/20260101T000000-00000000/progress",
    ),
    "/usr/local/lib": ("hft/agent.version", "hft/standin.py", "hft/agent.pyz"),
    "/run": ("hft/irqs.json", "hft/engine-may-start"),
}
KINDS: dict[str, Callable[[Path], object]] = {
    "pipes": os.mkfifo,
    "endless devices": lambda path: path.symlink_to("/dev/zero"),
    "folders": lambda path: path.mkdir(),
    "dangling links": lambda path: path.symlink_to("/nowhere"),
}
SCRIPTS = {
    "capture": (CAPTURE_SCRIPT.encode(), "/"),
    "look": (OBSERVE_SCRIPT.encode(), "/"),
    "facts": (script_of("facts.sh", "@mark"), "irqbalance.service"),
    "record": (RECORD_SCRIPT.encode(), ""),
    "status with plan": (SCRIPT_WITH_PLAN.encode(), "30"),
}


def ran(tmp_path: Path, kind: str, script: bytes, argument: str) -> subprocess.CompletedProcess[bytes]:
    """The script on this machine, with the places filled, in a mount namespace of its own."""
    mounts = ["set -e"]
    release = os.uname().release
    for place, names in PLACES.items():
        stage = tmp_path / place.strip("/").replace("/", "-")
        for name in names:
            path = stage / name.replace("@", release)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                KINDS[kind](path)
        mounts.append(f"mount --bind {shlex.quote(str(stage))} {place}")
    read, write = os.pipe()
    os.close(write)
    (tmp_path / "script").write_bytes(script)
    mounts.append(f"exec timeout 60 sh -s -- {argument} < {shlex.quote(str(tmp_path / 'script'))}")
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(mounts)]
    try:
        return subprocess.run(argv, stdin=read, capture_output=True, check=False, timeout=90)
    finally:
        os.close(read)


def test_no_look_of_a_host_is_left_out() -> None:
    assert {one.encode() for one in LOOKS} <= {script for script, _ in SCRIPTS.values()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_look_ends_whatever_stands_in_its_way(tmp_path: Path, kind: str, name: str) -> None:
    script, argument = SCRIPTS[name]
    done = ran(tmp_path, kind, script, argument)
    assert done.returncode != 124, "it waited for what never ends"
    if name == "facts":
        facts = parse_facts(done.stdout.decode(errors="replace"), "@mark")
        if kind in ("pipes", "endless devices"):
            told = {path for path in facts.unreadable if not path.startswith(("/proc", "/sys"))}
            assert {"/etc/sysctl.d/99-x.conf", "/boot/grub/grub.cfg", "/var/lib/hft/plan.json"} <= told
            assert "/etc/default/grub.d/99-x.cfg" in told
            assert not told & set(facts.files)
