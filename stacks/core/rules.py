"""The rules that every planned resource is held to. A table: what, why, for which types, and the judge.

A judge yields one sentence for each thing that is wrong. It asks only for what it needs, so a value that
is not known before the resource exists makes that rule undecided for that resource, which is told and is
no pass. What the API itself would refuse is not repeated here, except enumerations: neither the SDK nor a
preview looks at them, and a misspelt one fails in the middle of an update.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from stacks.core.facts import Facts
from stacks.core.planned import Planned, UndecidedError, blocks, known, value_at

Judge: TypeAlias = Callable[[Planned], Iterable[str]]
Outcome: TypeAlias = Literal["violated", "undecided"]

INSTANCE = "aws:ec2/instance:Instance"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
SUBNET = "aws:ec2/subnet:Subnet"
EIP = "aws:ec2/eip:Eip"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
VOLUME = "aws:ebs/volume:Volume"
KEY = "aws:kms/key:Key"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ROUTE = "aws:ec2/route:Route"
PLACEMENT = "aws:ec2/placementGroup:PlacementGroup"
RESERVATION = "aws:ec2/capacityReservation:CapacityReservation"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
BUCKET = "aws:s3/bucket:Bucket"

ROLE, PURPOSE, CLOCK = "hft:role", "hft:purpose", "hft:clock"
TAGS = ("owner", "stack", "generation", "data-class")
WIDEST = 8  # a prefix shorter than this is no private network
_AWS_KEY = "alias/aws/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `id` is what a run names."""

    id: str
    why: str
    types: tuple[str, ...]
    judge: Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule about one resource, where it is not simply kept."""

    rule: str
    resource: str
    outcome: Outcome
    said: str


def judge(rule: Rule, planned: Planned) -> Iterator[Verdict]:
    """What RULE says of a resource; nothing where it is kept, or is not about that type."""
    if planned.type not in rule.types:
        return
    try:
        for said in rule.judge(planned):
            yield Verdict(rule=rule.id, resource=planned.name, outcome="violated", said=said)
    except UndecidedError as error:
        said = f"{error} is not known before it is made"
        yield Verdict(rule=rule.id, resource=planned.name, outcome="undecided", said=said)


def judge_all(rules: Sequence[Rule], resources: Iterable[Planned]) -> list[Verdict]:
    """Every verdict, in the order of the resources."""
    return [verdict for planned in resources for rule in rules for verdict in judge(rule, planned)]


def _no_public_address(planned: Planned) -> Iterator[str]:
    match planned.type:
        case "aws:ec2/instance:Instance":
            if planned.get("associatePublicIpAddress") is not False:
                yield "associatePublicIpAddress has to be false; left out, the subnet decides"
        case "aws:ec2/launchTemplate:LaunchTemplate":
            for block in blocks(planned.inputs, "networkInterfaces"):
                if str(value_at(block, "associatePublicIpAddress", "")).lower() != "false":
                    yield "networkInterfaces.associatePublicIpAddress has to be false"
        case "aws:ec2/subnet:Subnet":
            if planned.get("mapPublicIpOnLaunch", False):
                yield "mapPublicIpOnLaunch gives every host a public address"
        case _:
            yield f"{planned.type.rpartition(':')[2]} leads to the Internet; hosts are reached over SSM"


def _imdsv2(planned: Planned) -> Iterator[str]:
    if planned.get("metadataOptions.httpTokens") != "required":
        yield "metadataOptions.httpTokens has to be 'required' (IMDSv2)"
    if planned.get("metadataOptions.httpPutResponseHopLimit") != 1:
        yield "metadataOptions.httpPutResponseHopLimit has to be 1, so that no container forwards credentials"


def _encrypted(planned: Planned) -> Iterator[str]:
    if planned.type == VOLUME:
        yield from _is_encrypted(planned.inputs, "")
        return
    root = known(planned.inputs.get("rootBlockDevice"), "rootBlockDevice")
    yield from _is_encrypted(root if isinstance(root, Mapping) else {}, "rootBlockDevice.")
    for block in blocks(planned.inputs, "ebsBlockDevices"):
        yield from _is_encrypted(block, "ebsBlockDevices.")


def _is_encrypted(block: Mapping[str, Any], where: str) -> Iterator[str]:
    if value_at(block, "encrypted") is not True:
        yield f"{where}encrypted has to be true"
    key = value_at(block, "kmsKeyId", "")
    if not key or str(key).startswith(_AWS_KEY):
        yield f"{where}kmsKeyId has to be a key of ours, not the account's default"


def _closed(planned: Planned) -> Iterator[str]:
    if planned.type == GROUP:
        for side in ("ingress", "egress"):
            if planned.get(side):
                yield f"{side} rules are resources of their own, so that each is seen and judged"
        return
    for path in ("cidrIpv4", "cidrIpv6", "destinationCidrBlock", "destinationIpv6CidrBlock"):
        written = planned.get(path)
        if written is not None and _is_wide(str(written)):
            yield f"{path} {written} is wider than any network of ours"


def _is_wide(cidr: str) -> bool:
    try:
        return ipaddress.ip_network(cidr, strict=False).prefixlen < WIDEST
    except ValueError:
        return True


def _protected(planned: Planned) -> Iterator[str]:
    if planned.type == VOLUME and planned.tag(PURPOSE) != "journal":
        return
    if not planned.is_protected:
        yield "has to be protected: what it holds cannot be made again"


def _placement(planned: Planned) -> Iterator[str]:
    match planned.type:
        case "aws:ec2/placementGroup:PlacementGroup":
            if planned.get("strategy") != "cluster":
                yield "strategy has to be 'cluster': hosts of one book are close to each other"
        case "aws:ec2/capacityReservation:CapacityReservation":
            if not planned.get("placementGroupArn"):
                yield "placementGroupArn is missing: a reservation cannot be moved into a group later"
        case _:
            if planned.tag(ROLE) == "engine" and not planned.get("placementGroup"):
                yield "placementGroup is missing: adding it later replaces the host"


def _stays(planned: Planned) -> Iterator[str]:
    if planned.tag(ROLE) == "engine" and planned.get("disableApiTermination") is not True:
        yield "disableApiTermination has to be true on an engine host"


def _rotates(planned: Planned) -> Iterator[str]:
    if planned.get("enableKeyRotation") is not True:
        yield "enableKeyRotation has to be true"
    if planned.get("deletionWindowInDays", 30) < 30:
        yield "deletionWindowInDays has to be 30: a key that is gone takes the journal with it"


def _tagged(planned: Planned) -> Iterator[str]:
    missing = [key for key in TAGS if not planned.tag(key)]
    if missing:
        yield f"tags are missing: {', '.join(missing)}"


def _journal(planned: Planned) -> Iterator[str]:
    if planned.tag(PURPOSE) != "journal":
        return
    if planned.get("type") != "io2":
        yield "type has to be 'io2': a journal is as fast as its slowest write"
    if planned.get("multiAttachEnabled", False):
        yield "multiAttachEnabled would give one journal two writers"


ENUMS: Mapping[tuple[str, str], tuple[object, ...]] = {
    (PLACEMENT, "strategy"): ("cluster", "partition", "spread"),
    (VOLUME, "type"): ("standard", "gp2", "gp3", "io1", "io2", "sc1", "st1"),
    (INSTANCE, "tenancy"): ("default", "dedicated", "host"),
    (INSTANCE, "metadataOptions.httpTokens"): ("optional", "required"),
    (INSTANCE, "metadataOptions.httpEndpoint"): ("enabled", "disabled"),
    (INSTANCE, "instanceInitiatedShutdownBehavior"): ("stop", "terminate"),
    (RESERVATION, "instanceMatchCriteria"): ("open", "targeted"),
    (RESERVATION, "endDateType"): ("unlimited", "limited"),
    (RESERVATION, "tenancy"): ("default", "dedicated"),
    (ENDPOINT, "vpcEndpointType"): (
        "Gateway",
        "GatewayLoadBalancer",
        "Interface",
        "Resource",
        "ServiceNetwork",
    ),
    (KEY, "keyUsage"): ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"),
}


def _enums(planned: Planned) -> Iterator[str]:
    for (kind, path), allowed in ENUMS.items():
        if kind == planned.type and (value := planned.get(path)) is not None and value not in allowed:
            yield f"{path} {value!r} is none of {', '.join(map(str, allowed))}"


def _phc(facts: Facts) -> Judge:
    def judged(planned: Planned) -> Iterator[str]:
        if planned.tag(CLOCK) != "phc":
            return
        name = str(planned.get("instanceType", ""))
        found = facts.named(name)
        if found is None:
            yield f"instanceType {name!r}: nothing is known of its clock (facts of {facts.date})"
        elif not found.has_phc:
            yield f"instanceType {name!r} has no PTP hardware clock (facts of {facts.date})"

    return judged


def rules(facts: Facts) -> tuple[Rule, ...]:
    """Every rule; FACTS say which machines have a hardware clock."""
    hosts, taken = (INSTANCE, TEMPLATE), (INSTANCE, VOLUME, KEY, RESERVATION, PLACEMENT)
    return (
        Rule(
            id="no-public-address",
            why="a trading host is never reachable from the Internet",
            types=(*hosts, SUBNET, EIP, GATEWAY),
            judge=_no_public_address,
        ),
        Rule(id="imdsv2-hop-1", why="stolen requests get no credentials", types=hosts, judge=_imdsv2),
        Rule(
            id="encrypted-with-our-key",
            why="whoever has the disk has the book",
            types=(INSTANCE, VOLUME),
            judge=_encrypted,
        ),
        Rule(
            id="no-open-network",
            why="no rule and no route is for everybody",
            types=(GROUP, INGRESS, EGRESS, ROUTE),
            judge=_closed,
        ),
        Rule(
            id="protected",
            why="a key, a state bucket, a journal or a reservation that is deleted does not come back",
            types=(KEY, BUCKET, VOLUME, RESERVATION),
            judge=_protected,
        ),
        Rule(
            id="placement",
            why="microseconds are distance",
            types=(PLACEMENT, RESERVATION, INSTANCE),
            judge=_placement,
        ),
        Rule(id="engine-stays", why="no slip of a console ends an engine", types=(INSTANCE,), judge=_stays),
        Rule(id="key-rotation", why="a key has a lifetime", types=(KEY,), judge=_rotates),
        Rule(id="tags", why="whose it is, and of which generation", types=taken, judge=_tagged),
        Rule(id="journal-volume", why="one writer, and a bounded write", types=(VOLUME,), judge=_journal),
        Rule(id="hardware-clock", why="a time stamp is evidence", types=(INSTANCE,), judge=_phc(facts)),
        Rule(
            id="enum-values",
            why="a misspelt word fails in the middle of an update",
            types=tuple(sorted({kind for kind, _ in ENUMS})),
            judge=_enums,
        ),
    )
