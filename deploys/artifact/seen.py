"""What a look at a host answered (engine/host/look.py), typed at the edge; nothing of it is believed further.

A host may be broken or hostile: a field of the wrong type is a refusal here, and text from it goes through
`printable` before anybody reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploys.errors import DeployError
from deploys.text import printable
from tuning.errors import PlanError
from tuning.plan import Plan
from tuning.platform import runs_preempt_rt

OPEN_TRIAL = frozenset({"staged", "armed", "booted", "healthy"})
LEADING = frozenset({"ACTIVE", "REDUCING", "DRAINING"})


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
    other_cpus: Mapping[str, frozenset[int]]
    units: Mapping[str, Unit]
    status: Mapping[str, Any] | None
    ticket_key: str | None

    @property
    def is_leading(self) -> bool:
        """Whether orders may be open or leave; an engine that does not answer is not asked twice."""
        status = self.status or {}
        return status.get("state") in LEADING or bool(status.get("open_orders"))


def parse_seen(host: str, answer: Mapping[str, Any]) -> Seen:
    """The typed look; DeployError when the answer is not one."""
    try:
        return _seen(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DeployError(f"{host}: its answer cannot be read: {printable(repr(error))}") from error
    except PlanError as error:
        raise DeployError(f"{host}: the plan it keeps cannot be read: {printable(str(error))}") from error


def _seen(answer: Mapping[str, Any]) -> Seen:
    state = json.loads(answer["state"] or "{}")
    trial, committed = state.get("trial") or {}, state.get("committed") or {}
    return Seen(
        machine_id=str(answer["machine_id"] or ""),
        agent_version=_text(answer["agent_version"]) or None,
        plan=Plan.from_json(answer["plan"]) if answer["plan"] else None,
        committed_hash=_text(committed.get("plan_hash")),
        open_trial=str(trial.get("txn")) if trial.get("state") in OPEN_TRIAL else None,
        is_trial_boot="hft.txn=" in str(answer["cmdline"] or ""),
        is_realtime=runs_preempt_rt(_text(answer["realtime"]), _text(answer["version"])),
        machine=str(answer["machine"]),
        cpu_flags=frozenset(str(flag) for flag in answer["cpu_flags"]),
        libc=_text(answer["libc"]),
        memory_kib=int(answer["memory_kib"]),
        addresses=tuple(Address(**one) for one in answer["addresses"]),
        programs={str(name): _text(place) for name, place in answer["programs"].items()},
        files={str(path): str(digest) for path, digest in answer["files"].items()},
        texts={str(path): _text(content) for path, content in answer["texts"].items()},
        release=_text(answer["release"]),
        releases=tuple(str(name) for name in answer["releases"]),
        link=_text(answer["link"]),
        other_cpus={str(name): _cpus(roles) for name, roles in answer["other_slots"].items()},
        units={str(name): Unit(**unit) for name, unit in answer["units"].items()},
        status=answer["status"],
        ticket_key=_text(answer["ticket_key"]),
    )


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value


def _cpus(roles: Mapping[str, list[int]]) -> frozenset[int]:
    return frozenset(int(cpu) for cpus in roles.values() for cpu in cpus)
