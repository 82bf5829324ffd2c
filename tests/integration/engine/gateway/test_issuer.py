"""Who gets a ticket: the released program and nobody else, whatever lies beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.contract.canonical import digest
from engine.ticket.daemon import answer, ask, load_host
from engine.ticket.errors import TicketError
from engine.ticket.issuer import is_genuine
from engine.ticket.process import file_sha256, read_process
from engine.ticket.release import read_release
from tests.support.checkout import ROOT
from tests.support.engine.tickets import INTERPRETER, Issuer, ask_as, make_keys, make_release, running_issuer

NONCE = "ab" * 32


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    with running_issuer(tmp_path, make_keys(tmp_path, "eng-1")) as running:
        yield running


def test_the_released_program_gets_a_genuine_ticket(issuer: Issuer) -> None:
    reply = ask_as(issuer.program, issuer.socket, "a", NONCE)
    ticket = reply["ticket"]
    assert ticket["artifact"] == digest(json.loads((issuer.root / "release" / "engine.json").read_text()))
    assert ticket["config"] == "sha256:" + file_sha256(issuer.root / "config.json")
    assert (ticket["host"], ticket["slot"], ticket["nonce"]) == ("eng-1", "a", NONCE)
    assert is_genuine(ticket, issuer.keys.host_signers)


@pytest.mark.parametrize("field", ["host", "boot_id", "slot", "artifact", "config", "limits", "nonce"])
def test_a_ticket_with_one_changed_field_is_not_genuine(issuer: Issuer, field: str) -> None:
    ticket = ask_as(issuer.program, issuer.socket, "a", NONCE)["ticket"]
    assert not is_genuine({**ticket, field: str(ticket[field]) + "0"}, issuer.keys.host_signers)


def test_a_stray_binary_beside_a_copied_manifest_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    stray = make_release(tmp_path / "stray", mark=b"one byte more")
    shutil.copyfile(tmp_path / "release" / "engine.json", tmp_path / "stray" / "engine.json")
    assert ask_as(stray, issuer.socket, "a", NONCE)["code"] == "exe_not_released"


def test_a_stray_binary_inside_the_release_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    stray = make_release(tmp_path / "stray", mark=b"one byte more")
    planted = tmp_path / "release" / "bin" / "other"
    shutil.copy(stray, planted)
    assert ask_as(planted, issuer.socket, "a", NONCE)["code"] == "release"


def test_replacing_the_file_under_a_running_stray_does_not_help_it(issuer: Issuer, tmp_path: Path) -> None:
    """/proc/PID/exe is the file that runs, not the one that has its name by now."""
    stray = make_release(tmp_path / "stray", mark=b"one byte more")
    genuine = tmp_path / "genuine"
    shutil.copy(issuer.program, genuine)
    swapping = tmp_path / "swap.sh"
    code = (
        f"import os, sys; os.replace({str(genuine)!r}, {str(stray)!r}); "
        f"sys.path.insert(0, {str(Path.cwd())!r}); "
        f"from engine.ticket.daemon import ask; import json, pathlib; "
        f"print(json.dumps(ask(pathlib.Path({str(issuer.socket)!r}), 'a', '{NONCE}')))"
    )
    swapping.write_text(code)
    done = subprocess.run(
        [str(stray), str(swapping)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONHOME": "/usr"},
    )
    assert json.loads(done.stdout)["code"] == "exe_not_released"
    assert file_sha256(stray) == file_sha256(issuer.program)


@pytest.mark.parametrize("harm", ["changed", "missing", "extra", "link"])
def test_a_release_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path, harm: str) -> None:
    program = make_release(tmp_path / "release")
    read_release(tmp_path / "release")
    if harm == "extra":
        (tmp_path / "release" / "late.so").write_bytes(b"")
    elif harm == "changed":
        program.write_bytes(program.read_bytes() + b"x")
    else:
        program.unlink()
        if harm == "link":
            program.symlink_to(INTERPRETER)
    with pytest.raises(TicketError, match=r"late.so|bin/engine"):
        read_release(tmp_path / "release")


def test_an_interpreted_engine_needs_its_interpreter_listed_by_the_host(
    issuer: Issuer, tmp_path: Path
) -> None:
    make_release(tmp_path / "script", interpreter=("python3",))
    issuer.configure(release=str(tmp_path / "script"))
    assert ask_as(INTERPRETER, issuer.socket, "a", NONCE)["code"] == "interpreter"
    issuer.configure(release=str(tmp_path / "script"), interpreters=[file_sha256(INTERPRETER)])
    assert ask_as(INTERPRETER, issuer.socket, "a", NONCE)["ok"]


def test_slot_nonce_user_and_files_are_checked(issuer: Issuer) -> None:
    assert ask_as(issuer.program, issuer.socket, "z", NONCE)["code"] == "slot_unknown"
    assert ask_as(issuer.program, issuer.socket, "a", "00")["code"] == "nonce"
    issuer.configure(uid=os.getuid() + 1)
    assert ask_as(issuer.program, issuer.socket, "a", NONCE)["code"] == "uid"
    issuer.configure(limits=str(issuer.root / "absent"))
    assert ask_as(issuer.program, issuer.socket, "a", NONCE)["code"] == "file"
    issuer.configure()
    assert ask(issuer.socket, "a", NONCE)["code"] == "exe_not_released", "the test itself is a stranger"


def test_a_request_that_is_not_one_is_refused(issuer: Issuer) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"[]\n")
        reply = answer(ours, lambda: load_host(issuer.root / "host.json"))
    assert reply["code"] == "request"


def test_a_process_that_is_gone_gets_nothing() -> None:
    with pytest.raises(TicketError, match="gone"):
        read_process(2**22 - 1, 0)


def test_a_second_issuer_exits_75_names_the_first_and_leaves_its_socket(issuer: Issuer) -> None:
    argv = [
        sys.executable,
        "-m",
        "engine.ticket",
        "serve",
        str(issuer.root / "host.json"),
        str(issuer.socket),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, f"process {os.getpid()}" in done.stderr) == (75, True), done.stderr
    assert ask_as(issuer.program, issuer.socket, "a", NONCE)["ok"]


def asked(path: Path, line: bytes, patience_s: float = 4) -> bytes:
    """What the issuer answers LINE; the default patience is below the daemon's own deadline."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(patience_s)
        link.connect(str(path))
        link.sendall(line)
        return link.recv(300)


