"""What a look at a host answered (engine/host/look.py), typed at the edge; nothing of it is believed further.

A host may be broken or hostile: a field of the wrong type is a refusal here, and text from it goes through
`printable` before anybody reads it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.record import last_name
from deploys.agent_client.record import open_trial
from deploys.errors import DeployError
from transport.sanitize import printable
from tuning import grammar
from tuning.cpuset import CPU_LIMIT
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.strict_json import ShapeError, Table, parse
from tuning.topology.platform import runs_preempt_rt

LEADING = frozenset({"ACTIVE", "REDUCING", "DRAINING"})
TEXT_MAX = 1 << 20
PLAN_MAX = 4 << 20
KEYS = frozenset(
    {
        *(
            "schema",
            "machine_id",
            "agent_version",
            "plan",
            "state",
            "cmdline",
            "realtime",
            "version",
            "machine",
        ),
        *("cpu_flags", "libc", "memory_kib", "addresses", "programs", "files", "release", "releases", "link"),
        *("texts", "other_slots", "units", "status", "ticket_key", "journals"),
    }
)
MEMORY = ("hugepages_2m", "hugepages_1g", "locked_bytes")
_DIGEST = re.compile(r"[0-9a-f]{64}|absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit of the host."""

    active: bool
    enabled: bool
    exe: str | None  # hex SHA-256 of what its main process runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One IPv4 address of the host."""

    interface: str
    address: str
    prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """What a running engine says of itself."""

    state: str
    open_orders: int
    artifact_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What another slot of the host has; memory is None when nobody can say."""

    cpus: frozenset[int]
    feeds: frozenset[tuple[str, int]]  # group, port
    memory: Mapping[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at one host."""

    machine_id: str
    agent_version: str | None
    plan: Plan | None
    committed_hash: str | None
    open_trial: str | None
    is_trial_boot: bool
    is_realtime: bool
    machine: str
    cpu_flags: frozenset[str]
    libc: str | None
    memory_kib: int
    addresses: tuple[Address, ...]
    programs: Mapping[str, str | None]
    files: Mapping[str, str]
    texts: Mapping[str, str | None] = field(repr=False)  # the configuration holds a password
    release: str | None  # why the release is not there, None when it is, by hashes
    releases: tuple[str, ...]
    link: str | None
    others: Mapping[str, Taken]
    units: Mapping[str, Unit]
    status: EngineStatus | None
    ticket_key: str | None
    last_txn: str = ""  # the greatest name of a transaction there

    @property
    def is_leading(self) -> bool:
        """Whether orders may be open or leave; an engine that does not answer is not asked twice."""
        status = self.status
        return status is not None and (status.state in LEADING or status.open_orders > 0)


def parse_seen(host: str, answer: Table) -> Seen:
    """The typed look; DeployError when the answer is not one."""
    try:
        return _seen(answer.closed(KEYS))
    except ShapeError as error:
        raise DeployError(host, f"its answer cannot be read: {error}") from error
    except PlanError as error:
        raise DeployError(host, f"the plan it keeps cannot be read: {printable(str(error))}") from error


def _seen(answer: Table) -> Seen:
    state = Table.of(parse(answer.text_or_none("state", size_max=TEXT_MAX) or "{}"), "state")
    committed, plan = state.table_or_none("committed"), answer.text_or_none("plan", size_max=PLAN_MAX)
    return Seen(
        machine_id=answer.text_or_none("machine_id") or "",
        agent_version=answer.text_or_none("agent_version") or None,
        plan=Plan.from_json(plan) if plan else None,
        committed_hash=committed.text_or_none("plan_hash") if committed else None,
        open_trial=open_trial(state.fields.get("trial")),
        is_trial_boot="hft.txn=" in (answer.text_or_none("cmdline") or ""),
        is_realtime=runs_preempt_rt(answer.text_or_none("realtime"), answer.text_or_none("version")),
        machine=answer.text("machine"),
        cpu_flags=frozenset(answer.texts("cpu_flags")),
        libc=answer.text_or_none("libc"),
        memory_kib=answer.integer("memory_kib"),
        addresses=tuple(_address(one) for one in answer.rows("addresses")),
        programs=answer.text_or_none_map("programs"),
        files=_digests(answer),
        texts=answer.text_or_none_map("texts", size_max=TEXT_MAX),
        release=answer.text_or_none("release"),
        releases=answer.texts("releases"),
        link=answer.text_or_none("link"),
        others={name: _taken(one) for name, one in answer.tables("other_slots")},
        units={_unit_name(name): _unit(one) for name, one in answer.tables("units")},
        status=_status(answer.table_or_none("status")),
        ticket_key=answer.text_or_none("ticket_key"),
        last_txn=last_name(answer.texts("journals") if "journals" in answer.fields else (), state.fields),
    )


def _address(one: Table) -> Address:
    """A name of an interface (dev_valid_name() of the kernel: no blank, no slash), an IPv4 address."""
    interface, address = one.text("interface", size_max=15), one.text("address", size_max=15)
    if not interface.isprintable() or " " in interface:
        raise ShapeError(f"{one.where}.interface: not a name of an interface")
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        raise ShapeError(f"{one.where}.address: not an IPv4 address") from None
    return Address(interface=interface, address=address, prefix=one.integer("prefix", most=32))


def _digests(answer: Table) -> dict[str, str]:
    found = answer.text_map("files", size_max=64)
    if not all(_DIGEST.fullmatch(digest) for digest in found.values()):
        raise ShapeError("files: a value is neither a SHA-256 nor absent")
    return found


def _unit_name(name: str) -> str:
    if not grammar.UNIT.fullmatch(name):
        raise ShapeError("units: a name is none of a unit")
    return name


def _unit(one: Table) -> Unit:
    return Unit(
        active=one.flag("active"), enabled=one.flag("enabled"), exe=one.text_or_none("exe", size_max=64)
    )


def _status(found: Table | None) -> EngineStatus | None:
    if found is None:
        return None
    return EngineStatus(
        state=found.text("state", size_max=32),
        open_orders=found.integer("open_orders"),
        artifact_digest=found.text_or_none("artifact_digest", size_max=128),
    )


def _taken(one: Table) -> Taken:
    memory = one.table_or_none("memory")
    return Taken(
        cpus=_cpus(one.table("cpus")),
        feeds=frozenset(
            (row.text("group", size_max=64), row.integer("port", most=65_535)) for row in one.rows("feeds")
        ),
        memory=None if memory is None else {name: memory.integer(name) for name in MEMORY},
    )


def _cpus(roles: Table) -> frozenset[int]:
    return frozenset(cpu for role in roles.fields for cpu in roles.integers(role, most=CPU_LIMIT - 1))
