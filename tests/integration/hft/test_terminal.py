"""A real terminal in front of a hostile host: every leaf of its record commands, and nothing is obeyed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from agent.boot.states import Phase
from engine.independent import package as stub
from hft import run_log
from hft.cli import run_guarded
from hft.locks import Holder, lock_path
from inventory.enrolment import Enrolled, write_enrolled
from inventory.model import Identity
from tests.integration.hft.conftest import MACHINE, TXN
from tests.support.checkout import ROOT
from tests.support.engine.deploy import TRADE, signers, signers_sha256, write_limits
from tests.support.hostile_answers import look
from tests.support.screen import HOSTILE, obeyed

pytestmark = pytest.mark.long

LEAVES = {
    "committed": {"plan_hash": "a" * 64, "txn": TXN, "at": "2026-11-21T10:00:00Z"},
    "trial": {"txn": "20261121T110000-00000002", "state": str(Phase.HEALTHY), "reason": "x"},
    "last_rollback": {"txn": "20261121T110000-00000002", "brought_back_by": "watchdog", "reason": "x"},
}


def hostile_state() -> dict[str, Any]:
    """A record all of whose leaves are hostile."""
    text = "".join(HOSTILE)
    return {"schema": 1} | {name: dict.fromkeys(table, text) for name, table in LEAVES.items()}


TERMINAL = {"TERM": "xterm", "COLUMNS": "100"}


def started_on_pty(*words: object) -> tuple[int, str]:
    """Exit code and all that `python -m hft WORDS...` sent to its terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "hft", *map(str, words)]
    env = os.environ | TERMINAL
    child = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = screen_of(ours)
    code = child.wait(timeout=30)
    os.close(ours)
    return code, screen


def on_pty(*words: object) -> tuple[int, str]:
    """The same in a child of this process, which has everything loaded: the terminal is its own."""
    pid, ours = pty.fork()
    if pid == 0:
        _hft_of_a_child([str(word) for word in words])
    screen = screen_of(ours)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(ours)  # not before it has ended: who leads a session gets SIGHUP when its terminal goes
    return code, screen


def _hft_of_a_child(words: list[str]) -> NoReturn:
    code = 70
    try:
        os.chdir(ROOT)
        os.environ.update(TERMINAL)
        with open(0) as sys.stdin, open(1, "w") as sys.stdout, open(2, "w") as sys.stderr:
            code = run_guarded(words)
    finally:
        os._exit(code)  # nothing of pytest's ends here


def screen_of(ours: int) -> str:
    """Everything that comes until the last writer has gone."""
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # EIO: the last writer has gone
            break
        if not chunk:
            break
        seen += chunk
    return seen.decode(errors="surrogateescape").replace("\r\n", "\n")


@pytest.fixture
def enrolled(loopback: Any) -> Any:
    key = " ".join(loopback.public_key.split()[:2])
    identity = Identity(host_keys=(key,), machine_id=MACHINE)
    write_enrolled(loopback.inventory, "e1", Enrolled(identity=identity, at=run_log.now(), by="test"))
    return loopback


def test_every_leaf_of_a_record_commands_in_vain(enrolled: Any) -> None:
    enrolled.has_record(hostile_state())
    for shown in (started_on_pty, on_pty):
        code, screen = shown("status", "--inventory", enrolled.inventory)
        assert code in (0, 6), screen
        assert "e1" in screen
        assert obeyed(screen) == [], screen


def test_what_a_host_says_instead_of_an_answer_commands_in_vain(enrolled: Any) -> None:
    (enrolled.folder / "machine-id").write_text("".join(HOSTILE))
    for words in (
        ("status",),
        ("plan", "--host", "e1"),
        ("apply", "--limit", "e1", "--dry-run", "--profile", "engine"),
    ):
        _, screen = on_pty(words[0], "--inventory", enrolled.inventory, *words[1:])
        assert "Traceback" not in screen
        assert obeyed(screen) == [], screen


def test_a_lock_s_holder_and_a_record_line_command_in_vain(enrolled: Any) -> None:
    text = "".join(HOSTILE)
    run_log.append(
        "loop", {"event": "opened", "run": text, "verb": text, "by": text, "pid": 0, "hosts": [text]}
    )
    code, screen = on_pty("status", "--inventory", enrolled.inventory)
    assert (code, obeyed(screen)) == (0, []), screen
    path = lock_path("loop")
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Holder(who=text, pid=1, since=text, reason=text)
    assert holder.sentence()
    path.write_text(json.dumps({"who": text, "pid": 1, "since": text, "reason": text}))
    _, screen = on_pty("status", "--inventory", enrolled.inventory)
    assert obeyed(screen) == [], screen


def test_an_argument_commands_in_vain() -> None:
    text = "".join(HOSTILE).replace("\x00", "")
    for words in ((text,), ("plan", "--tree", text), ("status", "--inventory", text)):
        code, screen = on_pty(*words)
        assert code == 2, screen
        assert obeyed(screen) == [], (words, screen)


def hostile_looks() -> Iterator[tuple[str, dict[str, Any]]]:
    """What the answer to the look of a deploy has for an operator to read, each hostile in its turn."""
    whole = look() | {"machine_id": MACHINE}
    state = json.loads(whole["state"])
    for text in HOSTILE:
        address = whole["addresses"][0] | {"interface": text[:15]}
        yield "interface", whole | {"addresses": [address]}
        trial = {"txn": text, "state": "armed", "reason": text}
        yield "transaction", whole | {"state": json.dumps(state | {"trial": trial})}
    for key in ("machine", "libc", "release", "ticket_key", "link"):
        yield key, whole | {key: "".join(HOSTILE)}
    yield "key", whole | {"".join(HOSTILE): 1}


@pytest.mark.usefixtures("without_ssh")
def test_a_refusal_of_a_deploy_commands_in_vain(enrolled: Any, tmp_path: Path) -> None:
    """Each answer makes the deploy say something of it, and nothing of that is obeyed."""
    config = tmp_path / "trade.json"
    config.write_text(json.dumps({**TRADE, "feeds": [TRADE["feeds"][0] | {"interface": "no-such"}]}))
    limits = ("--limits", write_limits(tmp_path / "limits"), "--signers", signers(), "--config", config)
    enrolled.write_inventory(profile="engine")
    site = json.loads(enrolled.inventory.read_text()) | {"limits_signers_sha256": signers_sha256()}
    enrolled.inventory.write_text(json.dumps(site))
    artifact = stub.write(tmp_path / "artifact", level="trading")
    words = ("engine", "deploy", artifact, "--local", "--inventory", enrolled.inventory, *limits, "--dry-run")
    told: dict[str, set[str]] = {}
    for place, answer in hostile_looks():
        (enrolled.folder / "says").write_text(json.dumps(answer) + "\n")
        code, screen = on_pty(*words)
        assert (code != 0, "Traceback" in screen, obeyed(screen)) == (True, False, []), (place, screen)
        told.setdefault(place, set()).add(screen.replace("\n", " "))
    assert any("names 0 addresses here ([bold][/x][link" in one for one in told["interface"]), told[
        "interface"
    ]
    assert any("the trial boot of unnamed is open" in one for one in told["transaction"])
