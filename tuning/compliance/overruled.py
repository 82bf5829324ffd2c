"""Which settings the next boot takes from a file of somebody else, although ours names them.

Pure, over the files of a snapshot. Our own files count as if they were written: what is missing of them is
pending anyway. systemd reads files by name across its folders (/etc before /run, /usr/local/lib and /usr/lib
for one name; a link to /dev/null hides the others). In drop-ins the last word counts; for the files of the
kernel see tuning/compliance/foreign_writes.py. What is below /run counts twice, as it is and as if it were
gone: a boot empties it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuning.compliance.foreign_writes import BootFile, Said, Wish, foreign_sysctl, foreign_tmpfiles
from tuning.compliance.live import same_value
from tuning.compliance.pool_files import is_pool, pool_files
from tuning.cpuset import CPU_DIR, CpuSet
from tuning.errors import CpuListError
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg, Pid1Affinity, Setting, SliceCpus, Sysctl, SysfsValue
from tuning.snapshot.files import Snapshot
from tuning.units import ENGINE_SLICE, MONITORING_SLICE, UNIT_PATH

OURS = "90-hft.conf"
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
MANAGER = tuple("/".join((root, "systemd/system.conf.d")) for root in ROOTS)
SYSCTL = tuple("/".join((root, "sysctl.d")) for root in ROOTS)
TMPFILES = tuple("/".join((root, "tmpfiles.d")) for root in ROOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overruled:
    """A setting, the file that the next boot takes it from, and what that file says."""

    setting: Setting
    path: str
    seen: str

    @property
    def reason(self) -> str:
        """The sentence for people."""
        return f"the next boot takes it from {self.path}: {self.seen}"

    @property
    def way_out(self) -> str:
        """What to do about it, on the host."""
        return f"remove that from {self.path}, or the file"


def overruled(plan: Plan, snapshot: Snapshot) -> tuple[Overruled, ...]:
    """Every setting of a plan that a foreign file would win at the next boot."""
    found: dict[str, Overruled] = {}
    for skip in ("", "/run/"):
        folders = _Folders(snapshot, skip)
        for setting in plan.settings:
            if setting.key not in found and (one := _winner(setting, plan, snapshot, folders)):
                found[setting.key] = one
    return tuple(found.values())


def _winner(setting: Setting, plan: Plan, snapshot: Snapshot, folders: _Folders) -> Overruled | None:
    match setting:
        case Sysctl() | SysfsValue() | KernelArg():
            seen = _written(setting, snapshot, folders) or _pool(setting, plan, snapshot, folders)
        case Pid1Affinity():
            files = folders.of(MANAGER, "/etc/systemd/system.conf.d")
            seen = _cpus(files, "Manager", "CPUAffinity", setting.cpus, whole=False)
        case SliceCpus():
            whole = setting.slice in (ENGINE_SLICE, MONITORING_SLICE)
            kind = "Scope" if setting.slice.endswith(".scope") else "Slice"
            own = "" if whole else f"/etc/systemd/system/{setting.slice}.d"
            files = folders.of(_drop_ins(setting.slice), own)
            seen = _cpus(files, kind, "AllowedCPUs", setting.cpus, whole=whole)
            seen = seen or _confined(setting, folders)
        case _:
            return None
    return Overruled(setting=setting, path=seen[0], seen=seen[1]) if seen else None


def _written(setting: Setting, snapshot: Snapshot, folders: _Folders) -> Said | None:
    """The foreign line that a value of ours loses to, in the folder that we use or in the other one."""
    if not isinstance(setting, Sysctl | SysfsValue):
        return None
    wish = Wish(
        names=_names(setting.path, snapshot),
        is_same=lambda seen: same_value(seen, setting.value, setting.compare),
    )
    is_sysctl = isinstance(setting, Sysctl)
    by_sysctl = foreign_sysctl(wish, folders.of(SYSCTL, SYSCTL[0]), is_ours=is_sysctl)
    return by_sysctl or foreign_tmpfiles(wish, folders.of(TMPFILES, TMPFILES[0]), is_ours=not is_sysctl)


def _names(path: str, snapshot: Snapshot) -> tuple[str, ...]:
    """A frequency policy is shown below each CPU it covers, as cpuN/cpufreq and as cpufreq/policyN."""
    above, cpu, leaf = path.partition("/cpufreq/")
    root, _, name = above.rpartition("/")
    if not cpu or root != CPU_DIR:
        return (path,)
    others = (snapshot.text(f"{above}/cpufreq/related_cpus") or "").split()
    numbers = [name.removeprefix("cpu"), *others]
    return (
        path,
        *(f"{root}/{one}/{leaf}" for n in numbers for one in (f"cpu{n}/cpufreq", f"cpufreq/policy{n}")),
    )


def _pool(setting: Setting, plan: Plan, snapshot: Snapshot, folders: _Folders) -> Said | None:
    """The foreign line that changes the pages which a setting reserves."""
    if not is_pool(setting):
        return None
    for names, count in pool_files(plan, snapshot):
        if getattr(setting, "path", None) in names:
            continue
        wish = Wish(names=names, is_same=lambda seen, count=count: seen == str(count))  # type: ignore[misc]
        found = foreign_sysctl(wish, folders.of(SYSCTL, SYSCTL[0]), is_ours=False)
        if found := found or foreign_tmpfiles(wish, folders.of(TMPFILES, TMPFILES[0]), is_ours=False):
            return found
    return None


class _Folders:
    """The configuration folders of a snapshot, without what lies below SKIP."""

    def __init__(self, snapshot: Snapshot, skip: str) -> None:
        self.texts: dict[str, str] = {}
        self._found: dict[tuple[tuple[str, ...], str], list[BootFile]] = {}
        for path, target in snapshot.links.items():
            if path.endswith(".conf") and target.endswith("/dev/null"):
                self.texts[path] = ""
        for root in ("/etc/", "/run/", "/usr/"):
            for path in snapshot.below(root):
                text = snapshot.files[path]
                if path.endswith(".conf") and text is not None:
                    self.texts.setdefault(path, text)
        if skip:
            self.texts = {path: text for path, text in self.texts.items() if not path.startswith(skip)}

    def of(self, folders: Sequence[str], own: str) -> list[BootFile]:
        """The files that count, by name; ours stands in the folder OWN, whether it is there or not.

        It is not among them where a file of its name in an earlier folder hides it, or where OWN is empty.
        """
        asked = (tuple(folders), own)
        if asked not in self._found:
            self._found[asked] = self._look(folders, own)
        return self._found[asked]

    def _look(self, folders: Sequence[str], own: str) -> list[BootFile]:
        rank = {folder: place for place, folder in enumerate(folders)}
        best: dict[str, tuple[int, str]] = {}
        for path in self.texts:
            folder, _, name = path.rpartition("/")
            if folder in rank and not name.startswith("."):
                best[name] = min(best.get(name, (len(rank), "")), (rank[folder], path))
        ours = f"{own}/{OURS}"
        if own:
            best[OURS] = min(best.get(OURS, (len(rank), "")), (rank[own], ours))
        return [
            BootFile(
                name,
                path,
                tuple(re.split(r"[\n\r]", self.texts.get(path, ""))),
                is_ours=path == ours,
            )
            for name, (_, path) in sorted(best.items(), key=lambda one: one[0].encode())
        ]


def _drop_ins(unit: str) -> list[str]:
    """Folders of drop-ins: the unit's name, each prefix that ends in a dash, its type (systemd.unit(5))."""
    stem, _, kind = unit.rpartition(".")
    prefixes = [stem[: place + 1] for place, char in enumerate(stem) if char == "-"]
    names = [unit, *(f"{one}.{kind}" for one in reversed(prefixes))]
    own = [f"{folder}/{name}.d" for folder in UNIT_PATH for name in names]
    return [*own, *(f"{folder}/{kind}.d" for folder in UNIT_PATH)]


