"""A slot on this machine as the checks see one: the shipped engine, pinned, and slots.sh looking at it.

There is no systemd here, so the few words that the script asks of it and the places it looks into are
replaced; everything about the process itself (bytes, threads, mappings, counters) is the kernel's.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from checks.expected import Expected, read_plan
from checks.facts import Facts, script_of
from checks.slot_facts import SlotFacts, parse_slots
from engine.contract.canonical import canonical
from tests.support.engine.chain import Chain
from tuning.plan.plan import CpuDecision, Plan

MARK = "@mark"
CPUS = sorted(os.sched_getaffinity(0))
HOUSE, HOT = CPUS[0], CPUS[-1]
PLACED = {"hot": [HOT], "journal": [HOUSE], "other": [HOUSE], "admin": [HOUSE]}


def expected() -> Expected:
    """A plan of this machine: its last CPU is the engine's."""
    decisions = tuple(
        CpuDecision(cpu=cpu, node=0, role="engine" if cpu == HOT else "housekeeping", why="test")
        for cpu in CPUS
    )
    plan = Plan(profile="engine", topology_digest="0" * 64, cpus=decisions, settings=())
    return read_plan(plan.to_json())


@dataclass(slots=True, kw_only=True)
class Slot:
    """Slot `a` below a folder; `pid` is what runs in it."""

    folder: Path
    pid: int = 0
    cgroup: list[int] = field(default_factory=list)

    def release(self, program: Path, manifest: bytes) -> Path:
        """Lay down a release and let the slot's link lead to it; its program."""
        place = self.folder / "releases" / hashlib.sha256(manifest).hexdigest()
        place.mkdir(parents=True)
        shutil.copy(program, place / "hft-engine")
        (place / "engine.json").write_bytes(manifest)
        link = self.folder / "slots" / "a"
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(place)
        return place / "hft-engine"

    def configure(self, metrics_page: str) -> None:
        """What the script reads of the engine's configuration."""
        place = self.folder / "etc" / "a"
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.json").write_bytes(canonical({"cpus": PLACED, "metrics_page": metrics_page}))

    def look(self, window_s: float = 0) -> SlotFacts:
        """One run of the script."""
        script = script_of("slots.sh", MARK).decode()
        swaps = {
            'systemctl show --property=MainPID --value "hft-engine-$1.service"': f"echo {self.pid}",
            'systemctl show --property=MainPID,ActiveState,NRestarts "hft-engine-$slot.service"': (
                f"printf 'MainPID={self.pid}\\nActiveState=active\\n'"
            ),
            "/etc/hft/engine": str(self.folder / "etc"),
            "/opt/hft/slots": str(self.folder / "slots"),
            '"/sys/fs/cgroup/hft.slice/hft-engine.slice/hft-engine-$slot.service/cgroup.threads"': "/dev/null",  # noqa: E501
        }
        for old, new in swaps.items():
            assert old in script, old
            script = script.replace(old, new)
        argv = ["sh", "-s", "--", f"{window_s:g}", "a"]
        done = subprocess.run(argv, input=script.encode(), capture_output=True, check=True, timeout=120)
        return parse_slots(done.stdout.decode(), MARK)["a"]


def manifest_of(program: Path) -> bytes:
    """The engine's own, canonical."""
    done = subprocess.run([str(program), "--manifest"], capture_output=True, check=True)
    return canonical(json.loads(done.stdout))


def deployed(chain: Chain, folder: Path) -> Slot:
    """The shipped engine as a release in slot a, STANDBY, its threads where the plan has them."""
    slot = Slot(folder=folder)
    built = chain.native / "bin" / "hft-engine"
    program = slot.release(built, manifest_of(built))
    seat = chain.seats["a"]
    seat.config["cpus"] = PLACED
    slot.configure(seat.config["metrics_page"])
    slot.pid = seat.standby(program=program).pid
    return slot


NO_FACTS = Facts(files={})
