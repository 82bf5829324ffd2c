"""What a host must offer: each refusal beside the acceptance one step before it."""

from __future__ import annotations

from typing import Any

import pytest

from deploys.slot.compatibility import refusals, shared_feeds, too_loose
from deploys.slot.slot_state import Taken
from engine.contract.limits import Limits
from engine.contract.manifest import Manifest
from tests.support.engine.deploy import LIMITS, manifest_of, plan_of, seen_of


def compat(**changes: Any) -> Manifest:
    return manifest_of(compat={**manifest_of().compat.model_dump(), **changes})


def memory(**changes: int) -> Manifest:
    return manifest_of(memory={"hugepages_2m": 0, "hugepages_1g": 0, "locked_bytes": 0, **changes})


V2 = frozenset(("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"))
CASES = [
    (manifest_of(level="core"), "engine", {}, "role engine needs level trading and the engine declares core"),
    (manifest_of(), "standby", {}, "role standby needs level replicated and the engine declares trading"),
    (manifest_of(), "ops", {}, "role ops runs no engine"),
    (compat(cpu="x86-64-v2"), "engine", {"cpu_flags": V2 - {"sse4_2"}}, "lacks sse4_2"),
    (compat(cpu="x86-64-v3"), "engine", {}, "needs a CPU of x86-64-v3 and this one lacks abm, avx, avx2"),
    (compat(cpu="x86-64"), "engine", {"machine": "aarch64"}, "built for x86-64 and the host is aarch64"),
    (compat(libc="2.37"), "engine", {}, "needs libc 2.37 and the host has 2.36"),
    (compat(libc="2.4"), "engine", {"libc": None}, "the host has none of GNU"),
    (memory(hugepages_2m=33), "engine", {}, "wants 33 hugepages of 2 MiB and the plan has 32"),
    (memory(hugepages_1g=1), "engine", {}, "wants 1 hugepages of 1024 MiB and the plan has 0"),
    (memory(locked_bytes=1 << 30), "engine", {}, "locks 1024 MiB, more than half of the host's 1464 MiB"),
    (
        manifest_of(exec={"interpreter": ["jre"], "program": "acme", "arguments": []}),
        "engine",
        {},
        "started by jre and the host has no such program",
    ),
]


@pytest.mark.parametrize(("manifest", "role", "look", "sentence"), CASES)
def test_refused_with_a_sentence(manifest: Manifest, role: str, look: dict[str, Any], sentence: str) -> None:
    found = refusals(manifest, role, plan_of(), seen_of(**look))
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(
    "manifest",
    [
        manifest_of(),
        compat(cpu="x86-64-v2", libc="2.36"),
        compat(libc="2.9"),  # older than 2.36: versions are numbers, not text
        memory(hugepages_2m=32, locked_bytes=512 << 20),
    ],
)
def test_accepted_at_the_limit(manifest: Manifest) -> None:
    assert refusals(manifest, "engine", plan_of(), seen_of()) == ()


@pytest.mark.parametrize(
    ("name", "most"), [("position_max", 100_000), ("order_notional_max_e4", 10_000_000_000)]
)
def test_limits_looser_than_the_release_was_approved_for_are_refused(name: str, most: int) -> None:
    def limits(value: int) -> Limits:
        return Limits.model_validate({**LIMITS, "engine": {**LIMITS["engine"], name: value}})

    assert too_loose(manifest_of(), limits(most)) == ()
    assert [name in one for one in too_loose(manifest_of(), limits(most + 1))] == [True]


def test_more_instruments_than_approved_are_refused() -> None:
    names = [f"S{n}" for n in range(17)]
    limits = Limits.model_validate({**LIMITS, "engine": {**LIMITS["engine"], "symbols": names}})
    assert "17" in too_loose(manifest_of(), limits)[0]


def beside(**memory: int) -> dict[str, Taken]:
    """Another slot with this memory, a unicast feed and a multicast one."""
    has = {"hugepages_2m": 0, "hugepages_1g": 0, "locked_bytes": 0, **memory}
    feeds = frozenset((("10.77.1.11", 26_477), ("239.1.1.1", 26_478)))
    return {"a": Taken(cpus=frozenset(), feeds=feeds, memory=has)}


@pytest.mark.parametrize(
    ("mine", "theirs", "sentence"),
    [
        (
            {"hugepages_2m": 17},
            {"hugepages_2m": 16},
            "wants 17 hugepages of 2 MiB, beside 16 of slot a, and the plan",
        ),
        (
            {"locked_bytes": 512 << 20},
            {"locked_bytes": 512 << 20},
            "locks 512 MiB, beside 512 of slot a, more than",
        ),
    ],
)
def test_two_slots_have_memory_beside_each_other_or_it_is_said_what_is_missing(
    mine: dict[str, int], theirs: dict[str, int], sentence: str
) -> None:
    (found,) = refusals(memory(**mine), "engine", plan_of(), seen_of(others=beside(**theirs)))
    assert sentence in found
    one_less = {name: value - (1 if name == "hugepages_2m" else 400 << 20) for name, value in mine.items()}
    assert refusals(memory(**one_less), "engine", plan_of(), seen_of(others=beside(**theirs))) == ()


def test_what_another_slot_keeps_is_not_guessed() -> None:
    others = {"a": Taken(cpus=frozenset(), feeds=frozenset(), memory=None)}
    (found,) = refusals(memory(hugepages_2m=1), "engine", plan_of(), seen_of(others=others))
    assert "slot a" in found and "not known" in found
    assert refusals(memory(), "engine", plan_of(), seen_of(others=others)) == ()


def test_two_slots_share_a_multicast_group_and_no_unicast_port() -> None:
    feeds = [("10.77.1.11", 26_477), ("239.1.1.1", 26_478), ("10.77.1.11", 26_479)]
    (found,) = shared_feeds(feeds, seen_of(others=beside()))
    assert "10.77.1.11:26477 is slot a's" in found
