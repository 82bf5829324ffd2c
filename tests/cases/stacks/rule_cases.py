"""Planned resources that keep every rule, and for each rule the ways to break it, one input each."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from stacks.core.planned import Planned
from stacks.core.rules import (
    BUCKET,
    EGRESS,
    EIP,
    ENDPOINT,
    GATEWAY,
    GROUP,
    INGRESS,
    INSTANCE,
    KEY,
    PLACEMENT,
    RESERVATION,
    ROUTE,
    SUBNET,
    TEMPLATE,
    VOLUME,
)

GONE = object()  # the input is left out
KEY_ARN = "arn:aws:kms:eu-west-2:111122223333:key/00000000-0000-0000-0000-000000000000"
TAGS = {"owner": "trading", "stack": "ldn", "generation": "1", "data-class": "confidential"}
GOOD: dict[str, dict[str, Any]] = {
    INSTANCE: {
        "ami": "ami-0123456789abcdef0",
        "instanceType": "c7i.metal-24xl",
        "subnetId": "subnet-0123456789abcdef0",
        "associatePublicIpAddress": False,
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        },
        "rootBlockDevice": {"encrypted": True, "kmsKeyId": KEY_ARN, "volumeType": "gp3"},
        "ebsBlockDevices": [{"deviceName": "/dev/sdf", "encrypted": True, "kmsKeyId": KEY_ARN}],
        "placementGroup": "ldn",
        "disableApiTermination": True,
        "instanceInitiatedShutdownBehavior": "stop",
        "tenancy": "default",
        "tags": TAGS | {"hft:role": "engine", "hft:clock": "phc"},
    },
    TEMPLATE: {
        "imageId": "ami-0123456789abcdef0",
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "networkInterfaces": [{"associatePublicIpAddress": "false"}],
    },
    SUBNET: {"vpcId": "vpc-1", "cidrBlock": "10.77.0.0/24", "mapPublicIpOnLaunch": False},
    VOLUME: {
        "availabilityZone": "eu-west-2a",
        "type": "io2",
        "size": 200,
        "iops": 16000,
        "encrypted": True,
        "kmsKeyId": KEY_ARN,
        "tags": TAGS | {"hft:purpose": "journal"},
    },
    KEY: {"enableKeyRotation": True, "deletionWindowInDays": 30, "keyUsage": "ENCRYPT_DECRYPT", "tags": TAGS},
    BUCKET: {"bucket": "state"},
    GROUP: {"vpcId": "vpc-1", "description": "engines"},
    INGRESS: {"securityGroupId": "sg-1", "ipProtocol": "tcp", "cidrIpv4": "10.1.0.0/16", "fromPort": 7400},
    EGRESS: {"securityGroupId": "sg-1", "ipProtocol": "tcp", "cidrIpv4": "10.1.0.0/16", "fromPort": 7400},
    ROUTE: {"routeTableId": "rtb-1", "destinationCidrBlock": "10.1.0.0/16", "transitGatewayId": "tgw-1"},
    PLACEMENT: {"name": "ldn", "strategy": "cluster", "tags": TAGS},
    RESERVATION: {
        "instanceType": "c7i.metal-24xl",
        "instanceCount": 2,
        "instancePlatform": "Linux/UNIX",
        "availabilityZone": "eu-west-2a",
        "instanceMatchCriteria": "targeted",
        "endDateType": "unlimited",
        "tenancy": "default",
        "placementGroupArn": "arn:aws:ec2:eu-west-2:111122223333:placement-group/ldn",
        "tags": TAGS,
    },
    ENDPOINT: {
        "vpcId": "vpc-1",
        "serviceName": "com.amazonaws.eu-west-2.ssm",
        "vpcEndpointType": "Interface",
    },
}
PROTECTED = (KEY, VOLUME, BUCKET, RESERVATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to break one rule."""

    rule: str
    good: Planned | None  # None where no resource of that type can be right
    bad: Planned

    @property
    def id(self) -> str:
        """What a test is called by."""
        return f"{self.rule}: {self.bad.name}"


def good(kind: str, name: str) -> Planned:
    """A resource of that type that keeps every rule."""
    inputs = copy.deepcopy(GOOD[kind])
    return Planned(type=kind, name=name, inputs=inputs, is_protected=kind in PROTECTED)


def changed(planned: Planned, path: str, value: object) -> Planned:
    """The same with another value at `a.b`, a number being a place in a list."""
    inputs: Any = copy.deepcopy(dict(planned.inputs))
    here: Any = inputs
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in way:
        here = here[step]
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return replace(planned, inputs=inputs)


