"""What the stand-in knows of AWS: which inputs replace a resource, what a made one has, and canned answers.

Replacements are the `ForceNew` arguments of the Terraform provider that pulumi-aws is made from
(hashicorp/terraform-provider-aws, internal/service/...; docs say "Changing this creates a new resource"),
for the types that our stacks use. A type that is not in the table cannot be planned with the stand-in: a
guess would be a wrong plan.
"""

from __future__ import annotations

from collections.abc import Mapping

ACCOUNT = "111122223333"  # an account of AWS's own documentation

REPLACES: Mapping[str, frozenset[str]] = {
    token: frozenset(words.split())
    for token, words in {
        "aws:ebs/volume:Volume": (
            "availabilityZone encrypted kmsKeyId multiAttachEnabled outpostArn snapshotId"
        ),
        "aws:ec2/capacityReservation:CapacityReservation": (
            "availabilityZone ebsOptimized ephemeralStorage instanceMatchCriteria instancePlatform"
            " instanceType outpostArn placementGroupArn tenancy"
        ),
        "aws:ec2/eip:Eip": "domain networkBorderGroup publicIpv4Pool",
        "aws:ec2/instance:Instance": (
            "ami associatePublicIpAddress availabilityZone cpuOptions enclaveOptions hibernation keyName"
            " ipv6AddressCount placementGroup privateIp subnetId tenancy"
        ),
        "aws:ec2/internetGateway:InternetGateway": "",
        "aws:ec2/launchTemplate:LaunchTemplate": "name namePrefix",
        "aws:ec2/placementGroup:PlacementGroup": "name partitionCount spreadLevel strategy",
        "aws:ec2/route:Route": "destinationCidrBlock destinationIpv6CidrBlock routeTableId",
        "aws:ec2/routeTable:RouteTable": "vpcId",
        "aws:ec2/routeTableAssociation:RouteTableAssociation": "gatewayId subnetId",
        "aws:ec2/securityGroup:SecurityGroup": "description name namePrefix vpcId",
        "aws:ec2/subnet:Subnet": "availabilityZone availabilityZoneId cidrBlock outpostArn vpcId",
        "aws:ec2/volumeAttachment:VolumeAttachment": "deviceName instanceId volumeId",
        "aws:ec2/vpc:Vpc": "cidrBlock ipv4IpamPoolId",
        "aws:ec2/vpcEndpoint:VpcEndpoint": "serviceName vpcEndpointType vpcId",
        "aws:ec2transitgateway/vpcAttachment:VpcAttachment": "transitGatewayId vpcId",
        "aws:iam/instanceProfile:InstanceProfile": "name namePrefix path",
        "aws:iam/role:Role": "name namePrefix path",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role",
        "aws:kms/alias:Alias": "name namePrefix",
        "aws:kms/key:Key": "customerMasterKeySpec keyUsage multiRegion",
        "aws:s3/bucket:Bucket": "bucket bucketPrefix objectLockEnabled",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "securityGroupId",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "securityGroupId",
    }.items()
}

# What a made resource has besides its inputs; {id}, {name} and {region} are filled in.
_EC2 = f"arn:aws:ec2:{{region}}:{ACCOUNT}"
OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "aws:ec2/capacityReservation:CapacityReservation": {"arn": f"{_EC2}:capacity-reservation/{{id}}"},
    "aws:ec2/instance:Instance": {"arn": f"{_EC2}:instance/{{id}}", "privateIp": "10.77.0.{byte}"},
    "aws:ec2/placementGroup:PlacementGroup": {"arn": f"{_EC2}:placement-group/{{id}}", "name": "{name}"},
    "aws:ec2/subnet:Subnet": {"arn": f"{_EC2}:subnet/{{id}}", "availabilityZone": "{region}a"},
    "aws:iam/instanceProfile:InstanceProfile": {"name": "{name}"},
    "aws:iam/role:Role": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{{name}}", "name": "{name}"},
    "aws:kms/key:Key": {"arn": f"arn:aws:kms:{{region}}:{ACCOUNT}:key/{{id}}", "keyId": "{id}"},
}

PREFIX: Mapping[str, str] = {
    "Instance": "i-",
    "Volume": "vol-",
    "Vpc": "vpc-",
    "Subnet": "subnet-",
    "SecurityGroup": "sg-",
    "RouteTable": "rtb-",
    "CapacityReservation": "cr-",
    "VpcEndpoint": "vpce-",
    "VpcAttachment": "tgw-attach-",
}

# The only questions that are answered; any other invoke is refused.
INVOKES: Mapping[str, Mapping[str, object]] = {
    "aws:ec2/getAmi:getAmi": {
        "id": "ami-0123456789abcdef0",
        "architecture": "x86_64",
        "name": "debian-12-amd64",
    },
    "aws:index/getCallerIdentity:getCallerIdentity": {"id": ACCOUNT, "accountId": ACCOUNT},
}
