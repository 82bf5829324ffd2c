"""A host and its journal. The host can be made again, the journal cannot: it outlives the host and the stack.

A replacement deletes first: a targeted reservation has no room for both, and a cluster group may have
none. Creation ends after 20 minutes instead of the provider's 50 of retries, so that "no capacity" is an
answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.core.config import StandbyConfig
from stacks.standby_aws.capacity import Capacity
from stacks.standby_aws.keys import Keys
from stacks.standby_aws.network import Network
from stacks.standby_aws.tags import Tags

ROOT_GIB = 64
DEVICE = "/dev/sdj"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostArgs:
    """One host: what it is, and where its parts come from."""

    config: StandbyConfig
    instance_type: str
    is_engine: bool
    has_phc: bool
    network: Network
    keys: Keys
    capacity: Capacity
    profile: aws.iam.InstanceProfile
    tags: Tags


class StandbyHost(pulumi.ComponentResource):
    """An engine host on metal, or the small host that receives the journal where none runs."""

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hft:cloud:Host", name, None, opts)
        self.name, self.is_engine = name, args.is_engine
        self.instance = aws.ec2.Instance(name, self._instance_args(args), opts=self._replaced_first())
        journal = self._journal(args)
        aws.ec2.VolumeAttachment(
            f"{name}-journal",
            instance_id=self.instance.id,
            volume_id=journal.id,
            device_name=DEVICE,
            stop_instance_before_detaching=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.address = self.instance.private_ip
        self.register_outputs({"address": self.address, "journal": journal.id})

    def _replaced_first(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            delete_before_replace=True,
            custom_timeouts=pulumi.CustomTimeouts(create="20m", update="20m", delete="20m"),
        )

    def _instance_args(self, args: HostArgs) -> aws.ec2.InstanceArgs:
        words = {"role": "engine" if args.is_engine else "sink"} | ({"clock": "phc"} if args.has_phc else {})
        return aws.ec2.InstanceArgs(
            ami=args.config.ami,
            instance_type=args.instance_type,
            subnet_id=args.network.subnet.id,
            vpc_security_group_ids=[args.network.hosts.id],
            associate_public_ip_address=False,
            iam_instance_profile=args.profile.name,
            placement_group=args.capacity.group.name if args.is_engine else None,
            capacity_reservation_specification=self._reserved(args),
            disable_api_termination=args.is_engine,
            instance_initiated_shutdown_behavior="stop",
            tenancy="default",
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                encrypted=True, kms_key_id=args.keys.key.arn, volume_size=ROOT_GIB, volume_type="gp3"
            ),
            tags=args.tags.and_(**words) | {"Name": self.name},
        )

    def _reserved(self, args: HostArgs) -> aws.ec2.InstanceCapacityReservationSpecificationArgs | None:
        if args.capacity.reservation is None or not args.is_engine:
            return None
        return aws.ec2.InstanceCapacityReservationSpecificationArgs(
            capacity_reservation_target=aws.ec2.InstanceCapacityReservationSpecificationCapacityReservationTargetArgs(
                capacity_reservation_id=args.capacity.reservation.id
            )
        )

    def _journal(self, args: HostArgs) -> aws.ebs.Volume:
        return aws.ebs.Volume(
            f"{self.name}-journal",
            availability_zone=args.network.zone,
            type="io2",
            size=args.config.journal_gib,
            iops=args.config.journal_iops,
            encrypted=True,
            kms_key_id=args.keys.key.arn,
            tags=args.tags.and_(purpose="journal"),
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
