"""The admin socket, the state table, epochs and the kill latch."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import stat
import time
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.errors import Broken
from engine.conformance.process import ALL_CODES, Engine, request
from engine.contract.admin import Status
from engine.contract.canonical import digest
from engine.contract.journal import Kind
from engine.contract.levels import Level
from engine.contract.states import State, illegal_asks, legal

REGISTER = Register()
case = REGISTER.case

PERSON = {"operator": "conformance", "reason": "case"}
# A well-formed request for every verb that requests a transition.
FIELDS: dict[str, dict[str, Any]] = {
    "promote": {"epoch": 1000}, "demote": {}, "reduce": {"reason": "case"}, "resume": PERSON,
    "unkill": PERSON,
    "kill": {"reason": "case"}, "drain": {},
}  # fmt: skip
# Judged by a separate clause.
ELSEWHERE = {(State.HALTED, "promote")}


@case("admin.status")
def status_has_its_schema_and_digests(bench: Bench) -> None:
    engine = bench.active()
    line = engine.raw_lines(request("status"))[0]
    try:
        status = Status.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise Broken(f"status: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    limits = digest(json.loads((bench.directory / "limits").read_bytes()))
    wanted = {"artifact": bench.artifact.digest, "config": digest(bench.config), "limits": limits}
    seen = {
        "artifact": status.artifact_digest,
        "config": status.config_digest,
        "limits": status.limits.digest,
    }
    wrong = [
        f"{name} digest is {seen[name]}, not {value}" for name, value in wanted.items() if seen[name] != value
    ]
    demand(not wrong, "; ".join(wrong))
    facts = (status.pid, status.level, status.state, status.epoch, status.highest_epoch, status.latch)
    demand(facts == (engine.pid, bench.level, State.ACTIVE, 7, 7, None), f"status says {facts}")
    demand(status.conformance and status.egress == "test", "status lacks conformance or egress test")


@case("admin.errors")
def wrong_lines_cost_nothing(bench: Bench) -> None:
    engine = bench.standby()
    wrong = {
        b"not json": "bad_request", b"[]": "bad_request",
        b'{"verb":"promote","epoch":"seven"}': "bad_request",
        b'{"verb":"status","critical":["x_new"],"x_new":1}': "bad_request",
        b'{"verb":"dance"}': "unknown_verb",
    }  # fmt: skip
    for line, code in wrong.items():
        answer = engine.raw(line)[0]
        demand(answer.get("code") == code, f"the answer to {line.decode()} was {answer}, not {code}")
    demand(engine.state() == "STANDBY", "a malformed line changed the state")


@case("admin.private")
def socket_is_not_for_others(bench: Bench) -> None:
    bench.standby()
    mode = (bench.directory / "admin").stat().st_mode
    demand(stat.S_ISSOCK(mode), "admin_socket is not a socket")
    demand(not mode & 0o007 and not mode & 0o111, f"admin socket has mode {stat.S_IMODE(mode):o}")


@case("admin.journaled")
def requests_are_journaled_with_uid(bench: Bench) -> None:
    engine = bench.active()
    engine.must("demote")
    engine.stop()
    found = [json.loads(r.payload) for r in bench.journal().records if r.kind == Kind.ADMIN]
    ours = [one["request"]["verb"] for one in found if one.get("uid") == os.getuid()]
    asked = [verb for verb in ours if verb in ("promote", "demote")]
    demand(asked == ["promote", "demote"], f"ADMIN records with our uid: {asked}, not promote and demote")


def refuse_all(engine: Engine, state: State) -> None:
    """Request everything that has no edge from STATE."""
    demand(engine.wait_state(state.value) == state.value, f"not in {state}")
    for at, verb in illegal_asks():
        if at is state and (at, verb) not in ELSEWHERE:
            engine.must_not(ALL_CODES, verb, **FIELDS[verb])
            demand(engine.state() == state, f"a refused {verb} in {state} led to {engine.state()}")


@case("state.illegal")
def illegal_from_syncing(bench: Bench) -> None:
    bench.feed.running = False
    engine = bench.launch()
    engine.wait_up()
    refuse_all(engine, State.SYNCING)


@case("state.illegal")
def illegal_from_standby_active_reducing_halted(bench: Bench) -> None:
    engine = bench.standby()
    refuse_all(engine, State.STANDBY)
    engine.must("promote", epoch=1)
    refuse_all(engine, State.ACTIVE)
    engine.must("reduce", reason="case")
    refuse_all(engine, State.REDUCING)
    engine.must("kill", reason="case")
    engine.must("kill", reason="again")
    refuse_all(engine, State.HALTED)


@case("state.illegal", Level.TRADING)
def illegal_from_draining(bench: Bench) -> None:
    engine = bench.active()
    bench.gateway.knobs.answer_cancels = False
    engine.must("intent", side="B", quantity=1, symbol="HFTA", price_e4=900_000)
    bench.count("order", 1)
    engine.wait_status("an accepted order", lambda status: status["open_orders"] == 1)
    engine.must("drain")
    engine.must("drain")
    refuse_all(engine, State.DRAINING)


@case("state.journaled")
def moves_are_a_legal_path(bench: Bench) -> None:
    engine = bench.active()
    engine.must("reduce", reason="case")
    engine.must("resume", **PERSON)
    engine.must("demote")
    engine.stop()
    moves = [json.loads(r.payload) for r in bench.journal().records if r.kind == Kind.STATE]
    path = [State.INIT, *(State(move["to"]) for move in moves)]
    demand([State(move["from"]) for move in moves] == path[:-1], f"STATE records do not form a path: {moves}")
    wrong = [f"{a} -> {b}" for a, b in pairwise(path) if not legal(a, b)]
    demand(not wrong, f"illegal moves in the journal: {wrong}")
    wanted = ["STANDBY", "ACTIVE", "REDUCING", "ACTIVE", "STANDBY", "DRAINING", "STOPPED"]
    demand(
        path[-len(wanted) :] == wanted, f"the path ends with {[str(state) for state in path[-len(wanted) :]]}"
    )


@case("epoch.rises")
def old_and_equal_epochs_are_refused(bench: Bench) -> None:
    engine = bench.active(7)
    engine.must("demote")
    engine.wait_state("STANDBY")
    for epoch in (7, 6):
        engine.must_not("stale_epoch", "promote", epoch=epoch)
    demand(engine.state() == "STANDBY", "a refused promote changed the state")
    engine.must("promote", epoch=8)


@case("epoch.survives")
def highest_epoch_survives_sigkill(bench: Bench) -> None:
    bench.active(9).sigkill()
    engine = bench.standby()
    demand(engine.status().get("highest_epoch") == 9, "status lost the highest epoch")
    engine.must_not("stale_epoch", "promote", epoch=9)


@case("epoch.stamped")
def records_carry_the_epoch(bench: Bench) -> None:
    engine = bench.active(7)
    first = engine.status()["journal"]["appended"]
    engine.wait_status("three inputs while ACTIVE", lambda status: status["journal"]["appended"] > first + 3)
    last = engine.status()["journal"]["appended"]
    engine.must("demote")
    engine.stop()
    held = [r.epoch for r in bench.journal().records if first < r.input_seq <= last]
    demand(bool(held) and set(held) == {7}, f"records written under epoch 7 carry {sorted(set(held))}")


@case("kill.signal")
def sigusr1_halts(bench: Bench) -> None:
    engine = bench.active()
    engine.signal(signal.SIGUSR1)
    engine.wait_state("HALTED")
    demand(engine.status().get("latch") is not None and engine.alive(), "HALTED without a latch")


@case("kill.verb")
def kill_keeps_its_reason(bench: Bench) -> None:
    engine = bench.active()
    told = {"scope": "strategy", "id": "s1", "reason": "drill"}
    engine.must("kill", **told)
    demand(engine.state() == "HALTED", f"after a kill the state is {engine.state()}")
    latch = engine.status().get("latch") or {}
    demand({name: latch.get(name) for name in told} == told, f"the latch says {latch}, not {told}")


@case("kill.helper")
def a_kill_does_not_wait_for_a_helper(bench: Bench) -> None:
    tools = bench.directory / "tools"
    tools.mkdir()
    helper = tools / "ssh-keygen"
    helper.write_text(f'#!/bin/sh\n[ -e {tools}/hang ] && sleep 30\nexec {shutil.which("ssh-keygen")} "$@"\n')
    helper.chmod(0o755)
    bench.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    engine = bench.active()
    (tools / "hang").touch()
    engine.signal(signal.SIGHUP)
    time.sleep(0.3)
    engine.signal(signal.SIGUSR1)
    end = time.monotonic() + 3
    while not engine.metric("engine_latched") and time.monotonic() < end:
        time.sleep(0.02)
    demand(bool(engine.metric("engine_latched")), "three seconds after SIGUSR1 it is not latched")


@case("kill.words")
def a_kill_kills_whatever_its_words_are(bench: Bench) -> None:
    lines = (
        b'{"verb":"kill","reason":"\xdcberlauf"}', b'{"verb":"kill"}', b'{"verb":"kill","reason":7}',
        b'{"verb":"kill","scope":"planet","reason":"x"}', b'{"verb":"kill","reason":" "}',
        b'{"verb":"kill","reason":"x","critical":["x_new"],"x_new":1}', b'{"verb":"kill","reason":',
    )  # fmt: skip
    engine = bench.standby()
    for line in lines:
        engine.raw_lines(line)
        demand(engine.state() == "HALTED", f"{line!r} did not kill")
        latch = engine.status().get("latch") or {}
        demand(bool(str(latch.get("reason", "")).strip()), f"{line!r} left no reason in the latch")
        engine.must("unkill", **PERSON)
        engine.wait_state("STANDBY")
    engine.say(b'{"verb":"kill","reason":"' + b"x" * 70_000 + b'"}\n')
    engine.hang_up()
    engine.wait_state("HALTED")


def halted_after_restart(bench: Bench) -> None:
    """The next start must be HALTED."""
    engine = bench.launch()
    engine.wait_up()
    seen = engine.wait_state("HALTED", "SYNCING", "STANDBY", "ACTIVE")
    demand(seen == "HALTED", f"the next start is {seen}, not HALTED")
    demand(engine.status().get("latch") is not None, "HALTED without a latch in status")


@case("latch.survives")
def latch_survives_sigkill(bench: Bench) -> None:
    engine = bench.standby()
    engine.must("kill", scope="account", id="A1", reason="case")
    engine.sigkill()
    halted_after_restart(bench)


@case("latch.stays")
def every_start_is_halted(bench: Bench) -> None:
    engine = bench.standby()
    engine.must("kill", reason="case")
    for _ in range(3):
        bench.engines[-1].sigkill()
        halted_after_restart(bench)


@case("latch.signal")
def sigusr1_survives_sigkill(bench: Bench) -> None:
    engine = bench.standby()
    engine.signal(signal.SIGUSR1)
    engine.wait_state("HALTED")
    engine.status()  # answered behind the kill
    time.sleep(0.1)
    engine.sigkill()
    halted_after_restart(bench)


@case("latch.unreadable")
def noise_in_the_latch_halts(bench: Bench) -> None:
    bench.standby().sigkill()
    path = bench.directory / "latch"
    demand(path.is_file(), "there is no latch_file to read")
    path.write_bytes(b"\xa5" * max(1, path.stat().st_size))
    halted_after_restart(bench)


@case("latch.full_disk")
def kill_works_when_no_file_can_grow(bench: Bench) -> None:
    engine = bench.standby()
    size = (bench.directory / "latch").stat().st_size
    end = time.monotonic() + 2
    while (
        max(p.stat().st_size for p in (bench.directory / "journal").iterdir()) <= size
        and time.monotonic() < end
    ):
        time.sleep(0.02)
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (size, size))
    time.sleep(0.1)
    engine.must("kill", reason="full disk")
    demand(engine.state() == "HALTED", f"with a full disk a kill led to {engine.state()}")
    engine.sigkill()
    halted_after_restart(bench)


@case("latch.promote")
def promote_is_refused_while_latched(bench: Bench) -> None:
    engine = bench.standby()
    engine.must("kill", reason="case")
    engine.must_not("latched", "promote", epoch=5)
    demand(engine.state() == "HALTED", f"a refused promote led to {engine.state()}")


@case("latch.named")
def unkill_needs_a_name_and_a_reason(bench: Bench) -> None:
    engine = bench.standby()
    engine.must("kill", reason="case")
    for fields in (
        {"operator": "", "reason": "x"}, {"operator": " ", "reason": "x"}, {"operator": "x", "reason": "\t"},
        {"reason": "x"}, {"operator": "x"},
    ):  # fmt: skip
        engine.must_not("operator", "unkill", **fields)
    demand(engine.state() == "HALTED", f"a refused unkill led to {engine.state()}")


@case("latch.to_syncing")
def unkill_leads_to_standby(bench: Bench) -> None:
    engine = bench.active()
    engine.must("kill", reason="case")
    engine.must("unkill", **PERSON)
    demand(engine.wait_state("STANDBY", "ACTIVE") == "STANDBY", "unkill led to ACTIVE")
    demand(engine.status().get("latch") is None, "the latch is still set after unkill")
