"""The key under which disks and journal are encrypted; the account's default key is nobody's."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.standby_aws.tags import Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysArgs:
    """Nothing but the tags."""

    tags: Tags


class Keys(pulumi.ComponentResource):
    """One customer key with rotation and an alias; protected, because without it the journal is noise."""

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hft:cloud:Keys", name, None, opts)
        self.key = aws.kms.Key(
            f"{name}-key",
            description=f"disks and journal of {args.tags.stack}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=args.tags.and_(purpose="encryption"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{args.tags.stack}",
            target_key_id=self.key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"arn": self.key.arn})
