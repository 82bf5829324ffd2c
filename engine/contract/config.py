"""The run configuration that the bundle renders for an engine (`--config FILE`, JSON).

It is the same for every engine: the bundle plans CPUs, sockets, paths and ports, and passes them to the
engine. What is specific to one firm's engine goes into `strategy`, which the bundle passes through unread.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints, field_validator, model_validator

from engine.contract.versioning import Document, Part

Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
AbsolutePath: TypeAlias = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$")]
Address: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")]
Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9.]{1,8}$")]
Egress: TypeAlias = Literal["live", "shadow", "test"]
VenueProfile: TypeAlias = Literal["ouch5-2023-05", "ouch5-later"]
Idle: TypeAlias = Literal["spin", "yield", "backoff"]

_DURABILITY = re.compile(r"(none|durable|replica:[1-9]\d?)\Z")


class DpdkDevice(Part):
    """The device of a line that is received by polling it (DPDK); exactly one of the two."""

    pci: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")] | None = (
        Field(default=None, description="PCI address of a port that is bound to vfio-pci")
    )
    vdev: Annotated[str, StringConstraints(pattern=r"^net_[a-z_]+\d+(,.*)?$")] | None = Field(
        default=None, description="a virtual device with its arguments: tests and replays"
    )

    @model_validator(mode="after")
    def _is_one_device(self) -> Self:
        if (self.pci is None) == (self.vdev is None):
            raise ValueError("dpdk needs exactly one of pci and vdev")
        return self


class Dpdk(Part):
    """Settings common to all polled devices. A document with them lists `dpdk` in `critical`."""

    hugepages: bool = Field(default=True, description="false only without a hugepage pool: slower, for tests")
    descriptors: int = Field(default=2048, ge=64, le=32768, description="of each receive ring")


class Feed(Part):
    """One line of the market data feed, MoldUDP64 with ITCH 5.0 inside."""

    line: Literal["A", "B"]
    group: str = Field(description="IPv4 multicast group to join, or a unicast address to bind")
    port: Port
    interface: str = Field(description="IPv4 address of the interface to join on, or to report from")
    dpdk: DpdkDevice | None = Field(
        default=None, description="poll this device, not a kernel socket; the group must then be multicast"
    )

    @model_validator(mode="after")
    def _polled_is_multicast(self) -> Self:
        if self.dpdk is not None and not IPv4Address(self.group).is_multicast:
            raise ValueError(f"feed {self.line}: dpdk needs a multicast group: a polled port answers no ARP")
        return self


class Endpoint(Part):
    """An IPv4 address and a port."""

    host: str
    port: Port


class Gateway(Endpoint):
    """The order gateway and the session to log in to behind it."""

    user: Annotated[str, StringConstraints(max_length=6)]
    password: Annotated[str, StringConstraints(max_length=10)]
    session: Annotated[str, StringConstraints(max_length=10)] = ""


class DropCopy(Endpoint):
    """A read-only session; without a user it logs in as the gateway's user."""

    user: Annotated[str, StringConstraints(max_length=6)] = ""
    password: Annotated[str, StringConstraints(max_length=10)] = ""


class Strategy(Part):
    """Passed through unread; `none` sends no orders by itself, as conformance runs require."""

    name: str = "none"


class Config(Document):
    """Everything an engine is given at start."""

    name: str
    slot: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,16}$")]
    egress: Egress
    venue_profile: VenueProfile
    feeds: list[Feed] = Field(min_length=1, max_length=2)
    dpdk: Dpdk | None = Field(default=None, description="for feeds with a `dpdk` device")
    rerequest: Endpoint | None = Field(description="MoldUDP64 request server (UDP)")
    feed_stale_ms: int = Field(ge=1, description="age of the last packet from which the feed counts as stale")
    feed_sources: list[Address] = Field(
        default_factory=list,
        description="the venue's senders; datagrams of anybody else are dropped and counted; empty: any. "
        "A document with senders lists the field in `critical`",
    )
    feed_session: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = Field(
        default=None, description="the only MoldUDP64 session to take; null: the first one that is proven"
    )
    order_age_max_ms: int = Field(
        default=5_000,
        ge=1,
        description="no order leaves that waited longer, nor one that waited while the process stood "
        "still for longer",
    )
    link_silence_max_ms: int = Field(
        default=15_000,
        ge=1,
        description="a gateway that says nothing for so long is given up (SoupBinTCP: 15 s)",
    )
    gateway: Gateway | None = Field(description="null at level `core`")
    standby_link: bool = Field(
        default=False,
        description="hold an admitted link while there is no epoch, so that a gateway may fence this engine "
        "in (an engine need not know it)",
    )
    dropcopy: DropCopy | None = Field(
        default=None, description="SoupBinTCP copy of the account's responses, replayed from sequence 1"
    )
    ticket_socket: AbsolutePath | None = Field(description="the host's ticket issuer; null on a test gateway")
    admin_socket: AbsolutePath
    metrics_page: AbsolutePath
    journal_directory: AbsolutePath
    latch_file: AbsolutePath
    limits_file: AbsolutePath
    allowed_signers: AbsolutePath = Field(description="ssh-keygen(1) ALLOWED SIGNERS for the limits file")
    ring_bytes: int = Field(ge=4096)
    durability: str = Field(description="none | durable | replica:N: when an order may leave")
    idle: Idle
    cpus: dict[str, list[int]] = Field(description="thread role to CPUs, as planned; empty list: not pinned")
    drain_timeout_ms: int = Field(ge=0)
    strategy: Strategy = Strategy()

    @field_validator("feed_sources")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for one in value:
            IPv4Address(one)
        return value

    @field_validator("durability")
    @classmethod
    def _is_a_durability(cls, value: str) -> str:
        if _DURABILITY.match(value) is None:
            raise ValueError("one of none, durable, replica:N")
        return value

    @model_validator(mode="after")
    def _polled_lines_are_told(self) -> Self:
        polled = [feed.dpdk for feed in self.feeds if feed.dpdk is not None]
        if polled and "dpdk" not in self.critical:
            # An engine without DPDK would ignore the field and open a socket on an interface that is gone.
            raise ValueError("a feed names a dpdk device: `critical` must list dpdk")
        if len({device.pci or str(device.vdev).partition(",")[0] for device in polled}) != len(polled):
            raise ValueError("feeds: both lines use the same dpdk device; each needs its own")
        return self

    @model_validator(mode="after")
    def _senders_are_told(self) -> Self:
        if self.feed_sources and "feed_sources" not in self.critical:
            # An engine that does not know the field would trust every sender.
            raise ValueError("feed_sources names senders: `critical` must list feed_sources")
        return self

    @model_validator(mode="after")
    def _lines_differ(self) -> Self:
        if len({feed.line for feed in self.feeds}) != len(self.feeds):
            raise ValueError("feeds: the same line twice")
        return self
