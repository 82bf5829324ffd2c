"""Which settings the next boot takes from a file of somebody else, although ours names them.

Pure, over the files of a snapshot. Our own files count as if they were written: what is missing of them is
pending anyway. systemd reads files by name across its folders (/etc before /run, /usr/local/lib and /usr/lib
for one name; a link to /dev/null hides the others). In sysctl.d and in drop-ins the last word counts, in
tmpfiles.d the first. What is below /run counts twice, as it is and as if it were gone: a boot empties it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate

from tuning.compliance.live import same_value
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.plan.plan import Plan
from tuning.plan.setting import Pid1Affinity, Setting, SliceCpus, Sysctl, SysfsValue
from tuning.snapshot.capture import UNIT_FOLDERS
from tuning.snapshot.files import Snapshot
from tuning.units import ENGINE_SLICE, MONITORING_SLICE

OURS = "90-hft.conf"
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
UNITS = tuple(f"/{folder}" for folder in UNIT_FOLDERS)
TMPFILES = tuple("/".join((root, "tmpfiles.d")) for root in ROOTS)
BLOCKS = "wexXrR"  # types of tmpfiles.d of which a path has one line
WRITES_TOO = {
    "vm.dirty_ratio": "vm.dirty_bytes",
    "vm.dirty_background_ratio": "vm.dirty_background_bytes",
    "kernel.nmi_watchdog": "kernel.watchdog",
}


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


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    path: str
    lines: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        return self.path.startswith("/etc/") and self.name == OURS


def overruled(plan: Plan, snapshot: Snapshot) -> tuple[Overruled, ...]:
    """Every setting of a plan that a foreign file would win at the next boot."""
    found: dict[str, Overruled] = {}
    for skip in ("", "/run/"):
        folders = _Folders(snapshot, skip)
        for setting in plan.settings:
            if setting.key not in found and (one := _winner(setting, folders)):
                found[setting.key] = one
    return tuple(found.values())


def _winner(setting: Setting, folders: _Folders) -> Overruled | None:
    match setting:
        case Sysctl():
            seen = _sysctl(setting, folders.of([f"{root}/sysctl.d" for root in ROOTS]))
        case SysfsValue():
            seen = _tmpfiles(setting, folders.of(TMPFILES))
        case Pid1Affinity():
            files = folders.of([f"{root}/systemd/system.conf.d" for root in ROOTS])
            seen = _cpus(files, "Manager", "CPUAffinity", setting.cpus, whole=False)
        case SliceCpus():
            whole = setting.slice in (ENGINE_SLICE, MONITORING_SLICE)
            kind = "Scope" if setting.slice.endswith(".scope") else "Slice"
            files = folders.of(_drop_ins(setting.slice))
            seen = _cpus(files, kind, "AllowedCPUs", setting.cpus, whole=whole)
        case _:
            return None
    return Overruled(setting=setting, path=seen[0], seen=seen[1]) if seen else None


class _Folders:
    """The configuration folders of a snapshot, without what lies below SKIP."""

    def __init__(self, snapshot: Snapshot, skip: str) -> None:
        self.texts: dict[str, str] = {}
        for path, target in snapshot.links.items():
            if path.endswith(".conf") and target.endswith("/dev/null"):
                self.texts[path] = ""
        for path, text in snapshot.files.items():
            if path.endswith(".conf") and text is not None:
                self.texts.setdefault(path, text)
        if skip:
            self.texts = {path: text for path, text in self.texts.items() if not path.startswith(skip)}

    def of(self, folders: Sequence[str]) -> list[_File]:
        """The files that count, by name; ours stands where it would be, whether it is there or not."""
        rank = {folder: place for place, folder in enumerate(folders)}
        best: dict[str, tuple[int, str]] = {}
        for path in self.texts:
            folder, _, name = path.rpartition("/")
            if folder in rank and not name.startswith("."):
                best[name] = min(best.get(name, (len(rank), "")), (rank[folder], path))
        best[OURS] = (0, f"/etc/{OURS}")
        return [
            _File(name, path, tuple(self.texts.get(path, "").replace("\\\n", " ").splitlines()))
            for name, (_, path) in sorted(best.items(), key=lambda one: one[0].encode())
        ]


def _sysctl(setting: Sysctl, files: list[_File]) -> tuple[str, str] | None:
    """From the last file back to ours: whoever names the key there has the last word."""
    names = {setting.key, WRITES_TOO.get(setting.key, setting.key)}
    for file in reversed(files):
        if file.is_ours:
            return None
        for line in reversed(file.lines):
            word, equals, value = line.strip().lstrip("-").partition("=")
            is_said = equals or line.strip().startswith("-")
            key = _key(word.strip())
            if line.strip()[:1] in ("#", ";") or not is_said or key not in names:
                continue
            if key != setting.key and (not equals or value.strip() == "0"):
                continue
            if key == setting.key and equals and same_value(value.strip(), setting.value, setting.compare):
                return None
            return file.path, " ".join(line.split())[:80]
    return None


def _key(word: str) -> str:
    parts = [part for part in word.split("/") if part]
    slash, dot = word.find("/"), word.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        return ".".join(part.replace(".", "/") for part in parts)
    return word


def _tmpfiles(setting: SysfsValue, files: list[_File]) -> tuple[str, str] | None:
    """Before ours, any line for the path keeps ours out; after it, only a pattern is written once more."""
    after, seen, patterns = False, None, set[str]()
    for file in files:
        if file.is_ours:
            after = True
            continue
        for line in file.lines:
            kind, path, value = _rule(line)
            if not kind or kind not in BLOCKS or (kind == "w" and not value):
                continue
            if path == setting.path:
                if not after and not (kind == "w" and same_value(value, setting.value, setting.compare)):
                    return file.path, " ".join(line.split())[:80]
                after = True  # written here, in the place of the first line for it: ours adds nothing
            elif kind == "w" and path not in patterns and _covers(path, setting.path):
                patterns.add(path)
                same = same_value(value, setting.value, setting.compare)
                seen = (None if same else (file.path, " ".join(line.split())[:80])) if after else seen
    return seen


def _rule(line: str) -> tuple[str, str, str]:
    words = line.split(maxsplit=6)
    if len(words) < 2 or words[0].startswith("#"):
        return "", "", ""
    path = re.sub("/+", "/", words[1].strip("\"'")).replace("%%", "%")
    return words[0].strip("\"'")[:1], path, words[6].strip() if len(words) > 6 else ""


def _covers(pattern: str, path: str) -> bool:
    here, there = pattern.split("/"), path.split("/")
    if not re.search(r"[*?\[]", pattern) or len(here) != len(there):
        return False
    return all(re.fullmatch(translate(one), other) for one, other in zip(here, there, strict=True))


def _drop_ins(unit: str) -> list[str]:
    """Folders of drop-ins: the unit's name, each prefix that ends in a dash, its type (systemd.unit(5))."""
    stem, _, kind = unit.rpartition(".")
    prefixes = [stem[: place + 1] for place, char in enumerate(stem) if char == "-"]
    names = [unit, *(f"{one}.{kind}" for one in reversed(prefixes))]
    own = [f"{folder}/{name}.d" for folder in UNITS for name in names]
    return [*own, *(f"{folder}/{kind}.d" for folder in UNITS)]


def _cpus(
    files: list[_File], section: str, name: str, planned: CpuSet, *, whole: bool
) -> tuple[str, str] | None:
    """Lists add up, an empty one begins anew. Ours does so in its place; a WHOLE unit of ours comes first."""
    bits, givers, counts = planned, list[tuple[str, str]](), whole
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


def _values(lines: Sequence[str], section: str, name: str) -> Iterator[str]:
    here = ""
    for raw in lines:
        line = raw.strip()
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line.partition("=")[0].strip() == name and "=" in line:
            yield line.partition("=")[2].strip()
