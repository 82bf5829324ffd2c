"""The capture script, really run; its output, cut and forged, is a Snapshot or a SnapshotError."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support import needs
from tuning.errors import PlanError, SnapshotError
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.capture import NAMED, OUTPUT_LIMIT_BYTES
from tuning.snapshot.files import CAPTURE_SCRIPT, Snapshot, parse_capture
from tuning.topology.reader import read_topology

CPU = "sys/devices/system/cpu"


def capture(root: Path | str, shell: str = "dash", **kwargs: object) -> bytes:
    done = subprocess.run(
        [shell, "-s", "--", str(root)],
        input=CAPTURE_SCRIPT.encode(),
        capture_output=True,
        check=False,
        timeout=60,
        **kwargs,  # type: ignore[call-overload]
    )
    assert done.stderr == b""
    return bytes(done.stdout)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {f"{CPU}/online": b"0-3\n", "proc/cmdline": b"quiet", "proc/cpuinfo": b"processor\t: 0\n\n"}
    for cpu in range(4):
        files[f"{CPU}/cpu{cpu}/topology/thread_siblings"] = b"%x\n" % (1 << cpu)
    return write(tmp_path, files)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_this_machine_is_captured_whole_by_any_posix_shell(shell: str) -> None:
    seen = parse_capture(capture("/", shell))
    for path in ("/proc/cmdline", "/proc/sys/kernel/osrelease", "/sys/devices/system/cpu/online"):
        assert seen.files[path] == Path(path).read_text()
    assert seen.is_absent("/etc/sysctl.d/90-hft.conf") or seen.text("/etc/sysctl.d/90-hft.conf")
    assert (seen.text("/proc/self/status") or "").startswith("Name:")
    assert read_topology(seen).online


@needs.programs("strace", "dash")
def test_a_capture_writes_nothing_and_starts_few_processes(tree: Path, tmp_path: Path) -> None:
    before = sorted(str(path) for path in tree.rglob("*"))
    trace = tmp_path.parent / f"{tmp_path.name}.trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=execve,openat", "-o", str(trace), "dash", "-s", "--", "/"]
    subprocess.run(argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=True, timeout=120)
    calls = trace.read_text().splitlines()
    started = [line for line in calls if "execve(" in line and line.endswith("= 0")]
    written = [line for line in calls if "O_CREAT" in line and "/dev/null" not in line]
    assert len(started) <= 5
    assert written == []
    assert before == sorted(str(path) for path in tree.rglob("*"))


def test_a_tree_is_read_under_its_root_and_never_proves_absence(tree: Path) -> None:
    seen = parse_capture(capture(tree))
    assert seen.files["/sys/devices/system/cpu/online"] == "0-3\n"
    assert seen.files["/proc/cmdline"] == "quiet"
    assert not [path for path, text in seen.files.items() if text is None]
    assert [core.cpus.list_text() for core in read_topology(seen).cores] == ["0", "1", "2", "3"]


def test_odd_content_is_kept_and_breaks_nothing(tree: Path) -> None:
    odd = {
        "sys/bus/pci/devices/0000:3b:00.0/class": b"0x020000\n",
        "etc/machine-id": b"\xff\xfe\n=links\0=end\0" + b"0\0\n",
        "etc/os-release": b"A=1\0B=2",
        "proc/sys/kernel/hostname": b"line one\nline two\n\n",
        "proc/version": b"",
    }
    seen = parse_capture(capture(write(tree, odd)))
    assert seen.files["/sys/bus/pci/devices/0000:3b:00.0/class"] == "0x020000\n"
    assert seen.files["/etc/os-release"] == "A=1\0B=2"
    assert seen.files["/proc/sys/kernel/hostname"] == "line one\nline two\n\n"
    assert seen.files["/etc/machine-id"] == "\ufffd\ufffd\n=links\0=end\x000\0\n"
    assert not seen.is_known("/proc/version")


@pytest.mark.parametrize(
    ("mount", "file"),
    [
        ("none /dev/cpuset cpuset rw 0 0", "dev/cpuset/job/7/cpus"),
        ("none /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0", "sys/fs/cgroup/cpuset/job/7/cpuset.cpus"),
        ("none /cg cgroup2 rw 0 0", "cg/job/7/cpuset.cpus.effective"),
        ("cgroup /dev/cpuset cgroup rw,cpuset,noprefix 0 0", "dev/cpuset/job/7/cpus"),
        ("cgroup /dev/cpuset cgroup rw,noprefix,cpuset 0 0", "dev/cpuset/job/7/effective_cpus"),
        ("cgroup /dev/cpuset cgroup rw,cpu,cpuset,cpuacct,noprefix,x 0 0", "dev/cpuset/job/7/cpus"),
    ],
)
def test_the_cpuset_of_a_tree_is_found_wherever_it_was_mounted(tree: Path, mount: str, file: str) -> None:
    files = {"proc/self/cpuset": b"/job/7\n", "proc/mounts": mount.encode() + b"\n", file: b"1-3\n"}
    topology = read_topology(parse_capture(capture(write(tree, files))))
    assert (str(topology.usable), str(topology.not_ours)) == ("1-3", "0")


def test_pipes_and_directories_in_the_way_are_passed_over(tree: Path) -> None:
    os.mkfifo(tree / "proc/version")
    (tree / "proc/swaps").mkdir()
    seen = parse_capture(capture(tree))
    assert not seen.is_known("/proc/version")
    assert not seen.is_known("/proc/swaps")


def test_what_may_not_be_read_is_not_known_rather_than_absent(tree: Path) -> None:
    (tree / "proc/version").write_text("secret")
    (tree / "proc/version").chmod(0)
    if os.geteuid() == 0:
        ours = [path for path in tree.parents if path.is_relative_to(tempfile.gettempdir())]
        for path in (tree, *ours[:-1]):
            path.chmod(0o755)
        output = capture(tree, user=65534, group=65534, extra_groups=[])
    else:
        output = capture(tree)
    seen = parse_capture(output)
    assert not seen.is_known("/proc/version")
    assert seen.text("/proc/cmdline") == "quiet"


def test_no_file_is_read_twice(tmp_path: Path) -> None:
    for name in NAMED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x\n")
    seen = parse_capture(capture(tmp_path))
    assert {path for path, text in seen.files.items() if text != "x\n"} == set()


def test_links_are_kept_as_read(tree: Path) -> None:
    base = tree / "sys/class/net"
    base.mkdir(parents=True)
    (base / "eth0").symlink_to("../../devices/pci0000:00/0000:00:02.0/net/eth0")
    seen = parse_capture(capture(tree))
    assert seen.links["/sys/class/net/eth0"] == "../../devices/pci0000:00/0000:00:02.0/net/eth0"


def test_a_root_that_is_not_there_gives_no_capture(tmp_path: Path) -> None:
    argv = ["dash", "-s", "--", str(tmp_path / "nowhere")]
    done = subprocess.run(argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=False)
    assert done.returncode != 0
    with pytest.raises(SnapshotError, match="not complete"):
        parse_capture(done.stdout)


def test_a_capture_cut_anywhere_is_refused(tree: Path) -> None:
    whole = capture(tree)
    cut_last_digit = len(whole.rstrip())
    for length in range(cut_last_digit):
        with pytest.raises(SnapshotError):
            parse_capture(whole[:length])


def test_a_capture_that_lost_a_line_in_the_middle_is_refused(tree: Path) -> None:
    whole = capture(tree)
    start = whole.index(b"\n", 40)
    with pytest.raises(SnapshotError, match="lines arrived"):
        parse_capture(whole[:start] + whole[start + 1 :])


def test_a_capture_whose_reader_was_killed_is_refused(tree: Path) -> None:
    forged = capture(tree).replace(b"=end\x002\0", b"=end\x00137\0")
    with pytest.raises(SnapshotError, match="status 137"):
        parse_capture(forged)


def test_a_flood_is_refused_before_it_is_read() -> None:
    with pytest.raises(SnapshotError, match="larger"):
        parse_capture(b"hft-capture 1\0" + b"x" * OUTPUT_LIMIT_BYTES)


def framed(body: bytes, status: bytes = b"0") -> bytes:
    head = b"hft-capture 1\0=absent\0" + body + b"=end\0" + status + b"\0\n"
    return head + b"%d\n" % head.count(b"\n")


EMPTY_END = b"=cpuinfo\0\0=lines\0\0"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"=links\0=files\0",
        b"=files\0=links\0" + EMPTY_END,
        b"=links\0=files\0proc/version\0" + EMPTY_END,
        b"=links\0=files\0/etc/passwd\0x\0" + EMPTY_END,
        b"=links\0=files\0a\nb\0x\0" + EMPTY_END,
        b"=links\0=files\0" + b"a" * 5000 + b"\0x\0" + EMPTY_END,
        b"=links\0=files\0proc/sys/kernel/osrelease\0a\nb\0=cpuinfo\0",
    ],
)
def test_forged_captures_are_refused(body: bytes) -> None:
    with pytest.raises(SnapshotError):
        parse_capture(framed(body))


def test_an_honest_frame_is_read() -> None:
    tasks = b"proc/2/stat:2 (kthreadd) S 0 0\nproc/2/status:Cpus_allowed_list:\t0-3\nproc/9/status:Cpus:\t1\n"
    body = b"proc/swaps\0=links\0=files\0proc/version\0v\0=cpuinfo\0c\0=lines\0" + tasks + b"\0"
    assert parse_capture(framed(body, b"123")) == Snapshot(
        {
            "/proc/swaps": None,
            "/proc/version": "v",
            "/proc/cpuinfo": "c",
            "/proc/2/stat": "2 (kthreadd) S 0 0\n",
            "/proc/2/status": "Cpus_allowed_list:\t0-3\n",
        },
        {},
    )


def test_bytes_changed_at_random_never_give_a_traceback(tree: Path) -> None:
    """Whatever a hostile host sends ends in a plan, a refusal or a sentence."""
    whole = capture(tree)
    dice = random.Random(20261121)
    for _ in range(400):
        forged = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(forged))
            forged[at : at + dice.randint(0, 3)] = dice.choice(
                [b"\0", b"-", b"9" * 30, b"\xff", b",", b"\n", b"0/0"]
            )
        try:
            plan(read_topology(parse_capture(bytes(forged))), ENGINE)
        except (SnapshotError, PlanError) as error:
            assert len(str(error)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"schema":2,"files":{},"links":{}}',
        '{"schema":1,"files":[],"links":{}}',
        '{"schema":1,"files":{}}',
        '{"schema":1,"files":{"proc/x":"1"},"links":{}}',
        '{"schema":1,"files":{"/x":1},"links":{}}',
        '{"schema":1,"files":{},"links":{"/x":null}}',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_snapshot_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SnapshotError, match=r"snapshot|capture"):
        Snapshot.from_json(text)


def test_a_snapshot_comes_back_from_json() -> None:
    seen = Snapshot({"/a": "x\n", "/b": None, "/c": "\0\ufffd"}, {"/l": "../t"})
    assert Snapshot.from_json(seen.to_json()) == seen
    assert (seen.text("/a"), seen.text("/b"), seen.text("/z")) == ("x", None, None)
    assert (seen.is_absent("/b"), seen.is_absent("/z"), seen.is_known("/b"), seen.is_known("/z")) == (
        *(True, False, True, False),
    )


@needs.programs("ip")
def test_the_default_routes_of_this_machine_are_those_that_ip_shows() -> None:
    shown = set()
    for family in ("-4", "-6"):
        argv = [needs.found("ip") or "ip", family, "-oneline", "route", "show", "default"]
        words = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
        shown |= {words[place + 1] for place, word in enumerate(words) if word == "dev"}
    script = ["sh", "-c", CAPTURE_SCRIPT, "capture", "/"]
    seen = parse_capture(subprocess.run(script, capture_output=True, check=True, timeout=60).stdout)
    nics = read_topology(seen).nics
    assert {nic.name for nic in nics if nic.has_route} == shown & {nic.name for nic in nics}
    lines = (seen.text("/proc/net/route") or "").splitlines()
    assert all(line.split()[1] == "00000000" for line in lines), "a router's other routes stay where they are"
