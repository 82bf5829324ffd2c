"""Whatever stands where the agent writes is named with the way out, before anything is written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import border, lock, obstacles
from agent.boot import boot, grub_adopt
from agent.document import Document, FileStep, Step, UnitStep
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.install import install as installing
from agent.paths import HFT_CFG, JOURNAL_DIR, LOCK_FILE, STATE_FILE
from agent.transaction import transaction
from agent.transaction.step_handlers import actors_of
from agent.transaction.transaction import Moment
from agent.transaction.unit_places import OUTRANKING
from agent.verbs.selftest import MACHINE_ID, lay_out, none
from tests.unit.agent import boot_tree
from tuning.held_irqs import HELD_IRQS_FILE
from tuning.snapshot.boot_menu import DEFAULTS, GRUB_CFG
from tuning.units import (
    CLOCK_DAEMONS,
    CLOCK_UNITS,
    CLOCK_WATCH_CONF,
    KNOWN_SLICES,
    NTP_CONF,
    PTP4L_CONF,
    UNIT_DIR,
)

TXN = "20261121T101500-3f2a9c1b"
UNIT = "irqbalance.service"


def folder(path: Path) -> None:
    path.mkdir()
    (path / "kept").write_text("theirs")


def socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def dangling(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def linked(path: Path) -> None:
    path.symlink_to("/dev/null")


FILLED: dict[str, Callable[[Path], object]] = {
    "a folder": folder,
    "a pipe": os.mkfifo,
    "a socket": socket,
    "a symbolic link": dangling,
}
IN_FOLDERS: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: path.write_text("theirs"),
    "a pipe": os.mkfifo,
    "a symbolic link": dangling,
}
# One of each rule of border.FILES; a test holds that none is left out.
FILES = (
    "/etc/sysctl.d/90-hft.conf",
    "/etc/tmpfiles.d/90-hft.conf",
    "/etc/systemd/system.conf.d/90-hft.conf",
    "/etc/systemd/network/98-hft-ens1f0.link",
    *(f"{UNIT_DIR}/{name}" for name in border.OWN_SLICES),
    *(f"{UNIT_DIR}/{name}.d/90-hft.conf" for name in KNOWN_SLICES if name not in border.OWN_SLICES),
    f"{UNIT_DIR}/machine.slice.d/90-hft.conf",
    *(f"{UNIT_DIR}/{name}.d/90-hft.conf" for name in CLOCK_DAEMONS),
    f"{UNIT_DIR}/hft-standin@.service",
    "/usr/local/lib/hft/standin.py",
    "/var/lib/hft/plan.json",
    "/etc/hft/engine/a/config.json",
    "/etc/hft/engine/a/limits.json",
    "/etc/hft/engine/a/limits.json.sig",
    "/etc/hft/engine/a/allowed_signers",
    f"{UNIT_DIR}/hft-engine-a.service",
    "/etc/hft/ticket.json",
    "/usr/local/lib/hft/ticket.pyz",
    f"{UNIT_DIR}/hft-ticket.service",
    *(f"{UNIT_DIR}/{name}" for name in CLOCK_UNITS),
    *(PTP4L_CONF, NTP_CONF, CLOCK_WATCH_CONF),
)


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    made = HostRoot(root=str(tmp_path))
    lay_out(made)
    return made


def tree(host: HostRoot) -> dict[str, tuple[int, bytes]]:
    """Everything but the lock, by kind, mode and content."""
    found = {}
    for path in sorted(Path(host.root).rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        if str(path).removeprefix(host.root) != LOCK_FILE:
            found[str(path)] = (status.st_mode, content)
    return found


def fill(host: HostRoot, path: str, how: Callable[[Path], object]) -> None:
    place = Path(host.path(path))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    how(place)


def run(host: HostRoot, *steps: Step) -> str:
    made = Document(
        txn=TXN,
        host="h",
        machine_id=MACHINE_ID,
        plan_hash="1" * 64,
        topology_digest="2" * 64,
        steps=steps,
        boot=None,
    )
    moment = Moment(at="now", committed=None, supervise=none, check_fresh=none)
    return transaction.run(host, made, moment).result


def write(path: str) -> FileStep:
    return FileStep(path=path, content=b"ours\n", mode=0o644, before=None, why="test")


def enablement(how: str) -> UnitStep:
    return UnitStep(unit=UNIT, enabled=how, active=None, why="test")


def refused(host: HostRoot, act: Callable[[], object], path: str, kind: str) -> None:
    """It is refused by name, with the way out, and changes nothing."""
    before = tree(host)
    with pytest.raises(RefusedError, match=re.escape(f"{path} is {kind}")) as said:
        act()
    assert said.value.code == "preflight"
    assert re.search(r"then apply again|systemctl revert", str(said.value))
    assert tree(host) == before


def test_no_file_that_a_plan_may_write_is_left_out() -> None:
    assert all(any(re.fullmatch(rule, path) for path in FILES) for rule in border.FILES)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("kind", FILLED)
def test_a_file_of_the_plan(host: HostRoot, path: str, kind: str) -> None:
    fill(host, path, FILLED[kind])
    refused(host, lambda: run(host, write("/etc/sysctl.d/90-hft.conf"), write(path)), path, kind)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("kind", IN_FOLDERS)
def test_a_folder_of_a_file_of_the_plan(host: HostRoot, path: str, kind: str) -> None:
    above = path.rpartition("/")[0]
    if Path(host.path(above)).exists():
        for one in Path(host.path(above)).iterdir():
            one.unlink()
        Path(host.path(above)).rmdir()
    fill(host, above, IN_FOLDERS[kind])
    refused(host, lambda: run(host, write(path)), above, kind)


@pytest.mark.parametrize("path", [LOCK_FILE, STATE_FILE])
@pytest.mark.parametrize("kind", FILLED)
def test_what_the_agent_keeps(host: HostRoot, path: str, kind: str) -> None:
    fill(host, path, FILLED[kind])
    with pytest.raises(RefusedError, match=f"{path} is {kind}"), lock.held(host, "x", wait_s=0):
        pass


@pytest.mark.parametrize("kind", IN_FOLDERS)
def test_the_folder_of_journals_and_the_record_of_interrupts(host: HostRoot, kind: str) -> None:
    fill(host, JOURNAL_DIR, IN_FOLDERS[kind])
    with pytest.raises(RefusedError, match=f"{JOURNAL_DIR} is {kind}"), lock.held(host, "x", wait_s=0):
        pass
    fill(host, HELD_IRQS_FILE, FILLED["a folder"])
    refused(host, lambda: run(host, write("/etc/sysctl.d/90-hft.conf")), HELD_IRQS_FILE, "a folder")


@pytest.mark.parametrize("kind", [*FILLED, "a file"])
@pytest.mark.parametrize("how", ["masked", "enabled"])
def test_the_place_of_a_unit(host: HostRoot, kind: str, how: str) -> None:
    """A mask replaces a link, and what is enabled may be a file or a link."""
    path = f"{UNIT_DIR}/{UNIT}"
    fill(host, path, (FILLED | IN_FOLDERS)[kind])
    if kind == "a symbolic link" or (kind, how) == ("a file", "enabled"):
        actors_of(host, document_of(enablement(how)))[0].observe()
    else:
        refused(host, lambda: run(host, enablement(how)), path, kind)


def document_of(step: Step) -> Document:
    return Document(
        txn=TXN, host="h", machine_id=MACHINE_ID, plan_hash="", topology_digest=None, steps=(step,), boot=None
    )


@pytest.mark.parametrize("place", OUTRANKING)
@pytest.mark.parametrize("kind", [*FILLED, "a file"])
@pytest.mark.parametrize("how", ["masked", "enabled"])
def test_what_outranks_a_unit(host: HostRoot, place: str, kind: str, how: str) -> None:
    path = f"{place}/{UNIT}"
    fill(host, path, (FILLED | IN_FOLDERS)[kind])
    before = tree(host)
    with pytest.raises(RefusedError, match=re.escape(f"{path} outranks")):
        run(host, enablement(how))
    assert tree(host) == before


def test_a_mask_that_outranks_a_mask_and_drop_ins_are_no_obstacle(host: HostRoot) -> None:
    fill(host, f"{OUTRANKING[0]}/{UNIT}", linked)
    fill(host, f"{OUTRANKING[0]}/{UNIT}.d", FILLED["a folder"])
    assert run(host, enablement("masked")) == "applied"
    back = UnitStep(unit=UNIT, enabled=None, active=None, why="back", links={})
    fill(host, f"{OUTRANKING[0]}/{UNIT}", IN_FOLDERS["a file"])
    assert not actors_of(host, document_of(back))[0].observe().wanted, "the way back stays open"


def test_the_links_that_enable_a_unit(host: HostRoot) -> None:
    wants = f"{UNIT_DIR}/multi-user.target.wants"
    fill(host, f"{wants}/{UNIT}", FILLED["a folder"])
    refused(host, lambda: run(host, enablement("enabled")), f"{wants}/{UNIT}", "a folder")
    fill(host, f"{UNIT_DIR}/timers.target.wants", IN_FOLDERS["a file"])
    Path(host.path(f"{wants}/{UNIT}/kept")).unlink()
    Path(host.path(f"{wants}/{UNIT}")).rmdir()
    refused(host, lambda: run(host, enablement("enabled")), f"{UNIT_DIR}/timers.target.wants", "a file")


TRIAL_FILES = (
    HFT_CFG,
    DEFAULTS,
    grub_adopt.GRUB_D,
    f"/boot/{boot.OVERLAY}",
    *(f"{UNIT_DIR}/{unit}" for unit in grub_adopt.HEALTH_UNITS),
)


@pytest.mark.parametrize("path", [*TRIAL_FILES, *grub_adopt.HEALTH_LINKS.values(), GRUB_CFG])
@pytest.mark.parametrize("kind", [*FILLED, "a file"])
def test_a_place_of_the_trial_boot(tmp_path: Path, path: str, kind: str) -> None:
    host = HostRoot(root=str(boot_tree.lay_out(tmp_path)))
    fill(host, path, (FILLED | IN_FOLDERS)[kind])
    is_link = path in grub_adopt.HEALTH_LINKS.values()
    if kind == ("a symbolic link" if is_link else "a file") or (
        (path, kind) == (GRUB_CFG, "a symbolic link")
    ):
        grub_adopt.check_places(host, f"/boot/{boot.OVERLAY}")
        return
    refused(host, lambda: boot.preflight(host, boot_tree.WANTED), path, kind)


@pytest.mark.parametrize("path", installing.CHANGED)
@pytest.mark.parametrize("kind", [*FILLED, "a file"])
def test_a_place_of_the_agent_itself(
    tmp_path: Path, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostRoot(root=str(tmp_path))
    boot_tree.put(tmp_path, "/usr/local/lib/hft/.agent.pyz.hft-1", "agent")
    monkeypatch.setattr(installing, "agent_version", lambda: "0.1.0+aaaa")
    fill(host, path, (FILLED | IN_FOLDERS)[kind])
    is_link = path in installing.WANTS.values()
    before = tree(host)
    answer = installing.install(host, ".agent.pyz.hft-1")
    if kind == ("a symbolic link" if is_link else "a file"):
        assert answer["result"] == "installed"
        return
    assert (answer["result"], answer["code"]) == ("refused", "preflight")
    assert f"{path} is {kind}" in answer["message"]
    assert tree(host).items() <= before.items(), "what was staged goes, and nothing comes"
    assert obstacles.kind_of(host, path) == kind


@pytest.mark.parametrize("kind", IN_FOLDERS)
def test_the_agents_own_directory(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = HostRoot(root=str(tmp_path))
    monkeypatch.setattr(installing, "agent_version", lambda: "0.1.0+aaaa")
    fill(host, "/var/lib/hft", IN_FOLDERS[kind])
    answer = installing.install(host, ".agent.pyz.hft-1")
    assert f"/var/lib/hft is {kind}, and a folder has to be there" in answer["message"]


def test_a_device_is_named_as_one() -> None:
    assert obstacles.obstacle(HostRoot(), "/dev/null", "a file") == (
        "/dev/null is a device, and a file has to be there; move it away, then apply again"
    )
