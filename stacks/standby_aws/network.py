"""A private network with one way out: the transit gateway to the primary site. No Internet gateway, no NAT.

The zone is given by its id, because its name differs from account to account; the name, which a volume
needs, comes from the subnet. Security group rules are resources of their own, so that each is seen and
judged.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.core.config import StandbyConfig
from stacks.standby_aws.tags import Tags

HTTPS = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkArgs:
    """The networks of both sides, and the zone."""

    config: StandbyConfig
    zone_id: str
    tags: Tags


class Network(pulumi.ComponentResource):
    """VPC, subnet, transit and the two security groups: of hosts, and of the endpoints they may ask."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hft:cloud:Network", name, None, opts)
        self._here, self._args, self._prefix = pulumi.ResourceOptions(parent=self), args, name
        config, tags = args.config, args.tags.and_()
        self.vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=config.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=tags,
            opts=self._here,
        )
        first = next(ipaddress.ip_network(config.vpc_cidr).subnets(new_prefix=24))
        self.subnet = aws.ec2.Subnet(
            f"{name}-subnet",
            vpc_id=self.vpc.id,
            cidr_block=str(first),
            availability_zone_id=args.zone_id,
            map_public_ip_on_launch=False,
            tags=tags,
            opts=self._here,
        )
        self.zone = self.subnet.availability_zone
        self._transit()
        self.hosts = self._group("hosts", "engine and sink hosts")
        self.endpoints = self._group("endpoints", "what hosts ask of AWS")
        self._rules()
        self.register_outputs({"vpcId": self.vpc.id, "subnetId": self.subnet.id})

    def _transit(self) -> None:
        name, config = self._prefix, self._args.config
        transit = aws.ec2transitgateway.VpcAttachment(
            f"{name}-transit",
            transit_gateway_id=config.transit_gateway_id,
            vpc_id=self.vpc.id,
            subnet_ids=[self.subnet.id],
            tags=self._args.tags.and_(purpose="replication"),
            opts=self._here,
        )
        table = aws.ec2.RouteTable(
            f"{name}-routes", vpc_id=self.vpc.id, tags=self._args.tags.and_(), opts=self._here
        )
        aws.ec2.RouteTableAssociation(
            f"{name}-routes", subnet_id=self.subnet.id, route_table_id=table.id, opts=self._here
        )
        aws.ec2.Route(
            f"{name}-to-colo",
            route_table_id=table.id,
            destination_cidr_block=config.colo_cidr,
            transit_gateway_id=config.transit_gateway_id,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[transit]),
        )

    def _group(self, word: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._prefix}-{word}",
            vpc_id=self.vpc.id,
            description=description,
            tags=self._args.tags.and_(),
            opts=self._here,
        )

    def _rules(self) -> None:
        config = self._args.config
        self._allow_in("replication", self.hosts, config.colo_cidr, config.replication_port)
        self._allow_out("replication", self.hosts, config.colo_cidr, config.replication_port)
        self._allow_out("endpoints", self.hosts, config.vpc_cidr, HTTPS)
        self._allow_in("https", self.endpoints, config.vpc_cidr, HTTPS)

    def _allow_in(self, word: str, group: aws.ec2.SecurityGroup, cidr: str, port: int) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self._prefix}-in-{word}",
            security_group_id=group.id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=word,
            opts=self._here,
        )

    def _allow_out(self, word: str, group: aws.ec2.SecurityGroup, cidr: str, port: int) -> None:
        aws.vpc.SecurityGroupEgressRule(
            f"{self._prefix}-out-{word}",
            security_group_id=group.id,
            cidr_ipv4=cidr,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            description=word,
            opts=self._here,
        )
