"""Plan: the one object that everything is rendered from; printable, hashed and self-explanatory.

`plan_hash` is the SHA-256 of the canonical JSON (sorted keys, no spaces) of everything else, every `why`
included, so two plans are equal exactly when their hashes are, and what an operator approved can be bound to
what is applied. docs/schema/plan.schema.json documents the JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan.refusal import Refusal
from tuning.plan.setting import KernelArg, Setting, setting_from_dict, setting_to_dict
from tuning.strict_json import parse

SCHEMA = 1
CpuRole = Literal["housekeeping", "irq", "ptp", "poll", "engine", "spare"]
ROLES: tuple[CpuRole, ...] = get_args(CpuRole)
ISOLATED_ROLES: tuple[CpuRole, ...] = ("poll", "engine", "spare")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuDecision:
    """One usable CPU, its role and why; node -1 means that its NUMA node is not known."""

    cpu: int
    node: int
    role: CpuRole
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The desired state of one host."""

    profile: str
    topology_digest: str
    cpus: tuple[CpuDecision, ...]
    settings: tuple[Setting, ...]
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    kernel_release: str | None = None

    def cpus_of(self, *roles: CpuRole) -> CpuSet:
        """The CPUs that have one of these roles."""
        return CpuSet.of(decision.cpu for decision in self.cpus if decision.role in roles)

    @property
    def isolated(self) -> CpuSet:
        """CPUs kept free of kernel noise: poll, engine and spare."""
        return self.cpus_of(*ISOLATED_ROLES)

    @property
    def housekeeping(self) -> CpuSet:
        """Every usable CPU that is not isolated."""
        return self.cpus_of(*(role for role in ROLES if role not in ISOLATED_ROLES))

    def kernel_args(self) -> tuple[str, ...]:
        """The command line arguments in order, which matters for hugepagesz and hugepages."""
        return tuple(setting.text for setting in self.settings if isinstance(setting, KernelArg))

    @property
    def plan_hash(self) -> str:
        """SHA-256 of the canonical JSON of everything else."""
        return _hash(self._body())

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        body = self._body()
        return _canonical({**body, "plan_hash": _hash(body)})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan; refused when the schema is unknown, a field is wrong or the hash does not match."""
        try:
            document = parse(text)
            if not isinstance(document, dict) or repr(document.get("schema")) != repr(SCHEMA):
                raise ValueError(f"expected schema {SCHEMA}")
            plan = _from_document(document)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PlanError("bad_document", f"not a plan: {_sentence(error)}") from error
        if document.get("plan_hash") != plan.plan_hash:
            raise PlanError(
                "bad_document", "the plan hash does not match the content: the plan was edited; plan again"
            )
        return plan

    def _body(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "profile": self.profile,
            "topology_digest": self.topology_digest,
            "kernel_release": self.kernel_release,
            "cpus": [
                {"cpu": one.cpu, "node": one.node, "role": one.role, "why": one.why} for one in self.cpus
            ],
            "settings": [setting_to_dict(setting) for setting in self.settings],
            "refused": [
                {"key": one.key, "code": one.code.value, "reason": one.reason} for one in self.refused
            ],
            "notes": list(self.notes),
        }


def _from_document(document: Mapping[str, object]) -> Plan:
    kernel_release = document.get("kernel_release")
    return Plan(
        profile=_text(document["profile"]),
        topology_digest=_text(document["topology_digest"]),
        cpus=tuple(_decision(one) for one in _objects(document, "cpus")),
        settings=tuple(setting_from_dict(one) for one in _objects(document, "settings")),
        refused=tuple(Refusal.from_dict(one) for one in _objects(document, "refused")),
        notes=tuple(_text(one) for one in _list(document.get("notes", []))),
        kernel_release=None if kernel_release is None else _text(kernel_release),
    )


def _decision(one: Mapping[str, object]) -> CpuDecision:
    cpu, node, role = one["cpu"], one["node"], one["role"]
    if not isinstance(cpu, int) or not isinstance(node, int) or cpu < 0 or role not in ROLES:
        raise ValueError(f"not a CPU decision: {dict(one)!r}")
    return CpuDecision(cpu=cpu, node=node, role=role, why=_text(one["why"]))


def _objects(document: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = _list(document[name])
    if not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} must be a list of objects")
    return [one for one in found if isinstance(one, dict)]


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, not {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {type(value).__name__}")
    return value


def _sentence(error: Exception) -> str:
    return f"key {error} is missing" if isinstance(error, KeyError) else str(error)


def _canonical(document: Mapping[str, object]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _hash(body: Mapping[str, object]) -> str:
    return hashlib.sha256(_canonical(body).encode()).hexdigest()
