"""The program that Pulumi runs: configuration in, one component, outputs."""

from __future__ import annotations

import pulumi

from stacks.core.choose import choose
from stacks.core.config import read_config
from stacks.core.errors import CoreError
from stacks.core.facts import read_facts
from stacks.standby_aws.standby import Standby, StandbyArgs

values = pulumi.Config()
try:
    config = read_config(lambda key: values.get(key) or None, region=pulumi.Config("aws").require("region"))
    choice = choose(config, read_facts())
except CoreError as error:
    raise pulumi.RunError(str(error)) from error

standby = Standby(config.site, StandbyArgs(config=config, choice=choice))
for key, output in standby.outputs().items():
    pulumi.export(key, output)
