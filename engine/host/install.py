"""One deploy on the host: release, account and key, then the agent's transaction, then the link. One answer.

The order makes an interruption harmless at any point. A release that nothing refers to has no effect; account
and key are created once and stay; everything that could be left half done (unit, configuration, limits,
stand-ins, start) is in the agent's transaction, which undoes itself; the link is for people and comes last,
and the next look finds one that is out of date. An engine that had to be stopped is restarted as it was if
the change is undone: it starts cold, never ACTIVE by itself.
"""

from __future__ import annotations

import json
import pwd
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from engine.host import places, store
from engine.host.look import text

AGENT = ("/usr/bin/python3", "-I", "-S", "/usr/local/lib/hft/agent.pyz", "apply")
GOOD = frozenset({"applied", "no_change"})
_PATIENCE_S = 300


class InstallError(Exception):
    """A step outside the transaction failed; `code` is one of account, key, release, stop, agent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Bounded:
    """The next SIZE bytes of a stream, for code that reads until the end."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.stream, self.left = stream, size

    def read(self, size: int = -1) -> bytes:
        """Up to SIZE of the remaining bytes."""
        data = self.stream.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        return data


def install(asked: dict[str, Any], stream: IO[bytes]) -> dict[str, Any]:
    """Execute the request ASKED; STREAM holds the packed release and the document, in this order."""
    for name in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(name, signal.SIG_IGN)  # a lost connection must not stop us half-way
    slot, digest = str(asked["slot"]), asked["digest"]  # no digest: the slot is removed
    stopped: list[str] = []
    try:
        have_account()
        have_key()
        packed = Bounded(stream, int(asked["release_bytes"]))
        laid_down = digest is not None and bring_release(digest, packed)
        document = stream.read()
        if asked["opens_gate"]:
            open_gate(Path(places.GATE))
        stopped = stop(asked["stop"])
        outcome = transact(document) if document else {"result": "no_change", "code": "ok", "message": ""}
        if outcome.get("result") not in GOOD:
            start_again(stopped)
            return {"schema": 1, **outcome}
        moved = move_link(Path(places.SLOTS) / slot, digest)
        told = [unit for unit in asked["reload"] if call("systemctl", "reload", unit).returncode == 0]
    except (InstallError, store.StoreError, OSError) as error:
        start_again(stopped)
        code = getattr(error, "code", "release")
        return {"schema": 1, "result": "refused", "code": code, "message": str(error)}
    changed = laid_down or moved or bool(told)
    result = "applied" if changed and outcome["result"] == "no_change" else outcome["result"]
    key = text(f"{places.TICKET_KEY}.pub")
    return {
        "schema": 1,
        **outcome,
        "result": result,
        "laid_down": laid_down,
        "linked": moved,
        "ticket_key": key,
    }


def move_link(link: Path, digest: str | None) -> bool:
    """Point the slot's link to its release, or remove both."""
    if digest is not None:
        return store.point(link, f"../releases/{digest.removeprefix('sha256:')}")
    was = link.is_symlink()
    link.unlink(missing_ok=True)
    return was


def bring_release(digest: str, packed: Bounded) -> bool:
    """Into the store, unless it is already there; neither sent nor there is a refusal."""
    if packed.left == 0:
        why = store.standing(Path(places.release_dir(digest)), digest)
        if why is not None:
            raise InstallError("release", f"the release changed since the look: {why}")
        return False
    return store.lay_down(Path(places.RELEASES), digest, packed)  # type: ignore[arg-type]  # it is only read


def have_account() -> None:
    """The engine's own account, created once (systemd-sysusers(8))."""
    with suppress(KeyError):
        pwd.getpwnam(places.ACCOUNT)
        return
    line = f'u {places.ACCOUNT} - "Trading engine"\n'
    done = call("systemd-sysusers", "-", stdin=line.encode())
    if done.returncode != 0:
        raise InstallError("account", f"account {places.ACCOUNT} cannot be created: {said(done)}")


def have_key() -> None:
    """The host's ticket key, created here once; the private key never leaves the host."""
    path = Path(places.TICKET_KEY)
    if path.exists():
        return
    store.make_durably(path.parent)
    aside = path.with_name(f".{path.name}.new")
    for leftover in (aside, aside.with_name(f"{aside.name}.pub")):
        leftover.unlink(missing_ok=True)
    done = call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "hft-ticket", "-f", str(aside))
    if done.returncode != 0:
        raise InstallError("key", f"the host's ticket key cannot be created: {said(done)}")
    aside.with_name(f"{aside.name}.pub").rename(path.with_name(f"{path.name}.pub"))
    aside.rename(path)
    store.sync(path.parent)


def open_gate(gate: Path) -> None:
    """On the boot of a committed trial the engine's units wait for this file; it is gone after a reboot."""
    gate.parent.mkdir(parents=True, exist_ok=True)
    gate.touch()


def stop(units: list[str]) -> list[str]:
    """Drain these units: systemd sends SIGTERM and waits for the unit's stop timeout."""
    for unit in units:
        done = call("systemctl", "stop", unit)
        if done.returncode != 0:
            raise InstallError("stop", f"{unit} could not be stopped: {said(done)}")
    return units


def start_again(units: list[str]) -> None:
    """Restart what was running before; it starts cold."""
    for unit in units:
        call("systemctl", "start", "--no-block", unit)


def transact(document: bytes) -> dict[str, Any]:
    """The agent's outcome."""
    done = call(*AGENT, stdin=document)
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    try:
        outcome = json.loads(lines[-1])
    except (ValueError, IndexError):
        raise InstallError("agent", f"the agent gave no answer: {said(done)}") from None
    return dict(outcome)


def call(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run one program; a missing one counts as a failed run."""
    try:
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 127, b"", f"{argv[0]}: {error}".encode())


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line that a program printed."""
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exit {done.returncode}"


def answer(asked: dict[str, Any], stream: IO[bytes]) -> int:
    """Print the answer; 0 when the host is as requested, 2 refused, 6 reverted."""
    document = install(asked, stream)
    with suppress(OSError):
        print(json.dumps(document), flush=True)
    if document["result"] in GOOD:
        return 0
    return 6 if document["result"] == "reverted" else 2


if __name__ == "__main__":
    sys.exit("run by the controller's bootstrap (engine/host/bootstrap.py)")
