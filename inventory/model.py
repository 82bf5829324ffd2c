"""The schema of a site: typed, closed, and refused with a clear sentence when it is inconsistent.

pydantic is used here, at the edge, and only here: the other packages use the values. Every model is frozen
and forbids unknown keys, because a misspelt `ssh_prot` that is silently ignored sends a change to the default
port of the wrong machine. Scalars are strict: `22` is a port and `"22"` is an error. Names and addresses
follow the grammar of RFC 1123, so that nothing in them can become an option, a pattern or a second line for
ssh(1).
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    FailFast,
    Field,
    model_validator,
)

from inventory.port_entry import PortEntry
from inventory.profiles import named_profiles, sentence
from inventory.suggest import nearest
from inventory.words import (
    Address,
    BmcUrl,
    ClockIdentity,
    Deadline,
    Dmi,
    HostClass,
    HostKey,
    HostRole,
    KeyPath,
    Mac,
    MachineId,
    Name,
    PortName,
    PowerKind,
    Seconds,
    Sha256,
    User,
)
from inventory.written import Written
from tuning.clock.wish import ClockRole, ClockWish, Delay, Stamps, Transport, check_wish
from tuning.errors import ClockError
from tuning.plan.profile import PROFILES, Ports, Profile

T = TypeVar("T")


def _port_list(value: object) -> object:
    if isinstance(value, Mapping):
        raise sentence(
            "ports is a list: write [[hosts.ports]] with name, pci or mac, and with use (orders, feed-a,"
            " feed-b, replication, management); the port with the clock is ptp = { port = ... }"
        )
    return value


def _some(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise sentence("expected at least one, got none")
    return values


class Identity(Written):
    """A machine's identity; from the lab or `hft host enrol`, never trusted on first use."""

    host_keys: Annotated[tuple[HostKey, ...], FailFast(), AfterValidator(_some)]
    machine_id: MachineId
    dmi_serial: Dmi = ""
    dmi_uuid: Dmi = ""
    macs: Annotated[tuple[Mac, ...], FailFast()] = ()


class Trial(Written):
    """The deadlines and criteria of a trial boot; one set per host class, overridable per site."""

    trial_s: Seconds = 600
    watchdog_s: Seconds = 900
    panic_s: Seconds = 10
    confirmations: Annotated[int, Field(strict=True, ge=1, le=10)] = 2
    confirm_gap_s: Seconds = 60
    effect_window_s: Seconds = 10
    timer_interrupts_max: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 5

    @model_validator(mode="after")
    def _watchdog_outlives_the_trial(self) -> Self:
        if self.watchdog_s <= self.trial_s:
            raise sentence(f"watchdog_s {self.watchdog_s} must be longer than trial_s {self.trial_s}")
        needed = self.confirmations * self.confirm_gap_s + self.effect_window_s
        if self.trial_s <= needed:
            raise sentence(f"trial_s {self.trial_s} must exceed the {needed} s its confirmations take")
        return self

    def stretched(self, patience: float) -> Trial:
        """The same trial for a host slower by that factor; values that are not timeouts stay."""
        longer = {name: math.ceil(getattr(self, name) * patience) for name in ("trial_s", "watchdog_s")}
        return self.model_copy(update=longer)


TRIALS: Mapping[HostClass, Trial] = {
    # Emulated: RCU sends ticks to a CPU that the machine starves, up to 11 in 20 s beside eight busy loops;
    # without isolation there are 500 and more in 10 s.
    # A boot takes 45 to 120 s, and its deadman can always reach it: no need to wait long.
    "lab-vm": Trial(trial_s=300, watchdog_s=360, confirm_gap_s=10, timer_interrupts_max=50),
    "bare-metal": Trial(trial_s=1200, watchdog_s=1500),  # a server's firmware alone may take five minutes
    "cloud": Trial(),
}


class PtpEntry(Written):
    """Where the host's time comes from: the port whose hardware clock is kept; with `role` all of it."""

    port: PortName
    role: ClockRole | None = None
    serves: Annotated[tuple[PortName, ...], FailFast()] = ()
    domain: Annotated[int, Field(strict=True, ge=0, le=127)] = 0  # IEEE 1588-2019, 7.1: of standard profiles
    transport: Transport = "udp4"
    delay: Delay = "e2e"
    stamps: Stamps = "hardware"
    sources: Annotated[tuple[Address, ...], FailFast()] = ()
    watch: Annotated[tuple[Address, ...], FailFast()] = ()
    grandmasters: Annotated[tuple[ClockIdentity, ...], FailFast()] = ()
    utc_error_us_max: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 100
    watch_us_max: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    holdover_s_max: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 60

    @model_validator(mode="after")
    def _all_of_it_or_the_port_alone(self) -> Self:
        if self.role is None:
            said_of = ((name, one.default) for name, one in type(self).model_fields.items() if name != "port")
            others = [name for name, default in said_of if getattr(self, name) != default]
            if others:
                said = f"{others[0]} says how a clock is kept, and nobody said which part this host has"
                raise sentence(f"{said}: add role = one of grandmaster, boundary, client")
            return self
        try:
            check_wish(self.wish(self.port, self.serves))
        except ClockError as error:
            raise sentence(str(error)) from error
        return self

    def wish(self, port: str, serves: Sequence[str]) -> ClockWish:
        """The clock as it is planned; PORT and SERVES are the network devices that the words name."""
        assert self.role is not None, "a port alone is no clock"
        return ClockWish(
            role=self.role,
            port=port,
            serves=tuple(serves),
            domain=self.domain,
            transport=self.transport,
            delay=self.delay,
            stamps=self.stamps,
            sources=self.sources,
            watch=self.watch,
        )


