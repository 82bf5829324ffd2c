"""What the controller does after each look at a host on trial, and whom it names."""

from typing import Any

import pytest

from deploys.trial.states import Move, Standing, cause_of, next_step, panic_line
from inventory.power_evidence import Evidence

TXN = "20261121T101500-3f2a9c1b"
PANIC = (
    "[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n"
    "[    1.3] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---\n"
)


def standing(state: str | None, *, boot_id: str = "new", entry: str = "candidate", **trial: Any) -> Standing:
    table = None if state is None else {"txn": TXN, "state": state, "reason": "why", "closed": False} | trial
    return Standing.of({"boot_id": boot_id, "entry": entry, "trial": table, "last_rollback": None})


@pytest.mark.parametrize(
    ("seen", "move"),
    [
        (None, Move.WAIT),
        (standing("armed", boot_id="old", entry="good"), Move.WAIT),
        (standing("armed"), Move.WAIT),
        (standing("booted"), Move.WAIT),
        (standing("healthy"), Move.CONFIRM),
        (standing("committed"), Move.FINISHING),
        (standing("committed", closed=True), Move.COMMITTED),
        (standing("rolled_back"), Move.FINISHING),
        (standing("rolled_back", closed=True), Move.ROLLED_BACK),
        (standing("staged", boot_id="old"), Move.LOST),
        (standing("healthy", txn="another"), Move.LOST),
        (standing(None), Move.LOST),
    ],
)
def test_each_look_has_one_next_move(seen: Standing | None, move: Move) -> None:
    step = next_step(seen, TXN, before="old")
    assert step.move is move
    assert step.reason


def test_a_host_that_answers_but_has_the_same_boot_id_is_still_going_down() -> None:
    assert (
        "shutting down" in next_step(standing("armed", boot_id="old", entry="good"), TXN, before="old").reason
    )


def test_a_rollback_is_found_even_when_the_trial_record_is_gone() -> None:
    last = {"txn": TXN, "brought_back_by": "health", "reason": "no"}
    seen = Standing.of({"boot_id": "new", "entry": "good", "trial": None, "last_rollback": last})
    assert next_step(seen, TXN, before="old").move is Move.ROLLED_BACK


@pytest.mark.parametrize(
    ("said", "evidence", "deadman", "by"),
    [
        ("grub", Evidence(console=PANIC, resets=("guest", "watchdog")), False, "grub"),
        ("health", Evidence(), False, "health"),
        ("unknown", Evidence(console=PANIC, resets=("guest", "guest")), False, "panic"),
        ("unknown", Evidence(console="login:", resets=("guest", "watchdog")), False, "watchdog"),
        ("watchdog", Evidence(), False, "watchdog"),
        ("unknown", Evidence(console=PANIC), True, "deadman"),
        ("unknown", Evidence(), True, "deadman"),
        ("unknown", Evidence(), False, "unknown"),
    ],
)
def test_the_controller_adds_what_only_it_can_know(
    said: str, evidence: Evidence, deadman: bool, by: str
) -> None:
    cause = cause_of({"brought_back_by": said, "reason": "r"}, evidence, deadman=deadman)
    assert cause.by == by
    assert cause.reason


def test_the_panic_is_quoted_without_its_end_marker() -> None:
    assert panic_line(PANIC) == "VFS: Unable to mount root fs"
    assert panic_line("all is well\n") is None
