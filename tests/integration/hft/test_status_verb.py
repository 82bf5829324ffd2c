"""`hft status`: what on-call sees, over a real sshd; dark, hung, foreign, unmanaged and rolled back hosts."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boot.states import Phase, Trial
from agent.paths import STATE_FILE
from deploys.agent_client.record import BOOT_ID, MACHINE_ID, RECORD_SCRIPT, VERSION
from hft import run_log
from hft.errors import Exit
from hft.host_status import Standing, read_answer
from hft.locks import site_lock
from hft.site_report import Report, sentences
from inventory.enrolment import Enrolled, write_enrolled
from inventory.model import Host, Identity
from tests.support.checkout import ROOT
from transport.answer import Completed
from tuning.plan.profile import ENGINE

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
MACHINE, BOOT = "0123456789abcdef0123456789abcdef", "5b1fe3c8-6d8b-4f3c-9c4e-9c0b7d4f0001"
COMMITTED = {"plan_hash": "a" * 64, "txn": "20261121T100000-00000001", "at": "2026-11-21T10:00:00Z"}
STATE: dict[str, Any] = {"schema": 1, "committed": COMMITTED}
ROLLBACK = {
    "txn": "20261121T110000-00000002",
    "brought_back_by": "watchdog",
    "reason": "no confirmation came",
}


HOST = Host(
    name="e1",
    address="192.0.2.1",
    role="engine",
    failure_domain="a",
    identity=Identity(host_keys=(KEY,), machine_id="1" * 32),
)


def said(text: str) -> Completed:
    """What the remote command printed."""
    return Completed(returncode=0, stdout=text, stderr="")


@pytest.fixture
def enrolled(loopback: Any) -> Any:
    """The loopback host as `hft host enrol` leaves it (which test_host_verbs.py runs for real)."""
    key = " ".join(loopback.public_key.split()[:2])
    identity = Identity(host_keys=(key,), machine_id=MACHINE)
    write_enrolled(loopback.inventory, "e1", Enrolled(identity=identity, at=run_log.now(), by="test"))
    return loopback


def seen(hft: Callable[..., Any], host: Any, *more: str) -> tuple[int, dict[str, Any]]:
    said = hft("status", "--inventory", host.inventory, "--json", *more)
    document = json.loads(said.out)
    return said.code, {entry["host"]: entry for entry in document["hosts"]}


def test_host_without_agent_is_unmanaged_and_no_error(hft: Callable[..., Any], enrolled: Any) -> None:
    code, hosts = seen(hft, enrolled)
    assert code == 0
    assert hosts["e1"]["reachable"]
    assert not hosts["e1"]["managed"]
    assert hosts["e1"]["boot_id"] == BOOT
    assert "unmanaged" in hosts["e1"]["note"]


def test_managed_host_shows_entry_and_committed_plan(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record(STATE)
    code, hosts = seen(hft, enrolled)
    assert code == 0
    assert (hosts["e1"]["entry"], hosts["e1"]["committed"]) == ("good", "a" * 64)
    table = hft("status", "--inventory", enrolled.inventory).out
    assert "aaaaaaaa" in table
    (enrolled.folder / "cmdline").write_text("quiet\n")
    assert "up, foreign" in hft("status", "--inventory", enrolled.inventory).out


def test_open_transaction_is_read_from_its_journal(hft: Callable[..., Any], enrolled: Any) -> None:
    torn = json.dumps({"phase": "prepared"}) + '\n{"phase":"do'
    done = json.dumps({"phase": "done"}) + "\n"
    enrolled.has_record(
        STATE, {"20261121T100000-00000001": done, "20261121T110000-00000002": torn, ".trash-1": torn}
    )
    _, hosts = seen(hft, enrolled)
    assert hosts["e1"]["transaction"] == {"txn": "20261121T110000-00000002", "phase": "prepared"}
    assert hosts["e1"]["engine_active"] is False


def test_engine_that_runs_is_seen(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record(STATE)
    (enrolled.folder / "cgroup").mkdir()
    (enrolled.folder / "cgroup/cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert seen(hft, enrolled)[1]["e1"]["engine_active"] is True


def test_a_look_starts_one_process_on_the_host_and_no_interpreter(tmp_path: Path) -> None:
    """`exec` replaces the shell: the same process id before and after, and grep is all that PATH holds."""
    (tmp_path / "grep").symlink_to(shutil.which("grep") or "/bin/grep")
    (tmp_path / "sh").symlink_to("/bin/sh")
    script = f"echo $$; {RECORD_SCRIPT}"
    child = subprocess.Popen(
        ["/bin/sh", "-c", script], env={"PATH": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    out, _ = child.communicate(timeout=20)
    first, *rest = out.splitlines()
    assert int(first) == child.pid
    assert rest[0].startswith("/proc/sys/kernel/random/boot_id:")
    assert rest[-1] == rest[0], "the answer is whole"
    assert RECORD_SCRIPT.startswith("exec grep "), "nothing is left of the shell"
    assert not set("|;&`") & set(RECORD_SCRIPT), "nothing beside it"
    assert "$(" not in RECORD_SCRIPT


def test_interrupted_status_does_not_wait_for_a_hung_host(enrolled: Any) -> None:
    (enrolled.folder / "hang").touch()
    argv = [sys.executable, "-m", "hft", "status", "--inventory", str(enrolled.inventory), "--deadline", "25"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline().startswith("asking 1 host(s)")
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, out) == (130, "")
    assert err.lstrip().startswith("hft: interrupted; to go on, run again: hft status --inventory ")


def test_dark_host_is_named_and_the_others_are_still_shown(hft: Callable[..., Any], enrolled: Any) -> None:
    first = json.loads(enrolled.inventory.read_text())["hosts"][0]
    enrolled.extra.append(
        first | {"name": "e2", "ssh_port": 1, "identity": {"host_keys": [KEY], "machine_id": "2" * 32}}
    )
    enrolled.write_inventory()
    code, hosts = seen(hft, enrolled)
    assert code == 7
    assert (hosts["e1"]["reachable"], hosts["e2"]["reachable"]) == (True, False)
    assert "! e2: cannot reach 127.0.0.1 port 1" in hft("status", "--inventory", enrolled.inventory).out


def test_hung_host_is_dark_at_its_deadline(hft: Callable[..., Any], enrolled: Any) -> None:
    (enrolled.folder / "hang").touch()
    began = time.monotonic()
    code, hosts = seen(hft, enrolled, "--deadline", "1")
    assert (code, hosts["e1"]["reachable"]) == (7, False)
    assert time.monotonic() - began < 3


@contextmanager
def before_sshd(port: int | None, *, after_s: float = 0.0, waiting: int = 0) -> Iterator[int]:
    """A port that takes connections and, AFTER_S later, hands them to sshd at PORT, None for never.

    With WAITING connections in its queue of one the kernel takes no more: a host that is silent.
    """
    held: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):  # the server is closed at the end
            while True:
                client, _ = server.accept()
                held.append(client)
                time.sleep(after_s)
                if port is not None:
                    held.append(socket.create_connection(("127.0.0.1", port)))
                    for pair in ((client, held[-1]), (held[-1], client)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(waiting):
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].connect_ex(server.getsockname())
        if not waiting:
            threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for each in held:
        each.close()


def held(holder: str, boot_id: str = BOOT) -> str:
    """What the lock file of a host says while HOLDER has it."""
    return json.dumps({"holder": holder, "brief": False, "boot_id": boot_id}) + "\n"


def test_how_far_a_look_got_is_a_field_and_only_silence_is_dark(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    def got(*more: str) -> tuple[str, str]:
        code, hosts = seen(hft, enrolled, *more)
        state = hft("status", "--inventory", enrolled.inventory, *more).out.splitlines()[2].split("  ")
        assert (code == 0) == hosts["e1"]["reachable"] == (hosts["e1"]["answer"] in ("answered", "busy"))
        return hosts["e1"]["answer"], [word.strip() for word in state if word.strip()][2]

    enrolled.has_record(STATE)
    assert got() == ("answered", "up")
    (enrolled.folder / "lock").write_text(held("apply 20261121T101500-3f2a9c1b"))
    assert got() == ("busy", "up, busy")
    (enrolled.folder / "lock").write_text(held("apply 20261121T101500-3f2a9c1b", "the boot before"))
    assert got() == ("answered", "up"), "who held it had his power cut"
    (enrolled.folder / "lock").write_text("")
    assert got() == ("answered", "up"), "it was let go"
    (enrolled.folder / "hang").touch()
    assert got("--deadline", "1") == ("late", "no answer yet")
    (enrolled.folder / "hang").unlink()
    for waiting, wanted in ((0, ("connected", "no answer yet")), (3, ("silent", "dark"))):
        with before_sshd(None, waiting=waiting) as port:
            enrolled.write_inventory(ssh_port=port)
            assert got("--deadline", "0.5") == wanted
    enrolled.write_inventory(ssh_port=1)
    assert got() == ("refused", "dark")
    enrolled.write_inventory()
    (enrolled.folder / "refuses").write_text("sudo: a password is required\n")
    assert got() == ("no_look", "cannot look")


def test_the_deadline_is_for_the_answer_and_not_for_the_way_in(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    enrolled.has_record(STATE)
    (enrolled.folder / "slow_s").write_text("2.5")
    with before_sshd(enrolled.port, after_s=2.5) as port:
        enrolled.write_inventory(ssh_port=port)
        began = time.monotonic()
        code, hosts = seen(hft, enrolled, "--deadline", "5")
        assert (code, hosts["e1"]["answer"]) == (0, "answered"), hosts
        assert time.monotonic() - began > 5


def test_a_busy_host_is_nobodys_to_recover(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record(STATE, {"20261121T110000-00000002": json.dumps({"phase": "step"}) + "\n"})
    told = hft("status", "--inventory", enrolled.inventory).out
    assert "nobody is at work; run: hft apply --limit e1" in told
    (enrolled.folder / "lock").write_text(held("apply 20261121T110000-00000002"))
    told = hft("status", "--inventory", enrolled.inventory).out
    assert "nobody is at work" not in told
    assert "its lock is held by apply 20261121T110000-00000002" in told


def test_host_with_another_key_is_dark_and_nothing_is_asked(hft: Callable[..., Any], loopback: Any) -> None:
    loopback.write_inventory(identity={"host_keys": [KEY], "machine_id": "1" * 32})
    code, hosts = seen(hft, loopback)
    assert code == 7
    assert "a host key other than the enrolled one" in hosts["e1"]["note"]


def test_rollback_is_reported_until_it_is_acknowledged(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record(STATE | {"last_rollback": ROLLBACK})
    said = hft("status", "--inventory", enrolled.inventory)
    assert said.code == 6
    assert "brought back by watchdog: no confirmation came" in said.out
    acknowledge = ("host", "acknowledge", "e1", "--reason", "ticket 7", "--inventory", enrolled.inventory)
    assert hft(*acknowledge).code == 0
    assert hft("status", "--inventory", enrolled.inventory).code == 0
    assert run_log.read("loop").lines[-1]["reason"] == "ticket 7"
    enrolled.has_record(STATE | {"last_rollback": ROLLBACK | {"txn": "20261121T120000-00000003"}})
    assert hft("status", "--inventory", enrolled.inventory).code == 6, "the next rollback is news again"


def test_words_of_a_host_are_neither_markup_nor_commands_of_the_terminal(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    hostile = "[/x][link=https://example.net]\x1b[2J\x1b]0;all hosts ok\x07"
    enrolled.has_record(STATE | {"last_rollback": ROLLBACK | {"reason": hostile, "brought_back_by": hostile}})
    said = hft("status", "--inventory", enrolled.inventory)
    assert said.code == 6
    assert "[/x][link=https://example.net]" in said.out
    assert not any(sign in said.out + said.err for sign in "\x1b\x07")


def test_rollback_before_the_committed_transaction_is_history(hft: Callable[..., Any], enrolled: Any) -> None:
    old = ROLLBACK | {"txn": "20261121T090000-00000000"}
    enrolled.has_record(STATE | {"last_rollback": old})
    assert seen(hft, enrolled)[0] == 0
    said = hft("host", "acknowledge", "e1", "--reason", "x", "--inventory", enrolled.inventory)
    assert (said.code, "no rollback to acknowledge" in said.err) == (2, True)


def test_open_trial_says_what_to_run_when_nobody_is_at_work(hft: Callable[..., Any], enrolled: Any) -> None:
    trial = Trial(
        txn="20261121T110000-00000002",
        state=Phase.HEALTHY,
        reason="",
        panic_s=10,
        watchdog_s=900,
        trial_s=600,
        confirmations=2,
        confirm_gap_s=10,
        args=(),
        release="6.1.0",
        kernel_sha256="",
        initrd_sha256="",
        effect=None,
    )
    enrolled.has_record(STATE | {"trial": trial.to_json()})
    assert "run: hft apply --limit e1" in hft("status", "--inventory", enrolled.inventory).out
    with site_lock("loop", "apply of plan 3f2a"):
        busy = hft("status", "--inventory", enrolled.inventory).out
    assert "hft apply --limit" not in busy
    assert "held by" in busy


def test_a_half_undone_host_is_the_exit_code_unless_somebody_is_at_work(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    enrolled.has_record(STATE, {"20261121T110000-00000002": '{"phase": "undoing"}\n'})
    said = hft("status", "--inventory", enrolled.inventory)
    assert (said.code, "run: hft recover e1" in said.out) == (Exit.HALF_UNDONE, True)
    with site_lock("loop", "apply of plan 3f2a"):
        assert hft("status", "--inventory", enrolled.inventory).code == Exit.OK


def test_last_verdict_comes_with_its_age(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record(STATE)
    with run_log.recorded("loop", "check", hosts=["e1"]) as run:
        run.host("e1", verdict="violated", plan_hash="a" * 64)
    _, hosts = seen(hft, enrolled)
    assert hosts["e1"]["verdict"] == "violated"
    assert 0 <= hosts["e1"]["verdict_age_s"] < 60


def test_verdict_on_another_plan_or_from_before_a_change_is_not_shown(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    enrolled.has_record({"schema": 1})
    with run_log.recorded("loop", "check", hosts=["e1"]) as run:
        run.host("e1", verdict="violated", plan_hash="a" * 64)
    assert seen(hft, enrolled)[1]["e1"]["verdict"] is None, "nothing is committed: judged was another plan"
    enrolled.has_record(STATE)
    assert seen(hft, enrolled)[1]["e1"]["verdict"] == "violated"
    time.sleep(1.1)  # the record counts seconds
    with run_log.recorded("loop", "revert", hosts=["e1"]) as run:
        run.ended("e1", result="applied")
    assert seen(hft, enrolled)[1]["e1"]["verdict"] is None


def test_wanted_plan_comes_from_the_same_round_trip(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.write_inventory(profile="engine")
    enrolled.has_record(STATE)
    code, hosts = seen(hft, enrolled, "--deadline", "20", "--plan")
    assert code == 0, "a machine that cannot be planned is still up"
    wanted = hosts["e1"]["wanted"]
    assert wanted is None or len(wanted) == 64


def test_without_asking_the_wanted_plan_is_the_last_one_applied(
    hft: Callable[..., Any], enrolled: Any
) -> None:
    enrolled.has_record(STATE)
    assert seen(hft, enrolled)[1]["e1"]["wanted"] is None
    with run_log.recorded("loop", "apply", hosts=["e1"]) as run:
        run.host("e1", result="committed", plan_hash="b" * 64)
    assert seen(hft, enrolled)[1]["e1"]["wanted"] == "b" * 64
    assert "runs another plan" in hft("status", "--inventory", enrolled.inventory).out


@pytest.mark.parametrize(
    "state",
    [
        "{",
        "[]",
        "3",
        '{"committed":[1]}',
        '{"trial":{"state":"x"}}',
        '{"trial":7}',
        "x\n" * 50,
        "[" * 100_000,
    ],
)
def test_broken_record_is_a_host_that_is_up(state: str) -> None:
    lines = "".join(f"{STATE_FILE}:{line}\n" for line in state.split("\n"))
    answer = f"{BOOT_ID}:b\n{MACHINE_ID}:{'1' * 32}\n{VERSION}:1\n{lines}{BOOT_ID}:b\n"
    standing = read_answer(HOST, said(answer), None)
    assert standing.reachable
    assert not standing.managed
    assert standing.note.startswith("its record cannot be read")


def test_broken_record_is_said_and_no_traceback(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.has_record("not JSON")
    said = hft("status", "--inventory", enrolled.inventory)
    assert (said.code, "! e1: its record cannot be read" in said.out) == (0, True)


def test_cut_answer_is_refused() -> None:
    whole = f"{BOOT_ID}:b\n{MACHINE_ID}:{'1' * 32}\n{VERSION}:1\n{BOOT_ID}:b\n"
    assert read_answer(HOST, said(whole), None).managed
    assert read_answer(HOST, said(f"motd\n{whole}"), None).managed, (
        "noise before the answer is not the answer"
    )
    for size in range(len(whole) - 1):
        assert not read_answer(HOST, said(whole[:size]), None).reachable


def test_progress_goes_to_standard_error(hft: Callable[..., Any], enrolled: Any) -> None:
    said = hft("status", "--inventory", enrolled.inventory, "--json")
    assert "asking 1 host(s) of loop, at most 10 s" in said.err
    json.loads(said.out)


def test_every_key_of_the_document_is_documented(hft: Callable[..., Any], enrolled: Any) -> None:
    page = (ROOT / "docs/schema/controller.md").read_text()
    document = json.loads(hft("status", "--inventory", enrolled.inventory, "--json").out)
    missing = [
        key
        for key in (*document, *document["hosts"][0])
        if f"`{key}`" not in page and key not in {"schema", "hosts"}
    ]
    assert not missing


def test_changed_record_is_reported(hft: Callable[..., Any], enrolled: Any) -> None:
    run_log.append("loop", {"event": "note", "by": "alice"})
    path = run_log.records_path("loop")
    path.write_text(path.read_text().replace('"by":"', '"by":"mallory or '))
    assert (
        "! run record: line 1: half a line, or changed"
        in hft("status", "--inventory", enrolled.inventory).out
    )


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
TABLES = st.dictionaries(
    st.sampled_from(["txn", "state", "phase", "plan_hash", "reason"]), SCALARS, max_size=4
)


@given(
    state=st.dictionaries(
        st.sampled_from(["committed", "trial", "last_rollback", "last_recovery", "zzz"]),
        SCALARS | TABLES,
        max_size=5,
    ),
    tail=st.text(max_size=20),
)
def test_whatever_a_host_answers_is_a_standing_that_can_be_shown(state: dict[str, Any], tail: str) -> None:
    head = f"{BOOT_ID}:b\n{MACHINE_ID}:{'1' * 32}\n{VERSION}:1\n{STATE_FILE}:{json.dumps(state)}\n"
    answer = f"{head}{BOOT_ID}:b\n=capture=\n{tail}"
    for text in (answer, answer + tail, head + tail, tail):
        standing = read_answer(HOST, said(text), ENGINE)
        report = Report(
            site="rack",
            standings=(standing,),
            history=run_log.read_bytes(b""),
            holder=None,
            now=datetime.now(UTC),
        )
        assert isinstance(standing, Standing)
        assert not any(c in sentence for sentence in sentences(report) for c in "\x1b\x07\x00")
