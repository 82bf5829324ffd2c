"""Documents of the contract: versions, unknown and critical fields, manifest, configuration, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from engine.contract.limits import Limits
from engine.contract.manifest import Manifest, manifest_digest
from engine.contract.versioning import acceptable, parse_version
from engine.independent.package import manifest

Change = Callable[[dict[str, Any]], object]


def made() -> dict[str, Any]:
    return manifest("0" * 64, None)


def read(document: dict[str, Any]) -> Manifest:
    return Manifest.model_validate_json(json.dumps(document))


@pytest.mark.parametrize(
    ("theirs", "holds"), [("1.0.0", True), ("1.9.4", True), ("2.0.0", False), ("0.9.0", False)]
)
def test_only_the_major_version_decides(theirs: str, holds: bool) -> None:
    assert acceptable(theirs) is holds


@pytest.mark.parametrize("text", ["1", "1.0", "01.0.0", "1.0.0-rc1", "1.0.0\n", "", "a.b.c"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        parse_version(text)


def test_manifest_of_the_stub_is_one() -> None:
    assert read(made()).identity.name == "stub"


def test_unknown_field_is_kept_and_counts_for_the_digest() -> None:
    document = made() | {"x_hint": 1}
    read(document)  # is not refused
    assert manifest_digest(document) != manifest_digest(made())


REFUSED: dict[str, Change] = {
    "critical field": lambda d: d.update(critical=["x_new"], x_new=1),
    "is not readable": lambda d: d.update(contract="2.0.0"),
    "not a version": lambda d: d.update(contract="one"),
    "pre_deploy_limits": lambda d: d.pop("pre_deploy_limits"),
    "position_max": lambda d: d["pre_deploy_limits"].pop("position_max"),
    "venues_max": lambda d: d["pre_deploy_limits"].update(venues_max=0),
    "not among files": lambda d: d["exec"].update(program="other"),
    "engine.json itself is listed": lambda d: d["files"].append({"path": "engine.json", "sha256": "0" * 64}),
    "a path occurs twice": lambda d: d["files"].append(d["files"][0]),
    "inside the artifact": lambda d: d["files"].append({"path": "a/../../b", "sha256": "0" * 64}),
    "needs a venue profile": lambda d: d.update(venue_profiles=[]),
    "the same name twice": lambda d: d["threads"].append(d["threads"][0]),
    "String should match": lambda d: d["files"][0].update(sha256="0" * 63),
    "valid integer": lambda d: d["memory"].update(locked_bytes="1"),
    "'core', 'trading' or 'replicated'": lambda d: d.update(level="full"),
    "at least 1 item": lambda d: d.update(threads=[]),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_manifest_that_does_not_add_up_is_refused(words: str) -> None:
    document = made()
    REFUSED[words](document)
    with pytest.raises(ValidationError) as caught:
        read(document)
    assert words in str(caught.value)


def test_limits_outside_their_schema_are_refused() -> None:
    engine = {
        "symbols": ["AAPL"], "order_quantity_max": 1, "order_notional_max_e4": 1, "gross_notional_max_e4": 1,
        "collar_bps": 0, "position_max": 0, "messages_per_second_max": 1, "open_orders_max": 1,
        "duplicate_window_ms": 0, "daily_loss_max_e4": 0, "repeated_executions_max": 1,
    }  # fmt: skip
    whole = {"serial": 1, "not_after_utc_ns": 1, "engine": engine, "gateway": {"orders_per_s_max": 5}}
    assert Limits.model_validate_json(json.dumps(whole)).serial == 1
    for name in engine:
        worse = {**whole, "engine": {**engine, name: -1}}
        with pytest.raises(ValidationError):
            Limits.model_validate_json(json.dumps(worse))
    for rate, window_ms, is_kept in (
        (10_000, 103_999, True),
        (10_000, 104_000, False),
        (1_000_001, 0, False),
    ):
        window = {**engine, "messages_per_second_max": rate, "duplicate_window_ms": window_ms}
        text = json.dumps({**whole, "engine": window})
        if is_kept:
            assert Limits.model_validate_json(text).engine.duplicate_window_ms == window_ms
        else:
            with pytest.raises(ValidationError):
                Limits.model_validate_json(text)
