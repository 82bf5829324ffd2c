"""Registers what a file lists: type, name, inputs, protect."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pulumi

for one in json.loads(Path(os.environ["HFT_RULE_CASES"]).read_text()):
    pulumi.CustomResource(
        one["type"], one["name"], props=one["inputs"], opts=pulumi.ResourceOptions(protect=one["protect"])
    )