def _cpus(
    files: list[BootFile], section: str, name: str, planned: CpuSet, *, whole: bool
) -> tuple[str, str] | None:
    """Lists add up, an empty one begins anew. Ours does so in its place; a WHOLE unit of ours comes first."""
    counts = whole or not any(file.is_ours for file in files)
    bits, givers = planned if whole or not counts else CpuSet(), list[tuple[str, str]]()
    for file in files:
        if file.is_ours:
            counts = True
            continue
        for value in _values(file.lines, section, name) if counts else ():
            if not value:
                bits, givers = CpuSet(), []
                continue
            try:
                bits |= CpuSet.parse_list(value)
            except CpuListError:
                return file.path, f"{name}={value[:60]}"
            givers.append((file.path, f"{name}={value[:60]}"))
    if bits == planned:
        return None
    return givers[-1] if givers else (files[-1].path, f"{name}= (none)")


def _confined(setting: SliceCpus, folders: _Folders) -> Said | None:
    """What leaves a slice above this one without some of its CPUs: it has no others (systemd.slice(5))."""
    parts = setting.slice.removesuffix(".slice").split("-")
    for length in range(1, len(parts)):
        bits, last = CpuSet(), None
        for file in folders.of(_drop_ins(f"{'-'.join(parts[:length])}.slice"), ""):
            for value in _values(file.lines, "Slice", "AllowedCPUs"):
                try:
                    bits |= CpuSet.parse_list(value)
                except CpuListError:
                    return file.path, f"AllowedCPUs={value[:60]}"
                bits, last = (bits, (file.path, f"AllowedCPUs={value[:60]}")) if value else (CpuSet(), None)
        if last is not None and setting.cpus - bits:
            return last
    return None


def _values(lines: Sequence[str], section: str, name: str) -> Iterator[str]:
    here = ""
    told = "\n".join(line for line in lines if line.strip()[:1] not in ("#", ";"))
    told = re.sub(r"(?m)^\ufeff", "", told, count=1)  # a byte order mark, as src/shared/conf-parser.c does
    for raw in told.replace("\\\n", " ").split("\n"):
        line = raw.strip()
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line.partition("=")[0].strip() == name and "=" in line:
            yield line.partition("=")[2].strip()
