"""A schema is a whole number in every reader: true, 1.0 and "1" are another document's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent import parsing
from agent.boot import grub
from checks.counters import parse_measurement
from checks.meter import NO_LOAD
from failover.succession import succession_from
from release.certificate import certificate_from
from release.slot_approval import slot_approval_from
from tests.support.checkout import ROOT
from tests.support.engine.deploy import plan_of
from tests.support.kill_harness import document
from tuning.held_irqs import read_held_irqs
from tuning.plan.plan import Plan
from tuning.seen_nics import read_seen_nics
from tuning.snapshot.files import Snapshot

DIGEST = "sha256:" + "a" * 64
RUN = {"artifact": DIGEST, "config": DIGEST, "limits": DIGEST}
METER = json.loads((ROOT / "tests/unit/checks/tuned.meter.json").read_text())
MENU = grub.render(
    grub.Menu(
        fs_uuid="1-2", directory="", base=(), good=grub.Entry(txn="t", release="6.1.0", args=("quiet",))
    )
)


def by_text(read: Callable[[str], object]) -> Callable[[Any], object]:
    return lambda found: read(json.dumps(found))


READERS: dict[str, tuple[dict[str, Any], Callable[[Any], object]]] = {
    "transaction": (json.loads(document("a" * 64)), lambda found: parsing.parse(json.dumps(found).encode())),
    "plan": (json.loads(plan_of().to_json()), by_text(Plan.from_json)),
    "snapshot": (json.loads(Snapshot({}, {}).to_json()), by_text(Snapshot.from_json)),
    "meter": (METER, by_text(lambda text: parse_measurement(text, NO_LOAD))),
    "held": ({"schema": 1, "boot_id": "b", "held": []}, by_text(lambda text: read_held_irqs(text, "b"))),
    "nics": ({"schema": 1, "boot_id": "b", "ports": {}}, by_text(lambda text: read_seen_nics(text, "b"))),
    "certificate": (
        {
            **{
                "schema": 1,
                "artifact": DIGEST,
                "sbom": DIGEST,
                "name": "x",
                "version": "1.2.3",
                "floor": "1.0.0",
            },
            **{"host_classes": ["lab-vm"], "not_after_s": 1},
        },
        certificate_from,
    ),
    "approval": (
        {**RUN, "schema": 1, "site": "s", "person": "p", "slot": "e1/b", "role": "canary", "not_after_s": 1},
        slot_approval_from,
    ),
    "succession": (
        {
            **{"schema": 1, "epoch_seen": 1, "holder": "e1/a", "successor": "e2/a", "approved": [RUN]},
            **{"silence_ms": 5, "loss_max_records": 0, "not_after_s": 1},
        },
        succession_from,
    ),
}


def is_taken(read: Callable[[Any], object], found: dict[str, Any]) -> bool:
    """Each reader says no in its own way: an exception of its room, or nothing."""
    try:
        return read(found) is not None
    except Exception:
        return False


@pytest.mark.parametrize("name", READERS)
def test_a_schema_that_only_equals_the_number_is_another_one(name: str) -> None:
    good, read = READERS[name]
    assert is_taken(read, good)
    for wrong in (
        True,
        float(good["schema"]),
        str(good["schema"]),
        [good["schema"]],
        None,
        good["schema"] + 1,
    ):
        assert not is_taken(read, {**good, "schema": wrong}), wrong


def test_the_boot_menu_says_its_schema_as_a_number() -> None:
    assert grub.parse(MENU).fs_uuid == "1-2"
    for wrong in ("true", "1.0", '"1"'):
        changed = MENU.replace('"schema": 1', f'"schema": {wrong}').replace('"schema":1', f'"schema":{wrong}')
        assert changed != MENU
        with pytest.raises(ValueError, match="different version"):
            grub.parse(changed)
