"""The lab without a VM: state, refusals, foreign pids, locks, waiting that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest

from hft.cli import run_guarded
from lab import accel, process, state
from lab.accel import chosen_accel
from lab.driver import Lab
from lab.errors import LabError, LabUsageError
from lab.image import Image, image_digest
from lab.ports import free_port, new_lan
from lab.retry import wait_until
from tests.support.checkout import ROOT


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HFT_LAB_DIR", str(tmp_path))
    return Lab.named("unit")


def test_a_lab_that_is_down_says_how_to_start_it(lab: Lab) -> None:
    assert lab.machines() == ()
    with pytest.raises(LabUsageError, match="hft lab up"):
        lab.machine("engine-1")


def test_down_of_a_lab_that_is_not_there_is_no_error(lab: Lab) -> None:
    assert lab.down(print) == 0


def test_down_removes_a_lab_whose_state_cannot_be_read(lab: Lab) -> None:
    lab.directory.mkdir()
    lab.state_file.write_text("{")
    with pytest.raises(LabError, match="cannot read"):
        lab.machines()
    lab.down(print)
    assert not lab.directory.exists()


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "qemu.pid"


@pytest.fixture
def bystander(pid_file: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A program with the pid that is in PID_FILE, and in its command line the words it is given."""
    words = [word.replace("PID_FILE", str(pid_file)) for word in getattr(request, "param", [])]
    child = subprocess.Popen(["sh", "-c", "sleep 60 & wait", "sh", *words], start_new_session=True)
    pid_file.write_text(f"{child.pid}\n")
    try:
        while not psutil.Process(child.pid).cmdline():  # execve(2) returns a moment before they show
            time.sleep(0.001)
        yield child
    finally:
        with suppress(ProcessLookupError):  # a test that ends it ends all of it
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def is_left_alone(pid_file: Path, bystander: subprocess.Popen[bytes]) -> bool:
    assert process.running_pid(pid_file) is None
    assert not process.kill(pid_file)
    assert not process.send(pid_file, signal.SIGTERM)
    return bystander.poll() is None and psutil.Process(bystander.pid).is_running()


@pytest.mark.parametrize("bystander", [[], ["PID_FILE"], ["-pidfile", "PID_FILE.old"]], indirect=True)
def test_a_pid_that_now_belongs_to_another_program_is_left_alone(
    pid_file: Path, bystander: subprocess.Popen[bytes]
) -> None:
    assert is_left_alone(pid_file, bystander)


@pytest.mark.parametrize("bystander", [["-pidfile", "PID_FILE"]], indirect=True)
@pytest.mark.parametrize("earlier_s", [3.0, 86_400.0])
def test_a_recycled_pid_is_left_alone_even_with_the_same_command_line(
    pid_file: Path, bystander: subprocess.Popen[bytes], earlier_s: float
) -> None:
    process.keep_start(pid_file)
    assert process.running_pid(pid_file) == bystander.pid
    kept = pid_file.with_suffix(".started")
    kept.write_text(str(float(kept.read_text()) - earlier_s))  # the VM began before this program
    assert is_left_alone(pid_file, bystander)


