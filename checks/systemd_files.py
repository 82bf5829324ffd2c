"""What systemd reads at a boot: which of its files count, in what order, and what they would set.

A configuration folder exists below /etc, /run, /usr/local/lib and /usr/lib. Files are read in the order of
their names, whatever folder they are in; of two with one name only that of the first folder counts, and an
empty file or a link to /dev/null there hides the others (sysctl.d(5), tmpfiles.d(5), systemd-system.conf(5)).

- sysctl.d: the last assignment of a key counts; a key with a dash and no value takes an assignment away;
  patterns never overrule a key that is named in full.
- tmpfiles.d: of the lines for one path the *first* counts; a pattern is a path of its own, written in turn.
- drop-ins: CPU lists add up (`CPUAffinity=`, `AllowedCPUs=`), and an empty one begins anew.

Nothing here is shared with what plans or renders.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from checks.errors import CheckError
from checks.reading import Cpus, cpus_of_list

Files = Mapping[str, str]

ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
UNIT_FOLDERS = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
# Types of tmpfiles.d that share one table by path, so that the first of them keeps the others out.
ONE_LINE_A_PATH = frozenset("wexXrR")
# Writing the first sets the second, too (Documentation/admin-guide/sysctl): order decides between them.
ALSO_SETS: Mapping[str, tuple[str, ...]] = {
    "vm.dirty_bytes": ("vm.dirty_ratio",),
    "vm.dirty_background_bytes": ("vm.dirty_background_ratio",),
    "kernel.watchdog": ("kernel.nmi_watchdog",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """What a boot would set, and the file that says so; a value of None takes an earlier one away."""

    path: str
    value: str | None


def in_order(files: Files, folder: str) -> list[str]:
    """The files of a configuration folder (`sysctl.d`) that count, in the order in which they are read."""
    return _named(files, [f"{root}/{folder}" for root in ROOTS])


def _named(files: Files, folders: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for folder in folders:
        for path in files:
            above, _, name = path.rpartition("/")
            if above == folder and name.endswith(".conf") and not name.startswith("."):
                found.setdefault(name, path)
    return [found[name] for name in sorted(found, key=lambda one: one.encode())]


def without_run(files: Files) -> dict[str, str]:
    """The files that are there after a boot whatever writes below /run."""
    return {path: text for path, text in files.items() if not path.startswith("/run/")}


def sysctl_winner(files: Files, key: str) -> Winner | None:
    """What systemd-sysctl would write last to a key; None when no file names it."""
    named: dict[str, Winner] = {}
    patterns: list[tuple[str, Winner]] = []
    for path in in_order(files, "sysctl.d"):
        for name, value in _assignments(files[path]):
            one = Winner(path=path, value=value)
            if re.search(r"[*?\[]", name):
                patterns.append((name, one))
            else:
                named.pop(name, None)  # it moves to the end
                named[name] = one
    found = named.get(key)
    if found is None:
        matching = [one for name, one in patterns if fnmatchcase(key, name) and one.value is not None]
        found = matching[-1] if matching else None
    order = list(named)
    for name, also in ALSO_SETS.items():
        other = named.get(name) if key in also else None
        if other is None or other.value in (None, "0"):
            continue
        if key not in named or order.index(name) > order.index(key):
            found = Winner(path=other.path, value=f"{name} = {other.value}")
    return found


def _assignments(text: str) -> Iterator[tuple[str, str | None]]:
    """(dotted key, value) of each line; None for `-key`, which takes an assignment away."""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        name, equals, value = line.partition("=")
        if not equals and not line.startswith("-"):
            continue
        yield _dotted(name.strip().removeprefix("-").strip()), value.strip() if equals else None


def _dotted(name: str) -> str:
    """A key with dots between its parts: the first of `/` and `.` is the separator (sysctl.d(5))."""
    name = re.sub("/+", "/", name).strip("/")
    first = re.search(r"[./]", name)
    return name.translate(str.maketrans("/.", "./")) if first and first[0] == "/" else name


def tmpfiles_winner(files: Files, wanted: str) -> Winner | None:
    """What systemd-tmpfiles would write last to a path at a boot; None when no line writes it."""
    lines: dict[str, tuple[str, Winner]] = {}
    for path in in_order(files, "tmpfiles.d"):
        for kind, target, value in _lines(files[path]):
            if kind in ONE_LINE_A_PATH and (kind != "w" or value):
                lines.setdefault(target, (kind, Winner(path=path, value=value if kind == "w" else None)))
    found, same = None, lines.get(wanted)
    for target, (kind, one) in lines.items():
        if target == wanted or (kind == "w" and _matches(wanted, target)):
            found = one if kind == "w" else found
    return found if found is not None or same is None else same[1]


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """(type letter, path, argument) of each line of tmpfiles.d(5)."""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        fields = re.match(r"(\S+)\s+(\"[^\"]*\"|'[^']*'|\S+)((?:\s+\S+){0,4})(?:\s+(.*))?$", line)
        if fields is None:
            continue
        kind = fields[1].strip("\"'")[:1]
        path = re.sub("/+", "/", " ".join(shlex.split(fields[2])))
        yield kind, _plain(path), _plain((fields[4] or "").strip())


def _plain(text: str) -> str:
    """Specifiers resolved; only `%%` is known here."""
    if re.search(r"%(?!%)", text.replace("%%", "")):
        return f"(unknown: {text})"
    return text.replace("%%", "%")


def _matches(path: str, pattern: str) -> bool:
    """glob(7): a star never matches a slash."""
    here, there = path.split("/"), pattern.split("/")
    return len(here) == len(there) and all(map(fnmatchcase, here, there))


def cpus_of_manager(files: Files) -> tuple[Cpus, list[str]]:
    """`CPUAffinity=` of PID 1 after a boot, and the files that give it."""
    main = next((path for root in ROOTS if (path := f"{root}/systemd/system.conf") in files), None)
    order = [*([main] if main else []), *in_order(files, "systemd/system.conf.d")]
    return _added_up(files, order, "Manager", "CPUAffinity")


def cpus_of_slice(files: Files, unit: str) -> tuple[Cpus, list[str]]:
    """`AllowedCPUs=` of a slice or scope after a boot, and the files that give it."""
    fragment = next((path for folder in UNIT_FOLDERS if (path := f"{folder}/{unit}") in files), None)
    folders = [f"{folder}/{name}.d" for folder in UNIT_FOLDERS for name in _names(unit)]
    kind = unit.rpartition(".")[2]
    folders += [f"{folder}/{kind}.d" for folder in UNIT_FOLDERS]
    order = [*([fragment] if fragment else []), *_named(files, folders)]
    return _added_up(files, order, kind.capitalize(), "AllowedCPUs")


def _names(unit: str) -> list[str]:
    """The unit, then its prefixes: `hft-engine.slice` also takes `hft-.slice.d` (systemd.unit(5))."""
    stem, _, kind = unit.rpartition(".")
    parts = stem.split("-")
    return [unit, *(f"{'-'.join(parts[:length])}-.{kind}" for length in range(len(parts) - 1, 0, -1))]


def _added_up(files: Files, order: Iterable[str], section: str, name: str) -> tuple[Cpus, list[str]]:
    cpus: Cpus = frozenset()
    givers: list[str] = []
    for path in order:
        for value in _values(files[path], section, name):
            if not value:
                cpus, givers = frozenset(), []
                continue
            try:
                cpus |= cpus_of_list(value)
            except CheckError as error:
                raise CheckError(f"{path}: {name}={value[:60]} is not a list of CPUs") from error
            givers.append(path)
    return cpus, givers


def _values(text: str, section: str, name: str) -> Iterator[str]:
    inside = ""
    joined = re.sub(r"\\\n", " ", text)
    for raw in joined.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            inside = line[1:-1]
        elif line and line[0] not in "#;" and inside == section:
            key, equals, value = line.partition("=")
            if equals and key.strip() == name:
                yield value.strip()
