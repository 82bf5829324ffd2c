"""What a person says of a standby on AWS: one typed model; the keys of Pulumi's configuration are its fields.

Values of Pulumi's configuration are text, so they are read leniently as to type and strictly as to
content: an unknown mode, a public network, a zone of another region are refused here, before a program
runs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from stacks.core.errors import CoreError

Mode: TypeAlias = Literal["hot_shadow", "warm", "pilot", "cold"]
Prefer: TypeAlias = Literal["latency", "timestamps", "reach"]
MODES: tuple[Mode, ...] = ("hot_shadow", "warm", "pilot", "cold")
_PRIVATE = tuple(ipaddress.IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def _private(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("a network such as 10.20.0.0/20, without host bits") from None
    if not isinstance(network, ipaddress.IPv4Network) or not any(map(network.subnet_of, _PRIVATE)):
        raise ValueError("a private network (RFC 1918)")
    return value


def _vpc(value: str) -> str:
    if not 16 <= ipaddress.ip_network(_private(value)).prefixlen <= 24:
        raise ValueError("a prefix from /16 to /24")
    return value


def _text(pattern: str, words: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(words)
        return value

    return AfterValidator(check)


Tag: TypeAlias = Annotated[str, _text(r"[A-Za-z0-9@.][A-Za-z0-9 @._-]{0,63}", "letters, digits, @ . _ -")]


class StandbyConfig(BaseModel):
    """A standby of one site in one region."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    region: Annotated[str, _text(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-west-2")]
    site: Annotated[str, _text(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", "lower-case letters, digits, -")]
    owner: Tag
    data_class: Tag = "confidential"
    generation: int = Field(ge=1, le=2**31, default=1)
    mode: Mode = "warm"
    prefer: Prefer = "timestamps"
    needs_phc: bool = True
    zone_id: Annotated[str, _text(r"[a-z]+\d-(?:[a-z]+\d-)*az\d+", "a zone's id such as euw2-az1")] | None = (
        None
    )
    instance_type: (
        Annotated[str, _text(r"[a-z0-9-]+\.[a-z0-9-]+", "a type such as c8a.metal-24xl")] | None
    ) = None
    engine_hosts: int = Field(ge=1, le=8, default=2)
    cores_min: int = Field(ge=2, le=192, default=16)
    memory_gib_max: int = Field(ge=16, le=4096, default=512)
    reserve_capacity: bool = False
    ami: Annotated[str, _text(r"ami-[0-9a-f]{8,17}", "an image such as ami-0123456789abcdef0")]
    vpc_cidr: Annotated[str, AfterValidator(_vpc)] = "10.77.0.0/20"
    colo_cidr: Annotated[str, AfterValidator(_private)]
    transit_gateway_id: Annotated[
        str, _text(r"tgw-[0-9a-f]{8,17}", "a transit gateway such as tgw-0123456789abcdef0")
    ]
    replication_port: int = Field(ge=1024, le=65_535, default=7400)
    journal_gib: int = Field(ge=16, le=16_384, default=200)
    journal_iops: int = Field(ge=1000, le=64_000, default=16_000)
    hourly_price: float | None = Field(gt=0, default=None)  # of one engine host, in the account's currency

    @model_validator(mode="after")
    def _fits(self) -> Self:
        ours, theirs = ipaddress.ip_network(self.vpc_cidr), ipaddress.ip_network(self.colo_cidr)
        if ours.overlaps(theirs):
            raise ValueError(
                f"vpcCidr {self.vpc_cidr} overlaps coloCidr {self.colo_cidr}, so nothing is routed"
            )
        if self.journal_iops > 500 * self.journal_gib:
            raise ValueError(
                f"journalIops {self.journal_iops} is more than 500 for each of {self.journal_gib} GiB"
            )
        if self.reserve_capacity and self.mode == "cold":
            raise ValueError("reserveCapacity pays for hosts that mode cold never starts")
        return self


def read_config(get: Callable[[str], str | None], *, region: str) -> StandbyConfig:
    """The configuration behind GET (key in camelCase -> text); CoreError with one sentence for a fault."""
    written = {to_camel(name): get(to_camel(name)) for name in StandbyConfig.model_fields if name != "region"}
    return checked({key: value for key, value in written.items() if value is not None} | {"region": region})


def checked(values: Mapping[str, object]) -> StandbyConfig:
    """VALUES by key as a configuration; CoreError with one sentence."""
    try:
        return StandbyConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(step) for step in first["loc"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise CoreError(f"{_said(key, first['type'], first['msg'], first['input'])}{more}") from error


def _said(key: str, kind: str, message: str, seen: object) -> str:
    if kind == "missing":
        return f"{key} is missing; hint: pulumi config set {key} VALUE"
    if kind == "extra_forbidden":
        return f"there is no key {key}; hint: Pulumi.yaml describes them all"
    said = message.removeprefix("Value error, ").removeprefix("Input should be ")
    if not key:
        return said
    expected = f"expected {said}"
    return f"{key}: {expected}, got {str(seen)[:80]!r}"
