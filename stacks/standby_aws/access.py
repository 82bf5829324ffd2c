"""How people reach hosts: Systems Manager through interface endpoints; no port is open, no address is public.

A session needs three endpoints (ssm, ssmmessages, ec2messages). They cost by the hour, so a mode that runs
no host has none; the role and its profile cost nothing and are always there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.standby_aws.network import Network
from stacks.standby_aws.tags import Tags

SERVICES = ("ssm", "ssmmessages", "ec2messages")
POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessArgs:
    """Where the endpoints are, if there are any."""

    region: str
    network: Network
    has_endpoints: bool
    tags: Tags


class Access(pulumi.ComponentResource):
    """The hosts' role, and the endpoints over which it is used."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hft:cloud:Access", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = aws.iam.Role(
            f"{name}-host",
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            tags=args.tags.and_(),
            opts=here,
        )
        aws.iam.RolePolicyAttachment(f"{name}-session", role=role.name, policy_arn=POLICY, opts=here)
        self.profile = aws.iam.InstanceProfile(
            f"{name}-host", role=role.name, tags=args.tags.and_(), opts=here
        )
        for service in SERVICES if args.has_endpoints else ():
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args.network.vpc.id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=[args.network.subnet.id],
                security_group_ids=[args.network.endpoints.id],
                private_dns_enabled=True,
                tags=args.tags.and_(purpose="access"),
                opts=here,
            )
        self.register_outputs({"profile": self.profile.name})
