"""Who gets a ticket: the released program and nobody else, whatever lies beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contract.canonical import digest
from engine.ticket.daemon import answer, ask, load_host
from engine.ticket.errors import TicketError
from engine.ticket.issuer import is_genuine
from engine.ticket.process import file_sha256, read_process
from engine.ticket.release import read_release

from .keys import INTERPRETER, Issuer, ask_as, make_keys, make_release, running_issuer

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
