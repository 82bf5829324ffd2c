"""`hft failover` against the real gateway, engines and venue: judged by the venue's log."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .production import Production
from .runbook import OnCall

pytestmark = pytest.mark.engine


@pytest.fixture
def chain(native: Path) -> Iterator[Production]:
    with ExitStack() as stack:
        made = Production(native, stack)
        made.standby("a")
        made.standby("b")
        yield made


@pytest.fixture
def oncall(chain: Production) -> OnCall:
    return OnCall(chain)


def test_a_switchover_moves_the_orders_and_says_0_only_when_it_is_proven(
    chain: Production, oncall: OnCall
) -> None:
    first = oncall.moves("failover", "a")
    chain.trade_until(first["epoch"], 3)
    assert oncall.told(0, "status")["holder"] == "eng-1/a"
    second = oncall.moves("switchover", "b")
    assert second["epoch"] > first["epoch"] and {one["verdict"] for one in second["proofs"]} == {"ok"}
    before = chain.orders_of(first["epoch"])
    chain.trade_until(second["epoch"], 3)
    assert chain.orders_of(first["epoch"]) == before
    assert (chain.running("a").state(), chain.running("b").state()) == ("STANDBY", "ACTIVE")
    events = oncall.told(0, "history")["events"]
    assert [(one["verb"], one["outcome"], one["reason"]) for one in events] == [
        ("failover", "ok", "drill"),
        ("switchover", "ok", "drill"),
    ]


def test_a_frozen_holder_is_failed_over_and_gets_no_order_out_when_it_wakes(
    chain: Production, oncall: OnCall
) -> None:
    old = oncall.moves("failover", "a")["epoch"]
    chain.trade_until(old, 3)
    chain.running("a").signal(signal.SIGSTOP)
    time.sleep(0.1)
    refused = oncall.told(2, "plan", "switchover", "--to", "eng-1/b")
    assert refused["plan"] is None
    assert "holder_answers" in {one["code"] for one in refused["preconditions"] if not one["is_met"]}
    new = oncall.moves("failover", "b")["epoch"]
    before = chain.orders_of(old)
    chain.trade_until(new, 3)
    chain.running("a").signal(signal.SIGCONT)
    chain.until(lambda: chain.refusals("stale_epoch", "eng-1/a"), "the refusal of what the old holder sends")
    chain.trade_until(new, 6)
    assert chain.orders_of(old) == before and chain.account()["ignored"] == 0


def test_of_two_operators_with_the_same_look_one_wins(chain: Production, oncall: OnCall) -> None:
    to_a, to_b = oncall.plan("failover", "a"), oncall.plan("failover", "b")
    oncall.told(0, "failover", "--to", "eng-1/b", "--plan", to_b, "--reason", "first")
    late = oncall.told(2, "failover", "--to", "eng-1/a", "--plan", to_a, "--reason", "second")
    assert "somebody else moved it" in late["error"]
    assert (chain.running("a").state(), chain.running("b").state()) == ("STANDBY", "ACTIVE")


def test_a_kill_reaches_gateway_and_engines_and_leaves_nothing_open(
    chain: Production, oncall: OnCall
) -> None:
    epoch = oncall.moves("failover", "a")["epoch"]
    chain.trade_until(epoch, 2)
    killed = oncall.told(0, "kill", "--reason", "drill")
    assert {(one["kind"], one["acked"]) for one in killed["paths"]} == {("gateway", True), ("engine", True)}
    assert chain.account()["open_orders"] == 0 and killed["flattens"] is False
    before = chain.orders_of(epoch)
    for _ in range(5):
        chain.tilt()
        time.sleep(0.02)
    assert chain.orders_of(epoch) == before
    refused = oncall.told(2, "plan", "failover", "--to", "eng-1/b")
    unmet = {one["code"] for one in refused["preconditions"] if not one["is_met"]}
    assert {"latch_clear", "successor_standby"} <= unmet
    assert oncall.hft("status").returncode == 5


def test_a_kill_needs_no_state_directory_and_no_engine_that_answers(
    chain: Production, oncall: OnCall
) -> None:
    epoch = oncall.moves("failover", "a")["epoch"]
    chain.trade_until(epoch, 1)
    oncall.state = Path("/proc/nowhere")
    chain.running("a").signal(signal.SIGSTOP)
    start = time.monotonic()
    killed = oncall.told(0, "kill", "--deadline", 0.5)
    assert time.monotonic() - start < 4.0, "one shared deadline, whatever is dark"
    assert {(one["name"], one["acked"]) for one in killed["paths"]} == {
        ("gw-1", True), ("eng-1/a", False), ("eng-1/b", True),
    }  # fmt: skip


def test_a_dead_gateway_is_named_and_nothing_is_planned(chain: Production, oncall: OnCall) -> None:
    chain.gateway.kill()
    assert oncall.hft("status").returncode == 5
    refused = oncall.told(2, "plan", "failover", "--to", "eng-1/b")
    assert refused["preconditions"][0]["code"] == "gateway_in_charge"
    assert not refused["preconditions"][0]["is_met"]
    assert oncall.told(4, "kill")["open_orders"] is None


def test_a_fence_alone_stops_the_holder_and_lets_nobody_trade(chain: Production, oncall: OnCall) -> None:
    old = oncall.moves("failover", "a")["epoch"]
    chain.trade_until(old, 2)
    new = oncall.moves("fence", "b")["epoch"]
    before = chain.orders_of(old)

    def refused() -> int:
        chain.tilt()
        return chain.refusals("stale_epoch", "eng-1/a")

    chain.until(refused, "a refusal")
    assert chain.orders_of(old) == before and chain.orders_of(new) == 0
    chain.running("a").wait_state("STANDBY")


def test_after_a_kill_two_persons_clear_the_latches_and_one_with_two_keys_does_not(
    chain: Production, oncall: OnCall
) -> None:
    for name, key in (("alice", "alice1"), ("alice", "alice2"), ("bob", "bob1")):
        oncall.person(name, key)
    oncall.keys["mallory1"] = oncall.keys["alice2"]
    chain.trade_until(oncall.moves("failover", "a")["epoch"], 1)
    oncall.told(0, "kill")
    plan = str(oncall.told(3, "plan", "resume")["plan"])
    alice, again, bob = (
        oncall.approval(plan, name, key)
        for name, key in (("alice", "alice1"), ("alice", "alice2"), ("bob", "bob1"))
    )
    for wrong in (
        (alice,),
        (alice, alice),
        (alice, again),
        (bob, oncall.approval(plan, "mallory", "mallory1")),
    ):
        refused = oncall.resume(plan, *wrong)
        assert refused.returncode == 2 and "1 of 2 persons" in refused.stderr, refused.stderr
    other = oncall.approval(plan.replace(".1", ".2", 1), "bob", "bob1")
    assert oncall.resume(plan, alice, other).returncode == 2
    assert oncall.resume(plan, alice, oncall.approval(plan, "bob", "bob1")).returncode == 0
    assert oncall.resume(plan, alice, bob).returncode == 2, "the look has changed: the plan is used"
    chain.until(lambda: chain.running("b").state() == "STANDBY", "a spare in step")
    chain.trade_until(oncall.moves("failover", "b")["epoch"], 1)


def test_a_dark_peer_costs_one_deadline_and_epochs_keep_the_residue_of_their_gateway(
    chain: Production, oncall: OnCall
) -> None:
    oncall.write(**{"gw-2": chain.directory / "nobody"})
    epochs = [oncall.moves("failover", "a")["epoch"], oncall.moves("switchover", "b")["epoch"]]
    assert epochs == [1, 3]
    chain.trade_until(3, 2)
    assert oncall.hft("status").returncode == 7
    assert oncall.told(4, "kill")["open_orders"] == 0, "a peer that may hold a session has not latched"


def test_who_a_fence_named_is_let_go_on_by_two_persons_and_a_drill_needs_a_window(
    chain: Production, oncall: OnCall
) -> None:
    for name in ("alice", "bob"):
        oncall.person(name, name)
    chain.trade_until(oncall.moves("failover", "a")["epoch"], 1)
    fenced = oncall.moves("fence", "b")["epoch"]
    plan = oncall.plan("unfence", "b")
    alice, bob = (oncall.approval(plan, name, name) for name in ("alice", "bob"))
    words = ("unfence", "--to", "eng-1/b", "--plan", plan, "--reason", "drill", "--approval", alice)
    oncall.told(2, *words)
    done = oncall.told(0, *words, "--approval", bob)
    assert done["epoch"] == fenced and {one["verdict"] for one in done["proofs"]} == {"ok"}
    chain.trade_until(fenced, 1)
    window = chain.directory / "window.toml"
    always = 'zone = "UTC"\nfrom = "2020-01-01 00:00"\nuntil = "2090-01-01 00:00"\n'
    rule = f'[[rules]]\nname = "w"\nkind = "{{}}"\n{always}'
    drill = ("drill", "--to", "eng-1/a", "--window", window, "--reason", "drill")
    window.write_text('site = "chain"\nexchanges = []\n' + rule.format("deny"))
    assert "no window" in oncall.told(2, *drill)["error"]
    window.write_text('site = "chain"\nexchanges = []\n' + rule.format("allow"))
    assert oncall.told(0, *drill)["moves"] == 2
    assert oncall.told(0, "status")["holder"] == "eng-1/b", "it ends where it began"
    moments = oncall.told(0, "timeline")["moments"]
    assert [one["what"] for one in moments] == ["opened", "closed"]


def test_another_sites_gateway_takes_over_when_two_persons_say_so(chain: Production, oncall: OnCall) -> None:
    for name in ("alice", "bob"):
        oncall.person(name, name)
    first = oncall.moves("failover", "a")["epoch"]
    chain.trade_until(first, 1)
    with chain.cloud() as cloud:
        chain.running("b").close()
        chain.seats["b"].config["gateway"]["port"] = cloud.port
        chain.standby("b")
        oncall.write(**{"gw-2": cloud.admin})
        words = ("plan", "promote-site", "--gateway", "gw-2", "--to", "eng-1/b")
        alive = oncall.told(2, *words)
        assert "site_lost" in {one["code"] for one in alive["preconditions"] if not one["is_met"]}
        chain.gateway.kill()
        plan = str(oncall.told(3, *words)["plan"])
        two = [
            word for name in ("alice", "bob") for word in ("--approval", oncall.approval(plan, name, name))
        ]
        acts = (
            "promote-site",
            *words[2:],
            "--plan",
            plan,
            *two,
            "--venue-kill",
            "call 4711",
            "--reason",
            "fire",
        )
        assert "is not the site" in oncall.told(2, *acts, "--site", "other")["error"]
        done = oncall.told(0, *acts, "--site", "chain")
        assert done["epoch"] > first and done["epoch"] % 2 == 0, "of its own residue, above all accepted"
        chain.trade_until(done["epoch"], 1)
