"""The overlay: its archive is what cpio reads, its script arms, and the right drivers are in it."""

import subprocess
from pathlib import Path

import pytest

from agent.boot import watchdog, watchdog_overlay
from agent.host import HostRoot
from tests.support import needs

DEP = """\
kernel/drivers/watchdog/i6300esb.ko: kernel/drivers/watchdog/watchdog.ko
kernel/drivers/watchdog/softdog.ko: kernel/drivers/watchdog/watchdog.ko
kernel/drivers/watchdog/watchdog.ko:
kernel/net/other.ko:
"""
FILES = {f"kernel/drivers/watchdog/{name}.ko": name.encode() for name in ("i6300esb", "softdog", "watchdog")}
HERE = ("0x8086:0x25ab", "0x1af4:0x1000")
ALL = ("i6300esb", "softdog")


def names(*args: tuple[str, ...] | int) -> list[str]:
    return [driver.module for driver in watchdog_overlay.choose_drivers(*args)]  # type: ignore[arg-type]


def test_the_device_that_is_here_and_counts_long_enough_comes_first() -> None:
    assert names(HERE, ALL, 900) == ["i6300esb", "softdog"]
    assert names(("0x1af4:0x1000",), ALL, 900) == ["softdog"]
    assert names(HERE, ALL, 3000) == ["softdog"]
    assert names(HERE, (), 900) == []


def test_modules_load_in_the_order_of_their_dependencies() -> None:
    found = watchdog_overlay.dependencies("a/x.ko: a/y.ko a/z.ko\n", "x")
    assert found == ("a/z.ko", "a/y.ko", "a/x.ko")
    assert watchdog_overlay.dependencies(DEP, "absent") == ()


@needs.programs("cpio")
def test_cpio_reads_the_archive(tmp_path: Path) -> None:
    data = archive()
    subprocess.run(["cpio", "-idm", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (
        tmp_path / "hft/order"
    ).read_text() == "watchdog.ko\ni6300esb.ko heartbeat\nsoftdog.ko soft_margin\n"
    assert (tmp_path / "hft/i6300esb.ko").read_bytes() == b"i6300esb"
    assert str((tmp_path / "hft/insmod").readlink()) == "/bin/kmod"
    assert (tmp_path / "conf/conf.d/hft-watchdog").read_text() == watchdog_overlay.SCRIPT


def archive() -> bytes:
    drivers = watchdog_overlay.choose_drivers(HERE, ALL, 900)
    return watchdog_overlay.overlay(drivers, DEP, FILES)


def test_every_header_and_member_begins_on_a_multiple_of_four() -> None:
    data = archive()
    assert len(data) % 4 == 0
    at = data.find(b"070701")
    seen = 0
    while at >= 0:
        size, name_size = int(data[at + 54 : at + 62], 16), int(data[at + 94 : at + 102], 16)
        assert at % 4 == 0
        body = at + 110 + name_size
        body += -body % 4
        at = body + size
        at += -at % 4
        seen += 1
        if data[at : at + 6] != b"070701":
            break
    assert seen == 10  # nine members and the trailer
    assert at == len(data)


@pytest.mark.parametrize(("cmdline", "armed"), [("ro hft.watchdog=900", True), ("ro hft.good=x", False)])
def test_the_script_arms_only_on_the_candidate(tmp_path: Path, cmdline: str, armed: bool) -> None:
    for name in ("proc", "dev", "hft"):
        (tmp_path / name).mkdir()
    (tmp_path / "proc/cmdline").write_text(cmdline)
    (tmp_path / "hft/order").write_text("watchdog.ko\ni6300esb.ko heartbeat\nsoftdog.ko soft_margin\n")
    log = tmp_path / "log"
    insmod = tmp_path / "hft/insmod"
    insmod.write_text(
        f'#!/bin/sh\necho "$@" >>{log}\ncase "$1" in *i6300esb.ko) : >{tmp_path}/dev/watchdog0 ;; esac\n'
    )
    insmod.chmod(0o755)
    script = watchdog_overlay.SCRIPT.replace("-c /dev", "-f /dev")
    for place in ("/proc/", "/dev/", "/hft/"):
        script = script.replace(place, f"{tmp_path}{place}")
    subprocess.run(["sh", "-c", script], check=True)
    if not armed:
        assert not log.exists()
        assert not (tmp_path / "dev/kmsg").exists()
        return
    assert log.read_text().splitlines() == [
        f"{tmp_path}/hft/watchdog.ko",
        f"{tmp_path}/hft/i6300esb.ko heartbeat=900",
    ]
    assert "V" not in (tmp_path / "dev/watchdog0").read_text()
    assert "watchdog i6300esb armed for 900 s" in (tmp_path / "dev/kmsg").read_text()


def test_disarming_is_the_magic_close_and_only_of_a_running_watchdog(tmp_path: Path) -> None:
    host = HostRoot(root=str(tmp_path))
    for path, text in (("sys/class/watchdog/watchdog0/state", "inactive\n"), ("dev/watchdog0", "")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    watchdog.disarm(host)
    assert (tmp_path / "dev/watchdog0").read_text() == ""
    (tmp_path / "sys/class/watchdog/watchdog0/state").write_text("active\n")
    watchdog.disarm(host)
    assert (tmp_path / "dev/watchdog0").read_text() == "V"


def test_the_boot_status_tells_whether_the_watchdog_bit(tmp_path: Path) -> None:
    host = HostRoot(root=str(tmp_path))
    assert not watchdog.fired(host)
    status = tmp_path / "sys/class/watchdog/watchdog0/bootstatus"
    status.parent.mkdir(parents=True)
    status.write_text("32\n")
    assert watchdog.fired(host)
    status.write_text("0\n")
    assert not watchdog.fired(host)
