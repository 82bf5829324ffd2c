"""Keys, signers and a release with a real executable, for the tests of tickets."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.canonical import canonical
from engine.ticket import signing
from engine.ticket.daemon import listen, load_host, serve
from engine.ticket.process import file_sha256
from tests.support.keys import make_key

INTERPRETER = Path("/usr/bin/python3").resolve()
ASK = """
import json, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(sys.argv[1])
link.sendall(json.dumps({"slot": sys.argv[2], "nonce": sys.argv[3]}).encode() + b"\\n")
print(link.makefile().readline())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The host's key, the authority's key, and who is allowed what."""

    host: Path
    authority: Path
    host_signers: Path
    authority_signers: Path


def make_keys(root: Path, host_name: str) -> Keys:
    """Keys under ROOT; the authority may sign fences, successions, limits; the host tickets."""
    host, authority = make_key(root / "host"), make_key(root / "authority")
    public_host, public_authority = host.with_suffix(".pub"), authority.with_suffix(".pub")
    host_signers, authority_signers = root / "host.signers", root / "authority.signers"
    host_signers.write_text(signing.allowed_signer(host_name, public_host, signing.TICKET_NAMESPACE))
    authority_signers.write_text(
        signing.allowed_signer(
            signing.EPOCH_IDENTITY,
            public_authority,
            f"{signing.FENCE_NAMESPACE},{signing.SUCCESSION_NAMESPACE}",
        )
        + signing.allowed_signer(signing.LIMITS_IDENTITY, public_authority, signing.LIMITS_NAMESPACE)
    )
    return Keys(
        host=host, authority=authority, host_signers=host_signers, authority_signers=authority_signers
    )


def make_release(directory: Path, *, mark: bytes = b"released", interpreter: tuple[str, ...] = ()) -> Path:
    """A release whose program is a copy of this machine's interpreter: native, and a test can drive it.

    MARK is appended to the executable, which changes its hash and not what it does.
    """
    program = directory / "bin" / "engine"
    program.parent.mkdir(parents=True)
    shutil.copyfile(INTERPRETER, program)
    with program.open("ab") as file:
        file.write(mark)
    program.chmod(0o755)
    manifest = {
        "identity": {"name": "probe", "version": "1.0.0", "build": "test"},
        "exec": {"interpreter": list(interpreter), "program": "bin/engine", "arguments": []},
        "files": [{"path": "bin/engine", "sha256": file_sha256(program), "executable": True}],
    }
    (directory / "engine.json").write_bytes(canonical(manifest))
    return program


def ask_as(program: Path, socket_path: Path, slot: str, nonce: str) -> dict[str, Any]:
    """What the issuer answers a process that runs PROGRAM."""
    done = subprocess.run(
        [str(program), "-c", ASK, str(socket_path), slot, nonce],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONHOME": "/usr"},
    )
    return dict(json.loads(done.stdout))


def limits_document(serial: int, **changes: Any) -> dict[str, Any]:
    """Limits that let the tests' orders pass."""
    gateway = {
        "orders_per_s_max": 1000,
        "order_quantity_max_shares": 100,
        "order_notional_max_e4": 1_000_000,
        "symbols": ["AAPL"],
    }
    return {"serial": serial, "not_after_utc_ns": 2**62, "engine": {}, "gateway": gateway | changes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A running issuer with one slot, `a`, and what it vouches for."""

    root: Path
    keys: Keys
    program: Path
    socket: Path

    def configure(self, **slot: object) -> None:
        """Rewrite slot `a`."""
        entry = {
            "release": str(self.root / "release"),
            "config": str(self.root / "config.json"),
            "limits": str(self.root / "limits.json"),
            "uid": os.getuid(),
        }
        host = {"host": "eng-1", "key": str(self.keys.host), "slots": {"a": {**entry, **slot}}}
        (self.root / "host.json").write_text(json.dumps(host))


@contextmanager
def running_issuer(root: Path, keys: Keys) -> Iterator[Issuer]:
    """The daemon over a release, a configuration and limits under ROOT."""
    program, path = make_release(root / "release"), root / "issuer.sock"
    made = Issuer(root=root, keys=keys, program=program, socket=path)
    (root / "config.json").write_text("{}")
    (root / "limits.json").touch()
    made.configure()
    server = listen(path)
    threading.Thread(target=serve_until_closed, args=(server, root / "host.json"), daemon=True).start()
    yield made
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def serve_until_closed(server: socket.socket, path: Path) -> None:
    """The issuer's loop, for a thread; PATH is read anew for every request."""
    with suppress(OSError):
        serve(server, lambda: load_host(path))