class Jump(Written):
    """An sshd on the way to hosts that cannot be reached directly (ssh(1), -J); pinned like they are."""

    name: Name
    address: Address
    ssh_port: Annotated[int, Field(strict=True, ge=1, le=65_535)] = 22
    user: User = "root"
    ssh_key: KeyPath | None = None
    host_keys: Annotated[tuple[HostKey, ...], FailFast(), AfterValidator(_some)]

    @property
    def is_here(self) -> bool:
        """A jump host is another machine."""
        return False

    @property
    def jump(self) -> None:
        """A jump host is reached directly."""

    @property
    def patience(self) -> float:
        """A jump host is no emulated one."""
        return 1.0


class BmcEntry(Written):
    """A host's BMC: where, by which certificate it is known, and the file that holds `user:password`."""

    address: BmcUrl
    tls_sha256: Sha256
    credential: KeyPath
    console: KeyPath | None = None  # the file into which a console server writes what the host prints


class Host(Written):
    """One machine of the site."""

    name: Name
    address: Address
    ssh_port: Annotated[int, Field(strict=True, ge=1, le=65_535)] = 22
    user: User = "root"
    ssh_key: KeyPath | None = None
    host_class: HostClass = "bare-metal"
    role: HostRole
    failure_domain: Name
    profile: Name | None = None
    power: PowerKind = "none"
    bmc: BmcEntry | None = None
    canary: Annotated[bool, Field(strict=True)] = False
    patience: Annotated[float, Field(strict=True, ge=1, le=100, allow_inf_nan=False)] = 1.0
    jump: Jump | None = None
    ports: Annotated[tuple[PortEntry, ...], FailFast(), BeforeValidator(_port_list)] = ()
    ptp: PtpEntry | None = None
    identity: Identity | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is this machine, reached without SSH (inventory/here.py); no file can say so."""
        return False

    @property
    def named_ports(self) -> Ports:
        """The ports as the planner takes them."""
        return Ports(
            ports=tuple(one.port for one in self.ports), ptp=None if self.ptp is None else self.ptp.port
        )

    @model_validator(mode="after")
    def _bmc_is_there_for_redfish(self) -> Self:
        if (self.power == "redfish") != (self.bmc is not None):
            raise sentence(
                'power = "redfish" goes with bmc = { address = ..., tls_sha256 = ..., credential = ... }'
            )
        return self

    @model_validator(mode="after")
    def _ports_do_not_contradict(self) -> Self:
        uses = {one.word.lower(): one.use for one in self.ports if one.use == "management"}
        for one in self.ports:
            if one.use != uses.get(one.word.lower(), one.use):
                raise sentence(f"ports: {one.word} is for management, so it is for nothing else")
        for use in ("feed-a", "feed-b"):
            if sum(one.use == use for one in self.ports) > 1:
                raise sentence(f"ports: two ports for {use}; one carries it")
        return self

    @property
    def host_keys(self) -> tuple[str, ...]:
        """The pinned host keys, one of which ssh must see; none when the host is not enrolled."""
        return self.identity.host_keys if self.identity is not None else ()

    @property
    def machine_id(self) -> str | None:
        """The machine id of the enrolled machine, or None when the host is not enrolled."""
        return self.identity.machine_id if self.identity is not None else None


class Site(Written):
    """One site: the hosts operated together, under one lock, by one operator at a time."""

    name: Name
    hosts: Annotated[tuple[Host, ...], FailFast(), AfterValidator(_some)]
    profiles: Annotated[Mapping[Name, Profile], BeforeValidator(named_profiles)] = Field(default_factory=dict)
    trials: Mapping[HostClass, Trial] = Field(default_factory=dict)
    status_deadline_s: Deadline = 2.0
    limits_signers_sha256: Sha256 | None = (
        None  # of the allowed_signers file that a slot's first deploy brings
    )

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _refuse_twice("host name", (host.name for host in self.hosts))
        _refuse_twice("address and port", (_endpoint(host) for host in self.hosts))
        for host in self.hosts:
            if host.profile is not None and host.profile not in self.known_profiles:
                hint = nearest(host.profile, self.known_profiles)
                raise sentence(f"host {host.name!r}: there is no profile {host.profile!r}{hint}")
        known = [host.identity for host in self.hosts if host.identity is not None]
        _refuse_twice("machine id", (identity.machine_id for identity in known))
        _refuse_twice("host key", (key for identity in known for key in identity.host_keys))
        return self

    def host(self, name: str) -> Host:
        """The host of that name; KeyError when there is none (see `select` for operator input)."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def trial_of(self, host: Host) -> Trial:
        """The trial timings of a host: the site's own for its class, or the defaults."""
        return self.trials.get(host.host_class, TRIALS[host.host_class]).stretched(host.patience)

    def profile_of(self, host: Host) -> Profile | None:
        """The profile of a host, or None for a host that is not tuned."""
        return None if host.profile is None else self.known_profiles[host.profile]

    @property
    def known_profiles(self) -> dict[str, Profile]:
        """Every profile that a host of this site may use."""
        return {**PROFILES, **self.profiles}


def _endpoint(host: Host) -> str:
    """Where a host is reached: DNS names have no case (RFC 4343), and ::ffff:192.0.2.1 is 192.0.2.1."""
    address = host.address.lower()
    try:
        mapped = ipaddress.ip_address(address)
        address = str(getattr(mapped, "ipv4_mapped", None) or mapped)
    except ValueError:
        pass
    return f"{address} port {host.ssh_port}"


def _refuse_twice(what: str, values: Iterable[str]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise sentence(f"two hosts with the same {what}: {', '.join(repr(value) for value in twice)}")
