"""The gateway without --test: tickets, signed fences, signed limits, a standby of a pair."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.ticket.epoch import Approval, Fence, FileEpochSource
from engine.ticket.fence import fence_session, send_fence
from engine.ticket.issuer import Claims, sign_claims
from engine.ticket.limits import sign_limits
from tests.support.engine.engine_peer import EnginePeer
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.tickets import (
    Keys,
    ask_as,
    limits_document,
    make_keys,
    make_release,
    running_issuer,
)
from tests.support.keys import make_key
from tests.support.waiting import until

from .venue_peer import VenuePeer

ARTIFACT, CONFIG, LIMITS = "sha256:" + "a" * 64, "sha256:" + "c" * 64, "sha256:" + "e" * 64
RUNS = Approval(artifact=ARTIFACT, config=CONFIG, limits=LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Keys, the authority, one production gateway and its venue."""

    root: Path
    keys: Keys
    venue: VenuePeer
    source: FileEpochSource
    gateway: Gateway

    def fence(self, holder: str = "eng-1/a", *approved: Approval) -> Fence:
        """Take the next epoch from the authority and fence the gateway with it."""
        current = self.source.read()
        fence = self.source.advance(current.epoch if current else 0, holder, approved or (RUNS,))
        answer = self.gateway.verb("fence", **fence.message())
        assert answer["ok"], answer
        return fence

    def claims(self, engine: EnginePeer, **changes: Any) -> Claims:
        """What an honest host would say about its engine."""
        claims = Claims(
            host="eng-1",
            boot_id="b",
            pid=1,
            start_time=2,
            slot="a",
            artifact=ARTIFACT,
            config=CONFIG,
            limits=LIMITS,
            nonce=engine.nonce.hex(),
        )
        return dataclasses.replace(claims, **changes)

    def connect(self, key: Path | None = None, **changes: Any) -> tuple[EnginePeer, dict[str, Any]]:
        """An engine that shows a ticket, and how it was received."""
        engine = EnginePeer(self.gateway.port)
        ticket = sign_claims(self.claims(engine, **changes), key or self.keys.host)
        return engine, engine.hello(egress="live", ticket=ticket)

    def trading(self, epoch: int) -> EnginePeer:
        """An admitted engine that may send."""
        engine, answer = self.connect()
        assert "code" not in answer, answer
        assert "code" not in engine.claim(epoch)
        assert engine.login() == "A"
        return engine


def production(program: Path, root: Path, venue: VenuePeer, keys: Keys, **changes: Any) -> Gateway:
    config = write_config(
        root,
        venue.port,
        limits_file=str(root / "limits.json"),
        host_signers=str(keys.host_signers),
        authority_signers=str(keys.authority_signers),
        **changes,
    )
    subprocess.run([str(program), "--config", str(config), "--init"], check=True, capture_output=True)
    return Gateway(program, config)


@pytest.fixture
def site(program: Path, venue: VenuePeer, tmp_path: Path) -> Iterator[Site]:
    keys = make_keys(tmp_path, "eng-1")
    sign_limits(limits_document(3), tmp_path / "limits.json", keys.authority)
    gateway = production(program, tmp_path, venue, keys)
    gateway.start()
    source = FileEpochSource(path=tmp_path / "epoch.json", key=keys.authority)
    gateway.wait_ready()
    yield Site(root=tmp_path, keys=keys, venue=venue, source=source, gateway=gateway)
    gateway.kill()


def until_limits(gateway: Gateway, code: str) -> None:
    until(lambda: gateway.verb("status")["limits"]["code"] == code)


def test_a_ticketed_engine_of_the_fenced_holder_trades(site: Site) -> None:
    until_limits(site.gateway, "ok")
    engine = site.trading(site.fence().epoch)
    engine.order(1)
    assert site.venue.wait_for("accepted", 1)


