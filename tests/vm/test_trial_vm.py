"""Trial boots of real kernels through real GRUB: one that is kept, poisons that come back, cuts.

The lab is the one that $HFT_LAB names; hosts that are not up are started and left up, so that the modules
of a session share their boots. A trial costs one boot when it is kept and two when it is rolled back.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploys.poisons import POISONS, HostSession, begin, run_poison, stage
from deploys.trial_cuts import CUTS, marked, run_cut
from inventory.lab import load
from inventory.power import power_of

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("HFT_SEED", "1"))


@pytest.fixture(scope="module")
def lab_name() -> str:
    return os.environ.setdefault("HFT_LAB", "trial")


def session_of(name: str) -> HostSession:
    subprocess.run([sys.executable, "-m", "hft", "lab", "up", name], cwd=ROOT, check=True, timeout=1200)
    site = load()
    host = site.host(name)
    return HostSession(site=site, host=host, power=power_of(host), progress=print)


@pytest.mark.drill
def test_a_healthy_trial_is_confirmed_and_kept(lab_name: str) -> None:
    session = session_of("engine-2")
    txn = stage(session, session.decide(marked(session.look().plan, f"kept-{SEED}")))
    boot_id = session.status()["boot_id"]
    ended = begin(session, session.watch(txn)).run()
    assert ended.result == "committed", ended.sentence
    status = session.status()
    assert status["entry"] == "good"
    assert status["boot_id"] != boot_id
    assert session.run("cat", "/sys/class/watchdog/watchdog0/state").strip() == "inactive"
    assert "watchdog i6300esb armed" in session.run("dmesg")


@pytest.mark.drill
@pytest.mark.parametrize(("name", "poison"), [("engine-2", "kernel-missing")])
def test_a_poisoned_boot_comes_back_by_itself(lab_name: str, name: str, poison: str) -> None:
    returns_as_expected(session_of(name), poison)


@pytest.mark.drill
@pytest.mark.parametrize(
    ("name", "poison"),
    [
        ("engine-1", "panic"),
        ("engine-2", "panic"),
        ("engine-2", "nic"),
        ("engine-1", "hugepages"),
        ("engine-2", "emergency"),
    ],
)
def test_every_poison_comes_back_by_the_one_expected(lab_name: str, name: str, poison: str) -> None:
    returns_as_expected(session_of(name), poison)


def returns_as_expected(session: HostSession, poison: str) -> None:
    outcome = run_poison(session, POISONS[poison])
    assert outcome.returned, outcome.sentence
    assert outcome.brought_back_by == outcome.expected, outcome.sentence


@pytest.mark.drill
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_leaves_the_host_wholly_old_or_wholly_new(lab_name: str, cut: str) -> None:
    outcome = run_cut(session_of("engine-2"), CUTS[cut], SEED)
    assert not outcome.mixed, outcome.mixed
    assert outcome.result in CUTS[cut].allowed, outcome.sentence
