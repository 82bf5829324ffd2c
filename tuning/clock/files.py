"""The lines of the daemons' files, each with its why and its source. Pure; ptp4l(8) 3.1, chrony.conf(5) 4.3.

Names that linuxptp 4 changed are written as 3.1 has them (slaveOnly, masterOnly): both read those.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuning.clock.wish import ClockWish

# TAI minus UTC since 2017 (IERS Bulletin C); announced as not valid.
TAI_UTC_S = 37
TRANSPORTS = {"l2": "L2", "udp4": "UDPv4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the daemons keep their sockets; chronyd's own folder, because AppArmor lets it have no other."""

    run_dir: str = "/run/hft-clock"
    chrony_dir: str = "/run/chrony"

    @property
    def ptp4l_socket(self) -> str:
        """Where ptp4l answers pmc(8) and phc2sys(8)."""
        return f"{self.run_dir}/ptp4l"

    def chronyd_socket(self, name: str) -> str:
        """Where the chronyd of that name (`ntp`, `watch`) answers chronyc(1)."""
        return f"{self.chrony_dir}/hft-{name}.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file."""

    key: str
    value: str
    why: str
    source: str = "ptp4l(8)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines below one head; a file of chronyd has a single one without a name."""

    name: str
    lines: tuple[Line, ...]


def ptp4l_sections(wish: ClockWish, places: Places, *, frequency_ppb_max: int) -> tuple[Section, ...]:
    """The whole of ptp4l's file."""
    lines = [
        *_identity(wish, places),
        Line(
            key="network_transport",
            value=TRANSPORTS[wish.transport],
            why="as the network carries PTP; a port that speaks another transport hears nobody",
        ),
        Line(
            key="delay_mechanism",
            value=wish.delay.upper(),
            why="all clocks of a path have the same one: p2p only where every switch measures, too",
        ),
        *_stamps(wish),
        *_steering(wish, frequency_ppb_max),
    ]
    ports = [Section(name=wish.port, lines=_port_lines(wish, is_upstream=True))]
    ports += [Section(name=port, lines=_port_lines(wish, is_upstream=False)) for port in wish.serves]
    return (Section(name="global", lines=tuple(lines)), *ports)


def _identity(wish: ClockWish, places: Places) -> list[Line]:
    lines = [
        Line(
            key="domainNumber",
            value=str(wish.domain),
            why="other domains are not heard: in a wrong one the offset reads 0 and nothing is kept",
            source="IEEE 1588-2019, 7.1",
        ),
        Line(
            key="uds_address",
            value=places.ptp4l_socket,
            why="a socket of this daemon's own: phc2sys and the checks ask this one, whoever else runs",
        ),
    ]
    if wish.role == "client":
        why = "it takes the time and never gives it, even when it hears nobody"
        lines.append(Line(key="slaveOnly", value="1", why=why))
    if wish.role == "grandmaster":
        lines += [
            Line(
                key="clockClass",
                value="248",
                why="it vouches for nothing: behind NTP it is no primary reference, and one (class 6) wins",
                source="IEEE 1588-2019, 7.6.2.5",
            ),
            Line(
                key="utc_offset",
                value=str(TAI_UTC_S),
                why="TAI minus UTC in seconds, announced as not valid; a leap second changes it",
                source="IERS Bulletin C",
            ),
        ]
    return lines


def _stamps(wish: ClockWish) -> list[Line]:
    lines = [
        Line(
            key="time_stamping",
            value=wish.stamps,
            why=(
                "the port's own clock stamps the frames: tens of nanoseconds"
                if wish.stamps == "hardware"
                else "the kernel stamps the frames: for ports whose hardware stamps never come (e1000e)"
            ),
        ),
        Line(
            key="tx_timestamp_timeout",
            value="10",
            why="milliseconds to wait for a sent frame's stamp; a loaded host misses the default of 1",
        ),
    ]
    if wish.serves and wish.stamps == "hardware":
        why = "ports of several cards have several hardware clocks: phc2sys keeps them together"
        lines.append(Line(key="boundary_clock_jbod", value="1", why=why))
    return lines


def _steering(wish: ClockWish, frequency_ppb_max: int) -> list[Line]:
    if wish.role == "grandmaster":
        return []
    lines = [
        Line(
            key="step_threshold",
            value="0.0",
            why="after its start the clock is never stepped: orders are stamped by it",
        ),
        Line(
            key="first_step_threshold",
            value="0.00002",
            why="at the start more than 20 us are stepped, or the first hours are outside of the limit",
        ),
        Line(
            key="sanity_freq_limit",
            value=str(frequency_ppb_max),
            why="ppb; a quartz is off by 100 ppm, the kernel slews by 500: more is a wrong stamp",
        ),
    ]
    if wish.stamps == "software":
        why = "the kernel inserts a leap second, at its end of day; the servo would smear it"
        lines.append(Line(key="kernel_leap", value="1", why=why))
    return lines


def _port_lines(wish: ClockWish, *, is_upstream: bool) -> tuple[Line, ...]:
    if wish.role == "client" or (wish.role == "boundary" and is_upstream):
        return ()
    return (
        Line(
            key="masterOnly", value="1", why="this port gives time and never takes it, whoever announces here"
        ),
    )


def ntp_lines(wish: ClockWish, places: Places) -> tuple[Line, ...]:
    """What keeps a grandmaster's system clock."""
    found = [
        _chrony("server", f"{address} iburst minpoll 4 maxpoll 6", "a source of the grandmaster's time")
        for address in wish.sources
    ]
    found += [
        _chrony(
            "makestep",
            "0.1 3",
            "more than 0.1 s is stepped in the first three updates, after them nothing is",
        ),
        _chrony("leapsectz", "right/UTC", "leap seconds, and TAI minus UTC, from tzdata"),
        _chrony("leapsecmode", "system", "the kernel inserts a leap second, as it does on the clients"),
        _chrony("maxclockerror", "100", "the quartz drifts by at most 100 ppm while no source answers"),
        _chrony(
            "driftfile", "/var/lib/chrony/hft-ntp.drift", "the next start knows how fast the quartz runs"
        ),
        _chrony("rtcsync", "", "the kernel keeps the battery clock near, for the next boot"),
    ]
    return (*found, *_private(places, "ntp"))


def watch_lines(wish: ClockWish, places: Places) -> tuple[Line, ...]:
    """What the watchdog asks, and that it follows nobody."""
    found = [
        _chrony(
            "server",
            f"{address} iburst minpoll 2 maxpoll 4 noselect",
            "asked every 4 to 16 s; noselect: measured, never followed, so each offset is this clock's own",
        )
        for address in wish.watch
    ]
    return (*found, *_private(places, "watch"))


def _private(places: Places, name: str) -> tuple[Line, ...]:
    return (
        _chrony("port", "0", "it answers nobody: PTP gives the time here"),
        _chrony("cmdport", "0", "no command comes over the network"),
        _chrony("bindcmdaddress", places.chronyd_socket(name), "commands come by a socket of its own"),
        _chrony("pidfile", f"{places.chrony_dir}/hft-{name}.pid", "beside any other chronyd of the host"),
    )


def _chrony(key: str, value: str, why: str) -> Line:
    return Line(key=key, value=value, why=why, source="chrony.conf(5)")
