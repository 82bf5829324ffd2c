"""`engine.json`: the identity of a release, what it needs, and what it promises.

The manifest lists every other file of the artifact with its SHA-256, so the SHA-256 of the manifest's
canonical bytes identifies the whole release (its digest). It is never listed in itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from engine.contract.canonical import digest
from engine.contract.config import Port, VenueProfile
from engine.contract.levels import Level
from engine.contract.versioning import Document, Part, parse_version

Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


def _stays_inside(value: str) -> str:
    """One file has one name: without empty parts, `.` and `..`, so that two names are two files."""
    if {"", ".", ".."} & set(value.split("/")):
        raise ValueError("a path inside the artifact, in its shortest form")
    return value


RelativePath: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._/+-]{1,200}$"), AfterValidator(_stays_inside)
]
# systemd.service(5) reads `+`, `!`, `-`, `:` and `@` before a program as wishes, the first of them for root.
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._+-]{0,80}){1,12}|[A-Za-z0-9_][A-Za-z0-9._+-]{0,80}")


def _is_one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("one printable line")
    return value


Word: TypeAlias = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_is_one_line)]
ThreadRole: TypeAlias = Literal["md-rx", "hot", "order-tx", "journal", "repl", "admin", "other"]


class Identity(Part):
    """What `--version --json` prints."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    version: str
    build: str = Field(description="source revision or build-id; free text, one line")

    @field_validator("version")
    @classmethod
    def _is_a_version(cls, value: str) -> str:
        parse_version(value)
        return value


class Exec(Part):
    """How to start it: interpreter (found on PATH, may be absent), program file, fixed arguments."""

    interpreter: list[Word] = Field(
        default_factory=list, description="an absolute path or a plain name, then its arguments"
    )
    program: RelativePath
    arguments: list[Word] = Field(default_factory=list)

    @field_validator("interpreter")
    @classmethod
    def _is_a_program(cls, value: list[str]) -> list[str]:
        if value and _PROGRAM.fullmatch(value[0]) is None:
            raise ValueError("the first word is an absolute path or a plain name of a program")
        return value


class File(Part):
    """One file of the artifact."""

    path: RelativePath
    sha256: Sha256
    executable: bool = False


class Compat(Part):
    """Platform and protocol versions; a rollout is refused unless both engines of a pair overlap."""

    cpu: Literal["any", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"]
    libc: str = Field(description="minimum libc version, or `none`")
    journal_version_min: int = Field(ge=1)
    journal_version_max: int = Field(ge=1)
    replication_min: int = Field(ge=0)
    replication_max: int = Field(ge=0)
    state_digest: Literal["sha256"]


class Thread(Part):
    """One thread of the process; a thread that is not listed here fails conformance."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,15}$")] = Field(
        description="as in /proc/PID/task/TID/comm"
    )
    role: ThreadRole
    wants: Literal["isolated", "housekeeping"]
    policy: Literal["other", "fifo", "rr", "deadline"] = "other"
    priority: int = Field(default=0, ge=0, le=99)
    numa: Literal["nic", "any"] = "any"


class Memory(Part):
    """Memory to reserve for it."""

    hugepages_2m: int = Field(ge=0)
    hugepages_1g: int = Field(ge=0)
    locked_bytes: int = Field(ge=0)


class Nic(Part):
    """How it receives market data; orders always go through kernel sockets."""

    mode: Literal["kernel", "af_xdp", "dpdk", "onload"]
    feed: list[Literal["multicast", "unicast"]] = Field(min_length=1)


class PortNeed(Part):
    """A port it listens on, besides the feed; an engine needs none."""

    name: str
    protocol: Literal["tcp", "udp"]
    port: Port


class Budgets(Part):
    """Times it promises to meet; checks and drills verify them."""

    startup_ms: int = Field(ge=1, description="exec to READY=1")
    drain_ms: int = Field(ge=1)
    kill_ms: int = Field(ge=1, description="SIGUSR1 to the last cancel written")
    replication_lag_max: int = Field(ge=0, description="records")
    latency_ns: dict[str, dict[str, int]] = Field(
        default_factory=dict, description='host class to {"p50":..,"p99":..,"p999":..} of the user span'
    )


class PreDeployLimits(Part):
    """RTS 6 (EU 2017/589) article 8: set before an algorithm is deployed; without them it is refused."""

    instruments_max: int = Field(ge=1)
    order_price_max_e4: int = Field(ge=1)
    order_value_max_e4: int = Field(ge=1)
    orders_per_day_max: int = Field(ge=1)
    position_max: int = Field(ge=1)
    venues_max: int = Field(ge=1)


class Difference(Part):
    """A decision that may differ from the previous release, declared before a shadow run is judged."""

    id: str
    why: str


class Manifest(Document):
    """The whole of `engine.json`."""

    identity: Identity
    level: Level = Field(strict=False)  # a string in JSON, an enumeration here
    exec: Exec
    files: list[File] = Field(min_length=1, max_length=4096)
    compat: Compat
    venue_profiles: list[VenueProfile] = Field(default_factory=list)
    threads: list[Thread] = Field(min_length=1)
    memory: Memory
    nic: Nic
    ports: list[PortNeed] = Field(default_factory=list)
    budgets: Budgets
    pre_deploy_limits: PreDeployLimits
    decision_differences: list[Difference] = Field(default_factory=list)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        paths = [file.path for file in self.files]
        folders = {path[:at] for path in paths for at, c in enumerate(path) if c == "/"}
        if folders & {*paths, "engine.json"}:
            raise ValueError("files: a path is a file and a directory")
        if len(set(paths)) != len(paths) or "engine.json" in paths:
            raise ValueError("files: a path occurs twice, or engine.json itself is listed")
        if self.exec.program not in paths:
            raise ValueError(f"exec.program {self.exec.program!r} is not among files")
        if self.level is not Level.CORE and not self.venue_profiles:
            raise ValueError(f"level {self.level} needs a venue profile")
        if len({thread.name for thread in self.threads}) != len(self.threads):
            raise ValueError("threads: the same name twice")
        return self


def manifest_digest(document: object) -> str:
    """The digest of a release: over the document as written, including unknown fields."""
    return digest(document)