def test_what_the_issuer_vouches_for_trades_and_a_stray_binary_does_not(site: Site, tmp_path: Path) -> None:
    until_limits(site.gateway, "ok")
    (tmp_path / "eng-1").mkdir()
    with running_issuer(tmp_path / "eng-1", site.keys) as issuer:
        engine = EnginePeer(site.gateway.port)
        ticket = ask_as(issuer.program, issuer.socket, "a", engine.nonce.hex())["ticket"]
        runs = Approval(**{name: ticket[name] for name in ("artifact", "config", "limits")})
        epoch = site.fence("eng-1/a", runs).epoch
        assert "code" not in engine.hello(egress="live", ticket=ticket)
        assert "code" not in engine.claim(epoch)
        assert engine.login() == "A"
        engine.order(1)
        assert site.venue.wait_for("accepted", 1)
        stray = make_release(tmp_path / "stray", mark=b"stray")
        shutil.copyfile(tmp_path / "eng-1" / "release" / "engine.json", tmp_path / "stray" / "engine.json")
        other = EnginePeer(site.gateway.port)
        refused = ask_as(stray, issuer.socket, "a", other.nonce.hex())
        assert refused["code"] == "exe_not_released"
        assert other.hello(egress="live", ticket=ticket)["code"] == "ticket_nonce", (
            "nor with a ticket it found"
        )
    assert len(site.venue.accepted()) == 1


def test_tickets_are_bound_to_connection_signer_and_slot(site: Site) -> None:
    site.fence()
    stranger = make_key(site.root / "stranger")
    for changes, code in (
        ({"nonce": "00" * 32}, "ticket_nonce"),
        ({"slot": "b"}, "ticket_slot"),
        ({"host": "eng-2"}, "ticket_signature"),
        ({"key": stranger}, "ticket_signature"),
    ):
        _, answer = site.connect(**changes)
        assert answer["code"] == code
    engine = EnginePeer(site.gateway.port)
    assert engine.hello(egress="live")["code"] == "ticket_missing"
    engine = EnginePeer(site.gateway.port)
    assert engine.hello(egress="test")["code"] == "test_only"
    engine = EnginePeer(site.gateway.port)
    assert engine.hello(egress="live", ticket={"host": "eng-1"})["code"] == "ticket_malformed"


def test_a_ticket_that_was_changed_after_signing_is_refused(site: Site) -> None:
    engine = EnginePeer(site.gateway.port)
    ticket = sign_claims(site.claims(engine, artifact="sha256:other"), site.keys.host)
    assert engine.hello(egress="live", ticket={**ticket, "artifact": ARTIFACT})["code"] == "ticket_signature"


def test_a_binary_outside_the_approved_set_and_another_holder_cannot_claim(site: Site) -> None:
    epoch = site.fence().epoch
    for field in ("artifact", "config", "limits"):
        engine, answer = site.connect(None, **{field: "sha256:" + "0" * 64})
        assert "code" not in answer, "it is who it says; whether it may trade is asked at the claim"
        assert engine.claim(epoch)["code"] == "not_approved"
    engine, _ = site.connect()
    assert engine.claim(epoch + 1)["code"] == "epoch_not_fenced"
    site.fence("eng-1/b")
    engine, _ = site.connect()
    assert engine.claim(epoch + 1)["code"] == "not_holder"


def test_only_the_authority_fences(site: Site) -> None:
    fence = Fence(epoch=8, holder="eng-1/a", approved=(RUNS,))
    assert site.gateway.verb("fence", **fence.message())["code"] == "fence_signature"
    real = site.fence()
    stolen = dataclasses.replace(real, epoch=9)
    assert site.gateway.verb("fence", **stolen.message())["code"] == "fence_signature"
    assert site.gateway.verb("status")["epoch"]["highest"] == real.epoch


