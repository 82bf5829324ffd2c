"""`python -m engine.independent.package DIRECTORY`: the engine as an artifact: one zip, and engine.json.

The zip has fixed times and order, so that the same sources and interpreter give the same digest. With
`--mutant CLAUSE` the manifest's fixed arguments break that clause: a mutant is an artifact like any other.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import marshal
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.independent import text

PROGRAM = "stub.pyz"
MAIN = """import sys
from pathlib import Path

from engine.independent.main import main

sys.exit(main(sys.argv[1:], Path(sys.argv[0]).resolve().parent))
"""
NOT_PACKED = {"package.py", "__main__.py"}


def program(changed: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Names and contents of the zip; CHANGED has other contents for some modules, by file name."""
    here, other = Path(__file__).parent, changed or {}
    found = {
        f"engine/independent/{path.name}": other.get(path.name, path.read_bytes())
        for path in sorted(here.glob("*.py"))
    }
    ours = {name: data for name, data in found.items() if Path(name).name not in NOT_PACKED}
    sources = {"__main__.py": MAIN.encode(), "engine/__init__.py": b"", **ours}
    return {**sources, **{f"{name}c": _compiled(name, data) for name, data in sources.items()}}


def _compiled(name: str, source: bytes) -> bytes:
    """This interpreter's bytecode beside the source (PEP 552, unchecked hash) halves the start time.

    A different Python version sees an unknown magic number and uses the source.
    """
    code = compile(source, name, "exec", dont_inherit=True)
    flags = (1).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def manifest(sha256: str, mutant: str | None, level: str = "trading") -> dict[str, Any]:
    """engine.json of this engine."""
    arguments = ["--mutant", mutant] if mutant else []
    return {
        "contract": "1.2.0",
        "identity": {"name": "stub", "version": "1.0.0", "build": sha256[:12]},
        "level": level,
        "exec": {"interpreter": ["python3", "-I", "-S"], "program": PROGRAM, "arguments": arguments},
        "files": [{"path": PROGRAM, "sha256": sha256, "executable": False}],
        "compat": {
            "cpu": "any", "libc": "none", "journal_version_min": 1, "journal_version_max": 1,
            "replication_min": 0,
            "replication_max": 0, "state_digest": "sha256",
        },
        "venue_profiles": ["ouch5-2023-05", "ouch5-later"],
        "threads": [{"name": "stub-hot", "role": "hot", "wants": "isolated"}],
        "memory": {"hugepages_2m": 0, "hugepages_1g": 0, "locked_bytes": 0},
        "nic": {"mode": "kernel", "feed": ["multicast", "unicast"]},
        "budgets": {"startup_ms": 5000, "drain_ms": 5000, "kill_ms": 1000, "replication_lag_max": 0},
        "pre_deploy_limits": {
            "instruments_max": 16, "order_price_max_e4": 100_000_000, "order_value_max_e4": 10_000_000_000,
            "orders_per_day_max": 100_000, "position_max": 100_000, "venues_max": 1,
        },
    }  # fmt: skip


def write(
    directory: Path,
    mutant: str | None = None,
    level: str = "trading",
    changed: Mapping[str, bytes] | None = None,
) -> Path:
    """Write the artifact into DIRECTORY and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / PROGRAM
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for name, data in program(changed).items():
            packed.writestr(zipfile.ZipInfo(name), data)
    sha256 = hashlib.sha256(target.read_bytes()).hexdigest()
    (directory / "engine.json").write_bytes(text.canonical(manifest(sha256, mutant, level)) + b"\n")
    return directory


def main(argv: list[str]) -> int:
    """Write one artifact."""
    parser = argparse.ArgumentParser(prog="python -m engine.independent.package", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--mutant", metavar="CLAUSE")
    parser.add_argument("--level", choices=("core", "trading"), default="trading")
    options = parser.parse_args(argv)
    print(write(options.directory, options.mutant, options.level))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