_TABLE: tuple[tuple[str, str, str, tuple[object, ...]], ...] = (
    ("no-public-address", INSTANCE, "associatePublicIpAddress", (True, GONE)),
    ("no-public-address", TEMPLATE, "networkInterfaces/0/associatePublicIpAddress", ("true", GONE)),
    ("no-public-address", SUBNET, "mapPublicIpOnLaunch", (True,)),
    ("imdsv2-hop-1", INSTANCE, "metadataOptions/httpTokens", ("optional", GONE)),
    ("imdsv2-hop-1", INSTANCE, "metadataOptions/httpPutResponseHopLimit", (2, 64, GONE)),
    ("imdsv2-hop-1", TEMPLATE, "metadataOptions/httpTokens", ("optional", GONE)),
    ("imdsv2-hop-1", TEMPLATE, "metadataOptions", (GONE,)),
    ("encrypted-with-our-key", INSTANCE, "rootBlockDevice/encrypted", (False, GONE)),
    ("encrypted-with-our-key", INSTANCE, "rootBlockDevice/kmsKeyId", ("", "alias/aws/ebs", GONE)),
    ("encrypted-with-our-key", INSTANCE, "rootBlockDevice", (GONE,)),
    ("encrypted-with-our-key", INSTANCE, "ebsBlockDevices/0/encrypted", (False, GONE)),
    ("encrypted-with-our-key", INSTANCE, "ebsBlockDevices/0/kmsKeyId", ("alias/aws/ebs",)),
    ("encrypted-with-our-key", VOLUME, "encrypted", (False, GONE)),
    ("encrypted-with-our-key", VOLUME, "kmsKeyId", ("", "alias/aws/ebs", GONE)),
    ("no-open-network", INGRESS, "cidrIpv4", ("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/7")),
    ("no-open-network", INGRESS, "cidrIpv6", ("::/0",)),
    ("no-open-network", EGRESS, "cidrIpv4", ("0.0.0.0/0", "128.0.0.0/1", "anywhere")),
    ("no-open-network", ROUTE, "destinationCidrBlock", ("0.0.0.0/0",)),
    ("no-open-network", ROUTE, "destinationIpv6CidrBlock", ("::/0",)),
    ("no-open-network", GROUP, "ingress", ([{"protocol": "tcp", "fromPort": 22, "toPort": 22}],)),
    ("no-open-network", GROUP, "egress", ([{"protocol": "-1", "fromPort": 0, "toPort": 0}],)),
    ("placement", INSTANCE, "placementGroup", (GONE, "")),
    ("placement", PLACEMENT, "strategy", ("spread", "partition")),
    ("placement", RESERVATION, "placementGroupArn", (GONE, "")),
    ("engine-stays", INSTANCE, "disableApiTermination", (False, GONE)),
    ("key-rotation", KEY, "enableKeyRotation", (False, GONE)),
    ("key-rotation", KEY, "deletionWindowInDays", (7, 29)),
    ("tags", INSTANCE, "tags/owner", (GONE, "")),
    ("tags", VOLUME, "tags/stack", (GONE,)),
    ("tags", KEY, "tags", (GONE,)),
    ("tags", RESERVATION, "tags/generation", (GONE,)),
    ("tags", PLACEMENT, "tags/data-class", (GONE,)),
    ("journal-volume", VOLUME, "type", ("gp3", "io1", GONE)),
    ("journal-volume", VOLUME, "multiAttachEnabled", (True,)),
    ("hardware-clock", INSTANCE, "instanceType", ("m8azn.metal-12xl", "z1d.metal", "t3.micro", GONE)),
    ("enum-values", INSTANCE, "tenancy", ("dedicate",)),
    ("enum-values", INSTANCE, "metadataOptions/httpEndpoint", ("on",)),
    ("enum-values", INSTANCE, "instanceInitiatedShutdownBehavior", ("halt",)),
    ("enum-values", RESERVATION, "instanceMatchCriteria", ("target",)),
    ("enum-values", RESERVATION, "endDateType", ("never",)),
    ("enum-values", RESERVATION, "tenancy", ("host",)),
    ("enum-values", ENDPOINT, "vpcEndpointType", ("interface",)),
    ("enum-values", KEY, "keyUsage", ("ENCRYPT",)),
)


def _cases() -> list[Case]:
    found: list[Case] = []
    for rule, kind, path, values in _TABLE:
        for value in values:
            name = f"r{len(found):02d}-{path.replace('/', '-').lower()}"
            fine = good(kind, name)
            found.append(Case(rule=rule, good=fine, bad=changed(fine, path, value)))
    for kind in PROTECTED:
        fine = good(kind, f"r{len(found):02d}-protect")
        found.append(Case(rule="protected", good=fine, bad=replace(fine, is_protected=False)))
    for kind in (EIP, GATEWAY):
        name = f"r{len(found):02d}-{kind.rpartition(':')[2].lower()}"
        found.append(Case(rule="no-public-address", good=None, bad=Planned(type=kind, name=name)))
    return found


CASES = _cases()
