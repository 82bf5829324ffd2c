"""Whole runs against the real emulator, with a stand-in for QEMU: what is switched, counted, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import firmware
from stacks.colo.console import MARK
from stacks.colo.flow import Move, Run
from stacks.colo.order import Order
from stacks.colo.provision import Ended, provision
from stacks.colo.serve import served
from tests.support import needs
from tests.support.stacks.bare_lab import BareLab, bare_lab
from transport.redfish import opened

pytestmark = [pytest.mark.engine, needs.programs("qemu-img")]
SHA = "c" * 64
FACTS = [("smt", "%SMT%"), ("written", SHA), ("host-key", "ssh-ed25519 " + "A" * 68), ("done", "yes")]


@pytest.fixture
def rack(tmp_path: Path) -> Iterator[BareLab]:
    with pytest.MonkeyPatch.context() as patch, bare_lab(tmp_path, patch) as made:
        yield made


def order(rack: BareLab) -> Order:
    return Order(
        name="colo-1",
        uuid=rack.machine.wiring.uuid,
        serial="colo-1",
        macs=rack.cards,
        bios={"HyperThreading": "Enabled"},
    )


def run(rack: BareLab, folder: Path, known: Run, facts: list[tuple[str, str]] = FACTS) -> Ended:
    medium = folder / "installer.iso"
    medium.write_text(
        json.dumps([MARK + json.dumps({"fact": fact, "value": value}) for fact, value in facts])
    )
    with opened(rack.address) as bmc, served(medium, "127.0.0.1") as url:
        return provision(
            order(rack),
            known,
            bmc=bmc,
            console_file=rack.machine.wiring.console,
            medium=url,
            progress=lambda _sentence: None,
        )


def test_a_blank_machine_is_installed_through_redfish_alone_then_adopted_then_its_drift_is_named(
    rack: BareLab, tmp_path: Path
) -> None:
    ended = run(rack, tmp_path, Run(enrolled=False, approved="", image_sha256=SHA))
    assert ended.decision.move is Move.INSTALLED
    assert (ended.boots, rack.machine.boots()) == (2, 2)
    assert ended.run.told.smt == "0"  # set while the installer ran, so in force only after it
    kept = firmware.read(rack.machine.wiring.firmware)
    assert kept and kept.in_force.hyper_threading and kept.medium is None
    assert kept.boot is firmware.BootDevice.DISK

    known = Run(enrolled=True, approved="")
    assert run(rack, tmp_path, known).decision.move is Move.ADOPTED
    drifted = replace(kept, in_force=firmware.Settings(), settings=firmware.Settings())
    firmware.write(rack.machine.wiring.firmware, drifted)  # behind our back
    named = run(rack, tmp_path, known)
    assert named.decision.move is Move.DRIFTED
    assert "HyperThreading is Disabled, ordered Enabled" in named.decision.reason
    assert (named.boots, rack.machine.boots()) == (0, 2)

    righted = run(rack, tmp_path, replace(known, approved="colo-1"))
    assert righted.decision.move is Move.INSTALLED
    assert (righted.boots, rack.machine.boots()) == (1, 3)


def test_an_installer_that_wrote_something_else_is_not_started(rack: BareLab, tmp_path: Path) -> None:
    ended = run(rack, tmp_path, Run(enrolled=False, approved="", image_sha256="d" * 64))
    assert ended.decision.move is Move.REFUSED
    assert f"the disk holds {SHA}" in ended.decision.reason
    assert rack.machine.boots() == 1


def test_a_machine_that_is_on_and_not_enrolled_is_not_touched(rack: BareLab, tmp_path: Path) -> None:
    rack.machine.start()
    before = rack.machine.pid()
    ended = run(rack, tmp_path, Run(enrolled=False, approved="another", image_sha256=SHA))
    assert ended.decision.move is Move.REFUSED
    assert (rack.machine.pid(), rack.machine.boots()) == (before, 1)
