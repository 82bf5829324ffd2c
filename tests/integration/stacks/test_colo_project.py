"""The provider of `colo`, called as Pulumi calls it, for an enrolled host: adopt, compare, set right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from inventory.enrolment import Enrolled, write_enrolled
from inventory.model import Identity
from lab import firmware
from stacks.colo.order import Order
from stacks.errors import StackError
from tests.support import needs
from tests.support.hft_here import Said, hft_here
from tests.support.stacks.bare_lab import BareLab, bare_lab
from tests.support.stacks.canary import files_with, watched

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


@needs.stack_engine()
def test_a_bmcs_password_is_nowhere_but_in_its_file_when_the_engine_adopts_finds_drift_and_rights_it(
    adopted: Adopted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    credential = adopted.rack.files.credential
    password = credential.read_text().strip().partition(":")[2]
    settings = tmp_path / "settings.yaml"

    def stack(verb: str, *words: object, approve: str = "") -> Said:
        given = {"inventory": adopted.props["inventory"], "kernel": "generic", "approve": approve}
        given["orders"] = f"[{adopted.props['order']}]"
        settings.write_text(
            yaml.safe_dump({"config": {f"colo:{key}": value for key, value in given.items()}})
        )
        fresh = ("--settings", settings) if verb == "up" else ()
        return hft_here(capsys, "stack", verb, "colo", "--site", "rack", *fresh, *words)

    with watched(password, tmp_path / "state") as seen:
        runs = [stack("up", "--yes", "--json")]
        drift(adopted)
        runs += [stack("up", "--refresh", "--yes")]
        boots = adopted.rack.machine.boots()
        runs += [stack("recover", "--yes"), stack("up", "--yes", approve="colo-1"), stack("destroy", "--yes")]
    assert [run.code for run in runs] == [0, 10, 0, 0, 2], runs
    assert "HyperThreading is Enabled, ordered Disabled" in runs[1].err  # named, and left
    assert "colo-1 is protected, so nothing was deleted" in runs[4].err
    assert (boots, adopted.rack.machine.boots()) == (1, 2)
    assert seen == set()
    assert not any(password in run.out + run.err for run in runs)
    assert files_with(password, tmp_path) == [credential]
