"""The trial's table of moves, and what each boot means: every branch with its sentence."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from agent.boot.grub import Entry, Menu
from agent.boot.states import (
    MOVES,
    Action,
    Confirmation,
    IllegalMoveError,
    Phase,
    Trial,
    attribute,
    decide_boot,
    decide_confirm,
    entry_of,
    trial_of,
)

TXN = "20261121T101500-3f2a9c1b"
OLD = ("root=UUID=1", "hft.good=adopted")
NEW = ("root=UUID=1", f"hft.txn={TXN}")


def trial(state: Phase = Phase.ARMED, **changes: Any) -> Trial:
    made = Trial(
        txn=TXN,
        state=state,
        reason="",
        panic_s=10,
        watchdog_s=900,
        trial_s=600,
        confirmations=2,
        confirm_gap_s=10,
        args=("nohz_full=2-3",),
        release="6.1.0-56-amd64",
        kernel_sha256="a",
        initrd_sha256="b",
        boot_id="before",
    )
    return replace(made, **changes)


@pytest.mark.parametrize(("old", "new"), product(Phase, Phase))
def test_only_moves_of_the_table_are_made(old: Phase, new: Phase) -> None:
    one = trial(old)
    if new in MOVES[old]:
        assert one.moved(new, "why").state is new
    else:
        with pytest.raises(IllegalMoveError):
            one.moved(new, "why")
        assert one.state is old


def test_nothing_leads_out_of_an_end() -> None:
    for end in (Phase.COMMITTED, Phase.ROLLED_BACK):
        assert MOVES[end] == {end}


def test_a_record_reads_back_as_it_was_written() -> None:
    one = trial(Phase.HEALTHY, effect={"cpus": "2-3", "window_s": 10, "timer_interrupts_max": 5})
    assert trial_of(one.to_json()) == one
    assert trial_of(one.to_json() | {"of_a_newer_agent": 1}) == one
    assert trial_of(None) is None


@pytest.mark.parametrize(
    ("state", "cmdline", "boot_id", "good", "closed", "action"),
    [
        (Phase.STAGED, OLD, "before", "adopted", False, Action.NOTHING),
        (Phase.STAGED, OLD, "after", "adopted", False, Action.NOTHING),  # an unrelated restart
        (Phase.ARMED, OLD, "before", "adopted", False, Action.NOTHING),  # the restart has not happened yet
        (Phase.ARMED, OLD, "after", "adopted", False, Action.ROLL_BACK),  # it never came up
        (Phase.BOOTED, OLD, "after", "adopted", False, Action.ROLL_BACK),
        (Phase.HEALTHY, OLD, "after", "adopted", False, Action.ROLL_BACK),  # cut between health and commit
        (
            Phase.HEALTHY,
            OLD,
            "after",
            TXN,
            False,
            Action.ROLL_BACK,
        ),  # cut between the rename and the checkpoint
        (Phase.ARMED, NEW, "after", "adopted", False, Action.CHECK),
        (Phase.BOOTED, NEW, "after", "adopted", False, Action.CHECK),  # the service was restarted
        (Phase.HEALTHY, NEW, "after", TXN, False, Action.FINISH_COMMIT),  # killed right after the promotion
        (Phase.HEALTHY, ("ro", f"hft.good={TXN}"), "after", TXN, False, Action.FINISH_COMMIT),
        (Phase.COMMITTED, ("ro", f"hft.good={TXN}"), "after", TXN, False, Action.FINISH_COMMIT),
        (Phase.COMMITTED, NEW, "after", TXN, True, Action.NOTHING),
        (Phase.ROLLED_BACK, OLD, "after", "adopted", False, Action.CLEAN_UP),
        (Phase.ROLLED_BACK, OLD, "after", "adopted", True, Action.NOTHING),
        (Phase.ARMED, ("ro", "hft.txn=another"), "after", "adopted", False, Action.ROLL_BACK),
    ],
)
def test_every_boot_means_one_thing(  # noqa: PLR0917
    state: Phase, cmdline: tuple[str, ...], boot_id: str, good: str, closed: bool, action: Action
) -> None:
    decision = decide_boot(trial(state, closed=closed), cmdline, boot_id, good)
    assert decision.action is action
    assert decision.reason


def test_no_record_no_action() -> None:
    assert decide_boot(None, NEW, "after", None).action is Action.NOTHING


@pytest.mark.parametrize(
    ("state", "grubenv", "health", "fired", "by", "word"),
    [
        (Phase.ARMED, {"hft_tried": TXN, "hft_failed": "kernel"}, None, False, "grub", "kernel"),
        (Phase.ARMED, {"hft_tried": TXN, "hft_failed": "initrd"}, None, True, "grub", "initrd"),
        (Phase.BOOTED, {"hft_tried": TXN}, "no confirmations", False, "health", "no confirmations"),
        (Phase.ARMED, {"hft_tried": TXN}, None, True, "watchdog", "900 s"),
        (Phase.ARMED, {"hft_tried": TXN}, None, False, "unknown", "never reached"),
        (Phase.HEALTHY, {"hft_tried": TXN}, None, False, "unknown", "healthy"),
        (Phase.ARMED, {}, None, False, "unknown", "never tried"),
        (Phase.ARMED, {"hft_tried": "an-older-one", "hft_failed": "kernel"}, None, False, "unknown", "never"),
    ],
)
def test_the_return_is_attributed_by_what_was_left_behind(  # noqa: PLR0917
    state: Phase, grubenv: dict[str, str], health: str | None, fired: bool, by: str, word: str
) -> None:
    found = attribute(trial(state), grubenv, health, fired)
    assert found.brought_back_by == by
    assert word in found.reason


def test_two_new_connections_one_gap_apart_confirm() -> None:
    healthy = trial(Phase.HEALTHY)
    first = Confirmation(connection="10.0.0.1 50000 10.0.0.2 22", at_s=100.0)
    assert decide_confirm(healthy, [], first).accepted
    same = replace(first, at_s=200.0)
    assert decide_confirm(healthy, [first], same).code == "same_connection"
    soon = Confirmation(connection="10.0.0.1 50001 10.0.0.2 22", at_s=109.9)
    assert decide_confirm(healthy, [first], soon).code == "too_soon"
    assert decide_confirm(healthy, [first], replace(soon, at_s=110.0)).accepted
    assert decide_confirm(healthy, [first], replace(soon, connection="", at_s=120.0)).code == "no_connection"


@pytest.mark.parametrize("state", [phase for phase in Phase if phase is not Phase.HEALTHY])
def test_only_a_healthy_candidate_can_be_confirmed(state: Phase) -> None:
    verdict = decide_confirm(trial(state), [], Confirmation(connection="c", at_s=1.0))
    assert not verdict.accepted
    assert verdict.code == "not_yet"


def test_the_running_entry_is_read_from_the_marker() -> None:
    base = Entry(txn="adopted", release="6.1", args=("ro",))
    new = Entry(txn=TXN, release="6.1", args=("ro",))
    before = Menu(fs_uuid="u", directory="", base=("ro",), good=base)
    after = replace(before, good=new, previous=base)
    assert entry_of(("ro",), before, None) == "foreign"
    assert entry_of(OLD, None, None) == "foreign"
    assert entry_of(OLD, before, None) == "good"
    assert entry_of(NEW, before, None) == "candidate"
    assert entry_of(NEW, after, None) == "candidate"
    assert entry_of(NEW, after, TXN) == "good"
    assert entry_of(("ro", f"hft.good={TXN}"), after, TXN) == "good"
    assert entry_of(OLD, after, TXN) == "previous"
    assert entry_of(("ro", "hft.good=someone-else"), after, TXN) == "foreign"
