"""Staging, arming, promoting, taking back, on a tree that looks like a host: idempotent, refused in time."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import boot, grub, grubenv, health, state
from agent.boot_preflight import check, current_menu
from agent.boot_state import Phase
from agent.document import Boot
from agent.errors import RefusedError
from agent.host import Host

TXN = "20261121T101500-3f2a9c1b"
RELEASE = "6.1.0-56-amd64"
BASE = "root=UUID=9c19a3ea-0401 ro console=ttyS0,115200 quiet"
WANTED = Boot(
    args=("isolcpus=managed_irq,domain,2-3", "nohz_full=2-3"),
    kernel_release=None,
    panic_s=10,
    watchdog_s=900,
    trial_s=600,
    confirmations=2,
    confirm_gap_s=10,
    effect=None,
)
MOUNTINFO = "26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"


def put(root: Path, path: str, text: str | bytes) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def boot_with(root: Path, cmdline: str, boot_id: str) -> None:
    put(root, "/proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} {cmdline}\n")
    put(root, "/proc/sys/kernel/random/boot_id", boot_id)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    boot_with(tmp_path, BASE, "first")
    put(tmp_path, "/proc/sys/kernel/osrelease", RELEASE + "\n")
    put(tmp_path, "/proc/self/mountinfo", MOUNTINFO)
    put(tmp_path, "/sys/dev/block/254:1/uevent", "MAJOR=254\nDEVNAME=vda1\n")
    put(tmp_path, "/boot/grub/grubenv", grubenv.render({}))
    put(tmp_path, "/boot/grub/grub.cfg", "set default=0\n")
    put(tmp_path, "/usr/sbin/grub-mkconfig", "")
    put(tmp_path, "/usr/share/initramfs-tools/init", "")
    put(tmp_path, f"/boot/vmlinuz-{RELEASE}", "kernel")
    put(tmp_path, f"/boot/initrd.img-{RELEASE}", "initrd")
    modules = f"/lib/modules/{RELEASE}"
    put(
        tmp_path,
        f"{modules}/modules.dep",
        "kernel/drivers/watchdog/softdog.ko: kernel/drivers/watchdog/watchdog.ko\n",
    )
    put(tmp_path, f"{modules}/kernel/drivers/watchdog/softdog.ko", "S")
    put(tmp_path, f"{modules}/kernel/drivers/watchdog/watchdog.ko", "W")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    links = tmp_path / "dev/disk/by-uuid"
    links.mkdir(parents=True)
    (links / "9c19a3ea-0401").symlink_to("../../vda1")
    return tmp_path


@pytest.fixture
def host(root: Path) -> Host:
    return Host(root=str(root))


def tree(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def phase(host: Host) -> str | None:
    trial = state.read(host)["trial"]
    return trial and trial["state"]


def test_staging_adopts_and_writes_the_candidate_and_nothing_points_at_it(host: Host) -> None:
    note = boot.stage(host, TXN, WANTED)
    menu = current_menu(host)
    assert menu is not None
    assert menu.good == grub.Entry(txn="adopted", release=RELEASE, args=tuple(BASE.split()))
    assert menu.candidate is not None
    assert menu.candidate.args[-3:] == (*WANTED.args, "panic=10")
    assert grubenv.load(host) == {"saved_entry": "hft-good"}
    assert "softdog" in note
    assert phase(host) == "staged"


def test_staging_twice_is_staging_once_and_taking_back_leaves_an_adopted_host(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    once = tree(root)
    boot.stage(host, TXN, WANTED)
    assert tree(root) == once
    boot.unstage(host, TXN)
    boot.unstage(host, TXN)
    adopted = tree(root)
    assert phase(host) is None
    assert "boot/hft-watchdog.img" not in adopted
    boot.stage(host, TXN, WANTED)
    boot.unstage(host, TXN)
    assert tree(root) == adopted


def test_taking_back_what_was_never_staged_changes_nothing(host: Host, root: Path) -> None:
    before = tree(root)
    boot.unstage(host, TXN)
    assert tree(root) == before


def test_arming_sets_the_one_shot_and_forgets_what_an_earlier_trial_left(host: Host) -> None:
    boot.stage(host, TXN, WANTED)
    grubenv.update(host, hft_tried="old", hft_failed="kernel")
    boot.arm(host, TXN, drained=False)
    boot.arm(host, TXN, drained=False)
    assert grubenv.load(host) == {"saved_entry": "hft-good", "next_entry": "hft-candidate"}
    assert phase(host) == "armed"
    assert boot.trial_open(host, TXN)


def spoil_kernel(host: Host, root: Path) -> None:
    put(root, f"/boot/vmlinuz-{RELEASE}", "another kernel")


def lose_initrd(host: Host, root: Path) -> None:
    (root / f"boot/initrd.img-{RELEASE}").unlink()


def start_engine(host: Host, root: Path) -> None:
    put(root, "/sys/fs/cgroup/hft.slice/hft-engine.slice/cgroup.events", "populated 1\n")


def lose_menu(host: Host, root: Path) -> None:
    (root / "boot/grub/hft.cfg").unlink()


def come_up(host: Host, root: Path) -> None:
    trial = boot.open_trial(host)
    assert trial is not None
    boot.save(host, trial.moved(Phase.ARMED, "").moved(Phase.BOOTED, ""))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_kernel, "changed since"),
        (lose_initrd, "cannot be read"),
        (start_engine, "--drain"),
        (lose_menu, "no candidate"),
        (come_up, "tried once only"),
    ],
)
def test_arming_looks_once_more_and_refuses(
    host: Host, root: Path, spoil: Callable[[Host, Path], None], sentence: str
) -> None:
    boot.stage(host, TXN, WANTED)
    spoil(host, root)
    with pytest.raises(RefusedError, match=sentence):
        boot.arm(host, TXN, drained=False)
    assert "next_entry" not in grubenv.load(host)


def test_a_drained_host_may_be_armed_and_a_second_trial_may_not_be_staged(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    start_engine(host, root)
    with pytest.raises(RefusedError, match="finish or revert"):
        boot.stage(host, "20261121T101500-00000000", WANTED)
    boot.arm(host, TXN, drained=True)


def test_the_reboot_verb_answers_with_the_boot_id_or_the_refusal(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boot.reboot(host, [TXN]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "preflight"
    boot.stage(host, TXN, WANTED)
    assert boot.reboot(host, [TXN]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["result"], answer["boot_id"]) == ("armed", "first")


def test_a_candidate_that_never_came_up_is_taken_back_with_its_reason(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN, hft_failed="kernel")  # what GRUB does
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    assert health.health(host, ["--early"]) == 0
    kept = state.read(host)
    assert kept["last_rollback"]["brought_back_by"] == "grub"
    assert kept["trial"]["state"] == "rolled_back"
    assert kept["trial"]["closed"]
    menu = current_menu(host)
    assert menu is not None
    assert menu.candidate is None
    assert boot.open_trial(host) is None
    before = tree(root)
    health.health(host, [])
    assert tree(root) == before


def commit(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    boot_with(root, f"{BASE} {' '.join(WANTED.args)} panic=10 hft.txn={TXN} hft.watchdog=900", "second")
    for name in ("isolated", "nohz_full"):
        put(root, f"/sys/devices/system/cpu/{name}", "2-3\n")
    (root / "var/lib/hft").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(health, "wait_for_confirmations", lambda _host, _trial: None)
    health.health(host, [])


def test_a_healthy_and_confirmed_candidate_becomes_the_good_entry(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(host, root, monkeypatch)
    menu = current_menu(host)
    assert menu is not None
    assert (menu.good.txn, menu.candidate) == (TXN, None)
    assert menu.previous is not None
    assert menu.previous.txn == "adopted"
    assert phase(host) == "committed"
    assert boot.entry(host) == "good"
    with pytest.raises(RefusedError, match="inverse is a trial boot"):
        boot.unstage(host, TXN)


def test_a_candidate_that_is_not_what_was_staged_gives_up_and_says_why(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "/sys/devices/system/cpu/isolated", "2\n")
    real = put

    def isolated_only_two(where: Path, path: str, text: str | bytes) -> None:
        real(where, path, "2\n" if path.endswith("/isolated") else text)

    monkeypatch.setitem(commit.__globals__, "put", isolated_only_two)
    commit(host, root, monkeypatch)
    reason = json.loads((root / f"var/lib/hft/rollback/{TXN}/reason.json").read_text())["reason"]
    assert "isolcpus asks for 2-3" in reason
    boot_with(root, f"{BASE} hft.good=adopted", "third")
    health.health(host, [])
    assert state.read(host)["last_rollback"] | {"at": "", "evidence": ""} == {
        "txn": TXN,
        "brought_back_by": "health",
        "reason": reason,
        "at": "",
        "evidence": "",
    }


def test_a_promotion_that_grub_never_saw_is_taken_out_again(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    before = current_menu(host)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good=adopted", "second")
    health.health(host, [])
    menu = current_menu(host)
    assert menu is not None
    assert before is not None
    assert menu == before.without(TXN)
    assert state.read(host)["last_rollback"]["txn"] == TXN


def test_killed_right_after_the_promotion_the_commit_is_finished(host: Host, root: Path) -> None:
    boot.stage(host, TXN, WANTED)
    boot.arm(host, TXN, drained=False)
    grubenv.update(host, next_entry=None, hft_tried=TXN)
    boot.promote(host, TXN)
    boot_with(root, f"{BASE} hft.good={TXN}", "second")
    health.health(host, ["--early"])
    assert phase(host) == "committed"
    assert not (root / "boot/hft-watchdog.img").exists()


def fat(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO + "27 26 254:1 / /boot rw - vfat /dev/vda1 rw\n")


def btrfs(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO.replace("ext4", "btrfs"))


def journaled(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO.replace("errors=remount-ro", "data=journal"))


def lvm(root: Path) -> None:
    put(root, "/sys/dev/block/254:1/uevent", "DEVNAME=dm-0\n")


def raid(root: Path) -> None:
    put(root, "/sys/dev/block/254:1/uevent", "DEVNAME=md127\n")


def no_uuid(root: Path) -> None:
    shutil.rmtree(root / "dev/disk/by-uuid")


def no_grubenv(root: Path) -> None:
    (root / "boot/grub/grubenv").unlink()


def short_grubenv(root: Path) -> None:
    put(root, "/boot/grub/grubenv", b"# GRUB Environment Block\n")


def not_by_grub(root: Path) -> None:
    put(root, "/proc/cmdline", BASE)


def no_grub_cfg(root: Path) -> None:
    (root / "boot/grub/grub.cfg").unlink()


def no_kernel(root: Path) -> None:
    (root / f"boot/vmlinuz-{RELEASE}").unlink()


def old_kernel(root: Path) -> None:
    put(root, "/proc/sys/kernel/osrelease", "5.10.0-30-amd64\n")


def foreign_menu(root: Path) -> None:
    put(root, "/boot/grub/hft.cfg", "menuentry 'mine' {}\n")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (fat, "vfat"),
        (btrfs, "btrfs"),
        (journaled, "data=journal"),
        (lvm, "mapped device"),
        (raid, "software RAID"),
        (no_uuid, "no file system on vda1"),
        (no_grubenv, "grubenv is missing"),
        (short_grubenv, "25 bytes"),
        (not_by_grub, "did not come through GRUB"),
        (no_grub_cfg, "not booted by Debian's GRUB"),
        (no_kernel, "cannot be read"),
        (old_kernel, "5.14"),
        (foreign_menu, "not written by hft"),
    ],
)
def test_preflight_refuses_where_there_would_be_no_way_back(
    host: Host, root: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    check(host, WANTED)
    spoil(root)
    before = tree(root)
    with pytest.raises(RefusedError, match=sentence):
        boot.preflight(host, WANTED)
    assert tree(root) == before
