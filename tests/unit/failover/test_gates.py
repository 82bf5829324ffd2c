"""Each precondition: met in a healthy cluster, and the only one that is not met after one change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.approval import Approval, approved_by
from failover.decide import commanded
from failover.gates import gates
from failover.plan_id import Fault, PlanId, fault_of, plan_of, read_plan_id
from failover.proof import Link, proofs, worst
from failover.view import ClusterView
from tests.support.cluster_views import RUNS, A, B, C, gateway, healthy, with_engine, with_gateway

VIEW = healthy()
ACCOUNT = VIEW.gateways[0].accounts[0]
BROKEN: tuple[tuple[str, ClusterView], ...] = (
    ("gateway_enforces", with_gateway(VIEW, enforces=False)),
    ("epoch_durable", with_gateway(VIEW, is_durable=False)),
    ("latch_clear", with_gateway(VIEW, latches=("site (number 1): drill",))),
    ("not_paused", with_gateway(VIEW, holds=("pause for 60 s more, by alice: a switch is replaced",))),
    ("successor_sends", with_engine(VIEW, B, egress="shadow")),
    ("successor_standby", with_engine(VIEW, B, state="SYNCING")),
    ("successor_fresh", with_engine(VIEW, B, is_fresh=False)),
    ("successor_unlatched", with_engine(VIEW, B, is_latched=True)),
    ("successor_approved", with_engine(VIEW, B, artifact="sha256:" + "0" * 64)),
    ("successor_approved", with_engine(VIEW, B, limits="sha256:" + "0" * 64)),
    ("holder_trades", with_engine(VIEW, A, state="STANDBY")),
    ("holder_durable", with_engine(VIEW, A, undurable=3)),
    ("positions_agree", with_engine(VIEW, A, positions={"AAA": 11})),
    ("positions_agree", with_gateway(VIEW, accounts=(replace(ACCOUNT, positions={"AAA": 10, "BBB": 1}),))),
)


def unmet(view: ClusterView, to: str = B, kind: str = "switchover") -> set[str]:
    command = commanded(view, kind, to, (RUNS,))  # type: ignore[arg-type]  # a word of the test
    return {one.code for one in gates(view, command) if not one.is_met}


def test_a_healthy_cluster_meets_every_precondition() -> None:
    assert unmet(VIEW) == set()


@pytest.mark.parametrize(("code", "view"), BROKEN)
def test_one_change_breaks_one_precondition(code: str, view: ClusterView) -> None:
    assert unmet(view) == {code}


def test_what_does_not_answer_is_no_yes() -> None:
    dark = with_engine(VIEW, B, silent="no answer", state="UNKNOWN", is_fresh=False)
    assert {"successor_answers", "successor_standby", "successor_fresh"} <= unmet(dark)
    gone = with_gateway(VIEW, silent="no answer")
    assert {"gateway_in_charge", "gateway_enforces", "epoch_durable", "latch_clear"} <= unmet(gone)


def test_an_engine_that_is_not_in_the_file_and_the_holder_itself_are_no_successors() -> None:
    assert "successor_known" in unmet(VIEW, to="eng-9/a")
    assert "successor_is_another" in unmet(VIEW, to=A)


def test_a_failover_asks_nothing_of_the_holder() -> None:
    dark = with_engine(VIEW, A, silent="no answer", state="UNKNOWN")
    assert unmet(dark, kind="failover") == set()
    assert {"holder_answers", "holder_trades", "holder_durable", "positions_agree"} <= unmet(dark)


def test_a_pause_holds_off_what_is_planned_alone() -> None:
    paused = with_gateway(VIEW, holds=("pause for 60 s more, by alice: x",))
    assert unmet(paused) == {"not_paused"}
    assert unmet(paused, kind="failover") == unmet(paused, kind="fence") == set()


FENCED = with_engine(with_gateway(VIEW, epoch=5, holder=B), A, state="STANDBY", epoch=0)


def test_an_unfence_lets_go_on_whom_the_epoch_was_given_to_and_nobody_else() -> None:
    assert unmet(FENCED, kind="unfence") == set()
    assert commanded(FENCED, "unfence", B, (RUNS,)).epoch == FENCED.epoch
    assert "epoch_waits" in unmet(FENCED, to=C, kind="unfence")
    assert unmet(with_engine(FENCED, A, state="ACTIVE", epoch=4), kind="unfence") == set(), "it is fenced off"
    assert unmet(with_engine(FENCED, A, state="ACTIVE", epoch=5), kind="unfence") == {"epoch_waits"}
    assert unmet(with_engine(FENCED, B, undurable=1), kind="unfence") == {"successor_durable"}
    assert {"epoch_waits", "successor_is_another"} <= unmet(MOVED, kind="unfence")


def test_a_site_is_promoted_only_when_no_other_gateway_has_the_session() -> None:
    lost = with_gateway(VIEW, silent="no answer within 2 s")
    cloud = gateway("gw-2", is_active=False, epoch=4, residue=0)
    view = ClusterView(gateways=(*lost.gateways, cloud), engines=lost.engines)

    def missing(seen: ClusterView, name: str = "gw-2") -> set[str]:
        command = commanded(seen, "promote-site", B, (RUNS,), name)
        return {one.code for one in gates(seen, command) if not one.is_met}

    assert missing(view) == set()
    assert commanded(view, "promote-site", B, (RUNS,), "gw-2").epoch == 6, "of its own residue"
    assert "site_lost" in missing(ClusterView(gateways=(*VIEW.gateways, cloud), engines=VIEW.engines))
    assert {"gateway_ready", "latch_clear"} <= missing(view, "gw-1")
    assert {"gateway_ready", "latch_clear"} <= missing(view, "gw-9")
    volatile = ClusterView(gateways=(*lost.gateways, replace(cloud, is_durable=False)), engines=lost.engines)
    assert missing(volatile) == {"gateway_ready"}


def test_a_plan_is_bound_to_look_command_and_time() -> None:
    command = commanded(VIEW, "switchover", B, (RUNS,))
    name = plan_of(VIEW, command, 1_000)
    assert read_plan_id(str(name)) == name
    assert fault_of(name, VIEW, command, 1_300) is None
    assert code(fault_of(name, VIEW, command, 1_301)) == "plan_expired"
    assert code(fault_of(name, VIEW, command, 990)) == "plan_expired"
    assert code(fault_of(name, VIEW, commanded(VIEW, "switchover", C, (RUNS,)), 1_000)) == "view_changed"
    latched = with_gateway(VIEW, latches=("site (number 1): x",))
    assert code(fault_of(name, latched, command, 1_000)) == "view_changed"
    moved = with_gateway(VIEW, epoch=5, holder=C)
    assert code(fault_of(name, moved, command, 1_000)) == "epoch_moved"
    assert code(fault_of(replace(name, planned_at_s=1_001), VIEW, command, 1_001)) == "view_changed"


@pytest.mark.parametrize(
    "text", ["", "4.5", "4.5." + "g" * 64, "x.5." + "a" * 64, "4.5." + "a" * 63, "-4.5." + "a" * 64]
)
def test_what_is_no_plans_name_is_said_so(text: str) -> None:
    found = read_plan_id(text)
    assert isinstance(found, Fault) and found.code == "plan_name"


def code(fault: Fault | PlanId | None) -> str:
    return fault.code if isinstance(fault, Fault) else ""


MOVED = with_engine(
    with_engine(with_gateway(VIEW, epoch=5, holder=B), A, state="STANDBY", epoch=0),
    B,
    state="ACTIVE",
    epoch=5,
)
LOGGED_IN = (Link(party=B, epoch=5, is_open=True), Link(party=A, epoch=4, is_open=True))


def test_a_move_is_proven_by_a_new_look_and_the_gateways_own_links() -> None:
    assert worst(proofs(MOVED, LOGGED_IN, B, 5)) == "ok"
    assert worst(proofs(MOVED, None, B, 5)) == "unverified"
    assert worst(proofs(with_engine(MOVED, B, silent="gone"), LOGGED_IN, B, 5)) == "unverified"


@pytest.mark.parametrize(
    ("wrong", "links"),
    [
        (with_gateway(MOVED, epoch=6, holder=C), LOGGED_IN),
        (with_gateway(MOVED, is_durable=False), LOGGED_IN),
        (with_engine(MOVED, B, state="STANDBY"), LOGGED_IN),
        (with_engine(MOVED, A, state="ACTIVE"), LOGGED_IN),
        (MOVED, ()),
        (MOVED, (Link(party=B, epoch=5, is_open=False),)),
        (MOVED, (*LOGGED_IN, Link(party=C, epoch=6, is_open=True))),
    ],
)
def test_what_is_wrong_after_a_move_is_violated(wrong: ClusterView, links: tuple[Link, ...]) -> None:
    assert worst(proofs(wrong, links, B, 5)) == "violated"


def test_two_persons_count_once_each_and_only_for_this_plan() -> None:
    def by(person: str, plan: str = "p", *, is_signed: bool = True, key: str = "") -> Approval:
        return Approval(person=person, plan=plan, is_signed=is_signed, key=key or person)

    assert approved_by([by("alice"), by("bob")], "p").is_enough
    for wrong in (
        [by("alice")],
        [by("alice"), by("alice")],
        [by("alice"), by("bob", "q")],
        [by("alice"), by("bob", is_signed=False)],
        [by("alice"), by("bob", key="alice")],
        [],
    ):
        found = approved_by(wrong, "p")
        assert not found.is_enough and len(found.passed_over) == len(wrong) - len(found.persons)


def test_resume_wants_every_gateway_and_a_latch() -> None:
    latched = with_gateway(VIEW, latches=("site (number 1): x",), latch_numbers=(1,))
    assert unmet(latched, kind="resume", to="") == set()
    assert unmet(VIEW, kind="resume", to="") == {"latch_set"}
    assert "gateways_answer" in unmet(with_gateway(VIEW, silent="gone"), kind="resume", to="")
