"""Kill points as system calls: one ten-step transaction, cut or failed at any of them, and an independent
look after.

Nothing here imports the agent: the agent runs as a program under strace, which kills it at (or fails) the
Nth call of a kind. What the host looks like is read with os.walk and sha256. Two looks are taken:

    at once         every managed path is whole: its old content or its new content, absent counting as
content     after recovery  the managed tree is all old or all new, with nothing left beside it, and
state.json says the same

`python3 -m tests.support.kill_harness ZIPAPP ROOT STRIDE` is the part that needs a file system of its own
(a tmpfs in a private mount namespace, filled to the last page).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.process import own_mounts
from tests.support.checkout import ROOT

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
MACHINE_ID = "c0ffee00" * 4
TXN = "20261121T101500-3f2a9c1b"
OLD_BIG, NEW_BIG = "# old\n" * 3000, "# new and longer\n" * 3000
# Calls that change something, or say that it lasts. `openat` is left out: an interpreter makes hundreds.
CALLS = (
    "fsync", "write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
    "mkdir", "mkdirat", "rmdir", "symlinkat", "ftruncate", "fchmod", "fchownat", "flock",
)  # fmt: skip
FAILING = ("fsync", "write", "pwrite64", "renameat", "linkat", "mkdirat", "symlinkat")
MANAGED = ("etc", "proc", "sys", "usr", "boot", "var/lib/hft/plan.json")
OURS = re.compile(r"(state\.json|plan\.json|lock|journal(/.*)?)\Z")
OLD_FILES: Mapping[str, str] = {
    "/etc/machine-id": MACHINE_ID,
    "/proc/sys/kernel/random/boot_id": "11111111-2222-3333-4444-555555555555\n",
    "/proc/cmdline": "quiet\n",
    "/proc/cpuinfo": "processor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n",
    "/sys/devices/system/cpu/online": "0-3\n",
    "/sys/devices/system/cpu/present": "0-3\n",
    "/etc/sysctl.d/90-hft.conf": OLD_BIG,
    "/etc/tmpfiles.d/90-hft.conf": "# old\n",
    "/etc/systemd/system/user.slice.d/90-hft.conf": "[Slice]\n",
    "/etc/systemd/system/irqbalance.service.d/keep.conf": "[Service]\n",
    "/var/lib/hft/plan.json": '{"schema":1,"plan":"old"}\n',
    "/proc/sys/vm/stat_interval": "1000\n",
    "/sys/devices/virtual/workqueue/cpumask": "f\n",
    "/proc/irq/default_smp_affinity": "f\n",
    "/proc/irq/7/smp_affinity_list": "0-3\n",
    "/proc/irq/9/smp_affinity_list": "2-3\n",
    "/proc/irq/11/smp_affinity_list": "0-1\n",
}  # live values keep their length: a plain file is not the kernel, which takes a value as a whole
OLD_LINKS = {
    "/etc/systemd/system/multi-user.target.wants/irqbalance.service": "/lib/systemd/system/irqbalance.service"
}
NEW_FILES: Mapping[str, str | None] = {
    "/etc/sysctl.d/90-hft.conf": NEW_BIG,
    "/etc/tmpfiles.d/90-hft.conf": "# new\n",
    "/etc/systemd/system/user.slice.d/90-hft.conf": None,
    "/etc/hft/engine/a/config.json": "{}\n",
    "/etc/systemd/system/hft-engine.slice": "[Slice]\nAllowedCPUs=2-3\n",
    "/var/lib/hft/plan.json": '{"schema":1,"plan":"new"}\n',
    "/proc/sys/vm/stat_interval": "0120\n",
    "/sys/devices/virtual/workqueue/cpumask": "3\n",
    "/proc/irq/default_smp_affinity": "3\n",
    "/proc/irq/7/smp_affinity_list": "0-1\n",
    "/proc/irq/9/smp_affinity_list": "0-1\n",
}
NEW_LINKS = {"/etc/systemd/system/irqbalance.service": "/dev/null"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """What strace does to the agent: kill it at, or fail, the Nth call of a kind (or from the Nth on)."""

    call: str
    nth: int
    error: str | None = None
    onwards: bool = False

    @property
    def inject(self) -> str:
        what = "signal=KILL" if self.error is None else f"error={self.error}"
        return f"--inject={self.call}:{what}:when={self.nth}{'+' if self.onwards else ''}"

    def __str__(self) -> str:
        return f"{self.error or 'KILL'} at {self.call} {self.nth}{'+' if self.onwards else ''}"


def lay_out(root: Path) -> None:
    """A small host, as it was before."""
    for path, text in OLD_FILES.items():
        place = Path(f"{root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for path, target in OLD_LINKS.items():
        place = Path(f"{root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def lay_out_new(root: Path) -> None:
    """The same host as it has to be after, made without the agent."""
    lay_out(root)
    for path, text in NEW_FILES.items():
        place = Path(f"{root}{path}")
        place.unlink(missing_ok=True)
        if text is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    for path, target in NEW_LINKS.items():
        Path(f"{root}{path}").symlink_to(target)


def document(digest: str) -> bytes:
    """The ten steps."""
    why = "kill test"

    def file(path: str) -> dict[str, Any]:
        return {
            "kind": "file",
            "path": path,
            "content": NEW_FILES[path],
            "mode": 0o644,
            "before": hashlib.sha256(OLD_FILES[path].encode()).hexdigest() if path in OLD_FILES else "absent",
            "why": why,
        }

    def value(path: str, compare: str) -> dict[str, Any]:
        wanted = str(NEW_FILES[path]).strip()
        return {
            "kind": "value",
            "path": path,
            "value": wanted,
            "compare": compare,
            "before": OLD_FILES[path].strip(),
            "why": why,
        }

    steps = [
        file("/etc/sysctl.d/90-hft.conf"),
        file("/etc/tmpfiles.d/90-hft.conf"),
        file("/etc/systemd/system/user.slice.d/90-hft.conf"),
        file("/etc/hft/engine/a/config.json"),
        file("/etc/systemd/system/hft-engine.slice"),
        file("/var/lib/hft/plan.json"),
        value("/proc/sys/vm/stat_interval", "text"),
        value("/sys/devices/virtual/workqueue/cpumask", "cpumask"),
        {"kind": "irqs", "cpus": "0-1", "why": why},
        {"kind": "unit", "unit": "irqbalance.service", "enabled": "masked", "active": False, "why": why},
    ]
    head = {"schema": 1, "txn": TXN, "host": "engine-1", "machine_id": MACHINE_ID, "plan_hash": "a" * 64}
    return json.dumps(head | {"topology_digest": digest, "steps": steps, "boot": None}).encode()


def entries(root: Path) -> Iterator[tuple[str, str]]:
    """Every managed path with what it is: type, mode and content, and nothing that merely names a time."""
    for top in MANAGED:
        place = root / top
        if place.is_file():
            yield f"/{top}", describe(place)
        for directory, names, files in os.walk(place):
            for name in [*names, *files]:
                path = Path(directory) / name
                yield f"/{path.relative_to(root)}", describe(path)


def describe(path: Path) -> str:
    """One path in words that differ when anything about it differs."""
    if path.is_symlink():
        return f"link to {path.readlink()}"
    mode = path.stat().st_mode & 0o7777
    if path.is_dir():
        return f"directory {mode:o}"
    return f"file {mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def look(root: Path) -> dict[str, str]:
    """The managed tree."""
    return dict(entries(root))


def is_scratch(path: str) -> bool:
    """Whether this is a temporary name of a writer at work, which nobody reads."""
    name = path.rpartition("/")[2]
    return name.startswith(".") and ".hft-" in name


def torn(now: Mapping[str, str], old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Managed paths that are neither old nor new."""
    paths = {path for path in {*now, *old, *new} if not is_scratch(path)}
    return sorted(path for path in paths if now.get(path) not in {old.get(path), new.get(path)})


