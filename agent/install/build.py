"""Builds the agent's zipapp: `python3 -m agent.install.build -o FILE`. The same input gives the same bytes.

Content: the agent and `tuning` (standard library only), sources sorted, one fixed time, one fixed mode. Each
source comes with its bytecode, so that `status` does not compile 40 modules on every call: with an unchecked
hash instead of a timestamp (PEP 552), in marshal format 2, which has no references and is therefore the same
in every process. A different Python version ignores the bytecode and reads the source.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import marshal
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from agent.install import bootstrap
from agent.paths import PYTHON

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = ("agent", "tuning")
LEFT_OUT = {"agent/install/build.py", "agent/install/bootstrap.py"}
SHEBANG = b"#!/usr/bin/python3 -IS\n"
MAIN = "import sys\n\nfrom agent.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
UNCHECKED_HASH = 0b01


def sources() -> Iterator[tuple[str, bytes]]:
    """Name and content of every file that goes in, sorted."""
    yield "__main__.py", MAIN.encode()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and name not in LEFT_OUT:
                yield name, path.read_bytes()


def compiled(name: str, source: bytes) -> bytes:
    """The .pyc of a source (PEP 552, hash-based and unchecked)."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little")
    return head + importlib.util.source_hash(source) + marshal.dumps(code, 2)


def version_of(files: list[tuple[str, bytes]]) -> str:
    """The project's version and the first digits of the digest over the whole content."""
    digest = hashlib.sha256()
    for name, data in files:
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return f"{metadata.version('hft-infra')}+{digest.hexdigest()[:12]}"


def build_zipapp(path: Path | str) -> str:
    """Write the zipapp to PATH and return its version."""
    files = list(sources())
    version = version_of(files)
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*files, ("agent/VERSION", f"{version}\n".encode())]:
            add(archive, name, data)
            if name.endswith(".py"):
                add(archive, f"{name}c", compiled(name, data))
    Path(path).write_bytes(buffer.getvalue())
    return version


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """One command for the host, its standard input, and the version it installs."""

    argv: tuple[str, ...]
    stdin: bytes
    version: str


def bootstrap_script(root: str = "/") -> Bootstrap:
    """The command that installs this tree's agent on a host, as root. Its answer is one JSON document."""
    data, version = _zipapp()
    return _by_stdin(bootstrap.PROGRAM, data, version, (root,))


def in_memory(verb: str, root: str = "/") -> Bootstrap:
    """The command that runs one verb of this tree's agent on a host that keeps nothing of it.

    What the verb reads follows on standard input.
    """
    data, version = _zipapp()
    return _by_stdin(bootstrap.IN_MEMORY, data, version, (root,), (str(len(data)), verb))


def _by_stdin(
    text: str, data: bytes, version: str, before: tuple[str, ...], after: tuple[str, ...] = ()
) -> Bootstrap:
    program = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    argv = (PYTHON, "-I", "-S", "-c", bootstrap.BEGIN, *before, digest, *after)
    return Bootstrap(argv=argv, stdin=b"%d\n%b%b" % (len(program), program, data), version=version)


@cache
def _zipapp() -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory(prefix="hft-agent-") as directory:
        path = Path(directory) / "agent.pyz"
        version = build_zipapp(path)
        return path.read_bytes(), version


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """One member, independent of the building machine."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system = 3  # Unix, whatever the building machine
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python3 -m agent.install.build", description="Build the agent's zipapp."
    )
    parser.add_argument("-o", "--output", required=True, type=Path, help="where to write agent.pyz")
    print(build_zipapp(parser.parse_args(argv).output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
