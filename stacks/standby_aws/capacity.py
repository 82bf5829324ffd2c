"""Where hosts stand, and whether there is room for them: a cluster placement group, and a reservation in it.

A reservation has to be made in its group: it cannot be moved in later. It is targeted, so that nobody
else's instance takes it, and protected, because what is let go may not be had again.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.standby_aws.tags import Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityArgs:
    """For how many hosts of which type."""

    instance_type: str
    reserved_hosts: int
    zone: pulumi.Output[str]
    tags: Tags


class Capacity(pulumi.ComponentResource):
    """The group, and the reservation if one is paid for."""

    def __init__(self, name: str, args: CapacityArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hft:cloud:Capacity", name, None, opts)
        self.group = aws.ec2.PlacementGroup(
            f"{name}-near",
            strategy="cluster",
            tags=args.tags.and_(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.reservation: aws.ec2.CapacityReservation | None = None
        if args.reserved_hosts:
            self.reservation = aws.ec2.CapacityReservation(
                f"{name}-held",
                instance_type=args.instance_type,
                instance_platform="Linux/UNIX",
                instance_count=args.reserved_hosts,
                availability_zone=args.zone,
                placement_group_arn=self.group.arn,
                instance_match_criteria="targeted",
                end_date_type="unlimited",
                tenancy="default",
                tags=args.tags.and_(purpose="capacity"),
                opts=pulumi.ResourceOptions(parent=self, protect=True),
            )
        self.register_outputs({"group": self.group.name})
