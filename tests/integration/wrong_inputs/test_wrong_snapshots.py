"""Wrong snapshots and captures: a host may send anything, and what comes of it is one sentence with exit code
2.

A snapshot is read as JSON (`Snapshot.from_json`) or as what the capture script printed (`parse_capture`);
then the topology reader looks at it. Each of the three may refuse; none may end in anything but its own
error.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft.errors import Exit, exit_code_of
from tuning.errors import PlanError, SnapshotError
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.capture import OUTPUT_LIMIT_BYTES
from tuning.snapshot.files import CAPTURE_SCRIPT, Snapshot, parse_capture
from tuning.topology.reader import read_topology

CPU = "/sys/devices/system/cpu"


def refusal(work: Callable[[], object]) -> str:
    """The sentence that WORK is refused with, on one line and with exit code 2."""
    with pytest.raises((SnapshotError, PlanError)) as caught:
        work()
    sentence = str(caught.value)
    assert exit_code_of(caught.value) == Exit.BAD_INPUT
    assert sentence
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("[]", "not of schema 1"),
        ("3", "not of schema 1"),
        ("{}", "not of schema 1"),
        ('{"schema":2,"files":{},"links":{}}', "not of schema 1"),
        ('{"schema":1}', "needs the objects 'files' and 'links'"),
        ('{"schema":1,"files":[],"links":{}}', "needs the objects 'files' and 'links'"),
        ('{"schema":1,"files":{"/proc/cmdline":3},"links":{}}', "neither text nor absent"),
        ('{"schema":1,"files":{},"links":{"/sys/x":null}}', "neither text nor absent"),
        ('{"schema":1,"files":{"proc/cmdline":"x"},"links":{}}', "not an absolute path"),
        ('{"schema":1,"files":{"//proc/cmdline":"x"},"links":{}}', "not an absolute path"),
        ('{"schema":1,"files":{"/a\\nb":"x"},"links":{}}', "not an absolute path"),
    ],
)
def test_wrong_snapshot_document_is_one_sentence(text: str, says: str) -> None:
    assert says in refusal(lambda: Snapshot.from_json(text))


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (b"", "not complete"),
        (b"sh: 1: grep: not found\n", "did not begin"),
        (b"hft-capture 1\0", "no end mark"),
        (
            b"hft-capture 2\0=absent\0=links\0=files\0=cpuinfo\0=config\0=tasks\0=end\x000\0\n1\n",
            "did not begin",
        ),
        (b"\xff" * 100, "did not begin"),
        (b"x" * (OUTPUT_LIMIT_BYTES + 1), "larger than"),
    ],
)
def test_wrong_capture_is_one_sentence(output: bytes, says: str) -> None:
    assert says in refusal(lambda: parse_capture(output))


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real capture of a small tree."""
    root = tmp_path_factory.mktemp("tree")
    for path, text in {"proc/cmdline": "quiet\n", "sys/devices/system/cpu/online": "0-3\n"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    done = subprocess.run(["sh", "-c", CAPTURE_SCRIPT, "capture", str(root)], capture_output=True, check=True)
    assert parse_capture(done.stdout).text("/proc/cmdline") == "quiet"
    return done.stdout


def test_capture_cut_at_any_byte_is_refused_or_whole(capture: bytes) -> None:
    whole = parse_capture(capture)
    for end in range(len(capture)):
        try:
            assert parse_capture(capture[:end]) == whole, f"cut at byte {end}"
        except SnapshotError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "CPU"),
        ({f"{CPU}/online": ""}, "CPU"),
        ({f"{CPU}/online": "0"}, "1 "),
        ({f"{CPU}/online": "0-1"}, "2 "),
        ({f"{CPU}/online": "nonsense"}, ""),
        ({f"{CPU}/online": "3-1"}, ""),
        ({f"{CPU}/online": "0-99999999999"}, ""),
        ({f"{CPU}/online": "-1"}, ""),
        ({f"{CPU}/online": "0-3", f"{CPU}/cpu0/topology/core_id": "zero", "/proc/meminfo": "\0\0"}, ""),
    ],
)
def test_wrong_machine_is_one_sentence_and_never_a_plan_for_cpus_it_has_not(
    files: dict[str, str | None], says: str
) -> None:
    snapshot = Snapshot.from_json(json.dumps({"schema": 1, "files": files, "links": {}}))
    try:
        made = plan(read_topology(snapshot), ENGINE)
    except (SnapshotError, PlanError) as error:
        assert exit_code_of(error) == Exit.BAD_INPUT
        assert "\n" not in str(error)
        assert says in str(error)
        return
    assert not says, "this one must be refused"
    assert len(made.cpus) <= 4


PATHS = [f"{CPU}/{name}" for name in ("online", "present", "possible", "isolated", "cpu0/online")]
PATHS += [f"{CPU}/cpu{n}/topology/{name}" for n in range(4) for name in ("core_id", "thread_siblings_list")]
PATHS += [f"/sys/devices/system/node/{name}" for name in ("online", "node0/cpulist", "node1/meminfo")]
PATHS += ["/proc/cmdline", "/proc/meminfo", "/proc/self/status", "/proc/cpuinfo", "/proc/interrupts"]
CONTENT = st.none() | st.sampled_from(["0", "0-3", "1,3", "0-3:2/4", "", "-1", "x"]) | st.text(max_size=12)


@settings(max_examples=300, deadline=None)
@given(files=st.dictionaries(st.sampled_from(PATHS), CONTENT, max_size=12))
def test_whatever_a_host_sends_is_a_plan_or_one_sentence(files: dict[str, str | None]) -> None:
    try:
        plan(read_topology(Snapshot(files, {})), ENGINE)
    except (SnapshotError, PlanError) as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000


def test_tree_that_is_no_directory_gives_no_capture(tmp_path: Path) -> None:
    argv = ["sh", "-c", CAPTURE_SCRIPT, "capture", str(tmp_path / "nowhere")]
    done = subprocess.run(argv, capture_output=True, check=False)
    refusal(lambda: read_topology(parse_capture(done.stdout)))
