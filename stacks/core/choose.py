"""Which machine a standby is made of, with the reason, and why each of the others is not.

Only metal is considered: what is tuned is the host's own kernel and interrupts. A gap (not offered in the
region or the zone, no PHC, no cluster placement) rejects a type; what is left is put in order by what is
preferred. The order behind the choice is the list of types that are acceptable when there is no capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stacks.core.config import Prefer, StandbyConfig
from stacks.core.errors import CoreError
from stacks.core.facts import Facts, InstanceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A type in a zone, and what else was looked at."""

    type: InstanceType
    zone_id: str
    why: str
    next_best: tuple[str, ...]  # when there is no capacity for it, in this order
    rejected: Mapping[str, str]  # type -> reason


_ORDER: Mapping[Prefer, tuple[str, Callable[[InstanceType], tuple[float, ...]]]] = {
    "latency": (
        "the highest sustained clock",
        lambda one: (-one.clock_ghz, one.threads_per_core, one.cores, one.memory_mib),
    ),
    "timestamps": (
        "a hardware clock, then the highest sustained clock",
        lambda one: (not one.has_phc, -one.clock_ghz, one.threads_per_core, one.cores, one.memory_mib),
    ),
    "reach": (
        "offered in the most regions",
        lambda one: (-len(one.zones), -one.clock_ghz, one.cores, one.memory_mib),
    ),
}


def choose(config: StandbyConfig, facts: Facts) -> Choice:
    """The type for this configuration; CoreError that says what stood against each when there is none."""
    if config.instance_type is not None and facts.named(config.instance_type) is None:
        known = ", ".join(one.name for one in facts.types if one.metal)
        raise CoreError(
            f"instanceType {config.instance_type}: nothing is known of it ({facts.date}); known: {known}"
        )
    gaps = {one.name: gap_of(one, config) for one in facts.types}
    words, order = _ORDER[config.prefer]
    left = sorted((one for one in facts.types if not gaps[one.name]), key=lambda one: (*order(one), one.name))
    rejected = {name: gap for name, gap in gaps.items() if gap}
    if not left:
        raise CoreError(_none(config, facts, rejected))
    best = left[0]
    clock = "with PHC" if best.has_phc else "without PHC"
    why = (
        f"{best.name}: {best.clock_ghz:g} GHz sustained, {best.cores} cores x {best.threads_per_core}, "
        f"{best.memory_gib} GiB, {clock}; preferred: {words} (facts of {facts.date})"
    )
    return Choice(
        type=best,
        zone_id=config.zone_id or best.zones[config.region][0],
        why=why,
        next_best=tuple(one.name for one in left[1:]),
        rejected=rejected,
    )


def gap_of(one: InstanceType, config: StandbyConfig) -> str:
    """Why a type cannot be used as asked, or nothing."""
    zones = one.zones.get(config.region, [])
    tests = (
        (config.instance_type not in (None, one.name), f"{config.instance_type} was asked for"),
        (not one.metal, "not metal"),
        (not zones, f"not offered in {config.region}"),
        (config.zone_id is not None and config.zone_id not in zones, f"not offered in zone {config.zone_id}"),
        (config.needs_phc and not one.has_phc, "no PHC"),
        ("cluster" not in one.placement, "no cluster placement"),
        (one.cores < config.cores_min, f"{one.cores} cores, {config.cores_min} needed"),
        (
            one.memory_gib > config.memory_gib_max,
            f"{one.memory_gib} GiB would be paid for, {config.memory_gib_max} is the most wanted",
        ),
    )
    return next((why for is_gap, why in tests if is_gap), "")


def _none(config: StandbyConfig, facts: Facts, rejected: Mapping[str, str]) -> str:
    if config.region not in facts.regions:
        known = ", ".join(facts.regions)
        return f"region {config.region}: nothing is known of it ({facts.date}); known: {known}"
    asked = config.instance_type
    against = {name: why for name, why in rejected.items() if asked in (None, name)}
    listed = "; ".join(f"{name}: {why}" for name, why in against.items())
    return f"no type fits in {config.region}: {listed}; hint: change prefer, needsPhc, zoneId or the region"