HONEST = json.dumps({"slot": "a", "nonce": NONCE}).encode() + b"\n"


@pytest.mark.parametrize("line", [b"[" * 4000 + b"\n", b"\xff\n", b"{}\n", b"null\n", b"x" * 5000, b"\0\n"])
def test_no_request_ends_the_issuer(issuer: Issuer, line: bytes) -> None:
    assert json.loads(asked(issuer.socket, line))["code"] == "request"
    assert json.loads(asked(issuer.socket, HONEST))["code"] == "exe_not_released"


def test_silent_and_slow_callers_delay_nobody(issuer: Issuer) -> None:
    mute = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for one in mute:
        one.connect(str(issuer.socket))
        one.sendall(b" ")
    assert ask_as(issuer.program, issuer.socket, "a", NONCE)["ok"]
    for one in mute:
        one.close()


def test_a_request_has_one_deadline_however_slowly_it_comes(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.ticket.daemon._REQUEST_TIMEOUT_S", 0.5)
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(issuer.socket))
        slow.settimeout(0.1)
        told = b""
        for _ in range(100):
            slow.send(b" ")
            with suppress(TimeoutError):
                told = slow.recv(300)
                break
        assert json.loads(told)["code"] == "request"


def test_a_process_that_became_the_released_program_after_it_asked_gets_nothing(issuer: Issuer) -> None:
    """The descriptor was inherited by a child that is no released program, and would read the answer."""
    rogue = (
        "import os, socket, sys, time\n"
        "link = socket.socket(socket.AF_UNIX); link.connect(sys.argv[1])\n"
        "os.set_inheritable(link.fileno(), True); link.send(sys.argv[3].encode())\n"
        "time.sleep(0.3)\n"
        "if os.fork() == 0:\n"
        "    time.sleep(0.7); link.send(b'\\n')\n"
        "    print(link.recv(9000).decode(), flush=True); os._exit(0)\n"
        "os.execv(sys.argv[2], ['engine', '-c', 'import time; time.sleep(2)'])\n"
    )
    done = subprocess.run(
        [INTERPRETER, "-c", rogue, issuer.socket, issuer.program, HONEST.decode().strip()],
        capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "PYTHONHOME": "/usr"},
    )  # fmt: skip
    assert json.loads(done.stdout)["code"] in ("process_gone", "exe_not_released")