class Trials:
    """One zipapp, many hosts below one directory."""

    def __init__(self, agent: Path, directory: Path) -> None:
        self.agent = agent
        self.directory = directory
        self.seen: Counter[str] = Counter()
        old, new = directory / "old", directory / "new"
        lay_out(old)
        lay_out_new(new)
        self.old, self.new = look(old), look(new)
        self.document = document(self.topology_digest(old))

    def topology_digest(self, root: Path) -> str:
        """Asked of the agent itself: it is an input here, not what is tested."""
        code = (
            f"import sys; sys.path.insert(0, {str(self.agent)!r})\n"
            "from agent.transaction.staleness import topology_digest\nfrom agent.host import HostRoot\n"
            f"print(topology_digest(HostRoot(root={str(root)!r})))"
        )
        done = subprocess.run([PYTHON, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def call(self, root: Path, verb: str, *prefix: str) -> subprocess.CompletedProcess[bytes]:
        """Run the agent on a host."""
        argv = [*prefix, PYTHON, "-I", "-S", "-B", str(self.agent), "--root", str(root), verb]
        return subprocess.run(
            argv,
            input=self.document if verb == "apply" else b"",
            capture_output=True,
            check=False,
            timeout=120,
        )

    def strace(self, root: Path, verb: str, fault: Fault) -> subprocess.CompletedProcess[bytes]:
        """Run the agent with a fault. Its children are not traced: the fault is the writer's."""
        prefix = ["strace", "--quiet=all", f"--trace={fault.call}", fault.inject, f"--output={os.devnull}"]
        return self.call(root, verb, *prefix)

    def fresh(self) -> Path:
        """A new old host."""
        root = self.directory / "host"
        shutil.rmtree(root, ignore_errors=True)
        lay_out(root)
        return root

    def run(self, fault: Fault, recover_fault: Fault | None = None) -> str:
        """One trial: the side the host ended on, `old` or `new`; AssertionError when it is neither."""
        root = self.fresh()
        done = self.strace(root, "apply", fault)
        half = torn(look(root), self.old, self.new)
        assert not half, f"{fault}: at once after it {half} are neither old nor new"
        if fault.error is not None and not fault.onwards:
            self.check_answer(root, fault, done)
        if recover_fault is not None:
            self.strace(root, "recover", recover_fault)
            half = torn(look(root), self.old, self.new)
            assert not half, f"{fault}, then {recover_fault}: {half} are neither old nor new"
        return self.settle(root, f"{fault}{f', then {recover_fault}' if recover_fault else ''}")

    def check_answer(self, root: Path, fault: Fault, done: subprocess.CompletedProcess[bytes]) -> None:
        """A failed call is answered by the agent itself: with an outcome that is true at once."""
        if fault.call == "write" and not done.stdout:
            return  # the one write that failed was the answer's own
        assert not done.stderr, f"{fault}: {done.stderr.decode()[-500:]}"
        answer = json.loads(done.stdout)
        side = {0: self.new_of(root), 2: self.old, 6: self.old}[done.returncode]
        shown = {path: what for path, what in look(root).items() if not is_scratch(path)}
        assert answer["message"], f"{fault}: no sentence"
        assert shown == side, f"{fault}: answered {answer['result']}, and {differences(shown, side)}"

    def new_of(self, root: Path) -> dict[str, str]:
        """The new side of this host: an interrupt that the record names as held is where it was."""
        record = root / "run/hft/irqs.json"
        held = json.loads(record.read_text())["held"] if record.exists() else []
        stayed = {f"/proc/irq/{one['irq']}/smp_affinity_list" for one in held}
        return {path: self.old[path] if path in stayed else what for path, what in self.new.items()}

    def settle(self, root: Path, what: str) -> str:
        """Recover, look, and recover again, which must find nothing."""
        done = self.call(root, "recover")
        assert done.returncode == 0, f"{what}: recover says {done.stdout!r} {done.stderr[-500:]!r}"
        now = look(root)
        side = "old" if now == self.old else "new" if now == self.new_of(root) else "mixed"
        assert side != "mixed", f"{what}: mixed after recovery: {differences(now, self.old)}"
        state = root / "var/lib/hft/state.json"
        committed = json.loads(state.read_text())["committed"] if state.exists() else None
        assert (committed is not None) == (side == "new"), f"{what}: {side}, but committed is {committed}"
        ours = [str(path.relative_to(root / "var/lib/hft")) for path in (root / "var/lib/hft").rglob("*")]
        litter = [name for name in ours if not OURS.match(name) or "/." in name]
        assert not litter, f"{what}: {litter} left behind"
        again = json.loads(self.call(root, "recover").stdout)
        assert again["result"] == "no_change", f"{what}: the second recovery says {again}"
        self.seen[side] += 1
        return side

    def counts(self, calls: tuple[str, ...] = CALLS) -> dict[str, int]:
        """How often the agent makes each call in one undisturbed run."""
        found = Counter(line.partition("(")[0] for line in self.log(",".join(calls)).splitlines())
        return {call: found[call] for call in calls if found[call]}

    def log(self, calls: str) -> str:
        """strace's log of one undisturbed run, with a path for every descriptor."""
        root, log = self.fresh(), self.directory / "strace.log"
        prefix = ["strace", "--quiet=all", "--decode-fds=path", "--string-limit=200"]
        done = self.call(root, "apply", *prefix, f"--trace={calls}", f"--output={log}")
        assert done.returncode == 0, done.stderr
        return log.read_text()

    def faults(self) -> list[Fault]:
        """Every kill point, and every call that a full disk may fail, once and from there on."""
        found = []
        for call, count in self.counts().items():
            for nth in range(1, count + 1):
                found.append(Fault(call=call, nth=nth))
                if call in FAILING:
                    found.append(Fault(call=call, nth=nth, error="ENOSPC"))
                    found.append(Fault(call=call, nth=nth, error="ENOSPC", onwards=True))
        return found


def differences(now: Mapping[str, str], side: Mapping[str, str]) -> str:
    """Where a tree differs from one side."""
    return ", ".join(sorted(path for path in {*now, *side} if now.get(path) != side.get(path))[:8])


def fill_up(trials: Trials, root: Path, pages_free: int) -> str:
    """Apply on a file system with only so many pages free, give the space back, recover."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    lay_out(root)
    free = os.statvfs(root).f_bavail - pages_free
    with (root / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, max(free, 1) * os.statvfs(root).f_bsize)
    done = trials.call(root, "apply")
    half = torn(look(root), trials.old, trials.new)
    assert not half, f"{pages_free} pages free: {half} are neither old nor new"
    answer = json.loads(done.stdout)
    expected = trials.new if answer["result"] == "applied" else trials.old
    assert look(root) == expected, f"{pages_free} pages free, {answer}: {differences(look(root), expected)}"
    if answer["result"] != "applied":
        assert answer["code"] == "no_space", answer
    side = trials.settle(root, f"{pages_free} pages free")
    (root / "filler").unlink()
    return side


def full_disk(agent: Path, directory: Path, stride: int) -> dict[str, int]:
    """Walk the free space of a small tmpfs from no page to enough; how many trials ended on which side."""
    root = directory / "small"
    root.mkdir()
    mount = 'mount -t tmpfs -o size=4m,mode=0755 tmpfs "$1" && shift && exec "$@"'
    argv = [sys.executable, "-m", "tests.support.kill_harness", str(agent), str(root), str(stride)]
    done = subprocess.run(
        [*own_mounts(), "sh", "-c", mount, "sh", str(root), *argv],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def main(argv: list[str]) -> int:
    """Inside of the mount namespace: the walk itself."""
    agent, root, stride = argv
    scratch = Path(root).parent / "scratch"
    scratch.mkdir()
    trials = Trials(Path(agent), scratch)
    pages = 0
    while trials.seen["new"] < 3:
        fill_up(trials, Path(root), pages)
        pages += int(stride)
    print(json.dumps(trials.seen))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
