"""A host's clock as daemons, their files and the units that make room: one wish in, one value out. Pure.

Who steers what is the whole of it. `ptp4l` keeps the hardware clock of the port (PHC) with its grandmaster,
`phc2sys` the system clock with the PHC; with software stamps ptp4l keeps the system clock itself. A
grandmaster's system clock is kept by chronyd with its NTP servers, and phc2sys brings that into the PHC.
Beside them runs a watchdog: chronyd on servers that nothing here steers by, all of them `noselect`, `-x`, and
without CAP_SYS_TIME. The kernel lets nobody set the system clock without it (capabilities(7)), while a PHC is
set by whoever may write its device: so exactly one daemon has that capability, and it is the writer.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuning.clock.files import Places, Section, ntp_lines, ptp4l_sections, watch_lines
from tuning.clock.wish import ClockWish, check_wish
from tuning.cpuset import CpuSet
from tuning.errors import ClockError
from tuning.units import CLOCK_UNITS, CLOCK_WATCH_CONF, NTP_CONF, OTHER_CLOCK_WRITERS, PTP4L_CONF

SYS_TIME = "CAP_SYS_TIME"
PTP4L, PHC2SYS, NTP, WATCH = CLOCK_UNITS
FIFO_PRIORITY = 5  # above what is not real-time, below the threads of the kernel that serve the port
CHRONY = "_chrony"
FREQUENCY_PPB_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One daemon's configuration."""

    path: str
    sections: tuple[Section, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One daemon: its unit, command line, what it steers, and the rights that it needs for that."""

    unit: str
    argv: tuple[str, ...]
    steers: str
    why: str
    source: str
    config: ConfigFile | None = None
    cpus: CpuSet | None = None
    fifo_priority: int | None = None
    capabilities: tuple[str, ...] = ()
    user: str = "root"
    after: str = ""

    @property
    def is_writer(self) -> bool:
        """Whether the kernel would let it set the system clock."""
        return SYS_TIME in self.capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPlan:
    """Everything that one host needs for its time; `idle` are our units that this role has no use for."""

    host: str
    wish: ClockWish
    daemons: tuple[Daemon, ...]
    masked: tuple[tuple[str, str], ...]  # unit, why
    idle: tuple[str, ...]

    def __post_init__(self) -> None:
        """Hold the invariant: one writer of the system clock, and it is not the watchdog."""
        writers = [one.unit for one in self.daemons if one.is_writer]
        if len(writers) != 1 or writers == [WATCH]:
            raise ClockError(
                f"{self.host}: {len(writers)} daemons may set the system clock, not one; report it"
            )

    @property
    def writer(self) -> Daemon:
        """The one daemon that sets the system clock."""
        return next(one for one in self.daemons if one.is_writer)

    def daemon(self, unit: str) -> Daemon | None:
        """The daemon of a unit, None where this role has none."""
        return next((one for one in self.daemons if one.unit == unit), None)


def plan_clock(host: str, wish: ClockWish, cpus: CpuSet | None, places: Places | None = None) -> ClockPlan:
    """The clock of HOST: its daemons on CPUS (the plan's role `ptp`; None: wherever services run).

    ClockError for a wish that contradicts itself.
    """
    check_wish(wish, f"{host}: ptp: ")
    places = places or Places()
    daemons = [_ptp4l(wish, cpus, places)]
    if wish.stamps == "hardware":
        daemons.append(_phc2sys(wish, cpus, places))
    if wish.role == "grandmaster":
        daemons.append(_ntp(wish, cpus, places))
    daemons.append(_watch(wish, places))
    writer = next(one.unit for one in daemons if one.is_writer)
    units = {one.unit for one in daemons}
    return ClockPlan(
        host=host,
        wish=wish,
        daemons=tuple(daemons),
        masked=tuple(
            (unit, f"{writer} is the one writer of the system clock") for unit in OTHER_CLOCK_WRITERS
        ),
        idle=tuple(unit for unit in CLOCK_UNITS if unit not in units),
    )


def _ptp4l(wish: ClockWish, cpus: CpuSet | None, places: Places) -> Daemon:
    writes = wish.stamps == "software" and wish.role != "grandmaster"
    steers = (
        "the system clock"
        if writes
        else "nothing"
        if wish.role == "grandmaster"
        else f"the PHC of {wish.port}"
    )
    config = ConfigFile(
        path=PTP4L_CONF,
        sections=ptp4l_sections(wish, places, frequency_ppb_max=FREQUENCY_PPB_MAX),
        why="the host's part in PTP",
    )
    return Daemon(
        unit=PTP4L,
        argv=("/usr/sbin/ptp4l", "-f", config.path),
        steers=steers,
        why="speaks PTP: hears the grandmaster, or is heard as one",
        source="ptp4l(8)",
        config=config,
        cpus=cpus,
        fifo_priority=FIFO_PRIORITY,
        capabilities=(
            "CAP_NET_ADMIN",
            "CAP_NET_BIND_SERVICE",
            "CAP_NET_RAW",
            *((SYS_TIME,) if writes else ()),
        ),
    )


def _phc2sys(wish: ClockWish, cpus: CpuSet | None, places: Places) -> Daemon:
    is_source = wish.role == "grandmaster"
    return Daemon(
        unit=PHC2SYS,
        argv=(
            "/usr/sbin/phc2sys",
            *("-a", "-r", *(("-r",) if is_source else ())),
            *("-n", str(wish.domain), "-z", places.ptp4l_socket),
            *("-S", "0.0", "-L", str(FREQUENCY_PPB_MAX)),
        ),
        steers=f"the PHC of {wish.port}" if is_source else "the system clock",
        why=(
            "brings the system clock into the PHC, with TAI minus UTC as ptp4l announces it (-a)"
            if is_source
            else "follows ptp4l's ports and takes TAI minus UTC from the grandmaster (-a), lets the kernel"
            " insert a leap second (no -x), and never steps after its start (-S 0.0)"
        ),
        source="phc2sys(8)",
        cpus=cpus,
        fifo_priority=FIFO_PRIORITY,
        capabilities=() if is_source else (SYS_TIME,),
        after=PTP4L,
    )


def _ntp(wish: ClockWish, cpus: CpuSet | None, places: Places) -> Daemon:
    lines = ntp_lines(wish, places)
    config = ConfigFile(
        path=NTP_CONF, sections=(Section(name="", lines=lines),), why="a grandmaster's own time"
    )
    return Daemon(
        unit=NTP,
        argv=("/usr/sbin/chronyd", "-U", "-d", "-f", config.path),
        steers="the system clock",
        why="keeps the grandmaster's system clock with its NTP servers",
        source="chronyd(8)",
        config=config,
        cpus=cpus,
        fifo_priority=FIFO_PRIORITY,
        capabilities=(SYS_TIME,),
        user=CHRONY,
    )


def _watch(wish: ClockWish, places: Places) -> Daemon:
    lines = watch_lines(wish, places)
    config = ConfigFile(
        path=CLOCK_WATCH_CONF, sections=(Section(name="", lines=lines),), why="what the watchdog asks"
    )
    return Daemon(
        unit=WATCH,
        argv=("/usr/sbin/chronyd", "-U", "-d", "-x", "-f", config.path),
        steers="nothing",
        why="a grandmaster that lies takes its whole domain along: others, asked and never followed",
        source="chronyd(8)",
        config=config,
        user=CHRONY,
    )
