"""The meter itself, compiled and run on this machine: it counts, it stays where it is pinned, it yields."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.errors import CheckError
from checks.meter import SOURCES, build_meter, source_digest
from tests.support import needs

pytestmark = pytest.mark.long

CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture(scope="session")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_meter(tmp_path_factory.mktemp("meter"))


def run(meter: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run([meter, *words], capture_output=True, text=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def loc(found: dict[str, Any], cpu: int) -> int:
    return next(int(row["delta"][str(cpu)]) for row in found["interrupts"] if row["id"] == "LOC")


def test_meter_is_one_static_program(meter: Path) -> None:
    data = meter.read_bytes()
    start, size, count = (int.from_bytes(data[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    kinds = {int.from_bytes(data[start + size * n :][:4], "little") for n in range(count)}
    assert 1 in kinds  # PT_LOAD
    assert 3 not in kinds  # PT_INTERP: no dynamic loader


def test_meter_is_built_once(meter: Path) -> None:
    before = meter.stat().st_mtime_ns
    assert build_meter(meter.parent) == meter
    assert meter.stat().st_mtime_ns == before
    assert meter.name == f"meter-{source_digest()}"
    assert len(SOURCES) == 3


@needs.cpus(2)
def test_busy_cpu_of_an_ordinary_machine_shows_its_ticks(meter: Path) -> None:
    cpu, home = str(CPUS[1]), str(CPUS[0])
    words = ("--spin", cpu, "--coordinator", home, "--window-ms", "1000", "--settle-ms", "100")
    found = run(meter, *words)
    assert loc(found, CPUS[1]) >= 40  # HZ is 100 to 1000
    (thread,) = found["cpus"]
    assert (thread["cpu"], thread["mode"], thread["moved"]) == (CPUS[1], "spin", False)
    assert thread["loops"] > 1000
    assert sum(thread["gap_log2_ticks"]) == thread["loops"]
    assert found["window_ns"] >= 1_000_000_000
    assert set(found["evidence"].values()) == {"procfs"}


def test_observed_cpu_gets_no_load_and_its_tasks_are_told(meter: Path) -> None:
    cpu = CPUS[-1]
    busy = subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"])
    try:
        deadline = time.monotonic() + 10
        while os.sched_getaffinity(busy.pid) != {cpu} and time.monotonic() < deadline:
            time.sleep(0.05)
        found = run(meter, "--observe", str(cpu), "--window-ms", "2000", "--settle-ms", "0")
    finally:
        busy.kill()
        busy.wait()
    assert not found["cpus"]
    (task,) = [one for one in found["tasks"] if one["pid"] == busy.pid]
    assert task["run_ns"] > 10_000_000  # a shared machine gives it little
    assert not task["engine"]
    assert not task["kernel"]


def test_starved_control_makes_the_window_longer_within_its_bound(meter: Path) -> None:
    words = ("--control", str(CPUS[0]), "--window-ms", "200", "--settle-ms", "0")
    found = run(meter, *words, "--control-min", "1000000", "--window-max-ms", "1100")
    assert 1_100_000_000 <= found["window_ns"] < 5_000_000_000
    assert run(meter, *words, "--control-min", "1")["window_ns"] < 900_000_000


@pytest.mark.parametrize(
    "words",
    [
        ("--spin", "8000"),
        ("--spin", "1-0"),
        ("--spin", "x"),
        ("--spin", "9999"),
        ("--window-ms", "0"),
        ("--nonsense",),
        ("--spin", "0", "--observe", "0"),
    ],
)
def test_wrong_call_is_one_sentence_and_no_measurement(meter: Path, words: tuple[str, ...]) -> None:
    found = run(meter, "--window-ms", "100", "--settle-ms", "0", *words)
    assert found["error"]
    assert "cpus" not in found


def test_spin_refuses_a_cpu_that_an_engine_task_may_use(meter: Path, tmp_path: Path) -> None:
    (tmp_path / "engine.service").mkdir()
    (tmp_path / "engine.service" / "cgroup.threads").write_text(f"{os.getpid()}\n")
    words = ("--spin", str(CPUS[-1]), "--engine-cgroup", str(tmp_path), "--window-ms", "100")
    assert "engine task" in run(meter, *words)["error"]


def test_spin_ends_at_once_when_an_engine_task_comes(meter: Path, tmp_path: Path) -> None:
    words = ("--spin", str(CPUS[-1]), "--engine-cgroup", str(tmp_path))
    argv: list[str | Path] = [meter, *words, "--window-ms", "30000", "--settle-ms", "0"]
    begin = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        time.sleep(0.5)
        (tmp_path / "cgroup.threads").write_text(f"{os.getpid()}\n")
        found = json.loads(child.communicate(timeout=20)[0])
    assert found["aborted"] == "engine_task"
    assert time.monotonic() - begin < 5


def test_file_mounted_over_proc_interrupts_is_not_believed(meter: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    fake.write_text(Path("/proc/interrupts").read_text())
    for source in (str(fake), "/proc/version"):  # another file of procfs itself lies on the same file system
        script = (
            f"mount --bind {source} /proc/interrupts && {meter} --observe 0 --window-ms 100 --settle-ms 0"
        )
        argv = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no mount namespace here: {done.stderr.strip()[-80:]}")
        found = json.loads(done.stdout)
        assert found["evidence"]["/proc/interrupts"] == "foreign"
        assert "interrupts" not in found


def other_bytes(program: Path) -> None:
    program.write_bytes(b"#!/bin/sh\nid > /tmp/ran\n")
    program.chmod(0o700)


def other_bytes_and_their_record_by_another(program: Path) -> None:
    other_bytes(program)
    record = program.with_suffix(".sha256")
    record.write_text(hashlib.sha256(program.read_bytes()).hexdigest())
    record.chmod(0o666)


def writable_by_others(program: Path) -> None:
    program.chmod(0o777)


def link_to_other_bytes(program: Path) -> None:
    aside = program.with_name("aside")
    other_bytes(aside)
    program.unlink()
    program.symlink_to(aside)


@pytest.mark.parametrize(
    "plant",
    [other_bytes, other_bytes_and_their_record_by_another, writable_by_others, link_to_other_bytes],
)
def test_a_planted_meter_is_never_run_but_built_anew(
    plant: Callable[[Path], None], meter: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "meter"
    program = build_meter(cache)
    built = program.read_bytes()
    plant(program)
    again = build_meter(cache)
    assert (again.read_bytes(), again.is_symlink(), again.stat().st_mode & 0o777) == (built, False, 0o700)


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2770)
    with pytest.raises(CheckError, match="others may write"):
        build_meter(tmp_path / "shared")
