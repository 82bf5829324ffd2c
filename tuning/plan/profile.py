"""Profile: what a host must provide, in numbers that adapt to its size.

A profile never names CPUs. It says how many threads spin and how much memory they pin, each as *at least* and
*at most*; the planner grants as much as the host has and refuses below the minimum. The built-in `engine`
fits everything from a four-CPU virtual machine to a rack server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

from tuning.errors import ProfileError

IoMode = Literal["kernel_interrupt", "kernel_busy_poll", "onload", "af_xdp", "dpdk"]
Power = Literal["steady", "turbo", "as-is"]
Swap = Literal["off", "as-is"]
Use = Literal["orders", "feed-a", "feed-b", "replication", "management"]
Pause = Literal["on", "off"]
FlowProto = Literal["tcp", "udp"]
BondMode = Literal["active-backup", "lacp"]
PortKey = Literal["name", "pci", "mac"]
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Frames to one address, and to one port or (None) any port of it, go to one queue, counted from 0."""

    proto: FlowProto
    address: str
    port: int | None = None
    queue: int

    def meets(self, other: Flow) -> bool:
        """Whether one frame could be of both."""
        same = (self.proto, self.address) == (other.proto, other.address)
        return same and (self.port == other.port or None in (self.port, other.port))

    @property
    def word(self) -> str:
        """The rule as tuning/nic_table.py writes it."""
        port = "any" if self.port is None else self.port
        return f"{self.proto}/{self.address}/{port}/{self.queue}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One port that a person named: by its name, PCI address or MAC address, what it is used for, and how.

    `queues`: combined channels; `rx_ring` and `tx_ring`: descriptors of each queue; `pause`: whether frames
    of flow control are honoured and sent; `flows`: which frames go to which of the queues. None leaves what
    the driver has. `bond`: the word is a bond's name, of this mode; what is said of it holds for each member.
    """

    word: str
    use: Use
    by: PortKey = "name"
    io_mode: IoMode | None = None
    queues: int | None = None
    rx_ring: int | None = None
    tx_ring: int | None = None
    pause: Pause | None = None
    flows: tuple[Flow, ...] | None = None
    bond: BondMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What only a person knows: which port is for what, and which one has the clock (by any of its words).

    Nothing named: the planner guesses, and says so.
    """

    ports: tuple[Port, ...] = ()
    ptp: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a host of this kind must offer; counts are whole cores, one hot thread each.

    `poll_threads_per_port`: each named trading port has at least that many cores that poll it.
    `isolated_cores_min`: cores that no thread of the profile takes are isolated, too, until there are so
    many; `isolated_cores_most` None: at most three quarters of all. `housekeeping_cores_per_node_min` stay
    on every node where a core is isolated, or the host is refused.
    `pages_1gib` are reserved on the hot node at boot, all of them or the host is refused; pages of 2 MiB get
    what is left of the share. `io_mode` None: busy polling where the kernel has it, interrupts on PREEMPT_RT.
    `power`: `turbo` as fast as it gets, `steady` one frequency, `as-is` leaves frequency and idle states
    alone. `swap` `off`: no boot takes swap of this host into use.
    """

    name: str
    engine_threads_min: int = 1
    engine_threads_most: int = 4
    poll_threads_min: int = 0
    poll_threads_most: int = 2
    poll_threads_per_port: int = 0
    isolated_cores_min: int = 0
    isolated_cores_most: int | None = None
    housekeeping_cores_per_node_min: int = 0
    irq_cores_most: int = 1
    ptp_cores_most: int = 1
    hugepage_bytes_min: int = 0
    hugepage_bytes_most: int = 1024 * MIB
    hugepage_share_most: float = 0.125
    pages_1gib: int = 0
    io_mode: IoMode | None = None
    power: Power = "turbo"
    swap: Swap = "as-is"
    kernel_release: str | None = None

    def __post_init__(self) -> None:
        """Refuse contradictions where they are written, not in the planner."""
        for what in ("engine_threads", "poll_threads", "hugepage_bytes"):
            least, most = getattr(self, f"{what}_min"), getattr(self, f"{what}_most")
            if not 0 <= least <= most:
                raise ProfileError(self.name, f"{what}_min {least} and {what}_most {most} contradict")
        if self.engine_threads_min < 1:
            raise ProfileError(self.name, "engine_threads_min must be at least 1")
        if self.pages_1gib < 0:
            raise ProfileError(self.name, "pages_1gib must not be negative")
        self._refuse_counts()
        if self.irq_cores_most < 0 or self.ptp_cores_most < 0:
            raise ProfileError(self.name, "irq_cores_most and ptp_cores_most must not be negative")
        if not 0 <= self.hugepage_share_most <= 0.5:
            raise ProfileError(
                self.name,
                f"hugepage_share_most {self.hugepage_share_most} is outside 0 to 0.5"
                " (an over-allocated pool hangs a PREEMPT_RT kernel at boot)",
            )
        for what, kind in (("io_mode", IoMode), ("power", Power), ("swap", Swap)):
            value = getattr(self, what)
            if value not in get_args(kind) and (what, value) != ("io_mode", None):
                known = ", ".join(get_args(kind))
                raise ProfileError(self.name, f"{what} is {value!r}, not one of {known}")

    def _refuse_counts(self) -> None:
        least, most = self.isolated_cores_min, self.isolated_cores_most
        for what in ("poll_threads_per_port", "isolated_cores_min", "housekeeping_cores_per_node_min"):
            if getattr(self, what) < 0:
                raise ProfileError(self.name, f"{what} must not be negative")
        hot = self.engine_threads_min + self.poll_threads_min
        if most is not None and most < max(least, hot):
            wanted = f"isolated_cores_min {least}" if least > hot else f"{hot} hot threads at least"
            raise ProfileError(self.name, f"isolated_cores_most {most} and {wanted} contradict")

    @classmethod
    def from_mapping(cls, builder: Mapping[str, object]) -> Profile:
        """A profile from plain values of an inventory; an unknown key is rejected with the closest match."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for key, value in builder.items():
            if key not in fields:
                near = get_close_matches(key, fields, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(fields)}"
                raise ProfileError("", f"unknown key {key!r}{hint}")
            _check_type(key, value, str(fields[key].type))
        if "name" not in builder:
            raise ProfileError("", "key 'name' is missing")
        return cls(**builder)  # type: ignore[arg-type] # _check_type held every value to its field


def _check_type(key: str, value: object, wanted: str) -> None:
    accepted: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "int | None": (int, type(None)),
        "str | None": (str, type(None)),
        "IoMode | None": (str, type(None)),
    }
    if isinstance(value, bool) or not isinstance(value, accepted.get(wanted, (str,))):
        raise ProfileError("", f"{key} is {value!r}, expected {wanted}")


ENGINE = Profile(name="engine")
PROFILES: dict[str, Profile] = {ENGINE.name: ENGINE}


def profile_named(name: str) -> Profile:
    """The shipped profile of this name."""
    if name not in PROFILES:
        near = get_close_matches(name, PROFILES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ProfileError(name, f"there is none; known: {', '.join(PROFILES)}{hint}")
    return PROFILES[name]
