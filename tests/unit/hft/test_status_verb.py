"""`hft status`: what on-call sees, over a real sshd; dark, hung, foreign, unmanaged and rolled back hosts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hft import records
from hft.locks import site_lock
from hft.standing import Standing, read_answer
from hft.status import Report, sentences
from inventory.enrolment import Enrolled, write_enrolled
from inventory.model import Host, Identity
from tuning.profile import ENGINE

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
AGENT_STATUS: dict[str, Any] = {
    "schema": 1,
    "version": "1",
    "machine_id": "0123456789abcdef0123456789abcdef",
    "boot_id": "5b1fe3c8-6d8b-4f3c-9c4e-9c0b7d4f0001",
    "entry": "good",
    "committed": {"plan_hash": "a" * 64, "txn": "20261121T100000-00000001", "at": "2026-11-21T10:00:00Z"},
    "open_transaction": None,
    "trial": None,
    "last_rollback": None,
    "engine_active": False,
}
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


@pytest.fixture
def enrolled(loopback: Any) -> Any:
    """The loopback host as `hft host enrol` leaves it (which test_host_verbs.py runs for real)."""
    key = " ".join(loopback.public_key.split()[:2])
    identity = Identity(host_keys=(key,), machine_id=AGENT_STATUS["machine_id"])
    write_enrolled(loopback.inventory, "e1", Enrolled(identity=identity, at=records.now(), by="test"))
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
    assert hosts["e1"]["boot_id"] == AGENT_STATUS["boot_id"]
    assert "unmanaged" in hosts["e1"]["note"]


def test_managed_host_shows_entry_and_committed_plan(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.agent_says(AGENT_STATUS)
    code, hosts = seen(hft, enrolled)
    assert code == 0
    assert (hosts["e1"]["entry"], hosts["e1"]["committed"]) == ("good", "a" * 64)
    table = hft("status", "--inventory", enrolled.inventory).out
    assert "aaaaaaaa" in table
    assert "good" in table


def test_real_agent_is_understood(hft: Callable[..., Any], enrolled: Any) -> None:
    zipapp = enrolled.folder / "agent.py"  # where the loopback host looks for its agent
    subprocess.run([sys.executable, "-m", "agent.build", "-o", str(zipapp)], check=True, capture_output=True)
    _, hosts = seen(hft, enrolled)
    assert hosts["e1"]["managed"], hosts["e1"]["note"]
    assert hosts["e1"]["entry"] in {"good", "candidate", "previous", "foreign"}
    assert hosts["e1"]["engine_active"] is False


def test_interrupted_status_does_not_wait_for_a_hung_host(enrolled: Any) -> None:
    (enrolled.folder / "hang").touch()
    code = "import sys; from hft.cli import run_guarded; sys.exit(run_guarded(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "status", "--inventory", str(enrolled.inventory), "--deadline", "25"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline().startswith("asking 1 host(s)")
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=10)
    assert (child.returncode, out, err.strip()) == (130, "", "hft: interrupted")


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


def test_host_with_another_key_is_dark_and_nothing_is_asked(hft: Callable[..., Any], loopback: Any) -> None:
    loopback.write_inventory(identity={"host_keys": [KEY], "machine_id": "1" * 32})
    code, hosts = seen(hft, loopback)
    assert code == 7
    assert "does not show the host key" in hosts["e1"]["note"]


def test_rollback_is_reported_until_it_is_acknowledged(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.agent_says(AGENT_STATUS | {"last_rollback": ROLLBACK})
    said = hft("status", "--inventory", enrolled.inventory)
    assert said.code == 6
    assert "brought back by watchdog: no confirmation came" in said.out
    acknowledge = ("host", "acknowledge", "e1", "--reason", "ticket 7", "--inventory", enrolled.inventory)
    assert hft(*acknowledge).code == 0
    assert hft("status", "--inventory", enrolled.inventory).code == 0
    assert records.read("loop").lines[-1]["reason"] == "ticket 7"
    enrolled.agent_says(AGENT_STATUS | {"last_rollback": ROLLBACK | {"txn": "20261121T120000-00000003"}})
    assert hft("status", "--inventory", enrolled.inventory).code == 6, "the next rollback is news again"


def test_rollback_before_the_committed_transaction_is_history(hft: Callable[..., Any], enrolled: Any) -> None:
    old = ROLLBACK | {"txn": "20261121T090000-00000000"}
    enrolled.agent_says(AGENT_STATUS | {"last_rollback": old})
    assert seen(hft, enrolled)[0] == 0
    said = hft("host", "acknowledge", "e1", "--reason", "x", "--inventory", enrolled.inventory)
    assert (said.code, "no rollback to acknowledge" in said.err) == (2, True)


def test_open_trial_says_what_to_run_when_nobody_is_at_work(hft: Callable[..., Any], enrolled: Any) -> None:
    trial = {"txn": "20261121T110000-00000002", "state": "healthy", "reason": ""}
    enrolled.agent_says(AGENT_STATUS | {"trial": trial})
    assert "run: hft apply --limit e1" in hft("status", "--inventory", enrolled.inventory).out
    with site_lock("loop", "apply of plan 3f2a"):
        busy = hft("status", "--inventory", enrolled.inventory).out
    assert "hft apply --limit" not in busy
    assert "held by" in busy


def test_last_verdict_comes_with_its_age(hft: Callable[..., Any], enrolled: Any) -> None:
    with records.recorded("loop", "check", hosts=["e1"]) as run:
        run.host("e1", verdict="violated")
    _, hosts = seen(hft, enrolled)
    assert hosts["e1"]["verdict"] == "violated"
    assert 0 <= hosts["e1"]["verdict_age_s"] < 60


def test_wanted_plan_comes_from_the_same_round_trip(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.write_inventory(profile="engine")
    enrolled.agent_says(AGENT_STATUS)
    code, hosts = seen(hft, enrolled, "--deadline", "20")
    assert code == 0, "a machine that cannot be planned is still up"
    wanted = hosts["e1"]["wanted"]
    assert wanted is None or len(wanted) == 64


@pytest.mark.parametrize(
    "document", ["{", "[]", "3", '{"schema":2}', '{"schema":1,"committed":[1]}', "x\n" * 50, "[" * 100_000]
)
def test_broken_agent_is_a_host_that_is_up(document: str) -> None:
    standing = read_answer(HOST, f"boot\n{'1' * 32}\n{document}\n=capture=\n", None)
    assert standing.reachable
    assert standing.managed == document.startswith('{"schema":1,'), standing.note


def test_broken_agent_is_said_and_no_traceback(hft: Callable[..., Any], enrolled: Any) -> None:
    enrolled.agent_says("not JSON")
    said = hft("status", "--inventory", enrolled.inventory)
    assert (said.code, "! e1: the agent's answer is not a status document" in said.out) == (0, True)


def test_progress_goes_to_standard_error(hft: Callable[..., Any], enrolled: Any) -> None:
    said = hft("status", "--inventory", enrolled.inventory, "--json")
    assert "asking 1 host(s) of loop, at most 10 s" in said.err
    json.loads(said.out)


def test_every_key_of_the_document_is_documented(hft: Callable[..., Any], enrolled: Any) -> None:
    page = (Path(__file__).parents[3] / "docs/schema/controller.md").read_text()
    document = json.loads(hft("status", "--inventory", enrolled.inventory, "--json").out)
    missing = [
        key
        for key in (*document, *document["hosts"][0])
        if f"`{key}`" not in page and key not in {"schema", "hosts"}
    ]
    assert not missing


def test_changed_record_is_reported(hft: Callable[..., Any], enrolled: Any) -> None:
    records.append("loop", {"event": "note", "by": "alice"})
    path = records.records_path("loop")
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
    status=st.dictionaries(st.sampled_from([*sorted(AGENT_STATUS), "zzz"]), SCALARS | TABLES, max_size=8),
    tail=st.text(max_size=20),
)
def test_whatever_a_host_answers_is_a_standing_that_can_be_shown(status: dict[str, Any], tail: str) -> None:
    document = json.dumps({"schema": 1} | status)
    answer = f"boot\n{'1' * 32}\n{document}\n=capture=\n{tail}"
    for text in (answer, answer + tail, tail):
        standing = read_answer(HOST, text, ENGINE)
        report = Report(
            site="rack",
            standings=(standing,),
            history=records.read_bytes(b""),
            holder=None,
            now=datetime.now(UTC),
        )
        assert isinstance(standing, Standing)
        assert not any(c in sentence for sentence in sentences(report) for c in "\x1b\x07\x00")