@pytest.mark.parametrize("bystander", [["-pidfile", "PID_FILE"]], indirect=True)
def test_a_pid_recycled_between_look_and_signal_is_not_signalled(
    pid_file: Path, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = psutil.Process(bystander.pid)
    monkeypatch.setattr(looked_at, "_ident", (bystander.pid, 0.0))  # what it was when it was looked at
    monkeypatch.setattr(process, "_running", lambda _: looked_at)
    assert not process.send(pid_file, signal.SIGKILL)
    assert bystander.poll() is None


# In an interpreter of its own: the time of day is set for all of it.
CLOCK_SET = """
import sys
from pathlib import Path
import psutil
from lab import process
pid_file = Path(sys.argv[1])
process.keep_start(pid_file)
booted_s = psutil.boot_time()
psutil.boot_time = psutil._psplatform.boot_time = lambda: booted_s + 3600
print(process.running_pid(pid_file))
"""


@pytest.mark.parametrize("bystander", [["-pidfile", "PID_FILE"]], indirect=True)
def test_a_vm_is_known_with_its_start_and_without_and_whatever_the_time_of_day(
    pid_file: Path, bystander: subprocess.Popen[bytes]
) -> None:
    argv = [sys.executable, "-c", CLOCK_SET, str(pid_file)]
    told = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == str(bystander.pid)
    assert process.running_pid(pid_file) == bystander.pid
    process.forget_start(pid_file)
    assert process.running_pid(pid_file) == bystander.pid
    assert process.kill(pid_file)
    assert bystander.wait(timeout=10) == -signal.SIGKILL
    assert not process.kill(pid_file)


def test_state_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state.write_json(path, {"schema": 1, "hosts": {}})
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert state.read_json(path)["hosts"] == {}
    path.write_text('{"schema": 2}')
    with pytest.raises(LabError, match="unknown schema"):
        state.read_json(path)


def test_waiting_ends_and_says_what_for() -> None:
    with pytest.raises(LabError, match="a miracle: not seen within 0 s"):
        wait_until(lambda: None, what="a miracle", timeout_s=0.05, interval_s=0.01)
    answers = iter([None, False, 0, "x"])
    assert wait_until(lambda: next(answers), what="x", timeout_s=5, interval_s=0.01) == 0


def test_two_labs_hardly_share_a_lan() -> None:
    assert new_lan()["group"].startswith("239.")
    assert len({(new_lan()["group"], *new_lan()["ports"]) for _ in range(50)}) == 50


def test_a_port_of_the_lab_is_one_that_the_kernel_gives_to_nobody() -> None:
    lowest_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 1024 < free_port() < lowest_given


def test_an_unknown_accelerator_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image = Image(digest="d", directory=tmp_path)
    monkeypatch.setenv("HFT_ACCEL", "hvf")
    with pytest.raises(LabUsageError, match="expected auto, kvm or tcg"):
        chosen_accel(image, print)
    monkeypatch.setenv("HFT_ACCEL", "tcg")
    assert chosen_accel(image, print) == "tcg"


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was probed, on a machine with a /dev/kvm that this account may open; only one image boots."""
    asked: list[str] = []

    def probe(_: str, image: Image) -> bool:
        asked.append(image.digest)
        return image.digest == "boots"

    monkeypatch.setenv("HFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HFT_ACCEL", raising=False)
    monkeypatch.setattr(accel, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(accel, "probe", probe)
    (tmp_path / "kvm").touch()
    return asked


@pytest.mark.parametrize(("digest", "found"), [("boots", "kvm"), ("hangs", "tcg")])
def test_auto_probes_once_and_keeps_the_answer(
    digest: str, found: str, probes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    image = Image(digest=digest, directory=tmp_path)
    assert [chosen_accel(image, said.append) for _ in range(3)] == [found] * 3
    assert probes == [digest]
    assert said[0].startswith("probing KVM with one kernel boot, at most 20 s")
    assert said[1:] == ([] if found == "kvm" else ["KVM cannot boot a kernel on this machine: using TCG"])
    monkeypatch.setenv("HFT_ACCEL", "kvm")
    assert chosen_accel(image, said.append) == found
    assert len(probes) == 2, "who asks for KVM by name has it probed again"
    monkeypatch.setenv("HFT_ACCEL", "auto")
    monkeypatch.setattr("platform.release", lambda: "another kernel")
    chosen_accel(image, said.append)
    assert len(probes) == 3, "another kernel is another machine"


def test_what_is_kept_and_says_neither_is_asked_again(probes: list[str], tmp_path: Path) -> None:
    image = Image(digest="boots", directory=tmp_path)
    assert chosen_accel(image, print) == "kvm"
    (kept,) = (tmp_path / "cache" / "kvm").iterdir()
    kept.write_text("maybe\n")
    assert (chosen_accel(image, print), len(probes)) == ("kvm", 2)


def test_without_the_device_nobody_probes(probes: list[str], tmp_path: Path) -> None:
    (tmp_path / "kvm").unlink()
    assert chosen_accel(Image(digest="boots", directory=tmp_path), print) == "tcg"
    assert probes == []


def test_kvm_without_a_kernel_that_boots_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HFT_ACCEL", "kvm")
    monkeypatch.setenv("HFT_CACHE_DIR", str(tmp_path / "cache"))
    said: list[str] = []
    assert chosen_accel(Image(digest="d", directory=tmp_path), said.append) == "tcg"
    assert said[-1].startswith("KVM cannot boot a kernel")


def test_the_image_is_named_by_its_content() -> None:
    assert image_digest() == image_digest()
    assert len(image_digest()) == 16


@pytest.mark.parametrize(
    "words", [["ssh", "nowhere"], ["crash", "engine-1"], ["up", "engine-9"], ["link", "engine-1", "c", "up"]]
)
def test_a_wrong_request_ends_with_bad_input_and_one_sentence(
    lab: Lab, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_guarded(["lab", *words]) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_status_of_a_lab_that_is_down(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HFT_LAB", "unit")
    assert run_guarded(["lab", "status"]) == 0
    assert capsys.readouterr().out == "lab unit is down\n"
    assert not Path(os.environ["HFT_LAB_DIR"], "unit").exists()
