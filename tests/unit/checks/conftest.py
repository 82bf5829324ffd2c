"""One recorded host: what a tuned PREEMPT_RT machine of the lab answered, and what was counted there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.baseline import Baseline, baseline_of
from checks.counters import Measurement, parse_measurement
from checks.effect import Assignment, assign
from checks.expected import Expected, read_plan
from checks.facts import PLAN, Facts, parse_facts

HERE = Path(__file__).parent
ROOT_UUID = "6b79561a-c79e-578f-99b2-65bb9c00b856"
MENU = """\
menuentry 'hft good: t, Linux 6.1.0-56-rt-amd64' --id hft-good --unrestricted {
  search --no-floppy --fs-uuid --set=root ROOT
  linux /boot/vmlinuz-6.1.0-56-rt-amd64 'root=UUID=ROOT' 'ro' ARGS 'hft.good=t'
  initrd /boot/initrd.img-6.1.0-56-rt-amd64
}
"""


@pytest.fixture(scope="session")
def recorded() -> str:
    """The facts script's answer, as it came over the wire."""
    return (HERE / "tuned.facts").read_bytes().decode()


@pytest.fixture(scope="session")
def tuned(recorded: str) -> Facts:
    """A tuned host; its boot menu is added, because the recorded host was tuned by hand."""
    facts = parse_facts(recorded, "@mark")
    args = " ".join(f"'{word}'" for word in read_plan(facts.files[PLAN]).plan.kernel_args())
    menu = {"/boot/grub/hft.cfg": MENU.replace("ARGS", args).replace("ROOT", ROOT_UUID)}
    menu["/boot/grub/grubenv"] = "# GRUB Environment Block\nsaved_entry=hft-good\n" + "#" * 900
    menu["/etc/default/grub"] = "GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=`lsb_release -i -s`"
    menu["/etc/default/grub.d/90-hft.cfg"] = "GRUB_DEFAULT=saved\nGRUB_TIMEOUT=1"
    menu["/boot/grub/grub.cfg"] = f"source /boot/grub/hft.cfg\n{facts.files['/boot/grub/grub.cfg']}"
    return replace(
        facts, files={**facts.files, **menu}, absent=(facts.absent | {"/boot/grub/custom.cfg"}) - menu.keys()
    )


@pytest.fixture(scope="session")
def expected(tuned: Facts) -> Expected:
    """The plan the recorded host committed."""
    return read_plan(tuned.files[PLAN])


@pytest.fixture(scope="session")
def lab_class() -> Baseline:
    """The budgets of a lab machine."""
    return baseline_of("lab-vm")


@pytest.fixture(scope="session")
def assignment(expected: Expected, tuned: Facts, lab_class: Baseline) -> Assignment:
    """Own load on both isolated CPUs."""
    return assign(expected, tuned, lab_class, 20.0, drained=False)


@pytest.fixture(scope="session")
def measured(assignment: Assignment) -> Measurement:
    """What the meter counted on the tuned host."""
    return parse_measurement((HERE / "tuned.meter.json").read_text(), assignment.load)


@pytest.fixture
def with_file(tuned: Facts) -> Callable[[str, str], Facts]:
    """The tuned host with one file changed."""

    def change(path: str, text: str) -> Facts:
        return replace(tuned, files={**tuned.files, path: text})

    return change
