"""Taking a boot change back on a real kernel is a trial boot of its own.

It comes last and leaves engine-2 untuned. One boot.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.driver import Lab

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]
ROOT = Path(__file__).resolve().parents[2]
NAME = "engine-2"
REVERTS_MAX = 3  # runs of other tests may have changed single settings since the boot change


def hft(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hft", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1200)


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
