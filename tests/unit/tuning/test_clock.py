"""A host's clock as it is decided: one writer, one source of each line, and no watchdog that steers."""

from __future__ import annotations

from itertools import product

import pytest

from tuning.clock.files import Places
from tuning.clock.plan import NTP, PHC2SYS, PTP4L, WATCH, ClockPlan, plan_clock
from tuning.clock.wish import ClockRole, ClockWish, Stamps
from tuning.cpuset import CpuSet
from tuning.errors import ClockError
from tuning.units import CLOCK_UNITS

ROLES: tuple[ClockRole, ...] = ("grandmaster", "boundary", "client")
STAMPS: tuple[Stamps, ...] = ("hardware", "software")
ALL = tuple(product(ROLES, STAMPS))


def wish(role: ClockRole, stamps: Stamps = "hardware") -> ClockWish:
    serves = ("e1", "e2") if role == "boundary" else ()
    sources = ("192.0.2.1",) if role == "grandmaster" else ()
    watch = ("192.0.2.9",)
    return ClockWish(
        role=role, port="e0", serves=serves, stamps=stamps, sources=sources, watch=watch, domain=24
    )


def made(role: ClockRole, stamps: Stamps = "hardware") -> ClockPlan:
    return plan_clock("e1", wish(role, stamps), CpuSet.of([3]))


def lines(plan: ClockPlan, unit: str) -> dict[str, list[tuple[str, str]]]:
    """Section -> its lines as key and value."""
    daemon = plan.daemon(unit)
    assert daemon is not None and daemon.config is not None
    return {one.name: [(line.key, line.value) for line in one.lines] for one in daemon.config.sections}


@pytest.mark.parametrize(
    ("role", "stamps", "writer"),
    [
        ("client", "hardware", PHC2SYS),
        ("client", "software", PTP4L),
        ("boundary", "hardware", PHC2SYS),
        ("boundary", "software", PTP4L),
        ("grandmaster", "hardware", NTP),
        ("grandmaster", "software", NTP),
    ],
)
def test_one_daemon_may_set_the_system_clock(role: ClockRole, stamps: Stamps, writer: str) -> None:
    plan = made(role, stamps)
    assert [one.unit for one in plan.daemons if "CAP_SYS_TIME" in one.capabilities] == [writer]
    assert plan.writer.unit == writer and plan.writer.steers == "the system clock"
    assert {one.unit for one in plan.daemons} | set(plan.idle) == set(CLOCK_UNITS)
    assert {unit for unit, _ in plan.masked} >= {"chrony.service", "systemd-timesyncd.service"}


@pytest.mark.parametrize(("role", "stamps"), ALL)
def test_the_watchdog_steers_nothing_in_three_ways(role: ClockRole, stamps: Stamps) -> None:
    watch = made(role, stamps).daemon(WATCH)
    assert watch is not None and watch.capabilities == () and "-x" in watch.argv
    assert (watch.cpus, watch.fifo_priority, watch.user) == (None, None, "_chrony")
    servers = [value for key, value in lines(made(role, stamps), WATCH)[""] if key == "server"]
    assert servers and all(value.endswith(" noselect") for value in servers)


@pytest.mark.parametrize(("role", "stamps"), ALL)
def test_every_line_says_why_and_where_that_is_written(role: ClockRole, stamps: Stamps) -> None:
    for daemon in made(role, stamps).daemons:
        assert daemon.why and daemon.source
        for section in daemon.config.sections if daemon.config else ():
            keys = [line.key for line in section.lines if line.key != "server"]
            assert len(keys) == len(set(keys)), "each key once"
            for line in section.lines:
                assert line.why and line.source and "\n" not in line.why + line.key + line.value
    steering = [one for one in made(role, stamps).daemons if one.unit != WATCH]
    assert all(one.cpus == CpuSet.of([3]) and one.fifo_priority == 5 for one in steering)


def test_each_role_speaks_ptp_in_its_own_direction() -> None:
    client, boundary, source = (lines(made(role), PTP4L) for role in ("client", "boundary", "grandmaster"))
    assert ("slaveOnly", "1") in client["global"] and client["e0"] == []
    assert boundary["e0"] == [] and boundary["e1"] == boundary["e2"] == [("masterOnly", "1")]
    assert ("boundary_clock_jbod", "1") in boundary["global"]
    assert source["e0"] == [("masterOnly", "1")] and ("clockClass", "248") in source["global"]
    for one in (client, boundary, source):
        assert ("domainNumber", "24") in one["global"]
    assert ("step_threshold", "0.0") in client["global"], "nothing steps while orders are stamped"


def test_sockets_are_where_they_are_asked_for() -> None:
    plan = plan_clock("e1", wish("client"), None, Places(run_dir="/x", chrony_dir="/y"))
    assert ("uds_address", "/x/ptp4l") in lines(plan, PTP4L)["global"]
    follows = plan.daemon(PHC2SYS)
    assert follows is not None and "/x/ptp4l" in follows.argv
    assert ("bindcmdaddress", "/y/hft-watch.sock") in lines(plan, WATCH)[""]


def test_a_plan_with_two_writers_cannot_be_made() -> None:
    plan = made("client", "software")
    with pytest.raises(ClockError, match="2 daemons may set the system clock"):
        ClockPlan(
            host="e1",
            wish=plan.wish,
            daemons=(*plan.daemons, *made("grandmaster").daemons),
            masked=plan.masked,
            idle=(),
        )