def test_the_gateway_stops_an_engine_that_checks_nothing(site: Site) -> None:
    until_limits(site.gateway, "ok")
    engine = site.trading(site.fence().epoch)
    for terms, code in (
        ({"quantity": 101, "price_e4": 1}, "limit.quantity"),
        ({"quantity": 100, "price_e4": 10_001}, "limit.notional"),
        ({"symbol": "MSFT"}, "limit.symbol"),
    ):
        urn, _ = engine.order(1, **terms)
        assert engine.wait_refusal(code)["urn"] == urn
    engine.order(2, quantity=100, price_e4=10_000)
    assert site.venue.wait_for("accepted", engine.next_urn - 1)
    assert len(site.venue.accepted()) == 1


def test_limits_reload_on_sighup_and_an_older_signed_file_is_refused_even_after_a_restart(site: Site) -> None:
    until_limits(site.gateway, "ok")
    path = site.root / "limits.json"
    loose = (path.read_bytes(), path.with_name("limits.json.sig").read_bytes())
    sign_limits(limits_document(4, orders_per_s_max=2), path, site.keys.authority)
    reload(site.gateway)
    until(lambda: site.gateway.verb("status")["limits"]["serial"] == 4)
    engine = site.trading(site.fence().epoch)
    for sequence in range(1, 4):
        engine.order(sequence)
    engine.wait_refusal("limit.orders_per_s")
    path.write_bytes(loose[0])
    path.with_name("limits.json.sig").write_bytes(loose[1])
    reload(site.gateway)
    until_limits(site.gateway, "limits_older")
    site.gateway.kill()
    site.gateway.start()
    site.gateway.wait_ready()
    until_limits(site.gateway, "limits_older")
    again = site.trading(site.source.read().epoch)  # type: ignore[union-attr]
    again.order(9)
    again.wait_refusal("limits_missing")


def test_unsigned_and_expired_limits_are_refused(site: Site) -> None:
    until_limits(site.gateway, "ok")
    path = site.root / "limits.json"
    path.write_bytes(path.read_bytes().replace(b'"serial":3', b'"serial":9'))
    reload(site.gateway)
    until_limits(site.gateway, "limits_signature")
    path.unlink()
    sign_limits({**limits_document(4), "not_after_utc_ns": time.time_ns() - 1}, path, site.keys.authority)
    reload(site.gateway)
    until_limits(site.gateway, "limits_expired")


def reload(gateway: Gateway) -> None:
    assert gateway.process is not None
    os.kill(gateway.process.pid, signal.SIGHUP)


def test_an_epoch_is_one_process_alone_until_it_is_fenced_anew(site: Site) -> None:
    until_limits(site.gateway, "ok")
    epoch = site.fence().epoch
    first = site.trading(epoch)
    for other in ({"pid": 777}, {"start_time": 3}, {"boot_id": "another boot"}):
        engine, answer = site.connect(None, **other)
        assert "code" not in answer, "its host vouches for it"
        assert engine.claim(epoch)["code"] == "epoch_owned"
    first.order(1)
    assert site.venue.wait_for("accepted", 1), "and the first one trades on"
    site.gateway.kill()
    site.gateway.start()
    site.gateway.wait_ready()
    engine, _ = site.connect(None, pid=777)
    assert engine.claim(epoch)["code"] == "epoch_owned", "the gateway remembers whose it is"
    until_limits(site.gateway, "ok")
    again = site.trading(epoch)
    again.order(2)
    assert site.venue.wait_for("accepted", 2), "the same process may come back"
    engine, _ = site.connect(None, pid=777)
    assert "code" not in engine.claim(site.fence().epoch), "a fence begins anew"


def test_many_bad_tickets_are_checked_one_at_a_time_and_orders_do_not_wait(site: Site) -> None:
    until_limits(site.gateway, "ok")
    engine = site.trading(site.fence().epoch)
    stranger = make_key(site.root / "stranger")
    peers = [EnginePeer(site.gateway.port) for _ in range(20)]
    tickets = [sign_claims(site.claims(peer), stranger) for peer in peers]
    children = children_of(site.gateway)
    for peer, ticket in zip(peers, tickets, strict=True):
        body = {"contract": "1.0.0", "slot": "a", "egress": "live", "ticket": ticket}
        peer.send("h", json.dumps(body).encode())
    engine.order(1)
    assert site.venue.wait_for("accepted", 1)
    for peer in peers:
        assert json.loads(peer.expect("w", "x"))["code"] == "ticket_signature"
    assert children_of(site.gateway) == children == 0, "no process is started for a key that it can check"


