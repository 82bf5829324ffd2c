"""What systemd reads at a boot: which of its files count, in what order, and what they would set.

A configuration folder exists below /etc, /run, /usr/local/lib and /usr/lib. Files are read in the order of
their names, whatever folder they are in; of two with one name only that of the first folder counts, and an
empty file or a link to /dev/null there hides the others (sysctl.d(5), tmpfiles.d(5), systemd-system.conf(5)).

In drop-ins CPU lists add up (`CPUAffinity=`, `AllowedCPUs=`), and an empty one begins anew. What sysctl.d and
tmpfiles.d write is read by checks/boot_writes.py.

Nothing here is shared with what plans or renders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from checks.errors import CheckError
from checks.reading import Cpus, cpus_of_list

Files = Mapping[str, str]

BYTE_ORDER_MARK = "\ufeff"  # the first one at the begin of a line is passed over (src/shared/conf-parser.c)
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
UNIT_FOLDERS = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)


def in_order(files: Files, folder: str) -> list[str]:
    """The files of a configuration folder (`sysctl.d`) that count, in the order in which they are read."""
    return _named(files, [f"{root}/{folder}" for root in ROOTS])


def _named(files: Files, folders: Iterable[str]) -> list[str]:
    rank: dict[str, int] = {}
    for folder in folders:
        rank.setdefault(folder, len(rank))
    found: dict[str, tuple[int, str]] = {}
    for path in files:
        if not path.endswith(".conf"):
            continue
        above, _, name = path.rpartition("/")
        if above in rank and not name.startswith("."):
            here = (rank[above], path)
            found[name] = min(found.get(name, here), here)
    return [found[name][1] for name in sorted(found, key=lambda one: one.encode())]


def without_run(files: Files) -> dict[str, str]:
    """The files that are there after a boot whatever writes below /run."""
    return {path: text for path, text in files.items() if not path.startswith("/run/")}


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


def slices_above(unit: str) -> list[str]:
    """The slices that a slice is in, by its name: `hft-engine.slice` is in `hft.slice` (systemd.slice(5))."""
    stem, _, kind = unit.rpartition(".")
    parts = stem.split("-")
    return (
        [f"{'-'.join(parts[:length])}.{kind}" for length in range(1, len(parts))] if kind == "slice" else []
    )


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
    text = re.sub(rf"^{BYTE_ORDER_MARK}", "", text, count=1, flags=re.MULTILINE)
    told = (line for line in re.split(r"[\n\r]", text) if line.strip()[:1] not in ("#", ";"))
    for raw in re.sub(r"\\\n", " ", "\n".join(told)).split("\n"):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            inside = line[1:-1]
        elif line and line[0] not in "#;" and inside == section:
            key, equals, value = line.partition("=")
            if equals and key.strip() == name:
                yield value.strip()
