"""Three locks and a bill of materials: what an ops host installs, what its stacks or a checkout add,
licences.

    pip-compile --all-extras --generate-hashes --allow-unsafe --output-file ALL.lock pyproject.toml
    pip install --require-hashes --requirement ALL.lock        so that their metadata can be read
    python -m tests.support.locks ALL.lock [NEWEST.lock]

NEWEST.lock is the same with the newest Python that is supported (docs/install.md) and ALL.lock as its
`--constraint`: what only it has, because the standard library lost it, gets a marker. Written are
requirements.lock (what runs, and what builds the editable install), requirements-stacks.lock and
requirements-dev.lock (what each of these adds to it; both come from one resolution, so what is in two of
them has one version) and docs/sbom.cdx.json (CycloneDX 1.5, https://cyclonedx.org/docs/1.5/json/) of the
first.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.checkout import ROOT

RUNTIME, STACKS, DEV, BILL = (
    ROOT / "requirements.lock",
    ROOT / "requirements-stacks.lock",
    ROOT / "requirements-dev.lock",
    ROOT / "docs" / "sbom.cdx.json",
)
# SPDX names of licences that may be on an ops host. LGPL: paramiko, which pyinfra imports, is used unchanged.
# ISC, of pexpect and ptyprocess (below ansible-runner) and resolvelib: MIT in fewer words, no more is asked.
ALLOWED = frozenset(
    {
        *("MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "ZPL-2.1", "MPL-2.0"),
        "ISC",
        *("0BSD", "CC0-1.0", "Zlib"),  # parts of numpy
        "LGPL-2.1",
    }
)
# Programs that run as processes of their own and are imported by nobody (tests/tidy/test_tidy_locks.py holds
# it): their licence binds their own text, not ours. docs/decisions/0008-ansible.md says why it is needed.
PROGRAMS = frozenset({"ansible-core"})
# Where the metadata has words instead of an SPDX expression.
WORDS = {
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
BLOCK = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ]+)(?: ; ([^\\\n]+?))? \\\n(?:^ +.*\n)+", re.M)
NEWEST = "3.13"  # Python; what only it needs is marked in the locks


def blocks(text: str) -> dict[str, str]:
    """The entries of a lock file, by the normal name of the package."""
    return {canonicalize_name(match[1]): match[0] for match in BLOCK.finditer(text)}


def versions(path: Path) -> dict[str, str]:
    """Package -> version, as a lock file has them for the Python that asks."""
    found = BLOCK.finditer(path.read_text())
    return {canonicalize_name(one[1]): one[2] for one in found if not one[3] or Marker(one[3]).evaluate()}


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def runtime_names(python: str = "") -> frozenset[str]:
    """What is installed for the project's own dependencies and the editable install, by metadata."""
    declared = project()
    return closure([*declared["dependencies"], *declared["optional-dependencies"]["build"]], python)


def extra_names(extra: str, python: str = "") -> frozenset[str]:
    """What an extra (`dev`, `stacks`) adds to that; PackageNotFoundError where it is not installed."""
    return closure(project()["optional-dependencies"][extra], python) - runtime_names(python)


def closure(requirements: list[str], python: str = "") -> frozenset[str]:
    """The requirements and whatever they require here, by the metadata of what is installed.

    With another PYTHON it is what that one would need; what only it needs is not looked into.
    """
    other = {"python_version": python, "python_full_version": f"{python}.0"} if python else {}
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        one = waiting.pop()
        key = (canonicalize_name(one.name), frozenset(one.extras))
        if key in found:
            continue
        found.add(key)
        try:
            required = distribution(one.name).requires or []
        except PackageNotFoundError:
            if not python:
                raise
            continue
        for text in required:
            needed = Requirement(text)
            environments = [{"extra": extra, **other} for extra in ("", *one.extras)]
            if needed.marker is None or any(needed.marker.evaluate(each) for each in environments):
                waiting.append(needed)
    return frozenset(name for name, _ in found)


def licence(found: Distribution) -> str:
    """The SPDX expression of a package; ValueError when its metadata names none that is known."""
    meta = found.metadata
    expression = meta.get_all("License-Expression")
    if expression:
        return str(expression[0])
    classified = [one.rpartition(" :: ")[2] for one in meta.get_all("Classifier") or [] if " :: OSI " in one]
    told = [*sorted(classified), *(meta.get_all("License") or [])]
    known = [WORDS.get(one, one if one in ALLOWED else "") for one in told if one]
    names = sorted({one for one in known if one})
    if not names:
        raise ValueError(f"{meta['Name']}: no licence in its metadata")
    return " OR ".join(names)


def is_allowed(expression: str) -> bool:
    """Whether each part that binds is on the list; of alternatives one is enough."""
    return all(
        any(name.strip(" ()") in ALLOWED for name in part.split(" OR ")) for part in expression.split(" AND ")
    )


def bill() -> str:
    """The bill of materials of the runtime lock."""
    pinned = versions(RUNTIME)
    components = [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "licenses": [{"expression": licence(distribution(name))}],
            "hashes": [{"alg": "SHA-256", "content": one} for one in _hashes(name)],
        }
        for name, version in sorted(pinned.items())
    ]
    about = {"type": "application", "name": project()["name"], "version": project()["version"]}
    document = {
        **{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1},
        **{"metadata": {"component": about}, "components": components},
    }
    return json.dumps(document, indent=1) + "\n"


def _hashes(name: str) -> list[str]:
    """Of the files that the lock admits: one of them is installed."""
    return sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", blocks(RUNTIME.read_text())[name]))


def write(text: str, newest: str = "") -> None:
    """The locks and the bill from a lock of everything, and one of the newest Python."""
    everywhere, only_newest = blocks(text), blocks(newest)
    marked = {
        name: entry.replace(" \\\n", f' ; python_version >= "{NEWEST}" \\\n', 1)
        for name, entry in only_newest.items()
        if name not in everywhere
    }
    entries = sorted((everywhere | marked).items())
    parts = {
        RUNTIME: runtime_names() | runtime_names(NEWEST),
        STACKS: extra_names("stacks") | extra_names("stacks", NEWEST),
        DEV: extra_names("dev") | extra_names("dev", NEWEST),
    }
    for path, names in parts.items():
        path.write_text("".join(entry for name, entry in entries if name in names))
    BILL.write_text(bill())


if __name__ == "__main__":
    write(*(Path(name).read_text() for name in sys.argv[1:]))
