"""The last steps of the demo: a poisoned boot comes back and status says so in time; then a boot change is
taken back.

They come last and leave engine-2 untuned. Two boots.
"""

from __future__ import annotations

import json
import time

import pytest

from inventory.pace import deadlines_of
from lab.driver import Lab
from tests.support.commands import hft

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]
NAME = "engine-2"
STATUS_RUNS = 5
REVERTS_MAX = 3  # runs of other tests may have changed single settings since the boot change


def test_poisoned_boot_comes_back_and_status_says_so_in_half_its_deadline(lab: Lab) -> None:
    """A kernel that vanished: GRUB itself goes back, the host is on its old boot, and on-call sees it."""
    applied = hft("apply", "--yes", "--drain", "--limit", NAME, "--reason", "something to poison")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    drilled = hft("drill", "--drain", f"{NAME}=kernel-missing", "--json")
    assert drilled.returncode == 0, drilled.stdout + drilled.stderr
    (outcome,) = json.loads(drilled.stdout)["drills"]
    assert (outcome["brought_back_by"], outcome["returned"]) == ("grub", True)
    speed = lab.measured(print)
    assert speed is not None
    deadline_s = deadlines_of(speed).status_s
    took_s, answers = [], []
    for _ in range(STATUS_RUNS):
        began_s = time.monotonic()
        answers.append(hft("status", "--json"))
        took_s.append(time.monotonic() - began_s)
    assert {said.returncode for said in answers} == {6}, answers
    hosts = {host["host"]: host for host in json.loads(answers[-1].stdout)["hosts"]}
    assert hosts[NAME]["unacknowledged_rollback"] == hosts[NAME]["rollback"]["txn"]
    assert hosts[NAME]["rollback"]["brought_back_by"] == "grub"
    assert hosts[NAME]["entry"] == "good"
    assert max(took_s) <= deadline_s / 2, f"{took_s} against {deadline_s} s"
    assert hft("host", "acknowledge", NAME, "--reason", "it was poisoned").returncode == 0


def test_revert_of_a_boot_change_is_a_trial_boot_of_its_own(lab: Lab) -> None:
    machine = lab.machine(NAME)
    applied = hft("apply", "--yes", "--drain", "--limit", NAME, "--reason", "something to revert")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "nohz_full" in machine.succeed(["cat", "/proc/cmdline"])
    before = machine.boot_id()
    for _ in range(REVERTS_MAX):
        reverted = hft("revert", NAME, "--yes", "--drain")
        assert reverted.returncode == 0, reverted.stdout + reverted.stderr
        if machine.boot_id() != before:
            break
    assert "nohz_full" not in machine.succeed(["cat", "/proc/cmdline"])
    shown = json.loads(hft("status", NAME, "--json").stdout)["hosts"][0]
    assert (shown["entry"], shown["transaction"]) == ("good", None)
    assert hft("apply", "--dry-run", "--limit", NAME).returncode == 3
