"""`hft plan`, `hft snapshot`, `hft doctor` as a user runs them: output, exit codes, one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hft.cli import run_guarded
from tests.cases.machines import CASES, machine
from tuning.compliance.hazards import diagnose
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

CPU = "sys/devices/system/cpu"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "lab.json"
    file.write_text(machine(CASES["lab-rt"]).to_json())
    return file


def test_a_plan_is_shown_with_map_and_whys(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(["plan", "--snapshot", str(saved)]) == 0
    shown = capsys.readouterr().out
    assert [role for role in ("[0h]", "[1I]", "[2P]", "[3E]") if role not in shown] == []
    for part in ("boot CPU: does timekeeping", "nohz_full", "security", "not_applicable_absent", "plan "):
        assert part in shown


def test_a_plan_as_json_is_a_plan(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(["plan", "--snapshot", str(saved), "--json"]) == 0
    assert Plan.from_json(capsys.readouterr().out).isolated.list_text() == "2-3"


def test_a_tree_is_captured_saved_and_planned_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = tmp_path / "tree"
    for cpu in range(4):
        path = tree / CPU / f"cpu{cpu}" / "topology"
        path.mkdir(parents=True)
        (path / "core_cpus_list").write_text(f"{cpu}\n")
    (tree / CPU / "online").write_text("0-3\n")
    assert run_guarded(["snapshot", "--tree", str(tree), "-o", str(tmp_path / "tree.json")]) == 0
    assert run_guarded(["plan", "--tree", str(tree), "--profile", "engine", "--json"]) == 0
    from_tree = capsys.readouterr().out
    assert run_guarded(["plan", "--snapshot", str(tmp_path / "tree.json"), "--json"]) == 0
    assert capsys.readouterr().out == from_tree
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_pipe_or_device_is_written_into_and_never_replaced(saved: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        assert run_guarded(["snapshot", "--snapshot", str(saved), "-o", str(pipe)]) == 0
        assert reader.communicate(timeout=10)[0] == saved.read_text() + "\n"
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plan"], "say where to look"),
        (["plan", "--local", "--tree", "x"], "not --tree and --local together"),
        (["plan", "--tree", "x", "--inventory", "x"], "--inventory goes with a host"),
        (["plan", "--local", "--lab"], "two sites"),
        (["plan", "--tree", "/nowhere"], "not a directory"),
        (["plan", "--tree", "/usr"], "holds neither proc nor sys"),
        (["plan", "--snapshot", "/nowhere.json"], "cannot be read"),
        (["plan", "--snapshot", "/etc/passwd"], "not JSON"),
        (["plan", "--local", "--profile", "engin"], "did you mean"),
        (["plan", "--host", "x", "--inventory", "/nowhere.toml"], "no such file"),
        (["snapshot", "--tree", "/", "-o", "/nowhere/x.json"], "cannot be written"),
        (["doctor", "--profile", "zzz"], "profile zzz: there is none"),
        (["doctor", "extra"], "unexpected"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_guarded(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_a_host_that_is_refused_is_named_with_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.json"
    file.write_text(machine(CASES["two-cpus"]).to_json())
    assert run_guarded(["plan", "--snapshot", str(file)]) == 2
    said = capsys.readouterr().err
    assert "tiny.json: 2 usable CPUs" in said
    assert "(too_few_cpus)" in said


def test_changes_pending_on_a_live_host_are_exit_code_three(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_guarded(["plan", "--local"])
    said = capsys.readouterr().err
    assert (code, "pending" in said) == (3, True) or (code, "too_few_cpus" in said) == (2, True)


def test_the_doctor_answers_in_two_seconds_and_loads_no_heavy_library() -> None:
    program = (
        "import sys, time; from hft.cli import run_guarded; started = time.perf_counter();"
        "code = run_guarded(['doctor']);"
        "heavy = [name for name in ('pyinfra', 'pydantic', 'gevent', 'testinfra') if name in sys.modules];"
        "print(code, heavy, time.perf_counter() - started < 2, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "0 [] True"
    assert "Latency hazards" in done.stdout


def test_the_doctor_as_json_tells_plan_or_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert (document["plan"] is None) != (document["refusal"] is None)
    assert {"name", "seen", "impact", "fix", "planned"} == set(document["hazards"][0])


def names(snapshot: Snapshot) -> set[str]:
    topology = read_topology(snapshot)
    return {one.name for one in diagnose(snapshot, topology, plan(topology, ENGINE)).hazards}


@pytest.mark.parametrize(
    ("path", "text", "hazard"),
    [
        ("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", "swap"),
        ("/sys/kernel/mm/ksm/run", "1\n", "page merging (KSM)"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n", "clock"),
        (f"/{CPU}/cpu0/cpuidle/state3/latency", "133\n", "deep idle states"),
        (f"/{CPU}/smt/active", "1\n", "SMT"),
        ("/proc/sys/kernel/numa_balancing", "1\n", "NUMA balancing"),
    ],
)
def test_the_doctor_finds_what_is_planted_and_only_then(path: str, text: str, hazard: str) -> None:
    healthy = machine(CASES["two-sockets-numa-node-unknown"])
    well = {"/proc/sys/kernel/numa_balancing": "0\n", "/proc/swaps": "Filename\n"}
    before = Snapshot({**healthy.files, **well}, healthy.links)
    assert hazard not in names(before)
    assert hazard in names(Snapshot({**before.files, path: text}, healthy.links))


def test_an_untuned_host_has_ticks_irqbalance_and_interrupts_in_the_way() -> None:
    found = names(machine(CASES["two-sockets-numa-node-unknown"]))
    assert {"timer tick", "irqbalance.service", "transparent hugepages", "frequency governor"} <= found


def test_what_could_not_be_seen_is_not_called_well() -> None:
    thin = Snapshot({f"/{CPU}/online": "0-3\n"})
    found = diagnose(thin, read_topology(thin), None)
    assert {"swap", "transparent hugepages", "enabled units"} <= set(found.not_known)