def children_of(gateway: Gateway) -> int:
    """How many processes it has started and waited for, by the time that they took, or has now."""
    assert gateway.process is not None
    pid = gateway.process.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    faults_of_children = int(fields[8])  # cminflt, proc(5)
    return faults_of_children + len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_a_ticket_whose_check_hangs_is_late_and_nothing_waits_for_it(
    program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    keys = make_keys(tmp_path, "eng-1")
    helper = tmp_path / "bin" / "ssh-keygen"
    helper.parent.mkdir()
    helper.write_text("#!/bin/sh\nexec sleep 60\n")
    helper.chmod(0o755)
    keys.host_signers.write_text("eng-? " + keys.host_signers.read_text().split(" ", 1)[1])
    sign_limits(limits_document(3), tmp_path / "limits.json", keys.authority)
    gateway = production(program, tmp_path, venue, keys)
    gateway.argv = ["env", f"PATH={helper.parent}:{os.environ['PATH']}", *gateway.argv]
    gateway.start()
    try:
        gateway.wait_ready()
        site = Site(
            root=tmp_path,
            keys=keys,
            venue=venue,
            gateway=gateway,
            source=FileEpochSource(path=tmp_path / "epoch.json", key=keys.authority),
        )
        began = time.monotonic()
        _, answer = site.connect()
        assert answer["code"] in ("ticket_late", "ticket_signature") and time.monotonic() - began < 15
        assert site.fence().epoch == 1, "a fence does not wait for it"
    finally:
        gateway.kill()


def test_a_shadow_engine_sends_nothing(site: Site) -> None:
    engine = EnginePeer(site.gateway.port)
    ticket = sign_claims(site.claims(engine), site.keys.host)
    assert "code" not in engine.hello(egress="shadow", ticket=ticket)
    engine.claim(1)
    assert engine.login() == "A"
    engine.order(1)
    engine.wait_refusal("shadow_egress")
    assert site.venue.accepted() == []


def test_a_standby_logs_in_only_after_it_re_read_the_epoch(program: Path, site: Site, tmp_path: Path) -> None:
    fence = site.fence()
    root = tmp_path / "standby"
    root.mkdir()
    (root / "limits.json").write_bytes((tmp_path / "limits.json").read_bytes())
    other = VenuePeer()
    standby = production(
        program, root, other, site.keys, name="gw-2", role="standby", epoch_source=str(root / "epoch.json")
    ).start()
    try:
        assert standby.verb("activate")["code"] == "epoch_source", "no source, no login"
        forged = dataclasses.replace(fence, epoch=99)
        (root / "epoch.json").write_text(json.dumps(forged.message()))
        assert standby.verb("activate")["code"] == "epoch_source", "not signed, no login"
        assert other.logins == 0
        (root / "epoch.json").write_bytes(site.source.path.read_bytes())
        assert standby.verb("activate") == {"ok": True, "epoch": fence.epoch}
        standby.wait_ready()
        assert other.logins == 1 and standby.verb("status")["epoch"]["highest"] == fence.epoch
    finally:
        standby.kill()
        other.close()


def test_fencing_a_pair_waits_for_the_silent_gateway_or_the_venue(site: Site) -> None:
    fence = site.source.advance(0, "eng-1/a", (RUNS,))
    pair = {"gw-1": send_fence(site.gateway.admin), "gw-2": send_fence(site.root / "nobody.sock")}
    assert not fence_session(fence, pair, lambda name: False).is_fenced
    outcome = fence_session(fence, pair, lambda name: name == "gw-2")
    assert outcome.is_fenced and outcome.acks["gw-1"]["epoch"] == fence.epoch
