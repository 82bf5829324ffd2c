"""A network port as a site's file has it: which, what for, and what its driver is told."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import FailFast, Field, model_validator

from inventory.profiles import sentence
from inventory.words import FlowAddress, InterfaceName, MacAddress, PciAddress
from inventory.written import Written
from tuning.plan.profile import BondMode, Flow, FlowProto, IoMode, Pause, Port, PortKey, Use


class FlowEntry(Written):
    """Frames to one IPv4 address, and to one port or any, and the queue that they come to."""

    proto: FlowProto
    address: FlowAddress
    port: Annotated[int, Field(strict=True, ge=1, le=65_535)] | None = None
    queue: Annotated[int, Field(strict=True, ge=0, le=1023)]

    @property
    def flow(self) -> Flow:
        """The flow as the planner takes it."""
        return Flow(proto=self.proto, address=self.address, port=self.port, queue=self.queue)


class PortEntry(Written):
    """One port of a host: which (by name, PCI address or MAC address), what for, and how frames come in."""

    name: InterfaceName | None = None
    pci: PciAddress | None = None
    mac: MacAddress | None = None
    use: Use
    io_mode: IoMode | None = None
    queues: Annotated[int, Field(strict=True, ge=1, le=1024)] | None = None
    rx_ring: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    tx_ring: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    pause: Pause | None = None
    flows: Annotated[tuple[FlowEntry, ...], FailFast()] = ()
    bond: BondMode | None = None

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        if sum(one is not None for one in (self.name, self.pci, self.mac)) != 1:
            raise sentence("a port is named by one of name, pci and mac")
        if self.bond is not None and self.name is None:
            raise sentence("a bond is named by its name")
        wishes = ("io_mode", "queues", "rx_ring", "tx_ring", "pause", "flows")
        named = [name for name in wishes if getattr(self, name) not in (None, ())]
        if self.use == "management" and named:
            raise sentence(f"the management port is never changed, so it has no {named[0]}")
        return self

    @property
    def port(self) -> Port:
        """The port as the planner takes it."""
        return Port(
            word=self.word,
            by=self.key,
            use=self.use,
            io_mode=self.io_mode,
            queues=self.queues,
            rx_ring=self.rx_ring,
            tx_ring=self.tx_ring,
            pause=self.pause,
            bond=self.bond,
            flows=tuple(one.flow for one in self.flows) or None,
        )

    @property
    def key(self) -> PortKey:
        """By what it is named."""
        return "name" if self.name is not None else "pci" if self.pci is not None else "mac"

    @property
    def word(self) -> str:
        """What names it."""
        return self.name or self.pci or self.mac or ""
