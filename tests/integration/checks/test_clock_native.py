"""Real clocks, real daemons, real verdicts: two to four network namespaces on a bridge, software stamps.

No program here may set a clock, so this machine's stays its own; the configuration of each daemon is the one
that `hft clock plan` shows, at a faster pace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from checks.clock import look
from checks.clock.facts import ClockFacts
from checks.clock.judge import Known, clock_findings, reading_of
from checks.verdict import Finding, Verdict, worst
from deploys.clock.files import clock_files
from hft.cli import run_guarded
from hft.errors import Exit
from inventory.model import PtpEntry
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.clock_net import PROGRAMS, UNARMED, ClockHost, clock_hosts, until
from tests.support.namespaces import are_possible, within
from tuning.clock.files import Places
from tuning.clock.plan import PTP4L, plan_clock
from tuning.clock.wish import ClockRole, ClockWish, Delay, Stamps, Transport

pytestmark = [
    pytest.mark.long,
    needs.programs(*PROGRAMS),
    pytest.mark.skipif(not are_possible(), reason="needs root and network namespaces"),
]
DOMAIN, LIE_NS = 24, 1_000_000
# What this machine cannot show: a servo that may not steer never locks, and others keep this machine's time.
OF_THE_MACHINE = {"clock.servo", "clock.writer", "clock.granularity"}


def entry(**more: object) -> PtpEntry:
    words = {"port": "p0", "role": "client", "domain": DOMAIN, "stamps": "software", "utc_error_us_max": 200}
    return PtpEntry.model_validate({**words, "watch": ("10.78.1.1",), "holdover_s_max": 2, **more})


def source(**more: object) -> PtpEntry:
    given = {"role": "grandmaster", "sources": ("192.0.2.1",), "watch": ("192.0.2.2",)}
    return entry(**{**given, **more})


def judged(one: PtpEntry, facts: ClockFacts, locked_at: int | None = None) -> dict[str, Finding]:
    found = clock_findings(one, facts, Known(locked_at_utc_ns=locked_at))
    return {finding.check: finding for finding in found if finding.check not in OF_THE_MACHINE}


def verdict(found: dict[str, Finding]) -> Verdict:
    return worst(found.values())


def reason(found: dict[str, Finding], check: str) -> str | None:
    return found[check].reason


def is_read(facts: ClockFacts) -> bool:
    watched = facts.watch is not None and facts.watch[0].reach > 1
    return watched and reading_of(facts.ptp) is not None and facts.ptp is not None and _delay(facts) > 0


def _delay(facts: ClockFacts) -> float:
    return facts.ptp.current.path_delay_ns if facts.ptp is not None and facts.ptp.current is not None else 0.0


@pytest.fixture
def net(tmp_path: Path) -> Iterator[list[ClockHost]]:
    with clock_hosts(tmp_path, ("ntp", "gm", "gm2", "client")) as hosts:
        hosts[0].ntp_server()
        yield hosts


def give(host: ClockHost, priority: int, **more: object) -> None:
    """A grandmaster that vouches for its time, as one behind GNSS does; the lower priority wins."""
    host.ptp(source(**more).wish("p0", ()), priority1=str(priority))


def take(client: ClockHost, one: PtpEntry, **more: str) -> None:
    client.ptp(one.wish("p0", ()), **more)
    client.watchdog(one.wish("p0", ()))


def test_a_grandmaster_is_found_lost_and_outbid(net: list[ClockHost]) -> None:
    _, gm, gm2, client = net
    one = entry()
    give(gm, 100)
    take(client, one)
    seen = until(lambda: client.look(DOMAIN, 1), is_read, 15)
    assert is_read(seen), client.log("ptp4l")
    found = judged(one, seen := client.look(DOMAIN, 3))
    assert found["clock.offset"].verdict is Verdict.OK, found["clock.offset"]
    assert found["clock.watch"].verdict is Verdict.OK, found["clock.watch"]
    assert found["clock.grandmaster"].verdict is Verdict.OK
    # Nobody vouches for a time that comes from nowhere: that alone keeps the whole from being ok.
    assert {check for check, one in found.items() if one.verdict is Verdict.UNVERIFIABLE} == {
        "clock.traceability"
    }
    first = found["clock.grandmaster"].observed
    assert reason(judged(entry(grandmasters=("001b21.fffe.3a4b5c",)), seen), "clock.grandmaster") == (
        "clock_other_grandmaster"
    )
    print(f"\nfound: {found['clock.offset'].message}; {found['clock.watch'].message}")

    give(gm2, 50)
    better = until(
        lambda: client.look(DOMAIN, 1),
        lambda facts: is_read(facts) and judged(one, facts)["clock.grandmaster"].observed != first,
        15,
    )
    second = judged(one, better)["clock.grandmaster"]
    assert second.verdict is Verdict.OK and second.observed != first
    assert (
        reason(judged(entry(grandmasters=(first,)), better), "clock.grandmaster") == "clock_other_grandmaster"
    )
    print(f"two: {first}, then {second.observed}")

    gm.kill("ptp4l")
    gm2.kill("ptp4l")
    lost = until(lambda: client.look(DOMAIN, 1), lambda facts: reading_of(facts.ptp) is None, 10)
    held = judged(one, lost, lost.at_utc_ns - 1_000_000_000)
    assert (verdict(held), reason(held, "clock.grandmaster")) == (Verdict.UNVERIFIABLE, "clock_holdover")
    over = judged(one, client.look(DOMAIN, 1), lost.at_utc_ns - 3_000_000_000)
    assert (verdict(over), reason(over, "clock.grandmaster")) == (Verdict.VIOLATED, "clock_no_grandmaster")
    print(f"killed: {held['clock.grandmaster'].message}; then {over['clock.grandmaster'].message}")
    assert [name for host in net for name in host.may_set_a_clock()] == []


def test_a_wrong_domain_is_violated_though_its_offset_reads_nothing(net: list[ClockHost]) -> None:
    _, gm, _, client = net
    one = entry(domain=DOMAIN + 1)
    give(gm, 100)
    take(client, one)
    seen = until(lambda: client.look(DOMAIN + 1, 1), lambda facts: facts.ptp is not None, 10)
    assert seen.ptp is not None and seen.ptp.statuses[-1].offset_ns == 0
    assert not seen.ptp.statuses[-1].has_grandmaster
    found = judged(one, seen)
    assert (verdict(found), reason(found, "clock.grandmaster")) == (Verdict.VIOLATED, "clock_no_grandmaster")
    # The inventory is right and the daemon runs with another file: it does not answer where it should.
    silent = judged(entry(), client.look(DOMAIN, 1))
    assert reason(silent, "clock.daemon") == "clock_domain"
    print(f"\nwrong domain: offset 0, {found['clock.grandmaster'].message}; {silent['clock.daemon'].message}")


def test_a_lie_of_a_millisecond_is_seen_by_who_follows_nobody(net: list[ClockHost]) -> None:
    _, gm, _, client = net
    one = entry()
    give(gm, 100)
    # Both stamps of the client moved by the same: the offset is wrong by it, and the path delay is as before.
    take(client, one, egressLatency=str(LIE_NS), ingressLatency=str(-LIE_NS))
    seen = until(lambda: client.look(DOMAIN, 1), is_read, 15)
    reading = reading_of(seen.ptp)
    assert reading is not None, client.log("ptp4l")
    found = judged(one, seen)
    assert reason(found, "clock.watch") == "clock_watch_disagrees", found["clock.watch"]
    assert verdict(found) is Verdict.VIOLATED
    assert abs(abs(reading.offset_ns) - LIE_NS) < 200_000 and abs(reading.path_delay_ns) < 200_000
    assert seen.watch is not None and abs(seen.watch[0].offset_ns) < 200_000
    print(f"\nlie: {found['clock.watch'].message}; path delay {reading.path_delay_ns} ns")
    assert client.may_set_a_clock() == []


SITE = """\
name = "here"
[[hosts]]
name = "a"
address = "127.0.0.1"
role = "engine"
failure_domain = "d"
ptp = { port = "p0", role = "client", domain = 24, stamps = "software", watch = ["10.78.1.1"] }
[hosts.identity]
host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM"]
machine_id = "00000000000000000000000000000000"
"""
LOOPBACK = """#!/bin/sh
case "$*" in *" -O exit "*) exit 0 ;; esac
for last; do :; done
exec sh -c "$last"
"""


def collected(client: ClockHost) -> dict[str, float]:
    """What the agent's collector reads of this ptp4l, by its socket and without pmc."""
    code = (
        "import sys; from agent.collect import ptp\n"
        "for one in ptp.of_answers(ptp.ask(sys.argv[1], int(sys.argv[2]))): print(one.name, float(one.value))"
    )
    argv = [*within(client.space), sys.executable, "-c", code, client.places.ptp4l_socket, str(DOMAIN)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, cwd=ROOT)
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def test_the_verb_looks_once_judges_and_keeps_what_it_saw(
    net: list[ClockHost],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole way over an ssh that leads back here; sockets are files, which all namespaces share."""
    _, gm, _, client = net
    give(gm, 100)
    take(client, entry())
    until(lambda: client.look(DOMAIN, 1), is_read, 15)
    site, program = tmp_path / "site.toml", tmp_path / "bin" / "ssh"
    site.write_text(SITE)
    program.parent.mkdir()
    program.write_text(LOOPBACK)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(look, "PTP4L_SOCKET", client.places.ptp4l_socket)
    monkeypatch.setattr(look, "WATCH_SOCKET", client.places.chronyd_socket("watch"))

    def hft(*words: str) -> tuple[int, Any]:
        code = run_guarded(["clock", *words, "--inventory", str(site), "--json"])
        return code, json.loads(capsys.readouterr().out)

    hft("check", "--samples", "2")
    _, judged_now = hft("check", "--samples", "2")
    (host,) = judged_now["hosts"]
    found = {one["check"]: one for one in host["findings"]}
    assert host["round_trips"] == 1
    assert {found[f"clock.{name}"]["verdict"] for name in ("daemon", "grandmaster", "offset", "watch")} == {
        "ok"
    }
    assert found["clock.servo"]["reason"] == "clock_not_locked", "no daemon here may steer"
    by_socket = collected(client)
    assert by_socket["hft_ptp_following"] == 1 and abs(by_socket["hft_ptp_offset_seconds"]) < 200e-6
    assert 0 < by_socket["hft_ptp_path_delay_seconds"] < 200e-6
    gm.kill("ptp4l")
    until(lambda: client.look(DOMAIN, 1), lambda facts: reading_of(facts.ptp) is None, 10)
    assert collected(client) == {"hft_ptp_following": 0}, "an offset without a grandmaster is none"
    _, lost = hft("check", "--samples", "1")
    reasons = {one["check"]: one["reason"] for one in lost["hosts"][0]["findings"]}
    assert reasons["clock.grandmaster"] == "clock_holdover", "the looks before it are remembered"
    code, proof = hft("evidence", "a")
    assert (code, proof["problems"]) == (Exit.UNVERIFIABLE, [])
    span = proof["span"]
    assert (span["looks"], span["within"], span["unknown"]) == (3, 2, 1) and span["worst_ns"] < 200_000
    print(f"\nevidence: {span}")


KINDS: tuple[tuple[ClockRole, Stamps, Transport, Delay], ...] = (
    ("client", "hardware", "l2", "p2p"),
    ("boundary", "hardware", "udp4", "e2e"),
    ("boundary", "software", "l2", "e2e"),
    ("grandmaster", "hardware", "udp4", "p2p"),
    ("grandmaster", "software", "l2", "p2p"),
)
WISHES = tuple(
    ClockWish(
        role=role,
        port="hft-none0",
        serves=("hft-none1",) if role == "boundary" else (),
        stamps=stamps,
        transport=transport,
        delay=delay,
        domain=DOMAIN,
        sources=("192.0.2.1",) if role == "grandmaster" else (),
        watch=("192.0.2.2",),
    )
    for role, stamps, transport, delay in KINDS
)


def said_of(argv: Sequence[str]) -> str:
    done = subprocess.run([*UNARMED, *argv], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: f"{wish.role}-{wish.stamps}")
def test_the_real_programs_read_every_planned_file(wish: ClockWish, tmp_path: Path) -> None:
    plan = plan_clock("e1", wish, None, Places(run_dir=str(tmp_path), chrony_dir=str(tmp_path)))
    texts = {file.path: file.content for file in clock_files(plan)}
    for daemon in plan.daemons:
        if daemon.config is None:
            continue
        path = tmp_path / Path(daemon.config.path).name
        path.write_bytes(texts[daemon.config.path])
        if daemon.unit == PTP4L:  # there is no such port here: it has read the whole file when it says so
            said, wrong = (said_of(["ptp4l", "-m", "-f", str(path)]), "failed to parse configuration")
            assert wrong not in said and "No such device" in said, said
            path.write_bytes(texts[daemon.config.path].replace(b"domainNumber", b"domainNumbre"))
            assert wrong in said_of(["ptp4l", "-m", "-f", str(path)]), "a word it does not know is refused"
        else:
            said = said_of(["chronyd", "-p", "-f", str(path)])
            keys = [line.key for section in daemon.config.sections for line in section.lines]
            assert all(key in said for key in keys) and "Invalid" not in said, said
            path.write_bytes(texts[daemon.config.path] + b"nonsense 1\n")
            assert "Invalid" in said_of(["chronyd", "-p", "-f", str(path)])
