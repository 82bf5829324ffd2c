"""The provider of `colo`, called as Pulumi calls it, for an enrolled host: adopt, compare, set right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from inventory.enrolment import Enrolled, write_enrolled
from inventory.model import Identity
from lab import firmware
from stacks.colo.order import Order
from stacks.errors import StackError
from tests.support import needs
from tests.support.stacks.bare_lab import BareLab, bare_lab

pytestmark = [pytest.mark.engine, needs.stacks(), needs.programs("qemu-img")]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """An enrolled host that runs, and what the program says of it."""

    rack: BareLab
    props: dict[str, Any]

    def with_approval(self) -> dict[str, Any]:
        return {**self.props, "approve": "colo-1"}


@pytest.fixture
def adopted(tmp_path: Path) -> Iterator[Adopted]:
    with pytest.MonkeyPatch.context() as patch, bare_lab(tmp_path, patch) as rack:
        path = rack.inventory(tmp_path)
        identity = Identity(host_keys=(KEY,), machine_id="1" * 32, dmi_uuid=rack.machine.wiring.uuid)
        write_enrolled(path, "colo-1", Enrolled(identity=identity, at="2026-01-01T00:00:00+00:00", by="test"))
        rack.machine.start()
        order = Order(
            name="colo-1",
            uuid=rack.machine.wiring.uuid,
            serial="colo-1",
            macs=rack.cards,
            bios={"HyperThreading": "Disabled"},
        )
        given = {"inventory": str(path), "kernel": "generic", "serve": "127.0.0.1", "approve": ""}
        yield Adopted(rack=rack, props={**given, "order": json.dumps(asdict(order))})


def drift(adopted: Adopted) -> None:
    """Hyper-threading is on, and nobody here did it."""
    path = adopted.rack.machine.wiring.firmware
    kept = firmware.read(path)
    assert kept
    on = firmware.Settings(hyper_threading=True)
    firmware.write(path, replace(kept, settings=on, in_force=on))


def outs(answer: Any) -> dict[str, Any]:
    """What a provider answered; it always has some."""
    assert answer.outs is not None
    found: dict[str, Any] = answer.outs
    return found


def test_an_enrolled_host_is_adopted_its_drift_shown_and_set_right_only_with_the_approval(
    adopted: Adopted,
) -> None:
    from stacks.colo.provider import MachineProvider

    provider, machine = MachineProvider(), adopted.rack.machine
    made = provider.create(adopted.props)
    assert (made.id, outs(made)["boots"]) == ("colo-1", "0")
    assert not provider.diff("colo-1", outs(made), adopted.props).changes

    drift(adopted)
    seen = provider.read("colo-1", outs(made))
    assert json.loads(outs(seen)["in_force"])["HyperThreading"] == "Enabled"
    shown = provider.diff("colo-1", outs(seen), adopted.props)
    assert (shown.changes, shown.replaces) == (True, [])

    with pytest.raises(
        StackError, match=r"HyperThreading is Enabled, ordered Disabled; .*approval of colo-1"
    ):
        provider.update("colo-1", outs(seen), adopted.props)
    assert machine.boots() == 1

    righted = provider.update("colo-1", outs(seen), adopted.with_approval())
    assert (outs(righted)["boots"], machine.boots()) == ("1", 2)
    assert not provider.diff("colo-1", outs(righted), adopted.props).changes


def test_another_machine_in_the_order_is_another_resource(adopted: Adopted) -> None:
    from stacks.colo.provider import MachineProvider

    provider = MachineProvider()
    made = provider.create(adopted.props)
    other = {**json.loads(adopted.props["order"]), "serial": "colo-2"}
    shown = provider.diff("colo-1", outs(made), {**adopted.props, "order": json.dumps(other)})
    assert shown.replaces == ["order"]
